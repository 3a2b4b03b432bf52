"""The job that makes a plan: progress, wishes, cancel, kill and resume, on both databases."""

import json
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update

from app import actions, checkpoint_actions, plan_actions
from app.plan_actions import PlanRequest
from db import jobs as job_rows
from db import plan_queries, plan_store
from db.jobs import claim_job
from db.models import Checkpoint, Job, Network, Plan, SectionResult, Survey
from db.session import database_now, reading, transaction
from engine.errors import SettingsError
from engine.plan_scenarios import plan_and_compare
from engine.vocabulary import JobState, WishKind
from jobs import planning
from jobs.pipeline import WORK_OF
from jobs.running import RunningJob, run_job
from tests.integration.workers import wait_for, worker
from tests.unit.web.measured import UNSURVEYED, Measured, fill_measured

both = pytest.mark.usefixtures("database")
one = pytest.mark.usefixtures("sqlite_database")


def ask(measured: Measured, **how: Any) -> int:
    asked = {"yearly_budget": 80_000.0, "years": 3, "first_year": 2030, "draws": 20} | how
    return plan_actions.request_plan(actions.local_actor(), PlanRequest(measured.survey, **asked))


def job_of(job_id: int) -> Job:
    with reading() as session:
        return session.get_one(Job, job_id)


def plans() -> int:
    with reading() as session:
        return session.scalar(select(func.count()).select_from(Plan)) or 0


@both
def test_a_plan_is_made_stored_and_found() -> None:
    measured, actor = fill_measured(), actions.local_actor()
    job_id = ask(measured, name="Council", target_percent=60.0, preventive_share=0.5)
    run_job(job_id, WORK_OF)
    job = job_of(job_id)
    assert job.state == JobState.SUCCEEDED, job.error
    assert "projects for" in job.progress_message and job.progress_done == job.progress_total == 100
    with reading() as session:
        plan = plan_store.get_plan(session, actor.agency_id, job.parameters["made_id"])
        (listed,) = plan_store.plans_of(session, actor.agency_id, measured.survey)
        newest = plan_store.newest_plan(session, actor.agency_id, measured.survey)
        with pytest.raises(SettingsError, match="no plan"):
            plan_store.get_plan(session, actor.agency_id + 1, plan.id)
    assert newest is not None and newest.id == plan.id and plan.job_id == job_id
    result = plan.result
    assert {"network", "survey", "currency", "treatments", "notes", "projects"} <= result.keys()
    assert result["projects"] and all(project["reason"] for project in result["projects"])
    assert {project["year"] for project in result["projects"]} <= {2030, 2031, 2032}
    names = [scenario["scenario"] for scenario in plan.scenarios]
    assert names == ["nothing", "worst-first", "budget", "preventive", "target"]
    budget = plan.scenarios[2]
    assert budget["objective"] == pytest.approx(result["objective"])
    assert "projects" not in budget or isinstance(budget["projects"], int)
    assert (listed["name"], listed["by"], listed["stale"]) == ("Council", "Local engineer", False)
    assert listed["total_cost"] == pytest.approx(result["total_cost"])
    json.dumps([plan.request, plan.result, plan.scenarios], allow_nan=False)
    with transaction() as session:
        session.execute(
            update(Survey).where(Survey.id == measured.survey).values(shown_settings_hash="0" * 64)
        )
    with reading() as session:
        assert plan_store.plans_of(session, actor.agency_id, measured.survey)[0]["stale"]
        assert plan_store.newest_plan(session, actor.agency_id, measured.survey) is None


