"""Treatment sets, wishes and plans as rows; who may write them is `app.plan_actions`' business."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import Network, Plan, PlanWish, Section, Survey, TreatmentSet, User
from engine.errors import SettingsError
from engine.plan_inputs import FixedProject, Forbidden
from engine.plan_request import treatments_from_values
from engine.plan_scenarios import OWN_SCENARIO
from engine.treatment_sets import TREATMENT_SETS
from engine.treatments import Treatment
from engine.vocabulary import WishKind


def treatment_sets(session: Session, agency_id: int) -> list[dict[str, Any]]:
    """The ready sets (without an id), then the agency's own by name.

    Returns:
        id, name, version, treatments, ready, updated_at of each.
    """
    ready = [
        {"id": None, "name": name, "version": 0, "treatments": treatments, "ready": True, "updated_at": None}
        for name, treatments in TREATMENT_SETS.items()
    ]
    own = session.scalars(
        select(TreatmentSet).where(TreatmentSet.agency_id == agency_id).order_by(TreatmentSet.name)
    )
    return ready + [
        {
            "id": row.id,
            "name": row.name,
            "version": row.version,
            "treatments": treatments_from_values(row.treatments),
            "ready": False,
            "updated_at": row.updated_at,
        }
        for row in own
    ]


def find_treatments(session: Session, agency_id: int, name: str) -> tuple[Treatment, ...]:
    """A set by its name, the agency's own before a ready one.

    Raises:
        SettingsError: there is none of that name.
    """
    sets = treatment_sets(session, agency_id)
    for one in reversed(sets):
        if one["name"] == name:
            found: tuple[Treatment, ...] = one["treatments"]
            return found
    raise SettingsError(
        f"There is no set of treatments named {name!r}.", f"Use one of: {'; '.join(s['name'] for s in sets)}."
    )


def own_section(session: Session, agency_id: int, section_id: int, *, lock: bool = False) -> Section:
    """A section of the agency; locked until the end of the transaction where asked.

    Raises:
        SettingsError: the agency has no such section.
    """
    found = (
        select(Section)
        .join(Network, Network.id == Section.network_id)
        .where(Section.id == section_id, Network.agency_id == agency_id)
    )
    section = session.scalar(found.with_for_update(of=Section) if lock else found)
    if section is None:
        raise SettingsError(f"There is no section {section_id}.", "Reload the list of sections.")
    return section


def wishes_of(session: Session, network_id: int) -> list[dict[str, Any]]:
    """What people decided about a network's sections, in order of section and kind.

    Returns:
        section_id, section_key, kind, treatment, year, comment, by (a name), at of each.
    """
    rows = session.execute(
        select(
            PlanWish.section_id,
            Section.section_key,
            PlanWish.kind,
            PlanWish.treatment,
            PlanWish.year,
            PlanWish.comment,
            User.name.label("by"),
            PlanWish.created_at.label("at"),
        )
        .join(Section, Section.id == PlanWish.section_id)
        .outerjoin(User, User.id == PlanWish.created_by)
        .where(Section.network_id == network_id)
        .order_by(Section.section_key, PlanWish.kind)
    )
    return [{**row, "kind": WishKind(row["kind"])} for row in rows.mappings()]


def decisions_of(session: Session, network_id: int) -> list[list[Any]]:
    """A network's pins and bans as JSON can hold them: section, kind, treatment and year of each."""
    return [
        [wish["section_key"], str(wish["kind"]), wish["treatment"], wish["year"]]
        for wish in wishes_of(session, network_id)
        if wish["kind"] is not WishKind.COMMENT
    ]


