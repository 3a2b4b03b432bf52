import math

import pytest
import torch

from engine.losses import cross_entropy, cross_entropy_and_dice, dice


def test_values_by_hand():
    logits = torch.tensor([0.0, math.log(3.0)]).view(1, 1, 1, 2)  # probabilities 1/2 and 3/4
    truth = torch.tensor([0.0, 1.0]).view(1, 1, 1, 2)
    assert cross_entropy(logits, truth).item() == pytest.approx(-(math.log(0.5) + math.log(0.75)) / 2)
    assert dice(logits, truth, smooth=0.0).item() == pytest.approx(1 - 2 * 0.75 / (1.25 + 1))
    both = cross_entropy(logits, truth) + dice(logits, truth)
    assert cross_entropy_and_dice(logits, truth).item() == pytest.approx(both.item())


def test_weight_zero_hides_a_pixel_from_value_and_gradient():
    logits = torch.tensor([2.0, -1.0, 5.0]).view(1, 1, 1, 3).requires_grad_()
    truth = torch.tensor([1.0, 0.0, 0.0]).view(1, 1, 1, 3)
    weight = torch.tensor([1.0, 1.0, 0.0]).view(1, 1, 1, 3)
    loss = cross_entropy_and_dice(logits, truth, weight)
    short = cross_entropy_and_dice(logits[..., :2], truth[..., :2])
    assert loss.item() == pytest.approx(short.item())
    (gradient,) = torch.autograd.grad(loss, logits)
    assert gradient[0, 0, 0, 2] == 0 and (gradient[..., :2] != 0).all()


def test_perfect_prediction_costs_nothing_and_no_crack_is_finite():
    truth = (torch.rand(2, 1, 8, 8) > 0.7).float()
    assert cross_entropy_and_dice((truth - 0.5) * 60, truth).item() < 1e-3
    assert torch.isfinite(dice(torch.full((1, 1, 4, 4), -30.0), torch.zeros(1, 1, 4, 4)))
    assert cross_entropy(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)) == 0
