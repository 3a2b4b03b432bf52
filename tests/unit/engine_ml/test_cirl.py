import copy
import math
import pickle
from typing import ClassVar

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.cirl import CirlObjective, captured_features, features_at, look
from engine.errors import SettingsError
from engine.losses.basic import cross_entropy
from engine.losses.cirl import (
    ambiguity_aware,
    ambiguous_region,
    clustering_inspired,
    gaussian_divergence,
    marginal_region,
    nearest_features,
    neighbour_bound,
)
from engine.models import CrackModel, create_model
from engine.objectives import Batch


def _row(*values: float) -> Tensor:
    return torch.tensor(values).view(1, 1, 1, -1)


class TestRegions:
    @pytest.mark.parametrize("kernel_px", [3, 5, 7])
    def test_marginal_region_is_opencv_s_dilation_less_the_crack(self, kernel_px):
        mask = (np.random.default_rng(3).random((40, 33)) > 0.97).astype(np.uint8)
        expected = cv2.dilate(mask, np.ones((kernel_px, kernel_px), np.uint8)) - mask
        got = marginal_region(torch.from_numpy(mask).float()[None, None], kernel_px)
        assert got.dtype == torch.bool
        np.testing.assert_array_equal(got[0, 0].numpy(), expected.astype(bool))

    def test_ambiguous_pixels_are_marginal_and_unsure(self):
        truth = _row(0, 0, 0, 0, 1, 0, 0, 0)
        variance = _row(0.9, 0.9, 0.39, 0.41, 0.9, 0.1, 0.9, 0.9)
        # marginal: 2, 3, 5, 6; above 0.4 among them: 3, 6
        assert ambiguous_region(truth, variance.log()).flatten().nonzero().flatten().tolist() == [3, 6]

    def test_gamma_0_takes_the_whole_margin_even_of_a_variance_that_rounds_to_0(self):
        truth = _row(0, 0, 1, 0, 0, 0)
        all_sure = torch.full_like(truth, -2000.0)
        torch.testing.assert_close(ambiguous_region(truth, all_sure, gamma=0), marginal_region(truth))


