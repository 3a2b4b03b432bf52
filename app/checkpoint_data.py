"""What the pages read of checkpoints, as plain values and data frames; small enough to be read each time."""

from typing import Any

from sqlalchemy import select

from app import checkpoint_actions
from app.identity import current_actor
from db import checkpoint_queries
from db.models import Section, Survey, SurveyImage
from db.session import reading


def registry() -> list[dict[str, Any]]:
    """`db.checkpoint_queries.list_checkpoints` of the agency, each with `in_force`; that one comes first."""
    actor = current_actor()
    current, _ = checkpoint_actions.in_force(actor)
    with reading() as session:
        rows = checkpoint_queries.list_checkpoints(session, actor.agency_id)
    found = [{**row, "in_force": row["id"] == current} for row in rows]
    return sorted(found, key=lambda row: not row["in_force"])


def before_rollback() -> str | None:
    """Name of what a roll-back would put in force; None where nothing was promoted."""
    actor = current_actor()
    with reading() as session:
        if checkpoint_queries.newest_promotion(session, actor.agency_id) is None:
            return None
        earlier = checkpoint_queries.newest_promotion(session, actor.agency_id, before=1)
        if earlier is None:
            return "the shipped base"
        return checkpoint_queries.get_checkpoint(session, actor.agency_id, earlier.checkpoint_id).name


def comparisons() -> list[dict[str, Any]]:
    """`db.checkpoint_queries.list_comparisons` of the agency."""
    with reading() as session:
        return checkpoint_queries.list_comparisons(session, current_actor().agency_id)


def compared_photos(pictures: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A comparison's pictures in their order, each with the photo's name, size, road and chainage.

    Those whose photo is gone are left out.
    """
    wanted = [picture["image_id"] for picture in pictures]
    statement = (
        select(
            SurveyImage.id,
            SurveyImage.original_name,
            SurveyImage.width_px,
            SurveyImage.height_px,
            SurveyImage.chainage_m,
            Section.road,
        )
        .join(Survey, Survey.id == SurveyImage.survey_id)
        .outerjoin(Section, Section.id == SurveyImage.section_id)
        .where(SurveyImage.id.in_(wanted), Survey.agency_id == current_actor().agency_id)
    )
    with reading() as session:
        photos = {row["id"]: dict(row) for row in session.execute(statement).mappings()}
    return [
        {**picture, **photos[picture["image_id"]]} for picture in pictures if picture["image_id"] in photos
    ]
