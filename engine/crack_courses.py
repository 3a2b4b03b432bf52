"""Where cracks run: random polylines of single cracks, pairs, blocks and alligator nets (torch-free)."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.spatial import Voronoi

Points = npt.NDArray[np.float64]


def log_uniform(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    return float(np.exp(rng.uniform(np.log(bounds[0]), np.log(bounds[1]))))


def displaced(rng: np.random.Generator, points: Points, roughness: float, finest_px: float) -> Points:
    """Midpoint displacement: halve every piece until `finest_px`, each midpoint pushed sideways."""
    while len(points) > 1 and len(points) < 4000:
        step = np.diff(points, axis=0)
        length = np.hypot(step[:, 0], step[:, 1])
        if length.mean() <= finest_px:
            break
        normal = np.stack([-step[:, 1], step[:, 0]], axis=1)
        push = rng.normal(0, roughness, (len(step), 1)) * normal
        middle = (points[1:] + points[:-1]) / 2 + push
        out = np.empty((2 * len(points) - 1, 2))
        out[0::2], out[1::2] = points, middle
        points = out
    return points


def walk(rng: np.random.Generator, start: Points, heading: float, length_px: float, wander: float) -> Points:
    """Random walk whose heading drifts and is pulled back to where it set out for."""
    step_px = max(length_px / 14, 6.0)
    turn, points = 0.0, [start]
    for _ in range(max(2, round(length_px / step_px))):
        turn = 0.75 * turn + rng.normal(0, wander)
        direction = np.array([np.cos(heading + turn), np.sin(heading + turn)])
        points.append(points[-1] + step_px * rng.uniform(0.6, 1.4) * direction)
    return np.asarray(points)


def crack_polylines(
    rng: np.random.Generator, height_px: int, width_px: int, *, branches: int | None = None
) -> list[Points]:
    """One crack with its branches, as jagged polylines.

    Args:
        rng: source of randomness.
        height_px: rows of the picture it runs through.
        width_px: columns.
        branches: number of branches; drawn at random (0 to 3) when None.

    Returns:
        The main crack first, then its branches; each (N, 2) float x, y in pixels; points may lie outside.
    """
    size = float(np.hypot(height_px, width_px))
    wander = rng.uniform(0.05, 0.55)
    roughness = rng.uniform(0.03, 0.22)
    finest_px = log_uniform(rng, (2.0, 9.0))
    heading = rng.uniform(0, 2 * np.pi)
    if rng.random() < 0.3:  # along or across the lane
        heading = np.pi / 2 * rng.integers(0, 4) + rng.normal(0, 0.06)
    length = rng.uniform(0.25, 1.5) * size
    middle = np.array([rng.uniform(0, width_px), rng.uniform(0, height_px)])
    start = middle - 0.5 * length * np.array([np.cos(heading), np.sin(heading)])
    trunk = walk(rng, start, heading, length, wander)
    lines = [displaced(rng, trunk, roughness, finest_px)]
    count = int(rng.choice([0, 0, 1, 2, 3])) if branches is None else branches
    for _ in range(count):
        at = int(rng.integers(1, len(trunk)))
        side = heading + rng.choice([-1, 1]) * rng.uniform(0.35, 1.4)
        branch = walk(rng, trunk[at], side, length * rng.uniform(0.08, 0.5), wander)
        lines.append(displaced(rng, branch, roughness, finest_px))
    return lines


def crack_network(
    rng: np.random.Generator, height_px: int, width_px: int, *, cell_px: float | None = None
) -> list[Points]:
    """Alligator or block cracking: edges of jittered Voronoi cells within a patch of the picture.

    Args:
        rng: source of randomness.
        height_px: rows.
        width_px: columns.
        cell_px: mean size of a block; log-uniform between 18 and 110 when None.

    Returns:
        One (N, 2) polyline per cell edge, x, y in pixels.
    """
    cell = log_uniform(rng, (18, 110)) if cell_px is None else cell_px
    stretch = np.array([1.0, rng.uniform(0.5, 1.6)]) * cell
    ys, xs = np.mgrid[-1 : height_px / stretch[1] + 2, -1 : width_px / stretch[0] + 2]
    seeds = np.stack([xs.ravel(), ys.ravel()], axis=1)
    seeds = (seeds + rng.uniform(-0.45, 0.45, seeds.shape)) * stretch
    cells = Voronoi(seeds)
    centre = np.array([rng.uniform(0, width_px), rng.uniform(0, height_px)])
    reach = rng.uniform(0.3, 1.1) * np.array([width_px, height_px])
    keep = rng.uniform(0.6, 1.0)
    roughness, finest_px = rng.uniform(0.05, 0.18), log_uniform(rng, (2.5, 7))
    lines = []
    for a, b in cells.ridge_vertices:
        if a < 0 or b < 0 or rng.random() > keep:
            continue
        ends = cells.vertices[[a, b]]
        if np.hypot(*((ends.mean(axis=0) - centre) / reach)) < 1:
            lines.append(displaced(rng, ends, roughness, finest_px))
    return lines


def crack_pair(rng: np.random.Generator, height_px: int, width_px: int) -> list[Points]:
    """Two long cracks side by side, as in a wheel path, with short ones across between them.

    Args:
        rng: source of randomness.
        height_px: rows.
        width_px: columns.

    Returns:
        (N, 2) polylines, x, y in pixels; the two long ones first.
    """
    size = float(np.hypot(height_px, width_px))
    heading = np.pi / 2 * rng.integers(0, 4) + rng.normal(0, 0.12)
    along = np.array([np.cos(heading), np.sin(heading)])
    across = np.array([-along[1], along[0]])
    gap = log_uniform(rng, (0.05, 0.45)) * size
    middle = np.array([rng.uniform(0.1, 0.9) * width_px, rng.uniform(0.1, 0.9) * height_px])
    wander, roughness = rng.uniform(0.05, 0.3), rng.uniform(0.04, 0.2)
    finest_px = log_uniform(rng, (2.0, 7.0))
    trunks = []
    for side in (-0.5, 0.5):
        length = rng.uniform(0.5, 1.3) * size
        start = middle + side * gap * across - rng.uniform(0.4, 0.6) * length * along
        trunks.append(walk(rng, start, heading, length, wander))
    lines = [displaced(rng, trunk, roughness, finest_px) for trunk in trunks]
    for _ in range(int(rng.integers(0, 6)) if gap < 0.25 * size else 0):
        start = trunks[0][int(rng.integers(len(trunks[0])))]
        nearest = trunks[1][
            np.argmin(((trunks[1] - start - rng.normal(0, 0.3) * gap * along) ** 2).sum(axis=1))
        ]
        end = start + (nearest - start) * rng.uniform(0.4, 1.0)
        lines.append(displaced(rng, np.stack([start, end]), roughness, finest_px))
    return lines


def crack_blocks(rng: np.random.Generator, height_px: int, width_px: int, *, cell_px: float) -> list[Points]:
    """Block cracking: roughly rectangular pieces, offset like bricks, some of them not closed.

    Args:
        rng: source of randomness.
        height_px: rows.
        width_px: columns.
        cell_px: mean size of a block.

    Returns:
        One (N, 2) polyline per side of a block, x, y in pixels.
    """
    reach = float(np.hypot(height_px, width_px)) / 2
    turn = np.pi / 2 * rng.integers(0, 2) + rng.normal(0, 0.25)
    frame = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    middle = np.array([width_px, height_px]) / 2
    roughness, finest_px = rng.uniform(0.03, 0.14), log_uniform(rng, (2.5, 8))
    closed, long_px = rng.uniform(0.55, 1.0), cell_px * rng.uniform(1.0, 2.0)
    rows = np.arange(-reach, reach + cell_px, cell_px)
    rows = rows + rng.uniform(-0.25, 0.25, len(rows)) * cell_px
    sides = []
    for upper, lower in pairwise(rows):
        posts = np.arange(-reach, reach + long_px, long_px) + rng.uniform(-0.5, 0.5) * long_px
        posts = posts + rng.uniform(-0.25, 0.25, len(posts)) * long_px
        tilt = rng.normal(0, 0.08, len(posts)) * cell_px
        sides += [np.array([[x, upper], [x + lean, lower]]) for x, lean in zip(posts, tilt, strict=True)]
        sides += [np.array([[left, upper], [right, upper]]) for left, right in pairwise(posts)]
    return [
        displaced(rng, middle + side @ frame, roughness, finest_px) for side in sides if rng.random() < closed
    ]


def alligator(rng: np.random.Generator, height_px: int, width_px: int, *, cell_px: float) -> list[Points]:
    """Fatigue cracking: many-sided cells in a wheel path, closed in its middle and open towards its edge.

    Args:
        rng: source of randomness.
        height_px: rows.
        width_px: columns.
        cell_px: mean size of a cell.

    Returns:
        One (N, 2) polyline per side of a cell, x, y in pixels.
    """
    # seen forward along the road, cells look flat
    flat = cell_px * np.array([1.0, log_uniform(rng, (0.35, 1.3))])[:: int(rng.choice([-1, 1]))]
    ys, xs = np.mgrid[-1 : height_px / flat[1] + 2, -1 : width_px / flat[0] + 2]
    seeds = np.stack([xs.ravel(), ys.ravel()], axis=1)
    cells = Voronoi((seeds + rng.uniform(-0.5, 0.5, seeds.shape)) * flat)
    centre = np.array([rng.uniform(0, width_px), rng.uniform(0, height_px)])
    turn = rng.uniform(0, np.pi)
    axes = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    reach = np.array([rng.uniform(0.5, 1.5), rng.uniform(0.15, 0.6)]) * max(height_px, width_px)
    closed, roughness = rng.uniform(0.7, 1.0), rng.uniform(0.05, 0.18)
    finest_px = log_uniform(rng, (2.5, 6))
    ridges = np.array(cells.ridge_vertices)
    ridges = ridges[(ridges >= 0).all(axis=1)]
    ends = cells.vertices[ridges]
    out = np.hypot(*((ends.mean(axis=1) - centre) @ axes.T / reach).T)
    kept = rng.random(len(ends)) < closed * np.clip(2 - 2 * out, 0, 1)
    return [displaced(rng, pair, roughness, finest_px) for pair in ends[kept]]


def mixed_network(rng: np.random.Generator, height_px: int, width_px: int, line_px: float) -> list[Points]:
    """A pair, blocks or an alligator net, of a size that suits cracks `line_px` wide; see those."""
    side = min(height_px, width_px)
    kind = rng.random()
    if kind < 0.35:
        return crack_pair(rng, height_px, width_px)
    if kind < 0.6:
        cell = log_uniform(rng, (max(0.18 * side, 6 * line_px), max(0.8 * side, 15 * line_px)))
        return crack_blocks(rng, height_px, width_px, cell_px=cell)
    cell = log_uniform(rng, (max(0.08 * side, 4 * line_px), max(0.3 * side, 9 * line_px)))
    return alligator(rng, height_px, width_px, cell_px=cell)
