"""Checkpoints as rows: the file in storage under its hash, its card beside it."""

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from db.checkpoint_queries import find_checkpoint, newest_promotion
from db.models import Checkpoint
from db.storage import Storage
from engine.cards import BASE_NAME, WEIGHTS_DIR, CheckpointCard, file_sha256, read_card, resolve_checkpoint
from engine.errors import CheckpointError, SettingsError
from engine.foreign_checkpoints import check_foreign_checkpoint

# `Checkpoint.origin` holds the name of a parent.
LONGEST_NAME = 100
UNPROVED = {"loads": False}
"""Report of a file from elsewhere that nobody has loaded yet."""


def ensure_checkpoint(
    session: Session, storage: Storage, name_or_path: str, agency_id: int | None = None
) -> Checkpoint:
    """The registered checkpoint of that name; a shipped one or a file is registered at first use.

    Args:
        session: the transaction.
        storage: where the file is kept.
        name_or_path: a name that the agency sees, the name of a shipped one, or a file.
        agency_id: whose it is; None sees what is shipped only, and a file becomes everybody's.

    Raises:
        CheckpointError: no such checkpoint, a file that is not one, or one of another agency.
    """
    if found := find_checkpoint(session, agency_id, name_or_path):
        return found
    path = resolve_checkpoint(name_or_path)
    content_hash = file_sha256(path)
    shipped = _shipped_as(content_hash) is not None
    if found := session.scalar(select(Checkpoint).where(Checkpoint.content_hash == content_hash)):
        if shipped and found.agency_id is not None:  # shipped since, or a copy was registered first
            found.agency_id = None
        elif found.agency_id not in (None, agency_id):
            raise _elsewhere(path.name)
        return found
    card = read_card(path) if shipped else check_foreign_checkpoint(path)
    # A later version may ship another file of the same name; results keep naming this one.
    shown = "".join(c for c in card.name if c.isprintable() and c not in "/\\")[: LONGEST_NAME - 9].strip()
    name = f"{shown or 'checkpoint'}-{content_hash[:8]}"
    verdict = {} if shipped else {"report": UNPROVED} | _verdict(card)
    return _add(session, storage, path, card, name=name, agency_id=None if shipped else agency_id, **verdict)


def register_checkpoint(
    session: Session,
    storage: Storage,
    path: Path,
    *,
    agency_id: int,
    created_by: int | None,
    parent_id: int | None = None,
    survey_id: int | None = None,
    accepted: bool | None = None,
    report: dict[str, Any] | None = None,
    name: str,
) -> Checkpoint:
    """Keep a checkpoint file of an agency under a name.

    Args:
        session: the transaction.
        storage: where the file is kept.
        path: the file on this machine; it may go afterwards.
        agency_id: whose it is.
        created_by: the person who asked for it.
        parent_id: the checkpoint it was adapted from.
        survey_id: the survey it was adapted to.
        accepted: the gate's verdict, None where no gate judged it.
        report: what `engine.adaptation` says of the adaptation; plain values that JSON can hold.
        name: see `free_name`.

    Raises:
        CheckpointError: not a sound checkpoint, or registered already.
        SettingsError: the name is taken or cannot be one.
    """
    name = free_name(session, name)
    card = check_foreign_checkpoint(path)
    content_hash = file_sha256(path)
    if shipped := _shipped_as(content_hash):
        raise CheckpointError(f"The same file is shipped as {shipped}.", "Use that one.")
    same = session.scalar(select(Checkpoint).where(Checkpoint.content_hash == content_hash))
    if same is not None:
        if same.agency_id not in (None, agency_id):
            raise _elsewhere(path.name)
        raise CheckpointError(f"The same file is registered as {same.name!r}.", "Use that one.")
    return _add(
        session,
        storage,
        path,
        card,
        name=name,
        agency_id=agency_id,
        created_by=created_by,
        parent_id=parent_id,
        survey_id=survey_id,
        accepted=accepted,
        report=report or {},
    )


