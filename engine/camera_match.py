"""What the survey's camera does to a scene, estimated from its own photos (torch-free).

Source: none of the seeds. Sharpness by the ratio of an edge's gradient before and after a known blur; JPEG
quality by how the 8 x 8 cosine coefficients gather at multiples of a quantisation step.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from engine.errors import EngineError
from engine.pavement import FloatImage, RgbImage

if TYPE_CHECKING:
    from engine.training_data import PatchRecipe

REBLUR_PX = 1.0
DIRECTIONS = 8
QUALITIES = tuple(range(30, 96))
FEWEST_BLOCKS = 200
FEWEST_EDGES = 20
SHORTEST_MOTION_PX, LONGEST_MOTION_PX = 2.5, 15.0
SPREAD_OF_BLUR = (0.36, 0.46)
"""Median squared spread of pavement's strong edges = first + second * variance of the blur: its stones' edges
are not lone steps. Measured on procedural pavement of 2 to 8 px grain blurred by 0 to 3 px."""
QUIETEST_SHARE = 0.68
"""Of the noise, what the quietest tenth of the blocks show by chance: the root of a ninth of the 10 % point
of chi-squared with 9 degrees of freedom."""
_LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
"""Source: ITU-T T.81, table K.1, row by row: the steps of nearly all encoders, scaled by the quality."""


@dataclass(frozen=True)
class CameraEstimate:
    """What was done to the scene on its way into the photos.

    Attributes:
        blur_px: standard deviation of the blur of the sharpest direction, >= 0.
        noise: standard deviation of the noise that is left in the photos, grey values of 255.
        jpeg_quality: 30 to 100; None where no trace of JPEG is left.
        motion_px: length of the motion blur, read short where it is long; 0 where none is seen.
        motion_deg: its direction from the x axis towards the y axis (down), 0 to 180.
    """

    blur_px: float
    noise: float
    jpeg_quality: int | None
    motion_px: float
    motion_deg: float


@cache
def luminance_steps(quality: int) -> npt.NDArray[np.float64]:
    """Quantisation steps (8, 8) of brightness at a quality of 1 to 100, as libjpeg scales them."""
    scale = 5000 / quality if quality < 50 else 200 - 2 * quality
    return np.floor((np.reshape(_LUMINANCE, (8, 8)) * scale + 50) / 100).clip(1, 255)


def file_quality(data: bytes) -> int | None:
    """JPEG quality by the quantisation table in a file; None for other kinds of file."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            tables = getattr(image, "quantization", None)
    except (OSError, ValueError, SyntaxError):
        return None
    if not tables:
        return None
    table = np.reshape(tables[min(tables)], (8, 8))  # Pillow gives it row by row
    return min(range(1, 101), key=lambda q: float(np.abs(luminance_steps(q) - table).sum()))


def _edge_spreads(grey: FloatImage) -> tuple[FloatImage, FloatImage, FloatImage]:
    """Of edges: squared spread in px, direction across, 0 to pi, and strength (above 1: among the strongest
    twentieth of the picture's pixels), each (N,)."""
    # a little blur first: the noise of single pixels is no edge
    first = cv2.GaussianBlur(grey, (0, 0), 0.7)
    second = cv2.GaussianBlur(grey, (0, 0), float(np.hypot(0.7, REBLUR_PX)))
    x, y = cv2.Sobel(first, cv2.CV_32F, 1, 0), cv2.Sobel(first, cv2.CV_32F, 0, 1)
    before = np.hypot(x, y)
    after = np.hypot(cv2.Sobel(second, cv2.CV_32F, 1, 0), cv2.Sobel(second, cv2.CV_32F, 0, 1))
    inside = np.zeros(before.shape, bool)
    inside[4:-4, 4:-4] = True
    peak = cv2.dilate(before, np.ones((3, 3), np.uint8)) == before
    edge = inside & peak & (before > 0)
    ratio = before[edge] / np.maximum(after[edge], 1e-6)
    # of a lone step edge: ratio^2 = (spread + REBLUR^2) / spread
    spread = REBLUR_PX**2 / np.maximum(ratio**2 - 1, 1e-2)
    angle = np.arctan2(y[edge], x[edge]) % np.pi
    strength = before[edge] / max(float(np.percentile(before, 95)), 1e-6)
    return spread.astype(np.float32), angle.astype(np.float32), strength.astype(np.float32)


def _variance(spread: float) -> float:
    """Variance of the blur in px^2 behind a median spread, see `SPREAD_OF_BLUR`."""
    return max(0.0, (spread - SPREAD_OF_BLUR[0]) / SPREAD_OF_BLUR[1])


