"""Predict an image from small patches that overlap, each pixel the mean of all patches that show it."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from engine.errors import SettingsError
from engine.inference import FloatArray, resolve_device
from engine.models.base import CrackModel

PAPER_THRESHOLD = 0.2
"""Probability from which seed 003 calls such a mean a crack (section 4)."""


def _starts(length_px: int, patch_px: int, stride_px: int) -> list[int]:
    """Every `stride_px`, and once more at the end where that leaves a rest."""
    last = length_px - patch_px
    starts = list(range(0, last + 1, stride_px))
    return starts if starts[-1] == last else [*starts, last]


def _coverage(length_px: int, patch_px: int, starts: list[int]) -> FloatArray:
    """How many patches show each place along one side, (length,)."""
    covered = np.zeros(length_px, np.float32)
    for start in starts:
        covered[start : start + patch_px] += 1
    return covered


def _strip(probability: Tensor, stride_px: int) -> Tensor:
    """Sum of patches (B, h, w) that lie `stride_px` apart, side by side: (h, (B - 1) * stride_px + w)."""
    count, height, width = probability.shape
    columns = probability.reshape(count, height * width).T[None]
    size = (height, (count - 1) * stride_px + width)
    return F.fold(columns, size, (height, width), stride=(1, stride_px))[0, 0]


@torch.inference_mode()
def predict_patches(
    model: CrackModel,
    image_rgb: npt.NDArray[np.uint8],
    patch_px: int = 48,
    stride_px: int = 1,
    *,
    batch: int = 128,
    device: str = "cpu",
    on_row: Callable[[int, int], None] | None = None,
) -> FloatArray:
    """Crack probability of every pixel: the mean over all patches that contain it.

    Source: seed 003, section 4: 48 x 48 px, stride 1, then `PAPER_THRESHOLD`. A network that was trained on
    patches is asked for patches; the cost is patch_px^2 / stride_px^2 times that of the whole image at once.

    Args:
        model: on any device; moved to `device` and put into evaluation mode.
        image_rgb: uint8 (H, W, 3).
        patch_px: side of a patch; smaller only where the image is.
        stride_px: distance of neighbouring patches; the last of a row or column ends at the image's edge.
        batch: patches at a time, which is what bounds the memory.
        device: "auto", "cpu" or "cuda".
        on_row: called with rows of patches done and rows in all; may raise to stop.

    Returns:
        float32 (H, W) in [0, 1].

    Raises:
        SettingsError: a patch, stride or batch below 1, a stride beyond the patch, or no such device.
    """
    if batch < 1 or not 1 <= stride_px <= patch_px:
        raise SettingsError(
            f"Patches of {patch_px} px, {stride_px} px apart, {batch} at a time, do not cover an image.",
            "Choose a stride from 1 to the patch's side, and a batch of 1 or more.",
        )
    where = resolve_device(device)
    model = model.to(where).eval()
    height, width = image_rgb.shape[:2]
    tall, wide = min(patch_px, height), min(patch_px, width)
    tops, lefts = _starts(height, tall, stride_px), _starts(width, wide, stride_px)
    # the last patch may lie off the grid: then it is summed by itself
    on_grid = len(lefts) if lefts[-1] % stride_px == 0 else len(lefts) - 1
    groups = [lefts[i : min(i + batch, on_grid)] for i in range(0, on_grid, batch)]
    groups += [lefts[on_grid:]] if on_grid < len(lefts) else []
    image = torch.from_numpy(np.ascontiguousarray(image_rgb)).to(where).permute(2, 0, 1).float() / 255
    total = np.zeros((height, width), np.float32)
    for done, top in enumerate(tops, start=1):
        for group in groups:
            patches = torch.stack([image[:, top : top + tall, left : left + wide] for left in group])
            strip = _strip(model.probability(patches), stride_px).cpu().numpy()
            total[top : top + tall, group[0] : group[0] + strip.shape[1]] += strip
        if on_row is not None:
            on_row(done, len(tops))
    covered = np.outer(_coverage(height, tall, tops), _coverage(width, wide, lefts))
    return np.asarray(np.clip(total / covered, 0, 1), np.float32)
