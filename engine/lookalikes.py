"""Things on a road that look much like cracks and are none, by name, drawn closer to life (torch-free).

They come on top of `engine.distractors` where a survey is adapted to.
"""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from engine.crack_courses import Points, crack_polylines, log_uniform
from engine.pavement import FloatImage, RgbImage, smooth_noise
from engine.synthesis import rasterise_polyline


def _size(image: FloatImage) -> tuple[int, int]:
    return image.shape[0], image.shape[1]


def _blurred(cover: FloatImage, sigma_px: float) -> FloatImage:
    return np.asarray(cv2.GaussianBlur(cover, (0, 0), sigma_px), np.float32)


def _across(rng: np.random.Generator, shape: tuple[int, int], bend: float) -> tuple[Points, Points]:
    """A long, straight or evenly bent line across the picture, (N, 2) x, y, and its unit normal (2,)."""
    size = float(np.hypot(*shape))
    heading = rng.uniform(0, np.pi)
    along = np.array([np.cos(heading), np.sin(heading)])
    normal = np.array([-along[1], along[0]])
    centre = np.array([rng.uniform(0, shape[1]), rng.uniform(0, shape[0])])
    t = np.linspace(-1, 1, 13)[:, None]
    return centre + t * size * along + rng.normal(0, bend) * size * t**2 * normal, normal


def _band(line: Points, width_px: float, shape: tuple[int, int]) -> FloatImage:
    return rasterise_polyline(line, np.full(len(line), width_px), *shape)


def _stones(image: FloatImage) -> FloatImage:
    """Brightness (H, W) against the surroundings: above 1 on the stones' tops."""
    green = np.ascontiguousarray(image[..., 1])
    return np.asarray(green / np.maximum(cv2.blur(green, (9, 9)), 1), np.float32)


def _layer(image: FloatImage, cover: FloatImage, colour: FloatImage | npt.NDArray[np.float64]) -> None:
    """Lay a colour, (3,) or (H, W, 3), over the image as far as it is covered, in place."""
    image += cover[..., None] * (np.asarray(colour, np.float32) - image)


def _bitumen(rng: np.random.Generator, image: FloatImage) -> FloatImage:
    """Smooth bitumen (H, W, 3), dull or shiny."""
    shape = _size(image)
    tar = np.float32(rng.uniform(0.25, 0.7)) * image.mean(axis=(0, 1)) * np.array([0.98, 1, 1.04], np.float32)
    gloss = 1 + np.float32(rng.uniform(0.01, 0.08)) * smooth_noise(rng, *shape, rng.uniform(1.5, 8))
    if rng.random() < 0.3:
        shine = np.clip(smooth_noise(rng, *shape, rng.uniform(4, 25)) - 0.6, 0, 1.5)
        gloss = gloss + np.float32(rng.uniform(0.2, 1.0)) * shine
    return np.asarray(tar * gloss[..., None], np.float32)


