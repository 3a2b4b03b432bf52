"""How a long export says that it goes on."""

from collections.abc import Callable

Progress = Callable[[float, str], None]
"""Called with the part done, 0 to 1, and what is being done, about once a second; what it raises ends it."""


def no_progress(done: float, doing: str) -> None:
    """Nobody wants to know."""
