import math

import pytest
import torch

from engine.losses.basic import cross_entropy, dice
from engine.losses.connectivity import cross_entropy_dice_cldice, soft_cldice, soft_skeleton


def _line(width: int = 3, length: int = 24) -> torch.Tensor:
    """A horizontal bar from side to side of a picture."""
    picture = torch.zeros(1, 1, 16, length)
    picture[..., 7 : 7 + width, :] = 1
    return picture


def _logits(mask: torch.Tensor) -> torch.Tensor:
    return (mask - 0.5) * 40


def test_the_skeleton_of_a_bar_is_its_centre_line():
    skeleton = soft_skeleton(_line(width=5), iterations=4)
    expected = torch.zeros(1, 1, 16, 24)
    expected[..., 9, :] = 1
    torch.testing.assert_close(skeleton, expected)
    thin = _line(width=1)
    torch.testing.assert_close(soft_skeleton(thin, iterations=3), thin)


def test_too_few_iterations_leave_no_skeleton():
    assert soft_skeleton(_line(width=7), iterations=2).sum() == 0
    assert soft_skeleton(_line(width=7), iterations=3).sum() == 24


def test_value_by_hand():
    # a truth of one row of 4; two of them predicted at 1/2, the others surely not
    truth = torch.ones(1, 1, 1, 4)
    logits = torch.tensor([0.0, 0.0, -60.0, -60.0]).view(1, 1, 1, 4)
    # erosion keeps 1/2 at the first pixel only, and dilation returns it to both: the opening is the
    # picture itself and its residue nothing; eroded once, the first pixel stands out with 1/2
    predicted_line = 0.5
    precision, recall = predicted_line / predicted_line, 1.0 / 4
    # the truth is a plate to its borders: no residue ever, hence a skeleton only where it is given room
    assert soft_skeleton(truth, 3).sum() == 0
    room = torch.zeros(1, 1, 3, 4)
    room[..., 1, :] = truth[..., 0, :]
    wide = torch.full((1, 1, 3, 4), -60.0)
    wide[..., 1, :] = logits[..., 0, :]
    expected = 1 - 2 * precision * recall / (precision + recall)
    assert soft_cldice(wide, room, smooth=0.0).item() == pytest.approx(expected, abs=1e-6)


def test_a_gap_costs_more_than_as_many_pixels_at_the_edge():
    truth = _line()
    gap, edge = truth.clone(), truth.clone()
    gap[..., 11:13] = 0  # two columns of three pixels
    edge[..., 7, 9:15] = 0  # six pixels of the upper row
    assert (truth - gap).sum() == (truth - edge).sum() == 6
    assert dice(_logits(gap), truth) == pytest.approx(dice(_logits(edge), truth).item())
    assert soft_cldice(_logits(edge), truth) < 0.5 * soft_cldice(_logits(gap), truth)
    assert cross_entropy_dice_cldice(_logits(gap), truth) > cross_entropy_dice_cldice(_logits(edge), truth)


def test_a_false_branch_costs_more_than_as_many_pixels_at_the_edge():
    truth = _line()
    branch, edge = truth.clone(), truth.clone()
    branch[..., 1:6, 12] = 1
    edge[..., 10, 4:9] = 1
    assert soft_cldice(_logits(edge), truth) < soft_cldice(_logits(branch), truth)


def test_perfect_empty_and_wrong():
    truth = _line()
    assert soft_cldice(_logits(truth), truth).item() == pytest.approx(0, abs=1e-6)
    assert soft_cldice(_logits(1 - truth), truth) > 0.8
    nothing = torch.zeros_like(truth)
    assert soft_cldice(_logits(nothing), nothing).item() == pytest.approx(0, abs=1e-6)


def test_weight_zero_hides_a_pixel_from_value_and_gradient():
    torch.manual_seed(0)
    truth, weight = _line(), torch.ones(1, 1, 16, 24)
    weight[..., 10:14] = 0
    a = torch.randn(1, 1, 16, 24)
    b = torch.where(weight > 0, a, -3 * a)
    assert soft_cldice(a, truth, weight) == soft_cldice(b, truth, weight)
    assert soft_cldice(a, truth) != soft_cldice(b, truth)
    a.requires_grad_()
    (gradient,) = torch.autograd.grad(soft_cldice(a, truth, weight), a)
    assert (gradient[weight == 0] == 0).all() and gradient.abs().sum() > 0


def test_gradients_are_right_and_join_a_gap():
    torch.manual_seed(0)
    logits = torch.randn(2, 1, 7, 8, dtype=torch.double, requires_grad=True)
    truth = torch.zeros(2, 1, 7, 8, dtype=torch.double)
    truth[..., 3:5, :] = 1
    weight = torch.rand(2, 1, 7, 8, dtype=torch.double) + 0.1
    assert torch.autograd.gradcheck(lambda z: soft_cldice(z, truth, weight, iterations=3), logits)
    assert torch.autograd.gradcheck(lambda z: cross_entropy_dice_cldice(z, truth, weight), logits)
    broken = (_line() - 0.5) * 4
    broken[..., 11:13] = -2
    broken.requires_grad_()
    (gradient,) = torch.autograd.grad(soft_cldice(broken, _line()), broken)
    assert (gradient[..., 8, 11:13] < 0).all()  # a step down the gradient raises the gap's centre


def test_the_sum_is_of_its_parts():
    torch.manual_seed(0)
    logits, truth = torch.randn(1, 1, 16, 24), _line()
    parts = cross_entropy(logits, truth) + 0.7 * dice(logits, truth) + 0.3 * soft_cldice(logits, truth)
    assert math.isclose(
        cross_entropy_dice_cldice(logits, truth, share=0.3).item(), parts.item(), rel_tol=1e-5
    )
