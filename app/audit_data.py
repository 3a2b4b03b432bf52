"""Reads of audits as plain values; no Streamlit here, the command line and the routes use them too."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select

from db.models import AnalysisResult, AuditSample, AuditTile, Checkpoint, Survey, SurveyImage
from db.session import reading
from engine.audit import Box
from engine.vocabulary import AuditAnswer

JUDGED = (AuditAnswer.CRACK, AuditAnswer.NONE)
# What is known of a tile beside its photo; the middle three must not reach a page before the blind answer.
TILE_FACTS = (
    "position",
    "left_px",
    "top_px",
    "width_px",
    "height_px",
    "stratum",
    "stratum_tiles",
    "predicted_px",
    "answer",
    "accepted",
    "missed",
)


@dataclass(frozen=True)
class TilePicture:
    """What the routes need to draw a tile; `mask_hash` is None where no result is stored."""

    content_hash: str
    width_px: int
    height_px: int
    box: Box
    judged: bool
    mask_hash: str | None


def subject(sample_id: int) -> str:
    """How audit events name a sample."""
    return f"audit {sample_id}"


def still_open() -> ColumnElement[bool]:
    """Condition on `AuditTile`: without its blind answer, or judged and not yet compared with the model."""
    return or_(AuditTile.answer.is_(None), and_(AuditTile.answer.in_(JUDGED), AuditTile.accepted.is_(None)))


def samples(
    agency_id: int, survey_id: int | None = None, sample_id: int | None = None
) -> list[dict[str, Any]]:
    """Samples with their progress, the newest first; of one survey, or one sample, where it is given.

    Each has id, survey_id, survey, checkpoint, seed, tile_px, may_train, created_at, signed_name, signed_at,
    record, record_hash, tiles, and done (tiles that wait for nothing).
    """
    statement = (
        select(
            AuditSample.id,
            AuditSample.survey_id,
            Survey.name.label("survey"),
            Checkpoint.name.label("checkpoint"),
            AuditSample.seed,
            AuditSample.tile_px,
            AuditSample.may_train,
            AuditSample.created_at,
            AuditSample.signed_name,
            AuditSample.signed_at,
            AuditSample.record,
            AuditSample.record_hash,
            select(func.count())
            .where(AuditTile.sample_id == AuditSample.id)
            .scalar_subquery()
            .label("tiles"),
            select(func.count())
            .where(AuditTile.sample_id == AuditSample.id, ~still_open())
            .scalar_subquery()
            .label("done"),
        )
        .join(Survey, Survey.id == AuditSample.survey_id)
        .join(Checkpoint, Checkpoint.id == AuditSample.checkpoint_id)
        .where(Survey.agency_id == agency_id)
        .order_by(AuditSample.id.desc())
    )
    if survey_id is not None:
        statement = statement.where(AuditSample.survey_id == survey_id)
    if sample_id is not None:
        statement = statement.where(AuditSample.id == sample_id)
    with reading() as session:
        return [dict(row) for row in session.execute(statement).mappings()]


def tiles(agency_id: int, sample_id: int) -> list[dict[str, Any]]:
    """`TILE_FACTS`, id, image_id, photo (the file's name) and the photo's size of a sample's tiles."""
    with reading() as session:
        rows = session.execute(
            select(
                AuditTile.id,
                AuditTile.image_id,
                SurveyImage.original_name.label("photo"),
                SurveyImage.width_px.label("photo_width_px"),
                SurveyImage.height_px.label("photo_height_px"),
                *(getattr(AuditTile, name) for name in TILE_FACTS),
            )
            .join(SurveyImage, SurveyImage.id == AuditTile.image_id)
            .join(AuditSample, AuditSample.id == AuditTile.sample_id)
            .join(Survey, Survey.id == AuditSample.survey_id)
            .where(AuditTile.sample_id == sample_id, Survey.agency_id == agency_id)
            .order_by(AuditTile.position)
        )
        return [dict(row) for row in rows.mappings()]


def is_open(tile: dict[str, Any]) -> bool:
    """`still_open` of a row of `tiles`."""
    return tile["answer"] is None or (tile["answer"] in JUDGED and tile["accepted"] is None)


def tile_picture(agency_id: int, tile_id: int) -> TilePicture | None:
    """What is stored of an agency's tile; None where it has no such tile."""
    with reading() as session:
        row = session.execute(
            select(
                AuditTile.left_px,
                AuditTile.top_px,
                AuditTile.width_px.label("tile_width_px"),
                AuditTile.height_px.label("tile_height_px"),
                AuditTile.answer,
                SurveyImage.content_hash,
                SurveyImage.width_px,
                SurveyImage.height_px,
                AnalysisResult.mask_hash,
            )
            .join(AuditSample, AuditSample.id == AuditTile.sample_id)
            .join(Survey, Survey.id == AuditSample.survey_id)
            .join(SurveyImage, SurveyImage.id == AuditTile.image_id)
            .outerjoin(
                AnalysisResult,
                and_(
                    AnalysisResult.image_id == AuditTile.image_id,
                    AnalysisResult.checkpoint_id == AuditSample.checkpoint_id,
                    AnalysisResult.settings_hash == AuditSample.settings_hash,
                ),
            )
            .where(AuditTile.id == tile_id, Survey.agency_id == agency_id)
        ).one_or_none()
    if row is None:
        return None
    return TilePicture(
        row.content_hash,
        row.width_px,
        row.height_px,
        Box(row.left_px, row.top_px, row.tile_width_px, row.tile_height_px),
        row.answer in JUDGED,
        row.mask_hash,
    )
