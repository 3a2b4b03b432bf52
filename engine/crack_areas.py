"""Where cracks form networks: block and alligator cracking, their pieces and outlines (torch-free).

A course is a float array (N, 6), one row for each vertex of a centre line: x and y in rectified pixels, width
in pixels, crack length in pixels that the vertex stands for, the same of bridged gaps, and mask pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt
import shapely
from scipy.ndimage import distance_transform_edt, label
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from engine.crack_network import length_of
from engine.measurement import Crack, vertex_lengths

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

XY, WIDTH, DRAWN, BRIDGED, PIXELS = slice(0, 2), 2, 3, 4, 5

# Pieces are looked for on a grid of this, or of the picture's pixels where those are larger.
GRID_M = 0.01
LEAST_PIECE_M = 0.05
# Cracks this near to each other may be one network.
GROUP_M = 0.3
# Larger ones are no block cracking.
LARGEST_PIECE_M = 3.0
# Where too few pieces are closed to measure them, larger ones are single cracks that cross.
LARGEST_OPEN_PIECE_M = 1.0
# A network runs in all directions: the length of the mean of its doubled directions is below this (0 to 1).
LARGEST_ALIGNMENT = 0.5
LEAST_NODES = 2
# With no more nodes than that it must run in all directions, not only along and across.
FEW_ALIGNMENT = 0.4
# So many closed pieces are a network whatever else hangs on to it.
CLEARLY_CLOSED = 4
# A crack leaves a network where it runs on for longer than this, and than two pieces.
LEAST_TAIL_M = 0.5


@dataclass(frozen=True)
class CrackArea:
    """A network of cracks.

    Attributes:
        courses: its cracks.
        piece_m: typical side of its pieces.
        closed: how many pieces are enclosed all round.
        nodes: junctions of the crack that it was found in.
        outline_px: (N, 2) closed ring of x, y in rectified pixels.
        area_m2: within the outline.
    """

    courses: tuple[Floats, ...]
    piece_m: float
    closed: int
    nodes: int
    outline_px: Floats
    area_m2: float


def courses_of(crack: Crack) -> list[Floats]:
    """A crack's branches as courses; its mask pixels are shared out by length times width."""
    parts = []
    for branch in crack.branches:
        lengths = vertex_lengths(branch.line_px)
        drawn = np.zeros_like(lengths) if branch.bridged else lengths
        parts.append(
            np.column_stack(
                [branch.line_px, branch.widths_px, drawn, lengths - drawn, drawn * branch.widths_px]
            )
        )
    covered = sum(float(part[:, PIXELS].sum()) for part in parts)
    for part in parts:
        part[:, PIXELS] *= crack.area_px / max(covered, 1e-9)
    return parts


def find_crack_areas(
    cracks: Sequence[Crack], frame_px: tuple[int, int, int, int], gsd_mm_per_px: float
) -> tuple[list[CrackArea], list[Floats]]:
    """Networks of cracks, and what is left: single cracks.

    Args:
        cracks: the longest first.
        frame_px: (left, top, right, bottom) of the surveyed area, right and bottom exclusive. Pieces that it
            cuts count to the network's area.
        gsd_mm_per_px: ground sampling distance.

    Returns:
        The networks, and the courses outside them.
    """
    areas: list[CrackArea] = []
    loose: list[Floats] = []
    waiting = _neighbours(cracks, GROUP_M * 1000 / gsd_mm_per_px)
    while waiting:
        group = waiting.pop()
        courses = [course for crack in group for course in courses_of(crack)]
        size = _piece_size(group, courses, gsd_mm_per_px)
        if size is not None:
            inside, outside = _split(courses, frame_px, gsd_mm_per_px, *size)
            areas += inside
            loose += outside
        elif len(group) > 1:
            waiting += [[crack] for crack in group]
        else:
            loose += courses
    kept: list[CrackArea] = []
    taken: list[list[Floats]] = []
    for area in sorted(areas, key=lambda area: -area.area_m2):
        home = _home(area.outline_px, kept, gsd_mm_per_px)
        if home is None:
            kept.append(area)
            taken.append([])
        else:
            taken[home] += area.courses
    single: list[Floats] = []
    for course in loose:
        home = _home(course[:, XY], kept, gsd_mm_per_px)
        (single if home is None else taken[home]).append(course)
    grown = [
        _grown(area, more, frame_px, gsd_mm_per_px) if more else area
        for area, more in zip(kept, taken, strict=True)
    ]
    return grown, single


