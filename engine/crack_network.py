"""The graph of a picture's centre lines: nodes, gaps to bridge, strokes, enclosed pieces (torch-free).

All coordinates are (row, column) or (x, y) alike; lines are (N, 2) float arrays that share their end vertices
where they meet.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# A line's direction at its end is taken over this many pixels.
END_REACH_PX = 15.0
# Ends within this of each other are one node: thinning leaves two or three pixels at a junction.
NODE_PX = 2.9
# Two ends are in line where both point at each other, and apart, within this.
BRIDGE_TURN_DEG = 30.0
# The same crack goes on through a junction where it turns by less than this.
STROKE_TURN_DEG = 40.0
# And a stroke ends at a corner that turns by more, between two straight stretches.
CORNER_TURN_DEG = 50.0


@dataclass(frozen=True)
class Graph:
    """Lines and the nodes at their ends.

    Attributes:
        lines: (N, 2) each, N >= 2.
        ends: (M, 2) int, the node at the first and at the last vertex of each line.
        degree: (K,) line ends that meet at each node; a line within a node does not count.
        inner: (M,) bool, lines that join two pixels of one node.
    """

    lines: tuple[Floats, ...]
    ends: Integers
    degree: Integers
    inner: npt.NDArray[np.bool_]


def build_graph(lines: Sequence[Floats], node_px: Sequence[float] | Floats | None = None) -> Graph:
    """Join the ends of lines to nodes.

    Args:
        lines: (N, 2) each; lines that meet share an end vertex.
        node_px: for each line the length up to which it is part of a junction, such as the crack's width
            (a crossing of broad cracks thins to two forks); at least 2.9 px.
    """
    if not lines:
        return Graph((), np.zeros((0, 2), np.int64), np.zeros(0, np.int64), np.zeros(0, bool))
    tips = np.concatenate([line[[0, -1]] for line in lines])
    _, spot = np.unique(np.round(tips, 3), axis=0, return_inverse=True)
    ends = spot.reshape(-1, 2)
    count = int(ends.max()) + 1
    meeting = np.bincount(ends.ravel(), minlength=count)
    least = np.full(len(lines), NODE_PX) if node_px is None else np.maximum(node_px, NODE_PX)
    short = np.array([length_of(line) for line in lines]) <= least
    inner = short & (meeting[ends] > 1).all(axis=1) & (ends[:, 0] != ends[:, 1])
    joined = coo_array((np.ones(inner.sum()), tuple(ends[inner].T)), shape=(count, count))
    _, node = connected_components(joined, directed=False)
    ends = node[ends].astype(np.int64)
    degree = np.bincount(ends[~inner].ravel(), minlength=int(node.max()) + 1)
    return Graph(tuple(lines), ends, degree, inner)


def bridges(
    graph: Graph, widths_px: Floats, group: Integers, longest_px: float, least_px: float
) -> list[tuple[Floats, int, int]]:
    """Gaps between free ends in line with each other, the shortest first; each end is used once.

    A piece is never shorter than the gap that joins it to another, and one of the two is no speck.

    Args:
        graph: of all lines.
        widths_px: (M,) mean width of each line: thinning stops half a width short of either end.
        group: (M,) connected piece that each line belongs to.
        longest_px: greatest gap.
        least_px: length that is no speck.

    Returns:
        (2, 2) end points, and the two lines' positions.
    """
    lengths = np.array([length_of(line) for line in graph.lines])
    sizes = np.bincount(group, weights=lengths)
    free = [
        (i, end) for i in range(len(graph.lines)) for end in (0, 1) if graph.degree[graph.ends[i, end]] == 1
    ]
    free = [(i, end) for i, end in free if not graph.inner[i]]
    if len(free) < 2:
        return []
    tips = np.array([graph.lines[i][-end] for i, end in free])
    ahead = np.array([-_into(graph.lines[i], end) for i, end in free])
    near = cKDTree(tips).query_pairs(longest_px + float(widths_px.max()), output_type="ndarray")
    near = near[np.argsort(np.hypot(*(tips[near[:, 1]] - tips[near[:, 0]]).T), kind="stable")]
    found: list[tuple[Floats, int, int]] = []
    used: set[int] = set()
    least_cosine = np.cos(np.radians(BRIDGE_TURN_DEG))
    for a, b in near.tolist():
        one, other = free[a][0], free[b][0]
        across = tips[b] - tips[a]
        gap = float(np.hypot(*across))
        width = float(widths_px[one] + widths_px[other]) / 2
        pieces = sorted((sizes[group[one]], sizes[group[other]]))
        if a in used or b in used or one == other or gap > longest_px + width:
            continue
        if pieces[0] < gap or pieces[1] < least_px or -ahead[a] @ ahead[b] < least_cosine:
            continue
        # Half a width to the side is the same course still.
        along = min(float(across @ ahead[a]), float(-across @ ahead[b]))
        aside = np.sqrt(max(gap**2 - along**2, 0.0))
        if along <= 0 or aside > np.tan(np.radians(BRIDGE_TURN_DEG)) * along + width / 2:
            continue
        used |= {a, b}
        found.append((np.stack([tips[a], tips[b]]), one, other))
    return found


def strokes(graph: Graph) -> list[list[tuple[int, bool]]]:
    """Lines joined through nodes where they go on best: what one would draw without lifting the pen.

    Args:
        graph: of one or more cracks.

    Returns:
        For each stroke the lines in order, and whether each runs backwards.
    """
    meeting: dict[int, list[tuple[int, int]]] = {}
    for i in np.flatnonzero(~graph.inner).tolist():
        for end in (0, 1):
            meeting.setdefault(int(graph.ends[i, end]), []).append((i, end))
    follow: dict[tuple[int, int], tuple[int, int]] = {}
    for arms in meeting.values():
        heads = [_into(graph.lines[i], end) for i, end in arms]
        turns = [
            (float(-heads[a] @ heads[b]), a, b)
            for a in range(len(arms))
            for b in range(a + 1, len(arms))
            if arms[a][0] != arms[b][0]
        ]
        for cosine, a, b in sorted(turns, reverse=True):
            through = cosine >= np.cos(np.radians(STROKE_TURN_DEG)) or len(arms) == 2
            if through and arms[a] not in follow and arms[b] not in follow:
                follow[arms[a]], follow[arms[b]] = arms[b], arms[a]
    return _chains(np.flatnonzero(~graph.inner).tolist(), follow)


def _chains(lines: list[int], follow: dict[tuple[int, int], tuple[int, int]]) -> list[list[tuple[int, bool]]]:
    """Walk the joins from open ends first, then round what is left: closed strokes."""
    seen: set[int] = set()
    found: list[list[tuple[int, bool]]] = []
    open_first = sorted(lines, key=lambda i: (i, 0) in follow and (i, 1) in follow)
    for start in open_first:
        if start in seen:
            continue
        here, end = start, 1 if (start, 0) not in follow else 0
        chain: list[tuple[int, bool]] = []
        while here not in seen:
            seen.add(here)
            chain.append((here, end == 0))
            if (here, end) not in follow:
                break
            here, entered = follow[here, end]
            end = 1 - entered
        found.append(chain)
    return found


def corners(line: Floats, least_px: float) -> list[int]:
    """Vertices where a line turns sharply between two stretches of `least_px` or more."""
    kept = shapely.get_coordinates(shapely.simplify(shapely.linestrings(line), least_px / 4))
    steps = np.diff(kept, axis=0)
    sizes = np.hypot(*steps.T)
    found = []
    for i in range(1, len(steps)):
        cosine = steps[i - 1] @ steps[i] / max(sizes[i - 1] * sizes[i], 1e-9)
        if min(sizes[i - 1], sizes[i]) >= least_px and cosine < np.cos(np.radians(CORNER_TURN_DEG)):
            found.append(int(np.argmin(((line - kept[i]) ** 2).sum(axis=1))))
    return sorted(set(found) - {0, len(line) - 1})


def length_of(line: Floats) -> float:
    """Length of a polyline."""
    return float(np.hypot(*np.diff(line, axis=0).T).sum())


def _into(line: Floats, end: int) -> Floats:
    """Unit vector from a line's first (0) or last (1) vertex into the line."""
    ordered = line[::-1] if end else line
    away = np.hypot(*(ordered - ordered[0]).T)
    far = int(np.argmax(away >= END_REACH_PX)) or len(line) - 1
    step = ordered[far] - ordered[0]
    unit: Floats = step / max(float(np.hypot(*step)), 1e-9)
    return unit
