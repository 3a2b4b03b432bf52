"""Types, zones, severities and quantities of cracks on the ground, against drawn patterns."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from engine.crack_courses import crack_network
from engine.distress import GroundMeasurement, measure_ground, quantities, type_cracks
from engine.errors import SettingsError
from engine.lane_zones import lane_zones
from engine.measurement import measure_cracks
from engine.potholes import pothole_distresses
from engine.sample_cracks import CrackPattern, crack_courses
from engine.severity import D6433, LTPP
from engine.synthesis import rasterise_polyline
from engine.vocabulary import DistressType, LaneZone, Severity

Mask = npt.NDArray[np.bool_]
ALLIGATOR, BLOCK = DistressType.ALLIGATOR, DistressType.BLOCK
LONGITUDINAL, TRANSVERSE, DIAGONAL = (
    DistressType.LONGITUDINAL, DistressType.TRANSVERSE, DistressType.DIAGONAL,
)  # fmt: skip


def drawn(
    *lines: list[tuple[float, float]], shape: tuple[int, int] = (500, 500), width_px: float = 4.0
) -> Mask:
    """Polylines of (x, y) as a mask."""
    mask = np.zeros(shape, bool)
    for line in lines:
        points = np.array(line, float)
        mask |= rasterise_polyline(points, np.full(len(points), width_px), *shape) >= 0.5
    return mask


def pattern(kind: CrackPattern, seed: int, extent: float = 0.9) -> Mask:
    """A close view of the sample's pattern, 1.9 x 1.3 m at 2 mm/px."""
    mask = np.zeros((640, 960), bool)
    for course in crack_courses([seed, 5], kind, 640, 960, extent=extent, mean_width_px=4.0):
        mask |= rasterise_polyline(course.points_px, np.maximum(course.widths_px, 1.4), 640, 960) >= 0.5
    return mask


def ground(
    mask: Mask, gsd: float = 2.0, lane_px: tuple[float, float] | None = None, **more: object
) -> GroundMeasurement:
    return measure_ground(mask, None, gsd_mm_per_px=gsd, surveyed=None, lane_px=lane_px, **more)  # type: ignore[arg-type]


def lengths(found: GroundMeasurement) -> dict[DistressType, float]:
    """Metres by type."""
    sums: dict[DistressType, float] = {}
    for distress in found.distresses:
        sums[distress.kind] = sums.get(distress.kind, 0) + distress.length_m
    return sums


def main_kind(found: GroundMeasurement) -> DistressType:
    sums = lengths(found)
    return max(sums, key=lambda kind: sums[kind])


def test_a_t_of_two_cracks_gives_both() -> None:
    found = ground(drawn([(250, 40), (250, 460)], [(250, 240), (460, 250)]))
    assert len(found.measurement.cracks) == 1
    along, across = found.distresses
    assert (along.kind, across.kind) == (LONGITUDINAL, TRANSVERSE)
    assert along.length_m == pytest.approx(0.84, rel=0.03)
    assert across.length_m == pytest.approx(0.42, rel=0.03)
    assert along.nodes == across.nodes == 1
    assert along.tortuosity == pytest.approx(1.0, abs=0.02)


def test_a_crossing_is_two_cracks_and_a_corner_as_well() -> None:
    crossing = ground(drawn([(250, 40), (255, 460)], [(40, 200), (460, 210)]))
    corner = ground(drawn([(60, 460), (70, 60), (460, 55)]))
    for found in (crossing, corner):
        assert sorted(one.kind for one in found.distresses) == [LONGITUDINAL, TRANSVERSE]
        assert sum(lengths(found).values()) == pytest.approx(found.measurement.crack_length_m, rel=0.02)