class TestVarianceLosses:
    def test_values_by_hand(self):
        logits, truth = _row(0.0, math.log(3.0)), _row(1.0, 1.0)  # errors 1/4 and 1/16
        log_variance = _row(math.log(0.5), math.log(2.0))
        expected = ((0.25 + 0.5) / (0.3 + 0.5) + (0.0625 + 2) / (0.3 + 2)) / 2
        assert ambiguity_aware(logits, log_variance, truth).item() == pytest.approx(expected)
        divergence = ((0.25 / 0.5 + math.log(0.5)) / 2 + (0.0625 / 2 + math.log(2)) / 2) / 2
        assert gaussian_divergence(logits, log_variance, truth).item() == pytest.approx(divergence)

    def test_the_variance_grows_where_the_squared_error_exceeds_lambda_only(self):
        log_variance = torch.zeros(1, 1, 1, 2, requires_grad=True)
        # errors 0.5^2 < 0.3 and 0.6^2 > 0.3
        logits = torch.logit(_row(0.5, 0.4))
        ambiguity_aware(logits, log_variance, _row(1.0, 1.0)).backward()
        assert log_variance.grad[..., 0] > 0 > log_variance.grad[..., 1]

    @pytest.mark.parametrize("lam", [0.3, 0.1])
    @pytest.mark.parametrize("share", [0.02, 0.3, 0.5])
    def test_at_the_paper_s_lambda_labels_that_are_noise_are_given_no_variance(self, share, lam):
        # pixels that look alike, `share` of them labelled crack, predicted with just that probability: their
        # expected squared error, share (1 - share), is 1/4 at most
        logits = torch.full((1, 1, 1, 2), share).logit()
        for variance in (0.01, 0.4, 5.0):
            log_variance = torch.tensor(variance).log().requires_grad_()
            weight = _row(1 - share, share)
            loss = ambiguity_aware(logits, log_variance.expand(1, 1, 1, 2), _row(0.0, 1.0), weight, lam)
            (gradient,) = torch.autograd.grad(loss, log_variance)
            assert (gradient > 0) == (share * (1 - share) < lam)

    def test_any_log_variance_gives_a_finite_value_and_gradient(self):
        log_variance = _row(-500.0, 500.0, 90.0).requires_grad_()
        logits = _row(-3.0, -3.0, 3.0).requires_grad_()
        loss = ambiguity_aware(logits, log_variance, _row(1.0, 1.0, 0.0))
        loss.backward()
        assert torch.isfinite(loss) and torch.isfinite(log_variance.grad).all()
        assert torch.isfinite(logits.grad).all()

    @pytest.mark.parametrize("loss", [ambiguity_aware, gaussian_divergence])
    def test_gradients_and_weights(self, loss):
        torch.manual_seed(0)
        logits, log_variance = torch.randn(2, 2, 1, 4, 5, dtype=torch.double, requires_grad=True)
        truth = (torch.rand(2, 1, 4, 5, dtype=torch.double) > 0.5).double()
        weight = torch.rand(2, 1, 4, 5, dtype=torch.double) + 0.2
        weight[:, :, 2] = 0
        inputs = [x.detach().requires_grad_() for x in (logits, log_variance)]
        assert torch.autograd.gradcheck(lambda a, b: loss(a, b, truth, weight), inputs)
        for gradient in torch.autograd.grad(loss(*inputs, truth, weight), inputs):
            assert (gradient[:, :, 2] == 0).all() and gradient[:, :, 1].abs().sum() > 0
        kept = [x.detach()[:, :, [0, 1, 3]] for x in (*inputs, truth)]
        ones = torch.ones_like(kept[0])
        same = loss(*inputs, truth, (weight > 0).double())
        assert same.item() == pytest.approx(loss(*kept, ones).item())


def _equation_12(predictions: Tensor, anchor: int, near: list[int]) -> float:
    """-log P(C | F) / P(O | F), term by term from equations 9 to 12."""
    products = [float(predictions[anchor] @ q) for q in predictions]
    total = sum(math.exp(x) for x in products)
    log_of = [x - math.log(total) for x in products]
    far = [n for n in range(len(predictions)) if n not in near and n != anchor]
    return -sum(log_of[n] for n in near) + sum(log_of[n] for n in far)


def _equation_14_second_line(predictions: Tensor, anchor: int, near: list[int]) -> float:
    """The bound that Jensen's inequality alone gives, with the mean over the whole set."""
    products = [float(predictions[anchor] @ q) for q in predictions]
    far = [n for n in range(len(predictions)) if n not in near and n != anchor]
    mean = sum(products) / len(products) + math.log(len(products))
    return -sum(products[n] for n in near) + sum(products[n] for n in far) + (len(near) - len(far)) * mean


def _binary(probability: Tensor) -> Tensor:
    return torch.stack([probability, 1 - probability], dim=1)