def _neighbours(cracks: Sequence[Crack], reach_px: float) -> list[list[Crack]]:
    """Cracks grouped with those that come near them."""
    if not cracks:
        return []
    step = max(1, int(reach_px / 8))
    points = [np.concatenate([branch.line_px[::step] for branch in crack.branches]) for crack in cracks]
    owner = np.repeat(np.arange(len(cracks)), [len(own) for own in points])
    pairs = cKDTree(np.concatenate(points)).query_pairs(reach_px, output_type="ndarray")
    links = np.unique(owner[pairs], axis=0)
    joined = coo_array((np.ones(len(links)), tuple(links.T)), shape=(len(cracks),) * 2)
    _, group = connected_components(joined, directed=False)
    return [[cracks[i] for i in np.flatnonzero(group == g).tolist()] for g in range(int(group.max()) + 1)]


def _piece_size(group: Sequence[Crack], courses: list[Floats], gsd: float) -> tuple[float, int, int] | None:
    """Side in metres of the pieces of a network, how many are closed, and its nodes; None: it is none."""
    lines = [course[:, XY] for course in courses]
    alignment = _alignment(lines, 2)
    nodes = sum(crack.nodes for crack in group)
    if nodes < LEAST_NODES:
        return None
    length_px = sum(crack.length_px for crack in group)
    width_px = sum(crack.mean_width_px * crack.length_px for crack in group) / length_px
    closed = np.sort(_closed_pieces_m(lines, gsd))
    closed = closed[closed >= max(LEAST_PIECE_M, 3 * width_px * gsd / 1000)]
    if len(closed) >= CLEARLY_CLOSED:
        # The small ones are many: half of the area lies in larger pieces than this.
        share = np.cumsum(closed**2)
        piece = float(closed[np.searchsorted(share, share[-1] / 2)])
        return (piece, len(closed), nodes) if piece <= LARGEST_PIECE_M else None
    few = nodes == LEAST_NODES
    if alignment >= LARGEST_ALIGNMENT or (few and max(alignment, _alignment(lines, 4)) >= FEW_ALIGNMENT):
        return None
    hull = shapely.convex_hull(shapely.multipoints(np.concatenate(lines)))
    piece = _mesh_m(float(shapely.area(hull)) * (gsd / 1000) ** 2, length_px * gsd / 1000)
    largest = LARGEST_PIECE_M if len(closed) >= 2 else LARGEST_OPEN_PIECE_M
    return (piece, len(closed), nodes) if LEAST_PIECE_M <= piece <= largest else None


def _alignment(lines: Sequence[Floats], fold: int) -> float:
    """Length of the mean of the directions times `fold`: 1 along one line (2) or a cross (4), 0 all ways."""
    steps = np.concatenate([np.diff(line, axis=0) for line in lines])
    sizes = np.hypot(*steps.T)
    angles = np.arctan2(steps[:, 1], steps[:, 0])
    return float(np.abs(np.sum(sizes * np.exp(1j * fold * angles))) / max(sizes.sum(), 1e-9))


def _mesh_m(area_m2: float, length_m: float) -> float:
    """Side of the squares of a grid with as much line on this area: 2 / side on each unit of it."""
    return 2 * area_m2 / length_m


def _closed_pieces_m(lines: Sequence[Floats], gsd: float) -> Floats:
    """Sides in metres (root of the area) of the pieces that lines enclose."""
    grid_m = max(GRID_M, gsd / 1000)
    scale = gsd / 1000 / grid_m
    points = np.concatenate(lines)
    low = points.min(axis=0) * scale - 1
    across, down = (np.ceil(points.max(axis=0) * scale - low).astype(int) + 2).tolist()
    drawn = _drawn([line * scale - low for line in lines], (down, across))
    pieces, count = label(~drawn)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    sizes[[0, pieces[0, 0]]] = 0
    sides: Floats = np.sqrt(sizes[sizes > 0]) * grid_m
    return sides


def _drawn(lines: Sequence[Floats], shape: tuple[int, int]) -> Mask:
    canvas = np.zeros(shape, np.uint8)
    cv2.polylines(canvas, [np.round(line).astype(np.int32) for line in lines], False, (1,))
    return canvas.astype(bool)


def _region(
    courses: Sequence[Floats], frame_px: tuple[int, int, int, int], gsd: float, piece_m: float
) -> tuple[Mask, float]:
    """What is within a network on a grid over the frame, and the grid's cells per pixel.

    Closed by one piece, then opened by a quarter, so that single lines are gone. Beyond the frame the picture
    goes on mirrored: pieces that it cuts fill up as well.
    """
    grid_m = max(GRID_M, gsd / 1000, piece_m / 20)
    scale = gsd / 1000 / grid_m
    left, top, right, bottom = frame_px
    shape = (int(np.ceil((bottom - top) * scale)) + 1, int(np.ceil((right - left) * scale)) + 1)
    drawn = _drawn([(course[:, XY] - [left, top]) * scale for course in courses], shape)
    radius = piece_m / grid_m
    pad = int(np.ceil(radius)) + 2
    pads = [min(pad, size) for size in shape]
    wide = np.pad(drawn, [(pads[0],) * 2, (pads[1],) * 2], mode="symmetric")
    near = np.pad(distance_transform_edt(~wide) <= radius, pad, constant_values=False)
    closed = (distance_transform_edt(near) > radius)[pad:-pad, pad:-pad]
    # Just beyond what is padded the closing ends: it must not eat into the frame.
    whole = closed | wide
    heart = distance_transform_edt(np.pad(whole, 1, mode="edge"))[1:-1, 1:-1] > radius / 4
    opened = distance_transform_edt(~heart) <= radius / 4 if heart.any() else heart
    inner: Mask = opened[pads[0] : pads[0] + shape[0], pads[1] : pads[1] + shape[1]]
    return inner, scale


