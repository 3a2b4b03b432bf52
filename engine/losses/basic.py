"""Losses for crack masks; all take logits and give one scalar."""

import torch
from torch import Tensor
from torch.nn import functional as F


def cross_entropy(logits: Tensor, truth: Tensor, weight: Tensor | None = None) -> Tensor:
    """Binary cross entropy, averaged over the weight.

    Source: seed 003, equation 5.
    departs: the equation misses a minus sign between its terms' brackets and sums over pixels; this is the
    usual binary cross entropy, averaged, so that the learning rate does not depend on the crop's size.

    Args:
        logits: (B, 1, H, W).
        truth: (B, 1, H, W) in [0, 1].
        weight: (B, 1, H, W) >= 0; 0 leaves a pixel out. All ones when None.
    """
    if weight is None:
        return F.binary_cross_entropy_with_logits(logits, truth)
    loss = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return (loss * weight).sum() / weight.sum().clamp_min(1.0)


def dice(logits: Tensor, truth: Tensor, weight: Tensor | None = None, smooth: float = 1.0) -> Tensor:
    """One minus the Dice coefficient of the whole batch.

    Source: seed 003, equation 4, its L_D (V-Net's Dice loss).
    departs: pooled over the batch, because a crop without a crack has no Dice of its own.

    Args:
        logits: (B, 1, H, W).
        truth: (B, 1, H, W) in [0, 1].
        weight: (B, 1, H, W) >= 0, or None.
        smooth: added above and below.
    """
    probability = torch.sigmoid(logits)
    if weight is not None:
        probability, truth = probability * weight, truth * weight
    overlap = (probability * truth).sum()
    return 1 - (2 * overlap + smooth) / (probability.sum() + truth.sum() + smooth)


def cross_entropy_and_dice(logits: Tensor, truth: Tensor, weight: Tensor | None = None) -> Tensor:
    """Sum of both. Source: seed 003, equation 4. Arguments as for `cross_entropy`."""
    return cross_entropy(logits, truth, weight) + dice(logits, truth, weight)
