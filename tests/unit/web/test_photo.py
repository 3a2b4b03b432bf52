"""The photo page: distresses over the photo and over its rectified picture, and what is said of them."""

import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sqlalchemy import update
from starlette.testclient import TestClient

from app import photo_data
from app.components.distress_overlay import (
    ground_grid,
    overlay_legend,
    overlay_shapes,
    road_outline,
)
from app.components.photo_measurements import quantity_table, width_words
from app.rectified_pictures import at_most, preview_frame
from db.models import AnalysisResult, CameraProfile, SurveyImage
from db.session import transaction
from engine.geometry import DownwardProfile, GroundFrame, plan_frame, to_ground, to_image
from engine.severity import D6433, LTPP
from engine.vocabulary import DistressType, Severity
from tests.unit.web.photo_rows import FORWARD, Measured, distress, measure_ahead
from tests.unit.web.rows import Filled
from tests.unit.web.test_pages import open_page, said


@pytest.fixture
def measured(filled: Filled) -> Measured:
    return measure_ahead(filled)


def frame_to_ground(points: list[list[float]], frame: GroundFrame) -> np.ndarray:
    """By the definition of the rectified picture: column = (x - left) / gsd, row = (far - y) / gsd."""
    pixels = np.array(points) * frame.gsd_mm_per_px / 1000
    return np.column_stack([frame.left_m + pixels[:, 0], frame.far_m - pixels[:, 1]])


def test_a_line_lies_on_the_same_road_in_both_pictures() -> None:
    frame = plan_frame(FORWARD)
    row = distress(DistressType.LONGITUDINAL, Severity.LOW, [[-0.8, 4.0], [0.3, 5.5]])
    shape = overlay_shapes([row], frame)[0]
    seen = to_image(FORWARD, frame_to_ground(shape["ground_lines"][0], frame))
    assert seen == pytest.approx(np.array(shape["lines"][0]), abs=0.3)
    assert shape["title"] == "Longitudinal crack" and shape["grade"] == "Low severity"
    assert shape["facts"] == ["1.50 m long", "mean width 12.0 mm", "Left wheel path"]


def test_without_metres_a_shape_is_told_in_pixels_and_has_no_place_on_the_road() -> None:
    row = distress(DistressType.CRACK, Severity.LOW, [[0.0, 4.0], [0.0, 5.0]])
    row |= {"polylines_m": None, "widths_mm": None, "length_m": None, "severity": None, "zone": None}
    shape = overlay_shapes([row], None)[0]
    assert shape["ground_lines"] == [] and shape["widths"] == [] and shape["grade"] == ""
    assert shape["facts"] == ["300 px long", "mean width 2.0 px"]


def test_the_legend_has_what_occurs_and_a_stroke_of_its_own_for_each_severity() -> None:
    line = [[0.0, 4.0], [0.0, 5.0]]
    rows = [distress(DistressType.TRANSVERSE, severity, line) for severity in Severity]
    legend = overlay_legend(rows)
    assert [(kind["kind"], kind["count"]) for kind in legend["kinds"]] == [("transverse", 4)]
    strokes = {(row["width"], row["dash"]) for row in legend["severities"]}
    assert len(strokes) == len(Severity)


def test_the_grid_lies_at_whole_steps_on_the_road_in_both_pictures() -> None:
    frame = plan_frame(FORWARD)
    grid = ground_grid(FORWARD, frame)
    assert {line["across"] for line in grid} == {True, False}
    for line in grid:
        axis = 1 if line["across"] else 0
        told = float(line["label"])
        assert to_ground(FORWARD, np.array(line["photo"]))[:, axis] == pytest.approx(told, abs=0.02)
        assert frame_to_ground(line["ground"], frame)[:, axis] == pytest.approx(told, abs=0.01)


def test_the_outline_surrounds_the_frame() -> None:
    frame = plan_frame(FORWARD)
    x, y = to_ground(FORWARD, np.array(road_outline(FORWARD, frame))).T
    assert (x.min(), x.max()) == pytest.approx((frame.left_m, frame.right_m), abs=0.02)
    assert (y.min(), y.max()) == pytest.approx((frame.near_m, frame.far_m), abs=0.05)


