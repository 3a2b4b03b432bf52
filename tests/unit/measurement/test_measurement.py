"""Measuring cracks: against lines of known length and width, and under moves that must not matter."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import gaussian_filter

from engine.errors import SettingsError
from engine.measurement import Limits, measure_cracks
from engine.synthesis import rasterise_polyline

LENGTH_PX = 220.0


def line_mask(angle_deg: float, width_px: float, shift_px: float = 0.0) -> npt.NDArray[np.bool_]:
    """Pixel centres within a straight line of 220 px with round ends, turned as in `orientation_deg`."""
    along = np.array([np.cos(np.radians(angle_deg)), -np.sin(np.radians(angle_deg))])
    y, x = np.mgrid[:300, :300] - np.array([150.23, 150.37])[:, None, None] - shift_px
    inside = np.clip(x * along[0] + y * along[1], -LENGTH_PX / 2, LENGTH_PX / 2)
    mask: npt.NDArray[np.bool_] = np.hypot(x - inside * along[0], y - inside * along[1]) <= width_px / 2
    return mask


@pytest.mark.parametrize("width_px", [2.0, 3.0, 4.0, 6.0, 9.0])
def test_length_width_and_direction_of_drawn_lines(width_px: float) -> None:
    # Not 45: pixel centres on exact diagonals come in steps of 0.7 px.
    for i, angle_deg in enumerate(np.arange(0, 180, 13.0)):
        measured = measure_cracks(line_mask(angle_deg, width_px, 0.17 * i))
        assert len(measured.cracks) == 1
        assert measured.crack_length_px == pytest.approx(LENGTH_PX, rel=0.03)
        assert measured.mean_width_px == pytest.approx(width_px, abs=0.5)
        assert width_px - 0.5 <= measured.max_width_px <= width_px + 0.7
        assert measured.orientation_deg is not None
        assert abs((measured.orientation_deg - angle_deg + 90) % 180 - 90) < 1


def test_a_probability_map_gives_the_width_at_half_height_however_wide_the_mask() -> None:
    line = np.linspace([50.0, 100.0], [240.0, 210.0], 40)
    coverage = gaussian_filter(rasterise_polyline(line, np.full(40, 5.0), 300, 300), 1.0)
    for threshold in (0.3, 0.5, 0.7):
        measured = measure_cracks(coverage >= threshold, coverage)
        assert measured.mean_width_px == pytest.approx(5.0, abs=0.35)
    assert measure_cracks(coverage >= 0.1).mean_width_px > 6


def test_width_differs_along_a_crack() -> None:
    points = np.linspace([20.0, 60.0], [280.0, 60.0], 80)
    widths = np.where(np.arange(80) < 40, 3.0, 9.0)
    measured = measure_cracks(rasterise_polyline(points, widths, 120, 300) >= 0.5)
    assert measured.mean_width_px == pytest.approx(6.0, abs=0.5)
    assert measured.max_width_px == pytest.approx(9.0, abs=0.5)


def test_two_pixel_wide_diagonals_do_not_vanish() -> None:
    # The usual thinning (Zhang and Suen) erases them.
    rows = np.arange(10, 110)
    mask = np.zeros((120, 120), bool)
    mask[rows, rows] = mask[rows, rows + 1] = True
    assert measure_cracks(mask).crack_length_px == pytest.approx(100 * np.sqrt(2), rel=0.03)


def test_an_empty_mask_is_zeros_everywhere() -> None:
    measured = measure_cracks(np.zeros((40, 50), bool), gsd_mm_per_px=2.0)
    assert measured.cracks == ()
    assert measured.orientation_deg is None
    numbers = (
        measured.crack_pixels, measured.crack_length_px, measured.crack_area_ratio, measured.mean_width_px,
        measured.max_width_px, measured.crack_density_per_px, measured.crack_density_m_per_m2,
        measured.crack_length_m,
    )  # fmt: skip
    assert numbers == (0,) * len(numbers)
    assert measured.surveyed_pixels == 2000
    assert measured.surveyed_area_m2 == pytest.approx(0.008)


def test_without_a_ground_sampling_distance_everything_stays_in_pixels() -> None:
    mask = line_mask(0, 4.0)
    plain, scaled = measure_cracks(mask), measure_cracks(mask, gsd_mm_per_px=2.0)
    for name in (
        "crack_length_m",
        "mean_width_mm",
        "max_width_mm",
        "crack_density_m_per_m2",
        "surveyed_area_m2",
    ):
        assert getattr(plain, name) is None
    assert plain.cracks[0].length_m is plain.cracks[0].mean_width_mm is plain.cracks[0].max_width_mm is None
    assert plain.crack_length_px == scaled.crack_length_px
    assert scaled.crack_length_m == pytest.approx(0.44, rel=0.03)
    assert scaled.mean_width_mm == pytest.approx(8.0, abs=1.0)
    assert scaled.surveyed_area_m2 == pytest.approx(0.36)
    assert scaled.crack_density_m_per_m2 == pytest.approx(scaled.crack_length_m / 0.36)
    assert scaled.crack_density_per_px == pytest.approx(scaled.crack_length_px / 90_000)


def test_only_the_surveyed_area_counts() -> None:
    mask = line_mask(0, 4.0)
    surveyed = np.zeros_like(mask)
    surveyed[:, :150] = True
    measured = measure_cracks(mask, surveyed=surveyed)
    assert measured.surveyed_pixels == 45_000
    assert measured.crack_pixels == np.count_nonzero(mask[:, :150])
    assert measured.crack_length_px == pytest.approx(LENGTH_PX / 2, rel=0.03)
    assert measure_cracks(mask, surveyed=np.zeros_like(mask)).crack_area_ratio == 0


def test_specks_are_counted_nowhere() -> None:
    mask = line_mask(0, 3.0)
    alone = measure_cracks(mask)
    mask[20:24, 20:24] = True
    mask[40, 40:46] = True
    assert measure_cracks(mask).crack_pixels == alone.crack_pixels
    assert len(measure_cracks(mask, limits=Limits(min_length_px=3)).cracks) == 2


def test_a_crossing_is_one_crack_of_four_branches_and_a_ring_has_its_circumference() -> None:
    cross = line_mask(0, 3.0) | line_mask(90, 3.0)
    (crack,) = measure_cracks(cross).cracks
    assert len([line for line in crack.polylines_px if np.hypot(*(line[-1] - line[0])) > 20]) == 4
    assert crack.length_px == pytest.approx(2 * LENGTH_PX, rel=0.03)
    y, x = np.mgrid[:200, :200]
    away = np.hypot(x - 100, y - 100)
    (ring,) = measure_cracks((away > 68) & (away < 72)).cracks
    assert ring.length_px == pytest.approx(2 * np.pi * 70, rel=0.03)
    assert ring.mean_width_px == pytest.approx(4, abs=0.5)


def test_frayed_edges_add_no_branches() -> None:
    rng = np.random.default_rng(0)
    points = np.linspace([20.0, 60.0], [280.0, 60.0], 140)
    mask = rasterise_polyline(points, 9 + rng.normal(0, 1.2, 140), 120, 300) >= 0.5
    (crack,) = measure_cracks(mask).cracks
    assert len(crack.polylines_px) == 1
    assert crack.length_px == pytest.approx(260, rel=0.04)


def test_polylines_and_boxes_are_in_image_x_and_y() -> None:
    points = np.linspace([30.0, 20.0], [180.0, 40.0], 30)
    (crack,) = measure_cracks(rasterise_polyline(points, np.full(30, 3.0), 60, 200) >= 0.5).cracks
    ends = crack.polyline_px[[0, -1]]
    assert np.allclose(ends[np.argsort(ends[:, 0])], [[30, 20], [180, 40]], atol=2)
    left, top, right, bottom = crack.box_px
    assert (left, top, right, bottom) == pytest.approx((29, 19, 182, 42), abs=1.5)


@pytest.mark.parametrize("gsd", [0.0, -1.0, np.nan, np.inf])
def test_senseless_input_is_refused(gsd: float) -> None:
    with pytest.raises(SettingsError, match="ground sampling"):
        measure_cracks(np.zeros((4, 4), bool), gsd_mm_per_px=gsd)
    with pytest.raises(SettingsError, match="surveyed"):
        measure_cracks(np.zeros((4, 4), bool), surveyed=np.zeros((4, 5), bool))


def rough_mask(seed: int) -> npt.NDArray[np.bool_]:
    """A wandering crack with a branch, well within (160, 160)."""
    rng = np.random.default_rng(seed)
    trunk = np.column_stack([np.linspace(30, 130, 40), 80 + np.cumsum(rng.normal(0, 1.5, 40))])
    branch = trunk[20] + np.outer(np.linspace(0, 1, 20), [25.0, 40.0])
    mask = rasterise_polyline(trunk, rng.uniform(2, 6, 40), 160, 160) >= 0.5
    mask |= rasterise_polyline(branch, rng.uniform(2, 4, 20), 160, 160) >= 0.5
    return mask & (np.indices(mask.shape).min(axis=0) > 10)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 90), st.integers(0, 70))
def test_moving_a_crack_changes_nothing(seed: int, down: int, right: int) -> None:
    mask = rough_mask(seed)
    moved = np.zeros((260, 250), bool)
    moved[down : down + 160, right : right + 160] = mask
    base = np.zeros_like(moved)
    base[:160, :160] = mask
    one, other = measure_cracks(base), measure_cracks(moved)
    assert one.crack_pixels == other.crack_pixels
    assert one.crack_length_px == pytest.approx(other.crack_length_px, rel=1e-9)
    assert one.mean_width_px == pytest.approx(other.mean_width_px, rel=1e-9)
    assert one.max_width_px == pytest.approx(other.max_width_px, rel=1e-9)
    assert one.orientation_deg == pytest.approx(other.orientation_deg, abs=1e-3)
    assert np.allclose(other.cracks[0].polyline_px - one.cracks[0].polyline_px, [right, down])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_turning_and_mirroring_change_next_to_nothing(seed: int) -> None:
    mask = rough_mask(seed)
    one = measure_cracks(mask)
    assert one.orientation_deg is not None
    for turned, expected in (
        (np.rot90(mask), one.orientation_deg + 90),
        (mask[:, ::-1], 180 - one.orientation_deg),
        (mask.T, 90 - one.orientation_deg),
    ):
        other = measure_cracks(np.ascontiguousarray(turned))
        assert other.crack_pixels == one.crack_pixels
        assert other.crack_length_px == pytest.approx(one.crack_length_px, rel=0.05)
        assert other.mean_width_px == pytest.approx(one.mean_width_px, abs=0.3)
        assert other.orientation_deg is not None
        assert abs((other.orientation_deg - expected + 90) % 180 - 90) < 4


@settings(max_examples=60, deadline=None)
@given(arrays(bool, st.tuples(st.integers(1, 24), st.integers(1, 24))))
def test_any_mask_is_measured_and_adds_up(mask: npt.NDArray[np.bool_]) -> None:
    measured = measure_cracks(mask, limits=Limits(min_length_px=0))
    assert sum(crack.area_px for crack in measured.cracks) == measured.crack_pixels <= np.count_nonzero(mask)
    assert sum(crack.length_px for crack in measured.cracks) == pytest.approx(measured.crack_length_px)
    assert measured.mean_width_px <= measured.max_width_px + 1e-6 or len(measured.cracks) > 0
    assert np.isfinite([measured.crack_length_px, measured.mean_width_px, measured.max_width_px]).all()
    for crack in measured.cracks:
        assert 0 <= crack.orientation_deg < 180
        left, top, right, bottom = crack.box_px
        xy = np.concatenate(crack.polylines_px)
        assert (xy >= [left, top]).all()
        assert (xy <= [right - 1, bottom - 1]).all()


def dashes(gap_px: float, aside_px: float = 0.0, turn: float = 0.0) -> npt.NDArray[np.bool_]:
    """Two stretches of 80 px, the second after a gap, to the side, or turned (rise per run)."""
    first = np.array([[20.0, 100.0], [100.0, 100.0]])
    start = np.array([100 + gap_px + 4, 100 + aside_px])
    second = np.stack([start, start + np.array([80, 80 * turn])])
    parts = [rasterise_polyline(line, np.full(2, 4.0), 220, 240) >= 0.5 for line in (first, second)]
    return parts[0] | parts[1]


def test_a_gap_in_line_is_bridged_counted_and_marked() -> None:
    mask = dashes(8)
    (crack,) = measure_cracks(mask).cracks
    assert crack.length_px == pytest.approx(172, rel=0.03)
    assert crack.bridged_length_px == pytest.approx(12, abs=3)
    assert [branch.bridged for branch in crack.branches] == [False, False, True]
    assert crack.mean_width_px == pytest.approx(4.5, abs=0.6)
    assert crack.area_px == np.count_nonzero(mask)
    apart = measure_cracks(mask, limits=Limits(bridge_px=0))
    assert len(apart.cracks) == 2
    assert apart.crack_length_px == pytest.approx(crack.length_px - crack.bridged_length_px)
    assert apart.mean_width_px == pytest.approx(crack.mean_width_px)
    assert apart.crack_pixels == crack.area_px


@pytest.mark.parametrize(("gap_px", "aside_px", "turn"), [(25, 0, 0), (8, 14, 0), (8, 0, 1.0)])
def test_gaps_too_long_aside_or_turned_stay_gaps(gap_px: float, aside_px: float, turn: float) -> None:
    assert len(measure_cracks(dashes(gap_px, aside_px, turn)).cracks) == 2


def test_a_speck_is_not_bridged_to_a_crack_farther_than_its_own_length() -> None:
    mask = line_mask(0, 3.0)
    alone = measure_cracks(mask).crack_length_px
    mask[149:152, 270:275] = True
    assert measure_cracks(mask).crack_length_px == alone


def test_widths_along_a_crack_give_median_and_percentile() -> None:
    points = np.linspace([20.0, 60.0], [280.0, 60.0], 80)
    widths = np.where(np.arange(80) < 60, 3.0, 9.0)
    coverage = rasterise_polyline(points, widths, 120, 300)
    (crack,) = measure_cracks(coverage >= 0.5, coverage).cracks
    assert crack.median_width_px == pytest.approx(3.0, abs=0.3)
    assert crack.p95_width_px == pytest.approx(9.0, abs=0.5)
    (branch,) = crack.branches
    assert len(branch.line_px) == len(branch.widths_px)
    assert branch.widths_px[40] == pytest.approx(3.0, abs=0.3)
    assert branch.widths_px[-40] == pytest.approx(9.0, abs=0.5)
    assert measure_cracks(coverage >= 0.5, coverage, limits=Limits(min_width_px=5.0)).cracks == ()


def test_nodes_and_tortuosity() -> None:
    (cross,) = measure_cracks(line_mask(0, 3.0) | line_mask(90, 3.0)).cracks
    (broad,) = measure_cracks(line_mask(0, 9.0) | line_mask(60, 9.0)).cracks
    assert cross.nodes == broad.nodes == 1
    (straight,) = measure_cracks(line_mask(20, 3.0)).cracks
    assert straight.nodes == 0
    assert straight.tortuosity == pytest.approx(1, abs=0.02)
    x = np.linspace(20, 280, 200)
    waves = np.column_stack([x, 60 + 20 * np.sin(x / 15)])
    (winding,) = measure_cracks(rasterise_polyline(waves, np.full(200, 3.0), 120, 300) >= 0.5).cracks
    assert winding.tortuosity == pytest.approx(np.hypot(*np.diff(waves, axis=0).T).sum() / 260, rel=0.05)


def test_pinholes_do_not_lengthen_a_crack() -> None:
    mask = line_mask(30, 9.0)
    pierced = mask.copy()
    pierced[150, 150] = pierced[125:127, 193] = False
    whole, holed = measure_cracks(mask), measure_cracks(pierced)
    assert holed.crack_length_px == pytest.approx(whole.crack_length_px)
    assert holed.crack_pixels == np.count_nonzero(pierced) == whole.crack_pixels - 3
