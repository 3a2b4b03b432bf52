"""The page Cameras: profiles are tried, saved as versions, used and calibrated."""

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import pytest
import shapely
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from app import profile_actions, profile_data
from app.components.profile_fields import in_words
from app.components.profile_road import ground_lines, photo_lines, preview_address
from app.identity import current_actor
from app.rectified_pictures import preview_frame
from db.models import CameraProfile, Job, Survey
from db.session import reading, transaction
from engine.geometry import DownwardProfile, to_ground
from engine.vocabulary import JobKind
from tests.unit.web.photo_rows import FORWARD, Measured, measure_ahead
from tests.unit.web.rows import Filled
from tests.unit.web.test_pages import open_page, said


@pytest.fixture
def measured(filled: Filled) -> Measured:
    return measure_ahead(filled)


def number(page: AppTest, label: str) -> Any:
    return next(box for box in page.number_input if box.label.startswith(label))


def button(page: AppTest, label: str) -> Any:
    return next(box for box in page.button if box.label.startswith(label))


def versions() -> list[tuple[str, int, str, dict[str, object]]]:
    with reading() as session:
        rows = session.scalars(select(CameraProfile).order_by(CameraProfile.id))
        return [(row.name, row.version, row.kind, row.parameters) for row in rows]


def test_without_photos_the_page_says_what_comes_first(empty_app: None) -> None:
    assert "No survey yet" in said(open_page("profiles"))


def test_what_is_wrong_stands_under_its_input_and_nothing_is_lost(measured: Measured) -> None:
    page = open_page("profiles")
    assert not page.error
    number(page, "Height above the road").set_value(2.5)
    number(page, "Pitch").set_value(-60.0).run()
    assert not page.exception
    assert [error.value.replace("\\", "") for error in page.error] == [
        "Pitch is -60. Give a number from -40 to 89.9 degrees."
    ]
    assert number(page, "Height above the road").value == 2.5
    assert button(page, "Save").disabled
    number(page, "Pitch").set_value(21.0).run()
    assert not page.error and not button(page, "Save").disabled
    assert number(page, "Height above the road").value == 2.5


def test_a_save_is_a_new_version_and_the_old_one_stays(measured: Measured) -> None:
    page = open_page("profiles")
    number(page, "Pitch").set_value(21.0).run()
    button(page, "Save version 2").click().run()
    assert [told.value for told in page.success] == ["Saved: Front, version 2."]
    assert [(name, version) for name, version, _, _ in versions()] == [("Front", 1), ("Front", 2)]
    old, new = (parameters for *_, parameters in versions())
    assert (old["pitch_deg"], new["pitch_deg"]) == (20.0, 21.0)
    assert {**old, "pitch_deg": 21.0} == new, "what was not touched is as it was"


def test_a_survey_is_measured_by_the_version_that_a_person_chose(measured: Measured, filled: Filled) -> None:
    page = open_page("profiles", survey=filled.survey)
    assert "is measured by: Front, version 1" in said(page).replace("\\", "")
    button(page, "Take the camera profile off").click().run()
    assert profile_data.profile_of(filled.survey) is None
    # Photos 2 to 4 are of another shape, the first is not: it fits some.
    button(page, "Use version 1").click().run()
    assert profile_data.profile_of(filled.survey) == measured.profile_id
    assert profile_data.profile_of(filled.foreign_survey) is None


def test_a_camera_that_looks_down_is_made_from_height_and_lens(filled: Filled) -> None:
    page = open_page("profiles")
    page.radio[0].set_value("downward").run()
    page.radio[1].set_value("Height and lens").run()
    assert "Height above the road is missing" in said(page) or "GSD is missing" in said(page)
    number(page, "Height above the road").set_value(2.0)
    number(page, "Focal length").set_value(8.0)
    number(page, "Sensor width").set_value(6.4).run()
    assert not page.error
    page.text_input[0].set_value("Box").run()
    button(page, "Save version 1").click().run()
    name, version, kind, parameters = versions()[0]
    assert (name, version, kind) == ("Box", 1, "downward")
    profile = DownwardProfile(**parameters)
    # 2 m high, 8 mm lens, 6.4 mm over 64 px: 25 mm a pixel.
    assert profile.gsd == pytest.approx(1000 * 2.0 * 6.4 / (8.0 * 64))


