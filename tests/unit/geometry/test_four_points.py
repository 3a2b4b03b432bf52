"""A camera found from four points of the road that were clicked in a photo."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.errors import CalibrationError
from engine.geometry import ForwardProfile, forward_from_four_points, to_image, visible_range_m

CAMERA = ForwardProfile(1280, 960, 1100.0, 1.9, 18.0, 1.0, -2.0, lane_left_m=-1.6, lane_right_m=2.0)
CORNERS_M = np.array([[-1.6, 3.4], [-1.6, 11.0], [2.0, 11.0], [2.0, 4.0]])


def between(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False)


@settings(max_examples=30, deadline=None)
@given(
    between(800, 2000),
    between(1.2, 3.5),
    between(8, 30),
    between(-4, 4),
    between(-6, 6),
    st.sampled_from([0.0, -0.15, 0.1]),
    st.booleans(),
    st.tuples(between(-500, 500), between(-500, 500)),
)
def test_a_known_camera_is_found(
    focal: float,
    height: float,
    pitch: float,
    roll: float,
    yaw: float,
    k1: float,
    knows_focal: bool,
    origin: tuple[float, float],
) -> None:
    try:
        camera = replace(
            CAMERA, focal_px=focal, height_m=height, pitch_deg=pitch, roll_deg=roll, yaw_deg=yaw, k1=k1
        )
        near, _far = visible_range_m(camera)
    except CalibrationError:
        assume(False)
        raise
    road = np.array([[-1.6, near + 0.5], [-1.6, 3 * near], [2.0, 3 * near], [2.0, near + 0.3]])
    pixels = to_image(camera, road)
    assume(((pixels > 0) & (pixels < (1280, 960))).all())
    found = forward_from_four_points(
        pixels, road + origin, 1280, 960, focal_px=focal if knows_focal else None, k1=k1
    )
    assert found.focal_px == pytest.approx(focal, rel=1e-3)
    assert found.height_m == pytest.approx(height, rel=1e-3)
    angles = (found.pitch_deg, found.roll_deg, found.yaw_deg)
    assert angles == pytest.approx((pitch, roll, yaw), abs=0.02)
    assert (found.lane_left_m, found.lane_right_m) == pytest.approx((-1.6, 2.0), abs=0.005)


def test_clicks_that_miss_by_a_pixel_move_the_camera_little() -> None:
    pixels = to_image(CAMERA, CORNERS_M)
    rng = np.random.default_rng(4)
    heights = [
        forward_from_four_points(
            pixels + rng.normal(0, 1, (4, 2)), CORNERS_M, 1280, 960, focal_px=1100.0
        ).height_m
        for _ in range(10)
    ]
    assert heights == pytest.approx([1.9] * 10, rel=0.03)


def test_the_lane_may_be_wider_than_the_points() -> None:
    # Points laid out from a corner of their own.
    found = forward_from_four_points(
        to_image(CAMERA, CORNERS_M),
        CORNERS_M + np.array([1.6, -3.4]),
        1280,
        960,
        lane_left_m=-0.2,
        lane_right_m=3.8,
        largest_gsd_mm_per_px=25.0,
    )
    assert (found.lane_left_m, found.lane_right_m) == pytest.approx((-1.8, 2.2), abs=0.01)
    assert found.largest_gsd_mm_per_px == 25


PIXELS = to_image(CAMERA, CORNERS_M)


@pytest.mark.parametrize(
    ("pixels", "metres", "named"),
    [
        (PIXELS[[0, 2, 1, 3]], CORNERS_M[[0, 2, 1, 3]], "cross"),
        (PIXELS, CORNERS_M[[0, 2, 1, 3]], "points_m cross"),
        (np.array([[0, 0], [100, 100], [200, 200], [300, 0]]), CORNERS_M, "points_px: three of the four"),
        (PIXELS, np.array([[0, 0], [0, 5], [0, 9], [3, 0]]), "points_m: three of the four"),
        (PIXELS, np.zeros((4, 2)), "points_m: three of the four"),
        (PIXELS[:3], CORNERS_M[:3], "points_px are not four"),
        (PIXELS, np.where(CORNERS_M == 2.0, np.nan, CORNERS_M), "points_m are not four"),
        (PIXELS, "corners", "points_m are not four"),
        (PIXELS[::-1], CORNERS_M, "opposite directions"),
        (PIXELS, CORNERS_M * [-1, 1], "opposite directions"),
        (PIXELS, CORNERS_M * 1e4, "m high"),
        (PIXELS[[1, 2, 3, 0]], CORNERS_M, "points"),
        (PIXELS[::-1] * [1, -1] + [0, 960], CORNERS_M, "points"),
    ],
)
def test_points_of_no_camera_are_refused(pixels: Any, metres: Any, named: str) -> None:
    with pytest.raises(CalibrationError) as refused:
        forward_from_four_points(pixels, metres, 1280, 960)
    assert named in refused.value.what + refused.value.remedy
    assert refused.value.remedy.endswith(".")


def test_other_values_are_checked_too() -> None:
    for values, named in (
        ({"focal_px": -5}, "focal_px"),
        ({"k1": float("nan")}, "k1"),
        ({"near_m": 80}, "near_m"),
    ):
        with pytest.raises(CalibrationError, match=named):
            forward_from_four_points(PIXELS, CORNERS_M, 1280, 960, **values)  # type: ignore[arg-type]
    with pytest.raises(CalibrationError, match="lane_left_m"):
        forward_from_four_points(PIXELS, CORNERS_M, 1280, 960, lane_left_m=3.0, lane_right_m=1.0)
