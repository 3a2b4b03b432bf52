"""What a careful surveyor would write down of the sample's roads, from the drawn courses (torch-free).

None of the measuring code takes part: lengths, areas and directions come from the lines that were drawn, in
plain geometry. Only the standards are shared: severity (`engine.severity`) and index (`engine.condition`).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from scipy.spatial import cKDTree

from engine.condition import condition_index, hpms_cracking_percent
from engine.sample_cracks import AREA_PATTERNS, Course, CrackPattern
from engine.severity import D6433, severity_of
from engine.vocabulary import DistressType, Severity

Floats = npt.NDArray[np.float64]

# Shorter pieces have no direction of their own: they go with the section's pattern.
LEAST_OWN_KIND_M = 0.3
AXIS_TOLERANCE_DEG = 20.0
# A longitudinal crack makes a band of this width count as cracked (HPMS, as for wheel paths).
BAND_M = 0.3
# What is smaller is where two jagged lines cross, no piece.
LEAST_PIECE_PX = 25.0
# Areas are counted on points this far apart.
GRID_PX = 8.0


@dataclass(frozen=True)
class TrueQuantity:
    """Amount of one type and severity within the pictures; `area_m2` counts for networks only."""

    kind: DistressType
    severity: Severity
    length_m: float
    area_m2: float


@dataclass(frozen=True)
class SampleTruth:
    """What is really to be seen, of one photo or of all of a section's photos.

    Attributes:
        section_key: the section.
        pattern: kind of cracking; `none` where nothing is visible.
        severity: D6433's, of most of that cracking; None without cracks.
        length_m: crack length within the pictures.
        network_area_m2: what alligator or block cracking takes up of the pictures.
        cracked_area_m2: that, and a band of 0.3 m along longitudinal cracks.
        pictured_area_m2: ground in the pictures.
        mean_width_mm: length-weighted; 0 without cracks.
        density_m_per_m2: crack length / pictured area.
        hpms_cracking_percent: cracked area / pictured area, whole percent.
        condition_index: of the true quantities on the pictured area.
        resurfaced: repaired since the first survey.
        quantities: by type and severity.
    """

    section_key: str
    pattern: CrackPattern
    severity: Severity | None
    length_m: float
    network_area_m2: float
    cracked_area_m2: float
    pictured_area_m2: float
    mean_width_mm: float
    density_m_per_m2: float
    hpms_cracking_percent: int
    condition_index: float
    resurfaced: bool
    quantities: tuple[TrueQuantity, ...]


def picture_truth(
    section_key: str,
    pattern: CrackPattern,
    courses: Sequence[Course],
    shape: tuple[int, int],
    *,
    gsd_mm_per_px: float,
    resurfaced: bool,
) -> SampleTruth:
    """The truth of one picture that looks straight down; up is the driving direction.

    Args:
        section_key: where it was taken.
        pattern: what was drawn.
        courses: as drawn, beyond the picture too.
        shape: rows and columns.
        gsd_mm_per_px: ground sampling distance.
        resurfaced: see `SampleTruth`.
    """
    metre_px = 1000 / gsd_mm_per_px
    frame = shapely.box(-0.5, -0.5, shape[1] - 0.5, shape[0] - 0.5)
    lines = [shapely.linestrings(course.points_px) for course in courses]
    lengths_m = [float(shapely.length(shapely.intersection(line, frame))) / metre_px for line in lines]
    seen = [(course, length_m) for course, length_m in zip(courses, lengths_m, strict=True) if length_m > 0]
    cracked_m2 = 0.0
    quantities: tuple[TrueQuantity, ...] = ()
    if seen and pattern in AREA_PATTERNS:
        cracked_m2 = network_area_px(courses, shape) / metre_px**2
        quantities = (_network(pattern, seen, _piece_px(lines), cracked_m2, gsd_mm_per_px),)
    elif seen:
        quantities, along = _single(pattern, seen, gsd_mm_per_px)
        bands = [shapely.buffer(shapely.linestrings(one.points_px), BAND_M / 2 * metre_px) for one in along]
        cracked_m2 = float(shapely.area(shapely.intersection(shapely.union_all(bands), frame))) / metre_px**2
    length_m = sum(lengths_m)
    width_mm = sum(float(course.widths_px.mean()) * own for course, own in seen) * gsd_mm_per_px
    return _told(
        section_key=section_key,
        pattern=pattern if seen else CrackPattern.NONE,
        length_m=length_m,
        width_sum=width_mm,
        cracked_area_m2=cracked_m2,
        pictured_area_m2=shape[0] * shape[1] / metre_px**2,
        resurfaced=resurfaced,
        quantities=quantities,
    )


def pooled(truths: Sequence[SampleTruth]) -> SampleTruth:
    """All pictures of one section as one; the index is of the sums, as a surveyor's sample unit."""
    patterns = [truth.pattern for truth in truths if truth.pattern is not CrackPattern.NONE]
    return _told(
        section_key=truths[0].section_key,
        pattern=patterns[0] if patterns else CrackPattern.NONE,
        length_m=sum(truth.length_m for truth in truths),
        width_sum=sum(truth.mean_width_mm * truth.length_m for truth in truths),
        cracked_area_m2=sum(truth.cracked_area_m2 for truth in truths),
        pictured_area_m2=sum(truth.pictured_area_m2 for truth in truths),
        resurfaced=truths[0].resurfaced,
        quantities=_summed(quantity for truth in truths for quantity in truth.quantities),
    )


