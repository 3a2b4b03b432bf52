"""Attention along rows and columns, for elongated structures such as cracks.

Source: seed 000, section 3.4, equations 14-24 and figure 3.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_EXPANSION = 2  # of the feed-forward network; the paper gives none


class Attention(NamedTuple):
    """What one block looked at; every tensor is (B, D, H, W), one per direction (row, column).

    Attributes:
        queries: Q_k. Source: seed 000, equation 16.
        keys: K_k. Source: seed 000, equation 17.
        contexts: C_k, the values let through. Source: seed 000, equation 21.
    """

    queries: tuple[Tensor, ...]
    keys: tuple[Tensor, ...]
    contexts: tuple[Tensor, ...]


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation of every pixel's channels: that of a (B, H W, D) sequence, kept as (B, D, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, D, H, W) -> (B, D, H, W); the result lies channels-last in memory."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class DirectionalBlock(nn.Module):
    """One block: directional queries and keys, element-wise attention, depth-wise feed-forward network.

    The softmax of equation 20 runs over the D channels of a pixel; the paper does not say over which axis.
    Over positions the weights would be about 1 / (H W): the features would fade as the image grows, and a
    tile would not give what the whole image gives.
    As in the equations, nothing is added around the attention itself (22), only around the feed-forward
    network (24), which here is 1x1 to 2 D, depth-wise 3x3, GELU, 1x1.

    Source: seed 000, equations 14-24.

    Args:
        channels: D.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = _EXPANSION * channels
        self.norm_in = ChannelNorm(channels, eps=1e-6)  # attention divides features by about D: a small eps
        self.directions = nn.ModuleList(  # Q_k and K_k side by side: one convolution instead of two
            nn.Conv2d(channels, 2 * channels, (1 + 2 * down, 3 - 2 * down), padding=(down, 1 - down))
            for down in (0, 1)
        )
        self.value = nn.Conv2d(channels, channels, 1)
        self.reproject = nn.Conv2d(2 * channels, channels, 1)
        self.norm_out = ChannelNorm(channels, eps=1e-6)
        self.feed_forward = nn.Sequential(
            nn.Conv2d(channels, hidden, 1),
            nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden),
            nn.GELU(),
            nn.Conv2d(hidden, channels, 1),
        )

    def attend(self, x: Tensor) -> Attention:
        """Queries, keys and contexts of x (B, D, H, W). Source: seed 000, equations 14-21."""
        normed = self.norm_in(x)
        value = self.value(normed)
        pairs = [direction(normed).chunk(2, dim=1) for direction in self.directions]
        scale = 1 / math.sqrt(x.shape[1])
        contexts = tuple(torch.softmax(q * k * scale, dim=1) * value for q, k in pairs)
        return Attention(tuple(q for q, _ in pairs), tuple(k for _, k in pairs), contexts)

    def mix(self, contexts: tuple[Tensor, ...]) -> Tensor:
        """Contexts -> features (B, D, H, W). Source: seed 000, equations 22-24."""
        attended: Tensor = self.reproject(torch.cat(contexts, dim=1))
        result: Tensor = self.feed_forward(self.norm_out(attended)) + attended
        return result

    def forward(self, x: Tensor) -> Tensor:
        """(B, D, H, W) -> (B, D, H, W)."""
        return self.mix(self.attend(x).contexts)


class DirectionalAttentionTransformer(nn.Module):
    """A row of directional blocks.

    Source: seed 000, equations 2-4 and 14-24.

    Args:
        channels: D.
        blocks: how many; the paper does not say.
    """

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.first = nn.Sequential(*(DirectionalBlock(channels) for _ in range(blocks - 1)))
        self.last = DirectionalBlock(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, D, H, W) -> (B, D, H, W)."""
        result: Tensor = self.last(self.first(x))
        return result

    def with_attention(self, x: Tensor) -> tuple[Tensor, Attention]:
        """The same features, and the last block's attention."""
        attention = self.last.attend(self.first(x))
        return self.last.mix(attention.contexts), attention


def strength(attention: Attention) -> Tensor:
    """How much the attention lets through at each pixel: mean of |C_k| over channels and directions.

    The weights A_k themselves sum to 1 at every pixel; their mean over the channels says nothing.

    Returns:
        (B, H, W), scaled to [0, 1] within each image; 0 where an image gives the same everywhere.
    """
    power = torch.stack([c.float().abs().mean(dim=1) for c in attention.contexts]).mean(dim=0)
    low, high = power.amin((1, 2), keepdim=True), power.amax((1, 2), keepdim=True)
    return (power - low) / (high - low).clamp_min(torch.finfo(power.dtype).tiny)


def resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, C, h, w) -> (B, C, *size), bilinear."""
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)
