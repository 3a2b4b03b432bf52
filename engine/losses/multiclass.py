"""Losses of seed 001: weighted sums of cross entropy and Dice, for one output and for several classes."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.errors import SettingsError
from engine.losses.basic import cross_entropy, dice


def bce_dice(
    logits: Tensor, truth: Tensor, weight: Tensor | None = None, alpha: float = 1.0, beta: float = 1.0
) -> Tensor:
    """alpha x binary cross entropy + beta x Dice loss.

    Source: seed 001, equations 18-20; it gives no alpha and beta.
    departs: Dice is pooled over the batch, see `dice`.

    Args:
        logits: (B, 1, H, W).
        truth: (B, 1, H, W) in [0, 1].
        weight: (B, 1, H, W) >= 0; 0 leaves a pixel out. All ones when None.
        alpha: share of the cross entropy.
        beta: share of Dice.
    """
    return alpha * cross_entropy(logits, truth, weight) + beta * dice(logits, truth, weight)


def count_class_pixels(truth: Tensor, classes: int, weight: Tensor | None = None) -> Tensor:
    """Pixels of each class, (K,), each counted by its weight.

    Args:
        truth: (B, 1, H, W), class numbers 0 ... K-1.
        classes: K.
        weight: (B, 1, H, W) >= 0; where it is 0 any number may stand in `truth`. All ones when None.

    Raises:
        SettingsError: a class number outside 0 ... K-1.
    """
    if weight is None:
        weight = torch.ones(truth.shape, dtype=torch.float32, device=truth.device)
    return _one_hot(truth, weight, classes).mul(weight).sum(dim=(0, 2, 3))


def inverse_frequency_weights(class_pixels: Tensor) -> Tensor:
    """Class weights N / (K n_k): equal classes get 1, one with half of its fair share gets 2.

    Source: seed 001, the omega_k of equation 24 ("derived from the inverse class frequency").
    departs: a class without pixels gets 0 where the inverse would be infinite.

    Args:
        class_pixels: (K,) n_k >= 0, of a whole data set or of a batch.

    Returns:
        (K,), finite, >= 0.
    """
    share = class_pixels / class_pixels.sum().clamp_min(torch.finfo(class_pixels.dtype).tiny)
    return torch.where(share > 0, 1 / (len(share) * share), torch.zeros_like(share))


def multiclass_dice(
    logits: Tensor, truth: Tensor, weight: Tensor | None = None, smooth: float = 1.0
) -> Tensor:
    """Mean over the classes of one minus their Dice coefficients, "no crack" included.

    Source: seed 001, equations 22-23.
    departs: pooled over the batch, because most crops lack most classes.
    Arguments as for `multiclass_cross_entropy_dice`; `smooth` is the paper's epsilon.
    """
    weight = torch.ones_like(logits[:, :1]) if weight is None else weight
    present = _one_hot(truth, weight, logits.shape[1]).to(logits.dtype) * weight
    probability = torch.softmax(logits, dim=1) * weight
    overlap = (probability * present).sum(dim=(0, 2, 3))
    total = probability.sum(dim=(0, 2, 3)) + present.sum(dim=(0, 2, 3))
    return (1 - (2 * overlap + smooth) / (total + smooth)).mean()


def multiclass_cross_entropy_dice(
    logits: Tensor,
    truth: Tensor,
    weight: Tensor | None = None,
    class_weights: Tensor | Sequence[float] | None = None,
    gamma: float = 1.0,
    delta: float = 1.0,
) -> Tensor:
    """gamma x cross entropy weighted by inverse class frequency + delta x multi-class Dice loss.

    Source: seed 001, equations 21-24; it gives no gamma and delta.
    departs: the mean over pixels of equation 24 becomes a mean over the pixels' weight.

    Args:
        logits: (B, K, H, W), K >= 2.
        truth: (B, 1, H, W), class numbers 0 ... K-1.
        weight: (B, 1, H, W) >= 0; 0 leaves a pixel out, whatever its number. All ones when None.
        class_weights: (K,) omega_k; from the batch's own pixels when None.
        gamma: share of the cross entropy.
        delta: share of Dice.

    Raises:
        SettingsError: one class only, a class number outside 0 ... K-1, or not K class weights.
    """
    classes = logits.shape[1]
    if classes < 2:
        raise SettingsError("The multi-class loss needs two classes or more.", "Use the loss bce_dice.")
    weight = torch.ones_like(logits[:, :1]) if weight is None else weight
    if class_weights is None:
        class_weights = inverse_frequency_weights(count_class_pixels(truth, classes, weight))
    target = torch.where(weight > 0, truth, 0).long()[:, 0]
    omega = torch.as_tensor(class_weights, dtype=logits.dtype, device=logits.device)
    if len(omega) != classes:
        raise SettingsError(f"{len(omega)} class weights do not fit {classes} classes.", "Give one a class.")
    loss = F.cross_entropy(logits, target, omega, reduction="none")
    weighted = (loss[:, None] * weight).sum() / weight.sum().clamp_min(1.0)
    return gamma * weighted + delta * multiclass_dice(logits, truth, weight)


def _one_hot(truth: Tensor, weight: Tensor, classes: int) -> Tensor:
    """(B, K, H, W), 1 where a pixel is of the class; pixels without weight count as class 0."""
    target = torch.where(weight > 0, truth, 0).long()
    low, high = int(target.min()), int(target.max())
    if low < 0 or high >= classes:
        raise SettingsError(
            f"The mask holds class numbers {low} to {high}, the model knows 0 to {classes - 1}.",
            "Correct the mask, or make the model with more classes.",
        )
    return F.one_hot(target[:, 0], classes).movedim(-1, 1)
