"""Cracks drawn on pavement, with their exact masks (torch-free).

Source: no seed draws cracks; the recipe is ours (random walks whose darkening multiplies the photo's own
texture), and replaces human labels when a network is trained or adapted.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from engine.crack_courses import Points, crack_network, crack_polylines, log_uniform, mixed_network
from engine.crack_details import (
    along_runs,
    debris_cover,
    draw_debris,
    faint_stretches,
    ravelled,
    run_strength,
    spalls,
    wall_profile,
)
from engine.pavement import FloatImage, RgbImage, motion_blurred, procedural_pavement, smooth_noise

Mask = npt.NDArray[np.bool_]

CRACK_PARTS = frozenset({"profile", "ravel", "debris", "contrast_runs", "network_mix"})
"""What can be added to plain cracks, see `draw_varied_cracks`."""

NO_PARTS: frozenset[str] = frozenset()

__all__ = [
    "CRACK_PARTS",
    "CrackStyle",
    "crack_network",
    "crack_polylines",
    "draw_cracks",
    "draw_polyline_crack",
    "draw_varied_cracks",
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
        motion_px: length of the camera's motion blur; below 1 none.
        motion_deg: its direction from the x axis towards the y axis (down).
    """

    width_px: tuple[float, float] = (1.0, 16.0)
    contrast: tuple[float, float] = (0.10, 0.75)
    network_share: float = 0.2
    max_cracks: int = 3
    blur_px: tuple[float, float] = (0.3, 1.3)
    motion_px: float = 0.0
    motion_deg: float = 0.0


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
    last = np.array(canvas.shape[::-1]) + 2
    whole = np.round((quads - 0.5) * one).astype(np.int32)
    for quad in whole[((quads.max(axis=1) > -2) & (quads.min(axis=1) < last)).all(axis=1)]:
        cv2.fillConvexPoly(canvas, quad, 255, cv2.LINE_8, bits)
    near = ((scaled + radii[:, None] > -2) & (scaled - radii[:, None] < last)).all(axis=1)
    centres = np.round((scaled[near] - 0.5) * one).astype(np.int32)
    for (x, y), radius in zip(centres.tolist(), radii[near].tolist(), strict=True):
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
    light = (image[..., 0] + image[..., 1] + image[..., 2]) / np.float32(3)
    grey = cv2.GaussianBlur(light, (0, 0), 0.5 + width_px / 2)
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
    moved = motion_blurred(coverage, style.motion_px, style.motion_deg)
    soft = np.asarray(cv2.GaussianBlur(moved, (0, 0), log_uniform(rng, style.blur_px)), np.float32)
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
    picture, mask, _ = draw_varied_cracks(rng, image, style)
    return picture, mask


def draw_varied_cracks(
    rng: np.random.Generator,
    image: RgbImage,
    style: CrackStyle | None = None,
    parts: frozenset[str] = NO_PARTS,
) -> tuple[RgbImage, Mask, Mask]:
    """Draw random cracks, plain or with parts of `CRACK_PARTS`.

    Args:
        rng: source of randomness.
        image: uint8 (H, W, 3); not changed.
        style: ranges of width and contrast; the defaults when None.
        parts: "profile": walls; "ravel": ravelled edges and spalls; "debris": dust in stretches;
            "contrast_runs": faint and narrow stretches; "network_mix": pairs, blocks and alligator nets.
            Other names are passed over.

    Returns:
        The picture with cracks; the mask (H, W) of all of them, may be empty; and bool (H, W) where a crack
        goes on but is too faint to see, or its edge is neither crack nor sound.
    """
    style = style or CrackStyle()
    shape = (image.shape[0], image.shape[1])
    canvas = image.astype(np.float32)
    mask, doubt = np.zeros(shape, bool), np.zeros(shape, bool)
    network = rng.random() < style.network_share
    groups = 1 if network else int(rng.integers(1, style.max_cracks + 1))
    for _ in range(groups):
        width = log_uniform(rng, style.width_px)
        least = _least_contrast(canvas, width)
        if least > style.contrast[1]:  # what cannot be seen teaches nothing
            continue
        contrast = max(log_uniform(rng, style.contrast), least)
        lines = _courses(rng, shape, width, network, parts)
        runs = along_runs(rng, *shape, width) if "contrast_runs" in parts else None
        coverage, extent = _laid(rng, lines, width, network, shape, runs)
        if width > 2.5:
            coverage, extent = _frayed(rng, coverage, extent, width)
        seen, unsure = _draw_one(
            rng, canvas, (coverage, extent), (width, contrast, least), style, parts, runs
        )
        mask |= seen
        doubt |= unsure
    return np.clip(canvas, 0, 255).astype(np.uint8), mask & ~doubt, doubt


