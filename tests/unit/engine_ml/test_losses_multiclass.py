import math

import pytest
import torch

from engine.errors import SettingsError
from engine.losses import (
    bce_dice,
    count_class_pixels,
    cross_entropy,
    dice,
    inverse_frequency_weights,
    multiclass_cross_entropy_dice,
    multiclass_dice,
)


def row(*values):
    """Values side by side as (1, 1, 1, N)."""
    return torch.tensor(values, dtype=torch.float64).view(1, 1, 1, -1)


def logits_of(*pixels):
    """Logits (1, K, 1, N) whose softmax gives these probabilities, one tuple a pixel."""
    return torch.tensor(pixels, dtype=torch.float64).log().T.reshape(1, -1, 1, len(pixels))


def test_bce_dice_weighs_both_terms():
    logits, truth = row(0.0, math.log(3.0)), row(0.0, 1.0)  # probabilities 1/2 and 3/4
    bce = -(math.log(0.5) + math.log(0.75)) / 2
    overlap = 1 - (2 * 0.75 + 1) / (1.25 + 1 + 1)
    assert bce_dice(logits, truth).item() == pytest.approx(bce + overlap)
    assert bce_dice(logits, truth, alpha=0.5, beta=2.0).item() == pytest.approx(0.5 * bce + 2 * overlap)
    weight = row(1.0, 3.0)
    both = cross_entropy(logits, truth, weight) + dice(logits, truth, weight)
    assert bce_dice(logits, truth, weight).item() == pytest.approx(both.item())


def test_inverse_frequency_weights_by_hand():
    truth = row(0, 0, 0, 0, 0, 0, 1, 1)
    counts = count_class_pixels(truth, classes=3)
    assert counts.tolist() == [6, 2, 0]
    # N / (K n): 8 / 18, 8 / 6, and nothing for the class that is absent
    assert inverse_frequency_weights(counts).tolist() == pytest.approx([4 / 9, 4 / 3, 0])
    assert inverse_frequency_weights(torch.tensor([5.0, 5.0])).tolist() == [1, 1]
    assert inverse_frequency_weights(torch.zeros(2)).tolist() == [0, 0]
    weighted = count_class_pixels(truth, 3, row(0, 1, 1, 1, 1, 1, 2, 0.5))
    assert weighted.tolist() == [5, 2.5, 0]


def test_multiclass_values_by_hand():
    logits = logits_of((0.5, 0.25, 0.25), (0.25, 0.5, 0.25), (0.1, 0.2, 0.7))
    truth = row(0, 1, 1)
    dices = [
        1 - (2 * 0.5 + 1) / (0.85 + 1 + 1),
        1 - (2 * 0.7 + 1) / (0.95 + 2 + 1),
        1 - (0 + 1) / (1.2 + 0 + 1),
    ]
    assert multiclass_dice(logits, truth).item() == pytest.approx(sum(dices) / 3)
    # omega = 3 / (3 * 1), 3 / (3 * 2); divided by N = 3 pixels as in equation 24
    entropy = -(1 * math.log(0.5) + 0.5 * math.log(0.5) + 0.5 * math.log(0.2)) / 3
    assert multiclass_cross_entropy_dice(logits, truth, delta=0.0).item() == pytest.approx(entropy)
    loss = multiclass_cross_entropy_dice(logits, truth, gamma=2.0, delta=0.5)
    assert loss.item() == pytest.approx(2 * entropy + 0.5 * sum(dices) / 3)
    given = [1.0, 3.0, 9.0]
    by_given = -(math.log(0.5) + 3 * math.log(0.5) + 3 * math.log(0.2)) / 3
    loss = multiclass_cross_entropy_dice(logits, truth, class_weights=given, delta=0.0)
    assert loss.item() == pytest.approx(by_given)


def test_a_rare_class_weighs_as_much_as_a_common_one():
    truth = row(*([0] * 99), 1)
    wrong_rare = logits_of(*([(0.9, 0.1)] * 100))
    wrong_common = logits_of(*([(0.1, 0.9)] * 100))
    by_rare = multiclass_cross_entropy_dice(wrong_rare, truth, delta=0.0)
    by_common = multiclass_cross_entropy_dice(wrong_common, truth, delta=0.0)
    assert by_rare.item() == pytest.approx(by_common.item())


@pytest.mark.parametrize("loss", [multiclass_cross_entropy_dice, multiclass_dice])
def test_weight_zero_hides_a_pixel_whatever_its_class(loss):
    torch.manual_seed(0)
    logits = torch.randn(1, 3, 1, 4, dtype=torch.float64, requires_grad=True)
    value = loss(logits, row(0, 2, 1, 255), row(1, 0.5, 2, 0))
    short = loss(logits[..., :3], row(0, 2, 1), row(1, 0.5, 2))
    assert value.item() == pytest.approx(short.item())
    (gradient,) = torch.autograd.grad(value, logits)
    assert (gradient[..., 3] == 0).all() and (gradient[..., :3] != 0).all()


def test_bce_dice_hides_pixels_without_weight():
    logits = row(2.0, -1.0, 5.0).requires_grad_()
    value = bce_dice(logits, row(1, 0, 0), row(1, 1, 0))
    assert value.item() == pytest.approx(bce_dice(logits[..., :2], row(1, 0)).item())
    (gradient,) = torch.autograd.grad(value, logits)
    assert gradient[..., 2] == 0


def test_gradients_are_those_of_the_values():
    torch.manual_seed(1)
    truth = torch.randint(0, 3, (2, 1, 2, 3)).double()
    weight = torch.rand(2, 1, 2, 3, dtype=torch.float64)
    logits = torch.randn(2, 3, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: multiclass_cross_entropy_dice(x, truth, weight), logits)
    binary = torch.randn(2, 1, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: bce_dice(x, (truth > 0).double(), weight, 0.3, 0.7), binary)


def test_perfect_prediction_costs_nothing_and_no_weight_is_finite():
    truth = torch.randint(0, 4, (2, 1, 8, 8)).float()
    perfect = torch.nn.functional.one_hot(truth[:, 0].long(), 4).movedim(-1, 1) * 60.0
    assert multiclass_cross_entropy_dice(perfect, truth).item() < 1e-3
    nothing = multiclass_cross_entropy_dice(torch.randn(2, 4, 8, 8), truth, torch.zeros_like(truth))
    assert nothing.item() == 0


def test_wrong_class_numbers_and_single_outputs_are_refused():
    for truth in (row(0, 3), row(-1, 0)):
        with pytest.raises(SettingsError, match="class numbers"):
            multiclass_cross_entropy_dice(torch.zeros(1, 3, 1, 2), truth)
    with pytest.raises(SettingsError, match="two classes"):
        multiclass_cross_entropy_dice(torch.zeros(1, 1, 1, 2), row(0, 0))
    with pytest.raises(SettingsError, match="class weights"):
        multiclass_cross_entropy_dice(torch.zeros(1, 3, 1, 2), row(0, 0), class_weights=[1.0, 2.0])
