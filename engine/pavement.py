"""Procedural pavement: asphalt and concrete without cracks, made from random numbers (torch-free)."""

import cv2
import numpy as np
import numpy.typing as npt

FloatImage = npt.NDArray[np.float32]
RgbImage = npt.NDArray[np.uint8]


def smooth_noise(rng: np.random.Generator, height_px: int, width_px: int, grain_px: float) -> FloatImage:
    """Random field whose features are about `grain_px` large.

    Args:
        rng: source of randomness.
        height_px: rows.
        width_px: columns.
        grain_px: distance between independent values, >= 1.

    Returns:
        float32 (H, W), mean near 0, standard deviation near 1.
    """
    rows = max(2, round(height_px / grain_px) + 2)
    cols = max(2, round(width_px / grain_px) + 2)
    coarse = rng.standard_normal((rows, cols), dtype=np.float32)
    field = np.asarray(cv2.resize(coarse, (width_px, height_px), interpolation=cv2.INTER_CUBIC), np.float32)
    return field if grain_px <= 1 else field / np.float32(0.75)


def aggregate(
    rng: np.random.Generator, height_px: int, width_px: int, grain_px: float, cover: float, spread: float
) -> tuple[FloatImage, FloatImage]:
    """A layer of crushed stones: warped Voronoi cells, some of them sunk into the binder.

    Args:
        rng: source of randomness.
        height_px: rows.
        width_px: columns.
        grain_px: mean stone size, >= 2.
        cover: share of stones that are visible, 0 to 1.
        spread: standard deviation of the logarithm of the stones' brightness.

    Returns:
        brightness factor (H, W) of the stone at each pixel, and height (H, W) in [0, 1]: 0 in the gaps
        and where no stone shows, 1 on top of a stone.
    """
    ys, xs = np.mgrid[0 : height_px + grain_px : grain_px, 0 : width_px + grain_px : grain_px]
    jitter = rng.uniform(-0.48, 0.48, (2, *ys.shape)) * grain_px
    seeds = np.ones((height_px, width_px), np.uint8)
    rows = np.clip(ys + jitter[0], 0, height_px - 1).astype(np.intp)
    cols = np.clip(xs + jitter[1], 0, width_px - 1).astype(np.intp)
    seeds[rows, cols] = 0
    _, cells = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    warp = rng.uniform(0.06, 0.2) * grain_px
    grid_y, grid_x = np.mgrid[0:height_px, 0:width_px].astype(np.float32)
    detail_px = max(1.5, 0.5 * grain_px)
    map_x = grid_x + np.float32(warp) * smooth_noise(rng, height_px, width_px, detail_px)
    map_y = grid_y + np.float32(warp) * smooth_noise(rng, height_px, width_px, detail_px)
    warped = cv2.remap(
        cells.astype(np.float32), map_x, map_y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT
    )
    label = warped.astype(np.int32)
    inside = np.ones_like(seeds)
    inside[:, 1:] &= label[:, 1:] == label[:, :-1]
    inside[1:, :] &= label[1:, :] == label[:-1, :]
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 3)
    profile = np.clip(depth / (rng.uniform(0.12, 0.4) * grain_px + 0.5), 0, 1)
    count = int(label.max()) + 1
    brightness = np.exp(rng.normal(0, spread, count)).astype(np.float32)
    visible = (rng.random(count) < cover).astype(np.float32)
    return brightness[label], np.asarray(profile * visible[label], np.float32)


def _emboss(height: FloatImage, angle: float, strength: float) -> FloatImage:
    """Brightness factor (H, W) of a relief lit from `angle` (radians)."""
    soft = cv2.GaussianBlur(height, (0, 0), 0.8)
    slope = cv2.Sobel(soft, cv2.CV_32F, 1, 0, ksize=3) * np.float32(np.cos(angle))
    slope = slope + cv2.Sobel(soft, cv2.CV_32F, 0, 1, ksize=3) * np.float32(np.sin(angle))
    return np.asarray(np.exp(np.clip(np.float32(strength) * slope / 2, -1.2, 0.9)), np.float32)