def _courses(
    rng: np.random.Generator, shape: tuple[int, int], width: float, network: bool, parts: frozenset[str]
) -> list[Points]:
    """Polylines of one net or of one crack with its branches."""
    cell = log_uniform(rng, (max(18.0, 5 * width), max(110.0, 12 * width)))
    if network and "network_mix" in parts:
        return mixed_network(rng, *shape, width)
    return crack_network(rng, *shape, cell_px=cell) if network else crack_polylines(rng, *shape)


def _laid(
    rng: np.random.Generator,
    lines: list[Points],
    width: float,
    network: bool,
    shape: tuple[int, int],
    runs: FloatImage | None,
) -> tuple[FloatImage, FloatImage]:
    """Coverage (H, W) of the lines with widths that vary, and their true extent."""
    coverage, extent = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for number, points in enumerate(lines):
        share = rng.uniform(0.5, 1.2) if network else (1.0 if number == 0 else rng.uniform(0.3, 0.9))
        widths = _widths(rng, len(points), max(0.7, width * share), not network and rng.random() < 0.6)
        if runs is not None:  # narrow where it is faint
            x, y = np.round(points.T).astype(int)
            at = runs[y.clip(0, shape[0] - 1), x.clip(0, shape[1] - 1)]
            widths = np.clip(widths * np.exp(0.3 * at.clip(-2, 2)), 0.5, 1.8 * width)
        covered = rasterise_polyline(points, widths, *shape)
        np.maximum(coverage, covered, out=coverage)
        if widths.min() < 1.4:
            covered = rasterise_polyline(points, np.maximum(widths, 1.4), *shape)
        np.maximum(extent, covered, out=extent)
    return coverage, extent


def _draw_one(
    rng: np.random.Generator,
    canvas: FloatImage,
    laid: tuple[FloatImage, FloatImage],
    size: tuple[float, float, float],
    style: CrackStyle,
    parts: frozenset[str],
    runs: FloatImage | None,
) -> tuple[Mask, Mask]:
    """Draw one crack or net from its coverage and extent, and (width, contrast, least contrast); in place.

    Returns:
        Its mask, and where it is in doubt; both (H, W).
    """
    (coverage, extent), (width, contrast, least) = laid, size
    shape = (coverage.shape[0], coverage.shape[1])
    doubt = np.zeros(shape, bool)
    if "ravel" in parts:
        coverage, extent = ravelled(rng, coverage, extent, width)
        if rng.random() < 0.35:
            dark, doubt = spalls(rng, canvas, extent, width)
            coverage, extent = np.maximum(coverage, dark), np.maximum(extent, dark)
    opened = np.asarray(extent >= 0.5)
    doubt &= ~opened
    if rng.random() < 0.3:  # stones and debris bridge the crack; its course is still cracked
        bridge = smooth_noise(rng, *shape, max(2.5, rng.uniform(0.5, 1.5) * width))
        coverage = coverage * np.clip(1.6 - bridge * np.float32(rng.uniform(0.3, 1)), 0, 1)
    dusty = "debris" in parts and rng.random() < 0.5
    whole = coverage
    if "profile" in parts:
        coverage, lit = wall_profile(rng, coverage, width)
        canvas *= 1 + lit[..., None]
    if runs is not None:
        coverage = coverage * run_strength(rng, runs)
    if coverage is not whole and opened.any():  # the strongest stretches keep the contrast that was meant
        strong = np.percentile(coverage[opened], 90) / max(float(np.percentile(whole[opened], 90)), 0.1)
        contrast = min(contrast / float(np.clip(strong, 0.5, 1)), 0.95)
    before = canvas[..., 1].copy() if dusty or runs is not None else None
    _darken(rng, canvas, np.asarray(coverage, np.float32), width, contrast, style)
    if dusty:
        fill = debris_cover(rng, *shape, width)
        seen = np.asarray(cv2.GaussianBlur(whole, (0, 0), style.blur_px[0]), np.float32)
        draw_debris(rng, canvas, seen, fill)
    if before is not None:  # where it cannot be told from the stones its course is a guess
        doubt |= faint_stretches(before, canvas[..., 1], opened, width, 0.5 * least)
    return opened, doubt
