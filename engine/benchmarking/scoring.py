"""Score a method's predictions on the test images, and the detector that needs no training (torch-free)."""

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from engine.candidates import connected_lines, ridge_response
from engine.datasets import LabelledImage, read_pair, read_truth
from engine.errors import EngineError
from engine.metrics import DEFAULT_THRESHOLDS, Counts, ImageScores, count_pixels, pool, score_image
from engine.scale import spread_sample

Image = npt.NDArray[np.uint8]
Predict = Callable[[Image], npt.NDArray[np.float32]]

RIDGE_THRESHOLDS = (2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0)
DETECTOR_IMAGES = 60
"""Training images that the detector's threshold is chosen on: one number needs no more."""

PREDICTIONS = "predictions"


def _finite(measures: dict[str, float]) -> dict[str, float | None]:
    """JSON knows no infinity: a measure that is not finite is none."""
    return {name: value if math.isfinite(value) else None for name, value in measures.items()}


def score_predictions(
    pairs: Sequence[LabelledImage],
    predict: Predict,
    threshold: float,
    tolerance_px: float,
    folder: Path,
    *,
    thresholds: Sequence[float] = DEFAULT_THRESHOLDS,
    on_image: Callable[[int, int], None] | None = None,
    classes: int = 1,
) -> tuple[list[dict[str, Any]], dict[str, float | None], float]:
    """Predict and score every image, and keep its mask as a PNG of 0 and 255.

    Args:
        pairs: the test images.
        predict: image uint8 (H, W, 3) -> probability float32 (H, W).
        threshold: a pixel is a crack where probability >= threshold.
        tolerance_px: of the tolerant measures.
        folder: the run's.
        thresholds: swept for ODS and OIS; a single one leaves them out.
        on_image: called with images done and images in all.
        classes: of the network; above 2, truth is every class number but 0.

    Returns:
        One mapping an image (its name, its prediction's file and every measure), the pooled measures, and
        mean seconds a prediction took.
    """
    (folder / PREDICTIONS).mkdir(parents=True, exist_ok=True)
    images: list[dict[str, Any]] = []
    scores: list[ImageScores] = []
    seconds = 0.0
    for number, pair in enumerate(pairs):
        image, truth, counted = read_truth(pair, classes)
        started = time.perf_counter()
        probability = predict(image)
        seconds += time.perf_counter() - started
        score = score_image(
            probability, truth, threshold, tolerance_px,
            thresholds=thresholds, counted=counted,
        )  # fmt: skip
        scores.append(score)
        file = f"{PREDICTIONS}/{number:04d}.png"
        if not cv2.imwrite(str(folder / file), (probability >= threshold).astype(np.uint8) * 255):
            raise EngineError(f"{folder / file} cannot be written.", "Check that the disk has room.")
        images.append(
            {"name": pair.image.stem, "number": number, "prediction": file, "truth_px": score.counts.truth}
            | _finite(score.measures())
        )
        if on_image is not None:
            on_image(number + 1, len(pairs))
    pooled = pool(scores)
    measures = pooled.measures() | {f"image_{name}": pooled.image_means[name] for name in ("iou", "f1")}
    if len(thresholds) < 2:
        measures = {name: value for name, value in measures.items() if name[:4] not in ("ods_", "ois_")}
    return images, _finite(measures), seconds / len(pairs)


def detector_threshold(pairs: Sequence[LabelledImage], tolerance_px: float) -> float:
    """The ridge threshold of the highest pooled strict F1 on training images.

    Args:
        pairs: training images; `DETECTOR_IMAGES` of them are used.
        tolerance_px: of the counts; it does not decide.
    """
    pooled = [Counts() for _ in RIDGE_THRESHOLDS]
    for pair in spread_sample(pairs, DETECTOR_IMAGES):
        image, truth = read_pair(pair)
        response = ridge_response(image)
        for place, threshold in enumerate(RIDGE_THRESHOLDS):
            found = connected_lines(response, threshold, dilate_px=1)
            pooled[place] += count_pixels(found, truth, tolerance_px)
    best = max(range(len(pooled)), key=lambda place: pooled[place].f1)
    return RIDGE_THRESHOLDS[best]


def detect(image: Image, ridge_threshold: float) -> npt.NDArray[np.float32]:
    """The detector's mask as 0 and 1, float32 (H, W)."""
    return connected_lines(ridge_response(image), ridge_threshold, dilate_px=1).astype(np.float32)
