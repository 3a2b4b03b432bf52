"""What training minimises: an objective sees the model, a batch and how far training has come."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from engine.models.base import CrackModel


@dataclass(frozen=True)
class Batch:
    """Training crops.

    Attributes:
        image: float32 (B, 3, H, W), RGB in [0, 1].
        truth: float32 (B, 1, H, W): 0 or 1 for a model with one output, else the class number 0 ... K-1.
        weight: float32 (B, 1, H, W) >= 0; 0 leaves a pixel out.
    """

    image: Tensor
    truth: Tensor
    weight: Tensor


class Objective(nn.Module, ABC):
    """A loss that may have parameters of its own, trained beside the model and dropped afterwards."""

    @abstractmethod
    def forward(self, model: CrackModel, batch: Batch, progress: float) -> Tensor:
        """Scalar loss of a batch; `progress` is the share of training done, in [0, 1]."""

    def phase(self, progress: float) -> int:
        """Number of the loss in force; losses of different phases are not to be compared."""
        return 0


class Supervised(Objective):
    """A plain loss of logits, truth and weight."""

    def __init__(self, loss: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, model: CrackModel, batch: Batch, progress: float) -> Tensor:
        """See `Objective`."""
        logits: Tensor = model(batch.image)
        return self.loss(logits.float(), batch.truth, batch.weight)