def _sealed_crack(rng: np.random.Generator, image: FloatImage) -> None:
    """A band of bitumen poured along a crack's course, with a smooth edge."""
    shape = _size(image)
    width = log_uniform(rng, (0.02, 0.1)) * max(shape) + 1.5
    cover = np.zeros(shape, np.float32)
    for course in crack_polylines(rng, *shape, branches=int(rng.choice([0, 0, 1, 2]))):
        line = course[:: max(1, len(course) // 20)]
        if len(line) < 2:
            continue
        smooth = np.stack([np.convolve(np.pad(c, 1, "edge"), np.ones(3) / 3, "valid") for c in line.T], 1)
        widths = width * np.exp(rng.normal(0, 0.12, len(smooth)))
        np.maximum(cover, rasterise_polyline(smooth, widths, *shape), out=cover)
    cover = np.clip(2.4 * _blurred(cover, 0.15 * width) - 0.7, 0, 1)  # poured: corners flow round
    edge = _blurred(np.asarray(cover, np.float32), rng.uniform(0.4, 1.0))
    stones = 1 - np.float32(rng.uniform(0, 0.5)) * np.clip(
        smooth_noise(rng, *shape, rng.uniform(1.5, 4)), 0, 1
    )
    _layer(
        image, np.asarray(np.float32(rng.uniform(0.8, 1)) * edge * stones, np.float32), _bitumen(rng, image)
    )


def _joint(rng: np.random.Generator, image: FloatImage) -> None:
    """A joint of slabs or of a bridge: straight, of one width, sealed or open, some with rims."""
    shape = _size(image)
    line, normal = _across(rng, shape, 0.0 if rng.random() < 0.8 else 0.01)
    width = log_uniform(rng, (1.2, 0.04 * max(shape) + 2))
    lines = [line]
    if rng.random() < 0.35:  # a second joint that ends at the first one, square to it
        start = line[6] + rng.uniform(-0.3, 0.3) * (line[7] - line[6])
        lines.append(np.stack([start, start + rng.choice([-1, 1]) * 2 * max(shape) * normal]))
    cover = np.max([_band(each, width, shape) for each in lines], axis=0)
    if rng.random() < 0.3:
        rims = _band(line, width * rng.uniform(2, 5) + 2, shape)
        metal = np.float32(rng.uniform(0.6, 1.5)) * image.mean(axis=(0, 1))
        _layer(image, _blurred(rims * np.float32(rng.uniform(0.5, 0.95)), 0.6), metal)
    soft = _blurred(np.asarray(cover, np.float32), rng.uniform(0.4, 1.0))
    if rng.random() < 0.5:
        _layer(image, soft * np.float32(rng.uniform(0.6, 0.95)), _bitumen(rng, image))
    else:
        image *= 1 - np.float32(rng.uniform(0.15, 0.7)) * soft[..., None]


def _sealed(rng: np.random.Generator, image: FloatImage) -> None:
    """A sealed crack or a joint."""
    (_sealed_crack if rng.random() < 0.6 else _joint)(rng, image)


def _lane_edges(rng: np.random.Generator, image: FloatImage) -> None:
    """The edge of lane paint or of a repair, with a thin dark line beside it."""
    shape = _size(image)
    line, normal = _across(rng, shape, 0.02)
    painted = rng.random() < 0.6
    broad = rng.uniform(0.05, 0.3 if painted else 1.2) * max(shape)
    cover = _band(line, broad, shape)
    ragged = smooth_noise(rng, *shape, rng.uniform(1.5, 5))
    if painted:
        white = np.array([1, 1, 0.98]) if rng.random() < 0.6 else np.array([1, 0.72, 0.22])
        stones = _stones(image)
        worn = np.clip(
            rng.uniform(1.5, 6) + ragged - 3 * np.clip(stones - 1, 0, 1), 0, 1
        )  # the tops wear first
        paint = (
            np.float32(rng.uniform(140, 250)) * white.astype(np.float32) * (0.85 + 0.15 * stones[..., None])
        )
        edge = _blurred(cover, rng.uniform(0.4, 1.2)) * worn * np.float32(rng.uniform(0.6, 0.97))
        _layer(image, np.asarray(edge, np.float32), paint)
    else:
        factor = np.float32(rng.uniform(0.65, 1.3)) * (1 + np.float32(rng.uniform(0, 0.06)) * ragged)
        image *= 1 + _blurred(cover, rng.uniform(0.4, 1.5))[..., None] * (factor[..., None] - 1)
    for side in (-1, 1):
        if rng.random() < 0.7:
            thin = rng.uniform(0.8, 3.0)
            beside = line + side * (0.5 * broad + rng.uniform(-0.5, 1) * thin) * normal
            broken = np.clip(rng.uniform(0.2, 2) + smooth_noise(rng, *shape, rng.uniform(6, 40)), 0, 1)
            dark = _blurred(_band(beside, thin, shape), rng.uniform(0.4, 1.0)) * broken
            image *= 1 - np.float32(rng.uniform(0.15, 0.6)) * dark[..., None]


def _twig(rng: np.random.Generator, shape: tuple[int, int]) -> FloatImage:
    """Coverage (H, W) of a bent, tapering stalk with a few side shoots."""
    length = rng.uniform(0.06, 0.35) * max(shape)
    heading = rng.uniform(0, 2 * np.pi)
    start = np.array([rng.uniform(0, shape[1]), rng.uniform(0, shape[0])])
    thick = rng.uniform(0.8, 3.0)
    cover = np.zeros(shape, np.float32)
    for shoot in range(int(rng.integers(1, 4))):
        turns = heading + np.cumsum(rng.normal(0, 0.12, 8))
        steps = length / 8 * np.stack([np.cos(turns), np.sin(turns)], axis=1)
        line = start + np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])
        widths = thick * np.linspace(1, 0.45, len(line))
        np.maximum(cover, rasterise_polyline(line, widths, *shape), out=cover)
        if shoot == 0:
            trunk, course = line, heading
        start = trunk[int(rng.integers(2, 7))]
        heading = course + rng.choice([-1, 1]) * rng.uniform(0.4, 1.0)
        length, thick = 0.5 * length, max(0.6, 0.7 * thick)
    return cover


