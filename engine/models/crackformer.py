"""CrackFormer-style network: local self-attention in a SegNet, a peer that seeds 000 and 002 compare with.

After the public description of H. Liu, X. Miao, C. Mertz, C. Xu, H. Kong, "CrackFormer: Transformer Network
for Fine-Grained Crack Detection", ICCV 2021 (seed 000's [26], seed 002's [32]). Written from its abstract and
outline, not from its code: each docstring says what is described and what is our reading.
"""

from collections.abc import Iterator
from itertools import pairwise, product
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from engine.errors import SettingsError
from engine.models.base import CrackModel


def pool_with_winners(x: Tensor) -> tuple[Tensor, Tensor]:
    """Max over 2x2 cells, and which of the four won, as SegNet keeps it.

    Plain reshapes: the same function as max pooling with indices, but it exports and repeats exactly.

    Args:
        x: (B, C, H, W) with even sides.

    Returns:
        (B, C, H/2, W/2), and int64 winners of that shape in 0 ... 3 (row first).
    """
    batch, channels, height, width = x.shape
    cells = F.pixel_unshuffle(x, 2).reshape(batch, channels, 4, height // 2, width // 2)
    values, winners = cells.max(dim=2)
    return values, winners


def unpool(x: Tensor, winners: Tensor) -> Tensor:
    """Put each value where its maximum was, zeros elsewhere: (B, C, H, W) and winners -> (B, C, 2H, 2W)."""
    places = torch.arange(4, device=x.device).view(1, 1, 4, 1, 1)
    cells = x.unsqueeze(2) * (winners.unsqueeze(2) == places)
    return F.pixel_shuffle(cells.flatten(1, 2), 2)


def _shifts(x: Tensor, window: int) -> Iterator[Tensor]:
    """Views of x (..., H, W) moved by each offset of the window, row first; zeros come in from outside."""
    height, width = x.shape[-2:]
    around = F.pad(x, [window // 2] * 4)
    for down, right in product(range(window), repeat=2):
        yield around[..., down : down + height, right : right + width]


def _compare(query: Tensor, key: Tensor, window: int) -> Tensor:
    """(B, h, c, H, W) twice -> (B, window^2, h, H, W), s_o = sum_c q_n k_{n+o}."""
    return torch.stack([(query * there).sum(2) for there in _shifts(key, window)], dim=1)


def _collect(weight: Tensor, value: Tensor, window: int) -> Tensor:
    """(B, window^2, h, H, W) and (B, h, c, H, W) -> (B, h, c, H, W), y_n = sum_o w_o v_{n+o}."""
    total = torch.zeros_like(value)
    for number, there in enumerate(_shifts(value, window)):
        total = torch.addcmul(total, weight[:, number].unsqueeze(2), there)
    return total


def _spread(weight: Tensor, value: Tensor, window: int) -> Tensor:
    """The transpose of `_collect`: y_{n+o} = sum_o w_o v_n; what falls outside is dropped."""
    height, width = value.shape[-2:]
    reach = window // 2
    around = F.pad(torch.zeros_like(value), [reach] * 4)
    for number, (down, right) in enumerate(product(range(window), repeat=2)):
        there = around[..., down : down + height, right : right + width]
        there.addcmul_(weight[:, number].unsqueeze(2), value)
    return around[..., reach : reach + height, reach : reach + width]


class _Compare(torch.autograd.Function):
    """`_compare` with its gradient by hand: autograd would fill a padded map with zeros for every offset."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, window: int) -> Tensor:
        ctx.save_for_backward(query, key)
        ctx.window = window
        return _compare(query, key, window)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        query, key = ctx.saved_tensors
        return _collect(grad, key, ctx.window), _spread(grad, query, ctx.window), None


class _Collect(torch.autograd.Function):
    """`_collect` with its gradient by hand."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, value: Tensor, window: int) -> Tensor:
        ctx.save_for_backward(weight, value)
        ctx.window = window
        return _collect(weight, value, window)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        weight, value = ctx.saved_tensors
        return _compare(grad, value, ctx.window), _spread(weight, grad, ctx.window), None


class LocalSelfAttention(nn.Module):
    """Each pixel attends to its `window` x `window` neighbours, keyed by content and by relative position.

    y_n = sum_o softmax_o(q_n . (k_{n+o} + p_o) / sqrt(c)) v_{n+o}, o over the window, per head; neighbours
    outside the image are zero. One product per offset: memory grows with H * W * window^2, never (H * W)^2.
    Described: self-attention by 1x1 convolutions with an efficient positional embedding for a wide view. Our
    reading: the softmax over a window, and the position as in Ramachandran et al. 2019, "Stand-Alone
    Self-Attention in Vision Models". The view widens through the stages, not within one layer.
    """

    def __init__(self, channels: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.project = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.position = nn.Parameter(torch.randn(window * window, heads, channels // heads) * 0.1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) -> the same shape."""
        # rows of pixels, not of channels, lie together: a head has few channels to run along
        projected = self.project(x).contiguous().unflatten(1, (3, self.heads, -1))
        query, key, value = projected.unbind(1)
        query = query * self.position.shape[-1] ** -0.5
        scores = _Compare.apply(query, key, self.window)
        scores = scores + torch.einsum("bhcyx,ohc->bohyx", query, self.position)
        attention = torch.softmax(scores, dim=1).to(value.dtype)
        mixed: Tensor = _Collect.apply(attention, value, self.window)
        return mixed.flatten(1, 2)


class SelfAttentionBlock(nn.Module):
    """1x1 convolution, local self-attention, 1x1 convolution, and the input added.

    Described: this order and the shortcut. Our reading: half of the channels inside, batch normalisation
    after each of the three, a 1x1 convolution in the shortcut where the number of channels changes.
    """

    def __init__(self, in_channels: int, channels: int, heads: int, window: int) -> None:
        super().__init__()
        inner = channels // 2
        self.attend = nn.Sequential(
            nn.Conv2d(in_channels, inner, 1, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(inplace=True),
            LocalSelfAttention(inner, heads, window),
            nn.BatchNorm2d(inner),
            nn.ReLU(inplace=True),
            nn.Conv2d(inner, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )
        same = in_channels == channels
        self.shortcut: nn.Module = nn.Identity() if same else nn.Conv2d(in_channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, channels, H, W)."""
        return torch.relu(self.shortcut(x) + self.attend(x))


class ScalingAttention(nn.Module):
    """Scales a stage's encoder features by a mask that encoder and decoder agree on.

    Described: it combines the encoder's and the decoder's output of one stage, to suppress what is not
    semantic and sharpen the crack. Our reading: mask = sigmoid(We e + Wd d) per channel, output = mask * e.
    """

    def __init__(self, encoded_channels: int, decoded_channels: int) -> None:
        super().__init__()
        self.from_encoder = nn.Conv2d(encoded_channels, encoded_channels, 1)
        self.from_decoder = nn.Conv2d(decoded_channels, encoded_channels, 1, bias=False)

    def mask(self, encoded: Tensor, decoded: Tensor) -> Tensor:
        """(B, encoded_channels, H, W) in [0, 1]."""
        return torch.sigmoid(self.from_encoder(encoded) + self.from_decoder(decoded))

    def forward(self, encoded: Tensor, decoded: Tensor) -> Tensor:
        """Both (B, ., H, W) -> (B, encoded_channels, H, W)."""
        return self.mask(encoded, decoded) * encoded


class CrackFormer(CrackModel):
    """VGG-like SegNet of self-attention blocks; sharpened side outputs of all stages are fused.

    Described: SegNet-like encoder and decoder with VGG's stages, self-attention blocks with 1x1 convolutions,
    scaling-attention blocks between the encoder and decoder of one stage, fused side outputs.
    departs: a 3x3 convolution as the first layer (attention has no edges to begin with in three colours); the
    loss sees the fused output alone, not each side; weights start at random.

    The default is for a GPU. For a CPU: `widths=(16, 32, 64, 128), depths=(1, 1, 1, 1), heads=2`.

    Args:
        widths: channels of the stages, finest first; halves of them are divided among the heads.
        depths: self-attention blocks of each stage, in the encoder and again in the decoder.
        heads: attention heads.
        window: side of the neighbourhood in pixels of the stage, odd.
        in_channels: channels of the image.
        classes: K.

    Raises:
        SettingsError: options that do not fit together.
    """

    def __init__(
        self,
        widths: tuple[int, ...] = (64, 128, 256, 512, 512),
        depths: tuple[int, ...] = (2, 2, 3, 3, 3),
        heads: int = 4,
        window: int = 5,
        in_channels: int = 3,
        classes: int = 1,
    ) -> None:
        widths, depths = tuple(widths), tuple(depths)
        super().__init__(
            classes, widths=widths, depths=depths, heads=heads, window=window, in_channels=in_channels
        )
        if len(widths) != len(depths) or any(w % (2 * heads) for w in widths) or min(depths) < 1:
            raise SettingsError(
                f"Widths {widths}, depths {depths} and {heads} heads do not fit together.",
                "Give as many widths as depths, depths of 1 or more, widths divisible by twice the heads.",
            )
        if window < 1 or window % 2 == 0:
            raise SettingsError(f"A window of {window} px has no middle.", "Give an odd number.")
        self.stride_px = 2 ** len(widths)

        def stage(channels: list[int]) -> nn.Sequential:
            return nn.Sequential(*(SelfAttentionBlock(i, o, heads, window) for i, o in pairwise(channels)))

        shallower = (widths[0], *widths[:-1])
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, widths[0], 3, padding=1, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(inplace=True),
        )
        stages = list(zip(shallower, widths, depths, strict=True))
        self.encoders = nn.ModuleList(stage([i] + [o] * n) for i, o, n in stages)
        self.decoders = nn.ModuleList(stage([o] * n + [i]) for i, o, n in stages)
        self.sharpen = nn.ModuleList(ScalingAttention(o, i) for i, o, _ in stages)
        self.sides = nn.ModuleList(nn.Conv2d(o, classes, 1) for o in widths)
        self.fuse = nn.Conv2d(classes * len(widths), classes, 1)
        if classes == 1 and self.fuse.bias is not None:
            nn.init.constant_(self.fuse.bias, -2.0)  # cracks are rare: start from "no crack"

    @property
    def last_features(self) -> nn.Module:
        """The finest stage's sharpened features (B, widths[0], H, W)."""
        return self.sharpen[0]

    def _stages(self, image: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Encoder and decoder features of every stage, finest first."""
        x = self.stem(image)
        encoded, winners = [], []
        for encode in self.encoders:
            encoded.append(encode(x))
            x, winner = pool_with_winners(encoded[-1])
            winners.append(winner)
        decoded = []
        for decode, winner in zip(reversed(self.decoders), reversed(winners), strict=True):
            x = decode(unpool(x, winner))
            decoded.append(x)
        return list(zip(encoded, reversed(decoded), strict=True))

    def forward_padded(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) with sides divisible by `stride_px` -> (B, K, H, W)."""
        sides = []
        for sharpen, side, (encoded, decoded) in zip(
            self.sharpen, self.sides, self._stages(image), strict=True
        ):
            score = side(sharpen(encoded, decoded))
            if score.shape[-2:] != image.shape[-2:]:
                score = F.interpolate(score, size=image.shape[-2:], mode="bilinear", align_corners=False)
            sides.append(score)
        logits: Tensor = self.fuse(torch.cat(sides, dim=1))
        return logits

    @torch.no_grad()
    def attention_maps(self, image: Tensor) -> dict[str, Tensor]:
        """Scaling-attention masks, averaged over channels: "stage 1" (finest) ... -> (B, H, W) in [0, 1]."""
        height, width = image.shape[-2:]
        padded = self.prepare(image)
        maps = {}
        for number, (sharpen, features) in enumerate(
            zip(self.sharpen, self._stages(padded), strict=True), start=1
        ):
            mask = cast(ScalingAttention, sharpen).mask(*features).float().mean(dim=1, keepdim=True)
            mask = F.interpolate(mask, size=padded.shape[-2:], mode="bilinear", align_corners=False)
            maps[f"stage {number}"] = mask[:, 0, :height, :width]
        return maps
