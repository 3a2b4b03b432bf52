"""Potholes as distresses, where a model tells them from cracks (torch-free)."""

import cv2
import numpy as np
import numpy.typing as npt

from engine.distress import TypedDistress
from engine.lane_zones import lane_zones, main_zone, zone_shares
from engine.vocabulary import DistressType

Mask = npt.NDArray[np.bool_]

LEAST_POTHOLE_M = 0.1


def pothole_distresses(
    mask: Mask, *, gsd_mm_per_px: float, lane_left_px: float | None = None, lane_right_px: float | None = None
) -> tuple[TypedDistress, ...]:
    """Each connected region of a pothole mask (H, W) of a rectified picture, the largest first.

    Regions under 0.1 m across count nowhere. Severity needs depth, which no photo shows.
    """
    zones = lane_zones(lane_left_px, lane_right_px, gsd_mm_per_px)
    rings, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    metre = gsd_mm_per_px / 1000
    found = []
    for ring in rings:
        filled = np.zeros(mask.shape, np.uint8)
        cv2.drawContours(filled, [ring], 0, (1,), cv2.FILLED)
        area_px = int(np.count_nonzero(filled))
        if 2 * np.sqrt(area_px / np.pi) * metre < LEAST_POTHOLE_M:
            continue
        columns = np.nonzero(filled)[1].astype(np.float64)
        shares = zone_shares(columns, np.ones(area_px), zones)
        found.append(
            TypedDistress(
                kind=DistressType.POTHOLE,
                zone=main_zone(shares),
                severity=None,
                length_px=0.0,
                mean_width_px=0.0,
                max_width_px=0.0,
                area_px=area_px,
                orientation_deg=None,
                length_m=0.0,
                area_m2=area_px * metre**2,
                mean_width_mm=None,
                median_width_mm=None,
                p95_width_mm=None,
                max_width_mm=None,
                piece_size_m=None,
                tortuosity=None,
                nodes=None,
                bridged_m=0.0,
                polylines=(),
                widths_mm=(),
                outline=ring[:, 0].astype(np.float64)[[*range(len(ring)), 0]],
                zone_shares=shares,
            )
        )
    return tuple(sorted(found, key=lambda distress: -distress.area_px))
