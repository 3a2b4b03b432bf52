"""JTFN-style network: crack and boundary streams that refine each other in passes; seed 002's base model.

After the public description of M. Cheng, K. Zhao, X. Guo, Y. Xu, J. Guo, "Joint Topology-Preserving and
Feature-Refinement Network for Curvilinear Structure Segmentation", ICCV 2021 (seed 002's [8]). Written from
its abstract and outline, not from its code: each docstring says what is described and what is our reading.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.errors import SettingsError
from engine.models.base import CrackModel


@dataclass(frozen=True)
class Streams:
    """What one pass over the decoder says.

    Attributes:
        crack: logits (B, K, H, W).
        boundary: logits (B, 1, H, W) of the crack's outline.
        gates: masks (B, C, H / 2^l, W / 2^l) in [0, 1] that refined the levels' features, finest first, of
            the padded image; empty in the first pass.
    """

    crack: Tensor
    boundary: Tensor
    gates: tuple[Tensor, ...]


def _convolve(in_channels: int, channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    )


class FeatureInteraction(nn.Module):
    """The two streams inform each other, each through a map of what it has found.

    Described: a reciprocative two-stream module for the mask and its boundary. Our reading: first the
    boundary takes from the crack stream, then the crack from the boundary, b' = b + f(b, sigmoid(w c) c) and
    c' = c + g(c, sigmoid(w' b') b'), f and g a 3x3 convolution with normalisation and ReLU.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.crack_map = nn.Conv2d(channels, 1, 1)
        self.boundary_map = nn.Conv2d(channels, 1, 1)
        self.to_boundary = _convolve(2 * channels, channels)
        self.to_crack = _convolve(2 * channels, channels)

    def forward(self, crack: Tensor, boundary: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Both (B, C, H, W) -> both refined, and the boundary's logits (B, 1, H, W)."""
        found = crack * torch.sigmoid(self.crack_map(crack))
        boundary = boundary + self.to_boundary(torch.cat([boundary, found], dim=1))
        logits = self.boundary_map(boundary)
        found = boundary * torch.sigmoid(logits)
        return crack + self.to_crack(torch.cat([crack, found], dim=1)), boundary, logits


class GatedAttention(nn.Module):
    """Refines a level's features by what the pass before predicted.

    Described: topology-aware predictions are fed back to refine attentive features by supplementing and
    enhancing saliencies. Our reading: a = sigmoid(3x3 of features and predictions), output =
    (1 + a) features + (1 - a) s: enhanced where attended, supplemented by s = ReLU(1x1 of both) elsewhere.
    """

    def __init__(self, channels: int, fed_back: int) -> None:
        super().__init__()
        self.attend = nn.Conv2d(channels + fed_back, channels, 3, padding=1)
        self.supplement = nn.Conv2d(channels + fed_back, channels, 1)

    def forward(self, features: Tensor, predictions: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) and (B, fed_back, H, W) in [0, 1] -> refined features and mask a (B, C, H, W)."""
        both = torch.cat([features, predictions], dim=1)
        mask = torch.sigmoid(self.attend(both))
        return (1 + mask) * features + (1 - mask) * torch.relu(self.supplement(both)), mask


class JTFN(CrackModel):
    """Encoder, and a two-stream decoder that runs several times, fed with its own predictions.

    Described: crack and boundary streams that exchange features; their predictions fed back as guidance, over
    several passes. Our reading: one exchange at each level, decoder weights shared by the passes, and the
    feedback shrunk by its maximum. `streams` gives every pass's crack and boundary logits, so that a loss can
    supervise the outline and the earlier passes; `forward` gives the last pass's crack logits.
    departs: a plain encoder of two 3x3 convolutions per level, normalised, with random weights.
    departs: trained through `forward` alone, the boundary stream has no truth of its own: it learns whatever
    helps the crack stream.

    The default is for a GPU. For a CPU: `widths=(8, 16, 32, 64), iterations=2`.

    Args:
        widths: channels of the levels, finest first.
        iterations: passes over the decoder, 1 or more; its weights are shared. With 1 nothing is fed back.
        in_channels: channels of the image.
        classes: K.

    Raises:
        SettingsError: no pass, or fewer than two levels.
    """

    def __init__(
        self,
        widths: tuple[int, ...] = (32, 64, 128, 256, 256),
        iterations: int = 3,
        in_channels: int = 3,
        classes: int = 1,
    ) -> None:
        widths = tuple(widths)
        super().__init__(classes, widths=widths, iterations=iterations, in_channels=in_channels)
        if iterations < 1 or len(widths) < 2:
            raise SettingsError(
                f"JTFN cannot be made of {len(widths)} levels and {iterations} iterations.",
                "Give 2 or more levels and 1 or more iterations.",
            )
        self.iterations = iterations
        self.stride_px = 2 ** (len(widths) - 1)
        self.encoders = nn.ModuleList(
            nn.Sequential(_convolve(i, o), _convolve(o, o)) for i, o in pairwise((in_channels, *widths))
        )
        self.crack_ups = nn.ModuleList(_convolve(i + o, o) for o, i in pairwise(widths))
        self.boundary_ups = nn.ModuleList(_convolve(i + o, o) for o, i in pairwise(widths))
        self.interactions = nn.ModuleList(FeatureInteraction(w) for w in widths[:-1])
        self.gates = nn.ModuleList(GatedAttention(w, classes + 1) for w in widths if iterations > 1)
        self.features = nn.Identity()
        self.head = nn.Conv2d(widths[0], classes, 1)
        if classes == 1 and self.head.bias is not None:
            nn.init.constant_(self.head.bias, -2.0)  # cracks are rare: start from "no crack"

    @property
    def last_features(self) -> nn.Module:
        """The last pass's finest crack features (B, widths[0], H, W); called once per image."""
        return self.features

    def _encode(self, image: Tensor) -> list[Tensor]:
        """Features of every level, finest first."""
        levels: list[Tensor] = []
        for encode in self.encoders:
            levels.append(encode(F.max_pool2d(levels[-1], 2) if levels else image))
        return levels

    def _refine(self, levels: list[Tensor], before: Streams) -> tuple[list[Tensor], tuple[Tensor, ...]]:
        """Every level's features, guided by the pass before, and the masks that did it."""
        crack = torch.sigmoid(before.crack) if self.classes == 1 else torch.softmax(before.crack, dim=1)
        # the maximum, as a mean would wash thin lines out of the coarse levels
        predictions = torch.cat([crack.to(before.boundary.dtype), torch.sigmoid(before.boundary)], dim=1)
        refined, masks = [], []
        for level, (gate, features) in enumerate(zip(self.gates, levels, strict=True)):
            guided, mask = gate(features, F.max_pool2d(predictions, 2**level))
            refined.append(guided)
            masks.append(mask)
        return refined, tuple(masks)

    def _decode(self, levels: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Finest crack features (B, widths[0], H, W) and boundary logits (B, 1, H, W)."""
        crack = boundary = levels[-1]
        logits = boundary
        for level in reversed(range(len(self.interactions))):
            crack, boundary = (
                up(torch.cat([F.interpolate(x, scale_factor=2.0, mode="nearest"), levels[level]], dim=1))
                for up, x in ((self.crack_ups[level], crack), (self.boundary_ups[level], boundary))
            )
            crack, boundary, logits = self.interactions[level](crack, boundary)
        return crack, logits

    def _passes(self, image: Tensor) -> list[Streams]:
        levels = self._encode(image)
        passes: list[Streams] = []
        for number in range(self.iterations):
            guided, gates = self._refine(levels, passes[-1]) if passes else (levels, ())
            crack, boundary = self._decode(guided)
            if number == self.iterations - 1:
                crack = self.features(crack)
            passes.append(Streams(self.head(crack), boundary, gates))
        return passes

    def forward_padded(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) with sides divisible by `stride_px` -> (B, K, H, W)."""
        return self._passes(image)[-1].crack

    def streams(self, image: Tensor) -> list[Streams]:
        """Every pass's logits, first pass first, for images (B, 3, H, W), RGB in [0, 1], of any size."""
        height, width = image.shape[-2:]
        return [
            Streams(s.crack[..., :height, :width], s.boundary[..., :height, :width], s.gates)
            for s in self._passes(self.prepare(image))
        ]

    @torch.no_grad()
    def attention_maps(self, image: Tensor) -> dict[str, Tensor]:
        """The last pass's "boundary" and, averaged over channels, gates "level 1" (finest) ...: (B, H, W)."""
        height, width = image.shape[-2:]
        padded = self.prepare(image)
        last = self._passes(padded)[-1]
        maps = {"boundary": torch.sigmoid(last.boundary.float())}
        for level, gate in enumerate(last.gates, start=1):
            mask = gate.float().mean(dim=1, keepdim=True)
            maps[f"level {level}"] = F.interpolate(
                mask, size=padded.shape[-2:], mode="bilinear", align_corners=False
            )
        return {name: mask[:, 0, :height, :width] for name, mask in maps.items()}
