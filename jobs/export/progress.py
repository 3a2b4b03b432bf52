"""How a long export says that it goes on."""

from collections.abc import Callable

Progress = Callable[[float, str], None]
"""Called with the part done, 0 to 1, and what is being done, about once a second; what it raises ends it."""


def no_progress(done: float, doing: str) -> None:
    """Nobody wants to know."""


def part_of(progress: Progress, begin: float, end: float) -> Progress:
    """Progress of a part of the work, from `begin` to `end` of the whole, told as that of the whole."""
    return lambda done, doing: progress(begin + (end - begin) * done, doing)
