"""Wishes, treatment sets and requests on both databases: who may, what is kept, what is refused."""

import pytest
from sqlalchemy import select

from app import actions, plan_actions
from app.actions import Actor, PermissionDeniedError
from app.plan_actions import PlanRequest
from db import plan_store
from db.models import Agency, AuditEvent, Job, Survey
from db.session import reading, transaction
from engine.errors import SettingsError
from engine.plan_inputs import FixedProject, Forbidden
from engine.plan_request import treatments_from_values
from engine.treatment_sets import BLANK_METRIC, US_CITY_AVERAGES
from engine.vocabulary import JobKind, Role, WishKind
from tests.unit.web.measured import Measured, fill_measured

both = pytest.mark.usefixtures("database")
one = pytest.mark.usefixtures("sqlite_database")


def events(action: str) -> list[AuditEvent]:
    with reading() as session:
        return list(session.scalars(select(AuditEvent).where(AuditEvent.action == action)))


def stranger() -> Actor:
    user_id = actions.local_actor().user_id
    with transaction() as session:
        agency = Agency(name="Elsewhere")
        session.add(agency)
        session.flush()
        return Actor(user_id, agency.id, Role.ENGINEER)


@both
def test_sets_are_saved_found_and_not_overwritten_by_two() -> None:
    actor = actions.local_actor()
    assert plan_actions.save_treatments(actor, "Ours", US_CITY_AVERAGES[:3], None) == 1
    with pytest.raises(SettingsError, match="There is a set named 'Ours' already"):
        plan_actions.save_treatments(actor, "Ours", US_CITY_AVERAGES, None)
    assert plan_actions.save_treatments(actor, "Ours", BLANK_METRIC[:2], 1) == 2
    with pytest.raises(SettingsError, match=r"Somebody else saved .* Nothing was saved"):
        plan_actions.save_treatments(actor, "Ours", US_CITY_AVERAGES, 1)
    with reading() as session:
        sets = plan_store.treatment_sets(session, actor.agency_id)
        assert [(one["name"], one["ready"], one["version"]) for one in sets] == [
            ("US city averages", True, 0), ("Metric, without costs", True, 0), ("Ours", False, 2),
        ]  # fmt: skip
        assert plan_store.find_treatments(session, actor.agency_id, "Ours") == BLANK_METRIC[:2]
        assert plan_store.find_treatments(session, actor.agency_id, "US city averages") == US_CITY_AVERAGES
        with pytest.raises(SettingsError, match="no set of treatments named 'Ours'"):
            plan_store.find_treatments(session, actor.agency_id + 1, "Ours")
    with pytest.raises(SettingsError, match="no set of treatments named 'Ours'"):
        plan_actions.delete_treatments(stranger(), "Ours")
    plan_actions.delete_treatments(actor, "Ours")
    assert [event.detail["version"] for event in events("treatments.save")] == [1, 2]
    assert len(events("treatments.delete")) == 1


@both
def test_wishes_are_kept_with_who_and_when_and_reach_the_plan() -> None:
    actor, measured = actions.local_actor(), fill_measured()
    key, set_wish = measured.sections, plan_actions.set_wish
    set_wish(actor, key["R1-2"], WishKind.PIN, treatment="Crack seal", year=2027, comment="before the fair")
    set_wish(actor, key["R1-2"], WishKind.PIN, treatment="Cape seal", year=2028)
    set_wish(actor, key["R1-2"], "comment", comment="=drainage first")
    set_wish(actor, key["R2-1"], WishKind.FORBID)
    set_wish(actor, key["R2-2"], WishKind.FORBID, treatment="Old paint")
    set_wish(actor, key["R1-1"], WishKind.PIN, treatment="Crack seal", year=2040)
    with reading() as session:
        wishes = plan_store.wishes_of(session, measured.network)
        fixed, forbidden, notes = plan_store.wishes_for_plan(
            session, measured.network, 2027, 5, US_CITY_AVERAGES
        )
    pinned = next(wish for wish in wishes if wish["section_key"] == "R1-2" and wish["kind"] == "pin")
    assert (pinned["treatment"], pinned["year"], pinned["by"]) == ("Cape seal", 2028, "Local engineer")
    assert fixed == (FixedProject("R1-2", "Cape seal", 2),)
    assert forbidden == (Forbidden("R2-1", None, None),)
    assert [note.split(" is left out: ")[1] for note in notes] == [
        "2040 is outside the plan's years 2027 to 2031.",
        "the plan's treatments have none of that name.",
    ]
    plan_actions.remove_wish(actor, key["R1-2"], WishKind.PIN)
    plan_actions.remove_wish(actor, key["R1-2"], WishKind.PIN)
    assert len(events("plan.pin")) == 3 and len(events("plan.remove_pin")) == 1


