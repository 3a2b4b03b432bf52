"""Places on a road by chainage and by longitude and latitude, both ways (torch-free).

Chainage is the agency's: it runs from a section's `from_m` to its `to_m` in proportion to the drawn line,
which need not be as long. Sections that name no direction or lane stand for all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from shapely.geometry import LineString

from engine.centreline import WGS84, Floats, cut_between, cut_bounds_m, points_along, vertices_m
from engine.errors import SettingsError
from engine.snapping import snap_points

if TYPE_CHECKING:  # GeoPandas is slow to load and of no use here
    from engine.networks import SectionRecord

SHORTEST_UNIT_M, LONGEST_UNIT_M = 10.0, 1000.0
BOTH = "both"
# Chainages closer than this are the same.
SAME_M = 0.001


@dataclass(frozen=True)
class RoadPosition:
    """One place in both references.

    Attributes:
        chainage_m: along the road.
        offset_m: beside the section's line, positive to the right of rising chainage.
        longitude: of the place itself, WGS84 degrees; latitude likewise.
        heading_deg: of rising chainage there, clockwise from north, 0 to 360.
        direction: the section's own, None where it has none; lane likewise.
    """

    section_key: str
    road: str
    chainage_m: float
    offset_m: float
    longitude: float
    latitude: float
    heading_deg: float
    direction: str | None
    lane: str | None


@dataclass(frozen=True)
class RoadPart:
    """The part of a section between two chainages, in the direction asked for: `from_m` > `to_m` descends."""

    section: "SectionRecord"
    from_m: float
    to_m: float
    geometry: LineString


def sample_units(from_m: float, to_m: float, unit_m: float) -> list[tuple[float, float]]:
    """Cut a stretch of chainage into sample units.

    Each is `unit_m` long; the last takes the rest, half to one and a half of it. Boundaries do not move
    from survey to survey.

    Args:
        from_m: chainage where the section begins; to_m where it ends, in either order.
        unit_m: 10 to 1000.

    Returns:
        (from, to) in rising order, at least one, without gaps.

    Raises:
        SettingsError: `unit_m` is outside its range, or a chainage is no finite number.
    """
    low, high = sorted((from_m, to_m))
    if not SHORTEST_UNIT_M <= unit_m <= LONGEST_UNIT_M:
        raise SettingsError(
            f"Sample units of {unit_m:g} m are not possible.",
            f"Give {SHORTEST_UNIT_M:g} to {LONGEST_UNIT_M:g} m.",
        )
    if not np.isfinite(high - low):
        raise SettingsError(f"The chainage {from_m:g} to {to_m:g} m is no stretch.", "Mend the section.")
    bounds = (low + cut_bounds_m(high - low, unit_m)).tolist()
    bounds[-1] = high
    return list(pairwise(bounds))


def locate(
    sections: Sequence["SectionRecord"],
    longitude: float,
    latitude: float,
    *,
    heading_deg: float | None = None,
    direction: str | None = None,
    lane: str | None = None,
    max_distance_m: float = 30.0,
) -> RoadPosition | None:
    """Road, chainage and offset of a place; None where no section is near enough.

    Args:
        sections: those to look at, with vertices at most 10 km apart.
        longitude: WGS84 degrees; latitude likewise.
        heading_deg: only sections that run this way or the opposite one.
        direction: only sections of it; lane likewise.
        max_distance_m: farthest section that is taken, > 0.
    """
    near = [section for section in sections if _fits(section, direction, lane)]
    headings = None if heading_deg is None else [heading_deg]
    keys = [section.section_key for section in near]
    lines = [section.geometry for section in near]
    snapped = snap_points(
        [latitude], [longitude], headings, lines, max_distance_m=max_distance_m, section_ids=keys
    )
    index = int(snapped.section_index[0])
    if index < 0:
        return None
    section = near[index]
    points, at_m = vertices_m(section.geometry)
    piece = int(np.clip(np.searchsorted(at_m, snapped.along_m[0], side="right") - 1, 0, len(at_m) - 2))
    # Snapping is on the tangent plane, and may take the piece before or after at a vertex.
    pieces = range(max(0, piece - 1), min(len(at_m) - 1, piece + 2))
    feet = [_foot(points[k], points[k + 1], longitude, latitude) for k in pieces]
    best = min(range(len(feet)), key=lambda k: abs(feet[k][1]))
    along_m, offset_m, heading = feet[best]
    share = (at_m[pieces[best]] + along_m) / at_m[-1]
    return RoadPosition(
        section_key=section.section_key,
        road=section.road,
        chainage_m=float(section.from_m + share * (section.to_m - section.from_m)),
        offset_m=offset_m,
        longitude=longitude,
        latitude=latitude,
        heading_deg=heading,
        direction=section.direction,
        lane=section.lane,
    )


def point_at(
    sections: Sequence["SectionRecord"],
    road: str,
    chainage_m: float,
    *,
    offset_m: float = 0.0,
    direction: str | None = None,
    lane: str | None = None,
) -> RoadPosition:
    """Where a chainage of a road is; where sections meet it belongs to the one that begins there.

    Args:
        sections: of any roads.
        road: its name as the network has it.
        chainage_m: along the road.
        offset_m: beside it, positive to the right of rising chainage.
        direction: only sections of it; lane likewise.

    Raises:
        SettingsError: the network has no such road, direction or lane, or no section there.
    """
    of_road = _of_road(sections, road, direction, lane)
    there = [s for s in of_road if s.from_m - SAME_M <= chainage_m <= s.to_m + SAME_M]
    if not there:
        ends = [end for section in of_road for end in (section.from_m, section.to_m)]
        raise SettingsError(
            f"{road} has no section at chainage {chainage_m:,.1f} m.",
            f"Its sections lie between {min(ends):,.1f} and {max(ends):,.1f} m; the nearest end is at "
            f"{min(ends, key=lambda end: abs(end - chainage_m)):,.1f} m.",
        )
    latest = max(section.from_m for section in there)
    section = min((s for s in there if s.from_m > latest - SAME_M), key=lambda s: s.section_key)
    points, at_m = vertices_m(section.geometry)
    along_m = float(np.clip(_along_m(section, chainage_m, at_m[-1]), 0.0, at_m[-1]))
    longitude, latitude = points_along(points, at_m, [along_m])[0]
    heading = _heading_deg(points, at_m, along_m)
    if offset_m:
        longitude, latitude, _ = WGS84.fwd(longitude, latitude, heading + 90.0, offset_m)
    return RoadPosition(
        section_key=section.section_key,
        road=road,
        chainage_m=chainage_m,
        offset_m=offset_m,
        longitude=float(longitude),
        latitude=float(latitude),
        heading_deg=heading,
        direction=section.direction,
        lane=section.lane,
    )


def headings_along(line: LineString, from_m: float, to_m: float, chainages_m: npt.ArrayLike) -> Floats:
    """Heading of rising chainage at places of a section.

    Args:
        line: the section's, WGS84, longitude first, from its chainage `from_m` to `to_m`.
        from_m, to_m: of its ends; `from_m` > `to_m` where chainage falls along the line.
        chainages_m: (N,), cut off at the section's ends.

    Returns:
        (N,) degrees clockwise from north, 0 to 360.
    """
    points, at_m = vertices_m(line)
    span_m = to_m - from_m
    along_m = (np.asarray(chainages_m, dtype=np.float64) - from_m) / (span_m or 1.0) * at_m[-1]
    piece = np.clip(np.searchsorted(at_m, along_m, side="right") - 1, 0, len(at_m) - 2)
    azimuths, _, _ = WGS84.inv(*points[:-1].T, *points[1:].T)
    headings: Floats = (np.asarray(azimuths)[piece] + (180.0 if span_m < 0 else 0.0)) % 360.0
    return headings


def sections_between(
    sections: Sequence["SectionRecord"],
    road: str,
    from_m: float,
    to_m: float,
    *,
    direction: str | None = None,
    lane: str | None = None,
) -> list[RoadPart]:
    """What of a road's sections lies between two chainages, in the order of travel.

    Args:
        sections: of any roads.
        road: its name as the network has it.
        from_m: where to begin; greater than `to_m` to travel against the chainage.
        to_m: where to end.
        direction: only sections of it; lane likewise.

    Returns:
        The parts; none where the stretch has no section. Sections of several lanes lie side by side.

    Raises:
        SettingsError: the network has no such road, direction or lane, or the stretch has no length.
    """
    low, high = sorted((from_m, to_m))
    if not high - low >= SAME_M:
        raise SettingsError(f"Nothing lies between {from_m:g} and {to_m:g} m.", "Give a longer stretch.")
    parts = []
    of_road = _of_road(sections, road, direction, lane)
    for section in sorted(of_road, key=lambda section: (section.from_m, section.section_key)):
        start_m, end_m = max(low, section.from_m), min(high, section.to_m)
        if end_m - start_m < SAME_M:
            continue
        if from_m > to_m:
            start_m, end_m = end_m, start_m
        length_m = float(vertices_m(section.geometry)[1][-1])
        line = cut_between(
            section.geometry, _along_m(section, start_m, length_m), _along_m(section, end_m, length_m)
        )
        parts.append(RoadPart(section, start_m, end_m, line))
    return parts if from_m < to_m else parts[::-1]


def gaps_between(parts: Sequence[RoadPart], from_m: float, to_m: float) -> list[tuple[float, float]]:
    """Stretches between two chainages, in rising order, that no part of `sections_between` covers."""
    reached, end_m = sorted((from_m, to_m))
    gaps = []
    for low, high in sorted(tuple(sorted((part.from_m, part.to_m))) for part in parts):
        if low - reached > SAME_M:
            gaps.append((reached, low))
        reached = max(reached, high)
    return [*gaps, (reached, end_m)] if end_m - reached > SAME_M else gaps


def _fits(section: "SectionRecord", direction: str | None, lane: str | None) -> bool:
    return (direction is None or section.direction in (None, BOTH, direction)) and (
        lane is None or section.lane in (None, lane)
    )


def _of_road(
    sections: Sequence["SectionRecord"], road: str, direction: str | None, lane: str | None
) -> list["SectionRecord"]:
    of_road = [section for section in sections if section.road == road]
    if not of_road:
        raise SettingsError(f"The network has no road {road!r}.", "Give its name as the network has it.")
    fitting = [section for section in of_road if _fits(section, direction, lane)]
    if not fitting:
        asked = " and ".join(f"{what} {v!r}" for what, v in (("direction", direction), ("lane", lane)) if v)
        raise SettingsError(f"{road} has no section of {asked}.", "Leave it out, or give one of the table's.")
    return fitting


def _along_m(section: "SectionRecord", chainage_m: float, length_m: float) -> float:
    """Distance along the drawn line."""
    return (chainage_m - section.from_m) / (section.to_m - section.from_m) * length_m


def _heading_deg(points: Floats, at_m: Floats, along_m: float) -> float:
    """Of the piece that begins at or before a distance."""
    piece = int(np.clip(np.searchsorted(at_m, along_m, side="right") - 1, 0, len(at_m) - 2))
    azimuth, _, _ = WGS84.inv(*points[piece], *points[piece + 1])
    if along_m - at_m[piece] > SAME_M:
        _, _, back = WGS84.fwd(points[piece, 0], points[piece, 1], azimuth, along_m - at_m[piece])
        azimuth = back + 180.0
    return float(azimuth % 360.0)


def _foot(start: Floats, end: Floats, longitude: float, latitude: float) -> tuple[float, float, float]:
    """The point of a geodesic nearest to a place: its distance from `start`, the place's offset (right is
    positive), and the geodesic's heading there."""
    azimuth, _, length_m = WGS84.inv(*start, *end)
    along_m, heading = 0.0, azimuth
    # Each step projects onto the tangent: it leaves a second-order rest.
    for _ in range(8):
        foot_longitude, foot_latitude, back = WGS84.fwd(start[0], start[1], azimuth, along_m)
        heading = back + 180.0 if along_m > SAME_M else azimuth
        towards, _, away_m = WGS84.inv(foot_longitude, foot_latitude, longitude, latitude)
        turn = np.radians(towards - heading)
        step_m = float(np.clip(along_m + away_m * np.cos(turn), 0.0, length_m)) - along_m
        if abs(step_m) < 1e-6:
            break
        along_m += step_m
    return along_m, float(np.copysign(away_m, np.sin(turn))), float(heading % 360.0)