@settings(max_examples=60, deadline=None)
@given(st.integers(40, 900), st.integers(40, 900), st.floats(0.3, 9), st.integers(500, 200_000))
def test_a_coarser_frame_covers_the_same_road(width: int, height: int, gsd: float, most: int) -> None:
    profile = DownwardProfile(width, height, gsd_mm_per_px=gsd)
    frame = plan_frame(profile)
    small = at_most(frame, most)
    assert small.width_px * small.height_px <= most or small == frame
    half, new = frame.gsd_mm_per_px / 2000, small.gsd_mm_per_px / 2000
    assert small.left_m - new == pytest.approx(frame.left_m - half, abs=1e-9)
    assert small.far_m + new == pytest.approx(frame.far_m + half, abs=1e-9)
    assert small.right_m + new == pytest.approx(frame.right_m + half, abs=1e-9)
    # At most one row less, at the near end.
    assert -1e-9 <= (small.near_m - new) - (frame.near_m - half) <= 2 * new + 1e-9


def picture(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def test_the_rectified_picture_is_the_frame_and_comes_again_only_when_changed(
    client: TestClient, measured: Measured
) -> None:
    address = f"/api/photos/{measured.photo}/rectified/original"
    answer = client.get(address)
    assert answer.headers["content-type"] == "image/jpeg"
    pixels = picture(answer.content)
    assert pixels.shape == (measured.frame.height_px, measured.frame.width_px, 3)
    # The photo is darker on the left: so is the road.
    assert pixels[-20, -20, 0] > pixels[-20, 20, 0] + 20
    assert client.get(address, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    with transaction() as session:
        part = plan_frame(FORWARD, (4.0, 5.0)).as_dict()
        session.execute(
            update(AnalysisResult).where(AnalysisResult.id == measured.result).values(ground=part)
        )
    again = client.get(address, headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 200 and picture(again.content).shape[0] == part["height_px"]


def test_what_was_found_is_rectified_like_the_photo(client: TestClient, measured: Measured) -> None:
    answer = client.get(f"/api/photos/{measured.photo}/rectified/overlay")
    with Image.open(io.BytesIO(answer.content)) as image:
        opaque = np.asarray(image.convert("RGBA"))[..., 3] > 0
    rows, columns = np.nonzero(opaque)
    ground = frame_to_ground(np.column_stack([columns, rows]).tolist(), measured.frame)
    seen = to_image(FORWARD, ground)
    assert seen[:, 0].min() > 298 and seen[:, 0].max() < 307
    assert client.get(f"/api/photos/{measured.photo}/rectified/probability").status_code == 200


def test_what_is_not_there_or_another_agencys_has_no_rectified_picture(
    client: TestClient, measured: Measured, filled: Filled
) -> None:
    kinds = ("rectified/original", "rectified/overlay", "rectified-preview?kind=downward&parameters={}")
    for kind in kinds:
        denied, absent = (client.get(f"/api/photos/{n}/{kind}") for n in (filled.foreign_photo, 987_654))
        assert denied.status_code == absent.status_code == 404 and denied.content == absent.content
    # Measured before there were camera profiles; and a kind that is none.
    assert client.get(f"/api/photos/{filled.photos[1]}/rectified/original").status_code == 404
    assert client.get(f"/api/photos/{measured.photo}/rectified/secret").status_code == 404


def test_a_photo_of_another_shape_than_its_camera_is_told_not_drawn(
    client: TestClient, measured: Measured
) -> None:
    with transaction() as session:
        session.execute(update(SurveyImage).where(SurveyImage.id == measured.photo).values(height_px=500))
    answer = client.get(f"/api/photos/{measured.photo}/rectified/original")
    assert answer.status_code == 422 and "640 x 500" in answer.json()["error"]
    assert "640 x 500" in said(open_page("photo", photo=measured.photo)).replace("\\", "")


def test_a_profile_that_is_not_saved_is_tried_on_a_photo(client: TestClient, measured: Measured) -> None:
    address = f"/api/photos/{measured.photo}/rectified-preview"
    answer = client.get(address, params={"kind": "forward", "parameters": json.dumps(FORWARD.as_dict())})
    frame = preview_frame(FORWARD)
    assert picture(answer.content).shape == (frame.height_px, frame.width_px, 3)
    assert frame.left_m < FORWARD.lane_left_m and frame.right_m > FORWARD.lane_right_m


@pytest.mark.parametrize(
    "parameters",
    [
        "",
        "[]",
        "{",
        '{"width_px": 640}',
        json.dumps(FORWARD.as_dict() | {"pitch_deg": -30}),
        "9" * 7000,
        "[" * 5000,
    ],
)
def test_values_that_make_no_camera_are_refused(
    client: TestClient, measured: Measured, parameters: str
) -> None:
    asked = {"kind": "forward", "parameters": parameters}
    answer = client.get(f"/api/photos/{measured.photo}/rectified-preview", params=asked)
    assert answer.status_code == 422 and answer.json()["remedy"]


def test_the_page_tells_types_zones_formulas_and_what_is_not_measurable(measured: Measured) -> None:
    page = open_page("photo", photo=measured.photo)
    assert not page.error
    table = page.table[0].value
    assert list(table.columns) == ["On the road"]
    assert table.loc["HPMS cracking", "On the road"] == "8 %"
    assert table.loc["Unified Crack Index", "On the road"] == "10 % of 90 tiles"
    shown = next(frame.value for frame in page.dataframe if "Zone" in frame.value)
    assert list(shown["Type"]) == ["Longitudinal", "Alligator"]
    assert list(shown["Severity"]) == ["Medium", "Not measurable"]
    words = said(page)
    assert "Severity is not measurable at this GSD" in words and "D6433" in words
    formulas = next(table.value for table in page.table if "Formula" in table.value)
    assert "23 CFR" in formulas.loc["HPMS cracking", "Standard"]
    assert "Front, version 1" in str(page.table[-1].value)


def test_a_profile_that_this_version_cannot_read_costs_only_the_rectified_view(measured: Measured) -> None:
    with transaction() as session:
        session.execute(update(CameraProfile).values(parameters={"width_px": 640, "height_px": 400}))
    page = open_page("photo", photo=measured.photo)
    assert "is missing" in said(page).replace("\\", "")
    assert page.table[0].value.loc["Surveyed area", "On the road"] == "8.00 m²"


def test_quantities_are_in_the_order_of_types_and_severities() -> None:
    def row(kind: DistressType, severity: Severity) -> dict[str, object]:
        return {"kind": kind.value, "severity": severity.value, "zone": None, "count": 1, "length_m": 1.0,
                "area_m2": 0.1, "mean_width_mm": None}  # fmt: skip

    table = quantity_table(
        [
            row(DistressType.ALLIGATOR, Severity.LOW),
            row(DistressType.LONGITUDINAL, Severity.HIGH),
            row(DistressType.LONGITUDINAL, Severity.LOW),
        ]
    )
    assert list(table["Type"] + " " + table["Severity"]) == [
        "Longitudinal Low",
        "Longitudinal High",
        "Alligator Low",
    ]
    assert list(table["Mean width"]) == ["–"] * 3


def test_a_result_without_distresses_reads_empty(filled: Filled) -> None:
    assert photo_data.distresses(None) == [] and photo_data.quantities(None) == []


def test_fine_widths_are_told_as_upper_bounds_where_a_severity_may_hang_on_them() -> None:
    coarse, fine = width_words(2.0, D6433), width_words(1.0, D6433)
    assert "up to 10 mm (5 px) are upper bounds" in coarse and "just over 10 mm, graded medium" in coarse
    assert "up to 5 mm (5 px)" in fine and "medium" not in fine
    assert "just over 6 mm" in width_words(2.0, LTPP)
