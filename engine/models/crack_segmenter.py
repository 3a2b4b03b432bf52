"""Crack-Segmenter: a multi-scale transformer with directional attention and guided fusion.

Source: seed 000, "Self-Supervised Multi-Scale Transformer with Attention-Guided Fusion for Efficient Crack
Detection".
"""

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.errors import SettingsError
from engine.models.base import CrackModel
from engine.models.directional_attention import (
    Attention,
    DirectionalAttentionTransformer,
    resized,
    strength,
)

SCALES = ("fine", "small", "large")

VARIANTS: dict[str, frozenset[str]] = {
    "full": frozenset({"sae", "dat", "agf"}),
    "v0": frozenset({"sae"}),
    "v1": frozenset({"sae", "dat"}),
    "v2": frozenset({"sae", "agf"}),
    "v3": frozenset({"dat", "agf"}),
}
"""Modules of each variant. Source: seed 000, table 4."""


class ScaleOutputs(NamedTuple):
    """One pass with what lies behind it; sizes are those of the padded image over `stem_stride`.

    Attributes:
        logits: (B, K, H, W).
        features: fine, small (B, D, h, w) and large (B, D, h/2, w/2), before their fusion.
        attention: of the last block at each of these scales; empty without DAT.
        fusion: weights A in [0, 1], (B, 3, h, w) in the order large, small, fine; None without AGF.
            Source: seed 000, equation 27.
    """

    logits: Tensor
    features: tuple[Tensor, ...]
    attention: tuple[Attention, ...]
    fusion: Tensor | None


def _embedding(in_channels: int, channels: int, kernel_px: int, stride: int = 1) -> nn.Sequential:
    """Convolution, activation, then normalisation, in the order of equations 7-12."""
    convolution = nn.Conv2d(in_channels, channels, kernel_px, stride, padding=kernel_px // 2)
    return nn.Sequential(convolution, nn.ReLU(), nn.BatchNorm2d(channels))


class ScaleAdaptiveEmbedder(nn.Module):
    """The image at three scales: 1x1, 3x3, and 3x3 with stride 2.

    Source: seed 000, equations 1 and 7-13 and figure 2; ReLU where the paper says "a nonlinear activation".
    The token sequence (B, H W, D) of equation 13 stays (B, D, H, W): the same numbers, ready to convolve.

    Args:
        in_channels: C.
        channels: D.
    """

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.fine = _embedding(in_channels, channels, 1)
        self.small = _embedding(in_channels, channels, 3)
        self.large = _embedding(in_channels, channels, 3, stride=2)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, C, H, W), even sides -> two (B, D, H, W) and (B, D, H/2, W/2)."""
        return self.fine(image), self.small(image), self.large(image)


class SingleScaleEmbedder(nn.Module):
    """What stands in for the embedder in the variant without it: the one 3x3 embedding of equation 8.

    It serves as the fine and as the small scale; its 2x2 mean is the large one, since the fusion takes three.
    The paper does not say what its variant v3 is given.
    """

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.small = _embedding(in_channels, channels, 3)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, C, H, W), even sides -> two (B, D, H, W) and (B, D, H/2, W/2)."""
        x = self.small(image)
        return x, x, F.avg_pool2d(x, 2)