def network_area_px(courses: Sequence[Course], shape: tuple[int, int]) -> float:
    """The ground in the picture that a drawn network takes up: where no empty disc fits, a piece in radius.

    So its open pieces count as far as their gaps are not wider than two pieces, and so do those that the
    picture's edge cuts: beyond it the picture goes on mirrored.
    """
    high, wide = shape
    lines = [shapely.linestrings(course.points_px) for course in courses]
    radius_px = _piece_px(lines) or _mesh_px(lines)
    points = shapely.get_coordinates(shapely.segmentize(lines, GRID_PX))
    points = points[((points > -0.5) & (points < np.array([wide, high]) - 0.5)).all(axis=1)]
    for axis, size in enumerate((wide, high)):
        before, after = points.copy(), points.copy()
        before[:, axis], after[:, axis] = -1 - points[:, axis], 2 * size - 1 - points[:, axis]
        points = np.concatenate([points, before, after])
    inside = _grid(0.0, 0.0, wide, high)
    around = _grid(-radius_px, -radius_px, wide + radius_px, high + radius_px)
    centres = around[cKDTree(points).query(around)[0] > radius_px]
    # The nearest centre is on average half a step farther than it would be on no grid.
    reach_px = radius_px + GRID_PX / 2
    empty = cKDTree(centres).query(inside)[0] <= reach_px if len(centres) else np.zeros(len(inside), bool)
    return float(np.mean(~empty)) * wide * high


def _grid(left: float, top: float, right: float, bottom: float) -> Floats:
    x, y = np.meshgrid(np.arange(left, right, GRID_PX), np.arange(top, bottom, GRID_PX))
    return np.column_stack([x.ravel(), y.ravel()])


def _piece_px(lines: Sequence[shapely.Geometry]) -> float | None:
    """Side of the closed pieces, half of whose area lies in larger ones; None where none is closed."""
    noded = shapely.union_all(lines)
    pieces = shapely.get_parts(shapely.polygonize(shapely.get_parts(noded)))
    areas: Floats = np.sort(shapely.area(pieces))
    areas = areas[areas >= LEAST_PIECE_PX**2]
    if not len(areas):
        return None
    share = np.cumsum(areas)
    return float(np.sqrt(areas[np.searchsorted(share, share[-1] / 2)]))


def _mesh_px(lines: Sequence[shapely.Geometry]) -> float:
    """Side of the squares of a grid with as much line in the same hull."""
    hull = shapely.convex_hull(shapely.multilinestrings(lines))
    return 2 * float(shapely.area(hull)) / float(np.sum(shapely.length(lines)))


