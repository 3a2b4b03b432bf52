"""What looks like a crack and is none, drawn on pavement without a label (torch-free)."""

from collections.abc import Callable

import cv2
import numpy as np

from engine.pavement import FloatImage, RgbImage, smooth_noise
from engine.synthesis import crack_polylines, rasterise_polyline


def _size(image: FloatImage) -> tuple[int, int]:
    return image.shape[0], image.shape[1]


def _line(rng: np.random.Generator, height_px: int, width_px: int, line_px: float) -> FloatImage:
    """Coverage (H, W) of a straight or gently bent band that crosses the picture."""
    size = float(np.hypot(height_px, width_px))
    heading = rng.uniform(0, np.pi)
    along = np.array([np.cos(heading), np.sin(heading)])
    across = np.array([-along[1], along[0]])
    centre = np.array([rng.uniform(0, width_px), rng.uniform(0, height_px)])
    t = np.linspace(-1, 1, 9)[:, None]
    points = centre + t * size * along + rng.normal(0, 0.06) * size * t**2 * across
    return rasterise_polyline(points, np.full(len(points), line_px), height_px, width_px)


def _blob(rng: np.random.Generator, height_px: int, width_px: int, size_px: float) -> FloatImage:
    """Coverage (H, W) of one irregular spot."""
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    wobble = np.exp(np.convolve(rng.normal(0, 0.4, 26), np.ones(3) / 3, "valid"))
    stretch = rng.uniform(0.4, 1)
    radius = size_px / 2 * wobble
    turn = rng.uniform(0, np.pi)
    x, y = radius * np.cos(angle), stretch * radius * np.sin(angle)
    outline = np.stack([x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)], axis=1)
    outline += [rng.uniform(0, width_px), rng.uniform(0, height_px)]
    canvas = np.zeros((height_px, width_px), np.uint8)
    cv2.fillPoly(canvas, [np.round(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return np.asarray(canvas.astype(np.float32) / 255, np.float32)


def _blurred(cover: FloatImage, sigma_px: float) -> FloatImage:
    return np.asarray(cv2.GaussianBlur(cover, (0, 0), sigma_px), np.float32)


def _shadow(rng: np.random.Generator, image: FloatImage) -> None:
    """A shadow with a hard or soft edge: a pole's band, a half plane, or foliage."""
    shape = _size(image)
    size = max(shape)
    kind = rng.random()
    if kind < 0.35:
        cover = _line(rng, *shape, rng.uniform(0.08, 0.5) * size)
    elif kind < 0.7:
        cover = _blob(rng, *shape, rng.uniform(0.5, 2) * size)
    else:
        cover = (smooth_noise(rng, *shape, rng.uniform(0.06, 0.3) * size) > rng.uniform(-0.5, 1)).astype(
            np.float32
        )
    soft = cv2.GaussianBlur(cover, (0, 0), float(np.exp(rng.uniform(np.log(0.6), np.log(12)))))
    blue = np.array([1.0, 0.97, 0.92], np.float32) * np.float32(rng.uniform(0.2, 0.65))
    image *= 1 - soft[..., None] * blue


def _paint(rng: np.random.Generator, image: FloatImage) -> None:
    """A lane marking, worn and crazed; its thin dark crazes are no cracks of the pavement."""
    shape = _size(image)
    cover = _line(rng, *shape, rng.uniform(0.06, 0.45) * max(shape))
    wear = smooth_noise(rng, *shape, rng.uniform(1.5, 10))
    cover *= np.clip(rng.uniform(0.8, 3) + wear, 0, 1)
    cover = _blurred(cover, rng.uniform(0.3, 1.2))
    white = (
        np.array([1, 1, 0.97], np.float32) if rng.random() < 0.65 else np.array([1, 0.78, 0.25], np.float32)
    )
    level = np.float32(rng.uniform(130, 250))
    texture = 0.85 + 0.15 * image.mean(axis=2, keepdims=True) / max(float(image.mean()), 1.0)
    image += np.float32(rng.uniform(0.5, 0.95)) * cover[..., None] * (level * white * texture - image)


def _stains(rng: np.random.Generator, image: FloatImage) -> None:
    """Oil, gum, water and repairs: compact spots, darker or lighter."""
    shape = _size(image)
    for _ in range(int(rng.integers(1, 7))):
        size = float(np.exp(rng.uniform(np.log(3), np.log(0.5 * max(shape)))))
        cover = _blurred(_blob(rng, *shape, size), rng.uniform(0.5, 1 + size / 8))
        image *= 1 - np.float32(rng.uniform(-0.2, 0.65)) * cover[..., None]


def _spots(rng: np.random.Generator, image: FloatImage) -> None:
    """Rough dark spots and short marks: tar, pits, damp stones; too short to be a crack."""
    shape = _size(image)
    for _ in range(int(rng.integers(1, 4))):
        size = float(np.exp(rng.uniform(np.log(6), np.log(0.3 * max(shape)))))
        grit = smooth_noise(rng, shape[0], shape[1], rng.uniform(1.2, 6))
        cover = np.clip(_blurred(_blob(rng, *shape, size), 1 + size / 8) * (1 + 0.6 * grit) * 1.6 - 0.3, 0, 1)
        image *= 1 - np.float32(rng.uniform(0.15, 0.75)) * cover[..., None]
    for _ in range(int(rng.integers(0, 14))):
        line_px, angle = rng.uniform(0.8, 3.5), rng.uniform(0, np.pi)
        reach = rng.uniform(0.5, 4) * line_px * np.array([np.cos(angle), np.sin(angle)])
        middle = np.array([rng.uniform(0, shape[1]), rng.uniform(0, shape[0])])
        ends = np.stack([middle - reach, middle + rng.normal(0, 0.2, 2) * line_px, middle + reach])
        mark = _blurred(rasterise_polyline(ends, np.full(3, line_px), *shape), rng.uniform(0.4, 1))
        image *= 1 - np.float32(rng.uniform(0.15, 0.75)) * mark[..., None]


def _sealed(rng: np.random.Generator, image: FloatImage) -> None:
    """A sealed crack: a smooth, even band of bitumen, much broader than what it covers."""
    shape = _size(image)
    line = crack_polylines(rng, *shape, branches=0)[0][::6]
    if len(line) < 2:
        return
    band = rng.uniform(0.05, 0.14) * max(shape)
    cover = rasterise_polyline(line, np.full(len(line), band), *shape)
    cover = _blurred(cover, rng.uniform(0.5, 2))
    tar = np.float32(rng.uniform(0.25, 0.6)) * image.mean(axis=(0, 1)) * np.array([0.98, 1, 1.04], np.float32)
    gloss = 1 + np.float32(rng.uniform(0, 0.1)) * smooth_noise(rng, *shape, 2)
    image += np.float32(rng.uniform(0.75, 0.97)) * cover[..., None] * (tar * gloss[..., None] - image)


def _patch(rng: np.random.Generator, image: FloatImage) -> None:
    """A repair of other material: a step in brightness with a straight edge."""
    shape = _size(image)
    cover = _line(rng, *shape, rng.uniform(0.3, 1.2) * max(shape))
    cover = _blurred(cover, rng.uniform(0.4, 3))
    rough = 1 + np.float32(rng.uniform(0, 0.15)) * smooth_noise(rng, *shape, rng.uniform(1, 4))
    factor = np.float32(rng.uniform(0.6, 1.35)) * rough
    image *= 1 + cover[..., None] * (factor[..., None] - 1)


def _tracks(rng: np.random.Generator, image: FloatImage) -> None:
    """Tyre marks and wheel paths: broad, blurred, darker or polished bright."""
    shape = _size(image)
    for _ in range(int(rng.integers(1, 3))):
        broad = rng.uniform(0.06, 0.4) * max(shape)
        cover = _blurred(_line(rng, *shape, broad), broad / rng.uniform(2, 6))
        streak = 1 + 0.3 * smooth_noise(rng, *shape, rng.uniform(1, 4))
        image *= 1 - np.float32(rng.uniform(-0.25, 0.45)) * (cover * streak)[..., None]


def _litter(rng: np.random.Generator, image: FloatImage) -> None:
    """Leaves, twigs, pebbles: small, coloured or bright things, some with a thin shadow."""
    shape = _size(image)
    for _ in range(int(rng.integers(1, 6))):
        size = rng.uniform(0.02, 0.14) * max(shape)
        if rng.random() < 0.35:
            angle = rng.uniform(0, np.pi)
            start = np.array([rng.uniform(0, shape[1]), rng.uniform(0, shape[0])])
            end = start + 1.5 * size * np.array([np.cos(angle), np.sin(angle)])
            cover = rasterise_polyline(np.stack([start, end]), np.full(2, rng.uniform(1, 4)), *shape)
        else:
            cover = _blob(rng, *shape, size)
        move = np.array([[1, 0, rng.uniform(-3, 3)], [0, 1, rng.uniform(-3, 3)]], np.float32)
        cast = cv2.GaussianBlur(cv2.warpAffine(cover, move, shape[::-1]), (0, 0), 1)
        image *= 1 - np.float32(rng.uniform(0, 0.5)) * np.clip(cast - cover, 0, 1)[..., None]
        colour = rng.uniform(40, 230) * (1 + rng.normal(0, 0.2, 3))
        image += np.float32(0.9) * cover[..., None] * (np.clip(colour, 10, 250).astype(np.float32) - image)


def _joint(rng: np.random.Generator, image: FloatImage) -> None:
    """A paving seam: a straight, faint line with a change of texture across it."""
    shape = _size(image)
    cover = _blurred(_line(rng, *shape, rng.uniform(1, 4)), rng.uniform(0.8, 2))
    image *= 1 - np.float32(rng.uniform(-0.35, 0.22)) * cover[..., None]


DISTRACTORS: dict[str, tuple[float, Callable[[np.random.Generator, FloatImage], None]]] = {
    "patch": (0.12, _patch),
    "tracks": (0.15, _tracks),
    "stains": (0.30, _stains),
    "spots": (0.30, _spots),
    "sealed": (0.04, _sealed),
    "joint": (0.06, _joint),
    "paint": (0.15, _paint),
    "litter": (0.15, _litter),
    "shadow": (0.20, _shadow),
}
"""Name -> (probability in one picture, how it is drawn), in the order they lie on the road."""


def draw_distractors(
    rng: np.random.Generator, image: RgbImage, *, only: tuple[str, ...] | None = None
) -> RgbImage:
    """Draw what could be mistaken for a crack.

    Args:
        rng: source of randomness.
        image: uint8 (H, W, 3); not changed.
        only: names from `DISTRACTORS` to draw for certain; by their probabilities when None.

    Returns:
        uint8 (H, W, 3).
    """
    canvas = image.astype(np.float32)
    for name, (share, draw) in DISTRACTORS.items():
        if (only is None and rng.random() < share) or (only is not None and name in only):
            draw(rng, canvas)
    return np.clip(canvas, 0, 255).astype(np.uint8)
