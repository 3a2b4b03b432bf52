"""How far crack masks lie apart, in pixels (torch-free)."""

import cv2
import numpy as np
import numpy.typing as npt

from engine.errors import SettingsError

Mask = npt.NDArray[np.bool_]


def distance_to(mask: Mask) -> npt.NDArray[np.float32]:
    """Euclidean distance in pixels to the nearest True; infinite where there is none. (H, W) -> (H, W)."""
    if not mask.any():
        return np.full(mask.shape, np.inf, np.float32)
    away = (~mask).astype(np.uint8)
    return np.asarray(cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32)


def hausdorff_px(predicted: Mask, truth: Mask, percentile: float = 100.0) -> float:
    """Hausdorff distance between all crack pixels of two masks, or a percentile of it.

    The larger of the two directed distances: from all predicted pixels to the nearest labelled one, and back.
    Two empty masks are 0 apart; one empty mask is infinitely far from the other, which has nothing to match.

    Args:
        predicted: bool (H, W).
        truth: bool (H, W).
        percentile: of each directed distance, in [0, 100]; 100 is the distance itself, and 95 the usual one
            that a few stray pixels do not decide.

    Raises:
        SettingsError: a percentile outside [0, 100].

    Source: seed 000, section 4.3, "Hammoud distance" (the formula is Hausdorff's).
    """
    if not 0 <= percentile <= 100:
        raise SettingsError(f"There is no percentile {percentile}.", "Give one from 0 to 100.")
    if not predicted.any() or not truth.any():
        return 0.0 if predicted.any() == truth.any() else float("inf")
    there = np.percentile(distance_to(truth)[predicted], percentile)
    back = np.percentile(distance_to(predicted)[truth], percentile)
    return float(max(there, back))
