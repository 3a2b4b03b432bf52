"""Outlines and their supervision."""

import pytest
import torch

from engine.errors import SettingsError
from engine.losses import cross_entropy_and_dice
from engine.losses.refinement import RefinementObjective, outline
from engine.models import create_model
from engine.objectives import Batch


def batch() -> Batch:
    truth = torch.zeros(2, 1, 32, 32)
    truth[:, :, 10:16, 4:28] = 1
    return Batch(torch.rand(2, 3, 32, 32), truth, torch.ones_like(truth))


def test_the_outline_is_one_pixel_on_either_side_of_the_edge():
    truth = torch.zeros(1, 1, 9, 9)
    truth[..., 2:7, 2:7] = 1
    expected = torch.zeros(9, 9)
    expected[1:8, 1:8] = 1
    expected[3:6, 3:6] = 0
    assert torch.equal(outline(truth)[0, 0], expected)


def test_the_border_of_the_image_is_no_outline():
    assert not outline(torch.ones(1, 1, 5, 5)).any()


def test_every_pass_and_both_streams_count():
    torch.manual_seed(0)
    model, crops = create_model("jtfn", small=True).eval(), batch()
    passes = model.streams(crops.image)
    cracks = [cross_entropy_and_dice(p.crack, crops.truth, crops.weight) for p in passes]
    edges = [cross_entropy_and_dice(p.boundary, outline(crops.truth), crops.weight) for p in passes]
    found = RefinementObjective(model, 0.5)(model, crops, 0.0)
    torch.testing.assert_close(found, torch.stack(cracks).mean() + 0.5 * torch.stack(edges).mean())


def test_other_networks_are_refused():
    for model in (create_model("attention_resunet"), create_model("jtfn", small=True, classes=2)):
        with pytest.raises(SettingsError, match="refinement"):
            RefinementObjective(model)
