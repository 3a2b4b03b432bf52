"""The page "Reports": cards, jobs, the list of files with their downloads, and what is out of date."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from app import export_actions, plan_actions, plan_data
from app.components.report_files import exported_files, results_at, why_old
from app.components.report_formats import KINDS
from app.components.report_jobs import export_jobs
from app.identity import current_actor
from db.models import Agency, ExportedFile, Job, Plan, Survey
from db.session import reading, transaction
from engine.errors import SettingsError
from engine.vocabulary import ExportFormat, JobKind, JobState
from jobs.exporting import export_survey
from jobs.planning import make_plan_job
from jobs.running import run_job
from tests.unit.web.measured import Measured, fill_measured
from tests.unit.web.rows import Filled
from tests.unit.web.test_pages import open_page, said

WORK: dict[Any, Any] = {JobKind.EXPORT_SURVEY: export_survey, JobKind.MAKE_PLAN: make_plan_job}


@pytest.fixture
def measured(empty_app: None) -> Measured:
    return fill_measured()


def press_make(page: AppTest, name: ExportFormat) -> int:
    """Press a card's button; the id of the job that was queued."""
    page.button(key=f"make-{name}").click().run()
    assert not page.exception and not page.error
    return newest_job()


def newest_job() -> int:
    with reading() as session:
        return session.scalar(select(func.max(Job.id))) or 0


def make_file(measured: Measured, name: ExportFormat = ExportFormat.GEOJSON) -> dict[str, Any]:
    run_job(export_actions.request_export(current_actor(), measured.survey, name), WORK)
    return exported_files(measured.survey)[0]


def make_plan(measured: Measured, name: str = "Council") -> int:
    request = plan_actions.PlanRequest(
        measured.survey, name=name, yearly_budget=50_000.0, scenarios=False, draws=0
    )
    run_job(plan_actions.request_plan(current_actor(), request), WORK)
    return int(plan_data.plans(measured.survey)[0]["id"])


def links(page: AppTest) -> list[str]:
    return [element.proto.body for element in page.get("html") if "/api/exports/" in element.proto.body]


def test_every_format_has_a_card() -> None:
    assert list(KINDS) == list(ExportFormat)
    assert len({kind.title for kind in KINDS.values()}) == len(KINDS)


def test_the_help_page_lists_every_file(empty_app: None) -> None:
    tables = [table.value for table in open_page("guide").table if "For whom" in table.value]
    assert list(tables[0]["File"]) == [kind.title for kind in KINDS.values()]


def test_without_a_survey_the_page_says_what_to_do(empty_app: None) -> None:
    page = open_page("reports")
    assert "No survey yet" in said(page) and not page.error


def test_a_survey_without_results_says_so(empty_app: None) -> None:
    with transaction() as session:
        survey = Survey(agency_id=current_actor().agency_id, name="Empty yet")
        session.add(survey)
    page = open_page("reports")
    assert "No results yet" in said(page)
    assert not [button for button in page.button if button.label == "Make"]


def test_without_a_plan_or_a_file_the_page_says_what_follows(measured: Measured) -> None:
    page = open_page("reports", survey=measured.survey)
    assert not page.error
    assert "There is no plan of the shown analysis yet" in said(page)
    assert "No file of this survey yet" in said(page)
    for kind in KINDS.values():
        assert kind.title in said(page) and kind.whom in said(page) and kind.holds in said(page)
    assert [button.label for button in page.button] == ["Make"] * len(KINDS)
    assert not any(button.disabled for button in page.button)


