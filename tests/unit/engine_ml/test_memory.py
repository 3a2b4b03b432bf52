"""Too little memory: smaller tiles with the same answer, or a plain error."""

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.errors import EngineError
from engine.inference import InferenceSettings, predict_probability_map
from engine.models.attention_resunet import AttentionResUNet
from engine.scale import sample_middle

SETTINGS = InferenceSettings(tile_px=256, overlap_px=32, device="cpu", bf16=False)


class Hungry(AttentionResUNet):
    """Takes tiles up to a side; more is more than this machine has."""

    largest_px = 128
    calls = 0

    def forward(self, image: Tensor) -> Tensor:
        self.calls += 1
        if image.shape[-1] > self.largest_px:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        return super().forward(image)


def photo() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 255, (300, 400, 3), dtype=np.uint8)


def test_tiles_are_halved_until_they_fit() -> None:
    torch.manual_seed(0)
    model = Hungry().eval()
    found = predict_probability_map(model, photo(), SETTINGS)
    assert found.shape == (300, 400)
    assert np.isfinite(found).all()
    assert model.calls > 4


def test_not_even_the_smallest_tile_is_a_plain_error() -> None:
    model = Hungry()
    model.largest_px = 1
    with pytest.raises(EngineError, match="memory of the CPU does not hold"):
        predict_probability_map(model, photo(), SETTINGS)


def test_other_faults_are_not_taken_for_it() -> None:
    class Broken(AttentionResUNet):
        def forward(self, image: Tensor) -> Tensor:
            raise RuntimeError("shape mismatch")

    with pytest.raises(RuntimeError, match="shape mismatch"):
        predict_probability_map(Broken(), photo(), SETTINGS)


def test_a_large_photo_gives_its_middle_to_the_sample_and_a_small_one_all() -> None:
    large = np.zeros((4912, 7360, 3), np.uint8)
    large[2456, 3680] = 255
    middle = sample_middle(large)
    assert middle.shape == (1600, 1600, 3)
    assert middle[800, 800].tolist() == [255, 255, 255]
    assert middle.base is None, "a view would keep the whole photo in memory"
    assert np.array_equal(sample_middle(photo()), photo())
