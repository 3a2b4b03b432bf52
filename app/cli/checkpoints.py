"""Finds the file of a checkpoint: shipped, a path, or registered by the agency."""

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
        path = Path(name_or_path)
        # A registered name may hold a dot, never a slash: `db.registry.free_name`.
        if path.exists() or "/" in name_or_path or path.suffix.lower() == ".safetensors":
            raise
    from app.cli import work
    from db.checkpoint_queries import find_checkpoint
    from db.registry import checkpoint_file
    from db.session import reading
    from db.storage import get_storage

    agency_id = work.ready().agency_id
    with reading() as session:
        found = find_checkpoint(session, agency_id, name_or_path)
        if found is None:
            raise CheckpointError(
                f"There is no checkpoint named {name_or_path!r}.",
                "See: pavescope checkpoints list. Or name base, or a .safetensors file.",
            )
        return checkpoint_file(get_storage(), found)
