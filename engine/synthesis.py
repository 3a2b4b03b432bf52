"""Cracks drawn on pavement, with their exact masks (torch-free).

Source: no seed draws cracks; the recipe is ours (random walks whose darkening multiplies the photo's own
texture), and replaces human labels when a network is trained or adapted.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.spatial import Voronoi

from engine.pavement import FloatImage, RgbImage, procedural_pavement, smooth_noise

Mask = npt.NDArray[np.bool_]
Points = npt.NDArray[np.float64]

__all__ = [
    "CrackStyle",
    "crack_network",
    "crack_polylines",
    "draw_cracks",
    "draw_polyline_crack",
    "procedural_pavement",
    "rasterise_polyline",
]


@dataclass(frozen=True)
class CrackStyle:
    """What cracks are drawn; every range is sampled per crack.

    Attributes:
        width_px: smallest and largest mean width, drawn log-uniformly, 1 to 40.
        contrast: smallest and largest share of light lost inside the crack, log-uniform.
        network_share: probability of an alligator or block network instead of single cracks.
        max_cracks: most single cracks in one picture.
        blur_px: standard deviations of the blur at the crack's edge.
    """

    width_px: tuple[float, float] = (1.0, 16.0)
    contrast: tuple[float, float] = (0.10, 0.75)
    network_share: float = 0.2
    max_cracks: int = 3
    blur_px: tuple[float, float] = (0.3, 1.3)


def _log_uniform(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    return float(np.exp(rng.uniform(np.log(bounds[0]), np.log(bounds[1]))))


def _displaced(rng: np.random.Generator, points: Points, roughness: float, finest_px: float) -> Points:
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


def _walk(rng: np.random.Generator, start: Points, heading: float, length_px: float, wander: float) -> Points:
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
    finest_px = _log_uniform(rng, (2.0, 9.0))
    heading = rng.uniform(0, 2 * np.pi)
    if rng.random() < 0.3:  # along or across the lane
        heading = np.pi / 2 * rng.integers(0, 4) + rng.normal(0, 0.06)
    length = rng.uniform(0.25, 1.5) * size
    middle = np.array([rng.uniform(0, width_px), rng.uniform(0, height_px)])
    start = middle - 0.5 * length * np.array([np.cos(heading), np.sin(heading)])
    trunk = _walk(rng, start, heading, length, wander)
    lines = [_displaced(rng, trunk, roughness, finest_px)]
    count = int(rng.choice([0, 0, 1, 2, 3])) if branches is None else branches
    for _ in range(count):
        at = int(rng.integers(1, len(trunk)))
        side = heading + rng.choice([-1, 1]) * rng.uniform(0.35, 1.4)
        branch = _walk(rng, trunk[at], side, length * rng.uniform(0.08, 0.5), wander)
        lines.append(_displaced(rng, branch, roughness, finest_px))
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
    cell = _log_uniform(rng, (18, 110)) if cell_px is None else cell_px
    stretch = np.array([1.0, rng.uniform(0.5, 1.6)]) * cell
    ys, xs = np.mgrid[-1 : height_px / stretch[1] + 2, -1 : width_px / stretch[0] + 2]
    seeds = np.stack([xs.ravel(), ys.ravel()], axis=1)
    seeds = (seeds + rng.uniform(-0.45, 0.45, seeds.shape)) * stretch
    cells = Voronoi(seeds)
    centre = np.array([rng.uniform(0, width_px), rng.uniform(0, height_px)])
    reach = rng.uniform(0.3, 1.1) * np.array([width_px, height_px])
    keep = rng.uniform(0.6, 1.0)
    roughness, finest_px = rng.uniform(0.05, 0.18), _log_uniform(rng, (2.5, 7))
    lines = []
    for a, b in cells.ridge_vertices:
        if a < 0 or b < 0 or rng.random() > keep:
            continue
        ends = cells.vertices[[a, b]]
        if np.hypot(*((ends.mean(axis=0) - centre) / reach)) < 1:
            lines.append(_displaced(rng, ends, roughness, finest_px))
    return lines


def rasterise_polyline(
    points_px: Points, widths_px: npt.NDArray[np.float64], height_px: int, width_px: int
) -> FloatImage:
    """Area of each pixel that a line of varying width covers.

    Args:
        points_px: (N, 2) x, y; pixel centres lie at whole numbers; may lie outside.
        widths_px: (N,) width at each point, > 0.
        height_px: rows of the result.
        width_px: columns of the result.

    Returns:
        float32 (H, W) in [0, 1].
    """
    coverage = np.zeros((height_px, width_px), np.float32)
    margin = float(widths_px.max()) + 2
    low = np.floor(points_px.min(axis=0) - margin).astype(int).clip(0)
    high = np.ceil(points_px.max(axis=0) + margin).astype(int) + 1
    right, bottom = min(int(high[0]), width_px), min(int(high[1]), height_px)
    if right <= low[0] or bottom <= low[1]:
        return coverage
    fine = 4 if widths_px.mean() < 12 else 2
    canvas = np.zeros(((bottom - low[1]) * fine, (right - low[0]) * fine), np.uint8)
    scaled = (points_px - low + 0.5) * fine
    radii = np.maximum(widths_px, 1 / fine) * fine / 2
    bits, one = 4, 16
    step = np.diff(scaled, axis=0)
    length = np.hypot(step[:, 0], step[:, 1])
    normal = np.stack([-step[:, 1], step[:, 0]], axis=1) / np.maximum(length, 1e-9)[:, None]
    # OpenCV fills a polygon with its outline: half a fine pixel less on either side keeps the width true
    side = np.maximum(radii - 0.5, 0)[:, None]
    quads = np.stack(
        [
            scaled[:-1] + normal * side[:-1],
            scaled[1:] + normal * side[1:],
            scaled[1:] - normal * side[1:],
            scaled[:-1] - normal * side[:-1],
        ],
        axis=1,
    )
    whole = np.round((quads - 0.5) * one).astype(np.int32)
    for quad in whole:
        cv2.fillConvexPoly(canvas, quad, 255, cv2.LINE_8, bits)
    centres = np.round((scaled - 0.5) * one).astype(np.int32)
    for (x, y), radius in zip(centres.tolist(), radii.tolist(), strict=True):
        cv2.circle(canvas, (x, y), max(0, round((radius - 0.5) * one)), 255, -1, cv2.LINE_8, bits)
    size = (right - int(low[0]), bottom - int(low[1]))
    area = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA)
    coverage[low[1] : bottom, low[0] : right] = area.astype(np.float32) / 255
    return coverage


def _mask(points_px: Points, widths_px: npt.NDArray[np.float64], shape: tuple[int, int]) -> Mask:
    """Pixels at least half covered; a hairline is marked as wide as a pixel's diagonal, so it stays whole."""
    widths = np.maximum(widths_px, 1.4)
    return np.asarray(rasterise_polyline(points_px, widths, *shape) >= 0.5)


