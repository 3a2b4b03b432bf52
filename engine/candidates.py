"""Classical crack detector: flattened image, oriented dark-line filters at several scales (torch-free).

It is the baseline every network must beat, and it marks where a background may hold real cracks that must
not be taught as sound pavement.
"""

import math
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

LINE_SIGMAS_PX = (1.0, 1.6, 2.6)
"""Standard deviations of the line profile, for cracks about 2, 4 and 7 px wide."""

ORIENTATIONS = 12


def flatten(image: npt.NDArray[np.uint8], reach_px: float = 15.0) -> npt.NDArray[np.float32]:
    """Grey values with slow changes of light removed and local contrast evened out.

    Args:
        image: uint8 (H, W, 3) RGB or (H, W).
        reach_px: standard deviation of the neighbourhood, > 0.

    Returns:
        float32 (H, W), about zero mean and unit deviation everywhere.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
    values = np.log1p(grey.astype(np.float32))
    values -= cv2.GaussianBlur(values, (0, 0), reach_px)
    # a bright stone or a paint edge must not outweigh the dark lines
    values = np.clip(values, -0.8, 0.25)
    spread = np.sqrt(cv2.GaussianBlur(values * values, (0, 0), 2 * reach_px))
    return np.asarray(values / (spread + 0.02), np.float32)


@cache
def _line_kernels(sigma_px: float) -> tuple[npt.NDArray[np.float32], ...]:
    """Zero-mean second-derivative profiles drawn out along each orientation, of unit energy."""
    length = 4.0 * sigma_px
    radius = math.ceil(2.5 * length)
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(np.float64)
    kernels = []
    for step in range(ORIENTATIONS):
        angle = math.pi * step / ORIENTATIONS
        along = x * math.cos(angle) + y * math.sin(angle)
        across = -x * math.sin(angle) + y * math.cos(angle)
        shape = np.exp(-(along**2) / (2 * length**2) - across**2 / (2 * sigma_px**2))
        kernel = (across**2 / sigma_px**2 - 1) * shape
        kernel -= kernel.mean()
        kernels.append((kernel / np.sqrt((kernel**2).sum())).astype(np.float32))
    return tuple(kernels)


def ridge_response(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """How strongly a dark line runs through each pixel.

    Args:
        image: uint8 (H, W, 3) RGB or (H, W).

    Returns:
        float32 (H, W) >= 0, in standard deviations of the filter's answer to this image's texture.
    """
    flat = flatten(image)
    best = np.zeros(flat.shape, np.float32)
    for sigma in LINE_SIGMAS_PX:
        for kernel in _line_kernels(sigma):
            answer = cv2.filter2D(flat, cv2.CV_32F, kernel, borderType=cv2.BORDER_REFLECT)
            spread = 1.4826 * float(np.median(np.abs(answer))) + 1e-3
            np.maximum(best, answer / np.float32(spread), out=best)
    return best


def connected_lines(
    response: npt.NDArray[np.float32], threshold: float, min_length_px: float = 20.0, dilate_px: int = 2
) -> npt.NDArray[np.bool_]:
    """Strong, connected ridge responses, a little dilated.

    Args:
        response: from `ridge_response`, (H, W).
        threshold: least response.
        min_length_px: shortest line, by the diagonal of its bounding box.
        dilate_px: how far each line is grown.

    Returns:
        bool (H, W).
    """
    strong = (response > threshold).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(strong, connectivity=8)
    extent = np.hypot(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    keep = extent >= min_length_px
    keep[0] = False
    mask = keep[labels].astype(np.uint8)
    if dilate_px > 0 and count > 1:
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * dilate_px + 1, 2 * dilate_px + 1))
        mask = np.asarray(cv2.dilate(mask, disc), np.uint8)
    return np.asarray(mask > 0)


def candidate_mask(
    image: npt.NDArray[np.uint8],
    *,
    threshold: float = 4.0,
    min_length_px: float = 20.0,
    dilate_px: int = 2,
) -> npt.NDArray[np.bool_]:
    """Pixels that may be cracked: `connected_lines` of the `ridge_response` of an image.

    Args:
        image: uint8 (H, W, 3) RGB or (H, W).
        threshold: least ridge response.
        min_length_px: shortest candidate, by the diagonal of its bounding box.
        dilate_px: how far each candidate is grown.

    Returns:
        bool (H, W).
    """
    return connected_lines(ridge_response(image), threshold, min_length_px, dilate_px)
