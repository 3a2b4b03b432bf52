"""How a crack looks close up: its walls, ravelled edges, debris and faint stretches (torch-free).

Each function works on the coverage (H, W) in [0, 1] of one crack or net and adds one thing.
"""

import cv2
import numpy as np
import numpy.typing as npt

from engine.pavement import FloatImage, smooth_noise

Mask = npt.NDArray[np.bool_]


def _shifted(field: FloatImage, x_px: float, y_px: float) -> FloatImage:
    move = np.array([[1, 0, x_px], [0, 1, y_px]], np.float32)
    size = (field.shape[1], field.shape[0])
    return np.asarray(cv2.warpAffine(field, move, size, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _blurred(field: FloatImage, sigma_px: float) -> FloatImage:
    return np.asarray(cv2.GaussianBlur(field, (0, 0), sigma_px), np.float32)


def wall_profile(
    rng: np.random.Generator, coverage: FloatImage, width_px: float
) -> tuple[FloatImage, FloatImage]:
    """Darkness across a crack: V or U shaped, one wall in the sun, broad stretches deeper than narrow ones.

    Args:
        rng: source of randomness.
        coverage: of the crack.
        width_px: its mean width.

    Returns:
        Share (H, W) of the crack's contrast at each pixel, up to 1; and light (H, W) >= 0 that the sunlit
        wall and lip gain, as a share.
    """
    depth = cv2.distanceTransform((coverage >= 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    half = max(0.5 * width_px, 0.7)
    reach = 2 * round(half) + 1
    local = np.asarray(cv2.dilate(depth, np.ones((reach, reach), np.uint8)), np.float32)
    across = np.clip(depth / np.maximum(local, 0.7), 0, 1)
    floor = rng.uniform(0.35, 0.8)  # share of the darkness at the very edge
    steep = rng.uniform(0.6, 3.0)  # 1: a V; more: a U
    shape = floor + (1 - floor) * (1 - (1 - across) ** np.float32(steep))
    narrow = np.clip((local + 0.3) / half, 0.4, 1.6) ** np.float32(rng.uniform(0.2, 0.7))
    thin = np.float32(np.clip((width_px - 1.5) / 2.5, 0, 1))  # a hairline has no walls to see
    relief = coverage * (1 + thin * (shape - 1)) * np.minimum(narrow, 1.25)
    sun = rng.uniform(0, 2 * np.pi)
    away = (1 + 0.3 * half) * np.array([np.cos(sun), np.sin(sun)])
    lee = _shifted(coverage, *away) - coverage
    shaded = rng.uniform(0, 0.5)
    relief = relief * (1 - np.float32(shaded) * np.clip(-lee, 0, 1))
    lit = np.clip(lee, 0, 1) * np.float32(rng.uniform(0, 0.25))
    return np.asarray(np.clip(relief, 0, 1), np.float32), np.asarray(lit, np.float32)


def ravelled(
    rng: np.random.Generator, coverage: FloatImage, extent: FloatImage, width_px: float
) -> tuple[FloatImage, FloatImage]:
    """Stones missing beside the crack and others that stand into it; each edge for itself.

    Args:
        rng: source of randomness.
        coverage: of the crack, as dark as it is.
        extent: of the crack's true extent.
        width_px: mean width.

    Returns:
        Both with notches; shallow ones darken but do not belong to the extent.
    """
    shape = (coverage.shape[0], coverage.shape[1])
    stone_px = rng.uniform(1.8, 4.5) if width_px < 5 else rng.uniform(2.0, 0.8 * width_px)
    reach = max(1, round(min(stone_px * rng.uniform(0.4, 1.0), 0.6 * width_px + 1)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    stones = smooth_noise(rng, *shape, stone_px)
    along = smooth_noise(rng, *shape, max(8.0, 5 * width_px))  # ravelling comes in stretches
    missing = stones + np.float32(0.6) * along > rng.uniform(0.5, 1.3)
    depth = np.clip(np.float32(rng.uniform(0.3, 0.9)) + 0.35 * smooth_noise(rng, *shape, stone_px), 0, 1)
    notch = np.asarray(cv2.dilate(coverage, disc), np.float32) * missing * depth
    stays = np.clip(1 - np.float32(rng.uniform(0, 0.8)) * (stones < -1.2), 0, 1)
    inner = np.asarray(cv2.erode(coverage, disc), np.float32) if width_px > 2.5 else coverage
    standing = np.where(inner > 0.5, 1, stays) if width_px > 2.5 else 1 + 0 * stays
    return (
        np.asarray(np.maximum(coverage * standing, _blurred(notch, 0.5)), np.float32),
        np.asarray(np.maximum(extent * standing, np.where(notch > 0.55, notch, 0)), np.float32),
    )


def spalls(
    rng: np.random.Generator, image: FloatImage, extent: FloatImage, width_px: float
) -> tuple[FloatImage, Mask]:
    """Bites out of a crack's edge: a dark rim on one side, a floor of bare stones, drawn into `image`.

    Args:
        rng: source of randomness.
        image: float (H, W, 3), 0 to 255; the floors are drawn in place.
        extent: of the crack.
        width_px: mean width.

    Returns:
        Coverage (H, W) of the dark, open part, and bool (H, W) of the floors, which are neither crack nor
        sound.
    """
    shape = (extent.shape[0], extent.shape[1])
    dark, floors = np.zeros(shape, np.float32), np.zeros(shape, bool)
    where = np.argwhere(extent >= 0.5)
    if len(where) == 0:
        return dark, floors
    sun = rng.uniform(0, 2 * np.pi)
    canvas = np.zeros(shape, np.uint8)
    for row, col in where[rng.integers(len(where), size=int(rng.integers(1, 4)))]:
        size = rng.uniform(1.0, 2.2) * width_px + rng.uniform(1, 4)
        angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
        radius = 0.5 * size * np.exp(rng.normal(0, 0.25, 16))
        spot = np.stack([col + radius * np.cos(angle), row + rng.uniform(0.4, 1) * radius * np.sin(angle)], 1)
        cv2.fillPoly(canvas, [np.round(spot * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    hole = np.asarray(canvas.astype(np.float32) / 255, np.float32)
    deep = (1 + 0.25 * width_px) * rng.uniform(0.5, 1.2)
    dark = np.clip(hole - _shifted(hole, deep * np.cos(sun), deep * np.sin(sun)), 0, 1).astype(np.float32)
    bare = np.float32(rng.uniform(0.75, 1.08)) * (
        1 + np.float32(rng.uniform(0.05, 0.2)) * smooth_noise(rng, *shape, rng.uniform(1.5, 4))
    )
    image *= 1 + _blurred(hole, 0.7)[..., None] * (bare[..., None] - 1)
    return dark, np.asarray((hole >= 0.5) & (dark < 0.5))


def along_runs(rng: np.random.Generator, height_px: int, width_px: int, line_px: float) -> FloatImage:
    """A field (H, W), about -2 to 2, that changes slowly along a crack and hardly across it."""
    slow = smooth_noise(rng, height_px, width_px, max(14.0, rng.uniform(3, 9) * line_px + rng.uniform(4, 40)))
    quick = smooth_noise(rng, height_px, width_px, max(5.0, rng.uniform(1.5, 3) * line_px))
    return np.asarray(slow + np.float32(0.35) * quick, np.float32)


def run_strength(rng: np.random.Generator, field: FloatImage) -> FloatImage:
    """Factor (H, W) of the contrast from `along_runs`: mostly near 1, faint in some stretches."""
    faint_below, spread = rng.uniform(-2.0, -0.7), rng.uniform(0.4, 1.2)
    strength = 1 + np.float32(rng.uniform(0.1, 0.3)) * field
    fade = 1 / (1 + np.exp(-(field - np.float32(faint_below)) / np.float32(0.35 * spread)))
    return np.asarray(np.clip(strength, 0.5, 1.4) * (0.08 + 0.92 * fade), np.float32)


def faint_stretches(
    before: FloatImage, after: FloatImage, opened: Mask, width_px: float, least: float
) -> Mask:
    """Where along a crack so little light is lost that nobody could follow it.

    Args:
        before: one channel (H, W) of the picture without the crack.
        after: the same with it.
        opened: bool (H, W), the crack.
        width_px: its mean width.
        least: share of light that must be lost on the mean of a stretch; a third of what its darkest
            stretches lose must be as well.

    Returns:
        bool (H, W) within `opened`.
    """
    if not opened.any():
        return np.zeros_like(opened)
    lost = np.asarray(1 - after / np.maximum(before, 1), np.float32)
    inside = opened.astype(np.float32)
    reach = max(1.5, width_px)
    along = _blurred(lost * inside, reach) / np.maximum(_blurred(inside, reach), 1e-4)
    return np.asarray(opened & (along < max(least, 0.35 * float(np.percentile(along[opened], 90)))))


def debris_cover(rng: np.random.Generator, height_px: int, width_px: int, line_px: float) -> FloatImage:
    """How far (H, W), 0 to 1, dust and sand fill a crack: in patches along its course."""
    patches = smooth_noise(rng, height_px, width_px, max(4.0, rng.uniform(1.2, 5) * line_px))
    grains = smooth_noise(rng, height_px, width_px, rng.uniform(1.2, 3))
    fill = (patches + 0.4 * grains - np.float32(rng.uniform(-0.3, 1.4))) * np.float32(rng.uniform(0.8, 2.5))
    return np.asarray(np.clip(fill, 0, 1) * np.float32(rng.uniform(0.5, 0.95)), np.float32)


def draw_debris(rng: np.random.Generator, image: FloatImage, coverage: FloatImage, fill: FloatImage) -> None:
    """Dust in the crack and, thinner, along its edges, on `image` (H, W, 3) in place.

    Args:
        rng: source of randomness.
        image: float, 0 to 255, the crack drawn already.
        coverage: of the crack, blurred as the camera sees it.
        fill: from `debris_cover`.
    """
    shape = (coverage.shape[0], coverage.shape[1])
    light = cv2.blur(image, (31, 31))
    brown = np.array([1.0, 0.95, 0.86], np.float32) ** np.float32(rng.uniform(-0.3, 2.0))
    grit = 1 + np.float32(rng.uniform(0.04, 0.2)) * smooth_noise(rng, *shape, rng.uniform(1, 2))
    dust = light * (np.float32(rng.uniform(0.7, 1.25)) * grit)[..., None] * brown
    spill = np.float32(rng.uniform(0, 0.5)) * np.clip(2 * _blurred(coverage, rng.uniform(1.5, 4)), 0, 1)
    cover = (np.maximum(coverage, spill) * fill)[..., None]
    image += cover * (dust - image)
