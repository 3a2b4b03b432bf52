"""What self-calibration recovers of a rendered road's camera, and what it says where it cannot."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.camera_profiles import ForwardProfile
from engine.errors import CalibrationError
from engine.pavement import procedural_pavement
from engine.self_calibration import self_calibrate
from jobs.calibrating import run_numbers
from tests.unit.calibration.conftest import render_road

CHAINAGES = [100 + 4.0 * index for index in range(8)]
WANDER = [0.0, 0.1, 0.15, 0.05, -0.05, -0.1, -0.05, 0.0]


def assert_near(
    found: ForwardProfile, truth: ForwardProfile, *, deg: float, share: float, edge_m: float
) -> None:
    assert found.pitch_deg == pytest.approx(truth.pitch_deg, abs=deg)
    assert found.yaw_deg == pytest.approx(truth.yaw_deg, abs=deg)
    assert found.height_m == pytest.approx(truth.height_m, rel=share)
    assert found.lane_left_m == pytest.approx(truth.lane_left_m, abs=edge_m)
    assert found.lane_right_m == pytest.approx(truth.lane_right_m, abs=edge_m)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"pitch_deg": 6.0, "height_m": 1.5, "lane_left_m": -1.7, "lane_right_m": 1.9},
        {"pitch_deg": 24.0, "yaw_deg": -4.0, "height_m": 2.8},
    ],
)
def test_camera_is_recovered_with_a_known_focal_length(
    camera: ForwardProfile, change: dict[str, float]
) -> None:
    truth = replace(camera, **change)  # type: ignore[arg-type]
    frames = render_road(truth, CHAINAGES, wander_m=WANDER)
    found = self_calibrate(frames, focal_px=truth.focal_px, resamples=20)
    assert_near(found.profile, truth, deg=0.4, share=0.02, edge_m=0.1)
    assert found.profile.focal_px == truth.focal_px
    assert "focal_px" not in found.uncertainty
    assert found.uncertainty["pitch_deg"] < 0.6


def test_focal_length_and_roll_come_from_flow(camera: ForwardProfile) -> None:
    truth = replace(camera, focal_px=720.0, roll_deg=2.0)
    jolts = [0.0, 0.1, -0.1, 0.05, 0.0, -0.1, 0.1, 0.0]
    frames = render_road(truth, CHAINAGES, wander_m=WANDER, jolt_deg=jolts)
    found = self_calibrate(frames, chainages_m=CHAINAGES, resamples=20)
    assert found.profile.focal_px == pytest.approx(720, rel=0.05)
    assert found.profile.roll_deg == pytest.approx(2.0, abs=0.6)
    assert_near(found.profile, truth, deg=0.8, share=0.03, edge_m=0.12)
    assert 0 < found.uncertainty["focal_px"] < 60
    assert {"pitch_deg", "roll_deg", "yaw_deg", "height_m"} <= set(found.uncertainty)


def test_distances_scale_the_focal_length_not_the_lane(camera: ForwardProfile) -> None:
    frames = render_road(camera, CHAINAGES)
    near = self_calibrate(frames, chainages_m=CHAINAGES, resamples=0).profile
    far = self_calibrate(frames, chainages_m=[1.1 * place for place in CHAINAGES], resamples=0).profile
    assert far.focal_px > 1.05 * near.focal_px
    assert far.lane_right_m - far.lane_left_m == pytest.approx(3.6)  # type: ignore[operator]


def test_height_follows_the_lane_width(camera: ForwardProfile) -> None:
    frames = render_road(camera, CHAINAGES[:4])
    narrow = self_calibrate(frames, focal_px=600, lane_width_m=3.0, resamples=0).profile
    wide = self_calibrate(frames, focal_px=600, lane_width_m=3.6, resamples=0).profile
    assert wide.height_m == pytest.approx(1.2 * narrow.height_m)
    assert wide.pitch_deg == pytest.approx(narrow.pitch_deg)


def test_paint_missing_in_some_frames_does_no_harm(camera: ForwardProfile) -> None:
    left = [index % 3 != 0 for index in range(8)]
    right = [index != 4 for index in range(8)]
    frames = render_road(camera, CHAINAGES, wander_m=WANDER, left=left, right=right)
    found = self_calibrate(frames, focal_px=camera.focal_px, resamples=10)
    assert_near(found.profile, camera, deg=0.5, share=0.03, edge_m=0.12)


def test_gentle_bend_costs_little(camera: ForwardProfile) -> None:
    frames = render_road(camera, CHAINAGES, bend_per_m=1 / 1500)
    found = self_calibrate(frames, focal_px=camera.focal_px, resamples=10)
    assert_near(found.profile, camera, deg=1.0, share=0.05, edge_m=0.2)


def test_frames_far_apart_leave_roll_and_focal_length_assumed(camera: ForwardProfile) -> None:
    places = [100 + 61.0 * index for index in range(6)]
    frames = render_road(camera, places, wander_m=WANDER[:6])
    found = self_calibrate(frames, chainages_m=places, resamples=10)
    assert found.profile.focal_px == camera.width_px
    assert found.profile.roll_deg == pytest.approx(0, abs=1e-9)
    assert not {"roll_deg", "focal_px"} & set(found.uncertainty)
    notes = " ".join(found.notes)
    assert "Roll was taken as 0" in notes
    assert "trades off against pitch and height" in notes
    # What the assumption cannot spoil: the lane across.
    assert found.profile.lane_right_m == pytest.approx(1.7, abs=0.12)


def test_flow_is_sought_only_between_photos_that_follow_each_other(camera: ForwardProfile) -> None:
    frames = render_road(camera, CHAINAGES[:6], wander_m=WANDER[:6])
    how = {"focal_px": camera.focal_px, "chainages_m": CHAINAGES[:6], "resamples": 0}
    assert self_calibrate(frames, **how).pairs_used > 3  # type: ignore[arg-type]
    found = self_calibrate(frames, runs=[0, 0, 1, 1, 2, 3], **how)  # type: ignore[arg-type]
    assert 0 < found.pairs_used <= 2
    with pytest.raises(CalibrationError, match="2 numbers of runs for 6"):
        self_calibrate(frames, runs=[0, 1], **how)  # type: ignore[arg-type]


def test_a_photo_that_is_left_out_or_on_another_road_begins_a_run() -> None:
    assert run_numbers([4, 5, 6, 20, 22, 23], [1, 1, 1, 1, 1, 1]) == [0, 0, 0, 1, 2, 2]
    assert run_numbers([4, 5, 6, 7], [1, 2, None, None]) == [0, 1, 2, 2]
    assert run_numbers([], []) == []


@pytest.mark.parametrize(("left", "right"), [(False, False), (True, False), (False, True)])
def test_road_without_paint_on_both_sides_is_refused(camera: ForwardProfile, left: bool, right: bool) -> None:
    frames = render_road(camera, CHAINAGES[:4], left=left, right=right)
    with pytest.raises(CalibrationError) as refused:
        self_calibrate(frames, focal_px=600)
    assert "four points" in refused.value.remedy


def test_same_frames_give_the_same_answer(camera: ForwardProfile) -> None:
    frames = render_road(camera, CHAINAGES[:5])
    first, second = (self_calibrate(frames, focal_px=600, resamples=5, seed=3) for _ in range(2))
    assert first.as_dict() == second.as_dict()
    assert ForwardProfile(**first.as_dict()["profile"]) == first.profile


def blank(count: int, shape: tuple[int, ...] = (64, 96, 3)) -> list[NDArray[np.uint8]]:
    return [np.zeros(shape, np.uint8) for _ in range(count)]


@pytest.mark.parametrize(
    ("frames", "options", "said"),
    [
        (blank(2), {}, "too few"),
        (blank(3) + blank(1, (64, 100, 3)), {}, "different sizes"),
        (blank(4), {"lane_width_m": 0.0}, "lane_width_m"),
        (blank(4), {"lane_width_m": float("nan")}, "lane_width_m"),
        (blank(4), {"chainages_m": [1.0, 2.0]}, "2 chainages for 4 frames"),
        (blank(4), {"k1": -0.1}, "focal_px is missing"),
        (blank(4), {"focal_px": -5.0}, "focal_px"),
        (blank(4), {}, "No two lane markings"),
    ],
)
def test_what_makes_no_sense_is_refused(
    frames: list[NDArray[np.uint8]], options: dict[str, float], said: str
) -> None:
    with pytest.raises(CalibrationError, match=said):
        self_calibrate(frames, **options)  # type: ignore[arg-type]


def test_pavement_without_paint_gives_no_camera() -> None:
    generator = np.random.default_rng(3)
    frames = [procedural_pavement(generator, 240, 360) for _ in range(6)]
    with pytest.raises(CalibrationError, match="four points"):
        self_calibrate(frames, resamples=20)
