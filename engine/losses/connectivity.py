"""Losses that count breaks in a line: soft centre-line Dice.

Source: Shit et al. 2021, "clDice: a novel topology-preserving loss function for tubular structure
segmentation" (CVPR), which seed 002 compares with in its table 3.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.losses.basic import cross_entropy, dice


def _erode(image: Tensor) -> Tensor:
    return -F.max_pool2d(-image, 3, stride=1, padding=1)


def _dilate(image: Tensor) -> Tensor:
    return F.max_pool2d(image, 3, stride=1, padding=1)


def soft_skeleton(image: Tensor, iterations: int = 10) -> Tensor:
    """Centre lines of bright lines, by repeated min- and max-pooling.

    Source: Shit et al. 2021, algorithm 1.

    Args:
        image: (B, 1, H, W) in [0, 1].
        iterations: lines up to 2 * `iterations` + 1 pixels wide are thinned; wider ones vanish.

    Returns:
        (B, 1, H, W) in [0, 1].
    """
    skeleton = torch.relu(image - _dilate(_erode(image)))
    for _ in range(iterations):
        image = _erode(image)
        rest = torch.relu(image - _dilate(_erode(image)))
        skeleton = skeleton + (1 - skeleton) * rest
    return skeleton


def soft_cldice(
    logits: Tensor,
    truth: Tensor,
    weight: Tensor | None = None,
    *,
    iterations: int = 10,
    smooth: float = 1.0,
) -> Tensor:
    """One minus the centre-line Dice: of the predicted centre line how much lies in the crack, and of the
    crack's how much is predicted.

    Source: Shit et al. 2021, equations 1-2 and algorithm 2.
    departs: pooled over the batch, as `dice` is, because a crop without a crack has no score of its own.

    Args:
        logits: (B, 1, H, W).
        truth: (B, 1, H, W) in [0, 1].
        weight: (B, 1, H, W) >= 0; a pixel of weight 0 counts as predicted rightly. All ones when None.
        iterations: see `soft_skeleton`.
        smooth: added above and below.
    """
    probability = torch.sigmoid(logits)
    if weight is None:
        weight = torch.ones_like(truth)
    # a pixel shapes the skeleton of its neighbours too: weight 0 must hide it there as well
    probability = torch.where(weight > 0, probability, truth)
    predicted_line = soft_skeleton(probability, iterations) * weight
    true_line = soft_skeleton(truth, iterations) * weight
    precision = ((predicted_line * truth).sum() + smooth) / (predicted_line.sum() + smooth)
    recall = ((true_line * probability).sum() + smooth) / (true_line.sum() + smooth)
    return 1 - 2 * precision * recall / (precision + recall)


def cross_entropy_dice_cldice(
    logits: Tensor, truth: Tensor, weight: Tensor | None = None, *, share: float = 0.5, iterations: int = 10
) -> Tensor:
    """Cross entropy + (1 - share) Dice + share centre-line Dice.

    Source: Shit et al. 2021, equation 3, whose alpha is `share`.
    departs: cross entropy is added, as in `cross_entropy_and_dice`: pixels far from any line need it.

    Args:
        logits, truth, weight: as for `cross_entropy`.
        share: of the centre-line Dice, in [0, 1].
        iterations: see `soft_skeleton`.
    """
    lines = soft_cldice(logits, truth, weight, iterations=iterations)
    return cross_entropy(logits, truth, weight) + (1 - share) * dice(logits, truth, weight) + share * lines
