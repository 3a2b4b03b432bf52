"""The contract of every crack network; a new model inherits it in two lines."""

from typing import ClassVar

import pytest
import torch
from torch import nn

from engine.errors import SettingsError
from engine.models import MODELS, create_model, list_models
from engine.models.blocks import AttentionGate, ResidualBlock


class ModelContract:
    """What any model of `MODELS` must do; subclasses set `name` (and `options` for a small one)."""

    name: str
    options: ClassVar[dict[str, object]] = {}

    @pytest.fixture
    def model(self):
        torch.manual_seed(0)
        return create_model(self.name, **self.options)

    @pytest.mark.parametrize("size", [(1, 1), (5, 31), (33, 17), (64, 48), (50, 97)])
    def test_any_size_gives_logits_of_that_size(self, model, size):
        logits = model.eval()(torch.rand(2, 3, *size))
        assert logits.shape[0] == 2 and logits.shape[1] >= 1 and logits.shape[2:] == size
        assert torch.isfinite(logits).all()

    def test_every_parameter_learns(self, model):
        logits = model.train()(torch.rand(2, 3, 40, 48))
        nn.functional.softplus(logits).mean().backward()
        without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
        # a bias before a normalisation has no influence; anything else without gradient is cut off
        assert not [n for n in without if not n.endswith("bias")]

    def test_one_step_lowers_the_loss_on_one_batch(self, model):
        image = torch.rand(2, 3, 32, 32)
        truth = (image.mean(1, keepdim=True) < 0.4).float()
        optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
        losses = []
        for _ in range(8):
            loss = nn.functional.binary_cross_entropy_with_logits(model(image)[:, :1], truth)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        assert losses[-1] < losses[0]

    def test_images_of_a_batch_do_not_influence_each_other(self, model):
        a, b = torch.rand(1, 3, 32, 40), torch.rand(1, 3, 32, 40)
        with torch.no_grad():
            together = model.eval()(torch.cat([a, b]))
            alone = model(b)
        torch.testing.assert_close(together[1:], alone, rtol=1e-4, atol=1e-4)

    def test_options_rebuild_the_model(self, model):
        again = create_model(self.name, **model.options)
        shapes = {k: v.shape for k, v in model.state_dict().items()}
        assert shapes == {k: v.shape for k, v in again.state_dict().items()}
        assert model.parameter_count == sum(p.numel() for p in again.parameters())

    def test_bfloat16_autocast_and_channels_last_stay_close(self, model):
        image = torch.rand(1, 3, 48, 48)
        model = model.eval()
        with torch.no_grad():
            plain = model.probability(image)
            fast_model = model.to(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16):
                fast = fast_model.probability(image.contiguous(memory_format=torch.channels_last))
        assert fast.dtype == torch.float32
        torch.testing.assert_close(plain, fast, rtol=0, atol=0.03)


class TestAttentionResUNet(ModelContract):
    name = "attention_resunet"

    def test_is_the_size_of_the_paper_s(self):
        assert 0.9e6 < create_model(self.name).parameter_count < 1.6e6


def test_every_model_has_a_contract_test():
    tested = {c.name for c in ModelContract.__subclasses__()}
    assert tested == set(list_models()) == set(MODELS)


@pytest.mark.parametrize(("name", "options"), [("no_such", {}), ("attention_resunet", {"depth": 3})])
def test_unknown_names_and_options_are_refused(name, options):
    with pytest.raises(SettingsError):
        create_model(name, **options)


def test_attention_gate_follows_equations_1_and_2():
    torch.manual_seed(1)
    gate = AttentionGate(3).eval()
    x, u = torch.randn(1, 3, 2, 2), torch.randn(1, 3, 2, 2)
    wx = gate.from_shortcut.weight[:, :, 0, 0]
    wu, bu = gate.from_upsampled.weight[:, :, 0, 0], gate.from_upsampled.bias
    wv, bv = gate.score.weight[0, :, 0, 0], gate.score.bias
    pixel_x, pixel_u = x[0, :, 1, 0], u[0, :, 1, 0]
    weight = torch.sigmoid(wv @ torch.relu(wx @ pixel_x + wu @ pixel_u + bu) + bv)
    torch.testing.assert_close(gate(x, u)[0, :, 1, 0], weight * pixel_x)


def test_residual_block_adds_its_projection():
    block = ResidualBlock(4, 6).eval()
    x = torch.randn(1, 4, 8, 8)
    torch.testing.assert_close(block(x) - block.convolve(block.project(x)), block.project(x))
    assert sum(isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3) for m in block.modules()) == 4
