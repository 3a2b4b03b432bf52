"""The page of a survey: by which camera and standard it is analysed next, and the form of a new one."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from streamlit.testing.v1 import AppTest

from app import actions, profile_actions
from db.models import AnalysisResult, Job, Survey, SurveyImage
from db.session import reading, transaction
from engine.measurement_version import MEASUREMENT_VERSION
from engine.severity import D6433, LTPP
from tests.unit.web.rows import Filled
from tests.unit.web.test_pages import open_page, said

DOWNWARD = {"width_px": 64, "height_px": 48, "gsd_mm_per_px": 1.5}
GSD_ONLY = {"kind": "downward", "parameters": {"gsd_mm_per_px": 2.0}}
MEASURED = {"camera": GSD_ONLY, "measurement_version": MEASUREMENT_VERSION}


@pytest.fixture
def analysed(filled: Filled) -> Filled:
    """All photos of the survey have a result by its GSD, graded by LTPP."""
    settings = {**MEASURED, "severity_standard": LTPP.as_dict()}
    with transaction() as session:
        session.execute(update(AnalysisResult).values(settings=settings))
        without = select(AnalysisResult.image_id)
        session.execute(
            update(SurveyImage)
            .where(SurveyImage.survey_id == filled.survey, SurveyImage.id.not_in(without))
            .values(survey_id=filled.foreign_survey)
        )
    return filled


def save_camera(name: str = "Van", **changed: Any) -> int:
    return profile_actions.save_profile(actions.local_actor(), name, "downward", {**DOWNWARD, **changed})


def choose(page: AppTest, label: str, value: Any) -> None:
    next(box for box in page.selectbox if box.label == label).set_value(value).run()
    assert not page.exception


def start_button(page: AppTest) -> Any:
    words = ("All photos", "Start", "Analyse", "Show these")
    return next(button for button in page.button if button.label.startswith(words))


def asked_of_jobs() -> dict[str, Any]:
    with reading() as session:
        return session.scalars(select(Job)).one().parameters


def test_a_camera_chosen_on_the_page_can_be_analysed_with(analysed: Filled) -> None:
    camera = save_camera()
    page = open_page("survey", survey=analysed.survey)
    assert (start_button(page).label, start_button(page).disabled) == ("All photos are analysed", True)
    assert "GSD 2 mm/px" in said(page)
    choose(page, "Camera profile", camera)
    with reading() as session:
        assert session.get_one(Survey, analysed.survey).camera_profile_id == camera
    assert "camera Van, version 1" in said(page) and "GSD 2" not in said(page)
    assert start_button(page).label == "Analyse again with camera Van, version 1"
    start_button(page).click().run()
    assert not page.exception and not page.error
    assert asked_of_jobs()["camera_profile_id"] == camera
    # nothing was said of the standard: it stays
    assert asked_of_jobs()["severity_standard"] == "LTPP"


def test_a_camera_of_other_photos_is_refused(analysed: Filled) -> None:
    camera = save_camera(height_px=64)
    page = open_page("survey", survey=analysed.survey)
    choose(page, "Camera profile", camera)
    assert "64 x 48" in page.error[0].value.replace("\\", "")
    with reading() as session:
        assert session.get_one(Survey, analysed.survey).camera_profile_id is None


def test_the_newest_version_of_each_camera_and_the_one_in_use_are_offered(analysed: Filled) -> None:
    first = save_camera()
    profile_actions.use_profile(actions.local_actor(), analysed.survey, first)
    for gsd in (1.6, 1.7):
        save_camera(gsd_mm_per_px=gsd)
    page = open_page("survey", survey=analysed.survey)
    box = next(box for box in page.selectbox if box.label == "Camera profile")
    assert box.options == ["None", "Van, version 3", "Van, version 1"]
    assert box.value == first


def test_the_standard_stays_until_another_one_is_chosen(analysed: Filled) -> None:
    page = open_page("survey", survey=analysed.survey)
    box = next(box for box in page.selectbox if box.label == "Severity standard")
    assert box.value == "LTPP"
    choose(page, "Severity standard", "D6433")
    assert start_button(page).label == "Analyse again by D6433"
    choose(page, "Severity standard", "Own thresholds")
    low, high = (number for number in page.number_input if "(mm)" in number.label)
    assert (low.value, high.value) == (LTPP.low_below_mm, LTPP.high_above_mm)
    low.set_value(30.0).run()
    assert "first smaller than the second" in page.error[0].value
    assert "Analyse again" not in " ".join(button.label for button in page.button)
    next(number for number in page.number_input if number.label.startswith("High")).set_value(40.0).run()
    start_button(page).click().run()
    assert not page.exception and not page.error
    own = asked_of_jobs()["severity_standard"]
    assert (own["name"], own["low_below_mm"], own["high_above_mm"]) == ("own thresholds", 30.0, 40.0)


def test_an_agencys_own_standard_is_offered_again(analysed: Filled) -> None:
    own = {**D6433.as_dict(), "name": "County", "low_below_mm": 4.0, "spalled_above_mm": 7.0}
    with transaction() as session:
        session.execute(update(AnalysisResult).values(settings={**MEASURED, "severity_standard": own}))
    page = open_page("survey", survey=analysed.survey)
    assert next(text for text in page.text_input if text.label == "Its name").value == "County"
    assert start_button(page).label == "All photos are analysed"


def test_a_new_survey_can_be_given_its_camera(filled: Filled, tmp_path: Path) -> None:
    camera = save_camera()
    page = open_page("new_survey", survey="")  # the map left one in the address
    choose(page, "Camera profile", camera)
    next(text for text in page.text_input if text.label == "Name").set_value("June").run()
    next(text for text in page.text_input if text.label.startswith("Or a folder")).set_value(
        str(tmp_path)
    ).run()
    next(button for button in page.button if button.label == "Check photos").click().run()
    assert not page.exception
    with reading() as session:
        assert session.scalars(select(Survey).where(Survey.name == "June")).one().camera_profile_id == camera
