"""Puts photo positions onto road sections (torch-free).

Sections are cut into short runs of straight pieces, the runs go into one STRtree, and every comparison is
made on arrays of (point, piece) pairs: nothing loops over points or sections. Distances are taken on the
ellipsoid's tangent plane at each point, so no map projection bends them, wherever and however wide the
network is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Geod
from shapely.geometry import LineString

from engine.errors import SettingsError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

WGS84 = Geod(ellps="WGS84")
# Distances closer than this count as equal: far under any GPS, far over rounding.
TIE_M = 1e-6
POINTS_AT_ONCE = 50_000
# Longer runs make the tree smaller and each answer of it longer; 4 was fastest on 500 m sections.
PIECES_PER_RUN = 4


@dataclass(frozen=True)
class Snapped:
    """Where N points lie on the network; every array is (N,).

    Attributes:
        section_index: int64, position of the section in the given sequence, -1 where none fits.
        offset_m: distance to that section, >= 0; NaN where none fits.
        along_m: geodesic distance from that section's first vertex to the foot point; NaN where none fits.
        nearest_m: distance to the nearest section of any direction, however far; NaN where the position is
            not valid, inf where there is no section.
    """

    section_index: Integers
    offset_m: Floats
    along_m: Floats
    nearest_m: Floats


@dataclass(frozen=True)
class _Runs:
    """R runs of straight pieces; a short run repeats its last vertex."""

    vertices: Floats  # (R, PIECES_PER_RUN + 1, 2) longitude, latitude
    section: Integers  # (R,)
    before_m: Floats  # (R, PIECES_PER_RUN + 1) length of the section before each vertex
    tree: shapely.STRtree  # of the runs, longitudes times `squeeze`
    squeeze: float  # cosine of the middle latitude: makes degrees of both axes alike


def snap_points(
    latitudes: npt.ArrayLike,
    longitudes: npt.ArrayLike,
    headings_deg: npt.ArrayLike | None,
    sections: Sequence[LineString],
    *,
    max_distance_m: float = 30.0,
    max_heading_difference_deg: float = 45.0,
    section_ids: Sequence[str] | Sequence[int] | None = None,
) -> Snapped:
    """Find the nearest section that runs in each point's direction.

    A section's direction is that of its piece nearest to the point. Both travel directions of a section are
    accepted: headings are compared modulo 180. Of sections at the same distance the one with the smaller id
    wins.

    Args:
        latitudes: (N,) WGS84 degrees; NaN or outside +-90 is no position.
        longitudes: (N,) WGS84 degrees.
        headings_deg: (N,) clockwise from north; NaN (or None for all) means unknown and is not compared.
        sections: WGS84 lines, longitude first.
        max_distance_m: farthest section that is taken, > 0.
        max_heading_difference_deg: 0 to 90; 90 ignores headings.
        section_ids: break ties; default the section's place in the sequence.

    Raises:
        SettingsError: a limit is outside its range or the arrays differ in length.
    """
    latitude = np.atleast_1d(np.asarray(latitudes, dtype=np.float64))
    longitude = np.atleast_1d(np.asarray(longitudes, dtype=np.float64))
    heading = (
        np.full(latitude.shape, np.nan)
        if headings_deg is None
        else np.asarray(headings_deg, dtype=np.float64)
    )
    if not latitude.shape == longitude.shape == heading.shape:
        raise SettingsError(
            "Latitudes, longitudes and headings differ in number.", "Give one of each per photo."
        )
    if not (0 < max_distance_m < np.inf and 0 <= max_heading_difference_deg <= 90):
        raise SettingsError(
            f"Snapping limits {max_distance_m} m, {max_heading_difference_deg} deg make no sense.",
            "Give a distance over 0 m and a heading difference from 0 to 90 degrees.",
        )
    count = len(latitude)
    result = Snapped(np.full(count, -1, np.int64), *(np.full(count, np.nan) for _ in range(3)))
    valid = np.flatnonzero((np.abs(latitude) <= 90) & (np.abs(longitude) <= 180))
    if not len(sections):
        result.nearest_m[valid] = np.inf
        return result
    runs = _cut(sections)
    rank = _ranks(section_ids, len(sections))
    for rows in np.array_split(valid, max(1, -(-len(valid) // POINTS_AT_ONCE))):
        points = np.column_stack([longitude[rows], latitude[rows]])
        found = _snap(points, heading[rows], runs, rank, max_distance_m, max_heading_difference_deg)
        for name in ("section_index", "offset_m", "along_m", "nearest_m"):
            getattr(result, name)[rows] = getattr(found, name)
    return result


def _metres_per_degree(latitude_deg: Floats) -> Floats:
    """(..., 2) metres per degree of longitude and of latitude at latitudes (...) on WGS84."""
    sine = np.sin(np.radians(latitude_deg))
    root = 1 - WGS84.es * sine**2
    east = WGS84.a / np.sqrt(root) * np.sqrt(1 - sine**2)
    north = WGS84.a * (1 - WGS84.es) / root**1.5
    metres: Floats = np.radians(np.stack([east, north], axis=-1))
    return metres


def _cut(sections: Sequence[LineString]) -> _Runs:
    lines = np.asarray(sections, dtype=object)
    coordinates, owner = shapely.get_coordinates(lines, return_index=True)
    opens = np.searchsorted(owner, np.arange(len(lines)))
    place = np.arange(len(owner)) - opens[owner]
    closes = np.append(opens[1:], len(owner))[owner] - 1
    # A run begins at each PIECES_PER_RUN-th vertex of a section, but not at its last.
    first = np.flatnonzero((place % PIECES_PER_RUN == 0) & (np.arange(len(owner)) < closes))
    run = np.minimum(first[:, None] + np.arange(PIECES_PER_RUN + 1), closes[first, None])

    steps = np.diff(coordinates, axis=0) * _metres_per_degree((coordinates[1:, 1] + coordinates[:-1, 1]) / 2)
    travelled = np.concatenate([[0.0], np.cumsum(np.hypot(*steps.T))])
    section = owner[first].astype(np.int64)
    before_m = travelled[run] - travelled[opens[section], None]
    _, south, _, north = shapely.total_bounds(lines)
    squeeze = float(np.cos(np.radians((south + north) / 2)))
    tree = shapely.STRtree(shapely.linestrings(coordinates[run] * [squeeze, 1.0]))
    return _Runs(coordinates[run], section, before_m, tree, squeeze)


def _ranks(section_ids: Sequence[str] | Sequence[int] | None, count: int) -> Integers:
    """Place of each section in the order of ids."""
    if section_ids is None:
        return np.arange(count)
    if len(section_ids) != count:
        raise SettingsError(f"{len(section_ids)} ids for {count} sections.", "Give one id per section.")
    rank = np.empty(count, np.int64)
    rank[sorted(range(count), key=lambda i: section_ids[i])] = np.arange(count)
    return rank


def _snap(
    points: Floats,
    heading_deg: Floats,
    runs: _Runs,
    rank: Integers,
    max_distance_m: float,
    max_turn_deg: float,
) -> Snapped:
    """Snap (N, 2) points, longitude first."""
    index = np.full(len(points), -1, np.int64)
    offset, along = np.full(len(points), np.nan), np.full(len(points), np.nan)
    squeezed = points * [runs.squeeze, 1.0]
    # 1 % more than the distance: the tree only has to miss nothing.
    reach = 1.01 * max_distance_m / np.maximum(_metres_per_degree(points[:, 1]), 1.0) * [runs.squeeze, 1.0]
    boxes = shapely.linestrings(np.stack([squeezed - reach, squeezed + reach], axis=1))
    point, run = runs.tree.query(boxes)
    distance, share = _feet(points[point], runs.vertices[run])
    nearest = _nearest(points, squeezed, runs, point, distance, max_distance_m)

    # Keep the pieces in reach, and of each section its nearest: they give its direction there. At a vertex
    # those are both pieces that meet.
    row, piece = np.nonzero(distance <= max_distance_m)
    point, run = point[row], run[row]
    section, distance, share = runs.section[run], distance[row, piece], share[row, piece]
    keep = distance <= _least(point * len(rank) + section, distance) + TIE_M
    keep &= _aligned(
        heading_deg[point], runs.vertices[run, piece], runs.vertices[run, piece + 1], max_turn_deg
    )
    point, run, piece, section = point[keep], run[keep], piece[keep], section[keep]
    distance, share = distance[keep], share[keep]

    closest = distance <= _least(point, distance) + TIE_M
    order = np.flatnonzero(closest)
    order = order[np.lexsort((piece[order], run[order], rank[section[order]], point[order]))]
    winner = order[np.diff(point[order], prepend=-1) > 0]
    index[point[winner]] = section[winner]
    offset[point[winner]] = distance[winner]
    before, after = (runs.before_m[run[winner], piece[winner] + i] for i in (0, 1))
    along[point[winner]] = before + share[winner] * (after - before)
    return Snapped(index, offset, along, nearest)


def _aligned(heading_deg: Floats, start: Floats, end: Floats, max_turn_deg: float) -> npt.NDArray[np.bool_]:
    """Whether each piece runs in its point's heading, either way; unknown headings fit all."""
    fits = np.isnan(heading_deg)
    known = np.flatnonzero(~fits)
    move = (end[known] - start[known]) * _metres_per_degree(start[known, 1])
    turn = np.abs((heading_deg[known] - np.degrees(np.arctan2(*move.T)) + 90) % 180 - 90)
    # A repeated vertex has no direction; it ties with the piece before it, which has.
    fits[known] = (turn <= max_turn_deg) & move.any(axis=1)
    return fits


