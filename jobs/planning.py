"""The work of a plan: sections, wishes and curves are read, the engine plans, one row is written."""

import hashlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from db import plan_queries, plan_store, queries
from db.base import utc_now
from db.models import Job, Network, Plan
from db.session import reading
from engine.deterioration import LEAST_PAIRS, Deterioration, curves_from_rows, fit_curves, join_curves
from engine.errors import CancelledError, SettingsError
from engine.plan_inputs import FixedProject, PlanSection, PlanSettings
from engine.plan_request import settings_of, treatments_from_values
from engine.plan_scenarios import plan_and_compare
from engine.treatments import Treatment
from jobs.running import RunningJob

BEAT_S = 0.5
STEPS = 100
Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class PlanInputs:
    """All that a plan is made from.

    Attributes:
        names: network and survey; analysis: id of its checkpoint, hash of its settings.
        notes: what had to be assumed or left out.
        read_at: ISO, UTC, when it was read; what was decided later is not in the plan.
    """

    names: dict[str, str]
    analysis: tuple[int, str]
    sections: Sequence[PlanSection]
    treatments: tuple[Treatment, ...]
    settings: PlanSettings
    curves: tuple[Deterioration, ...]
    notes: list[str]
    read_at: str

    @property
    def digest(self) -> str:
        """The same for the same sections, treatments, wishes and curves, as far as the plan goes by them."""
        read = repr((self.analysis, self.sections, self.treatments, self.settings, self.curves))
        return hashlib.sha256(read.encode()).hexdigest()


@dataclass(frozen=True)
class MadePlan:
    """A plan before it is a row; attributes as of `db.models.Plan`."""

    request: dict[str, Any]
    analysis: tuple[int, str]
    result: dict[str, Any]
    scenarios: list[dict[str, Any]]


def make_plan_job(job: RunningJob) -> None:
    """Make the plan that was asked for and save it; its id becomes `made_id` of the job's parameters.

    Nothing is kept before the end, so a restart begins again.

    Raises:
        SettingsError: no plan can be made; says why.
    """
    request = job.parameters
    made = _beating(job, lambda tell: make_plan(job.claimed.agency_id, request, tell))

    def write(session: Session) -> None:
        row = session.get_one(Job, job.claimed.id)
        plan_id = store_plan(session, job.claimed.agency_id, made, job_id=row.id, created_by=row.requested_by)
        row.parameters = {**request, "made_id": plan_id}

    done = f"{len(made.result['projects']):,} projects for {made.result['total_cost']:,.0f} "
    job.save(write, last=True, done=STEPS, total=STEPS, message=done + request["currency"])


def make_plan(
    agency_id: int, request: Mapping[str, Any], progress: Progress = lambda share, what: None
) -> MadePlan:
    """Make a plan; nothing is written.

    Args:
        request: values of an `app.plan_actions.PlanRequest`.
        progress: told the share done (0-1) and what is being done; may raise to stop.

    Raises:
        SettingsError: no plan can be made; says why.
    """
    progress(0.0, "Reading the sections")
    with reading() as session:
        inputs = read_inputs(session, agency_id, request)
    result, scenarios = plan_and_compare(
        inputs.sections,
        inputs.treatments,
        inputs.settings,
        inputs.curves,
        request["strategy"],
        scenarios=request["scenarios"],
        preventive_share=request["preventive_share"],
        target_percent=request["target_percent"],
        draws=request["draws"],
        progress=progress,
    )
    result |= inputs.names
    result |= {name: request[name] for name in ("currency", "yearly_budget", "years", "first_year")}
    result |= {"read_at": inputs.read_at, "inputs_digest": inputs.digest}
    result["treatments"] = [treatment.name for treatment in inputs.treatments]
    result["notes"] = [*result["notes"], *inputs.notes]
    return MadePlan(dict(request), inputs.analysis, result, scenarios)


