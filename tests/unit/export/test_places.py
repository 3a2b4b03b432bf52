"""Distresses on the map: metres beside a camera against geodesics, and what is done without a heading."""

from types import SimpleNamespace

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from jobs.export.places import PhotoPlace, place_distresses, place_of, to_degrees

GEOD = Geod(ellps="WGS84")
metres = st.floats(-60, 60)


def at(
    longitude: float, latitude: float, heading: float | None = 0.0, way: str = "photo heading"
) -> PhotoPlace:
    return PhotoPlace(longitude, latitude, heading, way, "S1", 10.0)


@given(st.floats(-179, 179), st.floats(-75, 75), st.floats(0, 360), metres, metres)
def test_a_point_lies_as_far_and_in_the_direction_that_it_was_seen(
    longitude: float, latitude: float, heading: float, right: float, ahead: float
) -> None:
    point = to_degrees(np.array([[right, ahead]]), longitude, latitude, heading)[0]
    azimuth, _, away_m = GEOD.inv(longitude, latitude, *point)
    seen_m = float(np.hypot(right, ahead))
    assert away_m == pytest.approx(seen_m, abs=0.004)
    if seen_m > 1:
        turn = (azimuth - heading - np.degrees(np.arctan2(right, ahead)) + 180) % 360 - 180
        assert np.radians(abs(turn)) * seen_m < 0.006


def test_east_is_to_the_right_of_a_camera_that_looks_north() -> None:
    east = to_degrees(np.array([[10.0, 0.0]]), 11.0, 48.0, 0.0)[0]
    north = to_degrees(np.array([[0.0, 10.0]]), 11.0, 48.0, 0.0)[0]
    assert east[0] > 11.0 and east[1] == pytest.approx(48.0, abs=1e-8)
    assert north[1] > 48.0 and north[0] == pytest.approx(11.0, abs=1e-8)
    south = to_degrees(np.array([[10.0, 0.0]]), 11.0, 48.0, 90.0)[0]
    assert south[1] < 48.0


def test_shapes_by_what_is_known() -> None:
    line, branch = [[0.0, 1.0], [0.0, 3.0]], [[1.0, 1.0], [2.0, 2.0]]
    ring = [[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]]
    places = [at(11.0, 48.0)] * 4 + [at(11.0, 48.0, None), at(float("nan"), 48.0)]
    drawn = [([line], None), ([line, branch], None), ([], ring), (None, None), ([line], None), ([line], None)]
    shapes, ways = place_distresses(places, drawn)
    assert [shape.geom_type for shape in shapes] == [
        "LineString", "MultiLineString", "Point", "Point", "Point", "Point",
    ]  # fmt: skip
    heading = "photo heading"
    assert ways == [heading, heading, heading, "photo point", "photo point", None]
    assert GEOD.geometry_length(shapes[0]) == pytest.approx(2.0, abs=0.003)
    middle = to_degrees(np.array([[1.0, 1.0]]), 11.0, 48.0, 0.0)[0]
    assert (shapes[2].x, shapes[2].y) == pytest.approx(tuple(middle))
    assert (shapes[4].x, shapes[4].y) == (11.0, 48.0) and shapes[5].is_empty


@pytest.mark.parametrize(("travel", "heading"), [(1, 90.0), (-1, 270.0)])
def test_a_photo_without_a_heading_looks_along_its_road(travel: int, heading: float) -> None:
    section = SimpleNamespace(
        section_key="S1", geometry=shapely.LineString([(11.0, 0.0), (11.01, 0.0)]), from_m=0.0, to_m=1113.0
    )
    photo = SimpleNamespace(
        longitude=11.001, latitude=0.0, heading_deg=None, chainage_m=111.0, travel_direction=travel
    )
    place = place_of(photo, section)
    assert place.heading_deg == pytest.approx(heading) and place.heading_from == "road heading"
    photo.heading_deg = 85.0
    assert place_of(photo, section).heading_deg == 85.0
    photo.heading_deg = photo.travel_direction = None
    assert place_of(photo, section).heading_deg is None
    photo.longitude = None
    assert np.isnan(place_of(photo, None).longitude)


def test_many_at_once_are_as_one_by_one_and_keep_their_bends() -> None:
    rng = np.random.default_rng(5)
    drawn: list[tuple[list[list[list[float]]] | None, list[list[float]] | None]] = []
    places = []
    for number in range(60):
        sizes = rng.integers(1, 9, number % 4)
        lines = [np.cumsum(rng.normal(0, 0.2, (size, 2)), axis=0).tolist() for size in sizes]
        drawn.append((lines, [[0.0, 0.0], [1.0, 3.0]] if number % 3 else None))
        places.append(at(11.0 + number / 100, 48.0, float(6 * number) if number % 7 else None))
    together, ways = place_distresses(places, drawn)
    for shape, way, place, own in zip(together, ways, places, drawn, strict=True):
        (alone,), (its_way,) = place_distresses([place], [own])
        assert shape.equals_exact(alone, 1e-9) and way == its_way
        lines = [line for line in own[0] or () if len(line) > 1]
        if way == "photo heading" and lines:
            truth = sum(float(np.hypot(*np.diff(line, axis=0).T).sum()) for line in lines)
            assert GEOD.geometry_length(shape) == pytest.approx(truth, rel=0.01, abs=0.01)
            assert len(shapely.get_parts(shape)) == len(lines)
    dense = [[[0.0, 0.02 * step] for step in range(200)] + [[1.0, 4.0]]]
    (line,), _ = place_distresses([at(11.0, 48.0)], [(dense, None)])
    assert len(line.coords) == 3
