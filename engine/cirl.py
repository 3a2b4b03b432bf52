"""Two-phase training around any network: learn where labels are doubtful, then stop believing them there.

Source: seed 002, "Mind marginal non-crack regions: clustering-inspired representation learning for crack
segmentation". Its losses are in `engine.losses.cirl`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.errors import SettingsError
from engine.losses.basic import cross_entropy
from engine.losses.cirl import (
    ambiguity_aware,
    ambiguous_region,
    clustering_inspired,
    gaussian_divergence,
)
from engine.models.base import CrackModel
from engine.objectives import Batch, Objective

Uncertainty = Literal["aseg", "kl"]


@contextmanager
def captured_features(model: CrackModel) -> Iterator[list[Tensor]]:
    """Within it, every forward pass of the model appends the output of its `last_features` to the list.

    The hook lives as long as the block: outside it the model can be copied and pickled as ever.
    """
    seen: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        seen.append(output)

    handle = model.last_features.register_forward_hook(keep)
    try:
        yield seen
    finally:
        handle.remove()


@dataclass(frozen=True)
class View:
    """What one forward pass gave.

    Attributes:
        logits: float32 (B, 1, H, W).
        features: (B, C, h, w), of the padded image.
        padded: height and width of the padded image.
    """

    logits: Tensor
    features: Tensor
    padded: tuple[int, int]


def look(model: CrackModel, image: Tensor) -> View:
    """One forward pass, with the features it went through.

    Args:
        model: with one output.
        image: (B, 3, H, W).

    Raises:
        SettingsError: the model's forward pass does not use its `last_features`.
    """
    with captured_features(model) as seen:
        logits: Tensor = model(image)
    if not seen:
        raise SettingsError(
            f"{type(model).__name__} does not run the module it names as its last features.",
            "Train it with another loss.",
        )
    height, width = image.shape[-2:]
    stride = model.stride_px
    return View(logits.float(), seen[-1], (height + -height % stride, width + -width % stride))


def features_at(features: Tensor, padded: tuple[int, int], rows: Tensor, columns: Tensor) -> Tensor:
    """Feature vectors (N, C) of pixels, bilinear where the feature map is coarser than the image.

    Args:
        features: (C, h, w).
        padded: height and width of the image that the features cover.
        rows, columns: int64 (N,).
    """
    height, width = padded
    grid = torch.stack([(2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1], dim=1)
    at = F.grid_sample(features[None].float(), grid[None, None], padding_mode="border", align_corners=False)
    return at[0, :, 0].T


@torch.no_grad()
def _feature_channels(model: CrackModel) -> tuple[int, torch.device]:
    """Channels of `last_features` and where the model is, from a pass that changes nothing in it."""
    device = next(model.parameters()).device
    side = max(64, model.stride_px)
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        return look(model, torch.zeros(1, 3, side, side, device=device)).features.shape[1], device
    finally:
        for module, training in modes:
            module.training = training


class CirlObjective(Objective):
    """CIRL around any network with one output.

    Phase I (`progress` < `switch_at`): a std head, the paper's "fully-connected layer on top of the
    backbone", predicts a log variance from the network's last features, and the Aseg loss trains both.
    Phase II: ambiguous pixels (marginal and of high variance) lose their labels and get the CI loss; all
    others get cross entropy. The head is this object's own: the network's weights never contain it.

    The paper's phase II has no loss for the head and does not say whether the variance map is kept or
    predicted anew. Here the head stands still and reads the features as they change; it gets no gradient, nor
    does it pass one on. Labels still say where the marginal region is, not what an ambiguous pixel in it is.

    Its ablations are options: phase I alone (table 4) `switch_at=1`; Kullback-Leibler (figure 2)
    `uncertainty="kl"`; marginal pixels left out of cross entropy (table 1) `switch_at=0, gamma=0, beta=0`.

    Source: seed 002, equations 1-16, sections 3.2, 3.3 and 4.1.
    departs: the batch's weight leaves pixels out of every term; the paper has none. The CI loss is averaged
    over the batch's images. Cross entropy is a mean; the paper does not say.

    Args:
        model: the network to train; asked for its number of features only, and not kept.
        lam: lambda of the Aseg loss, > 0.
        gamma: variance above which a marginal pixel is ambiguous, >= 0.
        beta: of the CI loss, >= 0.
        neighbours: K of the CI loss.
        switch_at: progress at which phase II begins, in [0, 1]; 1 never begins it.
        uncertainty: "aseg" or "kl".
        kernel_px: side of the dilation's square, odd.
        max_pairs: see `clustering_inspired`.

    Raises:
        SettingsError: the model has several classes, or a value is out of range.
    """

    def __init__(
        self,
        model: CrackModel,
        *,
        lam: float = 0.3,
        gamma: float = 0.4,
        beta: float = 0.2,
        neighbours: int = 20,
        switch_at: float = 0.5,
        uncertainty: Uncertainty = "aseg",
        kernel_px: int = 5,
        max_pairs: int = 2**21,
    ) -> None:
        super().__init__()
        if model.classes != 1:
            raise SettingsError(
                f"CIRL is about cracks and no cracks; this model has {model.classes} classes.",
                "Make the model with classes=1, or choose another loss.",
            )
        if lam <= 0 or gamma < 0 or beta < 0 or not 0 <= switch_at <= 1:
            raise SettingsError(
                f"CIRL cannot work with lam={lam}, gamma={gamma}, beta={beta}, switch_at={switch_at}.",
                "Give lam > 0, gamma >= 0, beta >= 0 and switch_at from 0 to 1.",
            )
        if neighbours < 1 or kernel_px < 1 or kernel_px % 2 == 0 or max_pairs < 1:
            raise SettingsError(
                f"CIRL cannot work with neighbours={neighbours}, kernel_px={kernel_px}, "
                f"max_pairs={max_pairs}.",
                "Give whole numbers from 1, and an odd kernel_px.",
            )
        if uncertainty not in ("aseg", "kl"):
            raise SettingsError(f"There is no uncertainty named {uncertainty!r}.", "Choose aseg or kl.")
        self.lam, self.gamma, self.beta = lam, gamma, beta
        self.neighbours, self.switch_at, self.uncertainty = neighbours, switch_at, uncertainty
        self.kernel_px, self.max_pairs = kernel_px, max_pairs
        channels, device = _feature_channels(model)
        self.std_head = nn.Conv2d(channels, 1, 1, device=device)

    def forward(self, model: CrackModel, batch: Batch, progress: float) -> Tensor:
        """See `Objective`."""
        view = look(model, batch.image)
        with torch.autocast(batch.image.device.type, enabled=False):
            if self.phase(progress) == 0:
                return self.first_phase(view, batch)
            with torch.no_grad():
                log_variance = self._log_variance(view)
                doubtful = ambiguous_region(batch.truth, log_variance, self.gamma, self.kernel_px)
            return self.second_phase(view, batch, doubtful & (batch.weight > 0))

    def phase(self, progress: float) -> int:
        """0 for phase I, 1 for phase II."""
        return int(progress >= self.switch_at != 1)

    def _log_variance(self, view: View) -> Tensor:
        """(B, 1, H, W). Head before upsampling: both are linear, and one channel is less to resize."""
        coarse: Tensor = self.std_head(view.features.float())
        height, width = view.logits.shape[-2:]
        if coarse.shape[-2:] != view.padded:
            coarse = F.interpolate(coarse, size=view.padded, mode="bilinear", align_corners=False)
        return coarse[..., :height, :width]

    def first_phase(self, view: View, batch: Batch) -> Tensor:
        """Equation 7 (or its Kullback-Leibler rival)."""
        log_variance = self._log_variance(view)
        if self.uncertainty == "kl":
            return gaussian_divergence(view.logits, log_variance, batch.truth, batch.weight)
        return ambiguity_aware(view.logits, log_variance, batch.truth, batch.weight, self.lam)

    def second_phase(self, view: View, batch: Batch, ambiguous: Tensor) -> Tensor:
        """Equation 16.

        Args:
            view: of the batch's images.
            batch: whose labels under `ambiguous` are not read.
            ambiguous: bool (B, 1, H, W).
        """
        loss = cross_entropy(view.logits, batch.truth, batch.weight * ~ambiguous)
        if self.beta == 0:
            return loss
        probability = torch.sigmoid(view.logits)
        features = view.features.detach()
        clustering = torch.zeros_like(loss)
        for number, region in enumerate(ambiguous[:, 0]):
            rows, columns = region.nonzero(as_tuple=True)
            if len(rows):
                clustering = clustering + clustering_inspired(
                    probability[number, 0, rows, columns],
                    features_at(features[number], view.padded, rows, columns),
                    self.neighbours,
                    self.max_pairs,
                )
        return loss + self.beta * clustering / len(ambiguous)

    @torch.no_grad()
    def variance_map(self, model: CrackModel, image: Tensor) -> Tensor:
        """Learned variance (B, 1, H, W) of images (B, 3, H, W), what figure 2 of the paper shows."""
        view = look(model, image)
        with torch.autocast(image.device.type, enabled=False):
            return self._log_variance(view).exp()