def test_what_was_typed_for_one_kind_is_there_again_after_a_look_at_the_other(measured: Measured) -> None:
    page = open_page("profiles")
    number(page, "Pitch").set_value(23.0).run()
    page.radio[0].set_value("downward").run()
    page.radio[0].set_value("forward").run()
    assert number(page, "Pitch").value == 23.0


def test_four_points_find_the_camera_that_saw_them(measured: Measured) -> None:
    from app.components.profile_four_points import START_M
    from tests.unit.web.photo_rows import on_photo

    page = open_page("profiles")
    page.radio[1].set_value("Four points on the road").run()
    ahead = 4.0
    seen = on_photo([[x, y / 6 + ahead] for x, y in START_M])
    for point, (pixels, (_, y)) in enumerate(zip(seen, START_M, strict=True)):
        number(page, f"Point {point + 1} x").set_value(pixels[0])
        number(page, f"Point {point + 1} y").set_value(pixels[1])
        number(page, f"Point {point + 1} ahead").set_value(y / 6)
    number(page, "Coarsest GSD").set_value(60.0).run()
    assert not page.error
    words = said(page).replace("\\", "")
    assert "Height 2.00 m · Pitch 20.0" in words or "Height 2.00 m · Pitch 19.9" in words
    page.radio[1].set_value("Height and angles").run()
    assert number(page, "Height above the road").value == pytest.approx(2.0, abs=0.02)
    assert number(page, "Pitch").value == pytest.approx(20.0, abs=0.2)


def test_points_that_fit_no_camera_are_said_and_stay(measured: Measured) -> None:
    page = open_page("profiles")
    page.radio[1].set_value("Four points on the road").run()
    number(page, "Point 3 x").set_value(100.0)
    number(page, "Point 4 x").set_value(600.0).run()
    assert page.error and not page.exception
    assert number(page, "Point 3 x").value == 100.0


def test_a_calibration_is_queued_once_and_watched(measured: Measured, filled: Filled) -> None:
    page = open_page("profiles", survey=filled.survey)
    width = number(page, "Lane width")
    width.set_value(9.0)
    button(page, "Calibrate from").click().run()
    assert "A lane 9 m wide is not possible" in said(page)
    number(page, "Lane width").set_value(3.5)
    button(page, "Calibrate from").click().run()
    assert not page.exception
    with reading() as session:
        jobs = session.scalars(select(Job).where(Job.kind == JobKind.CALIBRATE_CAMERA)).all()
        assert [job.parameters["lane_width_m"] for job in jobs] == [3.5]
    found = profile_data.last_calibration(filled.survey)
    assert found is not None and found["parameters"]["name"] == "Camera of May"
    assert profile_data.last_calibration(filled.foreign_survey) is None


def test_what_calibration_found_is_shown_with_its_uncertainty_until_a_value_changes(
    measured: Measured,
) -> None:
    calibration = {
        "profile": FORWARD.as_dict(),
        "uncertainty": {"pitch_deg": 0.31, "height_m": 0.04},
        "frames_used": 41,
        "notes": ["The focal length was given."],
    }
    actor = current_actor()
    saved = profile_actions.save_profile(actor, "Found", "forward", FORWARD.as_dict(), calibration)
    page = open_page("profiles", profile=saved)
    table = page.table[-1].value
    assert table.loc["Pitch", "Uncertainty (one sigma)"] == "± 0.31"
    assert "From 41 photos" in said(page) and "The focal length was given" in said(page).replace("\\", "")
    button(page, "Save version 2").click().run()
    number(page, "Yaw").set_value(1.0).run()
    button(page, "Save version 3").click().run()
    with reading() as session:
        rows = session.scalars(select(CameraProfile).where(CameraProfile.name == "Found")).all()
        assert [row.calibration is not None for row in rows] == [True, True, False]


