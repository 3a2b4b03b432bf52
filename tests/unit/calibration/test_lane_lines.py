"""Painted lines, the vanishing point and the lane's polygon on rendered roads of known camera."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from engine.camera_profiles import ForwardProfile
from engine.errors import CalibrationError
from engine.geometry import lane_mask, to_image
from engine.lane_markings import LaneLine, find_lane_lines, meeting_point, vanishing_point
from engine.lane_polygon import estimate_lane_polygon, lane_edges, vanishing_point_of
from engine.self_calibration import self_calibrate
from tests.unit.calibration.conftest import render_road

CHAINAGES = [100 + 7.0 * index for index in range(6)]


def filled(polygon: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.round(polygon * 256).astype(np.int32)], 1, shift=8)
    return mask > 0


def iou(first: np.ndarray, second: np.ndarray) -> float:
    return float((first & second).sum() / (first | second).sum())


def line(slope: float, offset: float, *, contrast: float = 100.0, rows_share: float = 0.6) -> LaneLine:
    same = (slope, offset)
    return LaneLine(same, same, same, 100.0, 380.0, rows_share, contrast, 0.5)


def test_paint_edges_are_found_to_a_pixel(camera: ForwardProfile) -> None:
    frame = render_road(camera, [100.0])[0]
    point = vanishing_point_of(camera)
    found = find_lane_lines(frame, vanishing_point=point)

    def off(side: str, place_m: tuple[float, float]) -> float:
        x, row = to_image(camera, np.array([place_m]))[0]
        return float(min(abs(getattr(each, side)[0] * row + getattr(each, side)[1] - x) for each in found))

    # The edge line anywhere, the centre line within its dash.
    assert off("left", (1.7, 6.0)) < 1.0
    assert off("right", (1.82, 6.0)) < 1.0
    assert off("left", (-2.02, 5.0)) < 1.5
    assert off("right", (-1.9, 5.0)) < 1.5


def test_lines_keep_their_place_in_a_larger_photo(camera: ForwardProfile) -> None:
    frame = render_road(camera, [100.0])[0]
    large = cv2.resize(frame, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    longest, longest_large = find_lane_lines(frame)[0], find_lane_lines(large)[0]
    row = 300.0
    x = longest.centre[0] * row + longest.centre[1]
    x_large = longest_large.centre[0] * ((row + 0.5) * 4 - 0.5) + longest_large.centre[1]
    assert (x_large + 0.5) / 4 - 0.5 == pytest.approx(x, abs=1.0)


def test_vanishing_point_lies_where_the_camera_says(camera: ForwardProfile) -> None:
    frames = render_road(camera, CHAINAGES)
    found = vanishing_point(frames, resamples=20)
    x, y = vanishing_point_of(camera) or (np.nan, np.nan)
    assert (found.x_px, found.y_px) == (pytest.approx(x, abs=4), pytest.approx(y, abs=4))
    assert 0 < found.x_sigma_px < 4
    assert found.frames == 6


def test_meeting_point_forgives_lines_that_lead_elsewhere() -> None:
    good = [line(slope, 300 - slope * 40) for slope in (-0.9, 0.8)]
    stray = line(0.3, 10.0)
    x, y = meeting_point([[*good, stray] if index % 2 else good for index in range(6)])
    assert (x, y) == (pytest.approx(300, abs=3), pytest.approx(40, abs=3))


def test_of_faint_and_strong_lines_the_lane_takes_the_paint() -> None:
    def to(slope: float, contrast: float) -> LaneLine:
        return line(slope, 300 - slope * 40, contrast=contrast)

    # A faint seam in mid-lane, the lane's paint, and the far side of the next lane.
    frames = [[to(0.2, 10), to(0.8, 100), to(-0.9, 90), to(-2.4, 100)] for _ in range(5)]
    edges = lane_edges(frames, (300.0, 40.0))
    assert (edges.left, edges.right) == (pytest.approx(-0.9), pytest.approx(0.8))


def test_of_a_double_line_the_nearer_one_bounds_the_lane() -> None:
    def to(slope: float) -> LaneLine:
        return line(slope, 300 - slope * 40)

    frames = [[to(0.8), to(-0.9), to(-1.0)] for _ in range(5)]
    assert lane_edges(frames, (300.0, 40.0)).left == pytest.approx(-0.9)


def test_polygon_follows_the_lane_of_each_frame(camera: ForwardProfile) -> None:
    wander = [0.0, 0.2, -0.2, 0.1, -0.1, 0.0]
    left = [True, True, False, True, True, True]
    frames = render_road(camera, CHAINAGES, wander_m=wander, left=left)
    found = estimate_lane_polygon(camera, frames)
    assert (found.left_m, found.right_m) == (pytest.approx(-1.9, abs=0.1), pytest.approx(1.7, abs=0.1))
    assert not found.frame_clear[2]
    assert found.frame_clear[[0, 1, 3]].all()
    for polygon, off in zip(found.frame_polygons_px, wander, strict=True):
        truth = lane_mask(replace(camera, lane_left_m=-1.9 - off, lane_right_m=1.7 - off))
        assert iou(filled(polygon, truth.shape), truth) > 0.93


def test_polygon_and_calibration_follow_a_lens_that_bends_lines(camera: ForwardProfile) -> None:
    truth = replace(camera, k1=-0.2, k2=0.03)
    frames = render_road(truth, CHAINAGES)
    found = self_calibrate(frames, focal_px=truth.focal_px, k1=truth.k1, k2=truth.k2, resamples=0).profile
    assert (found.k1, found.k2) == (truth.k1, truth.k2)
    assert found.pitch_deg == pytest.approx(truth.pitch_deg, abs=0.4)
    assert iou(lane_mask(found), lane_mask(truth)) > 0.93
    polygon = estimate_lane_polygon(truth, frames).polygon_px
    assert iou(filled(polygon, (400, 640)), lane_mask(truth)) > 0.93


def test_polygon_needs_no_profile(camera: ForwardProfile) -> None:
    found = estimate_lane_polygon(None, render_road(camera, CHAINAGES))
    assert found.left_m is None
    assert iou(filled(found.polygon_px, (400, 640)), lane_mask(camera)) > 0.9


def test_profile_takes_the_polygon(camera: ForwardProfile) -> None:
    found = estimate_lane_polygon(camera, render_road(camera, CHAINAGES[:3]))
    corners = tuple((float(x), float(y)) for x, y in found.polygon_px)
    drawn = lane_mask(replace(camera, lane_polygon_px=corners))
    assert iou(drawn, lane_mask(camera)) > 0.9


def test_no_paint_is_said() -> None:
    plain = np.random.default_rng(0).normal(90, 5, (200, 320, 3)).clip(0, 255).astype(np.uint8)
    with pytest.raises(CalibrationError, match="No two lane markings"):
        vanishing_point([plain] * 3)