def _sharpness(greys: Sequence[FloatImage]) -> tuple[float, float, float]:
    """Blur in px of the sharpest direction, and length and direction of the motion blur beyond it."""
    found = [_edge_spreads(grey) for grey in greys]
    spreads, angles, strengths = (np.concatenate(column) for column in zip(*found, strict=True))
    strong = strengths > 1
    if strong.sum() < FEWEST_EDGES:
        return 0.0, 0.0, 0.0
    overall = _variance(float(np.median(spreads[strong])))
    variances = []
    for step in range(DIRECTIONS):
        off = np.abs((angles - step * np.pi / DIRECTIONS + np.pi / 2) % np.pi - np.pi / 2)
        near = off < 0.75 * np.pi / DIRECTIONS
        if near.sum() < 4 * FEWEST_EDGES:
            return float(np.sqrt(overall)), 0.0, 0.0
        # motion leaves few strong edges across it: the strongest quarter of each direction
        best = spreads[near][strengths[near] >= np.percentile(strengths[near], 75)]
        variances.append(_variance(float(np.median(best))))
    most = int(np.argmax(variances))
    least = variances[(most + DIRECTIONS // 2) % DIRECTIONS]
    length = float(np.sqrt(12 * (variances[most] - least)))  # the variance of a line is length^2 / 12
    if length < max(SHORTEST_MOTION_PX, 1.5 * float(np.sqrt(least))):
        return float(np.sqrt(overall)), 0.0, 0.0
    return float(np.sqrt(least)), min(length, LONGEST_MOTION_PX), 180.0 * most / DIRECTIONS


def _blocks(grey: FloatImage, top: int = 0, left: int = 0) -> FloatImage:
    """Cosine coefficients (N, 8, 8) of the 8 x 8 blocks from (top, left) on."""
    rows, cols = (grey.shape[0] - top) // 8, (grey.shape[1] - left) // 8
    cut = grey[top : top + 8 * rows, left : left + 8 * cols] - 128
    k = np.arange(8)
    basis = np.sqrt(np.where(k == 0, 1, 2)[:, None] / 8) * np.cos(np.pi * k[:, None] * (2 * k + 1) / 16)
    pieces = cut.reshape(rows, 8, cols, 8).transpose(0, 2, 1, 3).reshape(-1, 8, 8)
    return np.asarray(basis @ pieces @ basis.T, np.float32)


def _grid_start(grey: FloatImage) -> tuple[int, int]:
    """Row and column (0 to 7) where the first whole block of the compression starts."""
    starts = []
    for axis in (0, 1):
        step = np.abs(np.diff(grey, n=3, axis=axis)).mean(axis=1 - axis)
        # a third difference over a block's border spans pixels k .. k + 3: the border lies after k + 1
        sums = [float(np.median(step[(np.arange(len(step)) + 2) % 8 == phase])) for phase in range(8)]
        starts.append(int(np.argmax(sums)))
    return starts[0], starts[1]


def pixel_quality(images: Sequence[RgbImage]) -> int | None:
    """JPEG quality by the pixels alone; None where they show no grid: after resizing, or above about 85.

    Args:
        images: uint8 (H, W, 3), may be cut out of the photo anywhere.
    """
    gathered = []
    for image in images:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
        if min(grey.shape) >= 24:
            top, left = _grid_start(grey)
            gathered.append(_blocks(grey, top, left)[:4000])
    if sum(len(blocks) for blocks in gathered) < FEWEST_BLOCKS:
        return None
    coefficients = np.concatenate(gathered)
    low = [(u, v) for u in range(5) for v in range(5) if 1 <= u + v <= 4]
    scores = {}
    for quality in QUALITIES:
        steps, total, weight = luminance_steps(quality), 0.0, 0
        for u, v in low:
            values = coefficients[:, u, v]
            used = values[np.abs(values) > 0.6 * steps[u, v]]
            if steps[u, v] >= 3 and len(used) >= 20:
                total += float(np.cos(2 * np.pi * used / steps[u, v]).mean()) * len(used)
                weight += len(used)
        if weight >= FEWEST_BLOCKS:
            scores[quality] = total / weight
    if not scores or max(scores.values()) < 0.3:
        return None
    # half of a true step fits as well as the step: take the coarsest that fits
    return min(quality for quality, score in scores.items() if score > 0.9 * max(scores.values()))


def _noise(greys: Sequence[FloatImage]) -> float:
    """Standard deviation of what is left at the finest pattern, in the quietest parts."""
    finest = []
    for grey in greys:
        blocks = _blocks(grey)
        if len(blocks):
            top = np.stack([blocks[:, u, v] for u in range(5, 8) for v in range(5, 8)], axis=1)
            finest.append(np.sqrt((top**2).mean(axis=1)))
    return float(np.percentile(np.concatenate(finest), 10)) / QUIETEST_SHARE if finest else 0.0


def estimate_camera(images: Sequence[RgbImage], files: Sequence[bytes] = ()) -> CameraEstimate:
    """Estimate blur, noise and compression of a survey from its photos.

    Args:
        images: uint8 (H, W, 3), about a dozen, at the scale that is drawn at; each side >= 16.
        files: the same photos as stored, where they are seen unresized: their JPEG tables are exact.

    Raises:
        EngineError: no image.
    """
    usable = [image for image in images if min(image.shape[:2]) >= 16]
    if not usable:
        raise EngineError(
            f"{len(images)} images, none of at least 16 x 16 pixels: nothing to estimate the camera from.",
            "Give some of the survey's photos.",
        )
    greys = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) for image in usable]
    blur_px, motion_px, motion_deg = _sharpness(greys)
    written = [quality for quality in map(file_quality, files) if quality is not None]
    quality = round(float(np.median(written))) if written else pixel_quality(usable)
    return CameraEstimate(blur_px, _noise(greys), quality, motion_px, motion_deg)


def recipe_for(camera: CameraEstimate, recipe: "PatchRecipe") -> "PatchRecipe":
    """The recipe with cracks as sharp as the survey's photos; unchanged without the part "survey_camera"."""
    if "survey_camera" not in recipe.parts:
        return recipe
    style = replace(
        recipe.style,
        blur_px=(max(0.3, 0.8 * camera.blur_px), max(0.5, 1.2 * camera.blur_px)),
        motion_px=camera.motion_px,
        motion_deg=camera.motion_deg,
    )
    return replace(recipe, style=style, camera=camera)
