"""Differences between surveys: their intervals cover, and only like is compared with like."""

import hashlib
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.change import (
    Measured,
    index_interval,
    real_by_chance,
    section_change,
    why_not_comparable,
)
from engine.condition import condition_index
from engine.measurement_version import with_measurement_version
from engine.severity import D6433, LTPP

NORMAL_90 = 1.6449


def simulated(truth: float, errors: tuple[float, float], rng: np.random.Generator) -> Measured:
    """A survey whose error has one spread below and another above, with its 90 % interval."""
    error = rng.standard_normal()
    value = truth + error * (errors[1] if error > 0 else errors[0])
    # A value too high by a wide spread has a long way down to the truth.
    return Measured(value, value - NORMAL_90 * errors[1], value + NORMAL_90 * errors[0])


@pytest.mark.parametrize("change", [0.0, 0.4, -1.0])
@pytest.mark.parametrize("errors", [(0.2, 0.2), (0.1, 0.3)])
def test_the_interval_of_a_change_covers_it(change: float, errors: tuple[float, float]) -> None:
    rng = np.random.default_rng(5)
    draws = [
        section_change(simulated(2.0, errors, rng), simulated(2.0 + change, errors[::-1], rng))
        for _ in range(4000)
    ]
    covered = np.mean(
        [draw.low <= change <= draw.high for draw in draws if draw.low is not None and draw.high]
    )
    assert 0.88 <= covered <= 0.97
    if change == 0:
        called = sum(bool(draw.real) for draw in draws)
        assert called <= 1.2 * real_by_chance(len(draws))


def test_errors_that_both_surveys_share_make_it_cautious() -> None:
    """One network errs on both alike: an unchanged section is then called changed more rarely still."""
    rng = np.random.default_rng(6)
    called = 0
    for _ in range(2000):
        shared = rng.normal(0, 0.2)
        first, second = (2.0 + shared + rng.normal(0, 0.1) for _ in range(2))
        half = NORMAL_90 * math.hypot(0.2, 0.1)
        found = section_change(
            Measured(first, first - half, first + half), Measured(second, second - half, second + half)
        )
        called += bool(found.real)
    assert called < real_by_chance(2000) / 5


@given(st.floats(0, 50), st.floats(0, 10), st.floats(0, 10), st.floats(0, 50), st.floats(0, 10))
def test_reversing_the_surveys_mirrors_the_change(
    one: float, below: float, above: float, other: float, half: float
) -> None:
    first, second = Measured(one, one - below, one + above), Measured(other, other - half, other + half)
    there, back = section_change(first, second), section_change(second, first)
    assert there.difference == -back.difference
    assert there.low == pytest.approx(-back.high) and there.high == pytest.approx(-back.low)
    assert there.low <= there.difference <= there.high
    assert there.real == back.real


def test_without_an_interval_nothing_is_called_real() -> None:
    found = section_change(Measured(1.0), Measured(5.0, 4.9, 5.1))
    assert (found.difference, found.low, found.real) == (4.0, None, None)
    assert found.reason


CRACKS = [
    {"kind": "alligator", "severity": "medium", "zone": None, "length_m": 50.0, "area_m2": 20.0},
    {"kind": "transverse", "severity": "low", "zone": None, "length_m": 30.0, "area_m2": 0.1},
]


def test_the_index_interval_surrounds_it() -> None:
    found = index_interval(CRACKS, 400.0, Measured(0.2, 0.15, 0.3))
    assert found.low is not None and found.high is not None
    assert found.low < found.value < found.high
    exact = index_interval(CRACKS, 400.0, Measured(0.2, 0.2, 0.2))
    assert exact.low == exact.high == pytest.approx(exact.value)
    assert index_interval(CRACKS, 400.0, Measured(0.2)).low is None


def test_a_sound_section_may_hide_fine_cracks() -> None:
    found = index_interval([], 400.0, Measured(0.0, 0.0, 0.1))
    assert found.value == found.high == 100.0
    assert found.low is not None and 90 < found.low < 95


