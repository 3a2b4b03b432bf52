"""Camera profiles, for the pages and the command line alike: save, use, find by self-calibration."""

from collections.abc import Mapping
from typing import Any

from app.actions import Actor, clean_name, record_event, request_job, require
from db import profiles, queries
from db.models import CameraProfile
from db.session import transaction
from engine.errors import CalibrationError, SettingsError
from engine.geometry import fit_to_picture, profile_from_dict
from engine.vocabulary import CameraKind, JobKind, Role
from jobs import queue

LANE_WIDTH_M = 3.6
NARROWEST_LANE_M, WIDEST_LANE_M = 2.0, 6.0


def save_profile(
    actor: Actor,
    name: str,
    kind: CameraKind | str,
    parameters: Mapping[str, Any],
    calibration: Mapping[str, Any] | None = None,
) -> int:
    """Save a camera profile as a new version of its name; earlier versions and their surveys stay.

    Args:
        actor: who asks.
        name: of the profile.
        kind: downward or forward.
        parameters: see `engine.geometry.profile_from_dict`.
        calibration: what self-calibration said of the values, where they are its own.

    Returns:
        The id of the new version.

    Raises:
        CalibrationError: the values make no camera; names the value and the remedy.
    """
    require(actor, Role.ENGINEER, "save a camera profile")
    name = clean_name(name, "camera profile")
    with transaction() as session:
        profile = profiles.add_profile(
            session, agency_id=actor.agency_id, name=name, kind=kind, parameters=parameters,
            calibration=calibration, created_by=actor.user_id,
        )  # fmt: skip
        record_event(session, actor, "camera.save", name, version=profile.version)
        return profile.id


def use_profile(actor: Actor, survey_id: int, profile_id: int | None) -> None:
    """Choose the camera profile that a survey's next analyses use; None: none. Results stay as they are.

    Raises:
        CalibrationError: no photo of the survey has the profile's shape.
        SettingsError: the agency has no such survey or profile.
    """
    require(actor, Role.SURVEYOR, "choose a survey's camera profile")
    with transaction() as session:
        survey = queries.get_survey(session, actor.agency_id, survey_id)
        used: dict[str, Any] = {"profile": None}
        if profile_id is not None:
            profile = profiles.get_profile(session, actor.agency_id, profile_id)
            _require_some_fit(profile, queries.image_sizes(session, survey.id))
            used = {"profile": profile.name, "version": profile.version}
        survey.camera_profile_id = profile_id
        record_event(session, actor, "camera.use", survey.name, **used)


def _require_some_fit(profile: CameraProfile, sizes: list[tuple[int, int]]) -> None:
    """A survey of other pictures altogether is a mistake; single odd photos fail one by one."""
    camera = profile_from_dict(profile.kind, profile.parameters)
    problem: CalibrationError | None = None
    for width_px, height_px in sizes:
        try:
            fit_to_picture(camera, width_px, height_px)
        except CalibrationError as found:
            problem = problem or found
        else:
            return
    if problem is not None:
        raise problem


def request_calibration(
    actor: Actor,
    survey_id: int,
    name: str,
    *,
    lane_width_m: float = LANE_WIDTH_M,
    focal_px: float | None = None,
) -> int:
    """Queue the self-calibration of a survey's forward camera from its own photos.

    What it finds becomes a new version of the profile `name`, with its uncertainty. No survey uses it before
    somebody says so (`use_profile`).

    Args:
        actor: who asks.
        survey_id: whose photos.
        name: of the profile.
        lane_width_m: of the surveyed lane, 2 to 6: it gives the camera's height.
        focal_px: focal length in pixels, where it is known.

    Returns:
        The id of the job.

    Raises:
        SettingsError: the survey has no photos, or a number is not possible.
    """
    require(actor, Role.ENGINEER, "calibrate a camera")
    name = clean_name(name, "camera profile")
    if not NARROWEST_LANE_M <= lane_width_m <= WIDEST_LANE_M:
        raise SettingsError(
            f"A lane {lane_width_m:g} m wide is not possible.",
            f"Give {NARROWEST_LANE_M:g} to {WIDEST_LANE_M:g} m.",
        )
    if focal_px is not None and not 20 <= focal_px <= 200_000:
        raise SettingsError(
            f"A focal length of {focal_px:g} px is not possible.", "Give 20 to 200000, or leave it out."
        )
    with transaction() as session:
        survey = queries.get_survey(session, actor.agency_id, survey_id)
        if queries.count_images(session, survey.id) == 0:
            raise SettingsError(f"Survey {survey.name!r} has no photos.", "Import photos first.")
        parameters = {"name": name, "lane_width_m": lane_width_m, "focal_px": focal_px}
        key = f"calibrate:{survey.id}:{name}"[:200]
        job_id = request_job(session, actor, JobKind.CALIBRATE_CAMERA, key, parameters, survey.id)
    queue.send(job_id, JobKind.CALIBRATE_CAMERA)
    return job_id
