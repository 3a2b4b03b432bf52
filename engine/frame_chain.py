"""Overlapping photos of one lane chained by chainage: each metre of road counts once (torch-free).

A photo at chainage c that is driven towards higher chainage (direction +1) shows the road from c + near to
c + far; driven towards lower chainage (-1), from c - near to c - far.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LARGEST_OFFSET_M = 0.3
"""Where a curve moves the lane sideways by more, a photo's straight lane polygon is off the lane."""
CURVE_WINDOW_M = 15.0
"""Curvature is taken from the headings this far before and after a photo: single headings are noisy."""
SMALLEST_PART_M = 0.01
TURN_BACK_M = 5.0
"""Positions of a vehicle that stands or creeps jump to and fro by less."""
MOST_NEIGHBOURS = 10
SURE_SHARE = 0.3
"""Headings that are more across the road, or cancel each other out by more, say nothing."""

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


def travel_directions(
    chainages_m: Sequence[float | None],
    headings_deg: Sequence[float | None] | None = None,
    line_headings_deg: Sequence[float | None] | None = None,
) -> list[int]:
    """Direction of each photo: by its heading against the road's where both are known, else by chainage.

    Positions jitter. A vehicle has turned round when it went back by more than `TURN_BACK_M`, and headings
    are those of the photos in a row that lie as near.

    Args:
        chainages_m: of photos in the order in which they were taken; None where unknown.
        headings_deg: of the photos, clockwise from north.
        line_headings_deg: of rising chainage at each photo, likewise.

    Returns:
        +1 or -1 for each; that of the photos before where nothing is known, +1 where nothing says otherwise.
    """
    known = [(photo, at) for photo, at in enumerate(chainages_m) if at is not None]
    by_chainage = dict(zip((photo for photo, _ in known), _ways([at for _, at in known]), strict=True))
    if headings_deg is not None and line_headings_deg is not None:
        by_chainage |= _ways_by_heading(known, headings_deg, line_headings_deg)
    last = by_chainage[known[0][0]] if known else 1
    directions: list[int] = []
    for photo in range(len(chainages_m)):
        last = by_chainage.get(photo, last)
        directions.append(last)
    return directions


def _ways(at_m: list[float]) -> list[int]:
    """+1 or -1 by chainage alone."""
    ways = [1] * len(at_m)
    if not at_m:
        return ways
    way, begin, lowest, highest = 0, 0, 0, 0
    for place, at in enumerate(at_m):
        # Of photos at one chainage the last is where it turned.
        lowest = place if at <= at_m[lowest] else lowest
        highest = place if at >= at_m[highest] else highest
        if way >= 0 and at_m[highest] - at > TURN_BACK_M:
            new, turn = -1, highest
        elif way <= 0 and at - at_m[lowest] > TURN_BACK_M:
            new, turn = 1, lowest
        else:
            continue
        if way:
            # After a jump, to another pass, the photo that it led to begins the new drive.
            jumped = turn > 0 and abs(at_m[turn] - at_m[turn - 1]) > abs(at_m[turn + 1] - at_m[turn])
            first = turn if jumped else turn + 1
            ways[begin:first] = [way] * (first - begin)
            begin = first
        way, lowest, highest = new, place, place
    # Never that far to and fro: all of it goes where it ends.
    ways[begin:] = [way or (-1 if at_m[-1] < at_m[0] else 1)] * (len(at_m) - begin)
    return ways


def _ways_by_heading(
    known: Sequence[tuple[int, float]],
    headings_deg: Sequence[float | None],
    line_headings_deg: Sequence[float | None],
) -> dict[int, int]:
    """+1 or -1 of the photos whose neighbours' headings agree: those of a standing vehicle are noise."""
    at = np.array([place for _, place in known])
    along = np.zeros(len(known))
    for place, (photo, _) in enumerate(known):
        heading, line = headings_deg[photo], line_headings_deg[photo]
        if heading is not None and line is not None:
            along[place] = np.cos(np.radians(heading - line))
    along[np.abs(along) < SURE_SHARE] = 0  # across the road
    weights, total = np.abs(along), along.copy()
    for side in (1, -1):
        near = np.ones(len(at), dtype=bool)
        for step in range(1, min(MOST_NEIGHBOURS + 1, len(at))):
            here = np.arange(len(at))
            there = here + side * step
            inside = (there >= 0) & (there < len(at))
            there = np.where(inside, there, here)
            near &= inside & (np.abs(at[there] - at) <= TURN_BACK_M)
            total += np.where(near, along[there], 0)
            weights += np.where(near, np.abs(along[there]), 0)
    sure = np.abs(total) > SURE_SHARE * weights
    return {
        photo: 1 if total[place] > 0 else -1
        for place, (photo, _) in enumerate(known)
        if sure[place] and along[place]
    }


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
