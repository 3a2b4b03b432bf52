"""The page Adapt in each of its states, and the choice of the shown analysis."""

import json
from typing import Any

import pytest
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from app import actions, adapt_data, checkpoint_actions
from app.identity import current_actor
from db.base import utc_now
from db.models import AnalysisResult, AuditEvent, Checkpoint, Comparison, Job, Survey
from db.session import reading, transaction
from db.settings import get_settings
from engine.errors import SettingsError
from engine.survey_look import SurveyLook
from engine.vocabulary import JobKind, JobState
from tests.unit.web.rows import SETTINGS_HASH, Filled
from tests.unit.web.test_pages import open_page, said

WORDS = "Finds 91 % of the cracks drawn on photos it had not seen."
CHECKS = [
    {"name": "drawn cracks", "passed": True, "value": 0.91, "limit": 0.8, "base": 0.7, "words": WORDS},
    {"name": "agreement", "passed": True, "value": 0.88, "limit": 0.7, "base": None, "words": "Steady."},
    {
        "name": "drawn cracks, faint",
        "passed": False,
        "value": 0.1,
        "limit": 0.5,
        "base": 0.5,
        "words": "Few.",
    },
]
DRAWN = [
    {
        "width": "narrow", "contrast": "faint", "drawn_px": 900, "recall": 0.8, "precision": None,
        "base_recall": 0.6, "base_precision": 0.7,
    }
]  # fmt: skip
CURVE = [{"stage": 0, "step": 20, "loss": 0.9}, {"stage": 0, "step": 40, "loss": 0.5}]


def only_job() -> Job:
    with reading() as session:
        return session.scalars(select(Job)).one()


def add_run(filled: Filled, state: JobState, **columns: Any) -> int:
    """An adaptation of the survey in that state; returns the job's id."""
    parameters = {"name": "ours", "base": "base", "base_id": 1, "model": None, "minutes": 15.0, "seed": 0}
    parameters |= columns.pop("parameters", {})
    with transaction() as session:
        job = Job(
            agency_id=current_actor().agency_id, kind=JobKind.ADAPT_SURVEY, parameters=parameters,
            survey_id=filled.survey, unique_key="adapt", state=state, attempt=1, started_at=utc_now(),
            **columns,
        )  # fmt: skip
        session.add(job)
        session.flush()
        return job.id


def add_made(filled: Filled, accepted: bool, name: str = "ours") -> int:
    """A finished adaptation with its checkpoint and comparison; returns the checkpoint's id."""
    reasons = [] if accepted else ["It marks 40 % of the pavement as crack."]
    gate = {"accepted": accepted, "checks": CHECKS, "reasons": reasons, "table": DRAWN}
    report = {
        "accepted": accepted, "reasons": reasons, "threshold": 0.42, "working_scale": 0.71, "minutes": 14.2,
        "images": 120, "steps": 1789, "gate": gate, "curve": CURVE,
        "drift": {"advised": True, "reasons": [], "measures": {"contrast": {"known": 0.1, "now": 0.2}}},
    }  # fmt: skip
    with transaction() as session:
        made = Checkpoint(
            name=name, content_hash=name.ljust(64, "0"), model="m", origin="base", card={}, parent_id=1,
            survey_id=filled.survey, agency_id=current_actor().agency_id, accepted=accepted, report=report,
        )  # fmt: skip
        session.add(made)
        session.flush()
        pictures = [
            {
                "image_id": photo, "first_mask_hash": "1" * 64, "second_mask_hash": "2" * 64,
                "first_crack_area_ratio": 0.01, "second_crack_area_ratio": 0.02,
            }
            for photo in filled.photos[:2]
        ]  # fmt: skip
        session.add(
            Comparison(
                survey_id=filled.survey,
                first_checkpoint_id=1,
                second_checkpoint_id=made.id,
                pictures=pictures,
            )
        )
        made_id = made.id
    add_run(filled, JobState.SUCCEEDED, parameters={"made_id": made_id, "name": name}, finished_at=utc_now())
    return made_id


def button(page: AppTest, label: str) -> Any:
    return next(button for button in page.button if button.label == label)


def test_without_a_survey_the_page_says_what_to_do(empty_app: None) -> None:
    page = open_page("adapt")
    assert "No survey yet" in said(page) and not page.error


