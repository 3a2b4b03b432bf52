"""Parameters, operations and time, against numbers worked out by hand."""

import sys

import pytest
import torch
from torch import nn

from engine.complexity import count_gflops, measure_complexity
from engine.errors import MissingLibraryError, SettingsError
from engine.models import SEEDS, CrackModel, create_model, describe_models, list_models


class TwoLayers(CrackModel):
    """A 3x3 convolution from 3 to 4 channels, then 1x1 to one; sides are padded to multiples of 8."""

    stride_px = 8

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.last = nn.Conv2d(4, 1, 1)

    @property
    def last_features(self) -> nn.Module:
        return self.norm

    def forward_padded(self, image: torch.Tensor) -> torch.Tensor:
        return self.last(torch.relu(self.norm(self.first(image))))


def by_hand(side_px: int) -> float:
    return 2 * side_px**2 * (9 * 3 * 4 + 4 * 1) / 1e9


@pytest.mark.parametrize(("side_px", "padded_px"), [(448, 448), (16, 16), (13, 16)])
def test_a_multiply_add_is_two_operations_and_padding_is_work(side_px, padded_px):
    assert count_gflops(TwoLayers(), side_px) == pytest.approx(by_hand(padded_px), rel=1e-9)


def test_counting_computes_nothing_and_changes_no_weight():
    model = TwoLayers()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    count_gflops(model, 20_000)  # computed, this would need 10 GB
    after = model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(tensor.device.type == "cpu" for tensor in after.values())


def test_measuring_counts_and_times():
    small = measure_complexity(TwoLayers(), 32, runs=3)
    large = measure_complexity(TwoLayers(), 448, runs=3)
    assert small.parameters_m == (3 * 9 * 4 + 4 + 2 * 4 + 4 + 1) / 1e6
    assert large.gflops_448 == pytest.approx(by_hand(448))
    assert 0 < small.ms_448 < large.ms_448
    assert large.device == "cpu"


@pytest.mark.parametrize("wrong", [{"runs": 0}, {"size_px": 0}])
def test_nothing_to_time_is_refused(wrong):
    with pytest.raises(SettingsError):
        measure_complexity(TwoLayers(), **wrong)


# Seed 001, table 7: parameters (M) and GFLOPs of peers that it built around a ResNet-50.
PUBLISHED = {
    "smp_deeplabv3": (39.63, 251.28),
    "smp_deeplabv3plus": (26.68, 56.42),
    "smp_fpn": (26.12, 48.08),
    "smp_manet": (147.44, 114.48),
    "smp_pan": (24.26, 53.46),
    "smp_unet": (32.52, 65.60),
    "smp_unetplusplus": (48.99, 352.68),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_peers_are_those_of_seed_001_s_table_7(name):
    parameters_m, gflops = PUBLISHED[name]
    with torch.device("meta"):
        model = create_model(name, encoder="resnet50")
    assert model.parameter_count / 1e6 == pytest.approx(parameters_m, abs=0.006)
    assert count_gflops(model) == pytest.approx(gflops, rel=0.01)  # the paper counts element-wise work too


def test_the_list_tells_what_there_is_to_choose_from():
    described = {model["name"]: model for model in describe_models()}
    assert list(described) == list_models()
    assert all(
        list(model) == ["name", "seed", "parameters_m", "gflops_448", "options"]
        for model in described.values()
    )
    assert {name: model["seed"] for name, model in described.items() if model["seed"] != "peer"} == SEEDS
    default = described["attention_resunet"]
    assert default["options"] == {"filters": (16, 32, 64, 128), "in_channels": 3, "classes": 1}
    assert default["parameters_m"] == create_model("attention_resunet").parameter_count / 1e6
    assert described["smp_segformer"]["options"]["encoder"] == "mit_b0"
    assert all(0 < model["parameters_m"] < 200 for model in described.values())
    assert all(1 < model["gflops_448"] < 1000 for model in described.values())


def test_without_the_libraries_the_list_still_tells_of_our_own(monkeypatch):
    for library in ("segmentation_models_pytorch", "torchvision"):
        monkeypatch.setitem(sys.modules, library, None)
    described = {model["name"]: model for model in describe_models()}
    assert described["smp_unet"]["parameters_m"] is None and described["tv_fcn"]["gflops_448"] is None
    assert described["attention_resunet"]["gflops_448"] > 1
    with pytest.raises(MissingLibraryError, match=r"pip install 'pavescope\[benchmark\]'"):
        create_model("smp_unet")
