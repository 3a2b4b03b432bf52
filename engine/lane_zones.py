"""The five zones across a lane, and how a crack is shared out over them (torch-free)."""

import numpy as np
import numpy.typing as npt

from engine.vocabulary import LaneZone

Floats = npt.NDArray[np.float64]
Zones = tuple[tuple[LaneZone, float], ...]

# What is narrower is no whole lane, and has no zones.
LEAST_LANE_M = 2.4
WHEEL_PATHS = frozenset({LaneZone.LEFT_WHEEL_PATH, LaneZone.RIGHT_WHEEL_PATH})


def lane_zones(left_px: float | None, right_px: float | None, gsd_mm_per_px: float) -> Zones:
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


def zone_shares(columns_px: Floats, lengths_px: Floats, zones: Zones) -> tuple[tuple[LaneZone, float], ...]:
    """Share of the length in each zone that is touched, left to right; empty where there are no zones.

    Args:
        columns_px: (N,) places across the picture.
        lengths_px: (N,) length at each.
        zones: of `lane_zones`.
    """
    if not zones:
        return ()
    sums = np.bincount(zone_at(columns_px, zones), weights=lengths_px, minlength=len(zones))
    shares = sums / max(float(sums.sum()), 1e-9)
    return tuple((zone, float(share)) for (zone, _), share in zip(zones, shares, strict=True) if share)


def zone_at(columns_px: Floats, zones: Zones) -> npt.NDArray[np.int64]:
    """(N,) position in `zones` of each column."""
    return np.searchsorted([end for _, end in zones], columns_px).astype(np.int64)


def main_zone(shares: tuple[tuple[LaneZone, float], ...]) -> LaneZone | None:
    """The zone with the greatest share."""
    return max(shares, key=lambda item: item[1])[0] if shares else None