def read_inputs(session: Session, agency_id: int, request: Mapping[str, Any]) -> PlanInputs:
    """Sections, wishes and curves of the survey's shown analysis.

    Raises:
        SettingsError: the survey is gone, runs over no network, or has no results in metres.
    """
    read_at = utc_now().isoformat()
    survey = queries.get_survey(session, agency_id, request["survey_id"])
    if survey.network_id is None or survey.shown_checkpoint_id is None or survey.shown_settings_hash is None:
        raise SettingsError(
            f"Survey {survey.name!r} is not analysed over a network.", "Analyse it, then plan again."
        )
    network = session.get_one(Network, survey.network_id)
    sections, notes = plan_queries.read_plan_sections(session, survey.id)
    treatments = treatments_from_values(request["treatments"])
    fixed, forbidden, left_out = plan_store.wishes_for_plan(
        session, network.id, request["first_year"], request["years"], treatments
    )
    kept, blind = _pins_on_surveyed(fixed, sections)
    repeated = plan_queries.repeated_surveys(session, survey.id)
    fitted = fit_curves(repeated)
    own = curves_from_rows(request.get("curves", ()))
    if repeated:
        notes.append(
            f"Deterioration: the network's surveys give {len(repeated)} pairs of a section surveyed twice. "
            f"Curves are fitted where {LEAST_PAIRS} sections of a class and surface show that they age "
            f"({len(fitted)} fitted); the others are your agency's own or assumed."
        )
    return PlanInputs(
        names={"network": network.name, "survey": survey.name},
        analysis=(survey.shown_checkpoint_id, survey.shown_settings_hash),
        sections=sections,
        treatments=treatments,
        settings=settings_of(request, kept, forbidden),
        curves=join_curves(fitted, own),
        notes=[*notes, *left_out, *blind],
        read_at=read_at,
    )


def _pins_on_surveyed(
    fixed: Sequence[FixedProject], sections: Sequence[PlanSection]
) -> tuple[list[FixedProject], list[str]]:
    """Pins that can be planned, and a note on each of a section that the survey gave no index."""
    surveyed = {section.id for section in sections if section.condition_index is not None}
    kept = [project for project in fixed if project.section_id in surveyed]
    notes = [
        f"The pinned {project.treatment} on section {project.section_id} is left out: the survey gave the "
        "section no condition index."
        for project in fixed
        if project.section_id not in surveyed
    ]
    return kept, notes


def same_plan(session: Session, agency_id: int, request: Mapping[str, Any]) -> Plan | None:
    """The newest saved plan of the request's name, where it asked for the same and was made of the same."""
    saved = plan_store.newest_plan(session, agency_id, request["survey_id"], request["name"])
    if saved is None or saved.request != json.loads(json.dumps(request)):
        return None
    inputs = read_inputs(session, agency_id, request)
    return saved if saved.result.get("inputs_digest") == inputs.digest else None


def store_plan(
    session: Session, agency_id: int, made: MadePlan, *, job_id: int | None, created_by: int | None
) -> int:
    """Save a plan; returns its id.

    Raises:
        SettingsError: the survey was deleted meanwhile.
    """
    survey = queries.get_survey(session, agency_id, made.request["survey_id"])
    plan = Plan(
        agency_id=agency_id,
        survey_id=survey.id,
        checkpoint_id=made.analysis[0],
        settings_hash=made.analysis[1],
        name=made.request["name"],
        request=made.request,
        result=made.result,
        scenarios=made.scenarios,
        job_id=job_id,
        created_by=created_by,
    )
    session.add(plan)
    session.flush()
    return plan.id


def _beating(job: RunningJob, work: Callable[[Progress], MadePlan]) -> MadePlan:
    """The engine's work beside the heartbeat, which its long steps would starve.

    A solver that runs cannot be interrupted: after a cancel its thread goes on, unheard, to the end of its
    step, at most the search's time limit (a minute), on a core that other work may want.
    """
    stopped = threading.Event()
    said = (0.0, "Reading the sections")

    def tell(share: float, what: str) -> None:
        nonlocal said
        said = share, what
        if stopped.is_set():
            raise CancelledError

    pool = ThreadPoolExecutor(1)
    try:
        running: Future[MadePlan] = pool.submit(work, tell)
        while not wait_for([running], BEAT_S).done:
            job.beat(done=round(said[0] * STEPS), total=STEPS, message=said[1])
        return running.result()
    finally:
        # A cancelled job does not wait for the end of what nobody wants.
        stopped.set()
        pool.shutdown(wait=False, cancel_futures=True)
