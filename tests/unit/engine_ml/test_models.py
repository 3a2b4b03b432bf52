"""The contract of every crack network; a new model inherits it in two lines."""

import shutil
from collections.abc import Iterator
from typing import ClassVar

import pytest
import torch
from torch import nn

from engine.complexity import count_gflops
from engine.errors import SettingsError
from engine.models import MODELS, SMALL, create_model, list_models
from engine.models.blocks import AttentionGate, ResidualBlock
from tests.export import onnx_failure


class ModelContract:
    """What any model of `MODELS` must do; subclasses set `name` (and `options` for a small one).

    `compiles`: torch.compile traces it as one graph. `onnx_exports`: its ONNX file gives torch's logits at
    any size.
    """

    name: str
    options: ClassVar[dict[str, object]] = {}
    compiles: ClassVar[bool] = True
    onnx_exports: ClassVar[bool] = True
    learning_rate: ClassVar[float] = 3e-3

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
        optimiser = torch.optim.AdamW(model.parameters(), lr=self.learning_rate)
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

    def test_three_classes_give_three_channels_that_learn(self):
        torch.manual_seed(0)
        model = create_model(self.name, **{**self.options, "classes": 3})
        image = torch.rand(2, 3, 33, 40)
        logits = model(image)
        assert logits.shape == (2, 3, 33, 40) and model.classes == 3
        nn.functional.cross_entropy(logits, torch.randint(3, (2, 33, 40))).backward()
        probability = model.eval().probability(image)
        assert probability.shape == (2, 33, 40) and 0 <= probability.min() <= probability.max() <= 1
        with torch.no_grad():
            not_sound = torch.softmax(model(image), dim=1)[:, 1:].sum(1)
        torch.testing.assert_close(probability, not_sound, rtol=1e-4, atol=1e-5)

    def test_last_features_are_what_the_logits_are_made_of(self, model):
        seen = []
        handle = model.last_features.register_forward_hook(lambda *call: seen.append(call[-1]))
        logits = model.eval()(torch.rand(2, 3, 128, 192))
        handle.remove()
        features = seen[-1]
        assert features.dim() == 4 and features.shape[0] == 2 and features.shape[1] > 1
        # of the image's shape, and not coarser than an eighth of it
        height, width = features.shape[2:]
        assert height >= 16 and width * 128 == height * 192
        (gradient,) = torch.autograd.grad(logits.sum(), features)
        assert gradient.abs().sum() > 0

    def test_compiles_as_one_graph_where_it_says_so(self, model):
        image = torch.rand(1, 3, 33, 47)
        # without code generation: what can break is the tracing, and a compiler takes a minute
        compiled = torch.compile(model.eval(), backend="eager", fullgraph=True)
        try:
            with torch.no_grad():
                if self.compiles:
                    torch.testing.assert_close(compiled(image), model(image))
                else:
                    with pytest.raises(torch._dynamo.exc.TorchDynamoException):
                        compiled(image)
        finally:
            torch._dynamo.reset()


class TestAttentionResUNet(ModelContract):
    name = "attention_resunet"

    @pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs g++ to make code for a CPU")
    def test_compiled_code_gives_the_same_logits(self):
        model = create_model(self.name, filters=(4, 4)).eval()
        image = torch.rand(1, 3, 33, 47)
        try:
            with torch.inference_mode():
                compiled = torch.compile(model, fullgraph=True)(image)
                torch.testing.assert_close(compiled, model(image), rtol=1e-4, atol=1e-4)
        finally:
            torch._dynamo.reset()

    def test_is_the_size_of_the_paper_s(self):
        assert 0.9e6 < create_model(self.name).parameter_count < 1.6e6


class TestCrackSegmenter(ModelContract):
    name = "crack_segmenter"
    options: ClassVar[dict[str, object]] = {"embed_dim": 8, "blocks": 2}


class TestContextCrackNet(ModelContract):
    name = "context_cracknet"
    options: ClassVar[dict[str, object]] = {
        "encoder": "resnet18",
        "stem_channels": 8,
        "decoder_channels": (8, 8, 8, 16),
        "attention_channels": 8,
        "projected_tokens": 4,
    }


class TestCrackFormer(ModelContract):
    name = "crackformer"
    options: ClassVar[dict[str, object]] = {"widths": (8, 16), "depths": (1, 1), "heads": 2, "window": 3}


class TestJTFN(ModelContract):
    name = "jtfn"
    options: ClassVar[dict[str, object]] = {"widths": (4, 8, 8), "iterations": 2}


class PeerContract(ModelContract):
    """Peers around a small encoder: what is tested is how they are wrapped."""

    options: ClassVar[dict[str, object]] = {"encoder": "resnet18"}


class TestUNet(PeerContract):
    name = "smp_unet"


class TestUNetPlusPlus(PeerContract):
    name = "smp_unetplusplus"


class TestFPN(PeerContract):
    name = "smp_fpn"


class TestPSPNet(PeerContract):
    name = "smp_pspnet"
    onnx_exports = False  # its pooling to 2 x 2 ... 6 x 6 is fixed to the size it was traced with
    learning_rate = 3e-4  # its map is an eighth of the image: of single pixels it can learn only their share


class TestPAN(PeerContract):
    name = "smp_pan"


class TestMAnet(PeerContract):
    name = "smp_manet"


class TestLinkNet(PeerContract):
    name = "smp_linknet"


class TestDeepLabV3(PeerContract):
    name = "smp_deeplabv3"


class TestDeepLabV3Plus(PeerContract):
    name = "smp_deeplabv3plus"


class TestUPerNet(PeerContract):
    name = "smp_upernet"
    onnx_exports = False  # as PSPNet's


class TestSegformer(PeerContract):
    name = "smp_segformer"
    options: ClassVar[dict[str, object]] = {"encoder": "mit_b0"}


class TestFCN(PeerContract):
    name = "tv_fcn"
    options: ClassVar[dict[str, object]] = {"encoder": "resnet50"}


def contracts(of: type[ModelContract] = ModelContract) -> Iterator[type[ModelContract]]:
    for contract in of.__subclasses__():
        if hasattr(contract, "name"):
            yield contract
        yield from contracts(contract)


def test_every_model_has_a_contract_test():
    tested = sorted(contract.name for contract in contracts())
    assert tested == list_models() == sorted(MODELS)


# Some peers for all of them, whose turn takes minutes: tests/benchmarks/bench_export.py.
EXPORTED_PEERS = ("smp_linknet", "smp_pspnet")


@pytest.mark.parametrize(
    "contract",
    [
        pytest.param(contract, id=contract.name)
        for contract in contracts()
        if not issubclass(contract, PeerContract) or contract.name in EXPORTED_PEERS
    ],
)
def test_onnx_export_holds_at_any_size_where_it_says_so(contract):
    torch.manual_seed(0)
    failure = onnx_failure(create_model(contract.name, **contract.options))
    assert (failure is None) == contract.onnx_exports, failure


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


@pytest.mark.parametrize("name", sorted(SMALL))
def test_small_options_make_a_lighter_model_that_a_checkpoint_can_rebuild(name):
    small = create_model(name, small=True)
    assert count_gflops(small) < count_gflops(create_model(name)) / 2
    assert create_model(name, **small.options).parameter_count == small.parameter_count


def test_small_is_refused_where_there_is_none():
    with pytest.raises(SettingsError, match="no small options"):
        create_model("attention_resunet", small=True)
