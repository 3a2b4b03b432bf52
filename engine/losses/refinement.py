"""Supervision of every pass and of the outline, for the JTFN-style network."""

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.errors import SettingsError
from engine.losses.basic import cross_entropy_and_dice
from engine.models.base import CrackModel
from engine.models.jtfn import JTFN
from engine.objectives import Batch, Objective


def outline(truth: Tensor) -> Tensor:
    """Pixels that have both crack and no crack among themselves and their eight neighbours.

    Args:
        truth: (B, 1, H, W), 0 or 1.

    Returns:
        (B, 1, H, W), 0 or 1.
    """
    return F.max_pool2d(truth, 3, stride=1, padding=1) + F.max_pool2d(-truth, 3, stride=1, padding=1)


class RefinementObjective(Objective):
    """Cross entropy + Dice of every pass's cracks, and of every pass's outlines.

    Source: JTFN (Cheng et al. 2021) as its abstract describes it: boundary and crack supervised together,
    over iterations. departs: passes weigh alike; the description gives no weights.

    Args:
        model: the model to be trained, a `JTFN` with one class.
        boundary_weight: of the outlines, >= 0.

    Raises:
        SettingsError: another model, or a weight below 0.
    """

    def __init__(self, model: CrackModel, boundary_weight: float = 1.0) -> None:
        super().__init__()
        _require_streams(model)
        if boundary_weight < 0:
            raise SettingsError(f"The boundary cannot weigh {boundary_weight}.", "Give 0 or more.")
        self.boundary_weight = boundary_weight

    def forward(self, model: CrackModel, batch: Batch, progress: float) -> Tensor:
        """See `Objective`."""
        edge = outline(batch.truth)
        losses = [
            cross_entropy_and_dice(streams.crack.float(), batch.truth, batch.weight)
            + self.boundary_weight * cross_entropy_and_dice(streams.boundary.float(), edge, batch.weight)
            for streams in _require_streams(model).streams(batch.image)
        ]
        return torch.stack(losses).mean()


def _require_streams(model: CrackModel) -> JTFN:
    if isinstance(model, JTFN) and model.classes == 1:
        return model
    raise SettingsError(
        f"The loss 'refinement' needs outlines of one class; {type(model).__name__} gives none.",
        "Use it with the model jtfn and one class, or choose another loss.",
    )
