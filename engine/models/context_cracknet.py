"""Context-CrackNet: a ResNet encoder, global context at the bottleneck, gated shortcuts.

Source: seed 001, "Context-CrackNet: a context-aware framework for precise segmentation of tiny cracks in
pavement images".
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.errors import SettingsError
from engine.models.base import CrackModel
from engine.models.resnet import ResNetEncoder

# 3.9 million parameters: for training without a GPU
CPU_OPTIONS: dict[str, Any] = {
    "encoder": "resnet18",
    "stem_channels": 32,
    "decoder_channels": (48, 64, 64, 128),
    "attention_channels": 64,
    "projected_tokens": 32,
}


class ContextAwareGlobal(nn.Module):
    """Every place asks k summaries of the whole image what surrounds it: attention of linear cost.

    Source: seed 001, section 3.3, equations 6-11 and algorithm 2 (CAGM).
    departs: E and F of equation 8 have one row per place, which would tie the weights to one image size. They
    are kept as k weight maps over `reference_side` x `reference_side` places, 14 x 14 being the paper's
    448 px, and interpolated bilinearly to the map at hand, then scaled so that their sums stay. At 448 px
    they are the paper's matrices exactly.
    departs: equation 8 as printed multiplies (N, d_k) by (N, k); the transposed product is meant.
    departs: equation 11 maps Z alone back to C channels, algorithm 2 concatenates Z and X first. The latter
    is built, since it keeps what each place knew of itself, and starts as X plus a little context.

    Args:
        channels: C.
        attention_channels: d_k.
        projected_tokens: k.
        reference_side: side of the grid on which E and F are learned.
    """

    def __init__(
        self, channels: int, attention_channels: int, projected_tokens: int, reference_side: int = 14
    ) -> None:
        super().__init__()
        self.query = nn.Linear(channels, attention_channels, bias=False)
        self.key = nn.Linear(channels, attention_channels, bias=False)
        self.value = nn.Linear(channels, attention_channels, bias=False)
        grid = (projected_tokens, reference_side, reference_side)
        self.project_key = nn.Parameter(torch.randn(grid) / reference_side)
        self.project_value = nn.Parameter(torch.randn(grid) / reference_side)
        self.output = nn.Linear(attention_channels + channels, channels)
        with torch.no_grad():
            self.output.weight[:, attention_channels:] = torch.eye(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        height, width = x.shape[-2:]
        tokens = x.flatten(2).transpose(1, 2)
        keys = self._at_size(self.project_key, height, width) @ self.key(tokens)
        values = self._at_size(self.project_value, height, width) @ self.value(tokens)
        # one head, as an axis of its own: the ONNX exporter takes no other shape
        context = F.scaled_dot_product_attention(self.query(tokens)[:, None], keys[:, None], values[:, None])
        mixed: Tensor = self.output(torch.cat([context[:, 0], tokens], dim=2))
        return mixed.transpose(1, 2).reshape(x.shape)

    @staticmethod
    def _at_size(projection: Tensor, height: int, width: int) -> Tensor:
        """Weight maps (k, G, G) -> (k, height * width), a constant map's projection unchanged."""
        side = projection.shape[-1]
        resized = F.interpolate(projection[None], (height, width), mode="bilinear", align_corners=False)[0]
        return resized.flatten(1) * (side * side / (height * width))


