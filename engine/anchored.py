"""What adaptation minimises: an anchor, and consistency beside it where a network has it."""

from torch import Tensor

from engine.losses import cross_entropy_and_dice
from engine.losses.crack_segmenter import consistency
from engine.models.base import CrackModel
from engine.models.crack_segmenter import CrackSegmenter
from engine.objectives import Batch, Objective

INTER_WEIGHT, INTRA_WEIGHT = 0.05, 0.05


class Anchored(Objective):
    """Cross entropy and Dice on what was drawn or is believed.

    For crack_segmenter with its consistency between scales and directions beside it: they alone are satisfied
    by constant features, the anchor is not.

    Source: seed 003, equation 4; seed 000, equations 35-39. departs: their pseudo-target (eq. 40-41) is
    replaced by the anchor.
    """

    def forward(self, model: CrackModel, batch: Batch, progress: float) -> Tensor:
        """See `Objective`."""
        if not isinstance(model, CrackSegmenter):
            return cross_entropy_and_dice(model(batch.image).float(), batch.truth, batch.weight)
        outputs = model.forward_scales(batch.image)
        anchor = cross_entropy_and_dice(outputs.logits.float(), batch.truth, batch.weight)
        return anchor + consistency(outputs, INTER_WEIGHT, INTRA_WEIGHT)
