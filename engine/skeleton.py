"""Turns a crack mask into centre lines: thinning, a pixel graph, and its branches in order (torch-free)."""

import numpy as np
import numpy.typing as npt
from skimage.morphology import skeletonize

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# (row, column) steps to the neighbours; the four straight ones first.
STEPS = np.array([(0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, -1), (-1, 1)])
# Digital lines zigzag: a mean over 9 pixels brings a straight line's length within 1 % at any angle.
SMOOTHING_PX = 4
# A side branch must stick out of the crack by more than this to be one.
SPUR_PX = 2.0


def centre_lines(mask: npt.NDArray[np.bool_], radius_px: npt.NDArray[np.float32]) -> list[Integers]:
    """Trace the centre lines of the True regions of a mask.

    Args:
        mask: bool (H, W).
        radius_px: float32 (H, W), distance of each pixel to the background.

    Returns:
        One (N, 2) array of (row, column) per branch between two ends or junctions, N >= 2, in order along the
        branch and with the end or junction pixels included. A closed ring returns to its first pixel.
    """
    # Lee's thinning: the default (Zhang and Suen) erases diagonal lines of two pixels' width.
    thinned = skeletonize(mask, method="lee")  # type: ignore[no-untyped-call]
    pixels = np.argwhere(thinned).astype(np.int64)
    del thinned
    for _ in range(2):
        branches, degree = _trace(pixels, mask.shape[1])
        spurs = [branch for branch in branches if _is_spur(branch, degree, pixels, radius_px)]
        if not spurs:
            break
        keep = np.ones(len(pixels), bool)
        for branch in spurs:
            keep[branch[degree[branch] < 3]] = False
        pixels = pixels[keep]
        branches, _ = _trace(pixels, mask.shape[1])
    return [pixels[branch] for branch in branches]


def smooth(branch: Integers) -> Floats:
    """Running mean along a branch, ends kept, window shorter near them: (N, 2) -> (N, 2) float."""
    count = len(branch)
    at = np.arange(count)
    reach = np.minimum(np.minimum(at, count - 1 - at), SMOOTHING_PX)
    # Whole numbers, relative to the first: the same crack elsewhere gives the same line to the last bit.
    total = np.concatenate([np.zeros((1, 2), np.int64), np.cumsum(branch - branch[0], axis=0)])
    means: Floats = (total[at + reach + 1] - total[at - reach]) / (2 * reach + 1)[:, None]
    means += branch[0]
    return means


def _is_spur(
    branch: Integers, degree: Integers, pixels: Integers, radius_px: npt.NDArray[np.float32]
) -> bool:
    """Whether a branch with one free end stays within the width of the crack it leaves."""
    first, last = degree[branch[0]], degree[branch[-1]]
    if min(first, last) != 1 or max(first, last) < 3:
        return False
    root, tip = (branch[0], branch[-1]) if first > 1 else (branch[-1], branch[0])
    out_px = float(np.hypot(*(pixels[root] - pixels[tip])))
    return out_px < float(radius_px[tuple(pixels[root])]) + SPUR_PX


def _trace(pixels: Integers, width: int) -> tuple[list[Integers], Integers]:
    """Branches as positions in `pixels` (in raster order), and each pixel's number of neighbours."""
    neighbours = _neighbours(pixels, width)
    degree = (neighbours >= 0).sum(axis=1)
    # Plain lists: the walk below visits pixel by pixel, where arrays are slow.
    around = [[n for n in row if n >= 0] for row in neighbours.tolist()]
    through = (degree == 2).tolist()
    seen = np.zeros(len(pixels), bool).tolist()
    branches: list[Integers] = []

    def walk(start: int, step: int) -> None:
        path, before, here = [start, step], start, step
        while through[here] and not seen[here]:
            seen[here] = True
            one, other = around[here]
            before, here = here, other if one == before else one
            path.append(here)
        branches.append(np.array(path))

    for node in np.flatnonzero((degree != 2) & (degree > 0)).tolist():
        for step in around[node]:
            # Two joined nodes are met from both sides.
            if not seen[step] and (through[step] or node < step):
                walk(node, step)
    for pixel in np.flatnonzero(degree == 2).tolist():
        if not seen[pixel]:
            seen[pixel] = True
            walk(pixel, around[pixel][0])
    return branches, degree


def _neighbours(pixels: Integers, width: int) -> Integers:
    """(N, 8) positions of each pixel's neighbours, -1 for none.

    A diagonal neighbour counts only where no straight neighbour joins the two: otherwise each corner would be
    a triangle of junctions.
    """
    if not len(pixels):
        return np.empty((0, 8), np.int64)
    # Two more columns, so that a step past the edge meets no pixel.
    flat = (pixels[:, 0] + 1) * (width + 2) + pixels[:, 1] + 1
    wanted = flat[:, None] + STEPS @ [width + 2, 1]
    place = np.minimum(np.searchsorted(flat, wanted), len(flat) - 1)
    there = flat[place] == wanted
    joined = there[:, [0, 1, 2, 3]] | there[:, [1, 2, 3, 0]]
    there[:, 4:] &= ~joined
    return np.where(there, place, -1)
