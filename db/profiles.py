"""Camera profiles: each save is a new version, and no version ever changes."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from db.models import CameraProfile, Survey
from engine.errors import SettingsError
from engine.geometry import profile_from_dict
from engine.vocabulary import CameraKind


def add_profile(
    session: Session,
    *,
    agency_id: int,
    name: str,
    kind: CameraKind | str,
    parameters: Mapping[str, Any],
    calibration: Mapping[str, Any] | None = None,
    created_by: int | None = None,
) -> CameraProfile:
    """Add the next version of a profile, the first where there is none of that name.

    Raises:
        CalibrationError: the values make no camera; nothing was saved.
    """
    checked = profile_from_dict(kind, parameters)
    newest = select(func.max(CameraProfile.version)).where(
        CameraProfile.agency_id == agency_id, CameraProfile.name == name
    )

    def add() -> CameraProfile:
        profile = CameraProfile(
            agency_id=agency_id,
            name=name,
            version=(session.scalar(newest) or 0) + 1,
            kind=checked.kind,
            parameters=checked.as_dict(),
            calibration=None if calibration is None else dict(calibration),
            created_by=created_by,
        )
        with session.begin_nested():
            session.add(profile)
        return profile

    try:
        return add()
    except IntegrityError:
        # Somebody saved a version of that name meanwhile.
        return add()


def get_profile(session: Session, agency_id: int, profile_id: int) -> CameraProfile:
    """Raises SettingsError where the agency has no such profile: another's is not told apart."""
    profile = session.get(CameraProfile, profile_id)
    if profile is None or profile.agency_id != agency_id:
        raise SettingsError(f"There is no camera profile {profile_id}.", "See the list of camera profiles.")
    return profile


def find_profile(session: Session, agency_id: int, name: str, version: int | None = None) -> CameraProfile:
    """A profile by its name: the newest version, or the one that is asked for.

    Raises:
        SettingsError: the agency has none.
    """
    query = select(CameraProfile).where(CameraProfile.agency_id == agency_id, CameraProfile.name == name)
    if version is not None:
        query = query.where(CameraProfile.version == version)
    profile = session.scalar(query.order_by(CameraProfile.version.desc()).limit(1))
    if profile is None:
        asked = repr(name) if version is None else f"{name!r}, version {version}"
        raise SettingsError(f"There is no camera profile {asked}.", "See the list of camera profiles.")
    return profile


def list_profiles(session: Session, agency_id: int) -> list[dict[str, Any]]:
    """All versions by name, the newest first, with the names of the surveys that use each."""
    users: dict[int | None, list[str]] = {}
    for profile_id, survey in session.execute(
        select(Survey.camera_profile_id, Survey.name)
        .where(Survey.agency_id == agency_id, Survey.camera_profile_id.is_not(None))
        .order_by(Survey.name)
    ):
        users.setdefault(profile_id, []).append(survey)
    rows = session.scalars(
        select(CameraProfile)
        .where(CameraProfile.agency_id == agency_id)
        .order_by(CameraProfile.name, CameraProfile.version.desc())
    )
    return [
        {
            "id": row.id,
            "name": row.name,
            "version": row.version,
            "kind": row.kind,
            "parameters": row.parameters,
            "calibration": row.calibration,
            "created_at": row.created_at,
            "surveys": users.get(row.id, []),
        }
        for row in rows
    ]