def test_a_survey_without_photos_cannot_be_chosen(empty_app: None) -> None:
    actions.create_survey(current_actor(), actions.SurveyForm("Empty"))
    page = open_page("adapt")
    assert "No survey has photos yet" in said(page) and not page.error


def test_it_says_beforehand_that_photos_would_be_refused_and_starts_all_the_same(filled: Filled) -> None:
    page = open_page("adapt", survey=filled.survey)
    assert "would be refused" in page.error[0].value and "Only 4 different" in page.error[0].value
    assert page.text_input[0].value == "May adapted"
    assert page.number_input[0].value == 15.0
    page.text_input[0].set_value("our camera")
    page.number_input[0].set_value(2.0)
    page.number_input[1].set_value(7)
    button(page, "Start the adaptation").click().run()
    assert not page.exception
    job = only_job()
    assert (job.kind, job.survey_id) == (JobKind.ADAPT_SURVEY, filled.survey)
    named = {key: job.parameters[key] for key in ("name", "base", "model", "minutes", "seed")}
    assert named == {"name": "our camera", "base": "base", "model": None, "minutes": 2.0, "seed": 7}
    assert "Start the adaptation" not in [found.label for found in page.button]
    button(page, "Cancel").click().run()
    assert only_job().state == JobState.CANCELLED
    assert "Retry" in [found.label for found in page.button]


def test_a_taken_name_is_told_and_nothing_starts(filled: Filled) -> None:
    page = open_page("adapt", survey=filled.survey)
    page.text_input[0].set_value("base")
    button(page, "Start the adaptation").click().run()
    assert any("is taken" in error.value for error in page.error)
    with reading() as session:
        assert session.scalars(select(Job)).all() == []