class TestClustering:
    def test_neighbours_are_those_of_highest_cosine(self):
        features = torch.tensor([[1.0, 0.0], [10.0, 1.0], [0.0, 2.0], [1.0, 3.0], [-1.0, 0.0]])
        near = nearest_features(features, torch.tensor([0, 2]), 2)
        assert near.tolist() == [[1, 3], [3, 1]]  # length does not count, and none is its own neighbour

    def test_value_by_hand(self):
        probability = torch.tensor([1.0, 1.0, 0.0, 0.5])
        near = torch.tensor([[1]])
        # products of the first with the others: 1, 0, 1/2; far: the last two; |C| = 1, |O| = 2, |S| = 4
        moving = neighbour_bound(_binary(probability), torch.tensor([0]), near)
        assert moving.item() == pytest.approx(-1 + 0.5 * (0 + 0.5))
        bound = neighbour_bound(_binary(probability), torch.tensor([0]), near, with_constant=True)
        assert bound.item() == pytest.approx(-1 + 0.5 * (0 + 0.5) - math.log(4))

    def test_loss_is_the_mean_of_equation_13_over_the_set(self):
        torch.manual_seed(0)
        probability, features = torch.rand(9), torch.randn(9, 3)
        near = nearest_features(features, torch.arange(9), 3)
        expected = neighbour_bound(_binary(probability), torch.arange(9), near).mean()
        torch.testing.assert_close(clustering_inspired(probability, features, 3), expected)

    @pytest.mark.parametrize("seed", range(30))
    def test_jensen_s_step_bounds_equation_12(self, seed):
        rng = np.random.default_rng(seed)
        near_count = int(rng.integers(1, 4))
        count = int(rng.integers(2 * near_count + 1, 14))  # |O| >= |C|
        predictions = _binary(torch.from_numpy(rng.random(count)))
        near = [int(n) for n in rng.choice(np.arange(1, count), near_count, replace=False)]
        exact = _equation_12(predictions, 0, near)
        jensen = _equation_14_second_line(predictions, 0, near)
        assert jensen >= exact - 1e-9
        bound = neighbour_bound(predictions, torch.tensor([0]), torch.tensor([near]), True).item()
        products = predictions @ predictions[0]
        far = [n for n in range(1, count) if n not in near]
        if products[far].mean() <= products.mean():  # the condition under which its last step goes up, too
            assert bound >= jensen - 1e-9
        else:
            assert bound < jensen + 1e-9

    def test_bound_is_exact_when_all_products_agree(self):
        predictions = _binary(torch.full((7,), 0.5, dtype=torch.double))
        bound = neighbour_bound(predictions, torch.tensor([0]), torch.tensor([[1, 2]]), True).item()
        assert bound == pytest.approx(_equation_12(predictions, 0, [1, 2]))

    def test_where_far_features_agree_more_than_near_ones_it_is_no_bound(self):
        # honest counterexample to equation 14's approximation: the neighbour contradicts, the far ones agree
        predictions = _binary(torch.tensor([1.0, 0.0, 1.0, 1.0], dtype=torch.double))
        bound = neighbour_bound(predictions, torch.tensor([0]), torch.tensor([[1]]), True).item()
        assert bound < _equation_12(predictions, 0, [1])

    def test_prefers_predictions_that_follow_the_features(self):
        features = torch.cat([torch.randn(15, 4) * 0.1 + 1, torch.randn(15, 4) * 0.1 - 1])
        apart = torch.tensor([1.0] * 15 + [0.0] * 15)
        mixed = torch.tensor([1.0, 0.0] * 15)
        alike = torch.full((30,), 0.5)
        loss = [clustering_inspired(p, features, 5).item() for p in (apart, 1 - apart, alike, mixed)]
        assert loss[0] == pytest.approx(loss[1]) == pytest.approx(-5 + 5 / 24 * 9)
        assert loss[0] < loss[2] - 1 and loss[2] == pytest.approx(0, abs=1e-5) and loss[0] < loss[3]

    def test_gradient_reaches_predictions_and_not_features(self):
        torch.manual_seed(0)
        probability = torch.rand(12, dtype=torch.double, requires_grad=True)
        features = torch.randn(12, 3, dtype=torch.double, requires_grad=True)
        assert torch.autograd.gradcheck(lambda p: clustering_inspired(p, features.detach(), 4), probability)
        clustering_inspired(probability, features, 4).backward()
        assert probability.grad.abs().sum() > 0 and features.grad is None

    def test_sampled_anchors_do_not_move_the_expectation(self):
        torch.manual_seed(0)
        probability, features = torch.rand(120), torch.randn(120, 4)
        whole = clustering_inspired(probability, features, 6).item()
        sampled = [clustering_inspired(probability, features, 6, max_pairs=1200).item() for _ in range(600)]
        spread = float(np.std(sampled))
        assert spread > 0.01
        assert np.mean(sampled) == pytest.approx(whole, abs=4 * spread / math.sqrt(600))

    def test_too_few_pixels_cost_nothing(self):
        probability = torch.rand(21, requires_grad=True)
        loss = clustering_inspired(probability, torch.randn(21, 3))
        loss.backward()
        assert loss == 0 and (probability.grad == 0).all()


