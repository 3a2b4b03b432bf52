"""Chainage to longitude and latitude and back, stretches of roads, sample units."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import LineString

from engine.centreline import WGS84, cut_between, cut_centreline, geodesic_length_m, vertices_m
from engine.errors import SettingsError
from engine.linear_reference import (
    gaps_between,
    headings_along,
    locate,
    point_at,
    sample_units,
    sections_between,
)
from engine.networks import SectionRecord


def winding(steps: list[tuple[float, float]], latitude: float, heading_deg: float) -> LineString:
    """A line of geodesic steps, each a length in metres and a turn in degrees from the main heading."""
    at = (7.0, latitude)
    points = [at]
    for length_m, turn_deg in steps:
        longitude, north, _ = WGS84.fwd(*at, heading_deg + turn_deg, length_m)
        at = (longitude, north)
        points.append(at)
    return LineString(points)


def section(
    line: LineString, from_m: float = 0.0, to_m: float | None = None, **more: object
) -> SectionRecord:
    length_m = geodesic_length_m(line)
    end_m = from_m + length_m if to_m is None else to_m
    record = SectionRecord("S1", "A 1", from_m, end_m, None, None, 2, 3.5, None, line, length_m)
    return dataclasses.replace(record, **more)  # type: ignore[arg-type]


# Turns under 40 degrees from the main heading: the line never comes back to itself.
lines = st.builds(
    winding,
    st.lists(st.tuples(st.floats(5, 2000), st.floats(-40, 40)), min_size=1, max_size=12),
    st.floats(-70, 70),
    st.floats(0, 360),
)
EAST = winding([(1000.0, 0.0), (500.0, 20.0)], 46.0, 90.0)


@settings(max_examples=60, deadline=None)
@given(line=lines, share=st.floats(0, 1), start_m=st.floats(0, 50_000), stretch=st.floats(0.95, 1.05))
def test_chainage_to_place_and_back(line: LineString, share: float, start_m: float, stretch: float) -> None:
    road = section(line, start_m, start_m + stretch * geodesic_length_m(line))
    chainage_m = start_m + share * (road.to_m - road.from_m)
    there = point_at([road], "A 1", chainage_m)
    back = locate([road], there.longitude, there.latitude)
    assert back is not None
    assert back.chainage_m == pytest.approx(chainage_m, abs=0.01)
    assert abs(back.offset_m) < 0.01


@settings(max_examples=60, deadline=None)
@given(line=lines, share=st.floats(0.02, 0.98), offset_m=st.floats(-3, 3))
def test_offset_is_positive_to_the_right_of_rising_chainage(
    line: LineString, share: float, offset_m: float
) -> None:
    road = section(line)
    there = point_at([road], "A 1", share * road.length_m, offset_m=offset_m)
    back = locate([road], there.longitude, there.latitude)
    assert back is not None
    # Beside a bend the nearest place of the line is another one, but never farther, nor on the other side.
    assert abs(back.offset_m) <= abs(offset_m) + 0.001
    assert back.offset_m * offset_m >= 0 or abs(back.offset_m) < 0.001
    at_m = vertices_m(line)[1]
    if np.abs(at_m - share * road.length_m).min() > 5:
        assert back.offset_m == pytest.approx(offset_m, abs=0.001)
        assert back.chainage_m == pytest.approx(share * road.length_m, abs=0.01)


def test_right_of_a_road_to_the_east_is_south() -> None:
    right = point_at([section(EAST)], "A 1", 300.0, offset_m=3.0)
    assert right.latitude < point_at([section(EAST)], "A 1", 300.0).latitude
    assert right.heading_deg == pytest.approx(90.0, abs=0.01)


def test_a_border_belongs_to_the_section_that_begins_there() -> None:
    first, second = cut_centreline(EAST, 750.0)
    road = [section(second, 750.0, section_key="b"), section(first, 0.0, section_key="a")]
    assert [point_at(road, "A 1", at).section_key for at in (0.0, 749.9, 750.0, 1500.0)] == [*"aabb"]


def test_direction_and_lane_choose_among_sections_side_by_side() -> None:
    up = section(EAST, section_key="up", direction="ascending", lane="1")
    down = section(EAST, section_key="down", direction="descending", lane="1")
    whole = section(EAST, section_key="whole", road="B")
    sections = [up, down, whole]
    assert point_at(sections, "A 1", 10, direction="descending").section_key == "down"
    # A section without a direction stands for both.
    assert point_at(sections, "B", 10, direction="descending").section_key == "whole"
    there = point_at([up], "A 1", 10)
    found = locate([up, down], there.longitude, there.latitude, direction="descending")
    assert found is not None and found.section_key == "down"
    with pytest.raises(SettingsError, match="no section of lane '3'"):
        point_at(sections, "A 1", 10, lane="3")


def test_what_is_not_there_is_said_with_what_is() -> None:
    with pytest.raises(SettingsError, match="no road 'A 2'"):
        point_at([section(EAST)], "A 2", 0)
    with pytest.raises(SettingsError, match=r"nearest end is at 1,500\.0 m"):
        point_at([section(EAST)], "A 1", 1600)
    assert locate([section(EAST)], 7.0, 46.01) is None
    assert locate([], 7.0, 46.0) is None


def test_sections_between_are_cut_at_the_chainages_and_turned_for_the_way_back() -> None:
    pieces = cut_centreline(EAST, 500.0)
    road = [section(p, 500.0 * k, section_key=f"s{k}") for k, p in enumerate(pieces)]
    there = sections_between(road, "A 1", 250.0, 1250.0)
    assert [p.section.section_key for p in there] == ["s0", "s1", "s2"]
    assert [p.from_m for p in there] == pytest.approx([250, 500, 1000])
    assert [p.to_m for p in there] == pytest.approx([500, 1000, 1250])
    assert [geodesic_length_m(p.geometry) for p in there] == pytest.approx([250, 500, 250], abs=0.001)
    for part, after in pairwise(there):
        assert part.geometry.coords[-1] == after.geometry.coords[0]
    back = sections_between(road, "A 1", 1250.0, 250.0)
    assert [(p.from_m, p.to_m) for p in back] == [(p.to_m, p.from_m) for p in there[::-1]]
    assert list(back[0].geometry.coords) == list(there[-1].geometry.coords)[::-1]
    assert gaps_between(there, 250.0, 1250.0) == []


def test_gaps_of_a_road_are_told() -> None:
    road = [section(EAST, 100.0, 400.0), section(EAST, 600.0, 900.0, section_key="S2")]
    parts = sections_between(road, "A 1", 0.0, 1000.0)
    assert gaps_between(parts, 1000.0, 0.0) == [(0.0, 100.0), (400.0, 600.0), (900.0, 1000.0)]
    assert sections_between(road, "A 1", 450.0, 550.0) == []
    with pytest.raises(SettingsError, match="longer stretch"):
        sections_between(road, "A 1", 450.0, 450.0)


@settings(max_examples=60, deadline=None)
@given(line=lines, every_m=st.floats(10, 3000))
def test_pieces_have_the_exact_length_and_add_up(line: LineString, every_m: float) -> None:
    pieces = cut_centreline(line, every_m)
    lengths = [geodesic_length_m(piece) for piece in pieces]
    total = geodesic_length_m(line)
    assert sum(lengths) == pytest.approx(total, abs=1e-5)
    assert lengths[:-1] == pytest.approx([every_m] * (len(pieces) - 1), abs=1e-5)
    if len(pieces) > 1:
        assert 0.5 * every_m - 1e-5 <= lengths[-1] < 1.5 * every_m + 1e-5
    else:
        assert total < 1.5 * every_m + 1e-5
    # Nothing moves: ends meet, and every vertex is still there.
    assert [p.coords[-1] for p in pieces[:-1]] == [p.coords[0] for p in pieces[1:]]
    kept = {xy for piece in pieces for xy in piece.coords}
    assert set(line.coords) <= kept


def test_repeated_vertices_are_no_obstacle() -> None:
    line = LineString([EAST.coords[0], EAST.coords[0], *EAST.coords[1:], EAST.coords[-1]])
    assert [geodesic_length_m(p) for p in cut_centreline(line, 750.0)] == pytest.approx([750, 750])
    assert geodesic_length_m(cut_between(line, 900, 200)) == pytest.approx(700)


@pytest.mark.parametrize("every_m", [0.0, -5.0, 9.0, 1e9, float("nan")])
def test_senseless_cuts_are_refused(every_m: float) -> None:
    with pytest.raises(SettingsError, match="cannot be cut"):
        cut_centreline(EAST, every_m)


@given(
    from_m=st.floats(-1e5, 1e6),
    length_m=st.floats(0.1, 20_000),
    unit_m=st.floats(10, 1000),
    turn=st.booleans(),
)
def test_sample_units_cover_a_section_once(from_m: float, length_m: float, unit_m: float, turn: bool) -> None:
    to_m = from_m + length_m
    units = sample_units(to_m, from_m, unit_m) if turn else sample_units(from_m, to_m, unit_m)
    assert (units[0][0], units[-1][1]) == (from_m, to_m)
    assert all(first[1] == second[0] for first, second in pairwise(units))
    lengths = [end - start for start, end in units]
    assert lengths[:-1] == pytest.approx([unit_m] * (len(units) - 1), abs=1e-6)
    assert lengths[-1] < 1.5 * unit_m + 1e-6
    assert len(units) == 1 or lengths[-1] > 0.5 * unit_m - 1e-6


@settings(max_examples=40, deadline=None)
@given(lines, st.floats(0.001, 0.999), st.booleans())
def test_headings_are_those_of_rising_chainage(line: LineString, share: float, falls: bool) -> None:
    record = section(line)
    at_m = share * record.to_m
    there = point_at([record], "A 1", at_m).heading_deg
    found = headings_along(line, *((record.to_m, 0.0) if falls else (0.0, record.to_m)), [
        record.to_m - at_m if falls else at_m, -9.0, record.to_m + 9.0,
    ])  # fmt: skip
    turn = 180.0 if falls else 0.0
    # A long geodesic turns against the meridians.
    assert abs((found[0] - there - turn + 180) % 360 - 180) < 0.2
    assert found.shape == (3,)


def test_sample_units_by_hand() -> None:
    assert sample_units(1000, 1249, 100) == [(1000, 1100), (1100, 1249)]
    assert sample_units(1000, 1250, 100) == [(1000, 1100), (1100, 1200), (1200, 1250)]
    assert sample_units(0, 40, 100) == [(0, 40)]
    for unit_m in (9.9, 1000.1, float("nan")):
        with pytest.raises(SettingsError, match="Sample units"):
            sample_units(0, 500, unit_m)
