"""Snapping: nearest section, by direction, ties by id, distances on the ellipsoid."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
from pyproj import Geod
from shapely.geometry import LineString

from engine.errors import SettingsError
from engine.networks import read_network
from engine.snapping import snap_points

WGS84 = Geod(ellps="WGS84")
LONGITUDE, LATITUDE = 7.0, 46.0
# A road east and a road north that cross 500 m along each.
HALF_EAST = WGS84.fwd(LONGITUDE, LATITUDE, 90, 500)[0] - LONGITUDE
HALF_NORTH = WGS84.fwd(LONGITUDE, LATITUDE, 0, 500)[1] - LATITUDE
EAST = LineString([(LONGITUDE - HALF_EAST, LATITUDE), (LONGITUDE + HALF_EAST, LATITUDE)])
NORTH = LineString([(LONGITUDE, LATITUDE - HALF_NORTH), (LONGITUDE, LATITUDE + HALF_NORTH)])


def moved(east_m: float, north_m: float) -> tuple[float, float]:
    """(latitude, longitude) so many metres from the crossing."""
    longitude, latitude, _ = WGS84.fwd(LONGITUDE, LATITUDE, 90, east_m)
    longitude, latitude, _ = WGS84.fwd(longitude, latitude, 0, north_m)
    return latitude, longitude


def test_offset_and_place_along_are_true_metres() -> None:
    latitude, longitude = moved(120, 8)
    snapped = snap_points([latitude], [longitude], [90.0], [NORTH, EAST])
    assert snapped.section_index.tolist() == [1]
    assert snapped.offset_m[0] == pytest.approx(8, abs=0.005)
    assert snapped.along_m[0] == pytest.approx(620, abs=0.01)
    assert snapped.nearest_m[0] == pytest.approx(8, abs=0.005)


@pytest.mark.parametrize(
    ("heading_deg", "expected"), [(90, 0), (270, 0), (0, 1), (180, 1), (359, 1), (100, 0), (np.nan, 1)]
)
def test_at_a_crossing_the_heading_decides_and_both_travel_directions_count(
    heading_deg: float, expected: int
) -> None:
    # 3 m from the road north, 9 m from the road east.
    latitude, longitude = moved(3, 9)
    snapped = snap_points([latitude], [longitude], [heading_deg], [EAST, NORTH])
    assert snapped.section_index.tolist() == [expected]
    assert snapped.nearest_m[0] == pytest.approx(3, abs=0.01)


def test_a_heading_across_the_only_road_in_reach_finds_none_but_tells_the_distance() -> None:
    latitude, longitude = moved(100, 5)
    snapped = snap_points([latitude], [longitude], [0.0], [EAST, NORTH])
    assert snapped.section_index.tolist() == [-1]
    assert np.isnan(snapped.offset_m[0])
    assert np.isnan(snapped.along_m[0])
    assert snapped.nearest_m[0] == pytest.approx(5, abs=0.01)


def test_direction_is_that_of_the_piece_nearest_to_the_point() -> None:
    # East, then a hook back north: driving north beside the first piece is not on this section.
    hook = LineString([*EAST.coords, (LONGITUDE + HALF_EAST, LATITUDE + HALF_NORTH)])
    beside_first, beside_second = moved(400, 5), moved(495, 200)
    latitudes, longitudes = zip(beside_first, beside_second, beside_second, strict=True)
    snapped = snap_points(latitudes, longitudes, [0.0, 0.0, 90.0], [hook])
    assert snapped.section_index.tolist() == [-1, 0, -1]
    assert snapped.along_m[1] == pytest.approx(1200, abs=0.1)


def test_ties_go_to_the_smaller_id_whatever_the_order() -> None:
    west, east = (
        LineString([EAST.coords[0], (LONGITUDE, LATITUDE)]),
        LineString([(LONGITUDE, LATITUDE), EAST.coords[1]]),
    )
    latitude, longitude = moved(0, 4)
    for sections, ids, expected in (
        ([west, east], None, 0),
        ([east, west], None, 0),
        ([west, east], ["b", "a"], 1),
        ([east, west], ["b", "a"], 1),
        ([west, east], [10, 9], 1),
    ):
        snapped = snap_points([latitude], [longitude], [90.0], sections, section_ids=ids)
        assert snapped.section_index.tolist() == [expected]


def test_distance_limit() -> None:
    points = [moved(100, 29.9), moved(100, 30.1)]
    latitudes, longitudes = zip(*points, strict=True)
    snapped = snap_points(latitudes, longitudes, None, [EAST], max_distance_m=30)
    assert snapped.section_index.tolist() == [0, -1]
    assert snapped.nearest_m == pytest.approx([29.9, 30.1], abs=0.01)


@pytest.mark.parametrize("north_m", [5_000.0, 2_000_000.0])
def test_points_off_the_network_are_told_how_far_off(north_m: float) -> None:
    latitude, longitude = moved(0, north_m)
    snapped = snap_points([latitude], [longitude], [0.0], [EAST])
    assert snapped.section_index.tolist() == [-1]
    assert snapped.nearest_m[0] == pytest.approx(north_m, rel=1e-4)


def test_missing_positions_and_an_empty_network() -> None:
    snapped = snap_points([np.nan, 91.0, LATITUDE], [LONGITUDE] * 3, [0.0] * 3, [EAST, NORTH])
    assert snapped.section_index.tolist() == [-1, -1, 1]
    assert np.isnan(snapped.nearest_m[:2]).all()
    nowhere = snap_points([LATITUDE], [LONGITUDE], None, [])
    assert nowhere.section_index.tolist() == [-1]
    assert np.isinf(nowhere.nearest_m[0])
    assert snap_points([], [], None, [EAST]).section_index.shape == (0,)


def test_a_repeated_vertex_has_no_direction_of_its_own() -> None:
    doubled = LineString([EAST.coords[0], (LONGITUDE, LATITUDE), (LONGITUDE, LATITUDE), EAST.coords[1]])
    latitude, longitude = moved(0, 5)
    snapped = snap_points([latitude] * 2, [longitude] * 2, [90.0, 0.0], [doubled])
    assert snapped.section_index.tolist() == [0, -1]


@pytest.mark.parametrize(
    "limits", [{"max_distance_m": 0}, {"max_distance_m": np.nan}, {"max_heading_difference_deg": 120}]
)
def test_senseless_limits_are_refused(limits: dict[str, float]) -> None:
    with pytest.raises(SettingsError):
        snap_points([LATITUDE], [LONGITUDE], None, [EAST], **limits)
    with pytest.raises(SettingsError):
        snap_points([LATITUDE], [LONGITUDE, LONGITUDE], None, [EAST])


@pytest.mark.parametrize("latitude", [-60.0, -1.0, 46.0, 70.0])
@pytest.mark.parametrize("vertices", [2, 5])
def test_agrees_with_brute_force_at_any_latitude(latitude: float, vertices: int) -> None:
    """Each point against points 0.3 m apart on each line, one at a time, along geodesics."""
    rng = np.random.default_rng(vertices)
    squeeze = [1 / np.cos(np.radians(latitude)), 1.0]
    lines = [
        LineString(rng.uniform(-2e-3, 2e-3, (vertices, 2)) * squeeze + [20.0, latitude]) for _ in range(4)
    ]
    points = rng.uniform(-2e-3, 2e-3, (12, 2)) * squeeze + [20.0, latitude]
    snapped = snap_points(points[:, 1], points[:, 0], None, lines, max_distance_m=60)
    shares = np.linspace(0, 1, 6001)
    dense = [
        shapely.get_coordinates(shapely.line_interpolate_point(each, shares, normalized=True))
        for each in lines
    ]
    for i, (x, y) in enumerate(points):
        distances = [WGS84.inv(np.full(6001, x), np.full(6001, y), *each.T)[2].min() for each in dense]
        assert snapped.nearest_m[i] == pytest.approx(min(distances), abs=0.3)
        if min(distances) < 59:
            assert distances[snapped.section_index[i]] == pytest.approx(min(distances), abs=0.3)
        elif min(distances) > 61:
            assert snapped.section_index[i] == -1


def test_many_points_in_several_batches_agree_with_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    latitudes = LATITUDE + rng.uniform(-0.004, 0.004, 50)
    longitudes = LONGITUDE + rng.uniform(-0.004, 0.004, 50)
    headings = rng.uniform(0, 360, 50)
    whole = snap_points(latitudes, longitudes, headings, [EAST, NORTH], max_distance_m=200)
    monkeypatch.setattr("engine.snapping.POINTS_AT_ONCE", 7)
    parts = snap_points(latitudes, longitudes, headings, [EAST, NORTH], max_distance_m=200)
    assert (whole.section_index == parts.section_index).all()
    assert np.array_equal(whole.along_m, parts.along_m, equal_nan=True)
    assert set(whole.section_index) == {-1, 0, 1}


@pytest.mark.real_data
def test_the_real_frames_lie_on_their_own_sections(data_dir: Path) -> None:
    folder = data_dir / "dnit_br290"
    track = pd.read_csv(folder / "track.csv")
    sections = read_network(folder / "centreline.geojson").sections
    lines = [section.geometry for section in sections]
    snapped = snap_points(track["latitude"], track["longitude"], track["heading_deg"], lines)
    assert snapped.offset_m.max() < 1
    for chainage_m, index in zip(track["chainage_m"], snapped.section_index, strict=True):
        assert sections[index].from_m - 60 <= chainage_m <= sections[index].to_m + 60


def test_a_section_in_the_corner_of_the_search_box_does_not_hide_a_nearer_one() -> None:
    # 31 m to the south the long road, 41 m to the north-east a stub: both beyond the limit of 30 m.
    latitude, longitude = moved(0, 31)
    stub = LineString([moved(29, 60)[::-1], moved(29, 200)[::-1]])
    snapped = snap_points([latitude], [longitude], None, [stub, EAST], max_distance_m=30)
    assert snapped.section_index.tolist() == [-1]
    assert snapped.nearest_m[0] == pytest.approx(31, abs=0.01)
