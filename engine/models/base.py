"""What every crack network promises."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class CrackModel(nn.Module, ABC):
    """A network that marks cracks.

    Input: float32 (B, 3, H, W), RGB in [0, 1], any size. Output: logits (B, K, H, W) of the same size,
    K >= 1; channel 0 is the crack. Subclasses implement `forward_padded` and pass their constructor options
    to `super().__init__`, so that a checkpoint can rebuild them.

    Attributes:
        options: keyword arguments the model was made with.
        stride_px: sides of what `forward_padded` receives are multiples of it.
    """

    stride_px: int = 1

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options: dict[str, Any] = options

    @abstractmethod
    def forward_padded(self, image: Tensor) -> Tensor:
        """Logits (B, K, H, W) for normalised input (B, 3, H, W) whose sides are multiples of `stride_px`."""

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, K, H, W) for images (B, 3, H, W), RGB in [0, 1], of any size."""
        height, width = image.shape[-2:]
        down, right = -height % self.stride_px, -width % self.stride_px
        if down or right:
            # reflection needs a side longer than the padding; tiny images repeat their edge
            mode = "reflect" if down < height and right < width else "replicate"
            image = F.pad(image, (0, right, 0, down), mode=mode)
        logits = self.forward_padded((image - 0.45) / 0.2)
        return logits[..., :height, :width]

    @property
    def parameter_count(self) -> int:
        """Number of trainable parameters."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    @torch.no_grad()
    def probability(self, image: Tensor) -> Tensor:
        """Crack probability (B, H, W) in [0, 1], float32."""
        return torch.sigmoid(self(image)[:, 0].float())
