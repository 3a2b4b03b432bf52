"""Finds the file of a checkpoint: shipped, a path, or registered in the database."""

from pathlib import Path

from engine.cards import resolve_checkpoint
from engine.errors import CheckpointError


def checkpoint_path(name_or_path: str) -> Path:
    """The weights' file. The database is asked only for a name that is neither shipped nor a file.

    Raises:
        CheckpointError: no such checkpoint.
    """
    try:
        return resolve_checkpoint(name_or_path)
    except CheckpointError:
        if Path(name_or_path).suffix or "/" in name_or_path:
            raise
    from app.cli import work
    from db.queries import find_checkpoint
    from db.registry import checkpoint_file
    from db.session import reading
    from db.storage import get_storage

    work.ready()
    with reading() as session:
        found = find_checkpoint(session, name_or_path)
        if found is None:
            raise CheckpointError(
                f"There is no checkpoint named {name_or_path!r}.", "Use base, or a .safetensors file."
            )
        return checkpoint_file(get_storage(), found)