def test_short_branches_belong_to_their_crack_and_short_cracks_have_no_type() -> None:
    found = ground(drawn([(250, 40), (250, 460)], [(250, 240), (320, 270)], [(50, 50), (50, 150)]))
    trunk, alone = found.distresses
    assert trunk.kind == LONGITUDINAL
    assert trunk.length_m == pytest.approx(0.84 + 0.152, rel=0.03)
    assert alone.kind == DistressType.CRACK
    cut = ground(drawn([(250, -20), (250, 90)]))
    assert [one.kind for one in cut.distresses] == [LONGITUDINAL]


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 180), st.floats(2.5, 8), st.floats(-20, 20))
def test_type_length_and_width_of_a_line_at_any_angle(angle: float, width_px: float, shift: float) -> None:
    along = np.array([np.cos(np.radians(angle)), -np.sin(np.radians(angle))])
    ends = 250 + shift + np.outer([-200, 200], along)
    coverage = gaussian_filter(
        rasterise_polyline(np.linspace(*ends, 50), np.full(50, width_px), 500, 500), 0.6
    )
    found = measure_ground(coverage >= 0.5, coverage, gsd_mm_per_px=2.0, surveyed=None, lane_px=None)
    (one,) = found.distresses
    assert one.length_m == pytest.approx(0.8, rel=0.03)
    assert one.mean_width_mm == pytest.approx(2 * width_px, abs=0.9)
    assert one.median_width_mm == pytest.approx(2 * width_px, abs=1.1)
    assert one.median_width_mm <= one.p95_width_mm
    off = abs(angle - 90)
    if abs(off - 20) > 1 and abs(off - 70) > 1:
        assert one.kind == (LONGITUDINAL if off < 20 else TRANSVERSE if off > 70 else DIAGONAL)


@settings(max_examples=10, deadline=None)
@given(st.sampled_from([CrackPattern.LONGITUDINAL, CrackPattern.TRANSVERSE]), st.integers(0, 500))
def test_turning_by_a_right_angle_swaps_along_and_across(kind: CrackPattern, seed: int) -> None:
    mask = pattern(kind, seed)
    one, other = lengths(ground(mask)), lengths(ground(np.ascontiguousarray(np.rot90(mask))))
    total = sum(one.values())
    for first, second in ((LONGITUDINAL, TRANSVERSE), (TRANSVERSE, LONGITUDINAL), (DIAGONAL, DIAGONAL)):
        assert abs(one.get(first, 0) - other.get(second, 0)) < 0.12 * total


@settings(max_examples=8, deadline=None)
@given(st.sampled_from([ALLIGATOR, BLOCK]), st.integers(0, 500))
def test_networks_stay_what_they_are_turned_mirrored_and_moved(kind: DistressType, seed: int) -> None:
    mask = pattern(CrackPattern(kind), seed, extent=1.0)
    before = ground(mask)
    # Some patches are so sparse that they are told either way: those that are clear must stay.
    if lengths(before).get(kind, 0) < 0.9 * sum(lengths(before).values()):
        return
    for moved in (np.rot90(mask), mask[:, ::-1], mask[::-1], np.pad(mask, ((0, 0), (70, 0)))):
        after = ground(np.ascontiguousarray(moved))
        assert main_kind(after) == kind
        assert sum(lengths(after).values()) == pytest.approx(sum(lengths(before).values()), rel=0.04)


@settings(max_examples=8, deadline=None)
@given(st.sampled_from(list(CrackPattern)[1:]), st.integers(0, 500))
def test_resampling_keeps_metres_millimetres_and_type(kind: CrackPattern, seed: int) -> None:
    mask = pattern(kind, seed, extent=1.0)
    one, other = ground(mask), ground(np.kron(mask, np.ones((2, 2), bool)), gsd=1.0)
    assert one.measurement.crack_length_m == pytest.approx(other.measurement.crack_length_m, rel=0.05)
    assert one.measurement.mean_width_mm == pytest.approx(other.measurement.mean_width_mm, abs=0.7)
    assert main_kind(one) == main_kind(other)
    assert one.cracked_tiles == pytest.approx(other.cracked_tiles, abs=2)


@pytest.mark.parametrize("kind", [LONGITUDINAL, TRANSVERSE, DIAGONAL, ALLIGATOR, BLOCK])
def test_pure_patterns_are_told(kind: DistressType) -> None:
    hits = [main_kind(ground(pattern(CrackPattern(kind), seed))) == kind for seed in range(6)]
    assert sum(hits) >= 5


def test_no_single_cracks_are_counted_within_a_network() -> None:
    rng = np.random.default_rng(4)
    lines = [
        [tuple(point) for point in edge.tolist()]
        for edge in crack_network(rng, 600, 600, cell_px=70)
        if (edge > 30).all() and (edge < 570).all()
    ]
    found = ground(drawn(*lines, shape=(600, 600)))
    assert lengths(found)[ALLIGATOR] > 0.95 * sum(lengths(found).values())
    area = found.distresses[0]
    assert area.piece_size_m == pytest.approx(0.14, abs=0.05)
    assert area.outline is not None
    assert area.area_m2 == pytest.approx(found.cracked_area_m2, rel=0.1)
    assert area.orientation_deg is None
    assert area.severity == Severity.MEDIUM