def _surface(
    rng: np.random.Generator, height_px: int, width_px: int, grain_px: float, stones_only: bool
) -> FloatImage:
    """Brightness factor (H, W) around 1 of asphalt with stones of `grain_px`, or of smooth concrete."""
    surface = np.zeros((height_px, width_px), np.float32)
    for size, strength in ((1.0, 0.10), (2.5, 0.10), (7.0, 0.07), (25.0, 0.035), (90.0, 0.04)):
        amount = strength * rng.uniform(0.2, 1.6)
        surface += np.float32(amount) * smooth_noise(rng, height_px, width_px, size)
    surface = np.exp(surface)
    if rng.random() < 0.15 and not stones_only:  # concrete, or a binder film: no stones, pores only
        pores = (smooth_noise(rng, height_px, width_px, rng.uniform(2, 5)) > 2.0).astype(np.float32)
        return np.asarray(
            surface * (1 - np.float32(rng.uniform(0, 0.4)) * cv2.GaussianBlur(pores, (0, 0), 0.7)), np.float32
        )
    light = rng.uniform(0, 2 * np.pi)
    gap = rng.uniform(0.0, 0.75) ** 1.3
    for octave in range(int(rng.integers(1, 4))):
        size = grain_px / 1.9**octave
        if size < 2:
            break
        cover = 1.0 if octave == 0 and rng.random() < 0.5 else rng.uniform(0.15, 0.95)
        stones, height = aggregate(rng, height_px, width_px, size, cover, rng.uniform(0.08, 0.55))
        shade = np.float32(rng.uniform(1.0, 1.7)) * stones
        if octave == 0:
            surface *= 1 - np.float32(gap) * (1 - np.clip(2 * height, 0, 1)) * np.float32(cover)
        surface += (shade * surface.mean() - surface) * height * np.float32(rng.uniform(0.3, 0.95))
        surface *= _emboss(height, light, 0.6 * rng.random() ** 1.7)
    flecks = smooth_noise(rng, height_px, width_px, rng.uniform(1.5, 4)) > rng.uniform(2.0, 3.2)
    surface *= 1 + np.float32(rng.uniform(0, 1.0)) * cv2.GaussianBlur(flecks.astype(np.float32), (0, 0), 0.8)
    return np.asarray(surface, np.float32)


def _illumination(rng: np.random.Generator, height_px: int, width_px: int) -> FloatImage:
    """Slow changes of light and wear over the picture: a factor (H, W) around 1."""
    grid_y, grid_x = np.mgrid[0 : 1 : height_px * 1j, 0 : 1 : width_px * 1j].astype(np.float32)
    tilt = rng.normal(0, 0.18, 2).astype(np.float32)
    field = tilt[0] * (grid_x - 0.5) + tilt[1] * (grid_y - 0.5)
    if rng.random() < 0.3:  # vignette
        field -= np.float32(rng.uniform(0, 0.8)) * ((grid_x - 0.5) ** 2 + (grid_y - 0.5) ** 2)
    field += np.float32(rng.uniform(0, 0.1)) * smooth_noise(
        rng, height_px, width_px, max(height_px, width_px) / rng.uniform(1.5, 8)
    )
    return np.asarray(np.exp(field), np.float32)


