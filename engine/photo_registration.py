"""Lays an earlier photo of a place over a later one, and finds the cracks that are new (torch-free)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

LONGEST_PX = 1400
"""Features are looked for in pictures of at most this size; more is slower and finds no more."""
FEATURES = 1500
RATIO = 0.8
"""A match counts where the second best is so much worse (Lowe 2004)."""
RANSAC_PX = 4.0
FEWEST_INLIERS = 15
"""Unrelated pavement agrees by chance on fewer."""
LARGEST_TURN_DEG = 25.0
LARGEST_SCALE = 1.25


@dataclass(frozen=True)
class Registration:
    """How the earlier photo lies on the later one.

    Attributes:
        matrix: (3, 3), earlier pixel (x, y, 1) to later pixel.
        inliers: matches that agree with it.
        error_px: median distance at which they agree, pixels of the later photo.
    """

    matrix: NDArray[np.float64]
    inliers: int
    error_px: float


def register_photos(
    before: NDArray[np.uint8], after: NDArray[np.uint8], *, rectified: bool = True
) -> Registration | None:
    """Find how an earlier photo lies on a later one by features of the pavement and its markings.

    Args:
        before: (H, W) or (H, W, 3), the earlier photo.
        after: the later one; of the same GSD where both are rectified.
        rectified: both lie in the ground plane, so that one is the other shifted, turned and, where the
            profiles err, a little larger or smaller. Else a homography is sought: photos of one plane.

    Returns:
        None where too little agrees: not the same place, or nothing stands out.

    Source: SIFT and its ratio test , RANSAC, all of OpenCV.
    """
    first, second = _features(before), _features(after)
    if min(len(first[0]), len(second[0])) < FEWEST_INLIERS:
        return None
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(first[1], second[1], k=2)
    good = [pair[0] for pair in pairs if len(pair) == 2 and pair[0].distance < RATIO * pair[1].distance]
    if len(good) < FEWEST_INLIERS:
        return None
    source = first[0][[match.queryIdx for match in good]]
    target = second[0][[match.trainIdx for match in good]]
    matrix, agree = _fit(source, target, rectified)
    if matrix is None or agree.sum() < FEWEST_INLIERS or not _plausible(matrix, before.shape, rectified):
        return None
    moved = cv2.perspectiveTransform(source[None], matrix)[0]
    error_px = float(np.median(np.hypot(*(moved - target)[agree].T)))
    return Registration(matrix, int(agree.sum()), error_px)


def _features(photo: NDArray[np.uint8]) -> tuple[NDArray[np.float64], Any]:
    """Places (N, 2) in the photo's pixels, and their descriptors."""
    grey: Any = photo if photo.ndim == 2 else cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    shrink = min(1.0, LONGEST_PX / max(grey.shape))
    if shrink < 1:
        grey = cv2.resize(grey, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    # Sun and shade differ between the surveys: only local contrast is compared.
    even = cv2.createCLAHE(clipLimit=3.0, tileGridSize=(8, 8)).apply(grey)
    # Black is what a rectified picture does not see; its edge is no feature of the road.
    unseen = cv2.morphologyEx((grey == 0).astype(np.uint8), cv2.MORPH_OPEN, np.ones((9, 9), np.uint8))
    seen = 1 - cv2.dilate(unseen, np.ones((25, 25), np.uint8))
    detector = cv2.SIFT_create(nfeatures=FEATURES)  # type: ignore[attr-defined]
    keypoints, descriptors = detector.detectAndCompute(even, seen)
    places = np.array([point.pt for point in keypoints], dtype=np.float64).reshape(-1, 2)
    return (places + 0.5) / shrink - 0.5, descriptors


def _fit(
    source: NDArray[np.float64], target: NDArray[np.float64], rectified: bool
) -> tuple[NDArray[np.float64] | None, NDArray[np.bool_]]:
    cv2.setRNGSeed(0)  # the same pair gives the same answer
    found: Any
    if rectified:
        found, agree = cv2.estimateAffinePartial2D(
            source,
            target,
            method=cv2.RANSAC,
            ransacReprojThreshold=RANSAC_PX,
            maxIters=5000,
            confidence=0.999,
        )
        found = None if found is None else np.vstack([found, [0.0, 0.0, 1.0]])
    else:
        found, agree = cv2.findHomography(
            source, target, cv2.RANSAC, RANSAC_PX, maxIters=5000, confidence=0.999
        )
    if found is None:
        return None, np.zeros(len(source), bool)
    return np.asarray(found, np.float64), np.asarray(agree).ravel().astype(bool)


def _plausible(matrix: NDArray[np.float64], shape: Sequence[int], rectified: bool) -> bool:
    """Whether two passes over one road can differ so: not mirrored, little turned, about as large."""
    height, width = shape[:2]
    corners = np.array([[[0, 0], [width, 0], [width, height], [0, height]]], np.float64)
    moved = cv2.perspectiveTransform(corners, matrix)[0]
    grown = np.sqrt(max(0.0, cv2.contourArea(moved.astype(np.float32), oriented=True)) / (width * height))
    turned = np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0]))
    largest = LARGEST_SCALE if rectified else 2 * LARGEST_SCALE
    return bool(
        np.isfinite(moved).all()
        and cv2.isContourConvex(moved.astype(np.float32))
        and 1 / largest <= grown <= largest
        and abs(turned) <= LARGEST_TURN_DEG
    )


def laid_over(
    before: NDArray[np.uint8], registration: Registration, height_px: int, width_px: int
) -> NDArray[np.uint8]:
    """The earlier photo, (H, W[, 3]), in the later one's pixels; black where it does not reach."""
    return cv2.warpPerspective(
        before, registration.matrix, (width_px, height_px), flags=cv2.INTER_LINEAR
    ).astype(np.uint8)


def new_crack_mask(
    before_mask: NDArray[np.bool_],
    after_mask: NDArray[np.bool_],
    registration: Registration,
    tolerance_px: float,
) -> NDArray[np.bool_]:
    """Cracks of the later photo with none of the earlier photo's within a tolerance.

    Args:
        before_mask: (H, W) cracks of the earlier photo.
        after_mask: (H', W') cracks of the later photo.
        registration: of the two photos.
        tolerance_px: >= 0, pixels of the later photo; at least the registration's error and that of the two
            masks' edges.

    Returns:
        (H', W'); nothing where the earlier photo does not reach: what was not seen is not new.
    """
    height, width = after_mask.shape
    earlier = laid_over(before_mask.astype(np.uint8), registration, height, width) > 0
    reached = laid_over(np.ones(before_mask.shape, np.uint8), registration, height, width) > 0
    near = earlier
    if earlier.any():
        away = cv2.distanceTransform((~earlier).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        near = away <= tolerance_px
    return after_mask & ~near & reached
