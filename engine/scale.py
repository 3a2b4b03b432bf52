"""Choose the scale at which the network should see a survey, from its unlabelled images alone.

The network knows cracks that are one to some sixteen pixels wide. Where cracks are wider (close-ups) or the
stones' own gaps look like cracks, a smaller picture suits it better. How well a scale suits shows in the
network's own certainty: at the right scale it is sure of most of what it suspects, at a wrong one it spreads
a faint haze over the texture. Certainty hardly falls where the image is somewhat smaller than need be, while
the position of edges does get worse; so the finest scale that is nearly as certain as the best is taken.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from engine.errors import EngineError
from engine.tiling import tile_starts

if TYPE_CHECKING:
    from engine.inference import InferenceSettings
    from engine.models.base import CrackModel

SCALES = (1.0, 0.71, 0.5, 0.35, 0.25, 0.18, 0.125)
"""Factors that are tried, each about 0.7 of the one before."""

SAMPLE_IMAGES = 32
"""A dozen gave other scales for other dozens of the same survey."""
SAMPLE_TILE_PX = 320
SAMPLE_TILES = 2
MIDDLE_PX = 1600
SURE, SUSPECTED = 0.9, 0.2
NEARLY_BEST = 0.93
SMALLEST_SIDE_PX = 64
"""An image reduced below this shows no cracks any more."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class ScaleEstimate:
    """The scale chosen for a survey.

    Attributes:
        scale: factor to resize images by before prediction.
        scores: certainty at each scale that was tried, 0 to 1.
    """

    scale: float
    scores: dict[float, float]


def spread_sample(items: Sequence[Item], count: int) -> list[Item]:
    """At most `count` of the items, evenly spread from the first to the last."""
    if len(items) <= count:
        return list(items)
    return [items[round(i * (len(items) - 1) / (count - 1))] for i in range(count)]


def sample_middle(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The middle (at most `MIDDLE_PX` squared) of an image (H, W, 3): large photos would fill the memory."""
    top, left = (max(0, size - MIDDLE_PX) // 2 for size in image.shape[:2])
    return image[top : top + MIDDLE_PX, left : left + MIDDLE_PX].copy()


def certainty(probability: npt.NDArray[np.float32]) -> tuple[int, int]:
    """Numbers of sure and of suspected pixels; their ratio is the certainty."""
    return int((probability > SURE).sum()), int((probability > SUSPECTED).sum())


def choose_scale(scores: dict[float, float]) -> float:
    """The finest scale whose certainty is at least `NEARLY_BEST` of the highest."""
    enough = NEARLY_BEST * max(scores.values())
    return max(scale for scale, score in scores.items() if score >= enough)


def _sample_tiles(image: npt.NDArray[np.uint8], scale: float) -> list[npt.NDArray[np.uint8]]:
    """Up to `SAMPLE_TILES` pieces of the image at a scale, spread over it."""
    height, width = image.shape[:2]
    side = min(round(SAMPLE_TILE_PX / scale), max(height, width))
    boxes = [
        (top, left)
        for top in tile_starts(height, min(side, height), 0)
        for left in tile_starts(width, min(side, width), 0)
    ]
    tiles = []
    for top, left in spread_sample(boxes, SAMPLE_TILES):
        piece = image[top : top + side, left : left + side]
        size = (max(1, round(piece.shape[1] * scale)), max(1, round(piece.shape[0] * scale)))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        tiles.append(np.asarray(cv2.resize(piece, size, interpolation=method), np.uint8))
    return tiles


def estimate_working_scale(
    model: "CrackModel",
    images: Sequence[npt.NDArray[np.uint8]],
    settings: "InferenceSettings",
    on_tile: Callable[[int, int], None] | None = None,
) -> ScaleEstimate:
    """Choose the working scale for a survey.

    Args:
        model: the network that will be used.
        images: a sample, each uint8 (H, W, 3); about `SAMPLE_IMAGES`, see `spread_sample`.
        settings: how to predict; its scale is not used.
        on_tile: see `predict_probability_map`; may raise `CancelledError` to stop.

    Returns:
        The finest scale that is nearly as certain as the best, pooled over the images; 1 where nothing is
        suspected at any scale.

    Raises:
        EngineError: no images.
    """
    from engine.inference import predict_probability_map

    if not images:
        raise EngineError("There is no image to choose the working scale from.", "Give at least one.")
    plain = replace(settings, working_scale=None, flips=False, tile_px=2 * SAMPLE_TILE_PX)
    smallest = min(min(image.shape[:2]) for image in images)
    scores: dict[float, float] = {}
    for scale in SCALES:
        if smallest * scale < SMALLEST_SIDE_PX and scores:
            continue
        sure, suspected = 0, 0
        for image in images:
            for tile in _sample_tiles(image, scale):
                a, b = certainty(predict_probability_map(model, tile, plain, on_tile))
                sure, suspected = sure + a, suspected + b
        scores[scale] = sure / max(suspected, 1)
    if not any(scores.values()):
        return ScaleEstimate(1.0, scores)
    return ScaleEstimate(choose_scale(scores), scores)