class HalfSizeNet(CrackModel):
    """A small network whose last features are coarser than the image and whose sides are padded."""

    stride_px = 4

    def __init__(self, classes: int = 1, width: int = 6) -> None:
        super().__init__(classes, width=width)
        self.body = nn.Sequential(nn.Conv2d(3, width, 3, stride=2, padding=1), nn.ReLU())
        self.head = nn.Conv2d(width, classes, 1)

    @property
    def last_features(self) -> nn.Module:
        return self.body

    def forward_padded(self, image: Tensor) -> Tensor:
        return F.interpolate(self.head(self.body(image)), scale_factor=2, mode="bilinear")


class ForgetfulNet(HalfSizeNet):
    """Names a module that its forward pass does not run."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Identity()

    @property
    def last_features(self) -> nn.Module:
        return self.unused


def _batch(size: tuple[int, int] = (30, 37), seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    truth = torch.zeros(2, 1, *size)
    truth[0, :, 10:13, 3:30] = 1
    truth[1, :, 2:28, 20] = 1
    image = 0.6 - 0.3 * truth + 0.1 * torch.rand(2, 3, *size, generator=generator)
    return Batch(image.clamp(0, 1), truth, torch.ones_like(truth))


MAKERS = {
    "attention_resunet": lambda: create_model("attention_resunet", filters=(4, 8)),
    "half size": HalfSizeNet,
}


@pytest.fixture(params=list(MAKERS))
def model(request: pytest.FixtureRequest) -> CrackModel:
    torch.manual_seed(0)
    made: CrackModel = MAKERS[request.param]()
    return made.train()


def _hooks(model: CrackModel) -> int:
    return sum(len(m._forward_hooks) for m in model.modules())


class TestObjective:
    PHASES: ClassVar = [0.0, 0.49, 0.5, 1.0]

    @pytest.mark.parametrize("progress", PHASES)
    def test_gives_a_finite_scalar_and_leaves_no_hook(self, model, progress):
        objective = CirlObjective(model, gamma=0.0, neighbours=4)
        loss = objective(model, _batch(), progress)
        assert loss.shape == () and loss.dtype == torch.float32 and torch.isfinite(loss)
        loss.backward()
        assert _hooks(model) == 0
        assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)

    def test_making_one_changes_nothing_in_the_model(self, model):
        next(model.children()).eval()  # as a frozen part would be
        before = copy.deepcopy(model.state_dict())
        modes = [m.training for m in model.modules()]
        objective = CirlObjective(model)
        assert modes == [m.training for m in model.modules()] and _hooks(model) == 0
        assert not any("std" in key for key in model.state_dict())
        assert model.state_dict().keys() == before.keys()
        assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
        assert sum(p.numel() for p in objective.parameters()) == objective.std_head.in_channels + 1

    def test_first_phase_is_the_aseg_loss_and_trains_the_head(self, model):
        objective, batch = CirlObjective(model), _batch()
        loss = objective(model, batch, 0.2)
        view = look(model, batch.image)
        log_variance = objective._log_variance(view)
        expected = ambiguity_aware(view.logits, log_variance, batch.truth, lam=0.3)
        torch.testing.assert_close(loss, expected)
        loss.backward()
        assert objective.std_head.weight.grad.abs().sum() > 0
        variance = objective.variance_map(model, batch.image)
        torch.testing.assert_close(variance, log_variance.exp())
        assert variance.shape == batch.truth.shape

    def test_kl_is_the_other_first_phase(self, model):
        batch, objective = _batch(), CirlObjective(model, uncertainty="kl")
        view = look(model, batch.image)
        expected = gaussian_divergence(view.logits, objective._log_variance(view), batch.truth)
        torch.testing.assert_close(objective(model, batch, 0.0), expected)

    def test_second_phase_leaves_the_head_alone_and_trains_the_model(self, model):
        objective = CirlObjective(model, gamma=0.0, neighbours=4)
        objective(model, _batch(), 0.5).backward()
        assert all(p.grad is None for p in objective.parameters())
        assert all(p.grad is not None for p in model.parameters())

    def test_without_the_clustering_the_rest_is_cross_entropy_outside_the_margin(self, model):
        batch = _batch()
        objective = CirlObjective(model, switch_at=0, gamma=0, beta=0)
        outside = (~marginal_region(batch.truth)).float()
        expected = cross_entropy(model(batch.image), batch.truth, outside)
        torch.testing.assert_close(objective(model, batch, 0.0), expected)

    def test_total_is_equation_16(self, model):
        batch = _batch()
        parts = [CirlObjective(model, switch_at=0, gamma=0, beta=b, neighbours=4) for b in (0.0, 0.2)]
        view = look(model, batch.image)
        probability, margin = torch.sigmoid(view.logits), marginal_region(batch.truth)
        clustering = torch.zeros(())
        size = view.padded
        features = F.interpolate(view.features, size=size, mode="bilinear", align_corners=False)
        for number in range(2):
            rows, columns = margin[number, 0].nonzero(as_tuple=True)
            dense = features[number, :, rows, columns].T
            clustering = clustering + clustering_inspired(probability[number, 0, rows, columns], dense, 4) / 2
        without, total = (objective(model, batch, 0.0) for objective in parts)
        torch.testing.assert_close(total - without, 0.2 * clustering, rtol=1e-3, atol=1e-4)
        assert clustering.abs() > 1e-3

    def test_switch_at_1_never_leaves_the_first_phase(self, model):
        objective, batch = CirlObjective(model, switch_at=1), _batch()
        torch.testing.assert_close(objective(model, batch, 1.0), objective(model, batch, 0.0))

    @pytest.mark.parametrize("beta", [0.0, 0.2])
    def test_labels_of_ambiguous_pixels_have_no_influence(self, model, beta):
        batch = _batch()
        objective = CirlObjective(model.eval(), beta=beta, neighbours=4)
        ambiguous = marginal_region(batch.truth)
        flipped = Batch(batch.image, torch.where(ambiguous, 1 - batch.truth, batch.truth), batch.weight)
        other = Batch(batch.image, 1 - batch.truth, batch.weight)

        def gradient(of: Batch) -> list[Tensor]:
            loss = objective.second_phase(look(model, of.image), of, ambiguous)
            return list(torch.autograd.grad(loss, list(model.parameters())))

        reference = gradient(batch)
        for a, b in zip(reference, gradient(flipped), strict=True):
            torch.testing.assert_close(a, b)
        assert any(not torch.allclose(a, b) for a, b in zip(reference, gradient(other), strict=True))

    @pytest.mark.parametrize("progress", [0.0, 0.9])
    def test_pixels_of_weight_0_have_no_influence(self, model, progress):
        batch = _batch()
        weight = torch.ones_like(batch.truth)
        weight[..., 25:, :] = 0
        truth = batch.truth.clone()
        truth[..., 29:, :] = 1  # far enough for its margin to be hidden, too
        objective = CirlObjective(model.eval(), gamma=0.0, neighbours=4)
        a = objective(model, Batch(batch.image, batch.truth, weight), progress)
        b = objective(model, Batch(batch.image, truth, weight), progress)
        torch.testing.assert_close(a, b)

    def test_batch_without_any_margin_is_plain_cross_entropy(self, model):
        batch = _batch()
        empty = Batch(batch.image, torch.zeros_like(batch.truth), batch.weight)
        expected = cross_entropy(model.eval()(batch.image), empty.truth)
        torch.testing.assert_close(CirlObjective(model)(model, empty, 0.8), expected)

    @pytest.mark.parametrize("progress", [0.0, 0.9])
    def test_losses_are_float32_under_bfloat16_autocast(self, model, progress):
        batch = _batch()
        objective = CirlObjective(model.eval(), gamma=0.0, neighbours=4)
        plain = objective(model, batch, progress)
        with torch.autocast("cpu", torch.bfloat16):
            fast = objective(model, batch, progress)
        assert fast.dtype == torch.float32
        torch.testing.assert_close(plain, fast, rtol=0.1, atol=0.05)
        fast.backward()

    def test_model_can_be_copied_and_pickled_beside_it(self, model):
        objective, batch = CirlObjective(model.eval()), _batch()
        objective(model, batch, 0.0)
        again = pickle.loads(pickle.dumps(model))
        copied = copy.deepcopy(objective)
        torch.testing.assert_close(copied(again, batch, 0.0), objective(copy.deepcopy(model), batch, 0.0))

    def test_the_hook_goes_when_the_forward_pass_fails(self, model):
        with pytest.raises(RuntimeError, match="channels"), captured_features(model) as seen:
            model(torch.rand(1, 5, 16, 16))
        assert not seen and _hooks(model) == 0

    def test_both_phases_train(self, model):
        objective, batch = CirlObjective(model, neighbours=8), _batch((24, 24))
        optimiser = torch.optim.Adam([*model.parameters(), *objective.parameters()], lr=1e-2)
        losses = []
        for step in range(40):
            loss = objective(model, batch, step / 40)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        assert losses[19] < losses[0] and losses[39] < losses[20]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("crackformer", {"widths": (8, 16), "depths": (1, 1), "heads": 2, "window": 3}),
        ("jtfn", {"widths": (4, 8, 8), "iterations": 2}),
        ("crack_segmenter", {"embed_dim": 8, "blocks": 1}),
    ],
)
def test_goes_around_other_registered_models(name, options):
    torch.manual_seed(0)
    model, batch = create_model(name, **options), _batch()
    objective = CirlObjective(model, gamma=0.0, neighbours=4)
    keys = model.state_dict().keys()
    for progress in (0.0, 0.9):
        loss = objective(model, batch, progress)
        loss.backward()
        assert torch.isfinite(loss)
    assert objective.std_head.weight.grad.abs().sum() > 0
    assert model.state_dict().keys() == keys and _hooks(model) == 0
    assert objective.variance_map(model, batch.image).shape == batch.truth.shape


def test_features_at_pixels_are_those_of_the_upsampled_map():
    features = torch.randn(5, 6, 8)
    dense = F.interpolate(features[None], size=(12, 32), mode="bilinear", align_corners=False)[0]
    rows, columns = torch.tensor([0, 11, 5, 6]), torch.tensor([0, 31, 17, 2])
    expected = dense[:, rows, columns].T
    torch.testing.assert_close(features_at(features, (12, 32), rows, columns), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"lam": 0.0},
        {"gamma": -0.1},
        {"beta": -1.0},
        {"switch_at": 1.5},
        {"neighbours": 0},
        {"kernel_px": 4},
        {"max_pairs": 0},
        {"uncertainty": "guess"},
    ],
)
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(SettingsError):
        CirlObjective(HalfSizeNet(), **options)


def test_models_it_cannot_train_are_refused():
    with pytest.raises(SettingsError, match="3 classes"):
        CirlObjective(HalfSizeNet(classes=3))
    with pytest.raises(SettingsError, match="ForgetfulNet"):
        CirlObjective(ForgetfulNet())
