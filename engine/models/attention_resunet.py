"""Residual attention U-Net, the default network.

Source: seed 003, "Automated crack segmentation with residual connections and attention gates in a U-Net".
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.errors import SettingsError
from engine.models.base import CrackModel
from engine.models.blocks import AttentionGate, ResidualBlock


class AttentionResUNet(CrackModel):
    """Four-level U-Net of residual blocks with gated shortcuts and deep supervision.

    Source: seed 003, sections 2.1-2.3 and figure 1.
    departs: one crack logit in place of two softmax channels after a ReLU. A softmax over ReLU outputs cannot
    push a class below zero, so its gradient dies for half of the pixels; a sigmoid of one free logit says the
    same with two states and no dead half.
    departs: normalisation layers, see `ResidualBlock`; the paper has none.

    Args:
        filters: channels of the levels, finest first.
        in_channels: channels of the image.
        classes: K.

    Raises:
        SettingsError: filters that are not two whole numbers above 0, or more.
    """

    def __init__(
        self, filters: tuple[int, ...] = (16, 32, 64, 128), in_channels: int = 3, classes: int = 1
    ) -> None:
        filters = tuple(filters)
        if len(filters) < 2 or not all(isinstance(count, int) and count > 0 for count in filters):
            raise SettingsError(
                f"The network cannot have filters={filters}.",
                "Give whole numbers above 0 for two levels or more, as filters=16/32/64/128.",
            )
        super().__init__(classes, filters=filters, in_channels=in_channels)
        self.stride_px = 2 ** (len(filters) - 1)
        shallow = filters[:-1]
        self.encoders = nn.ModuleList(
            ResidualBlock(i, o) for i, o in zip((in_channels, *shallow), filters, strict=True)
        )
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(deep, here, 2, stride=2)
            for here, deep in zip(shallow, filters[1:], strict=True)
        )
        self.gates = nn.ModuleList(AttentionGate(here) for here in shallow)
        self.decoders = nn.ModuleList(ResidualBlock(2 * here, here) for here in shallow)
        self.sides = nn.ModuleList(nn.Conv2d(here, 2, 1) for here in shallow)
        self.fuse = nn.Conv2d(2 * len(shallow), classes, 1)
        if classes == 1 and self.fuse.bias is not None:
            nn.init.constant_(self.fuse.bias, -2.0)  # cracks are rare: start from "no crack"

    @property
    def last_features(self) -> nn.Module:
        """The finest decoder's (B, filters[0], H, W)."""
        return self.decoders[0]

    def forward_padded(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) with sides divisible by `stride_px` -> (B, K, H, W)."""
        size = image.shape[-2:]
        shortcuts = []
        x = image
        for level, encode in enumerate(self.encoders):
            x = encode(x if level == 0 else F.max_pool2d(x, 2))
            shortcuts.append(x)
        sides = []
        for level in reversed(range(len(self.ups))):
            up = torch.relu(self.ups[level](x))
            gated = self.gates[level](shortcuts[level], up)
            x = self.decoders[level](torch.cat([gated, up], dim=1))
            side = self.sides[level](x)
            if level:
                side = F.interpolate(side, size=size, mode="bilinear", align_corners=False)
            sides.append(side)
        logits: Tensor = self.fuse(torch.cat(sides, dim=1))
        return logits
