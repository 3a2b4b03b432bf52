"""Overlapping photos of one lane chained by chainage: each metre of road counts once (torch-free).

A photo at chainage c that is driven towards higher chainage (direction +1) shows the road from c + near to
c + far; driven towards lower chainage (-1), from c - near to c - far.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

LARGEST_OFFSET_M = 0.3
"""Where a curve moves the lane sideways by more, a photo's straight lane polygon is off the lane."""
CURVE_WINDOW_M = 15.0
"""Curvature is taken from the headings this far before and after a photo: single headings are noisy."""
SMALLEST_PART_M = 0.01

Extent = tuple[float, float]


@dataclass(frozen=True)
class _View:
    """What a photo shows: its place in the list, and `at`, `start`, `end` in metres along the drive."""

    photo: int
    at: float
    start: float
    end: float


def chain_extents(
    chainages_m: Sequence[float | None],
    directions: Sequence[int],
    visible_range_m: Extent,
    headings_deg: Sequence[float | None] | None = None,
) -> list[Extent | None]:
    """Which part of its view each photo counts, so that each metre counts once, in the photo nearest to it.

    Photos of both directions are of two lanes, and do not share metres. What no photo shows stays a gap. In
    curves, as far as headings are known, a photo counts only what lies before the lane has moved out of its
    straight lane polygon by `LARGEST_OFFSET_M`.

    Args:
        chainages_m: of the photos of one road; None where unknown. In any order.
        directions: +1 where driven towards higher chainage, -1 towards lower; see `travel_directions`.
        visible_range_m: near and far end of the view, metres ahead (`engine.geometry.visible_range_m`).
        headings_deg: 0 to 360, clockwise, of each photo.

    Returns:
        For each photo (near_m, far_m) ahead of it, for `engine.geometry.plan_frame`; None where nothing is
        left for it. A photo without chainage counts its whole view. Of photos at one chainage, the first
        counts.
    """
    near, far = visible_range_m
    extents: list[Extent | None] = [None if at is not None else visible_range_m for at in chainages_m]
    ends = _straight_ends(chainages_m, directions, headings_deg, far)
    for direction in (1, -1):
        views = [
            _View(photo, direction * at, direction * at + near, direction * at + ends[photo])
            for photo, at in enumerate(chainages_m)
            if at is not None and (1 if directions[photo] >= 0 else -1) == direction and ends[photo] > near
        ]
        _share(sorted(views, key=lambda view: (view.at, view.photo)), extents)
    return extents


def travel_directions(chainages_m: Sequence[float | None]) -> list[int]:
    """Direction of each photo, from how chainage changes along photos in the order in which they were taken.

    Returns:
        +1 or -1 for each; that of the photos before where chainage does not change or is unknown, +1 where
        nothing says otherwise.
    """
    known = [(photo, at) for photo, at in enumerate(chainages_m) if at is not None]
    found: dict[int, int] = {}
    for (earlier, start), (later, end) in pairwise(known):
        if end != start:
            found[later] = 1 if end > start else -1
            # The first photo, and the first after a turn, go where the next one lies.
            found.setdefault(earlier, found[later])
    directions: list[int] = []
    last = next((found[photo] for photo in sorted(found)), 1)
    for photo in range(len(chainages_m)):
        last = found.get(photo, last)
        directions.append(last)
    return directions


def _share(views: list[_View], extents: list[Extent | None]) -> None:
    """Cut views, in order along the drive, where the next photo takes over."""
    distinct = [view for place, view in enumerate(views) if place == 0 or view.at > views[place - 1].at]
    covered = -np.inf
    for place, view in enumerate(distinct):
        start, end = max(view.start, covered), view.end
        if place + 1 < len(distinct):
            following = distinct[place + 1]
            # Nearest: a camera that looks ahead hands over where the next one begins to see, one that looks
            # down halfway between the two.
            end = min(end, max(following.start, (view.at + following.at) / 2))
        if end - start >= SMALLEST_PART_M:
            extents[view.photo] = (start - view.at, end - view.at)
            covered = end


def _straight_ends(
    chainages_m: Sequence[float | None],
    directions: Sequence[int],
    headings_deg: Sequence[float | None] | None,
    far_m: float,
) -> list[float]:
    """How far ahead of each photo the lane stays within its straight polygon, <= far_m."""
    ends = [far_m] * len(chainages_m)
    if headings_deg is None:
        return ends
    known = [
        (at, heading + (180 if direction < 0 else 0), photo)
        for photo, (at, direction, heading) in enumerate(
            zip(chainages_m, directions, headings_deg, strict=True)
        )
        if at is not None and heading is not None
    ]
    if len(known) < 3:
        return ends
    known.sort()
    at, heading = (np.array(column, dtype=np.float64) for column in list(zip(*known, strict=True))[:2])
    for place, (here, _, photo) in enumerate(known):
        around = slice(*np.searchsorted(at, (here - CURVE_WINDOW_M, here + CURVE_WINDOW_M)))
        apart = at[around] - at[around].mean()
        if (apart**2).sum() < 1.0 or len(apart) < 3:
            continue
        turned = np.radians((heading[around] - heading[place] + 180) % 360 - 180)
        curvature = abs(float((apart * turned).sum() / (apart**2).sum()))
        # Offset of a circle from its tangent, d^2 * curvature / 2.
        ends[photo] = min(far_m, float(np.sqrt(2 * LARGEST_OFFSET_M / max(curvature, 1e-9))))
    return ends