def procedural_pavement(
    rng: np.random.Generator,
    height_px: int,
    width_px: int,
    *,
    grain_px: float | None = None,
    brightness: float | None = None,
    camera: bool = True,
    stones_only: bool = False,
) -> RgbImage:
    """Make a picture of uncracked pavement.

    Args:
        rng: source of randomness; the same state gives the same picture.
        height_px: rows, >= 16.
        width_px: columns, >= 16.
        grain_px: size of the coarsest stones, 1.5 to 40; drawn at random when None.
        brightness: mean grey value in [0, 1]; drawn at random when None.
        camera: add blur, sharpening, sensor noise and JPEG artefacts.
        stones_only: never concrete or a film without stones, which else are one in seven.

    Returns:
        uint8 (H, W, 3), RGB.
    """
    grain = float(np.exp(rng.uniform(np.log(1.8), np.log(30)))) if grain_px is None else grain_px
    level = rng.uniform(0.2, 0.65) if brightness is None else brightness
    surface = _surface(rng, height_px, width_px, grain, stones_only)
    surface /= np.float32(surface.mean())
    contrast = rng.uniform(0.45, 1.25)
    grey = np.power(np.clip(surface, 0.02, 6), np.float32(contrast))
    grey *= _illumination(rng, height_px, width_px)
    grey *= np.float32(level) / np.float32(grey.mean())
    cast = 1 + rng.normal(0, 0.03, 3).astype(np.float32)
    tint = rng.normal(0, 0.007, 3).astype(np.float32)
    stain = smooth_noise(rng, height_px, width_px, rng.uniform(10, 120))
    rgb = grey[..., None] * (cast + stain[..., None] * tint)
    if grain > 3:  # stones differ in colour, not only in brightness
        chroma = smooth_noise(rng, height_px, width_px, grain * 0.7)[..., None]
        rgb *= 1 + chroma * rng.normal(0, 0.015, 3).astype(np.float32)
    image = np.clip(rgb * 255, 0, 255).astype(np.uint8)
    return camera_effects(rng, image) if camera else image


def motion_blurred(field: FloatImage, length_px: float, direction_deg: float) -> FloatImage:
    """A field (H, W) or (H, W, C) smeared along a line, as by a moving camera.

    Args:
        field: what the lens shows.
        length_px: of the line; below 1 nothing changes.
        direction_deg: of the line, from the x axis towards the y axis (down).

    Returns:
        float32, the same shape.
    """
    if length_px < 1:
        return field
    reach = int(np.ceil(length_px / 2))
    angle = np.deg2rad(direction_deg)
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    for step in np.linspace(-0.5, 0.5, 8 * reach + 1) * length_px:  # shared among the four nearest pixels
        x, y = reach + step * np.cos(angle), reach + step * np.sin(angle)
        col, row = min(int(x), 2 * reach - 1), min(int(y), 2 * reach - 1)
        right, down = x - col, y - row
        kernel[row, col] += (1 - right) * (1 - down)
        kernel[row, col + 1] += right * (1 - down)
        kernel[row + 1, col] += (1 - right) * down
        kernel[row + 1, col + 1] += right * down
    return np.asarray(cv2.filter2D(field, cv2.CV_32F, kernel / kernel.sum()), np.float32)


def camera_effects(rng: np.random.Generator, image: RgbImage, strength: float = 1.0) -> RgbImage:
    """What a camera does to a scene: defocus or motion, sharpening, sensor noise, JPEG.

    Args:
        rng: source of randomness.
        image: uint8 (H, W, 3).
        strength: scales every effect; 0 changes nothing.

    Returns:
        uint8 (H, W, 3).
    """
    out = image
    if rng.random() < 0.6 * strength:
        out = np.asarray(cv2.GaussianBlur(out, (0, 0), rng.uniform(0.3, 1.3) * strength), np.uint8)
    if rng.random() < 0.1 * strength:
        length = int(rng.integers(3, 8))
        kernel = np.zeros((length, length), np.float32)
        angle = rng.uniform(0, np.pi)
        centre = length / 2
        reach = np.array([np.cos(angle), np.sin(angle)]) * centre
        start, end = np.round(centre - reach).astype(int), np.round(centre + reach).astype(int)
        cv2.line(kernel, start.tolist(), end.tolist(), 1.0, 1)
        out = np.asarray(cv2.filter2D(out, -1, kernel / kernel.sum()), np.uint8)
    if rng.random() < 0.35 * strength:
        soft = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.7, 2))
        amount = rng.uniform(0.3, 1.2)
        out = np.asarray(cv2.addWeighted(out, 1 + amount, soft, -amount, 0), np.uint8)
    if rng.random() < 0.6 * strength:
        noise = rng.standard_normal(out.shape, dtype=np.float32) * np.float32(rng.uniform(0.5, 7) * strength)
        out = np.clip(out + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.5 * strength:
        quality = int(rng.integers(35, 96))
        ok, data = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if ok:
            out = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return out