def draw_polyline_crack(
    image: RgbImage,
    points_px: Points,
    width_px: float | npt.NDArray[np.float64],
    contrast: float,
    *,
    blur_px: float = 0.6,
) -> tuple[RgbImage, Mask]:
    """Draw one crack of known course and width; nothing is random.

    Args:
        image: uint8 (H, W, 3); not changed.
        points_px: (N, 2) x, y, N >= 2.
        width_px: one width or one per point, > 0.
        contrast: share of light lost inside the crack, 0 to 1.
        blur_px: standard deviation of the blur of the crack's edge.

    Returns:
        The picture with the crack, and the mask (H, W) of its true extent.
    """
    points = np.asarray(points_px, np.float64)
    widths = np.broadcast_to(np.asarray(width_px, np.float64), (len(points),))
    shape = (image.shape[0], image.shape[1])
    coverage = rasterise_polyline(points, widths, *shape)
    soft = cv2.GaussianBlur(coverage, (0, 0), blur_px) if blur_px > 0 else coverage
    dark = image * (1 - np.float32(contrast) * soft[..., None])
    return np.clip(dark + 0.5, 0, 255).astype(np.uint8), _mask(points, widths, shape)


def _widths(rng: np.random.Generator, count: int, mean_px: float, taper: bool) -> npt.NDArray[np.float64]:
    """Width along a crack: slow changes, jagged edges, thin ends."""
    knots = rng.normal(0, rng.uniform(0.1, 0.45), max(3, count // 8))
    slow = np.interp(np.linspace(0, len(knots) - 1, count), np.arange(len(knots)), knots)
    reach = min(count, max(1, round(mean_px / 3)))  # the edge of a broad crack is not a string of beads
    jag = np.convolve(rng.normal(0, rng.uniform(0.05, 0.35), count), np.ones(reach) / reach**0.5, "same")
    widths = mean_px * np.exp(slow + jag)
    if taper:
        along = np.linspace(0, 1, count)
        widths = widths * np.clip(np.minimum(along, 1 - along) / rng.uniform(0.05, 0.35), 0.25, 1)
    return np.clip(widths, 0.5, 1.8 * mean_px)


def _least_contrast(image: FloatImage, width_px: float) -> float:
    """Contrast below which nobody could tell a crack of that width from the stones, or from a stain."""
    grey = cv2.GaussianBlur(image.mean(axis=2), (0, 0), 0.5 + width_px / 2)
    unrest = float(np.abs(grey - cv2.blur(grey, (31, 31))).mean() / max(float(grey.mean()), 1.0))
    return 1.4 * unrest + (0.12 if width_px < 1.5 else min(0.012 * width_px, 0.2))


def _darken(
    rng: np.random.Generator,
    image: FloatImage,
    coverage: FloatImage,
    mean_px: float,
    contrast: float,
    style: CrackStyle,
) -> None:
    """Let a crack's coverage take light from `image` (H, W, 3), in place."""
    shape = (coverage.shape[0], coverage.shape[1])
    soft = cv2.GaussianBlur(coverage, (0, 0), _log_uniform(rng, style.blur_px))
    if mean_px > 4 and rng.random() < 0.5:  # sloping walls: darkest in the middle
        soft = 0.5 * soft + 0.5 * cv2.GaussianBlur(coverage, (0, 0), mean_px / 4)
    local = np.float32(rng.uniform(0.05, 0.5)) * smooth_noise(
        rng, *shape, max(3.0, rng.uniform(0.8, 4) * mean_px)
    )
    strength = np.float32(contrast) * soft * np.clip(1 + local, 0.15, 1.3)
    if mean_px > 2.5 and rng.random() < 0.75:  # filled with dirt: the stones' texture ends at the edge
        fill = np.float32(rng.uniform(0.3, 1.0)) * soft
        mean = cv2.blur(image, (31, 31))
        grit = 1 + np.float32(rng.uniform(0.02, 0.3)) * smooth_noise(rng, *shape, rng.uniform(1, 3))
        dirt = mean * grit[..., None] * (1 + rng.normal(0, 0.04, 3).astype(np.float32))
        image += fill[..., None] * (dirt - image)
    if rng.random() < 0.3:  # the wall that faces the sun
        shift = np.array([[1, 0, rng.uniform(-1, 1) * (1 + mean_px / 2)], [0, 1, rng.uniform(-1, 1) * 2]])
        lit = cv2.warpAffine(soft, shift, shape[::-1], borderMode=cv2.BORDER_REPLICATE)
        edge = np.clip(lit - soft, 0, 1) * np.float32(rng.uniform(0.05, 0.35))
        image *= 1 + edge[..., None]
    if rng.random() < 0.2:  # damp or dirty surroundings
        halo = cv2.GaussianBlur(coverage, (0, 0), rng.uniform(1.5, 4) * mean_px + 3)
        image *= 1 - np.float32(rng.uniform(0.05, 0.35)) * np.clip(2 * halo, 0, 1)[..., None]
    colour = 1 + rng.normal(0, 0.03, 3).astype(np.float32)
    image *= 1 - np.clip(strength[..., None] * colour, 0, 0.97)


def _frayed(
    rng: np.random.Generator, coverage: FloatImage, extent: FloatImage, width_px: float
) -> tuple[FloatImage, FloatImage]:
    """Both edges of a broad crack broken off irregularly, each for itself; the same for both arrays."""
    shape = (coverage.shape[0], coverage.shape[1])
    push = np.float32(rng.uniform(0.03, 0.28) * min(width_px, 14))
    detail_px = max(2.0, rng.uniform(0.3, 1.2) * width_px)
    grid_y, grid_x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    map_x = grid_x + push * smooth_noise(rng, shape[0], shape[1], detail_px)
    map_y = grid_y + push * smooth_noise(rng, shape[0], shape[1], detail_px)
    return (
        np.asarray(cv2.remap(coverage, map_x, map_y, cv2.INTER_LINEAR), np.float32),
        np.asarray(cv2.remap(extent, map_x, map_y, cv2.INTER_LINEAR), np.float32),
    )


def draw_cracks(
    rng: np.random.Generator, image: RgbImage, style: CrackStyle | None = None
) -> tuple[RgbImage, Mask]:
    """Draw random cracks on a picture of pavement.

    Args:
        rng: source of randomness.
        image: uint8 (H, W, 3); not changed.
        style: ranges of width and contrast; the defaults when None.

    Returns:
        The picture with cracks, and the mask (H, W) of all of them; the mask may be empty when a crack
        happens to miss the picture.
    """
    style = style or CrackStyle()
    shape = (image.shape[0], image.shape[1])
    canvas = image.astype(np.float32)
    mask = np.zeros(shape, bool)
    network = rng.random() < style.network_share
    groups = 1 if network else int(rng.integers(1, style.max_cracks + 1))
    for _ in range(groups):
        width = _log_uniform(rng, style.width_px)
        least = _least_contrast(canvas, width)
        if least > style.contrast[1]:  # what cannot be seen teaches nothing
            continue
        contrast = max(_log_uniform(rng, style.contrast), least)
        cell = _log_uniform(rng, (max(18.0, 5 * width), max(110.0, 12 * width)))
        lines = crack_network(rng, *shape, cell_px=cell) if network else crack_polylines(rng, *shape)
        coverage, extent = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        for number, points in enumerate(lines):
            share = rng.uniform(0.5, 1.2) if network else (1.0 if number == 0 else rng.uniform(0.3, 0.9))
            widths = _widths(rng, len(points), max(0.7, width * share), not network and rng.random() < 0.6)
            np.maximum(coverage, rasterise_polyline(points, widths, *shape), out=coverage)
            np.maximum(extent, rasterise_polyline(points, np.maximum(widths, 1.4), *shape), out=extent)
        if width > 2.5:
            coverage, extent = _frayed(rng, coverage, extent, width)
        mask |= extent >= 0.5
        if rng.random() < 0.3:  # stones and debris bridge the crack; its course is still cracked
            bridge = smooth_noise(rng, *shape, max(2.5, rng.uniform(0.5, 1.5) * width))
            coverage *= np.clip(1.6 - bridge * np.float32(rng.uniform(0.3, 1)), 0, 1)
        _darken(rng, canvas, coverage, width, contrast, style)
    return np.clip(canvas, 0, 255).astype(np.uint8), mask
