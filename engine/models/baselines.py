"""The networks that papers compare with, from public libraries, behind this house's contract."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from engine.errors import CheckpointError, MissingLibraryError, SettingsError
from engine.models.base import CrackModel

SMP_CLASSES = {
    "smp_unet": "Unet",
    "smp_unetplusplus": "UnetPlusPlus",
    "smp_fpn": "FPN",
    "smp_pspnet": "PSPNet",
    "smp_pan": "PAN",
    "smp_manet": "MAnet",
    "smp_linknet": "Linknet",
    "smp_deeplabv3": "DeepLabV3",
    "smp_deeplabv3plus": "DeepLabV3Plus",
    "smp_upernet": "UPerNet",
    "smp_segformer": "Segformer",
}


class Peer(CrackModel):
    """A network of segmentation-models-pytorch or torchvision, as its library builds it.

    Both libraries are of the optional extra `benchmark`; they are loaded when a peer is made.
    departs: with one class the last bias starts at -2, as in our own networks (cracks are rare): a comparison
    after few training steps must not measure who started nearer to "no crack".

    Args:
        peer: "smp_unet" ... "smp_segformer" (see `SMP_CLASSES`), or "tv_fcn".
        encoder: name of the encoder in the library, as "resnet34", "mit_b0", "tu-convnext_tiny"; for
            "tv_fcn" "resnet50" or "resnet101".
        encoder_weights: file (.pth, .pt or .safetensors) with the state dict of the encoder, as torchvision
            publishes ResNets; None starts from random numbers. Nothing is ever downloaded.
            It is not kept in `options`: a checkpoint holds the weights themselves.
        classes: K.

    Raises:
        MissingLibraryError: the library is not installed.
        SettingsError: the library has no such encoder, or not for this network.
        CheckpointError: `encoder_weights` is missing, damaged or of another encoder.
    """

    network: Any

    def __init__(
        self,
        peer: str,
        encoder: str = "resnet34",
        encoder_weights: str | Path | None = None,
        classes: int = 1,
    ) -> None:
        super().__init__(classes, encoder=encoder)
        build = _build_fcn if peer == "tv_fcn" else partial(_build_smp, SMP_CLASSES[peer])
        self.network = build(encoder, classes)
        if encoder_weights is not None:
            _load_encoder(self._encoder, Path(encoder_weights), encoder)
        if peer == "smp_pspnet":
            _drop_unused_stages(self._encoder)
        # the pyramid of PAN halves the encoder's map three times; all others pool to fixed sizes
        self.stride_px = 8 if peer == "tv_fcn" else int(self._encoder.output_stride)
        self.least_px = 8 * self.stride_px if peer == "smp_pan" else 1
        if classes == 1:
            nn.init.constant_(self._classifier.bias, -2.0)

    @property
    def _encoder(self) -> Any:
        return self.network.backbone if hasattr(self.network, "backbone") else self.network.encoder

    @property
    def _classifier(self) -> Any:
        if hasattr(self.network, "backbone"):
            return self.network.classifier[-1]
        return self.network.segmentation_head[0]

    @property
    def last_features(self) -> nn.Module:
        """The decoder: (B, C, H / n, W / n), n from 1 (U-Net) to 8 (PSPNet, DeepLabV3, FCN)."""
        if hasattr(self.network, "backbone"):
            features: nn.Module = self.network.classifier[-2]
        else:
            features = self.network.decoder
        return features

    def forward_padded(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) with sides divisible by `stride_px` -> (B, K, H, W)."""
        output = self.network(image)
        logits: Tensor = output["out"] if isinstance(output, Mapping) else output
        return logits


# name -> what makes it; a plain part of `engine.models.MODELS`
PEERS: dict[str, partial[Peer]] = {name: partial(Peer, name) for name in SMP_CLASSES}
PEERS["smp_segformer"] = partial(Peer, "smp_segformer", encoder="mit_b0")
PEERS["tv_fcn"] = partial(Peer, "tv_fcn", encoder="resnet50")


def _library(name: str) -> ModuleType:
    try:
        if name == "torchvision":
            import torchvision

            library: ModuleType = torchvision
        else:
            import segmentation_models_pytorch

            library = segmentation_models_pytorch
    except ImportError as error:
        raise MissingLibraryError(
            f"This network needs {name}, which cannot be loaded: {error}.",
            "Install it: pip install 'pavescope[benchmark]'.",
        ) from error
    return library


def _build_smp(class_name: str, encoder: str, classes: int) -> nn.Module:
    library = _library("segmentation-models-pytorch")
    try:
        network: nn.Module = getattr(library, class_name)(
            encoder_name=encoder, encoder_weights=None, classes=classes
        )
    except (KeyError, ValueError, RuntimeError, NotImplementedError, AttributeError) as error:
        # the libraries raise any of these for an unknown encoder, and for one without dilation
        raise SettingsError(
            f"{class_name} cannot be built around encoder {encoder!r}.",
            "Choose another, as resnet34; the documentation of segmentation-models-pytorch lists them.",
        ) from error
    return network


def _build_fcn(encoder: str, classes: int) -> nn.Module:
    if encoder not in ("resnet50", "resnet101"):
        raise SettingsError(f"torchvision's FCN has no encoder {encoder!r}.", "Choose resnet50 or resnet101.")
    models = _library("torchvision").models
    network: nn.Module = models.get_model(
        f"fcn_{encoder}", weights=None, weights_backbone=None, num_classes=classes, aux_loss=False
    )
    return network


def _drop_unused_stages(encoder: Any) -> None:
    """PSPNet reads three stages of the encoder; the deeper ones would be counted and stored for nothing."""
    stages: dict[int, list[nn.Module]] = getattr(
        encoder, "get_stages", dict
    )()  # timm's encoders leave them out by themselves
    unused = [
        module
        for stride_px, modules in stages.items()
        if stride_px > encoder.output_stride
        for module in modules
    ]
    for name, child in list(encoder.named_children()):
        if any(child is module for module in unused):
            setattr(encoder, name, nn.Identity())


def _load_encoder(encoder: nn.Module, path: Path, name: str) -> None:
    """Fill an encoder from a file that has all its weights; the file may have a classifier besides."""
    have = _read_weights(path)
    want = encoder.state_dict()
    for key, tensor in want.items():
        counter = key.endswith("num_batches_tracked")  # older files have none
        if (key not in have and not counter) or (key in have and have[key].shape != tensor.shape):
            raise CheckpointError(
                f"{path} does not fit encoder {name}: {key} is missing or of another shape.",
                "Give the weights of that encoder, or leave encoder_weights out.",
            )
    encoder.load_state_dict({key: have.get(key, tensor) for key, tensor in want.items()})


def _read_weights(path: Path) -> dict[str, Tensor]:
    from pickle import UnpicklingError

    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise CheckpointError(
            f"There is no file {path} with encoder weights.",
            "Name a .pth or .safetensors file; nothing is downloaded.",
        )
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, UnpicklingError, SafetensorError) as error:
        raise CheckpointError(f"{path} cannot be read as weights: {error}.", "Fetch it again.") from error
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise CheckpointError(f"{path} holds no plain weights.", "Give a file with a state dict.")
    return weights