def test_a_file_is_made_listed_and_downloaded(measured: Measured, client: TestClient) -> None:
    page = open_page("reports", survey=measured.survey)
    job = press_make(page, ExportFormat.GEOJSON)
    assert page.button(key=f"make-{ExportFormat.GEOJSON}").label == "Being made"
    assert page.button(key=f"make-{ExportFormat.GEOJSON}").disabled
    assert not page.button(key=f"make-{ExportFormat.KML}").disabled
    assert page.button(key=f"cancel-reports-{job}").label == "Cancel"
    run_job(job, WORK)
    page.run()
    assert not page.exception and page.button(key=f"make-{ExportFormat.GEOJSON}").label == "Make"
    (file,) = exported_files(measured.survey)
    text = said(page).replace("\\", "")
    assert file["file_name"] in text and "Checkpoint county" in text and "Without a plan" in text
    assert "out of date" not in text
    assert f"{file['created_at']:%Y-%m-%d %H:%M} UTC" in text and "by Local engineer" in text
    (link,) = links(page)
    assert f'href="/api/exports/{file["id"]}"' in link
    answer = client.get(f"/api/exports/{file['id']}")
    assert answer.status_code == 200 and answer.json()["type"] == "FeatureCollection"


def test_cancel_is_asked_for_on_the_page(measured: Measured) -> None:
    page = open_page("reports", survey=measured.survey)
    job = press_make(page, ExportFormat.KML)
    page.button(key=f"cancel-reports-{job}").click().run()
    assert not page.exception
    with reading() as session:
        row = session.get_one(Job, job)
        assert row.cancel_requested or row.state == JobState.CANCELLED


def test_the_papers_choice_reaches_the_job(measured: Measured) -> None:
    page = open_page("reports", survey=measured.survey)
    page.radio(key="report-paper").set_value("Letter").run()
    job = press_make(page, ExportFormat.PDF)
    with reading() as session:
        assert session.get_one(Job, job).parameters["paper"] == "Letter"


def test_the_newest_plan_is_taken_and_another_may_be_chosen(measured: Measured) -> None:
    first, second = make_plan(measured, "First"), make_plan(measured, "Second")
    page = open_page("reports", survey=measured.survey)
    assert [option.split(" · ")[0] for option in page.selectbox[1].options] == [
        "Second", "First", "Without a plan",
    ]  # fmt: skip
    assert page.selectbox[1].value == 0 and "There is no plan" not in said(page)
    press_make(page, ExportFormat.KML)
    assert export_jobs(measured.survey)[0]["parameters"]["plan_id"] == second
    page = open_page("reports", survey=measured.survey, plan=first)
    assert page.selectbox[1].value == 1
    run_job(press_make(page, ExportFormat.GEOJSON), WORK)
    page.run()
    assert exported_files(measured.survey)[0]["plan"] == "First"
    assert "Plan First" in said(page)


def test_the_plan_can_be_left_out(measured: Measured) -> None:
    make_plan(measured)
    page = open_page("reports", survey=measured.survey)
    page.selectbox[1].set_value(1).run()
    assert "neither treatments nor costs" in said(page) and "There is no plan" not in said(page)
    run_job(press_make(page, ExportFormat.GEOJSON), WORK)
    assert exported_files(measured.survey)[0]["plan_id"] is None


def test_a_plan_of_another_analysis_is_told(measured: Measured) -> None:
    make_plan(measured)
    with transaction() as session:
        session.execute(update(Plan).values(settings_hash="0" * 64))
    page = open_page("reports", survey=measured.survey)
    assert page.selectbox[1].value == 1 and "There is no plan of the shown analysis" in said(page)
    page.selectbox[1].set_value(0).run()
    assert "made from another analysis" in page.warning[0].value


def test_what_has_changed_since_a_file_was_made() -> None:
    read_at = datetime(2026, 5, 1, tzinfo=UTC)
    before, after = read_at - timedelta(hours=1), read_at + timedelta(hours=1)
    after_writing = read_at + timedelta(hours=2)
    file = {"stale": False, "created_at": after_writing, "read_at": read_at}
    assert why_old(file, before, {"name": "P", "created_at": before}) == ""
    assert why_old(file, None, None) == ""
    assert why_old({**file, "stale": True}, before, None) == "The survey shows another analysis now."
    assert why_old(file, after, None) == "Results of the survey have changed since."
    assert why_old(file, before, {"name": "P", "created_at": after}) == "There is a newer plan: P."


