"""Every value of a camera profile that makes no sense is refused by name, with a remedy."""

from typing import Any

import pytest

from engine.errors import CalibrationError
from engine.geometry import DownwardProfile, profile_from_dict

DOWNWARD = {"width_px": 960, "height_px": 640, "gsd_mm_per_px": 2.0}
FORWARD = {
    "width_px": 1024,
    "height_px": 640,
    "focal_px": 900.0,
    "height_m": 2.4,
    "pitch_deg": 25.0,
    "lane_left_m": -1.5,
    "lane_right_m": 1.9,
}
OPTICS = {"gsd_mm_per_px": None, "height_m": 2.0, "focal_mm": 8.0, "sensor_width_mm": 9.6}


@pytest.mark.parametrize(
    ("kind", "changes", "named"),
    [
        ("sideways", {}, "kind"),
        ("downward", {"gsd_mm_per_px": -2.0}, "gsd_mm_per_px"),
        ("downward", {"gsd_mm_per_px": float("nan")}, "gsd_mm_per_px"),
        ("downward", {"gsd_mm_per_px": None}, "gsd_mm_per_px"),
        ("downward", {"gsd_mm_per_px": "2"}, "gsd_mm_per_px"),
        ("downward", {"gsd_mm_per_px": True}, "gsd_mm_per_px"),
        ("downward", {"width_px": None}, "width_px"),
        ("downward", {"width_px": 960.5}, "width_px"),
        ("downward", {"height_px": 0}, "height_px"),
        ("downward", OPTICS | {"focal_mm": None}, "focal_mm"),
        ("downward", OPTICS | {"height_m": 400.0, "focal_mm": 1.0}, "height_m"),
        ("downward", {"turn_deg": 45}, "turn_deg"),
        ("downward", {"lane_left_m": -0.5}, "lane_right_m"),
        ("downward", {"lane_left_m": 0.5, "lane_right_m": -0.5}, "lane_left_m"),
        ("downward", {"lane_left_m": 5.0, "lane_right_m": 8.0}, "lane_left_m"),
        ("downward", {"k1": -0.1}, "focal_px"),
        ("downward", {"gsd": 2.0}, "gsd"),
        ("forward", {"gsd_mm_per_px": -4.0}, "gsd_mm_per_px"),
        ("forward", {"gsd_mm_per_px": 1.0}, "gsd_mm_per_px"),
        ("forward", {"gsd_mm_per_px": 0.05, "largest_gsd_mm_per_px": 900.0}, "gsd_mm_per_px"),
        ("forward", {"largest_gsd_mm_per_px": 2.0}, "largest_gsd_mm_per_px"),
        ("forward", {"largest_gsd_mm_per_px": float("inf")}, "largest_gsd_mm_per_px"),
        ("forward", {"focal_px": None}, "focal_px"),
        ("forward", {"height_m": 2400.0}, "height_m"),
        ("forward", {"height_m": float("nan")}, "height_m"),
        ("forward", {"pitch_deg": -25.0}, "pitch_deg"),
        ("forward", {"pitch_deg": 95.0}, "pitch_deg"),
        ("forward", {"yaw_deg": 70.0}, "yaw_deg"),
        ("forward", {"k1": -2.0}, "k1"),
        ("forward", {"centre_px": [2000, 10]}, "centre_px"),
        ("forward", {"centre_px": "middle"}, "centre_px"),
        ("forward", {"lane_left_m": None}, "lane_left_m"),
        ("forward", {"lane_left_m": 1.9, "lane_right_m": -1.5}, "lane_left_m"),
        (
            "forward",
            {"lane_left_m": 20.0, "lane_right_m": 23.0, "near_m": None, "pitch_deg": 60.0},
            "lane_left_m",
        ),
        ("forward", {"near_m": 60.0}, "near_m"),
        ("forward", {"lane_polygon_px": [[0, 600], [900, 600], [0, 300], [900, 300]]}, "lane_polygon_px"),
        ("forward", {"lane_polygon_px": [[0, 600], [900, 600]]}, "lane_polygon_px"),
        ("forward", {"lane_polygon_px": [[0, 600], [900, 600], [float("nan"), 0]]}, "lane_polygon_px"),
        ("forward", {"lane_polygon_px": [[0, 600], [900, 600], [400, -200]]}, "lane_polygon_px"),
        ("forward", {"lane_polygon_px": 5}, "lane_polygon_px"),
    ],
)
def test_values_that_make_no_sense(kind: str, changes: dict[str, Any], named: str) -> None:
    parameters = (DOWNWARD if kind == "downward" else FORWARD) | changes
    with pytest.raises(CalibrationError) as refused:
        profile_from_dict(kind, parameters)
    assert named in refused.value.what
    assert refused.value.remedy.endswith(".")


def test_the_same_values_without_the_mistake_are_taken() -> None:
    assert profile_from_dict("downward", DOWNWARD).as_dict()["gsd_mm_per_px"] == 2
    assert (
        profile_from_dict("forward", FORWARD | {"near_m": 3.0, "largest_gsd_mm_per_px": 30}).lane_left_m
        == -1.5
    )
    whole = profile_from_dict("downward", DOWNWARD | {"width_px": 960.0})
    assert isinstance(whole.width_px, int)


def test_gsd_of_height_and_lens() -> None:
    profile = profile_from_dict("downward", DOWNWARD | OPTICS)
    assert isinstance(profile, DownwardProfile)
    # 2 m / 8 mm * 9.6 mm = 2.4 m across 960 px.
    assert profile.gsd == pytest.approx(2.5)
    assert profile.lens_px == pytest.approx(800)
