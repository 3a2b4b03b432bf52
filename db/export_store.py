"""Files made for handing out: entered, listed, found."""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import Checkpoint, ExportedFile, Plan, Survey, User
from engine.errors import SettingsError


def add_export(
    session: Session,
    *,
    agency_id: int,
    survey_id: int | None,
    plan_id: int | None,
    format: str,
    file_name: str,
    content_hash: str,
    size_bytes: int,
    provenance: dict[str, str],
    job_id: int | None,
    created_by: int | None,
) -> int:
    """Enter a stored file; returns its id.

    Raises:
        SettingsError: its survey was deleted meanwhile.
    """
    if survey_id is None or session.get(Survey, survey_id) is None:
        raise SettingsError("The survey was deleted while it was exported.", "Choose another survey.")
    if plan_id is not None and session.get(Plan, plan_id) is None:
        plan_id = None  # what it said is in the file
    row = ExportedFile(
        agency_id=agency_id, survey_id=survey_id, plan_id=plan_id, format=format, file_name=file_name,
        content_hash=content_hash, size_bytes=size_bytes, provenance=provenance, job_id=job_id,
        created_by=created_by,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row.id


def exports_of(session: Session, agency_id: int, survey_id: int) -> list[dict[str, Any]]:
    """A survey's files, the newest first.

    Returns:
        id, format, file_name, size_bytes, created_at, read_at (later changes are not in it), by (name or
        None), plan_id, plan (name or ""), provenance, job_id; stale: whether the survey shows another
        analysis now.
    """
    rows = session.execute(
        select(ExportedFile, User.name, Survey.shown_settings_hash, Checkpoint.content_hash)
        .join(Survey, Survey.id == ExportedFile.survey_id)
        .outerjoin(User, User.id == ExportedFile.created_by)
        .outerjoin(Checkpoint, Checkpoint.id == Survey.shown_checkpoint_id)
        .where(ExportedFile.agency_id == agency_id, ExportedFile.survey_id == survey_id)
        .order_by(ExportedFile.created_at.desc(), ExportedFile.id.desc())
    )
    return [
        {
            "id": file.id,
            "format": file.format,
            "file_name": file.file_name,
            "size_bytes": file.size_bytes,
            "created_at": file.created_at,
            "read_at": _read_at(file),
            "by": by,
            "plan_id": file.plan_id,
            "plan": file.provenance.get("plan", ""),
            "provenance": file.provenance,
            "job_id": file.job_id,
            "stale": (file.provenance.get("settings_hash"), file.provenance.get("checkpoint_sha256"))
            != (settings_hash, checkpoint_hash),
        }
        for file, by, settings_hash, checkpoint_hash in rows
    ]


def _read_at(file: ExportedFile) -> datetime:
    said = file.provenance.get("read_at")
    return datetime.fromisoformat(said) if said else file.created_at


def get_export(session: Session, agency_id: int, export_id: int) -> ExportedFile:
    """Raises SettingsError where the agency has no such file: another's is not told apart."""
    file = session.get(ExportedFile, export_id)
    if file is None or file.agency_id != agency_id:
        raise SettingsError(f"There is no exported file {export_id}.", "See the list of exported files.")
    return file


def plan_named(session: Session, agency_id: int, survey_id: int, name: str) -> int:
    """Id of a survey's newest plan of a name.

    Raises:
        SettingsError: it has none; the message names those it has.
    """
    plans = session.execute(
        select(Plan.id, Plan.name)
        .where(Plan.agency_id == agency_id, Plan.survey_id == survey_id)
        .order_by(Plan.created_at.desc(), Plan.id.desc())
    ).all()
    for plan_id, its_name in plans:
        if its_name == name:
            return plan_id
    known = ", ".join(repr(its_name) for _, its_name in plans[:10])
    raise SettingsError(
        f"The survey has no plan named {name!r}.",
        f"Its plans: {known}." if known else "Make one first: pavescope plan ... --name NAME",
    )
