"""Plans that nobody named and newer ones have replaced: the last few stay, so that lists stay short."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from app import plan_actions
from app.actions import Actor
from app.plan_actions import PlanRequest
from db.models import ExportedFile, Plan
from db.session import reading
from engine.errors import SettingsError

KEPT_UNNAMED = 20
_NAMED_BY = ("years", "first_year", "yearly_budget", "currency", "strategy")


def prune_unnamed(actor: Actor, survey_id: int, *, shown_id: int | None = None) -> int:
    """Delete a person's plans of a survey that have no name of their own and `KEPT_UNNAMED` newer ones.

    Those that a file was exported from stay, and so does the shown one.

    Returns:
        How many were deleted.

    Raises:
        SettingsError: the role may not delete plans.
    """
    with reading() as session:
        exported = select(ExportedFile.plan_id).where(ExportedFile.plan_id.is_not(None))
        rows = session.execute(
            select(Plan.id, Plan.name, Plan.request, Plan.id.in_(exported).label("exported"))
            .where(
                Plan.agency_id == actor.agency_id,
                Plan.survey_id == survey_id,
                Plan.created_by == actor.user_id,
            )
            .order_by(Plan.created_at.desc(), Plan.id.desc())
        ).all()
    unnamed = [row for row in rows if row.name == own_name(row.request)]
    deleted = 0
    for row in unnamed[KEPT_UNNAMED:]:
        if row.exported or row.id == shown_id:
            continue
        try:
            plan_actions.delete_plan(actor, row.id)
        except SettingsError:
            with reading() as session:
                if session.get(Plan, row.id) is not None:
                    raise
        else:
            deleted += 1
    return deleted


def own_name(request: Mapping[str, Any]) -> str:
    """The name that a plan gets where nobody names it."""
    asked = {name: request[name] for name in _NAMED_BY}
    return plan_actions._name_of(PlanRequest(survey_id=0, **asked))
