"""Residual encoders, with the parameter names that torchvision's ImageNet weights use.

Source: He et al., "Deep residual learning for image recognition", CVPR 2016, table 1; the stride of a
bottleneck sits in its 3x3 convolution, as in the weights that are shared today.
"""

import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from engine.errors import CheckpointError, SettingsError


class Residual(nn.Module):
    """x -> relu(path(x) + shortcut(x)); subclasses add the layers of the path and name their growth.

    Attributes:
        expansion: output channels over `channels`.
    """

    expansion: int

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        out_channels = channels * self.expansion
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
            )

    def join(self, x: Tensor, path: Tensor) -> Tensor:
        """Add the shortcut of x to what the path made of it."""
        shortcut = x if self.downsample is None else self.downsample(x)
        joined: Tensor = self.relu(path + shortcut)
        return joined


class BasicBlock(Residual):
    """Two 3x3 convolutions."""

    expansion = 1

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__(in_channels, channels, stride)
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, channels, H / stride, W / stride)."""
        path = self.relu(self.bn1(self.conv1(x)))
        return self.join(x, self.bn2(self.conv2(path)))


class Bottleneck(Residual):
    """1x1, 3x3 and 1x1 convolutions; the last widens four times."""

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__(in_channels, channels, stride)
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, 4 * channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, 4 channels, H / stride, W / stride)."""
        path = self.relu(self.bn1(self.conv1(x)))
        path = self.relu(self.bn2(self.conv2(path)))
        return self.join(x, self.bn3(self.conv3(path)))


ENCODERS: dict[str, tuple[type[BasicBlock] | type[Bottleneck], tuple[int, ...]]] = {
    "resnet18": (BasicBlock, (2, 2, 2, 2)),
    "resnet50": (Bottleneck, (3, 4, 6, 3)),
}


class ResNetEncoder(nn.Module):
    """The trunk of a ResNet: five feature maps, without pooling and classifier at the end.

    Args:
        name: a key of `ENCODERS`.
        stem_channels: channels of the first feature map, 64 in the publication; fewer make a thin encoder.

    Attributes:
        channels: channels of the five maps, finest first.

    Raises:
        SettingsError: an unknown name, or fewer than one channel.
    """

    def __init__(self, name: str = "resnet50", stem_channels: int = 64) -> None:
        super().__init__()
        if name not in ENCODERS:
            raise SettingsError(f"There is no encoder {name!r}.", f"Choose one of: {', '.join(ENCODERS)}.")
        if stem_channels < 1:
            raise SettingsError(f"An encoder cannot have {stem_channels} channels.", "Give 1 or more.")
        block, depths = ENCODERS[name]
        self.name = name
        self.conv1 = nn.Conv2d(3, stem_channels, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(stem_channels)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        channels = [stem_channels]
        for level, depth in enumerate(depths):
            width = stem_channels * 2**level
            blocks = [block(channels[-1], width, 1 if level == 0 else 2)]
            blocks += [block(width * block.expansion, width, 1) for _ in range(depth - 1)]
            self.add_module(f"layer{level + 1}", nn.Sequential(*blocks))
            channels.append(width * block.expansion)
        self.channels = tuple(channels)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W), sides divisible by 32 -> maps (B, channels[i], H / 2^(i+1), W / 2^(i+1))."""
        maps = [self.relu(self.bn1(self.conv1(image)))]
        x = self.maxpool(maps[0])
        for level in range(1, len(self.channels)):
            x = self.get_submodule(f"layer{level}")(x)
            maps.append(x)
        return maps

    def load_weights(self, path: Path) -> None:
        """Take the weights of a classifier's file; its last layer ("fc") is left aside.

        Args:
            path: a state_dict of torchvision's resnet of the same name, as .pth or .pt (read without running
                any code in it) or .safetensors.

        Raises:
            CheckpointError: a file that is missing, damaged, of another network, or not finite.
        """
        remedy = f"Give the ImageNet weights of torchvision's {self.name}, or none."
        given = _read_state(path, remedy)
        expected = self.state_dict()
        for name in list(expected):
            # files of 2018 and before do not count batches
            if name.endswith("num_batches_tracked") and name not in given:
                given[name] = expected[name]
        for name in sorted(expected.keys() | {n for n in given if not n.startswith("fc.")}):
            want = tuple(expected[name].shape) if name in expected else None
            have = tuple(given[name].shape) if name in given else None
            if want != have:
                raise CheckpointError(
                    f"{path}: weights {name} have shape {have}, encoder {self.name} needs {want}.", remedy
                )
            if not bool(torch.isfinite(given[name]).all()):
                raise CheckpointError(f"{path}: weights {name} are not finite.", remedy)
        self.load_state_dict({name: given[name] for name in expected})


def _read_state(path: Path, remedy: str) -> dict[str, Tensor]:
    """Tensors by name from a file that may hold nothing else."""
    try:
        if path.suffix == ".safetensors":
            state: object = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} does not exist.", remedy) from error
    # torch reports damaged files through several unrelated errors
    except (OSError, SafetensorError, RuntimeError, pickle.UnpicklingError, EOFError, ValueError) as error:
        # torch's own text advises to let the file run code
        raise CheckpointError(
            f"{path} is damaged, or holds more than weights ({type(error).__name__}).", remedy
        ) from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise CheckpointError(f"{path} holds no plain state_dict.", remedy)
    return state
