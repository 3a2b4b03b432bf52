"""What a person does about plans, for the pages and the command line alike: wishes, treatments, plans.

As in `app.actions`: each checks the role, writes in one transaction with its audit event, then sends its job.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.actions import Actor, clean_name, record_event, request_job, require
from db import plan_store, queries
from db.base import utc_now
from db.models import PlanWish, TreatmentSet
from db.session import transaction
from engine.deterioration import curves_from_rows, rows_from_curves
from engine.errors import SettingsError
from engine.plan_request import ALL_CLASSES, check_request, treatments_to_values
from engine.treatment_sets import TREATMENT_SETS
from engine.treatments import Treatment, check_treatments
from engine.vocabulary import JobKind, Role, WishKind
from jobs import queue

READY_SET = "US city averages"
EARLIEST_YEAR, LATEST_YEAR = 1950, 2200
LONGEST_COMMENT = 2000


def next_year() -> int:
    """The calendar year after this one, in which a plan made now begins."""
    return datetime.now(UTC).year + 1


@dataclass(frozen=True)
class PlanRequest:
    """What is asked for when a plan is made.

    Attributes:
        survey_id: the plan goes by its shown analysis.
        name: of the plan; empty: made of years and money.
        years: 1 to 30; first_year: calendar year of the first.
        yearly_budget: money a year; None: no limit.
        carry_over: what a year leaves may be spent later.
        treatment_set: name of the set, or of the file that `treatments` are from; given ones win over it.
        curves: rows of `engine.deterioration.curves_from_rows` that hold in place of the assumed ones.
        strategy: optimal, worst-first or nothing.
        preventive_share: also compare with a plan that keeps this part of the money (0-1) for prevention.
        target_percent: also find the least budget that keeps so much of the length good or fair in the last
            year, 0-100.
        minimum_index: class of road (None: all roads) -> average condition index to keep in every year.
        currency: of all money, 1 to 10 letters.
        traffic_exponent: weight of traffic in benefits, 0 (none) to 1 (by vehicles).
        scenarios: also make the plans to compare with.
        draws: of the surveyed condition, to say how often each project stays; 0: none.
    """

    survey_id: int
    name: str = ""
    years: int = 5
    first_year: int = field(default_factory=next_year)
    yearly_budget: float | None = None
    carry_over: bool = True
    treatment_set: str = READY_SET
    treatments: tuple[Treatment, ...] | None = None
    curves: tuple[Mapping[str, Any], ...] = ()
    strategy: str = "optimal"
    preventive_share: float | None = None
    target_percent: float | None = None
    minimum_index: Mapping[str | None, float] = field(default_factory=dict)
    currency: str = "USD"
    traffic_exponent: float = 1.0
    scenarios: bool = True
    draws: int = 200


def request_values(session: Session, actor: Actor, request: PlanRequest) -> dict[str, Any]:
    """A request as plain values, its treatments written out and its numbers checked.

    Raises:
        SettingsError: no such survey or set, a survey that is not ready, or a number that is not possible;
            names the row and the column of a table.
    """
    survey = queries.get_survey(session, actor.agency_id, request.survey_id)
    if survey.network_id is None:
        raise SettingsError(
            f"Survey {survey.name!r} runs over no network.", "Plan from a survey of a road network."
        )
    if survey.shown_checkpoint_id is None:
        raise SettingsError(f"Survey {survey.name!r} is not analysed.", "Analyse it first.")
    treatments = request.treatments
    if treatments is None:
        treatments = plan_store.find_treatments(session, actor.agency_id, request.treatment_set)
    minimum = {name or ALL_CLASSES: value for name, value in request.minimum_index.items()}
    values = {
        **asdict(request),
        "treatments": treatments_to_values(treatments),
        "curves": rows_from_curves(curves_from_rows(request.curves)),
        "minimum_index": minimum,
        "currency": request.currency.strip(),
    }
    check_request(values)
    return values | {"name": clean_name(request.name, "plan") if request.name.strip() else _name_of(request)}


def _name_of(request: PlanRequest) -> str:
    last_year = request.first_year + request.years - 1
    years = str(last_year) if request.years == 1 else f"{request.first_year} to {last_year}"
    budget = request.yearly_budget
    money = "no limit" if budget is None else f"{budget:,.0f} {request.currency.strip()} a year"
    how = "" if request.strategy == "optimal" else f", {request.strategy}"
    return f"{years}, {money}{how}"


def request_plan(actor: Actor, request: PlanRequest) -> int:
    """Queue the making of a plan; returns the id of the job, the same one for what already waits or runs.

    After a new pin or ban the same request is another job: one that runs has read the old ones.

    When it is done, `made_id` among the job's parameters is the plan.

    Raises:
        SettingsError: as `request_values`; nothing was queued.
    """
    require(actor, Role.ENGINEER, "make a plan")
    with transaction() as session:
        parameters = request_values(session, actor, request)
        network_id = queries.get_survey(session, actor.agency_id, request.survey_id).network_id
        decided = [] if network_id is None else plan_store.decisions_of(session, network_id)
        asked = hashlib.sha256(json.dumps([parameters, decided], sort_keys=True).encode()).hexdigest()
        key = f"plan:{request.survey_id}:{asked}"
        job_id = request_job(session, actor, JobKind.MAKE_PLAN, key, parameters, request.survey_id)
    queue.send(job_id, JobKind.MAKE_PLAN)
    return job_id


def delete_plan(actor: Actor, plan_id: int) -> None:
    """Delete a plan; files that were exported from it stay.

    Raises:
        SettingsError: the agency has no such plan.
    """
    require(actor, Role.ENGINEER, "delete a plan")
    with transaction() as session:
        plan = plan_store.get_plan(session, actor.agency_id, plan_id)
        record_event(session, actor, "plan.delete", plan.name, plan=plan.id, survey=plan.survey_id)
        session.delete(plan)


def save_treatments(actor: Actor, name: str, treatments: Sequence[Treatment], version: int | None) -> int:
    """Save a set of the agency's own.

    Args:
        treatments: checked; costs may still be missing.
        version: that the person saw; None: a new set.

    Returns:
        The set's new version.

    Raises:
        SettingsError: a treatment makes no sense, the name is taken, or somebody else saved meanwhile.
    """
    require(actor, Role.ENGINEER, "change treatments")
    name = clean_name(name, "set of treatments")
    if name in TREATMENT_SETS:
        raise SettingsError(f"{name!r} is a ready set, which stays as it is.", "Choose another name.")
    check_treatments(treatments)
    rows = treatments_to_values(treatments)
    taken = SettingsError(f"There is a set named {name!r} already.", "Choose another name.")
    own = (TreatmentSet.agency_id == actor.agency_id, TreatmentSet.name == name)
    try:
        with transaction() as session:
            if version is None:
                if session.scalar(select(TreatmentSet.id).where(*own)) is not None:
                    raise taken
                session.add(
                    TreatmentSet(
                        agency_id=actor.agency_id, name=name, treatments=rows, updated_by=actor.user_id
                    )
                )
                saved: int | None = 1
            else:
                saved = session.scalar(
                    update(TreatmentSet)
                    .where(*own, TreatmentSet.version == version)
                    .values(
                        treatments=rows,
                        version=version + 1,
                        updated_by=actor.user_id,
                        updated_at=utc_now(),
                    )
                    .returning(TreatmentSet.version)
                    .execution_options(synchronize_session=False)
                )
            if saved is None:
                raise SettingsError(
                    f"Somebody else saved or deleted {name!r} since you opened it. Nothing was saved.",
                    "Export your table or save it under another name, then look at theirs.",
                )
            record_event(session, actor, "treatments.save", name, version=saved, treatments=len(rows))
    except IntegrityError as problem:  # made by somebody else at this moment
        raise taken from problem
    return saved


def delete_treatments(actor: Actor, name: str) -> None:
    """Delete a set of the agency's own; plans keep the treatments that they were made with.

    Raises:
        SettingsError: the agency has no set of that name.
    """
    require(actor, Role.ENGINEER, "delete treatments")
    with transaction() as session:
        row = session.scalar(
            select(TreatmentSet).where(TreatmentSet.agency_id == actor.agency_id, TreatmentSet.name == name)
        )
        if row is None:
            raise SettingsError(f"Your agency has no set of treatments named {name!r}.", "See the list.")
        record_event(session, actor, "treatments.delete", name, version=row.version)
        session.delete(row)


def set_wish(
    actor: Actor,
    section_id: int,
    kind: WishKind | str,
    *,
    treatment: str | None = None,
    year: int | None = None,
    comment: str = "",
) -> None:
    """Pin a project on a section, forbid one, or comment on it; replaces the section's wish of that kind.

    Args:
        treatment: needed for a pin; for a ban None is any.
        year: calendar year, needed for a pin; for a ban None is any.
        comment: why; needed for a comment.

    Raises:
        SettingsError: no such section, something is missing, or a pin and a ban contradict each other.
    """
    kind = WishKind(kind)
    require(actor, Role.SURVEYOR if kind is WishKind.COMMENT else Role.ENGINEER, _DOES[kind])
    comment = "".join(c for c in comment if c.isprintable() or c == "\n").strip()
    if kind is WishKind.COMMENT:
        treatment = year = None
    _check_wish(kind, treatment, year, comment)
    with transaction() as session:
        # Locked, so that two people cannot pin and forbid the same at once.
        section = plan_store.own_section(session, actor.agency_id, section_id, lock=True)
        rows = session.scalars(select(PlanWish).where(PlanWish.section_id == section.id)).all()
        found = {WishKind(row.kind): row for row in rows}
        other = found.get(WishKind.FORBID if kind is WishKind.PIN else WishKind.PIN)
        if kind is not WishKind.COMMENT and other is not None:
            _require_agreement(section.section_key, kind, treatment, year, other)
        row = found.get(kind)
        if row is None:
            row = PlanWish(section_id=section.id, kind=kind)
            session.add(row)
        row.treatment, row.year, row.comment = treatment, year, comment
        row.created_by, row.created_at = actor.user_id, utc_now()
        detail = {"section_id": section.id, "treatment": treatment, "year": year, "comment": comment}
        record_event(session, actor, f"plan.{kind}", section.section_key, **detail)


_DOES = {
    WishKind.PIN: "pin a project",
    WishKind.FORBID: "forbid a project",
    WishKind.COMMENT: "comment on a section",
}


def _check_wish(kind: WishKind, treatment: str | None, year: int | None, comment: str) -> None:
    if kind is WishKind.PIN and (treatment is None or year is None):
        raise SettingsError("A pinned project needs a treatment and a year.", "Choose both.")
    if kind is WishKind.COMMENT and not comment:
        raise SettingsError("The comment is empty.", "Write something, or remove it.")
    if len(comment) > LONGEST_COMMENT:
        raise SettingsError(
            f"The comment has {len(comment):,} characters.", f"Shorten it to {LONGEST_COMMENT:,}."
        )
    if year is not None and not EARLIEST_YEAR <= year <= LATEST_YEAR:
        raise SettingsError(f"The year {year} is not possible.", f"Enter {EARLIEST_YEAR} to {LATEST_YEAR}.")
    if treatment is not None and not 1 <= len(treatment) <= 100:
        raise SettingsError("The treatment's name is empty or too long.", "Choose one of the set.")


def _require_agreement(
    section_key: str, kind: WishKind, treatment: str | None, year: int | None, other: PlanWish
) -> None:
    """A pin within what is forbidden is a contradiction, whichever came first."""
    pin = (treatment, year) if kind is WishKind.PIN else (other.treatment, other.year)
    ban = (other.treatment, other.year) if kind is WishKind.PIN else (treatment, year)
    if all(banned in (None, pinned) for pinned, banned in zip(pin, ban, strict=True)):
        there = "forbidden" if kind is WishKind.PIN else "pinned"
        raise SettingsError(
            f"{pin[0]} in {pin[1]} is {there} on section {section_key}.", f"Remove what is {there} first."
        )


def remove_wish(actor: Actor, section_id: int, kind: WishKind | str) -> None:
    """Take a section's pin, ban or comment away; nothing happens where there is none.

    Raises:
        SettingsError: the agency has no such section.
    """
    kind = WishKind(kind)
    require(actor, Role.SURVEYOR if kind is WishKind.COMMENT else Role.ENGINEER, _DOES[kind])
    with transaction() as session:
        section = plan_store.own_section(session, actor.agency_id, section_id, lock=True)
        row = session.scalar(select(PlanWish).where(PlanWish.section_id == section.id, PlanWish.kind == kind))
        if row is None:
            return
        detail = {"treatment": row.treatment, "year": row.year, "comment": row.comment}
        record_event(
            session, actor, f"plan.remove_{kind}", section.section_key, section_id=section.id, **detail
        )
        session.delete(row)
