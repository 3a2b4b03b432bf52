"""Cracks of a rectified picture as distresses: type, zone across the lane, severity, quantities (torch-free).

docs/guide/measurement.md states the definitions and their sources.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from engine.errors import SettingsError
from engine.measurement import Crack, CrackMeasurement, measure_cracks
from engine.severity import D6433, SeverityStandard, severity_of
from engine.vocabulary import DistressType, LaneZone, Severity

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# Longitudinal within 20 deg of the lane (AASHTO R 85), transverse within 20 deg of across it.
AXIS_TOLERANCE_DEG = 20.0
# Side of the tiles of the Unified Crack Index.
TILE_M = 0.3
# What is narrower is no whole lane, and has no zones.
LEAST_LANE_M = 2.4


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
) -> tuple[TypedDistress, ...]:
    """Tell the cracks of a rectified picture by type and zone; the lane runs up the picture.

    Args:
        measurement: of `mask`, with a ground sampling distance.
        mask: bool (H, W).
        lane_left_px: column of the lane's left edge; None: not known, so no zones.
        lane_right_px: column of its right edge.

    Returns:
        The longest first; severity is None.

    Raises:
        SettingsError: the measurement has no ground sampling distance.
    """
    gsd = measurement.gsd_mm_per_px
    if gsd is None:
        raise SettingsError("Cracks in pixels have no type.", "Measure them with a ground sampling distance.")
    zones = lane_zones(lane_left_px, lane_right_px, gsd)
    found = [_single(crack, gsd, zones) for crack in measurement.cracks]
    return tuple(sorted(found, key=lambda distress: -distress.length_m))


def pothole_distresses(
    mask: Mask, *, gsd_mm_per_px: float, lane_left_px: float | None = None, lane_right_px: float | None = None
) -> tuple[TypedDistress, ...]:
    """Each connected region of a pothole mask (H, W) of a rectified picture, the largest first."""
    return ()


def measure_ground(
    mask: Mask,
    probability: npt.NDArray[np.float32] | None,
    *,
    gsd_mm_per_px: float,
    surveyed: Mask | None,
    lane_px: tuple[float, float] | None,
    standard: SeverityStandard = D6433,
) -> GroundMeasurement:
    """Measure, type and grade the cracks of a rectified picture.

    Args:
        mask: bool (H, W), True on cracks; the driving direction is up.
        probability: float32 (H, W) in [0, 1], rectified like the mask; None: widths end where the mask ends.
        gsd_mm_per_px: of the rectified picture, > 0.
        surveyed: bool (H, W), the part of the lane that counts; None: the whole picture.
        lane_px: columns of the lane's left and right edge; None: not known, no zones.
        standard: thresholds of severity.

    Raises:
        SettingsError: as `engine.measurement.measure_cracks`.
    """
    measurement = measure_cracks(mask, probability, gsd_mm_per_px=gsd_mm_per_px, surveyed=surveyed)
    left, right = lane_px or (None, None)
    typed = type_cracks(measurement, mask, lane_left_px=left, lane_right_px=right)
    distresses = tuple(_graded(distress, gsd_mm_per_px, standard) for distress in typed)
    cracked, tiles = count_tiles(mask, gsd_mm_per_px=gsd_mm_per_px, surveyed=surveyed)
    return GroundMeasurement(
        measurement=measurement,
        distresses=distresses,
        quantities=quantities(distresses),
        cracked_area_m2=sum(distress.length_m * 0.3 for distress in distresses),
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


def count_tiles(
    mask: Mask, *, gsd_mm_per_px: float, surveyed: Mask | None = None, tile_m: float = TILE_M
) -> tuple[int, int]:
    """Tiles with a crack, and all tiles; those less than half surveyed are left out (Unified Crack Index).

    Args:
        mask: bool (H, W) of the counted cracks.
        gsd_mm_per_px: ground sampling distance, > 0.
        surveyed: bool (H, W); None: all.
        tile_m: side of a tile.
    """
    side = max(1, round(tile_m * 1000 / gsd_mm_per_px))
    whole = np.ones(mask.shape, bool) if surveyed is None else surveyed
    starts = [np.arange(0, length, side) for length in mask.shape]

    def per_tile(values: Mask) -> npt.NDArray[np.int64]:
        rows = np.add.reduceat(values, starts[0], axis=0, dtype=np.int64)
        sums: npt.NDArray[np.int64] = np.add.reduceat(rows, starts[1], axis=1)
        return sums

    counts = per_tile(whole) * 2 >= side**2
    return int(np.count_nonzero((per_tile(mask & whole) > 0) & counts)), int(np.count_nonzero(counts))


def lane_zones(
    left_px: float | None, right_px: float | None, gsd_mm_per_px: float
) -> tuple[tuple[LaneZone, float], ...]:
    """The five zones with the column where each ends, left to right; empty where no whole lane is in view.

    Wheel paths are 1.0 m wide, their middles 0.875 m from that of the lane; under 2.75 m all shrinks alike.
    Source: AASHTO R 85, PP 67.
    """
    if left_px is None or right_px is None:
        return ()
    metre = 1000 / gsd_mm_per_px
    if (right_px - left_px) < LEAST_LANE_M * metre:
        return ()
    middle = (left_px + right_px) / 2
    shrink = min(1.0, (right_px - left_px) / (2.75 * metre)) * metre
    ends = [middle + at * shrink for at in (-1.375, -0.375, 0.375, 1.375)]
    return tuple(zip(LaneZone, [*ends, np.inf], strict=True))


def _graded(distress: TypedDistress, gsd_mm_per_px: float, standard: SeverityStandard) -> TypedDistress:
    widths = np.concatenate(distress.widths_mm) if distress.widths_mm else np.zeros(0)
    spalled = float(np.mean(widths > standard.spalled_above_mm)) if len(widths) else None
    severity = severity_of(
        distress.kind,
        mean_width_mm=distress.mean_width_mm,
        gsd_mm_per_px=gsd_mm_per_px,
        piece_size_m=distress.piece_size_m,
        spalled_share=spalled,
        standard=standard,
    )
    return replace(distress, severity=severity)


def _single(crack: Crack, gsd: float, zones: tuple[tuple[LaneZone, float], ...]) -> TypedDistress:
    off_axis = abs(crack.orientation_deg - 90)
    if off_axis <= AXIS_TOLERANCE_DEG:
        kind = DistressType.LONGITUDINAL
    elif off_axis >= 90 - AXIS_TOLERANCE_DEG:
        kind = DistressType.TRANSVERSE
    else:
        kind = DistressType.DIAGONAL
    lines = [branch.line_px for branch in crack.branches]
    widths = np.concatenate([branch.widths_px for branch in crack.branches])
    shares = _zone_shares(np.concatenate(lines)[:, 0], zones)
    return TypedDistress(
        kind=kind,
        zone=max(shares, key=lambda item: item[1])[0] if shares else None,
        severity=None,
        length_px=crack.length_px,
        mean_width_px=crack.mean_width_px,
        max_width_px=crack.max_width_px,
        area_px=crack.area_px,
        orientation_deg=crack.orientation_deg,
        length_m=crack.length_px * gsd / 1000,
        area_m2=crack.area_px * (gsd / 1000) ** 2,
        mean_width_mm=crack.mean_width_px * gsd,
        median_width_mm=float(np.median(widths)) * gsd,
        p95_width_mm=float(np.percentile(widths, 95)) * gsd,
        max_width_mm=crack.max_width_px * gsd,
        piece_size_m=None,
        tortuosity=None,
        nodes=None,
        bridged_m=0.0,
        polylines=tuple(lines),
        widths_mm=tuple(branch.widths_px * gsd for branch in crack.branches),
        outline=None,
        zone_shares=shares,
    )


def _zone_shares(
    columns: Floats, zones: tuple[tuple[LaneZone, float], ...]
) -> tuple[tuple[LaneZone, float], ...]:
    if not zones:
        return ()
    at = np.searchsorted([end for _, end in zones], columns)
    counts = np.bincount(at, minlength=len(zones)) / len(columns)
    return tuple((zone, float(share)) for (zone, _), share in zip(zones, counts, strict=True) if share)