def test_a_crack_that_leaves_a_network_is_counted_outside_it() -> None:
    grid = [[(400.0 + 60 * i, 300.0), (400.0 + 60 * i, 600.0)] for i in range(6)]
    grid += [[(400.0, 300.0 + 60 * i), (700.0, 300.0 + 60 * i)] for i in range(6)]
    alone = ground(drawn(*grid, shape=(1600, 1000)))
    found = ground(drawn(*grid, [(520, 600), (530, 1550)], shape=(1600, 1000)))
    assert lengths(found)[LONGITUDINAL] == pytest.approx(1.9, rel=0.1)
    assert lengths(found)[ALLIGATOR] == pytest.approx(lengths(alone)[ALLIGATOR], rel=0.1)
    (area,) = [one for one in found.distresses if one.kind == ALLIGATOR]
    assert area.area_m2 == pytest.approx(0.36, rel=0.15)
    assert area.piece_size_m == pytest.approx(0.12, abs=0.02)


def test_piece_size_decides_and_the_wheel_path_where_both_would_do() -> None:
    def squares(side_px: float, count: int, left: float) -> Mask:
        reach = side_px * count
        lines = [[(left + side_px * i, 60.0), (left + side_px * i, 60.0 + reach)] for i in range(count + 1)]
        lines += [[(left, 60.0 + side_px * i), (left + reach, 60.0 + side_px * i)] for i in range(count + 1)]
        return drawn(*lines, shape=(1000, 1800))

    lane = (0.0, 1800.0)  # 3.6 m
    assert main_kind(ground(squares(100, 4, 300), lane_px=lane)) == ALLIGATOR
    assert main_kind(ground(squares(260, 3, 300), lane_px=lane)) == BLOCK
    # Pieces of 0.4 m: within the left wheel path, and right across the lane.
    assert main_kind(ground(squares(200, 2, 260), lane_px=lane)) == ALLIGATOR
    assert main_kind(ground(squares(200, 4, 450), lane_px=lane)) == BLOCK


def test_zones_share_out_a_crack_and_quantities_add_up() -> None:
    mask = drawn([(450, 20), (450, 480)], [(20, 250), (1780, 260)], shape=(500, 1800))
    found = ground(mask, lane_px=(0, 1800))
    across, along = found.distresses
    assert along.zone == LaneZone.LEFT_WHEEL_PATH
    assert dict(along.zone_shares) == {LaneZone.LEFT_WHEEL_PATH: pytest.approx(1)}
    assert [zone for zone, _ in across.zone_shares] == list(LaneZone)
    shares = dict(across.zone_shares)
    assert shares[LaneZone.CENTRE] == pytest.approx(0.75 / 3.52, rel=0.05)
    assert shares[LaneZone.LEFT_WHEEL_PATH] == pytest.approx(1.0 / 3.52, rel=0.05)
    assert sum(shares.values()) == pytest.approx(1)
    assert sum(row.count for row in found.quantities) == 2
    assert sum(row.length_m for row in found.quantities) == pytest.approx(across.length_m + along.length_m)
    assert sum(row.area_m2 for row in found.quantities) == pytest.approx(across.area_m2 + along.area_m2)
    assert len({(row.kind, row.severity, row.zone) for row in found.quantities}) == len(found.quantities)
    assert all(one.zone is None for one in ground(mask[:, :900], lane_px=(0, 900)).distresses)


def test_zones_shrink_with_a_narrow_lane() -> None:
    assert [end for _, end in lane_zones(0, 3600, 1)][:4] == [425, 1425, 2175, 3175]
    narrow = [end for _, end in lane_zones(0, 2500, 1)]
    assert narrow[0] == pytest.approx(0)
    assert narrow[3] == pytest.approx(2500)
    assert lane_zones(None, None, 1) == lane_zones(0, 2000, 1) == ()