def import_checkpoint(
    session: Session,
    storage: Storage,
    path: Path,
    *,
    agency_id: int,
    created_by: int,
    name: str,
    file_name: str | None = None,
    loads: bool = False,
) -> Checkpoint:
    """Register a file that came from elsewhere. Its own gate's refusal stays; its acceptance was of another
    survey, so it counts as not judged. `loads`: see `engine.foreign_checkpoints.prove_it_loads`.

    Raises:
        CheckpointError: not a sound checkpoint, or registered already.
        SettingsError: the name is taken or cannot be one.
    """
    verdict = ({} if loads else {"report": UNPROVED}) | _verdict(check_foreign_checkpoint(path, file_name))
    return register_checkpoint(
        session, storage, path, agency_id=agency_id, created_by=created_by, name=name, **verdict
    )


def free_name(session: Session, name: str) -> str:
    """The name as it will stand in the registry.

    Raises:
        SettingsError: taken, empty, too long, or easily taken for a file or a shipped checkpoint.
    """
    cleaned = " ".join("".join(c for c in name if c.isprintable()).split())
    if not 1 <= len(cleaned) <= LONGEST_NAME:
        raise SettingsError(
            f"The name of the checkpoint has {len(cleaned)} characters.", f"Give it 1 to {LONGEST_NAME}."
        )
    if cleaned[0] in "-." or set(cleaned) & set("/\\") or cleaned.lower().endswith(".safetensors"):
        raise SettingsError(
            f"A checkpoint cannot be named {cleaned!r}.",
            "Leave out slashes, a dash or dot at the start, and .safetensors at the end.",
        )
    shipped = "|".join(re.escape(path.stem) for path in WEIGHTS_DIR.glob("*.safetensors"))
    taken = session.scalar(select(Checkpoint.id).where(Checkpoint.name == cleaned)) is not None
    if taken or re.fullmatch(rf"({shipped})(-[0-9a-f]{{8}})?", cleaned):
        raise SettingsError(f"The name {cleaned!r} is taken by another checkpoint.", "Choose another name.")
    return cleaned


def require_accepted(checkpoint: Checkpoint, purpose: str) -> None:
    """Raises SettingsError, with the gate's reasons, where the gate refused a checkpoint for good.

    Args:
        checkpoint: the checkpoint.
        purpose: what it cannot be, as "put in force".
    """
    if checkpoint.accepted is False:
        reasons = " ".join(checkpoint.report.get("reasons") or ["It gave no reasons."])
        raise SettingsError(
            f"The gate refused {checkpoint.name!r}, so it cannot be {purpose}: {reasons}",
            "Adapt again with more or better photos, or keep the checkpoint in force.",
        )


def promoted_checkpoint(session: Session, storage: Storage, agency_id: int) -> Checkpoint:
    """What an agency's new analyses use: the newest promotion that was not rolled back, else base."""
    promotion = newest_promotion(session, agency_id)
    if promotion is None:
        return ensure_checkpoint(session, storage, BASE_NAME)
    return session.get_one(Checkpoint, promotion.checkpoint_id)


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


def _add(
    session: Session, storage: Storage, path: Path, card: CheckpointCard, *, name: str, **columns: Any
) -> Checkpoint:
    data = path.read_bytes()
    checkpoint = Checkpoint(
        name=name,
        content_hash=storage.put(data),
        model=card.model,
        origin=card.origin[:LONGEST_NAME],
        card=asdict(card),
        size_bytes=len(data),
        **columns,
    )
    try:
        with session.begin_nested():
            session.add(checkpoint)
    except IntegrityError as problem:
        raise SettingsError(
            f"The name {name!r} or the same file was registered at this moment.", "Look at the list again."
        ) from problem
    return checkpoint


def _verdict(card: CheckpointCard) -> dict[str, Any]:
    """`accepted` and `report` of a card that says its gate refused it; nothing of any other."""
    gate = card.scores.get("gate")
    if not isinstance(gate, dict) or gate.get("accepted") is not False:
        return {}
    reasons = gate.get("reasons")
    said = [str(reason) for reason in reasons] if isinstance(reasons, list | tuple) else []
    return {"accepted": False, "report": {"accepted": False, "reasons": said, "gate": gate}}


def _shipped_as(content_hash: str) -> str | None:
    """Name of the shipped checkpoint that has these bytes."""
    shipped = (path.stem for path in WEIGHTS_DIR.glob("*.safetensors") if file_sha256(path) == content_hash)
    return next(shipped, None)


def _elsewhere(name: str) -> CheckpointError:
    return CheckpointError(
        f"{name} is registered by another agency of this installation.", "Use another checkpoint."
    )
