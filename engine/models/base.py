"""What every crack network promises."""

from abc import ABC, abstractmethod
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.errors import SettingsError


class CrackModel(nn.Module, ABC):
    """A network that marks cracks.

    Input: float32 (B, 3, H, W), RGB in [0, 1], any size. Output: logits (B, K, H, W) of that size, K >= 1.
    With K = 1 the channel is the crack, read through a sigmoid; with K > 1 the channels are classes, read
    through a softmax, and class 0 is "no crack". Subclasses implement `forward_padded` and pass their
    constructor options, `classes` among them, to `super().__init__`, so that a checkpoint can rebuild them.

    Attributes:
        options: keyword arguments the model was made with.
        classes: K.
        stride_px: sides of what `forward_padded` receives are multiples of it.
        pothole_class: the channel of potholes, by the checkpoint's card; None: all but the first are cracks.
        least_px: and at least this long, for networks that pool; a multiple of `stride_px`, or 1.
    """

    stride_px: int = 1
    least_px: int = 1
    pothole_class: int | None = None

    def __init__(self, classes: int = 1, **options: Any) -> None:
        super().__init__()
        if classes < 1:
            raise SettingsError(f"A model cannot have {classes} classes.", "Give 1 or more.")
        self.classes = classes
        self.options: dict[str, Any] = {"classes": classes, **options}

    @abstractmethod
    def forward_padded(self, image: Tensor) -> Tensor:
        """Logits (B, K, H, W) for normalised input (B, 3, H, W) whose sides are multiples of `stride_px`."""

    @property
    @abstractmethod
    def last_features(self) -> nn.Module:
        """The module whose output (B, C, h, w) is the finest feature map before the classifying layer.

        Training wrappers read it through a forward hook; h, w may be smaller than the image.
        """

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, K, H, W) for images (B, 3, H, W), RGB in [0, 1], of any size."""
        height, width = image.shape[-2:]
        logits = self.forward_padded(self.prepare(image))
        return logits[..., :height, :width]

    def prepare(self, image: Tensor) -> Tensor:
        """Normalised, and padded right and below to multiples of `stride_px`, at least `least_px`."""
        height, width = image.shape[-2:]
        # sym_max and not max: an exported network must not be tied to the size it was traced with
        down, right = (
            cast(int, torch.sym_max(-side % self.stride_px, self.least_px - side)) for side in (height, width)
        )
        if down or right:
            # reflection needs a side longer than the padding; tiny images repeat their edge
            mode = "reflect" if down < height and right < width else "replicate"
            image = F.pad(image, (0, right, 0, down), mode=mode)
        return (image - 0.45) / 0.2

    @torch.no_grad()
    def attention_maps(self, image: Tensor) -> dict[str, Tensor]:
        """What the network looks at: name -> float32 (B, H, W) in [0, 1]; empty where it has no attention."""
        return {}

    @property
    def parameter_count(self) -> int:
        """Number of trainable parameters."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    @torch.no_grad()
    def probability(self, image: Tensor) -> Tensor:
        """Probability (B, H, W) in [0, 1], float32, that a pixel is a crack (of any class but potholes)."""
        logits = self(image).float()
        if self.classes == 1:
            return torch.sigmoid(logits[:, 0])
        share = torch.softmax(logits, dim=1)
        none = share[:, 0] if self.pothole_class is None else share[:, 0] + share[:, self.pothole_class]
        return 1 - none

    @torch.no_grad()
    def pothole_probability(self, image: Tensor) -> Tensor:
        """Probability (B, H, W) in [0, 1], float32, that a pixel is of the class `pothole_class`."""
        if self.pothole_class is None:
            raise SettingsError(
                "This network tells no potholes.", "Use one whose card names the class `pothole`."
            )
        return torch.softmax(self(image).float(), dim=1)[:, self.pothole_class]
