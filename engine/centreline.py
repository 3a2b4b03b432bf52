"""Lines on the ellipsoid: length, place at a distance, part between two distances, pieces (torch-free).

Between two vertices a line follows the geodesic, so pieces add up to the whole exactly.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Geod
from shapely.geometry import LineString, MultiLineString

from engine.errors import SettingsError

Floats = npt.NDArray[np.float64]

WGS84 = Geod(ellps="WGS84")
SHORTEST_CUT_M, LONGEST_CUT_M = 10.0, 100_000.0
# Nearer to a vertex than this, a cut is at the vertex.
SAME_PLACE_M = 1e-6


def geodesic_lengths_m(lines: Sequence[LineString | MultiLineString] | npt.NDArray[np.object_]) -> Floats:
    """Lengths on the WGS84 ellipsoid, (N,) m, of longitude/latitude lines with finite coordinates."""
    # One call for all: per line, the way into PROJ takes longer than the geodesics.
    parts, of_line = shapely.get_parts(np.asarray(lines, dtype=object), return_index=True)
    points, of_part = shapely.get_coordinates(parts, return_index=True)
    _, _, steps_m = WGS84.inv(*points[:-1].T, *points[1:].T)
    within = of_part[:-1] == of_part[1:]
    step_of = of_line[of_part[:-1]][within]
    return np.bincount(step_of, weights=np.asarray(steps_m)[within], minlength=len(lines)).astype(np.float64)


def geodesic_length_m(line: LineString | MultiLineString) -> float:
    """Length on the WGS84 ellipsoid of a longitude/latitude line."""
    return float(geodesic_lengths_m([line])[0])


def vertices_m(line: LineString) -> tuple[Floats, Floats]:
    """A line's vertices without repeated ones, (N, 2) degrees, and their distances from its start, (N,) m."""
    points = shapely.get_coordinates(line)
    _, _, steps_m = WGS84.inv(*points[:-1].T, *points[1:].T)
    moved = np.concatenate([[True], np.asarray(steps_m) > 0])
    points = points[moved]
    return points, np.concatenate([[0.0], np.cumsum(np.asarray(steps_m)[moved[1:]])])


def points_along(points: Floats, at_m: Floats, distances_m: npt.ArrayLike) -> Floats:
    """Where a line is at distances from its start.

    Args:
        points: (N, 2) of `vertices_m`; at_m: (N,) likewise, N >= 2.
        distances_m: (M,), cut off at the line's ends.

    Returns:
        (M, 2) longitude and latitude.
    """
    wanted = np.clip(np.atleast_1d(np.asarray(distances_m, dtype=np.float64)), 0.0, at_m[-1])
    piece = np.clip(np.searchsorted(at_m, wanted, side="right") - 1, 0, len(at_m) - 2)
    start, end = points[piece], points[piece + 1]
    azimuth_deg, _, _ = WGS84.inv(*start.T, *end.T)
    longitude, latitude, _ = WGS84.fwd(start[:, 0], start[:, 1], azimuth_deg, wanted - at_m[piece])
    found: Floats = np.column_stack([longitude, latitude])
    # A vertex comes out as it is given, so that pieces meet in the same point.
    for vertex, near in ((start, wanted - at_m[piece]), (end, at_m[piece + 1] - wanted)):
        found = np.where((near < SAME_PLACE_M)[:, None], vertex, found)
    return found


def cut_between(line: LineString, start_m: float, end_m: float) -> LineString:
    """The part of a line between two distances from its start; turned round where the second is the smaller.

    Raises:
        SettingsError: the part has no length.
    """
    points, at_m = vertices_m(line)
    low, high = np.clip(sorted((start_m, end_m)), 0.0, at_m[-1])
    if high - low < SAME_PLACE_M:
        raise SettingsError(f"Nothing lies between {start_m:g} and {end_m:g} m.", "Give a longer part.")
    part = _parts(points, at_m, np.array([low, high]))[0]
    return part if start_m < end_m else part.reverse()


def cut_bounds_m(length_m: float, every_m: float) -> Floats:
    """Where a length is cut: 0, every_m, 2 every_m, ..., length_m; a rest under half is not cut off."""
    pieces = max(1, math.floor(length_m / every_m + 0.5))
    return np.append(np.arange(pieces) * every_m, length_m)


def cut_centreline(line: LineString, every_m: float) -> list[LineString]:
    """Pieces of exactly `every_m` on the ellipsoid in the direction of the line.

    The last piece takes the rest: half to one and a half of `every_m`. Every vertex is kept.

    Args:
        line: WGS84, longitude first.
        every_m: 10 to 100,000.

    Raises:
        SettingsError: `every_m` is outside its range.
    """
    if not SHORTEST_CUT_M <= every_m <= LONGEST_CUT_M:
        raise SettingsError(
            f"A centreline cannot be cut every {every_m:g} m.",
            f"Give {SHORTEST_CUT_M:g} to {LONGEST_CUT_M:g} m.",
        )
    points, at_m = vertices_m(line)
    return _parts(points, at_m, cut_bounds_m(float(at_m[-1]), every_m))


def _parts(points: Floats, at_m: Floats, bounds_m: Floats) -> list[LineString]:
    """The pieces between neighbouring bounds; each end is a bound, each vertex between them is kept."""
    ends = points_along(points, at_m, bounds_m)
    first = np.searchsorted(at_m, bounds_m[:-1] + SAME_PLACE_M, side="right")
    last = np.searchsorted(at_m, bounds_m[1:] - SAME_PLACE_M, side="left")
    return [
        LineString(np.concatenate([ends[k : k + 1], points[first[k] : last[k]], ends[k + 1 : k + 2]]))
        for k in range(len(bounds_m) - 1)
    ]
