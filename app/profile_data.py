"""What the page Cameras reads: camera profiles with their versions, photos to try them on, calibrations."""

from typing import Any

from sqlalchemy import select

from app.adapt_data import JOB_COLUMNS
from app.identity import current_actor
from db.models import Job, Survey, SurveyImage
from db.profiles import list_profiles
from db.session import reading
from engine.scale import spread_sample
from engine.vocabulary import JobKind

# Enough to judge a profile on: the road bends and rises.
PREVIEW_PHOTOS = 60


def profiles() -> list[dict[str, Any]]:
    """The agency's profiles, all versions, by name, the newest first: id, name, version, kind, parameters,
    calibration, created_at, surveys (names of those that use this version)."""
    with reading() as session:
        return list_profiles(session, current_actor().agency_id)


def profile_of(survey_id: int) -> int | None:
    """The id of the profile that one of the agency's surveys is measured by."""
    with reading() as session:
        return session.scalar(
            select(Survey.camera_profile_id).where(
                Survey.id == survey_id, Survey.agency_id == current_actor().agency_id
            )
        )


def preview_photos(survey_id: int) -> list[dict[str, Any]]:
    """id, name, width_px, height_px of up to `PREVIEW_PHOTOS` photos spread over a survey."""
    with reading() as session:
        rows = session.execute(
            select(
                SurveyImage.id,
                SurveyImage.original_name.label("name"),
                SurveyImage.width_px,
                SurveyImage.height_px,
            )
            .join(Survey, Survey.id == SurveyImage.survey_id)
            .where(Survey.id == survey_id, Survey.agency_id == current_actor().agency_id)
            .order_by(SurveyImage.captured_at, SurveyImage.id)
        ).mappings()
        return spread_sample([dict(row) for row in rows], PREVIEW_PHOTOS)


def last_calibration(survey_id: int) -> dict[str, Any] | None:
    """The newest calibration from a survey's photos, as `data.jobs` has it, and its `parameters`."""
    with reading() as session:
        row = (
            session.execute(
                select(*JOB_COLUMNS)
                .join(Survey, Survey.id == Job.survey_id)
                .where(
                    Job.survey_id == survey_id,
                    Job.agency_id == current_actor().agency_id,
                    Job.kind == JobKind.CALIBRATE_CAMERA,
                )
                .order_by(Job.id.desc())
                .limit(1)
            )
            .mappings()
            .one_or_none()
        )
        return None if row is None else dict(row)