@pytest.mark.parametrize(
    ("change", "words"), [({}, "Not needed"), ({"brightness": 0.05}, "Adaptation is advised because")]
)
def test_the_advice_follows_what_the_checkpoint_knew(
    filled: Filled, change: dict[str, float], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.survey_look.FEWEST_IMAGES", 2)
    look = {**adapt_data.look_at_survey(filled.survey, 0.5), "no_road_share": 0.0, "texture_share": 0.0}
    monkeypatch.setattr(adapt_data, "look_at_survey", lambda _survey, _scale: look)
    with transaction() as session:
        known = SurveyLook.from_dict({**look, **change}).as_dict()
        session.get_one(Checkpoint, 1).card = {"scores": {"look": known}}
    page = open_page("adapt", survey=filled.survey)
    verdict = "".join(element.value for element in (*page.success, *page.warning))
    assert words in verdict and not page.error
    assert "4 of 4 photos, seen at 0.5 ×" in said(page)
    assert ("brighter" in said(page)) is bool(change)


def test_while_it_runs_the_stage_the_share_and_the_curve_are_shown(filled: Filled) -> None:
    job_id = add_run(
        filled,
        JobState.RUNNING,
        progress_done=370,
        progress_total=1000,
        progress_message="Learning from cracks",
    )
    page = open_page("adapt", survey=filled.survey)
    (bar,) = page.get("progress")
    assert "Learning from cracks" in bar.proto.text.replace("\\", "") and "37 %" in bar.proto.text
    assert "as soon as the network learns" in said(page)
    folder = get_settings().adaptations_dir / str(job_id)
    folder.mkdir(parents=True)
    (folder / "curve-0.json").write_text(json.dumps(CURVE))
    (folder / "curve-1.json").write_text('[{"stage": 1, "st')  # being written
    page.run()
    assert not page.exception
    assert len(page.get("plotly_chart")) == 1
    button(page, "Cancel").click().run()
    assert only_job().cancel_requested
    assert button(page, "Stopping …").disabled


def test_an_accepted_one_is_shown_with_its_gate_and_promoted(filled: Filled) -> None:
    made_id = add_made(filled, accepted=True)
    page = open_page("adapt", survey=filled.survey)
    assert "Accepted." in page.success[0].value
    figures = {metric.label: metric.value for metric in page.metric}
    assert figures == {
        "Work": "14.2 min", "Photos": "120", "Training steps": "1,789", "Threshold": "0.42",
        "Working scale": "0.71 ×",
    }  # fmt: skip
    gate, detail = (table.value for table in page.dataframe if "words" in table.value.columns)
    assert list(gate["words"]) == [WORDS, "Steady."] and list(gate["value"]) == [0.91, 0.88]
    assert list(detail["passed"]) == ["✘ no"]
    drawn = next(table.value for table in page.dataframe if "base_recall" in table.value.columns)
    assert list(drawn["recall"]) == [0.8] and drawn["precision"].isna().all()
    assert len(page.get("plotly_chart")) == 1
    assert "2 photos of May, compared" in said(page)
    button(page, "Promote").click().run()
    assert not page.exception
    assert checkpoint_actions.in_force(current_actor())[0] == made_id
    assert button(page, "In force").disabled
    assert page.text_input[0].value == "May adapted"


def test_a_refused_one_says_why_and_cannot_be_promoted(filled: Filled) -> None:
    add_made(filled, accepted=False)
    page = open_page("adapt", survey=filled.survey)
    errors = "\n".join(error.value for error in page.error).replace("\\", "")
    assert "Refused by the gate" in errors and "40 % of the pavement" in errors
    assert button(page, "Promote").disabled and button(page, "Analyse the survey again with it").disabled
    bases = next(box for box in page.selectbox if box.label == "Start from").options
    assert "ours" not in bases


def test_a_failed_one_says_why_and_can_be_retried(filled: Filled) -> None:
    add_run(filled, JobState.FAILED, error="May cannot be adapted to: Only 4 different photos.")
    page = open_page("adapt", survey=filled.survey)
    errors = "\n".join(error.value for error in page.error).replace("\\", "")
    assert "cannot be adapted to: Only 4 different photos" in errors
    button(page, "Retry").click().run()
    assert only_job().state == JobState.QUEUED


def test_all_adaptations_of_the_survey_are_listed_and_none_of_another_agency(filled: Filled) -> None:
    add_made(filled, accepted=False, name="first")
    add_made(filled, accepted=True, name="second")
    gone = add_made(filled, accepted=True, name="third")
    with transaction() as session:
        session.delete(session.get_one(Checkpoint, gone))
    page = open_page("adapt", survey=filled.survey)
    runs = next(table.value for table in page.dataframe if "verdict" in table.value.columns)
    assert list(runs["name"]) == ["third", "second", "first"]
    assert list(runs["verdict"]) == ["Deleted", "Accepted", "Refused by the gate"]
    assert "Its checkpoint was deleted" in said(page)
    assert adapt_data.adaptations(filled.foreign_survey) == []
    assert open_page("adapt", survey=filled.foreign_survey).selectbox[0].value == filled.survey


def test_the_survey_is_analysed_again_with_it(filled: Filled) -> None:
    add_made(filled, accepted=True)
    page = open_page("adapt", survey=filled.survey)
    button(page, "Analyse the survey again with it").click().run()
    assert not page.exception
    with reading() as session:
        job = session.scalars(select(Job).where(Job.kind == JobKind.ANALYSE_SURVEY)).one()
    assert (job.parameters["checkpoint"], job.survey_id) == ("ours", filled.survey)


def test_the_shown_analysis_of_a_survey_is_switched_and_written_down(filled: Filled) -> None:
    one = [box.label for box in open_page("survey", survey=filled.survey).selectbox]
    assert "Camera profile" in one and "Shown analysis" not in one  # there is nothing to switch
    made_id = add_made(filled, accepted=True)
    with transaction() as session:
        first = session.scalars(select(AnalysisResult).limit(1)).one()
        values = {column.key: getattr(first, column.key) for column in AnalysisResult.__table__.columns}
        session.add(AnalysisResult(**{**values, "id": None, "checkpoint_id": made_id}))
    page = open_page("survey", survey=filled.survey)
    box = next(box for box in page.selectbox if box.label == "Shown analysis")
    assert [option.split(" · ")[0] for option in box.options] == ["ours", "base"]
    assert box.index == 1
    box.select_index(0).run()
    assert not page.exception and not page.error
    with reading() as session:
        assert session.get_one(Survey, filled.survey).shown_checkpoint_id == made_id
        event = session.scalars(select(AuditEvent).where(AuditEvent.action == "survey.show_analysis")).one()
    assert (event.subject, event.detail) == ("May", {"checkpoint": "ours"})
    for survey_id, settings in ((filled.survey, "0" * 64), (filled.foreign_survey, SETTINGS_HASH)):
        with pytest.raises(SettingsError):
            actions.show_analysis(current_actor(), survey_id, made_id, settings)