def test_a_file_older_than_the_plan_or_the_results_is_marked(measured: Measured) -> None:
    make_file(measured)
    assert results_at(measured.survey) is not None
    make_plan(measured, "A *new* one")
    text = said(open_page("reports", survey=measured.survey))
    assert "out of date" in text and r"There is a newer plan\: A \*new\* one" in text
    with transaction() as session:
        session.execute(update(ExportedFile).values(provenance={"checkpoint": "old", "plan": ""}))
    text = said(open_page("reports", survey=measured.survey))
    assert "The survey shows another analysis now" in text and "Checkpoint old" in text


def test_files_stay_in_reach_when_the_shown_analysis_has_no_results(measured: Measured) -> None:
    make_file(measured)
    with transaction() as session:
        session.execute(update(Survey).values(shown_settings_hash="0" * 64))
    page = open_page("reports", survey=measured.survey)
    assert "No results yet" in said(page) and len(links(page)) == 1


def test_a_file_is_deleted_after_a_question(measured: Measured) -> None:
    file = make_file(measured)
    page = open_page("reports", survey=measured.survey)
    assert "for good?" in said(page)
    page.button(key=f"delete-export-{file['id']}").click().run()
    assert not page.exception and not exported_files(measured.survey) and not links(page)
    assert "is deleted" in page.success[0].value


def test_a_name_cannot_become_markup(measured: Measured) -> None:
    make_file(measured)
    with transaction() as session:
        session.execute(update(ExportedFile).values(file_name='x"><script>alert(1)</script>.json'))
    (link,) = links(open_page("reports", survey=measured.survey))
    assert "<script" not in link and "&lt;script&gt;" in link


def test_many_files_are_listed_on_demand(measured: Measured) -> None:
    file = make_file(measured)
    with transaction() as session:
        row = session.get_one(ExportedFile, file["id"])
        kept = {
            column: getattr(row, column)
            for column in ("agency_id", "survey_id", "format", "content_hash", "size_bytes", "provenance")
        }
        session.add_all([ExportedFile(**kept, file_name=f"{number}.json") for number in range(7)])
    page = open_page("reports", survey=measured.survey)
    assert len(links(page)) == 4
    page.toggle(key="reports-all").set_value(True).run()
    assert len(links(page)) == 8


def test_a_failure_is_told_with_its_remedy_and_can_be_retried(filled: Filled) -> None:
    job = export_actions.request_export(current_actor(), filled.survey, ExportFormat.INSPECTIONS)
    page = open_page("reports", survey=filled.survey)
    run_job(job, WORK)
    page.run()
    assert "metres" in page.error[0].value and page.button(key=f"retry-reports-{job}")
    with transaction() as session:
        long_ago = datetime.now(UTC) - timedelta(days=1)
        session.execute(update(Job).where(Job.id == job).values(finished_at=long_ago))
    assert not open_page("reports", survey=filled.survey).error


def test_what_cannot_be_made_says_why(filled: Filled) -> None:
    with transaction() as session:
        session.execute(update(Survey).where(Survey.id == filled.survey).values(network_id=None))
    page = open_page("reports", survey=filled.survey)
    assert page.button(key=f"make-{ExportFormat.KML}").disabled
    assert page.button(key=f"make-{ExportFormat.INSPECTIONS}").disabled
    assert not page.button(key=f"make-{ExportFormat.EXCEL}").disabled
    assert "Needs a survey over a road network" in said(page)


def test_another_agencys_files_and_jobs_are_not_there(measured: Measured) -> None:
    file = make_file(measured)
    with transaction() as session:
        other = Agency(name="Other")
        session.add(other)
        session.flush()
        session.execute(update(ExportedFile).values(agency_id=other.id))
        session.execute(update(Job).values(agency_id=other.id, state=JobState.RUNNING))
    assert not exported_files(measured.survey) and not export_jobs(measured.survey)
    with pytest.raises(SettingsError, match="no exported file"):
        export_actions.delete_export(current_actor(), file["id"])