def test_all_of_the_area_cannot_crack_twice() -> None:
    alligator = [{"kind": "alligator", "severity": "high", "length_m": 900.0, "area_m2": 300.0}]
    found = index_interval(alligator, 400.0, Measured(2.0, 1.0, 8.0))
    whole = [{**alligator[0], "area_m2": 400.0}]
    assert found.low == pytest.approx(index_interval(whole, 400.0, Measured(2.0)).value)
    assert condition_index([], 400.0).value == 100


def settings_of(**more: Any) -> dict[str, Any]:
    camera = {"kind": "downward", "parameters": {"gsd_mm_per_px": 2.0}}
    return {"threshold": 0.4, "working_scale": 0.5, "tile_px": 512, "severity_standard": D6433.as_dict(),
            "camera": camera, "agreement": {"spread": 0.1}, **more}  # fmt: skip


def test_like_is_compared_with_like() -> None:
    assert why_not_comparable("a", "a", settings_of(), settings_of()) is None
    assert (
        why_not_comparable("a", "a", settings_of(), settings_of(agreement=None, working_scale=0.55)) is None
    )
    # Photos twice as fine, shown to the network half as large: it saw the same.
    finer = {"kind": "downward", "parameters": {"gsd_mm_per_px": 1.0}}
    assert why_not_comparable("a", "a", settings_of(), settings_of(camera=finer, working_scale=0.25)) is None


@pytest.mark.parametrize(
    ("second_checkpoint", "second", "said"),
    [
        ("b", settings_of(), "checkpoint"),
        ("a", settings_of(threshold=0.5), "threshold"),
        ("a", settings_of(severity_standard=LTPP.as_dict()), "severity standard"),
        ("a", settings_of(measurement_version=3), "measurement version"),
        ("a", settings_of(camera=None), "pixels"),
        ("a", settings_of(working_scale=1.0), "2.0 times as large"),
        ("a", settings_of(camera={"kind": "downward", "parameters": {"gsd_mm_per_px": 1.0}}), "2.0 times"),
    ],
)
def test_what_differs_is_named(second_checkpoint: str, second: dict[str, Any], said: str) -> None:
    reason = why_not_comparable("a", second_checkpoint, settings_of(), second)
    assert reason is not None and said in reason


def optics(height_m: float) -> dict[str, Any]:
    parameters = {"width_px": 5000, "height_px": 4000, "height_m": height_m, "focal_mm": 50.0,
                  "sensor_width_mm": 100.0}  # fmt: skip
    return {"kind": "downward", "parameters": parameters}


def ahead(focal_px: float) -> dict[str, Any]:
    """Whatever the photos, both are rectified to 2 mm/px."""
    parameters = {
        "width_px": 1920, "height_px": 1080, "focal_px": focal_px, "height_m": 1.5, "pitch_deg": 20.0,
        "lane_left_m": -1.75, "lane_right_m": 1.75, "gsd_mm_per_px": 2.0,
    }  # fmt: skip
    return {"kind": "forward", "parameters": parameters}


@pytest.mark.parametrize(
    ("first", "second"), [(optics(2.0), optics(4.0)), (ahead(1500.0), ahead(750.0))], ids=["down", "ahead"]
)
def test_photos_half_as_fine_are_compared_only_where_the_network_saw_them_alike(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    reason = why_not_comparable("a", "a", settings_of(camera=first), settings_of(camera=second))
    assert reason is not None and "2.0 times as large" in reason
    larger = settings_of(camera=second, working_scale=1.0)
    assert why_not_comparable("a", "a", settings_of(camera=first), larger) is None


def test_the_version_of_measuring_is_read_from_the_hash() -> None:
    settings = settings_of()
    named = json.dumps({**settings, "measurement_version": 7}, sort_keys=True)
    found = with_measurement_version(settings, hashlib.sha256(named.encode()).hexdigest())
    assert found == {**settings, "measurement_version": 7}
    assert with_measurement_version(settings, "f" * 64)["measurement_version"] is None
    # and, where it is stored, taken as it is
    assert with_measurement_version({"measurement_version": 3}, "f" * 64) == {"measurement_version": 3}