class FocusGate(nn.Module):
    """Where the shortcut matters, seen from both sides of it.

    Source: seed 001, equations 12-14. The shared space has half the encoder's channels: the paper gives no
    number, and this one agrees with its table 7.
    """

    def __init__(self, skip_channels: int, up_channels: int) -> None:
        super().__init__()
        shared = max(skip_channels // 2, 1)
        self.from_decoder = nn.Conv2d(up_channels, shared, 1)
        self.from_encoder = nn.Conv2d(skip_channels, shared, 1)
        self.score = nn.Conv2d(shared, 1, 1)

    def forward(self, skip: Tensor, up: Tensor) -> Tensor:
        """(B, skip_channels, H, W) and (B, up_channels, H, W) -> attention (B, 1, H, W) in (0, 1)."""
        return torch.sigmoid(self.score(torch.relu(self.from_decoder(up) + self.from_encoder(skip))))


class RegionFocusedEnhancement(nn.Module):
    """Gated shortcut and decoder features, joined and refined by two convolutions.

    Source: seed 001, section 3.4, equations 12-17 and algorithm 3 (RFEM).

    Args:
        skip_channels: C_e.
        up_channels: C_d.
        channels: of the result.
        gated: False leaves the gate out (its attention is 1 everywhere): a plain U-Net stage.
    """

    def __init__(self, skip_channels: int, up_channels: int, channels: int, gated: bool = True) -> None:
        super().__init__()
        self.gate = FocusGate(skip_channels, up_channels) if gated else None
        self.refine = nn.Sequential(
            nn.Conv2d(skip_channels + up_channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, skip: Tensor, up: Tensor) -> tuple[Tensor, Tensor | None]:
        """Both of one size -> (B, channels, H, W), and the attention (B, 1, H, W) where there is a gate."""
        attention = None if self.gate is None else self.gate(skip, up)
        refined = skip if attention is None else attention * skip
        return self.refine(torch.cat([refined, up], dim=1)), attention


class ContextCrackNet(CrackModel):
    """Encoder, global context on its deepest map, four gated stages up to half the image's size.

    Source: seed 001, section 3.2, figure 1 and algorithm 1.
    departs: the paper passes its F_3 (stride 16) to the context module and starts the decoder there, yet its
    first decoder stage doubles the size and joins F_3 again, which cannot fit. The deepest map (2048
    channels, stride 32) is taken, as "at the bottleneck" says; it gives the parameters and FLOPs of the
    paper's table 7 within 0.5 %.
    departs: the prediction is made at half size and its logits are interpolated; the paper does not say how
    the last doubling happens.

    Args:
        classes: K.
        encoder: "resnet50" (the paper's) or "resnet18".
        stem_channels: channels of the encoder's first map.
        decoder_channels: of the four stages, finest first; the encoder's own where None.
        attention_channels: d_k of the context module.
        projected_tokens: k of the context module.
        global_context: False leaves the context module out (table 6).
        region_focus: False leaves the gates out (table 6).
        encoder_weights: file with ImageNet weights for the encoder; see `ResNetEncoder.load_weights`.

    Raises:
        CheckpointError: unusable `encoder_weights`.
        SettingsError: other options out of range.
    """

    stride_px = 32

    def __init__(
        self,
        classes: int = 1,
        encoder: str = "resnet50",
        stem_channels: int = 64,
        decoder_channels: tuple[int, ...] | None = None,
        attention_channels: int = 256,
        projected_tokens: int = 64,
        global_context: bool = True,
        region_focus: bool = True,
        encoder_weights: Path | None = None,
    ) -> None:
        # the file of first weights is no option: a checkpoint brings its own and must not need that file
        super().__init__(
            classes,
            encoder=encoder,
            stem_channels=stem_channels,
            decoder_channels=None if decoder_channels is None else tuple(decoder_channels),
            attention_channels=attention_channels,
            projected_tokens=projected_tokens,
            global_context=global_context,
            region_focus=region_focus,
        )
        self.encoder = ResNetEncoder(encoder, stem_channels)
        *skips, deepest = self.encoder.channels
        widths = tuple(skips if decoder_channels is None else decoder_channels)
        if len(widths) != len(skips):
            raise SettingsError(f"The decoder has {len(widths)} widths.", f"Give {len(skips)}, finest first.")
        if min(*widths, attention_channels, projected_tokens) < 1:
            raise SettingsError("A layer cannot have less than one channel or token.", "Give 1 or more.")
        self.context = (
            ContextAwareGlobal(deepest, attention_channels, projected_tokens)
            if global_context
            else nn.Identity()
        )
        self.stages = nn.ModuleList(
            RegionFocusedEnhancement(skip, up, width, region_focus)
            for skip, up, width in zip(skips, (*widths[1:], deepest), widths, strict=True)
        )
        self.classify = nn.Conv2d(widths[0], classes, 1)
        if classes == 1 and self.classify.bias is not None:
            nn.init.constant_(self.classify.bias, -2.0)  # cracks are rare: start from "no crack"
        mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
        std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
        self.register_buffer("image_mean", mean, persistent=False)
        self.register_buffer("image_std", std, persistent=False)
        if encoder_weights is not None:
            self.encoder.load_weights(Path(encoder_weights))

    @property
    def last_features(self) -> nn.Module:
        """The last stage's (B, decoder_channels[0], H/2, W/2)."""
        stage = self.stages[0]
        return stage.get_submodule("refine")

    def prepare(self, image: Tensor) -> Tensor:
        """Padded, and normalised by ImageNet's mean and standard deviation. Source: seed 001, section 4.1."""
        padded = super().prepare(image) * 0.2 + 0.45  # the base class's own normalisation undone
        mean, std = self.get_buffer("image_mean"), self.get_buffer("image_std")
        return (padded - mean) / std

    def forward_padded(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) with sides divisible by 32 -> (B, K, H, W)."""
        features, _ = self._decode(image)
        return F.interpolate(self.classify(features), scale_factor=2, mode="bilinear", align_corners=False)

    def _decode(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Finest features (B, C, H/2, W/2), and the attention of each gate, coarsest first."""
        *skips, deepest = self.encoder(image)
        x = self.context(deepest)
        attentions = []
        for stage, skip in zip(reversed(self.stages), reversed(skips), strict=True):
            up = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x, attention = stage(skip, up)
            if attention is not None:
                attentions.append(attention)
        return x, attentions

    @torch.no_grad()
    def attention_maps(self, image: Tensor) -> dict[str, Tensor]:
        """Attention of each shortcut's gate, "skip_0" (finest) to "skip_3": (B, H, W) in [0, 1].

        Empty without gates. Source: seed 001, equation 14 and figure 8.
        """
        height, width = image.shape[-2:]
        padded = self.prepare(image)
        _, attentions = self._decode(padded)
        size = padded.shape[-2:]
        return {
            f"skip_{level}": F.interpolate(a.float(), size, mode="bilinear", align_corners=False)[
                :, 0, :height, :width
            ]
            for level, a in enumerate(reversed(attentions))
        }
