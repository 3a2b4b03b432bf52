"""What the photo page and its pictures read: the photo, its shown result, distresses and quantities.

No Streamlit here: the routes read it too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from app.identity import current_actor
from app.layers import measures, shown_result
from db.models import CameraProfile, Checkpoint, Section, Survey, SurveyImage
from db.result_models import AnalysisResult, Distress, DistressQuantity
from db.session import reading
from engine.geometry import CameraProfile as Profile
from engine.geometry import DownwardProfile, GroundFrame, fit_to_picture, profile_from_dict


@dataclass(frozen=True)
class GroundView:
    """How a result's photo was laid on the road: the camera, and the part of the road that counted."""

    profile: Profile
    frame: GroundFrame


@dataclass(frozen=True)
class PhotoSize:
    """A stored photo and its size in pixels."""

    content_hash: str
    width_px: int
    height_px: int


def photo(image_id: int) -> Mapping[str, Any] | None:
    """Everything known of one photo and of the result that its survey shows; None where the agency has
    no such photo."""
    with reading() as session:
        row = session.execute(
            select(
                *SurveyImage.__table__.columns,
                Survey.name.label("survey"),
                Survey.network_id,
                Section.section_key,
                Section.road,
                *(
                    column
                    for column in AnalysisResult.__table__.columns
                    if column.key not in ("id", "image_id", "created_at")
                ),
                AnalysisResult.id.label("result_id"),
                *measures(AnalysisResult)[:3],
                Checkpoint.name.label("checkpoint"),
                CameraProfile.name.label("camera"),
                CameraProfile.version.label("camera_version"),
                CameraProfile.kind.label("camera_kind"),
                CameraProfile.parameters.label("camera_parameters"),
            )
            .join(Survey, Survey.id == SurveyImage.survey_id)
            .outerjoin(Section, Section.id == SurveyImage.section_id)
            .outerjoin(AnalysisResult, shown_result())
            .outerjoin(Checkpoint, Checkpoint.id == AnalysisResult.checkpoint_id)
            .outerjoin(CameraProfile, CameraProfile.id == AnalysisResult.camera_profile_id)
            .where(SurveyImage.id == image_id, Survey.agency_id == current_actor().agency_id)
        ).one_or_none()
        return None if row is None else dict(row._mapping)


def photo_size(image_id: int) -> PhotoSize | None:
    """What lies in storage of an agency's photo; None where it has no such photo."""
    with reading() as session:
        row = session.execute(
            select(SurveyImage.content_hash, SurveyImage.width_px, SurveyImage.height_px)
            .join(Survey, Survey.id == SurveyImage.survey_id)
            .where(SurveyImage.id == image_id, Survey.agency_id == current_actor().agency_id)
        ).one_or_none()
    return None if row is None else PhotoSize(*row)


def distresses(result_id: int | None) -> list[dict[str, Any]]:
    """A result's distresses as columns of `Distress`, the longest first."""
    if result_id is None:
        return []
    with reading() as session:
        rows = session.execute(
            select(*Distress.__table__.columns)
            .where(Distress.result_id == result_id)
            .order_by(Distress.length_px.desc(), Distress.id)
        ).mappings()
        return [dict(row) for row in rows]


def quantities(result_id: int | None) -> list[dict[str, Any]]:
    """kind, severity, zone, count, length_m, area_m2, mean_width_mm of a result; empty without metres."""
    if result_id is None:
        return []
    with reading() as session:
        rows = session.execute(
            select(
                DistressQuantity.kind,
                DistressQuantity.severity,
                DistressQuantity.zone,
                DistressQuantity.count,
                DistressQuantity.length_m,
                DistressQuantity.area_m2,
                DistressQuantity.mean_width_mm,
            )
            .where(DistressQuantity.result_id == result_id)
            .order_by(DistressQuantity.kind, DistressQuantity.severity, DistressQuantity.zone)
        ).mappings()
        return [dict(row) for row in rows]


def ground_view(photo: Mapping[str, Any]) -> GroundView | None:
    """The ground plane that a photo's shown result was measured on; None where it was measured in pixels.

    Args:
        photo: of `photo`.

    Raises:
        CalibrationError: the stored profile is none that this version can read.
    """
    if not photo["ground"] or not photo["gsd_mm_per_px"]:
        return None
    size = photo["width_px"], photo["height_px"]
    if photo["camera_kind"] is not None:
        profile = fit_to_picture(profile_from_dict(photo["camera_kind"], photo["camera_parameters"]), *size)
    else:
        profile = DownwardProfile(*size, gsd_mm_per_px=photo["gsd_mm_per_px"])
    return GroundView(profile, GroundFrame.from_dict(photo["ground"]))
