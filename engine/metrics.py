"""Score crack masks: counts pooled over a data set, strict and with a tolerance (torch-free)."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]


def _ratio(part: float, whole: float, empty: float) -> float:
    return part / whole if whole else empty


def _f1(precision: float, recall: float) -> float:
    return _ratio(2 * precision * recall, precision + recall, 0.0)


@dataclass(frozen=True)
class Counts:
    """Pixel counts; add them up over images, then ask for the measures.

    A measure whose denominator is zero is 1 when there is neither truth nor prediction, else 0.

    Attributes:
        predicted: pixels said to be crack.
        truth: pixels labelled crack.
        hits: pixels that are both.
        near_predicted: predicted pixels within the tolerance of a labelled one.
        near_truth: labelled pixels within the tolerance of a predicted one.
    """

    predicted: int = 0
    truth: int = 0
    hits: int = 0
    near_predicted: int = 0
    near_truth: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.predicted + other.predicted,
            self.truth + other.truth,
            self.hits + other.hits,
            self.near_predicted + other.near_predicted,
            self.near_truth + other.near_truth,
        )

    @property
    def _empty(self) -> float:
        return 1.0 if self.predicted == 0 and self.truth == 0 else 0.0

    @property
    def precision(self) -> float:
        """Share of predicted pixels that are labelled."""
        return _ratio(self.hits, self.predicted, self._empty)

    @property
    def recall(self) -> float:
        """Share of labelled pixels that are predicted."""
        return _ratio(self.hits, self.truth, self._empty)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall (the Dice coefficient)."""
        return _f1(self.precision, self.recall)

    @property
    def iou(self) -> float:
        """Intersection over union."""
        return _ratio(self.hits, self.predicted + self.truth - self.hits, self._empty)

    @property
    def tolerant_precision(self) -> float:
        """Share of predicted pixels within the tolerance of a labelled one. Source: seed 003, section 3.1."""
        return _ratio(self.near_predicted, self.predicted, self._empty)

    @property
    def tolerant_recall(self) -> float:
        """Share of labelled pixels within the tolerance of a predicted one."""
        return _ratio(self.near_truth, self.truth, self._empty)

    @property
    def tolerant_f1(self) -> float:
        """Harmonic mean of the tolerant measures."""
        return _f1(self.tolerant_precision, self.tolerant_recall)


def distance_to(mask: Mask) -> npt.NDArray[np.float32]:
    """Euclidean distance in pixels to the nearest True; infinite where there is none. (H, W) -> (H, W)."""
    if not mask.any():
        return np.full(mask.shape, np.inf, np.float32)
    away = (~mask).astype(np.uint8)
    return np.asarray(cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32)


def count_pixels(
    predicted: Mask,
    truth: Mask,
    tolerance_px: float = 2.0,
    near_truth: Mask | None = None,
) -> Counts:
    """Compare one prediction with one label.

    Args:
        predicted: bool (H, W).
        truth: bool (H, W).
        tolerance_px: Euclidean distance up to which pixels count as near, >= 0.
        near_truth: bool (H, W), pixels within the tolerance of the truth, where already known.
    """
    near = distance_to(truth) <= tolerance_px if near_truth is None else near_truth
    return Counts(
        predicted=int(predicted.sum()),
        truth=int(truth.sum()),
        hits=int((predicted & truth).sum()),
        near_predicted=int((predicted & near).sum()),
        near_truth=int((distance_to(predicted)[truth] <= tolerance_px).sum()),
    )


def sweep_thresholds(
    probability: npt.NDArray[np.float32], truth: Mask, thresholds: Sequence[float], tolerance_px: float = 2.0
) -> list[Counts]:
    """Counts of one image at each threshold.

    Args:
        probability: float32 (H, W), or any score.
        truth: bool (H, W).
        thresholds: a pixel is predicted where probability >= threshold.
        tolerance_px: see `count_pixels`.
    """
    near = distance_to(truth) <= tolerance_px
    return [count_pixels(probability >= t, truth, tolerance_px, near) for t in thresholds]


DEFAULT_THRESHOLDS = tuple(round(0.05 * i, 2) for i in range(1, 20))
"""0.05, 0.10 ... 0.95."""
