import math

import pytest
import torch
from safetensors.torch import save_file
from torch.utils.flop_counter import FlopCounterMode

from engine.errors import CheckpointError, SettingsError
from engine.models import create_model
from engine.models.context_cracknet import (
    CPU_OPTIONS,
    ContextAwareGlobal,
    ContextCrackNet,
    FocusGate,
    RegionFocusedEnhancement,
)
from engine.models.resnet import ResNetEncoder

SMALL = {
    "encoder": "resnet18",
    "stem_channels": 4,
    "decoder_channels": (4, 4, 8, 8),
    "attention_channels": 8,
    "projected_tokens": 4,
}


@pytest.fixture
def model():
    torch.manual_seed(0)
    return ContextCrackNet(**SMALL).eval()


def test_parameters_and_flops_are_those_of_table_7_within_one_percent():
    with torch.device("meta"):
        model = ContextCrackNet().eval()
        with FlopCounterMode(display=False) as counter:
            model(torch.zeros(1, 3, 448, 448))
    assert model.parameter_count / 1e6 == pytest.approx(82.05, rel=0.01)
    assert counter.get_total_flops() / 1e9 == pytest.approx(243.78, rel=0.01)


def test_switches_of_the_ablation_table_leave_their_module_out():
    with torch.device("meta"):
        both, neither, gates_only, context_only = (
            ContextCrackNet(global_context=c, region_focus=r)
            for c, r in ((True, True), (False, False), (False, True), (True, False))
        )
    context = sum(p.numel() for p in both.context.parameters())
    gates = sum(p.numel() for n, p in both.named_parameters() if ".gate." in n)
    assert context > 0 and gates > 0
    assert context_only.parameter_count == neither.parameter_count + context
    assert gates_only.parameter_count == neither.parameter_count + gates
    assert both.parameter_count == neither.parameter_count + context + gates


@pytest.mark.parametrize("switches", [{"global_context": False}, {"region_focus": False}])
def test_ablated_models_run_and_classes_are_outputs(switches):
    model = create_model("context_cracknet", classes=3, **SMALL, **switches).eval()
    assert model(torch.rand(1, 3, 40, 70)).shape == (1, 3, 40, 70)
    assert model.probability(torch.rand(1, 3, 40, 70)).shape == (1, 40, 70)


def test_context_follows_equations_7_to_11_at_the_reference_size():
    torch.manual_seed(1)
    module = ContextAwareGlobal(channels=5, attention_channels=3, projected_tokens=2, reference_side=4)
    torch.nn.init.normal_(module.output.weight)
    x = torch.randn(2, 5, 4, 4)
    for image, result in zip(x, module(x), strict=True):
        tokens = torch.stack([image[:, i, j] for i in range(4) for j in range(4)])  # equation 6
        q, k, v = (tokens @ layer.weight.T for layer in (module.query, module.key, module.value))
        e, f = module.project_key.reshape(2, 16).T, module.project_value.reshape(2, 16).T  # (N, k)
        attention = torch.softmax(q @ (e.T @ k).T / math.sqrt(3), dim=1)
        z = attention @ (f.T @ v)
        mapped = torch.cat([z, tokens], dim=1) @ module.output.weight.T + module.output.bias
        torch.testing.assert_close(result[:, 2, 1], mapped[2 * 4 + 1])


def test_context_of_an_even_image_is_the_same_at_every_size():
    torch.manual_seed(2)
    module = ContextAwareGlobal(channels=6, attention_channels=4, projected_tokens=3, reference_side=4)
    column = torch.randn(1, 6, 1, 1)
    at_reference = module(column.expand(1, 6, 4, 4))[0, :, 0, 0]
    for size in ((2, 2), (8, 8), (4, 16), (2, 12)):
        result = module(column.expand(1, 6, *size))
        assert result.shape == (1, 6, *size)
        torch.testing.assert_close(result[0, :, -1, -1], at_reference)


def test_context_reaches_across_the_whole_map():
    torch.manual_seed(3)
    module = ContextAwareGlobal(channels=4, attention_channels=4, projected_tokens=4)
    x = torch.randn(1, 4, 9, 9, requires_grad=True)
    (gradient,) = torch.autograd.grad(module(x)[0, :, 0, 0].sum(), x)
    assert (gradient.abs().sum(1) > 0).all()


def test_same_weights_serve_several_image_sizes(model):
    wide = torch.rand(1, 3, 64, 128)
    with torch.no_grad():
        sizes = [tuple(model(wide[..., :h, :w]).shape[2:]) for h, w in ((64, 128), (32, 32), (64, 90))]
    assert sizes == [(64, 128), (32, 32), (64, 90)]


def test_gate_and_stage_follow_equations_12_to_17():
    torch.manual_seed(4)
    gate = FocusGate(skip_channels=4, up_channels=3)
    skip, up = torch.randn(1, 4, 2, 2), torch.randn(1, 3, 2, 2)
    x = gate.from_encoder.weight[:, :, 0, 0] @ skip[0, :, 1, 0] + gate.from_encoder.bias
    g = gate.from_decoder.weight[:, :, 0, 0] @ up[0, :, 1, 0] + gate.from_decoder.bias
    score = gate.score.weight[0, :, 0, 0] @ torch.relu(g + x) + gate.score.bias
    torch.testing.assert_close(gate(skip, up)[0, 0, 1, 0], 1 / (1 + torch.exp(-score))[0])

    stage = RegionFocusedEnhancement(4, 3, 2).eval()
    torch.nn.init.zeros_(stage.gate.score.weight)
    torch.nn.init.constant_(stage.gate.score.bias, math.log(3))  # attention 3/4 everywhere
    result, attention = stage(skip, up)
    torch.testing.assert_close(attention, torch.full((1, 1, 2, 2), 0.75))
    torch.testing.assert_close(result, stage.refine(torch.cat([0.75 * skip, up], dim=1)))