def _network(
    pattern: CrackPattern,
    seen: Sequence[tuple[Course, float]],
    piece_px: float | None,
    area_m2: float,
    gsd_mm_per_px: float,
) -> TrueQuantity:
    kind = DistressType(pattern.value)
    lengths = np.array([length for _, length in seen])
    widths_mm = np.array([course.widths_px.mean() for course, _ in seen]) * gsd_mm_per_px
    wide = np.array(
        [np.mean(course.widths_px * gsd_mm_per_px > D6433.spalled_above_mm) for course, _ in seen]
    )
    severity = severity_of(
        kind,
        mean_width_mm=float(np.average(widths_mm, weights=lengths)),
        gsd_mm_per_px=gsd_mm_per_px,
        piece_size_m=None if piece_px is None else piece_px * gsd_mm_per_px / 1000,
        spalled_share=float(np.average(wide, weights=lengths)),
    )
    return TrueQuantity(kind, severity, float(lengths.sum()), area_m2)


def _single(
    pattern: CrackPattern, seen: Sequence[tuple[Course, float]], gsd_mm_per_px: float
) -> tuple[tuple[TrueQuantity, ...], list[Course]]:
    """Quantities of single cracks, each by its own direction and width, and those along the lane."""
    found, along = [], []
    for course, length_m in seen:
        kind = _kind(course, gsd_mm_per_px) or DistressType(pattern.value)
        width_mm = float(course.widths_px.mean()) * gsd_mm_per_px
        severity = severity_of(kind, mean_width_mm=width_mm, gsd_mm_per_px=gsd_mm_per_px)
        found.append(TrueQuantity(kind, severity, length_m, 0.0))
        if kind is DistressType.LONGITUDINAL:
            along.append(course)
    return _summed(found), along


def _kind(course: Course, gsd_mm_per_px: float) -> DistressType | None:
    """By the straight way between its ends; None where that is too short to tell."""
    across, along = np.abs(course.points_px[-1] - course.points_px[0]) * gsd_mm_per_px / 1000
    if np.hypot(across, along) < LEAST_OWN_KIND_M:
        return None
    off_lane_deg = float(np.degrees(np.arctan2(across, along)))
    if off_lane_deg <= AXIS_TOLERANCE_DEG:
        return DistressType.LONGITUDINAL
    return DistressType.TRANSVERSE if off_lane_deg >= 90 - AXIS_TOLERANCE_DEG else DistressType.DIAGONAL


def _summed(quantities: Iterable[TrueQuantity]) -> tuple[TrueQuantity, ...]:
    sums: dict[tuple[DistressType, Severity], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for quantity in quantities:
        row = sums[quantity.kind, quantity.severity]
        row[0] += quantity.length_m
        row[1] += quantity.area_m2
    return tuple(TrueQuantity(*key, *row) for key, row in sorted(sums.items()))


def _told(
    *,
    section_key: str,
    pattern: CrackPattern,
    length_m: float,
    width_sum: float,
    cracked_area_m2: float,
    pictured_area_m2: float,
    resurfaced: bool,
    quantities: tuple[TrueQuantity, ...],
) -> SampleTruth:
    main = [quantity for quantity in quantities if quantity.kind == pattern.value]
    return SampleTruth(
        section_key=section_key,
        pattern=pattern,
        severity=max(main, key=lambda quantity: quantity.length_m).severity if main else None,
        length_m=length_m,
        network_area_m2=sum(quantity.area_m2 for quantity in quantities),
        cracked_area_m2=cracked_area_m2,
        pictured_area_m2=pictured_area_m2,
        mean_width_mm=width_sum / length_m if length_m else 0.0,
        density_m_per_m2=length_m / pictured_area_m2,
        hpms_cracking_percent=hpms_cracking_percent(cracked_area_m2, pictured_area_m2),
        condition_index=condition_index(quantities, pictured_area_m2).value,
        resurfaced=resurfaced,
        quantities=quantities,
    )