class AttentionGuidedFusion(nn.Module):
    """Sum of the scales, each pixel of each weighted by a sigmoid that sees all of them.

    Source: seed 000, equations 25-34 and figure 4.

    Args:
        channels: D.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(channels, channels, 1)
        self.weigh = nn.Conv2d(3 * channels, 3, 1)

    def forward(self, fine: Tensor, small: Tensor, large: Tensor) -> tuple[Tensor, Tensor]:
        """Features of the scales -> fused (B, D, H, W) and weights (B, 3, H, W): large, small, fine."""
        # projecting before upsampling gives what equation 25 gives, at a quarter of the pixels
        large = resized(self.project(large), (fine.shape[-2], fine.shape[-1]))
        weights = torch.sigmoid(self.weigh(torch.cat([large, small, fine], dim=1)))
        fused = large * weights[:, 0:1] + small * weights[:, 1:2] + fine * weights[:, 2:3]
        return fused, weights


class CrackSegmenter(CrackModel):
    """Three embeddings of the image, directional attention on each, guided fusion, a linear decoder.

    Source: seed 000, sections 3.2-3.5, equations 1-34.
    DAT has one set of weights for the three scales: equations 2-4 name one function, and the weights of 16-22
    carry no scale where those of 7-9 do. `shared_attention=False` gives each scale its own.
    Without AGF (v0, v1) the upsampled scales are averaged: equation 34 with equal weights.

    Args:
        embed_dim: D; the paper gives no number.
        blocks: directional blocks in a row; the paper gives no number.
        variant: "full", "v0" (SAE), "v1" (SAE + DAT), "v2" (SAE + AGF), "v3" (DAT + AGF). Source: table 4.
        shared_attention: one DAT for all scales, or one each.
        stem_stride: 1 is the paper. departs: with s > 1, s x s pixels are folded into channels first and
            unfolded from the decoder's s x s outputs, so that a CPU has 1 / s^2 of the positions to visit.
        classes: K.

    Raises:
        SettingsError: an unknown variant, or a number too small.
    """

    def __init__(
        self,
        embed_dim: int = 32,
        blocks: int = 2,
        variant: str = "full",
        shared_attention: bool = True,
        stem_stride: int = 1,
        classes: int = 1,
    ) -> None:
        super().__init__(
            classes,
            embed_dim=embed_dim,
            blocks=blocks,
            variant=variant,
            shared_attention=shared_attention,
            stem_stride=stem_stride,
        )
        if variant not in VARIANTS:
            raise SettingsError(
                f"crack_segmenter has no variant {variant!r}.", f"Choose one of: {', '.join(VARIANTS)}."
            )
        if embed_dim < 2 or blocks < 1 or stem_stride < 1:
            raise SettingsError(
                f"crack_segmenter cannot have {embed_dim=}, {blocks=}, {stem_stride=}.",
                "Give embed_dim >= 2, blocks >= 1 and stem_stride >= 1.",
            )
        parts = VARIANTS[variant]
        self.stem_stride = stem_stride
        self.stride_px = 2 * stem_stride
        folded = 3 * stem_stride**2
        embedder = ScaleAdaptiveEmbedder if "sae" in parts else SingleScaleEmbedder
        self.embed = embedder(folded, embed_dim)
        branches = (1 if shared_attention else len(SCALES)) if "dat" in parts else 0
        self.attention = nn.ModuleList(
            DirectionalAttentionTransformer(embed_dim, blocks) for _ in range(branches)
        )
        self.fusion = AttentionGuidedFusion(embed_dim) if "agf" in parts else None
        self.fused = nn.Identity()
        # the bias starts near zero as in any layer: a start at "no crack" would decide what equation 40 keeps
        self.decode = nn.Conv2d(embed_dim, classes * stem_stride**2, 1)

    @property
    def last_features(self) -> nn.Module:
        """The fused features, (B, D, H, W) over `stem_stride`."""
        return self.fused

    def forward_padded(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) with sides divisible by `stride_px` -> (B, K, H, W)."""
        return self._decoded(self._fuse(*self._scales(image))[0])

    def forward_scales(self, image: Tensor) -> ScaleOutputs:
        """Logits and what lies behind them, in one pass, for training without labels and for overlays.

        Args:
            image: float32 (B, 3, H, W), RGB in [0, 1], of any size.
        """
        height, width = image.shape[-2:]
        features: list[Tensor] = []
        attention: list[Attention] = []
        for branch, embedded in zip(self._branches(), self._embedded(self.prepare(image)), strict=True):
            if branch is None:
                features.append(embedded)
                continue
            refined, looked_at = branch.with_attention(embedded)
            features.append(refined)
            attention.append(looked_at)
        fused, weights = self._fuse(*features)
        logits = self._decoded(fused)[..., :height, :width]
        return ScaleOutputs(logits, tuple(features), tuple(attention), weights)

    @torch.no_grad()
    def attention_maps(self, image: Tensor) -> dict[str, Tensor]:
        """What each scale attends to, and how far the fusion trusts it.

        Source: seed 000, section 5.3 and figure 6.

        Args:
            image: float32 (B, 3, H, W), RGB in [0, 1], of any size.

        Returns:
            "fine", "small", "large" (with DAT), scaled to [0, 1] within each image; "fusion_fine",
            "fusion_small", "fusion_large" (with AGF), the weights of equation 27; each (B, H, W).
        """
        height, width = image.shape[-2:]
        outputs = self.forward_scales(image)
        fine_size = outputs.features[0].shape[-2:]
        padded = (fine_size[0] * self.stem_stride, fine_size[1] * self.stem_stride)
        maps = {name: strength(a)[:, None] for name, a in zip(SCALES, outputs.attention, strict=False)}
        if outputs.fusion is not None:
            by_scale = zip(reversed(SCALES), outputs.fusion.float().unbind(1), strict=True)
            maps |= {f"fusion_{name}": weight[:, None] for name, weight in by_scale}
        return {name: resized(m, padded)[:, 0, :height, :width] for name, m in maps.items()}

    def _embedded(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if self.stem_stride > 1:
            image = F.pixel_unshuffle(image, self.stem_stride)
        scales: tuple[Tensor, Tensor, Tensor] = self.embed(image)
        return scales

    def _branches(self) -> list[DirectionalAttentionTransformer | None]:
        """The transformer of each scale."""
        branches = cast(list[DirectionalAttentionTransformer | None], list(self.attention) or [None])
        return branches * (len(SCALES) // len(branches))

    def _scales(self, image: Tensor) -> tuple[Tensor, ...]:
        pairs = zip(self._branches(), self._embedded(image), strict=True)
        return tuple(x if branch is None else branch(x) for branch, x in pairs)

    def _fuse(self, fine: Tensor, small: Tensor, large: Tensor) -> tuple[Tensor, Tensor | None]:
        if self.fusion is None:
            large = resized(large, (fine.shape[-2], fine.shape[-1]))
            return self.fused((fine + small + large) / 3), None
        fused, weights = self.fusion(fine, small, large)
        return self.fused(fused), weights

    def _decoded(self, fused: Tensor) -> Tensor:
        """Source: seed 000, equation 6."""
        logits: Tensor = self.decode(fused)
        return F.pixel_shuffle(logits, self.stem_stride) if self.stem_stride > 1 else logits