def test_severity_is_by_the_standard_and_not_told_from_coarse_pictures() -> None:
    mask = drawn([(250, 40), (250, 460)], width_px=3.6)
    assert [one.severity for one in ground(mask).distresses] == [Severity.LOW]
    assert [one.severity for one in ground(mask, standard=LTPP).distresses] == [Severity.MEDIUM]
    assert [one.severity for one in ground(mask, gsd=5.0).distresses] == [Severity.NOT_MEASURABLE]
    wide = drawn([(250, 40), (250, 460)], width_px=8.0)
    assert [one.severity for one in ground(wide, standard=D6433).distresses] == [Severity.MEDIUM]


def test_cracked_tiles_and_area() -> None:
    mask = drawn([(75, 0), (75, 299)], shape=(300, 600))
    found = ground(mask)
    assert (found.cracked_tiles, found.tiles) == (2, 8)
    assert found.cracked_area_m2 == pytest.approx(0.6 * 0.3, rel=0.12)
    surveyed = np.zeros_like(mask)
    surveyed[:, 300:] = True
    beside = measure_ground(mask, None, gsd_mm_per_px=2.0, surveyed=surveyed, lane_px=None)
    assert (beside.cracked_tiles, beside.tiles, beside.cracked_area_m2) == (0, 4, 0)
    twice = ground(drawn([(75, 0), (75, 299)], [(95, 0), (95, 299)], shape=(300, 600)))
    assert twice.cracked_area_m2 == pytest.approx(0.6 * 0.34, rel=0.12)


def test_the_smallest_crack_that_counts_is_25_mm_long() -> None:
    mask = drawn([(50, 50), (50, 72)], [(100, 50), (100, 80)], width_px=2.0)
    assert len(ground(mask, gsd=1.0).distresses) == 1


def test_potholes_have_an_area_and_an_outline() -> None:
    y, x = np.mgrid[:600, :1800]
    mask = np.hypot(x - 450, y - 300) < 100
    mask |= np.hypot(x - 1000, y - 100) < 15
    mask[300, 450] = False
    (one,) = pothole_distresses(mask, gsd_mm_per_px=2.0, lane_left_px=0, lane_right_px=1800)
    assert one.kind == DistressType.POTHOLE
    assert one.zone == LaneZone.LEFT_WHEEL_PATH
    assert one.area_m2 == pytest.approx(np.pi * 0.2**2, rel=0.02)
    assert one.outline is not None
    assert (one.outline[0] == one.outline[-1]).all()
    (row,) = quantities([replace(one, severity=Severity.NOT_MEASURABLE)])
    assert (row.count, row.length_m, row.mean_width_mm) == (1, 0, None)
    assert row.area_m2 == pytest.approx(one.area_m2)


def test_nothing_is_found_on_nothing_and_senseless_input_is_refused() -> None:
    empty = np.zeros((300, 400), bool)
    found = ground(empty)
    assert (found.distresses, found.quantities, found.cracked_tiles, found.cracked_area_m2) == ((), (), 0, 0)
    nowhere = measure_ground(empty, None, gsd_mm_per_px=2.0, surveyed=empty, lane_px=None)
    assert (nowhere.tiles, nowhere.cracked_area_m2) == (0, 0)
    with pytest.raises(SettingsError, match="ground sampling"):
        ground(empty, gsd=0.0)
    with pytest.raises(SettingsError, match="no type"):
        type_cracks(measure_cracks(empty), empty, lane_left_px=None, lane_right_px=None)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 14))
def test_any_scribble_is_typed_and_adds_up(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    lines = [[tuple(point) for point in rng.uniform(-30, 330, (3, 2)).tolist()] for _ in range(count)]
    found = ground(drawn(*lines, shape=(300, 300), width_px=rng.uniform(1.5, 9)), gsd=5.0, lane_px=(0, 600))
    total = sum(one.length_m for one in found.distresses)
    assert total == pytest.approx(found.measurement.crack_length_m, rel=0.1, abs=0.1)
    for one in found.distresses:
        assert one.length_m >= one.bridged_m >= 0
        assert one.area_m2 >= 0
        assert [len(line) for line in one.polylines] == [len(widths) for widths in one.widths_mm]
        assert (one.outline is not None) == (one.kind in {ALLIGATOR, BLOCK})
    assert 0 <= found.cracked_area_m2 <= 2.25 + 1e-9
    assert found.cracked_tiles <= found.tiles