def test_the_survey_links_to_the_cameras_with_its_own_profile_opened(measured: Measured) -> None:
    actor = current_actor()
    used = profile_actions.save_profile(actor, "Ours", "forward", FORWARD.as_dict())
    profile_actions.save_profile(actor, "Another, newer", "forward", FORWARD.as_dict())
    with reading() as session:
        survey_id = session.scalars(select(Survey.id)).first()
    assert survey_id is not None
    profile_actions.use_profile(actor, survey_id, used)
    survey = open_page("survey", survey=survey_id)
    link = next(found.proto for found in survey.get("page_link") if found.proto.label == "Cameras")
    where = {name: int(ids[0]) for name, ids in parse_qs(link.query_string).items()}
    assert where == {"survey": survey_id, "profile": used}
    page = open_page("profiles", **where)
    assert not page.error
    assert "Ours" in [box.value for box in page.text_input]


def test_another_agencys_profiles_are_not_listed(measured: Measured, filled: Filled) -> None:
    with reading() as session:
        theirs = session.get_one(Survey, filled.foreign_survey).agency_id
    with transaction() as session:
        session.add(
            CameraProfile(
                agency_id=theirs, name="Secret", version=1, kind="forward", parameters=FORWARD.as_dict()
            )
        )
    assert [row["name"] for row in profile_data.profiles()] == ["Front"]
    assert profile_data.preview_photos(filled.foreign_survey) == []


def test_the_lane_is_drawn_where_the_profile_has_it() -> None:
    lane = photo_lines(FORWARD)[-1]
    x = to_ground(FORWARD, lane["points"])[:, 0]
    assert (x.min(), x.max()) == pytest.approx((-1.5, 1.5), abs=0.02)
    frame = preview_frame(FORWARD)
    columns = [point[0] for point in ground_lines(FORWARD, frame)[-1]["points"]]
    pitch = frame.gsd_mm_per_px / 1000
    assert frame.left_m + min(columns) * pitch == pytest.approx(-1.5, abs=0.01)
    assert frame.left_m + max(columns) * pitch == pytest.approx(1.5, abs=0.01)
    assert "rectified-preview?kind=forward&parameters=%7B" in preview_address(5, FORWARD)


def test_errors_name_inputs_not_variables() -> None:
    assert "pitch" not in in_words("pitch_deg is 3; lane_left_m too.")
    assert in_words("pitch_deg is 3").startswith("Pitch is")


def test_a_lane_polygon_is_the_surveyed_lane_and_can_be_taken_away(measured: Measured) -> None:
    page = open_page("profiles")
    next(box for box in page.checkbox if "polygon" in box.label).check().run()
    assert not page.error and not page.exception
    button(page, "Save version 2").click().run()
    corners = versions()[-1][3]["lane_polygon_px"]
    assert len(corners) == 4
    profile = replace(FORWARD, lane_polygon_px=tuple((x, y) for x, y in corners))
    lane = np.array(photo_lines(profile)[-1]["points"])
    inside = shapely.Polygon(corners).buffer(2)
    assert len(lane) > 20 and all(inside.contains(shapely.Point(point)) for point in lane)
    next(box for box in page.checkbox if "polygon" in box.label).uncheck().run()
    button(page, "Save version 3").click().run()
    assert versions()[-1][3]["lane_polygon_px"] is None


def test_a_surveys_name_goes_into_the_cameras_as_it_is(measured: Measured, filled: Filled) -> None:
    with transaction() as session:
        session.get_one(Survey, filled.survey).name = "BR-290 *north*"
    page = open_page("profiles", survey=filled.survey)
    assert "Camera of BR-290 *north*" in [box.value for box in page.text_input]
