"""Checkpoints as rows: the file in storage under its hash, its card beside it."""

from dataclasses import asdict
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import Checkpoint
from db.queries import find_checkpoint
from db.storage import Storage
from engine.cards import file_sha256, read_card, resolve_checkpoint
from engine.errors import CheckpointError


def ensure_checkpoint(session: Session, storage: Storage, name_or_path: str) -> Checkpoint:
    """The registered checkpoint of that name; a shipped one or a file is registered at first use.

    Raises:
        CheckpointError: no such checkpoint, or a file that is not one.
    """
    if found := find_checkpoint(session, name_or_path):
        return found
    path = resolve_checkpoint(name_or_path)
    content_hash = file_sha256(path)
    if found := session.scalar(select(Checkpoint).where(Checkpoint.content_hash == content_hash)):
        return found
    card = read_card(path)
    storage.put(path.read_bytes())
    checkpoint = Checkpoint(
        # A later version may ship another file of the same name; results keep naming this one.
        name=f"{card.name}-{content_hash[:8]}",
        content_hash=content_hash,
        model=card.model,
        origin=card.origin,
        card=asdict(card),
    )
    session.add(checkpoint)
    session.flush()
    return checkpoint


def checkpoint_file(storage: Storage, checkpoint: Checkpoint) -> Path:
    """The weights on this machine, proved to be those that were registered.

    Raises:
        CheckpointError: the stored file is missing or was changed.
    """
    try:
        path = storage.local_file(checkpoint.content_hash)
        intact = file_sha256(path) == checkpoint.content_hash
    except FileNotFoundError as problem:
        raise CheckpointError(
            f"The file of checkpoint {checkpoint.name} is missing from storage.",
            "Restore the storage from its backup, or choose another checkpoint.",
        ) from problem
    if not intact:
        raise CheckpointError(
            f"The file of checkpoint {checkpoint.name} was changed or damaged after it was registered.",
            "Restore the storage from its backup, or choose another checkpoint.",
        )
    return path
