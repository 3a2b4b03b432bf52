"""Cracks of a rectified picture as distresses: type, zone across the lane, severity, quantities (torch-free).

docs/guide/measurement.md states the definitions and their sources.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt
import shapely

from engine.crack_areas import BRIDGED, DRAWN, PIXELS, WIDTH, XY, CrackArea, find_crack_areas
from engine.crack_network import build_graph, corners, length_of, strokes
from engine.cracked_area import count_tiles, cracked_area_m2
from engine.errors import SettingsError
from engine.lane_zones import WHEEL_PATHS, Zones, lane_zones, main_zone, zone_at, zone_shares
from engine.measurement import (
    MIN_LENGTH_PX,
    POLYLINE_TOLERANCE_PX,
    CrackMeasurement,
    Limits,
    direction_deg,
    measure_cracks,
    running_mean,
    weighted_quantiles,
)
from engine.measurement import course as course_sum
from engine.severity import D6433, SeverityStandard, severity_of
from engine.vocabulary import DistressType, LaneZone, Severity

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# Longitudinal within 20 deg of the lane (AASHTO R 85), transverse within 20 deg of across it.
AXIS_TOLERANCE_DEG = 20.0
LEAST_LENGTH_M = 0.3
# What the picture's edge cuts may be longer than it looks.
LEAST_CUT_M = 0.1
# Pieces of 0.3 to 0.5 m are both an alligator's and a block's, see `_network`.
SMALLEST_BLOCK_M = 0.3
LARGEST_ALLIGATOR_M = 0.5
# A wheel path's width (1.0 m) and a little on either side.
WHEEL_PATH_REACH_M = 1.25
# Smallest crack that counts (AASHTO PP 44).
LEAST_WIDTH_MM, LEAST_LENGTH_MM = 1.0, 25.0
# Gaps up to this are bridged, within what can be told in pixels.
BRIDGE_M, LEAST_BRIDGE_PX, LARGEST_BRIDGE_PX = 0.05, 6.0, 40.0


@dataclass(frozen=True)
class TypedDistress:
    """One distress on the ground; pixels are those of the rectified picture.

    Attributes:
        kind: its type.
        zone: the one with most of its length; None where the lane's edges are not known.
        severity: None until graded.
        orientation_deg: 0 <= d < 180, 0 across the lane, 90 along it; None for areas.
        area_m2: of a crack its mask pixels; of a network or pothole the area within `outline`.
        piece_size_m: typical side of the pieces a network encloses; None where it is none.
        tortuosity: length / straight distance of the ends, length-weighted mean over branches, >= 1.
        nodes: junctions of its centre lines.
        bridged_m: part of `length_m` that spans gaps.
        polylines: (N, 2) float x, y in rectified pixels.
        widths_mm: (N,) for each polyline, the width at its vertices.
        outline: (N, 2) closed ring in rectified pixels round a network or pothole; None for single cracks.
        zone_shares: share of its length in each zone it touches, sum 1; empty where zones are not known.
    """

    kind: DistressType
    zone: LaneZone | None
    severity: Severity | None
    length_px: float
    mean_width_px: float
    max_width_px: float
    area_px: int
    orientation_deg: float | None
    length_m: float
    area_m2: float
    mean_width_mm: float | None
    median_width_mm: float | None
    p95_width_mm: float | None
    max_width_mm: float | None
    piece_size_m: float | None
    tortuosity: float | None
    nodes: int | None
    bridged_m: float
    polylines: tuple[Floats, ...]
    widths_mm: tuple[Floats, ...]
    outline: Floats | None
    zone_shares: tuple[tuple[LaneZone, float], ...] = ()


@dataclass(frozen=True)
class Quantity:
    """Sum of all distresses of one type, severity and zone; the width is weighted by length."""

    kind: DistressType
    severity: Severity
    zone: LaneZone | None
    count: int
    length_m: float
    area_m2: float
    mean_width_mm: float | None


@dataclass(frozen=True)
class GroundMeasurement:
    """All that is measured on one rectified picture.

    Attributes:
        measurement: the cracks as such.
        distresses: the longest first.
        quantities: their sums by type, severity and zone.
        cracked_area_m2: area with visible cracks (HPMS), see `cracked_area_m2`.
        cracked_tiles: tiles with a crack; tiles: all tiles mostly within the surveyed area.
    """

    measurement: CrackMeasurement
    distresses: tuple[TypedDistress, ...]
    quantities: tuple[Quantity, ...]
    cracked_area_m2: float
    cracked_tiles: int
    tiles: int


def type_cracks(
    measurement: CrackMeasurement,
    mask: Mask,
    *,
    lane_left_px: float | None,
    lane_right_px: float | None,
    surveyed: Mask | None = None,
) -> tuple[TypedDistress, ...]:
    """Tell the cracks of a rectified picture by type and zone; the lane runs up the picture.

    Args:
        measurement: of `mask`, with a ground sampling distance.
        mask: bool (H, W).
        lane_left_px: column of the lane's left edge; None: not known, so no zones.
        lane_right_px: column of its right edge.
        surveyed: bool (H, W), the part that counts; None: the whole picture.

    Returns:
        The longest first; severity is None.

    Raises:
        SettingsError: the measurement has no ground sampling distance.
    """
    gsd = measurement.gsd_mm_per_px
    if gsd is None:
        raise SettingsError("Cracks in pixels have no type.", "Measure them with a ground sampling distance.")
    zones = lane_zones(lane_left_px, lane_right_px, gsd)
    frame_px = _frame_px(surveyed, mask.shape)
    areas, single = find_crack_areas(measurement.cracks, frame_px, gsd)
    found = [_network(area, gsd, zones) for area in areas]
    for courses, nodes in _strokes(single, gsd):
        line = _typed(_single_kind(courses[0], frame_px, gsd), courses, gsd, zones)
        found.append(replace(line, nodes=nodes, tortuosity=_tortuosity(courses[0])))
    return tuple(sorted(found, key=lambda distress: -distress.length_m))


def measure_ground(
    mask: Mask,
    probability: npt.NDArray[np.float32] | None,
    *,
    gsd_mm_per_px: float,
    surveyed: Mask | None,
    lane_px: tuple[float, float] | None,
    standard: SeverityStandard = D6433,
    photo_gsd_mm_per_px: Floats | None = None,
) -> GroundMeasurement:
    """Measure, type and grade the cracks of a rectified picture.

    Args:
        mask: bool (H, W), True on cracks; the driving direction is up.
        probability: float32 (H, W) in [0, 1], rectified like the mask; None: widths end where the mask ends.
        gsd_mm_per_px: of the rectified picture, > 0.
        surveyed: bool (H, W), the part of the lane that counts; None: the whole picture.
        lane_px: columns of the lane's left and right edge; None: not known, no zones.
        standard: thresholds of severity.
        photo_gsd_mm_per_px: float (H,), the photo's own by row: severities go by the coarser of the two.

    Raises:
        SettingsError: as `engine.measurement.measure_cracks`.
    """
    if not 0 < gsd_mm_per_px < np.inf:
        raise SettingsError(
            f"A ground sampling distance of {gsd_mm_per_px} mm/px is not possible.", "Give one over 0."
        )
    limits = Limits(
        min_length_px=max(MIN_LENGTH_PX, LEAST_LENGTH_MM / gsd_mm_per_px),
        min_width_px=LEAST_WIDTH_MM / gsd_mm_per_px,
        bridge_px=min(max(BRIDGE_M * 1000 / gsd_mm_per_px, LEAST_BRIDGE_PX), LARGEST_BRIDGE_PX),
    )
    measurement = measure_cracks(
        mask, probability, gsd_mm_per_px=gsd_mm_per_px, surveyed=surveyed, limits=limits
    )
    left, right = lane_px or (None, None)
    typed = type_cracks(measurement, mask, lane_left_px=left, lane_right_px=right, surveyed=surveyed)
    coarser = 0.0 if photo_gsd_mm_per_px is None else photo_gsd_mm_per_px
    rows_gsd = np.broadcast_to(np.maximum(gsd_mm_per_px, coarser), mask.shape[:1])
    distresses = tuple(_graded(distress, rows_gsd, standard) for distress in typed)
    lines = [line for distress in distresses for line in distress.polylines]
    drawn = np.zeros(mask.shape, np.uint8)
    cv2.polylines(drawn, [np.round(line).astype(np.int32) for line in lines], False, (1,))
    cracked, tiles = count_tiles(drawn.astype(bool), gsd_mm_per_px=gsd_mm_per_px, surveyed=surveyed)
    return GroundMeasurement(
        measurement=measurement,
        distresses=distresses,
        quantities=quantities(distresses),
        cracked_area_m2=cracked_area_m2(
            [distress.outline for distress in distresses if distress.outline is not None],
            _wheel_path_lines(distresses, lane_zones(left, right, gsd_mm_per_px)),
            shape=(mask.shape[0], mask.shape[1]),
            gsd_mm_per_px=gsd_mm_per_px,
            surveyed=surveyed,
        ),
        cracked_tiles=cracked,
        tiles=tiles,
    )


def quantities(distresses: Sequence[TypedDistress]) -> tuple[Quantity, ...]:
    """Sums by type, severity and zone.

    Length and area of a distress are shared out over the zones that it touches; it is counted in the one with
    most of its length.
    """
    rows: dict[tuple[DistressType, Severity, LaneZone | None], list[float]] = {}
    for distress in distresses:
        severity = distress.severity or Severity.NOT_MEASURABLE
        for zone, share in distress.zone_shares or ((distress.zone, 1.0),):
            row = rows.setdefault((distress.kind, severity, zone), [0, 0.0, 0.0, 0.0])
            length = share * distress.length_m
            row[0] += zone == distress.zone
            row[1] += length
            row[2] += share * distress.area_m2
            row[3] += length * (distress.mean_width_mm or 0.0)
    return tuple(
        Quantity(kind, severity, zone, int(count), length, area, weighted / length if length else None)
        for (kind, severity, zone), (count, length, area, weighted) in rows.items()
    )


def _wheel_path_lines(distresses: Sequence[TypedDistress], zones: Zones) -> list[Floats]:
    """Longitudinal cracks where they run in a wheel path; all of them where the zones are not known."""
    lines = [line for one in distresses if one.kind is DistressType.LONGITUDINAL for line in one.polylines]
    if not zones:
        return lines
    inside = [np.isin(zone_at(line[:, 0], zones), (1, 3)) for line in lines]
    return [
        line[first:last]
        for line, within in zip(lines, inside, strict=True)
        for first, last in pairwise([0, *(np.flatnonzero(np.diff(within)) + 1), len(line)])
        if within[first] and last - first > 1
    ]


def _frame_px(surveyed: Mask | None, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of the surveyed area."""
    if surveyed is None or not surveyed.any():
        return 0, 0, shape[1], shape[0]
    rows, columns = np.flatnonzero(surveyed.any(axis=1)), np.flatnonzero(surveyed.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _strokes(single: list[Floats], gsd: float) -> list[tuple[list[Floats], int]]:
    """Single cracks drawn through their junctions, the stroke first and then its stubs; and their nodes."""
    if not single:
        return []
    graph = build_graph([course[:, XY] for course in single], [float(c[:, WIDTH].mean()) for c in single])
    whole: list[tuple[Floats, set[int]]] = []
    for chain in strokes(graph):
        course = np.concatenate([single[i][::-1] if backwards else single[i] for i, backwards in chain])
        nodes = {int(node) for i, _ in chain for node in graph.ends[i] if graph.degree[node] >= 3}
        cuts = [0, *corners(course[:, XY], LEAST_LENGTH_M * 1000 / gsd), len(course)]
        whole += [(course[first : last + 1], nodes) for first, last in pairwise(cuts)]
    whole.sort(key=lambda stroke: -length_of(stroke[0][:, XY]))
    found: list[tuple[list[Floats], set[int]]] = []
    for course, nodes in whole:
        short = length_of(course[:, XY]) * gsd / 1000 < LEAST_LENGTH_M
        trunk = next((own for own, others in found if short and nodes & others), None)
        if trunk is None:
            found.append(([course], nodes))
        else:
            trunk.append(course)
    return [(courses, len(nodes)) for courses, nodes in found]


def _single_kind(course: Floats, frame_px: tuple[int, int, int, int], gsd: float) -> DistressType:
    """Type of a single crack by its direction; a short one has none, unless it goes on beyond the picture."""
    line = course[:, XY]
    left, top, right, bottom = frame_px
    ends = line[[0, -1]]
    reach_px = 2 + float(course[:, WIDTH].mean())
    cut = (ends < np.array([left, top]) + reach_px).any() or (
        ends > np.array([right, bottom]) - reach_px
    ).any()
    if length_of(line) * gsd / 1000 < (LEAST_CUT_M if cut else LEAST_LENGTH_M):
        return DistressType.CRACK
    off_axis = abs(direction_deg(course_sum(line)) - 90)
    if off_axis <= AXIS_TOLERANCE_DEG:
        return DistressType.LONGITUDINAL
    return DistressType.TRANSVERSE if off_axis >= 90 - AXIS_TOLERANCE_DEG else DistressType.DIAGONAL


def _network(area: CrackArea, gsd: float, zones: Zones) -> TypedDistress:
    """Alligator or block cracking by the size of its pieces; between the two by where it lies.

    Pieces under 0.3 m are alligator, of 0.5 m and more block. Between, a network that keeps within a wheel
    path is alligator (fatigue comes from wheels), any other block.
    """
    across_m = float(np.ptp(area.outline_px[:, 0])) * gsd / 1000
    found = _typed(DistressType.BLOCK, area.courses, gsd, zones)
    in_paths = sum(share for zone, share in found.zone_shares if zone in WHEEL_PATHS)
    alligator = area.piece_m < SMALLEST_BLOCK_M or (
        area.piece_m < LARGEST_ALLIGATOR_M and across_m <= WHEEL_PATH_REACH_M and in_paths >= 0.5
    )
    return replace(
        found,
        kind=DistressType.ALLIGATOR if alligator else DistressType.BLOCK,
        orientation_deg=None,
        area_m2=area.area_m2,
        piece_size_m=area.piece_m if area.closed else None,
        nodes=area.nodes,
        outline=area.outline_px,
    )


def _typed(kind: DistressType, courses: Sequence[Floats], gsd: float, zones: Zones) -> TypedDistress:
    """A distress of these courses, with the numbers that need no more than them."""
    rows = np.concatenate(courses)
    drawn = float(rows[:, DRAWN].sum())
    length = drawn + float(rows[:, BRIDGED].sum())
    seen = rows[:, DRAWN] > 0
    median, p95 = (
        weighted_quantiles(rows[seen, WIDTH], rows[seen, DRAWN], (0.5, 0.95)) if drawn else (0.0, 0.0)
    )
    mean = float(rows[:, WIDTH] @ rows[:, DRAWN]) / drawn if drawn else 0.0
    widest = max(float(running_mean(course[:, WIDTH]).max()) for course in courses)
    shares = zone_shares(rows[:, 0], rows[:, DRAWN] + rows[:, BRIDGED], zones)
    kept = [course[_kept(course[:, XY])] for course in courses]
    return TypedDistress(
        kind=kind,
        zone=main_zone(shares),
        severity=None,
        length_px=length,
        mean_width_px=mean,
        max_width_px=widest,
        area_px=round(float(rows[:, PIXELS].sum())),
        orientation_deg=direction_deg(sum((course_sum(course[:, XY]) for course in courses), 0j)),
        length_m=length * gsd / 1000,
        area_m2=float(rows[:, PIXELS].sum()) * (gsd / 1000) ** 2,
        mean_width_mm=mean * gsd,
        median_width_mm=median * gsd,
        p95_width_mm=p95 * gsd,
        max_width_mm=widest * gsd,
        piece_size_m=None,
        tortuosity=None,
        nodes=None,
        bridged_m=(length - drawn) * gsd / 1000,
        polylines=tuple(course[:, XY] for course in kept),
        widths_mm=tuple(course[:, WIDTH] * gsd for course in kept),
        outline=None,
        zone_shares=shares,
    )


def _kept(line: Floats) -> npt.NDArray[np.int64]:
    """Vertices that keep a line within 1 px, and every tenth for the widths along it."""
    simple = shapely.get_coordinates(shapely.simplify(shapely.linestrings(line), POLYLINE_TOLERANCE_PX))
    place = {tuple(vertex): i for i, vertex in enumerate(line.tolist())}
    bends = [place[tuple(vertex)] for vertex in simple.tolist()]
    return np.unique([0, *bends, *range(0, len(line), 10), len(line) - 1])


def _tortuosity(course: Floats) -> float | None:
    chord = float(np.hypot(*(course[-1, XY] - course[0, XY])))
    return max(1.0, length_of(course[:, XY]) / chord) if chord >= 1 else None


def _graded(distress: TypedDistress, rows_gsd: Floats, standard: SeverityStandard) -> TypedDistress:
    widths = np.concatenate(distress.widths_mm) if distress.widths_mm else np.zeros(0)
    row = round(float(np.median(np.concatenate(distress.polylines)[:, 1])))  # where most of it lies
    spalled = float(np.mean(widths > standard.spalled_above_mm)) if len(widths) else None
    severity = severity_of(
        distress.kind,
        mean_width_mm=distress.mean_width_mm,
        gsd_mm_per_px=float(rows_gsd[row]),
        piece_size_m=distress.piece_size_m,
        spalled_share=spalled,
        standard=standard,
    )
    return replace(distress, severity=severity)