def _nearest(
    points: Floats, squeezed: Floats, runs: _Runs, point: Integers, distance: Floats, max_distance_m: float
) -> Floats:
    """Distance of each point to the network, from the (point, run) pairs in reach, else from the tree."""
    nearest = np.full(len(points), np.inf)
    np.minimum.at(nearest, point, distance.min(axis=1))
    # A run in the corner of the box may be farther than one outside of it.
    far = np.flatnonzero(nearest > max_distance_m)
    if not len(far):
        return nearest
    rows, run = runs.tree.query_nearest(shapely.points(squeezed[far]), all_matches=False)
    away, share = _feet(points[far[rows]], runs.vertices[run])
    each, best = np.arange(len(rows)), away.argmin(axis=1)
    start, end = runs.vertices[run, best], runs.vertices[run, best + 1]
    foot = start + share[each, best, None] * (end - start)
    # Far away the tangent plane no longer holds.
    _, _, nearest[far[rows]] = WGS84.inv(*points[far[rows]].T, *foot.T)
    return nearest


def _feet(points: Floats, vertices: Floats) -> tuple[Floats, Floats]:
    """Distance to each pair's pieces, and the foot's share of the piece, 0 to 1; each (N, pieces).

    Args:
        points: (N, 2) longitude, latitude.
        vertices: (N, pieces + 1, 2).
    """
    scale = _metres_per_degree(points[:, 1])
    x = (vertices[..., 0] - points[:, :1]) * scale[:, :1]
    y = (vertices[..., 1] - points[:, 1:]) * scale[:, 1:]
    run_x, run_y = x[:, 1:] - x[:, :-1], y[:, 1:] - y[:, :-1]
    x, y = x[:, :-1], y[:, :-1]
    square = run_x * run_x + run_y * run_y
    share = -(x * run_x + y * run_y) / np.maximum(square, 1e-12)
    np.clip(share, 0.0, 1.0, out=share)
    x = x + share * run_x
    y = y + share * run_y
    return np.sqrt(x * x + y * y), share


def _least(group: Integers, values: Floats) -> Floats:
    """The least of `values` within each value's group."""
    _, place = np.unique(group, return_inverse=True)
    least = np.full(place.max(initial=-1) + 1, np.inf)
    np.minimum.at(least, place, values)
    return least[place]