def _split(
    courses: list[Floats],
    frame_px: tuple[int, int, int, int],
    gsd: float,
    piece_m: float,
    closed: int,
    nodes: int,
) -> tuple[list[CrackArea], list[Floats]]:
    """A network's patches, and the tails of single cracks that leave them."""
    region, scale = _region(courses, frame_px, gsd, piece_m)
    patches, count = label(region)
    least = 2 * (piece_m * 1000 / gsd * scale) ** 2
    sizes = np.bincount(patches.ravel(), minlength=count + 1)
    kept = [i for i in range(1, count + 1) if sizes[i] >= least]
    if not kept:
        return [], courses
    away, nearest = distance_transform_edt(~np.isin(patches, kept), return_indices=True)
    patch_at = patches[tuple(nearest)]
    origin = np.array(frame_px[:2])
    top = np.array(region.shape)[::-1] - 1
    inside: dict[int, list[Floats]] = {}
    outside: list[Floats] = []
    tail_px = max(LEAST_TAIL_M, 2 * piece_m) * 1000 / gsd
    for course in courses:
        x, y = np.clip(np.round((course[:, XY] - origin) * scale).astype(int), 0, top).T
        far = away[y, x] > piece_m / 2 * 1000 / gsd * scale
        starts = np.flatnonzero(np.diff(far[:-1])) + 1
        for first, last in zip([0, *starts], [*starts, len(course)], strict=True):
            run = course[first : last + 1].copy()
            if last < len(course):
                run[-1, DRAWN:] = 0  # the next run begins there and counts it
            if far[first] and length_of(run[:, XY]) >= tail_px:
                outside.append(run)
            else:
                inside.setdefault(int(patch_at[y[first], x[first]]), []).append(run)
    areas = []
    for i in kept:
        if i in inside:
            outline, area = _outline(patches == i, origin, scale, gsd)
            own = tuple(inside.pop(i))
            side_m = piece_m if closed >= CLEARLY_CLOSED else _mesh_m(area, _length_m(own, gsd))
            areas.append(CrackArea(own, side_m, closed, nodes, outline, area))
    return areas, [*outside, *(run for runs in inside.values() for run in runs)]


def _home(points: Floats, areas: list[CrackArea], gsd: float) -> int | None:
    """The network within half a piece of which most of the points lie."""
    for i, area in enumerate(areas):
        around = shapely.buffer(shapely.polygons(area.outline_px), area.piece_m / 2 * 1000 / gsd)
        if np.mean(shapely.contains_xy(around, points)) >= 0.5:
            return i
    return None


def _grown(area: CrackArea, more: list[Floats], frame_px: tuple[int, int, int, int], gsd: float) -> CrackArea:
    """A network with further cracks that lie in it."""
    courses = (*area.courses, *more)
    region, scale = _region(courses, frame_px, gsd, area.piece_m)
    patches, _ = label(region)
    largest = int(np.bincount(patches[patches > 0]).argmax())
    outline, area_m2 = _outline(patches == largest, np.array(frame_px[:2]), scale, gsd)
    side_m = area.piece_m if area.closed >= CLEARLY_CLOSED else _mesh_m(area_m2, _length_m(courses, gsd))
    return replace(area, courses=courses, piece_m=side_m, outline_px=outline, area_m2=area_m2)


def _length_m(courses: Sequence[Floats], gsd: float) -> float:
    return sum(length_of(course[:, XY]) for course in courses) * gsd / 1000


def _outline(patch: Mask, origin: npt.NDArray[np.int64], scale: float, gsd: float) -> tuple[Floats, float]:
    """Closed ring of (x, y) in pixels round the largest part of a patch, and the area within it in m2."""
    rings, _ = cv2.findContours(patch.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    ring = max(rings, key=len)[:, 0].astype(np.float64)
    simple = shapely.simplify(shapely.polygons(ring / scale + origin), 1 / scale)
    return shapely.get_coordinates(simple), float(shapely.area(simple)) * (gsd / 1000) ** 2
