"""The pages as Streamlit's own test driver sees them: no exception, and the words that matter."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select, update
from streamlit.testing.v1 import AppTest

import app
from app import identity
from db import rollup
from db.models import AnalysisResult, Job, Survey
from db.session import transaction
from engine.measurement_version import MEASUREMENT_VERSION
from engine.severity import D6433
from engine.vocabulary import JobState
from tests.unit.web.rows import SETTINGS_HASH, Filled, give_intervals

MAIN = Path(app.__file__).parent / "main.py"


def open_page(name: str, **query: object) -> AppTest:
    page = AppTest.from_file(str(MAIN), default_timeout=60)
    for key, value in query.items():
        page.query_params[key] = str(value)
    if name != "network_map":
        page.run()
        page.switch_page(f"views/{name}.py")
        for key, value in query.items():
            page.query_params[key] = str(value)
    page.run()
    assert not page.exception
    return page


def said(page: AppTest) -> str:
    kinds = (page.title, page.subheader, page.markdown, page.caption, page.info, page.error, page.warning)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def test_an_empty_installation_says_what_to_do_and_makes_the_sample(empty_app: None) -> None:
    page = open_page("network_map")
    assert "No survey yet" in said(page)
    assert [button.label for button in page.button] == [
        "Make the sample",
        "Import a road network",
        "Upload photos",
    ]
    page.button[0].click().run()
    assert not page.exception
    with transaction() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 1
    assert "Make the sample network and surveys" in said(page)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("surveys", "No survey yet"),
        ("networks", "No road network yet"),
        ("jobs", "No job yet"),
        ("survey", "There is no such survey"),
        ("section", "There is no such section"),
        ("photo", "There is no such photo"),
        ("new_survey", "Give a name and some photos first"),
        ("guide", "What the numbers mean"),
    ],
)
def test_every_page_without_data_says_what_to_do(empty_app: None, name: str, words: str) -> None:
    page = open_page(name)
    assert words in said(page)
    assert not page.error


def test_the_map_page_has_its_figures_with_units(filled: Filled) -> None:
    page = open_page("network_map", survey=filled.survey)
    assert not page.error
    figures = {metric.label: metric.value for metric in page.metric}
    assert figures["Length with photos"] == "0.7 km"
    assert figures["Photos"] == "4"
    assert figures["Mean crack density"] == "8.95 m/m²"
    assert figures["Sections with data"] == "33 %"


def test_the_map_is_there_while_jobs_run_and_shows_the_survey_with_photos(filled: Filled) -> None:
    agency_id = identity.current_actor().agency_id
    with transaction() as session:
        newer = Survey(agency_id=agency_id, name="Empty yet", surveyed_on=date(2030, 1, 1))
        session.add(newer)
        session.flush()
        for survey_id, done in ((newer.id, 3), (filled.survey, 2)):
            job = {"progress_done": done, "progress_total": 4, "started_at": datetime.now(UTC)}
            session.add(
                Job(
                    agency_id=agency_id,
                    kind="analyse_survey",
                    parameters={},
                    survey_id=survey_id,
                    unique_key=f"k{survey_id}",
                    state=JobState.RUNNING,
                    attempt=1,
                    **job,
                )
            )
    page = open_page("network_map")
    assert page.selectbox[0].value == filled.survey
    assert "Sections, worst first" in said(page)
    progress = [bar.proto.text for bar in page.get("progress")]
    assert len(progress) == 1 and "2 of 4" in progress[0]


def test_a_job_whose_worker_fell_silent_says_so(filled: Filled) -> None:
    with transaction() as session:
        session.add(
            Job(
                agency_id=identity.current_actor().agency_id, kind="export_survey", parameters={},
                survey_id=filled.survey, unique_key="e", state=JobState.RUNNING, attempt=1,
                started_at=datetime.now(UTC), lease_until=datetime.now(UTC) - timedelta(seconds=9),
            )
        )  # fmt: skip
    progress = [bar.proto.text for bar in open_page("jobs").get("progress")]
    assert len(progress) == 1 and "fell silent" in progress[0]


def test_a_section_and_a_photo_can_be_linked_to(filled: Filled) -> None:
    section = open_page("section", survey=filled.survey, section=1)
    assert not section.error
    assert "Crack density along the road" in said(section)
    photo = open_page("photo", photo=filled.photos[0])
    assert not photo.error
    table = photo.table[0].value
    assert table.loc["Crack length"].tolist() == ["55 px", "0.11 m"]
    assert table.loc["Greatest width"].tolist() == ["2.5 px", "5.0 mm"]
    assert "1 pixel is 2.00 mm" in said(photo)


def test_results_of_before_there_were_intervals_have_a_dash(filled: Filled) -> None:
    section = open_page("section", survey=filled.survey, section=1)
    assert not section.error
    shown = next(metric for metric in section.metric if metric.label == "Crack density")
    assert (shown.value, shown.delta) == ("8.95 m/m²", "–")
    table = open_page("network_map", survey=filled.survey).dataframe[0].value
    assert set(table["interval"]) == {"–"}
    photo = open_page("photo", photo=filled.photos[0])
    assert not photo.error
    assert photo.table[0].value.loc["Cracked area", "In the image"] == "3.58 % (–)"
    assert "before intervals were known" in said(photo)


def test_intervals_are_shown_wherever_the_density_is(filled: Filled) -> None:
    give_intervals(filled)
    photo = open_page("photo", photo=filled.photos[0])
    table = photo.table[0].value
    assert table.loc["Cracked area", "In the image"] == "3.58 % (2.50 to 5.00)"
    assert table.loc["Crack density", "On the road"] == "8.95 m/m² (8.00 to 10.50)"
    assert "In brackets" in said(photo)
    section = open_page("section", survey=filled.survey, section=1)
    shown = next(metric for metric in section.metric if metric.label == "Crack density")
    # Three photos that are alike: no error of sampling is added.
    assert (shown.value, shown.delta) == ("8.95 m/m²", "8.00 to 10.50")
    assert "share is not known" in shown.help.lower()
    network = open_page("network_map", survey=filled.survey)
    mean = next(metric for metric in network.metric if metric.label == "Mean crack density")
    assert (mean.value, mean.delta) == ("8.95 m/m²", "8.00 to 10.50")
    table = network.dataframe[0].value
    assert table.set_index("section_key")["interval"].to_dict() == {
        "S0": "8.00 to 10.50",
        "S1": "–",
        "S2": "–",
    }


def test_a_section_with_one_photo_says_so(filled: Filled) -> None:
    give_intervals(filled)
    with transaction() as session:
        session.execute(delete(AnalysisResult).where(AnalysisResult.image_id.in_(filled.photos[1:3])))
        rollup.refresh_sections(session, filled.survey, 1, SETTINGS_HASH)
    section = open_page("section", survey=filled.survey, section=1)
    shown = next(metric for metric in section.metric if metric.label == "Crack density")
    assert shown.delta == "8.00 to 10.50 · one photo" and "One photo" in shown.help


def test_a_photo_without_a_scale_is_told_in_pixels_only(filled: Filled) -> None:
    with transaction() as session:
        result = session.scalars(
            select(AnalysisResult).where(AnalysisResult.image_id == filled.photos[0])
        ).one()
        result.gsd_mm_per_px = result.crack_length_m = result.crack_density_m_per_m2 = None
    photo = open_page("photo", photo=filled.photos[0])
    assert list(photo.table[0].value.columns) == ["In the image"]
    assert "nothing is given in m or mm" in said(photo).replace("\n", " ")
    assert "share of the whole picture: verge, sky and paint count too" in said(photo)


def test_another_agencys_survey_and_photo_are_not_there(filled: Filled) -> None:
    assert "There is no such survey" in said(open_page("survey", survey=filled.foreign_survey))
    assert "There is no such photo" in said(open_page("photo", photo=filled.foreign_photo))


def test_preflight_counts_and_starts_the_analysis(filled: Filled) -> None:
    settings = {
        "camera": {"kind": "downward", "parameters": {"gsd_mm_per_px": 2.0}},
        "severity_standard": D6433.as_dict(),
        "measurement_version": MEASUREMENT_VERSION,
    }
    with transaction() as session:
        session.execute(update(AnalysisResult).values(settings=settings))
    page = open_page("survey", survey=filled.survey)
    assert not page.error
    counts = {metric.label: metric.value for metric in page.metric}
    assert (counts["Accepted"], counts["Refused"], counts["Off network"], counts["Blurred"]) == (
        "4",
        "1",
        "1",
        "1",
    )
    start = next(button for button in page.button if button.label == "Analyse the other 1 photos")
    start.click().run()
    assert not page.exception
    with transaction() as session:
        assert session.scalars(select(Job.survey_id)).all() == [filled.survey]


def test_a_failed_job_is_told_in_plain_words_and_can_be_retried(filled: Filled) -> None:
    with transaction() as session:
        session.add(
            Job(
                agency_id=identity.current_actor().agency_id,
                kind="analyse_survey",
                parameters={},
                survey_id=filled.survey,
                unique_key="k",
                state=JobState.FAILED,
                error="The disk is `${full}`.",
                traceback="Traceback: OSError",
            )
        )
    page = open_page("jobs")
    assert "The disk is" in said(page) and "name job 1" in said(page)
    page.button[0].click().run()
    assert not page.exception
    with transaction() as session:
        assert session.get_one(Job, 1).state == JobState.QUEUED