@both
def test_pins_and_bans_are_kept_and_what_cannot_be_is_noted() -> None:
    measured, actor = fill_measured(), actions.local_actor()
    key = measured.sections
    plan_actions.set_wish(actor, key["R1-1"], WishKind.PIN, treatment="Slurry seal", year=2031)
    plan_actions.set_wish(actor, key["R2-2"], WishKind.FORBID)
    plan_actions.set_wish(actor, key[UNSURVEYED], WishKind.PIN, treatment="Slurry seal", year=2031)
    job_id = ask(measured, yearly_budget=None)
    run_job(job_id, WORK_OF)
    with reading() as session:
        result = session.get_one(Plan, job_of(job_id).parameters["made_id"]).result
    done = {(one, p["treatment"], p["year"]) for p in result["projects"] for one in p["section_ids"]}
    assert ("R1-1", "Slurry seal", 2031) in done
    assert "R2-2" not in {one for one, _, _ in done}
    assert any(f"on section {UNSURVEYED} is left out" in note for note in result["notes"])


@both
def test_a_ban_made_while_a_plan_is_made_asks_for_another_plan() -> None:
    measured, actor = fill_measured(), actions.local_actor()
    first = ask(measured, scenarios=False)
    assert ask(measured, scenarios=False) == first
    plan_actions.set_wish(actor, measured.sections["R1-2"], WishKind.COMMENT, comment="nothing decided")
    assert ask(measured, scenarios=False) == first
    plan_actions.set_wish(actor, measured.sections["R2-2"], WishKind.FORBID)
    again = ask(measured, scenarios=False)
    assert again != first
    for job_id in (first, again):
        run_job(job_id, WORK_OF)
    assert plans() == 2
    with reading() as session:
        result = session.get_one(Plan, job_of(again).parameters["made_id"]).result
        wishes = plan_store.wishes_of(session, measured.network)
    read_at = datetime.fromisoformat(result["read_at"])
    assert all(wish["at"] < read_at for wish in wishes)


@both
def test_an_agencys_curves_and_the_surveys_age_are_in_the_plan() -> None:
    measured = fill_measured()
    rows = ({"functional_class": None, "surface": None, "life_years": "9", "over_fitted": "yes"},)
    results = []
    for curves in ((), rows):
        job_id = ask(measured, scenarios=False, curves=curves)
        run_job(job_id, WORK_OF)
        with reading() as session:
            plan = session.get_one(Plan, job_of(job_id).parameters["made_id"])
            results.append(plan.result)
    slow, fast = results
    assert {curve["source"] for curve in fast["curves"]} == {"agency"}
    assert plan.request["curves"][0]["life_years"] == 9
    assert fast["without_plan"][-1]["average"] < slow["without_plan"][-1]["average"]
    for result in results:
        assert result["condition_now"]["average"] < result["condition_surveyed"]["average"] - 1
        assert any("is aged along the curves to 1 January 2030" in note for note in result["notes"])
    with pytest.raises(SettingsError, match=r"Row 1 .* life_years is never"):
        ask(measured, curves=({"life_years": "never"},))


@both
def test_doing_nothing_counts_what_is_pinned_and_has_no_budget() -> None:
    measured, actor = fill_measured(), actions.local_actor()
    plan_actions.set_wish(actor, measured.sections["R1-1"], WishKind.PIN, treatment="Slurry seal", year=2031)
    job_id = ask(measured)
    run_job(job_id, WORK_OF)
    with reading() as session:
        scenarios = session.get_one(Plan, job_of(job_id).parameters["made_id"]).scenarios
    nothing = next(one for one in scenarios if one["scenario"] == "nothing")
    assert (nothing["pinned"], nothing["projects"], nothing["yearly_budget"]) == (1, 1, None)
    assert nothing["total_cost"] > 0
    assert {one["yearly_budget"] for one in scenarios if one is not nothing} == {80_000.0}


@both
def test_what_no_plan_can_be_made_of_fails_in_plain_words() -> None:
    measured = fill_measured()
    job_id = ask(measured)
    with transaction() as session:
        session.execute(update(SectionResult).values(condition_index=None))
    run_job(job_id, WORK_OF)
    job = job_of(job_id)
    assert job.state == JobState.FAILED and "no results in metres" in str(job.error)
    assert plans() == 0


def slow(seconds: float, began: threading.Event) -> Callable[..., Any]:
    """`plan_and_compare`, after some seconds within the engine that tell nothing."""
    real = plan_and_compare

    def work(*args: Any, **how: Any) -> Any:
        began.set()
        time.sleep(seconds)
        return real(*args, **how)

    return work