def test_attention_maps_are_those_of_the_four_shortcuts(model):
    image = torch.rand(2, 3, 40, 70)
    torch.nn.init.zeros_(model.stages[2].gate.score.weight)
    torch.nn.init.zeros_(model.stages[2].gate.score.bias)
    maps = model.attention_maps(image)
    assert sorted(maps) == ["skip_0", "skip_1", "skip_2", "skip_3"]
    for one in maps.values():
        assert one.shape == (2, 40, 70) and one.dtype == torch.float32
        assert one.min() >= 0 and one.max() <= 1
    torch.testing.assert_close(maps["skip_2"], torch.full((2, 40, 70), 0.5))
    assert maps["skip_0"].std() > 0
    assert ContextCrackNet(**SMALL, region_focus=False).eval().attention_maps(image) == {}


def test_last_features_are_what_the_classifier_sees(model):
    seen = []
    model.last_features.register_forward_hook(lambda module, inputs, output: seen.append(output))
    with torch.no_grad():
        logits = model(torch.rand(1, 3, 64, 96))
    (features,) = seen
    assert features.shape == (1, 4, 32, 48)
    again = torch.nn.functional.interpolate(model.classify(features), scale_factor=2, mode="bilinear")
    torch.testing.assert_close(logits, again)


def test_images_are_normalised_as_imagenet_s(model):
    colour = torch.tensor([0.485, 0.456, 0.406 + 0.225]).view(1, 3, 1, 1)
    prepared = model.prepare(colour.expand(1, 3, 30, 64))
    assert prepared.shape == (1, 3, 32, 64)
    torch.testing.assert_close(prepared[0, :, 31, 0], torch.tensor([0.0, 0.0, 1.0]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_encoder_is_torchvision_s(name):
    torchvision = pytest.importorskip("torchvision")
    with torch.device("meta"):
        theirs = getattr(torchvision.models, name)().state_dict()
        ours = ResNetEncoder(name).state_dict()
    assert {k: v.shape for k, v in ours.items()} == {
        k: v.shape for k, v in theirs.items() if not k.startswith("fc.")
    }


@pytest.mark.parametrize(("name", "suffix"), [("resnet18", ".pth"), ("resnet50", ".safetensors")])
def test_weights_of_torchvision_give_its_features(tmp_path, name, suffix):
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(5)
    theirs = getattr(torchvision.models, name)().eval()
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save(theirs.state_dict(), path)
    else:
        save_file(theirs.state_dict(), path)
    widths = {"decoder_channels": (4, 4, 4, 4), "attention_channels": 4, "projected_tokens": 4}
    model = ContextCrackNet(encoder=name, encoder_weights=path, **widths).eval()
    assert "encoder_weights" not in model.options
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        deepest = model.encoder(image)[-1]
        torch.testing.assert_close(theirs.fc(deepest.mean((2, 3))), theirs(image))


def test_unusable_weights_are_refused_by_name(tmp_path):
    good = ResNetEncoder("resnet18", stem_channels=4).state_dict()
    old = {k: v for k, v in good.items() if not k.endswith("num_batches_tracked")}
    short = {k: v for k, v in good.items() if k != "layer4.1.bn2.weight"}
    foreign = good | {"layer5.weight": torch.zeros(1)}
    infinite = good | {"conv1.weight": torch.full_like(good["conv1.weight"], torch.inf)}
    wide = ResNetEncoder("resnet18", stem_channels=8).state_dict()
    torch.save(old, tmp_path / "old.pth")
    ContextCrackNet(**SMALL, encoder_weights=tmp_path / "old.pth")
    bad = {
        "short": short,
        "foreign": foreign,
        "infinite": infinite,
        "wide": wide,
        "list": [1],
        "nest": {"a": 1},
    }
    for name, content in bad.items():
        torch.save(content, tmp_path / f"{name}.pth")
    (tmp_path / "text.pth").write_text("no weights")
    (tmp_path / "text.safetensors").write_text("no weights")
    (tmp_path / "empty.pth").touch()
    names = [f"{name}.pth" for name in (*bad, "text", "empty", "missing")]
    for name in [*names, "text.safetensors", "missing.safetensors"]:
        with pytest.raises(CheckpointError, match=name):
            ContextCrackNet(**SMALL, encoder_weights=tmp_path / name)


def test_weights_that_carry_code_are_not_run(tmp_path):
    torch.save(torch.nn.Linear(1, 1), tmp_path / "module.pth")
    with pytest.raises(CheckpointError, match=r"module\.pth"):
        ContextCrackNet(**SMALL, encoder_weights=tmp_path / "module.pth")


@pytest.mark.parametrize(
    "options",
    [
        {"encoder": "resnet34"},
        {"stem_channels": 0},
        {"decoder_channels": (8, 8, 8)},
        {"projected_tokens": 0},
        {"classes": 0},
    ],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(SettingsError):
        ContextCrackNet(**{**SMALL, **options})


def test_the_small_preset_is_small():
    with torch.device("meta"):
        assert ContextCrackNet(**CPU_OPTIONS).parameter_count < 5e6
