"""Score masks of several classes (torch-free)."""

import numpy as np
import numpy.typing as npt

from engine.errors import SettingsError


def confusion_matrix(
    predicted: npt.NDArray[np.integer], truth: npt.NDArray[np.integer], classes: int
) -> npt.NDArray[np.int64]:
    """Pixels of each true class (row) said to be each class (column); add them up over images.

    Args:
        predicted: class numbers (H, W) in [0, classes).
        truth: class numbers (H, W) in [0, classes).
        classes: K, with the background as 0.

    Returns:
        int64 (K, K).

    Raises:
        SettingsError: a class number outside [0, classes).
    """
    highest = max(int(predicted.max(initial=0)), int(truth.max(initial=0)))
    lowest = min(int(predicted.min(initial=0)), int(truth.min(initial=0)))
    if lowest < 0 or highest >= classes:
        raise SettingsError(
            f"Class number {lowest if lowest < 0 else highest} is not one of {classes} classes.",
            f"Number the classes 0 to {classes - 1}.",
        )
    pairs = truth.astype(np.int64).ravel() * classes + predicted.astype(np.int64).ravel()
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


def class_ious(confusion: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """IoU of each class, float64 (K,); NaN for a class that is neither there nor said to be.

    Source: seed 001, equation 25.
    """
    hits = np.diag(confusion).astype(np.float64)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - hits
    ious = np.full(hits.shape, np.nan)
    np.divide(hits, union, out=ious, where=union > 0)
    return ious


def mean_iou(confusion: npt.NDArray[np.int64]) -> float:
    """Mean of `class_ious` over the classes that occur; NaN for none. Source: seed 001, equation 26."""
    ious = class_ious(confusion)
    found = ious[~np.isnan(ious)]
    return float(found.mean()) if found.size else float("nan")