@one
def test_a_cancel_takes_effect_within_seconds_and_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    measured, began = fill_measured(), threading.Event()
    monkeypatch.setattr(planning, "plan_and_compare", slow(8.0, began))
    job_id = ask(measured)
    running = threading.Thread(target=run_job, args=(job_id, WORK_OF))
    running.start()
    assert began.wait(10)
    asked = time.monotonic()
    assert actions.cancel_job(actions.local_actor(), job_id)
    running.join(10)
    assert time.monotonic() - asked < 5
    assert job_of(job_id).state == JobState.CANCELLED
    assert plans() == 0


@both
def test_a_worker_that_was_overtaken_writes_no_second_plan() -> None:
    measured = fill_measured()
    job_id = ask(measured)
    with transaction() as session:
        lost = claim_job(session, job_id, 60)
    assert lost is not None
    with transaction() as session:  # as after a kill: the lease runs out and another worker begins again
        session.execute(update(Job).where(Job.id == job_id).values(lease_until=database_now(-1)))
    run_job(job_id, WORK_OF)
    assert job_of(job_id).state == JobState.SUCCEEDED and plans() == 1
    with pytest.raises(job_rows.LostJobError):
        planning.make_plan_job(RunningJob(lost))
    assert plans() == 1


@both
def test_plans_go_with_their_survey_and_hold_their_checkpoint() -> None:
    measured, actor = fill_measured(), actions.local_actor()
    first, second = ask(measured, scenarios=False), ask(measured, yearly_budget=0.0, scenarios=False)
    for job_id in (first, second):
        run_job(job_id, WORK_OF)
    plan_actions.delete_plan(actor, job_of(second).parameters["made_id"])
    with pytest.raises(SettingsError, match="no plan"):
        plan_actions.delete_plan(actor, job_of(second).parameters["made_id"])
    assert plans() == 1
    with transaction() as session:  # results and survey's choice gone, the plan still names it
        own = session.get_one(Checkpoint, measured.checkpoint)
        own.agency_id = actor.agency_id
        session.execute(update(Survey).values(shown_checkpoint_id=None, shown_settings_hash=None))
    with pytest.raises(SettingsError, match=r"cannot be deleted: .*1 plan was made from its results"):
        checkpoint_actions.delete_checkpoint(actor, measured.checkpoint)
    with transaction() as session:
        session.execute(delete(Survey).where(Survey.network_id == measured.network))
    assert plans() == 0
    plan_actions.set_wish(actor, measured.sections["R1-1"], WishKind.COMMENT, comment="kept?")
    with transaction() as session:
        session.execute(delete(Network).where(Network.id == measured.network))
    checkpoint_actions.delete_checkpoint(actor, measured.checkpoint)


@both
def test_curves_are_fitted_from_comparable_surveys_only() -> None:
    measured = fill_measured()
    with reading() as session:
        pairs = plan_queries.repeated_surveys(session, measured.survey)
    assert len(pairs) == 5 and all(0.9 < pair.years < 1.1 for pair in pairs)
    with transaction() as session:
        session.execute(
            update(Survey)
            .where(Survey.id == measured.earlier)
            .values(shown_checkpoint_id=measured.other_checkpoint)
        )
    with reading() as session:
        assert plan_queries.repeated_surveys(session, measured.survey) == []


@pytest.mark.timeout(300)
def test_a_killed_plan_begins_again_and_is_written_once(place: str, tmp_path: Path) -> None:
    measured = fill_measured()
    job_id = ask(measured, years=20, scenarios=False)
    with worker(tmp_path / "worker.log") as running:
        wait_for(lambda: job_of(job_id).progress_message != "", 60, "the plan's first progress")
        assert job_of(job_id).state == JobState.RUNNING, "it was over before the kill"
        running.kill_child()
        wait_for(lambda: job_of(job_id).state == JobState.SUCCEEDED, 200, "the end of the plan")
    assert job_of(job_id).attempt == 2
    assert plans() == 1