def _leaf_blade(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[FloatImage, FloatImage]:
    """Coverages (H, W) of a pointed leaf with its stalk, and of its midrib."""
    length = rng.uniform(0.03, 0.14) * max(shape) + 4
    slim = rng.uniform(0.18, 0.5)
    turn = rng.uniform(0, 2 * np.pi)
    along, aside = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    middle = np.array([rng.uniform(0, shape[1]), rng.uniform(0, shape[0])])
    t = np.linspace(-1, 1, 9)
    half = slim * (1 - t**2) * (1 + 0.3 * t)
    outline = np.concatenate([np.stack([t, half], 1), np.stack([t, -half], 1)[::-1]]) * length / 2
    points = middle + outline[:, :1] * along + outline[:, 1:] * aside
    canvas = np.zeros(shape, np.uint8)
    cv2.fillPoly(canvas, [np.round(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    spine = middle + np.linspace(-0.5 - rng.uniform(0.1, 0.6), 0.45, 4)[:, None] * length * along
    rib = _band(spine, max(0.7, 0.04 * length), shape)
    return np.maximum(canvas.astype(np.float32) / 255, rib), rib


def _leaf(rng: np.random.Generator, image: FloatImage) -> None:
    """Leaves with stalks, twigs and stems, each with its small shadow."""
    shape = _size(image)
    move = rng.uniform(-2.5, 2.5, 2)
    shift = np.array([[1, 0, move[0]], [0, 1, move[1]]], np.float32)
    for _ in range(int(rng.integers(1, 5))):
        woody = rng.random() < 0.6
        if woody:
            cover = _twig(rng, shape)
            rib = np.zeros(shape, np.float32)
            colour = rng.uniform(25, 170) * np.array([1.0, 0.88, 0.7]) ** rng.uniform(0.2, 1.6)
        else:
            cover, rib = _leaf_blade(rng, shape)
            dye = np.array([[1, 0.8, 0.3], [0.8, 0.5, 0.25], [0.5, 0.65, 0.3], [0.55, 0.45, 0.35]])
            colour = rng.uniform(60, 210) * dye[int(rng.integers(4))]
        cast = _blurred(
            np.asarray(cv2.warpAffine(cover, shift, shape[::-1]), np.float32), rng.uniform(0.6, 1.5)
        )
        image *= 1 - np.float32(rng.uniform(0.1, 0.6)) * np.clip(cast - cover, 0, 1)[..., None]
        _layer(image, _blurred(cover, 0.6) * np.float32(0.93), colour * (1 + rng.normal(0, 0.05, 3)))
        image *= 1 + np.float32(rng.uniform(-0.3, 0.3)) * rib[..., None]


def _tyre(rng: np.random.Generator, image: FloatImage) -> None:
    """Skid marks: one, two or four dark rubber tracks with soft edges, streaked along their course."""
    shape = _size(image)
    line, normal = _across(rng, shape, 0.08)
    broad = log_uniform(rng, (0.02, 0.14)) * max(shape) + 2
    apart = broad * rng.uniform(1.3, 6)
    dark = np.float32(rng.uniform(0.12, 0.5))
    tops = np.clip(_stones(image), 0.5, 1.6)  # that is where rubber stays
    for number in range(int(rng.choice([1, 2, 2, 4]))):
        cover = np.zeros(shape, np.float32)
        grooves = int(rng.integers(1, 5)) if broad > 6 else 1
        for groove in range(grooves):  # ribs of the tread
            aside = number * apart + (groove - (grooves - 1) / 2) * broad / grooves
            rib = _band(line + aside * normal, 0.8 * broad / grooves, shape)
            np.maximum(cover, rib * np.float32(rng.uniform(0.6, 1)), out=cover)
        soft = _blurred(cover, rng.uniform(0.12, 0.3) * broad / grooves + 0.8)
        fading = np.clip(0.8 + 0.5 * smooth_noise(rng, *shape, 0.4 * max(shape)), 0, 1.2)
        image *= 1 - np.clip(dark * soft * fading * tops, 0, 0.9)[..., None]


def _shadow_lines(rng: np.random.Generator, image: FloatImage) -> None:
    """Thin shadows of wires, poles or branches across the lane: they dim evenly, with a soft edge."""
    shape = _size(image)
    cover = np.zeros(shape, np.float32)
    kind = rng.random()
    soft = log_uniform(rng, (0.6, 3.0))
    if kind < 0.6:  # wires or a pole
        line, normal = _across(rng, shape, 0.04)
        width = log_uniform(rng, (1.0, 14.0))
        gap = width * rng.uniform(2.5, 10) + 3
        for number in range(int(rng.choice([1, 1, 2, 3])) if width < 5 else 1):
            np.maximum(cover, _band(line + number * gap * normal, width, shape), out=cover)
    else:  # bare branches
        for course in crack_polylines(rng, *shape, branches=int(rng.integers(1, 6))):
            line = course[:: max(1, len(course) // 7)]
            if len(line) >= 2:
                widths = np.linspace(rng.uniform(2, 8), rng.uniform(0.8, 2), len(line))
                np.maximum(cover, rasterise_polyline(line, widths, *shape), out=cover)
        soft = max(soft, 1.0)
    blue = np.array([1.0, 0.97, 0.92], np.float32) * np.float32(rng.uniform(0.2, 0.6))
    image *= 1 - _blurred(cover, soft)[..., None] * blue


def _wet(rng: np.random.Generator, image: FloatImage) -> None:
    """Damp patches with a winding edge, or a trail of oil drips; the stones shine through."""
    shape = _size(image)
    if rng.random() < 0.5:
        size = rng.uniform(0.1, 0.6) * max(shape)
        field = smooth_noise(rng, *shape, size) + 0.25 * smooth_noise(rng, *shape, 0.2 * size + 1)
        sharp = np.float32(rng.uniform(2, 12))
        cover = np.clip(0.5 + sharp * (field - np.float32(rng.uniform(0.2, 1.2))), 0, 1)
    else:
        line, normal = _across(rng, shape, 0.05)
        canvas = np.zeros(shape, np.uint8)
        for share in rng.random(int(rng.integers(8, 45))):
            at = line[0] + share * (line[-1] - line[0]) + rng.normal(0, 0.02) * max(shape) * normal
            radius = log_uniform(rng, (0.8, 0.03 * max(shape) + 1))
            cv2.circle(
                canvas, np.round(at * 16).astype(int).tolist(), round(radius * 16), 255, -1, cv2.LINE_AA, 4
            )
        cover = canvas.astype(np.float32) / 255
    cover = _blurred(np.asarray(cover, np.float32), rng.uniform(0.5, 2))
    image *= 1 - np.float32(rng.uniform(0.15, 0.55)) * cover[..., None]
    if rng.random() < 0.3:  # the sky in the water
        shine = np.clip(smooth_noise(rng, *shape, rng.uniform(3, 15)) - 1, 0, 1) * cover
        image += np.float32(rng.uniform(20, 120)) * shine[..., None]


def _manhole(rng: np.random.Generator, image: FloatImage) -> None:
    """A manhole or drain cover: iron with a pattern, a dark gap round it, often set in another patch."""
    shape = _size(image)
    radius = rng.uniform(0.08, 0.4) * max(shape)
    centre = np.array([rng.uniform(0, shape[1]), rng.uniform(0, shape[0])])
    turn, flat = rng.uniform(0, np.pi), rng.uniform(0.4, 1.0)
    grid_y, grid_x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    x, y = grid_x - np.float32(centre[0]), grid_y - np.float32(centre[1])
    u = (x * np.float32(np.cos(turn)) + y * np.float32(np.sin(turn))) / np.float32(radius)
    v = (y * np.float32(np.cos(turn)) - x * np.float32(np.sin(turn))) / np.float32(radius * flat)
    out = np.hypot(u, v) if rng.random() < 0.6 else np.maximum(np.abs(u), np.abs(v))
    edge = (1 - out) * np.float32(radius * min(1.0, flat))  # px inside the rim
    if rng.random() < 0.5:
        collar = _blurred((edge > -rng.uniform(0.1, 0.5) * radius).astype(np.float32), 1.0)
        image *= 1 + collar[..., None] * np.float32(rng.uniform(-0.35, 0.25))
    iron = image.mean() * np.float32(rng.uniform(0.45, 1.1)) * np.array([1.0, 0.97, 0.93], np.float32)
    studs = rng.uniform(4, 12)
    if rng.random() < 0.5:
        relief = np.sin(np.pi * studs * u) * np.sin(np.pi * studs * v)
    else:  # slots of a drain
        relief = np.where(np.abs(v) < 0.8, np.sign(np.sin(np.pi * studs * u)), 0)
    look = 1 + np.float32(rng.uniform(0.05, 0.4)) * relief + 0.05 * smooth_noise(rng, *shape, 2)
    inside = _blurred((edge > 0).astype(np.float32), 0.7)
    _layer(image, inside * np.float32(0.92), iron * np.clip(look, 0.1, 2)[..., None])
    gap = rng.uniform(0.7, 2.5)
    ring = _blurred((np.abs(edge) < gap).astype(np.float32), 0.6)
    image *= 1 - np.float32(rng.uniform(0.3, 0.8)) * ring[..., None]


LOOKALIKES: dict[str, tuple[float, Callable[[np.random.Generator, FloatImage], None]]] = {
    "manhole": (0.04, _manhole),
    "sealed": (0.12, _sealed),
    "lane_edges": (0.12, _lane_edges),
    "tyre": (0.10, _tyre),
    "wet": (0.10, _wet),
    "leaf": (0.10, _leaf),
    "shadow_lines": (0.15, _shadow_lines),
}
"""Name -> (probability in one picture, how it is drawn), in the order they lie on the road."""

THROUGH = frozenset({"shadow_lines", "wet"})
"""They only dim: a crack below stays visible."""


def draw_lookalikes(rng: np.random.Generator, image: RgbImage, parts: frozenset[str]) -> RgbImage:
    """Draw some of what looks like a crack.

    Args:
        rng: source of randomness.
        image: uint8 (H, W, 3); not changed.
        parts: which of `LOOKALIKES` may be drawn, each by its own probability.

    Returns:
        uint8 (H, W, 3).
    """
    drawn = [draw for name, (share, draw) in LOOKALIKES.items() if name in parts and rng.random() < share]
    if not drawn:
        return image
    canvas = image.astype(np.float32)
    for draw in drawn:
        draw(rng, canvas)
    return np.clip(canvas, 0, 255).astype(np.uint8)