def wishes_for_plan(
    session: Session, network_id: int, first_year: int, years: int, treatments: Sequence[Treatment]
) -> tuple[tuple[FixedProject, ...], tuple[Forbidden, ...], list[str]]:
    """The pins and bans that a plan has to keep; sections by key, years counted from 1.

    Args:
        first_year: calendar year of the plan's first.
        treatments: those of the plan.

    Returns:
        fixed, forbidden, and a note on each wish that the plan cannot take up.
    """
    names = {treatment.name for treatment in treatments}
    last_year = first_year + years - 1
    fixed, forbidden, notes = [], [], []
    for wish in wishes_of(session, network_id):
        if wish["kind"] is WishKind.COMMENT:
            continue
        pin = wish["kind"] is WishKind.PIN
        what = f"The {'pinned' if pin else 'forbidden'} {wish['treatment'] or 'treatment'} on section "
        what += f"{wish['section_key']} is left out"
        year = None if wish["year"] is None else wish["year"] - first_year + 1
        if year is not None and not 1 <= year <= years:
            notes.append(f"{what}: {wish['year']} is outside the plan's years {first_year} to {last_year}.")
        elif wish["treatment"] is not None and wish["treatment"] not in names:
            notes.append(f"{what}: the plan's treatments have none of that name.")
        elif not pin:
            forbidden.append(Forbidden(wish["section_key"], wish["treatment"], year))
        elif year is not None and wish["treatment"] is not None:
            fixed.append(FixedProject(wish["section_key"], wish["treatment"], year))
    return tuple(fixed), tuple(forbidden), notes


def plans_of(session: Session, agency_id: int, survey_id: int) -> list[dict[str, Any]]:
    """A survey's plans, the newest first. Their results, which may be long, are not read.

    Returns:
        id, name, created_at, by, strategy, years, yearly_budget, currency, total_cost, stale (the survey
        shows another analysis now) of each.
    """
    rows = session.execute(
        select(
            Plan.id,
            Plan.name,
            Plan.created_at,
            User.name.label("by"),
            Plan.request,
            Plan.scenarios,
            Plan.checkpoint_id,
            Plan.settings_hash,
            Survey.shown_checkpoint_id,
            Survey.shown_settings_hash,
        )
        .join(Survey, Survey.id == Plan.survey_id)
        .outerjoin(User, User.id == Plan.created_by)
        .where(Plan.agency_id == agency_id, Plan.survey_id == survey_id)
        .order_by(Plan.created_at.desc(), Plan.id.desc())
    )
    return [
        {
            "id": row.id,
            "name": row.name,
            "created_at": row.created_at,
            "by": row.by,
            **{key: row.request.get(key) for key in ("strategy", "years", "yearly_budget", "currency")},
            "total_cost": _own_cost(row.request, row.scenarios),
            "stale": (row.checkpoint_id, row.settings_hash)
            != (row.shown_checkpoint_id, row.shown_settings_hash),
        }
        for row in rows
    ]


def _own_cost(request: Mapping[str, Any], scenarios: Sequence[Mapping[str, Any]]) -> float | None:
    own = OWN_SCENARIO.get(request.get("strategy", ""))
    return next((one["total_cost"] for one in scenarios if one["scenario"] == own), None)


def get_plan(session: Session, agency_id: int, plan_id: int) -> Plan:
    """A plan with all that it says.

    Raises:
        SettingsError: the agency has no such plan: another's is not told apart.
    """
    plan = session.get(Plan, plan_id)
    if plan is None or plan.agency_id != agency_id:
        raise SettingsError(f"There is no plan {plan_id}.", "See the list of plans.")
    return plan


def newest_plan(session: Session, agency_id: int, survey_id: int, name: str | None = None) -> Plan | None:
    """The newest plan made from the analysis that the survey shows now; None where there is none.

    Args:
        name: only plans of that name.
    """
    found = (
        select(Plan)
        .join(Survey, Survey.id == Plan.survey_id)
        .where(
            Plan.agency_id == agency_id,
            Plan.survey_id == survey_id,
            Plan.checkpoint_id == Survey.shown_checkpoint_id,
            Plan.settings_hash == Survey.shown_settings_hash,
        )
        .order_by(Plan.created_at.desc(), Plan.id.desc())
        .limit(1)
    )
    return session.scalar(found if name is None else found.where(Plan.name == name))