@one
@pytest.mark.parametrize(
    ("kind", "given", "says"),
    [
        ("pin", {"treatment": "Crack seal"}, "needs a treatment and a year"),
        ("pin", {"treatment": "Crack seal", "year": 27}, "year 27 is not possible"),
        ("pin", {"treatment": "Crack seal", "year": 2030}, "Crack seal in 2030 is forbidden on section R1-1"),
        ("comment", {"comment": " \n"}, "comment is empty"),
        ("comment", {"comment": "x" * 2001}, "2,001 characters"),
    ],
)
def test_wishes_that_make_no_sense_are_refused(kind: str, given: dict[str, object], says: str) -> None:
    actor, section_id = actions.local_actor(), fill_measured().sections["R1-1"]
    plan_actions.set_wish(actor, section_id, WishKind.FORBID, year=2030)
    with pytest.raises(SettingsError, match=says):
        plan_actions.set_wish(actor, section_id, kind, **given)  # type: ignore[arg-type]


@one
def test_a_ban_on_what_is_pinned_is_refused_too_but_not_beside_it() -> None:
    actor, section_id = actions.local_actor(), fill_measured().sections["R1-1"]
    plan_actions.set_wish(actor, section_id, WishKind.PIN, treatment="Crack seal", year=2030)
    plan_actions.set_wish(actor, section_id, WishKind.FORBID, treatment="Cape seal")
    with pytest.raises(SettingsError, match="Crack seal in 2030 is pinned on section R1-1"):
        plan_actions.set_wish(actor, section_id, WishKind.FORBID)


@one
def test_roles_and_other_agencies_are_kept_out() -> None:
    measured, actor = fill_measured(), actions.local_actor()
    surveyor = Actor(actor.user_id, actor.agency_id, Role.SURVEYOR)
    section_id = measured.sections["R1-1"]
    plan_actions.set_wish(surveyor, section_id, WishKind.COMMENT, comment="patched in May")
    for refused in (
        lambda: plan_actions.set_wish(surveyor, section_id, WishKind.FORBID),
        lambda: plan_actions.request_plan(surveyor, PlanRequest(measured.survey)),
        lambda: plan_actions.save_treatments(surveyor, "Ours", US_CITY_AVERAGES, None),
        lambda: plan_actions.delete_plan(surveyor, 1),
    ):
        with pytest.raises(PermissionDeniedError):
            refused()
    other = stranger()
    with pytest.raises(SettingsError, match=f"no section {section_id}"):
        plan_actions.set_wish(other, section_id, WishKind.FORBID)
    with pytest.raises(SettingsError, match=f"no survey {measured.survey}"):
        plan_actions.request_plan(other, PlanRequest(measured.survey))


@both
def test_a_request_is_queued_once_with_all_that_it_takes() -> None:
    measured, actor = fill_measured(), actions.local_actor()
    asked = PlanRequest(measured.survey, yearly_budget=50_000, first_year=2030, minimum_index={None: 60})
    job_id = plan_actions.request_plan(actor, asked)
    assert plan_actions.request_plan(actor, asked) == job_id
    with reading() as session:
        job = session.get_one(Job, job_id)
    assert (job.kind, job.survey_id) == (JobKind.MAKE_PLAN, measured.survey)
    assert job.parameters["name"] == "2030 to 2034, 50,000 USD a year"
    assert treatments_from_values(job.parameters["treatments"]) == US_CITY_AVERAGES
    assert job.parameters["minimum_index"] == {"": 60}


@one
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"yearly_budget": -1.0}, "budget of year"),
        ({"yearly_budget": float("nan")}, "budget of year"),
        ({"years": 0}, "years is 0"),
        ({"strategy": "best"}, "strategy 'best'"),
        ({"treatment_set": "Metric, without costs"}, "has no unit cost"),
        ({"treatment_set": "Nobody's"}, "no set of treatments"),
        ({"treatments": ()}, "holds no treatment"),
        ({"currency": " "}, "currency"),
        ({"currency": "E" * 11}, "currency"),
        ({"target_percent": 120.0}, "target in percent of 120"),
        ({"preventive_share": 40.0}, "preventive share of 40"),
        ({"draws": -1}, "-1 draws"),
        ({"minimum_index": {"local": 101.0}}, "asks for 101"),
        ({"name": "x" * 201}, "name of the plan"),
    ],
)
def test_wrong_numbers_are_refused_before_anything_is_queued(change: dict[str, object], says: str) -> None:
    measured: Measured = fill_measured()
    with pytest.raises(SettingsError, match=says):
        plan_actions.request_plan(
            actions.local_actor(),
            PlanRequest(measured.survey, **change),  # type: ignore[arg-type]
        )
    with reading() as session:
        assert session.scalar(select(Job.id)) is None


@one
def test_a_survey_without_network_or_analysis_is_refused() -> None:
    measured, actor = fill_measured(), actions.local_actor()
    with transaction() as session:
        bare = Survey(agency_id=actor.agency_id, name="Bare")
        new = Survey(agency_id=actor.agency_id, name="New", network_id=measured.network)
        session.add_all([bare, new])
    for survey, says in ((bare, "runs over no network"), (new, "is not analysed")):
        with pytest.raises(SettingsError, match=says):
            plan_actions.request_plan(actor, PlanRequest(survey.id))
