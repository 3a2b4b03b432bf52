from dataclasses import replace

import pytest
import torch

from engine.augmentation import AUGMENTATIONS
from engine.errors import SettingsError
from engine.losses import cross_entropy_and_dice
from engine.models import create_model, list_models
from engine.objectives import Batch
from engine.presets import LOSSES, PRESETS, make_objective

SMALL = {"crack_segmenter": {"embed_dim": 8, "blocks": 1}}


def model_for(loss):
    torch.manual_seed(0)
    if loss == "paper":
        return create_model("crack_segmenter", **SMALL["crack_segmenter"])
    if loss == "refinement":
        return create_model("jtfn", widths=[4, 8], iterations=2)
    return create_model("attention_resunet", filters=[4, 8], classes=3 if loss == "multiclass" else 1)


def batch():
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(2, 3, 32, 32, generator=generator)
    truth = torch.zeros(2, 1, 32, 32)
    truth[..., 10:14] = 1
    return Batch(image, truth, torch.ones_like(truth))


# The figures as the papers print them: optimiser, rate, weight decay, batch, epochs.
PRINTED = {
    "seed-000": ("adamw", 1e-4, 1e-5, 8, 500),
    "seed-001": ("adamw", 1e-4, 1e-5, 32, 1000),
    "seed-002": ("adam", 1e-3, 5e-4, 2, 2000),
    "seed-003": ("sgd", 1e-3, 1e-6, 32, 30),
}


@pytest.mark.parametrize("name", sorted(PRINTED))
def test_papers_settings_are_those_printed(name):
    s = PRESETS[name]
    assert (s.optimiser, s.learning_rate, s.weight_decay, s.batch, s.epochs) == PRINTED[name]
    assert s.ema == 0 and s.clip_norm is None and s.steps is None and s.cpu_minutes is None


def test_what_else_the_papers_say():
    first, second, third, fourth = (PRESETS[f"seed-00{i}"] for i in range(4))
    for s in (first, second):
        assert (s.schedule, s.plateau_factor, s.plateau_patience) == ("plateau", 0.5, 5)
    assert first.early_stopping == 100 and second.early_stopping is None
    assert (first.objective, second.objective, third.objective, fourth.objective) == (
        "paper", "bce_dice", "cirl", "ce_dice",
    )  # fmt: skip
    assert third.patch_px == 256
    assert (fourth.patch_px, fourth.crack_share, fourth.crops_per_image, fourth.momentum) == (
        48, 0.6, 2000, 0.9,
    )  # fmt: skip


def test_every_preset_names_what_there_is():
    for settings in PRESETS.values():
        assert settings.model in list_models() and settings.objective in LOSSES
        assert settings.augmentation in AUGMENTATIONS
        assert settings.epochs or settings.cpu_minutes


def test_a_preset_can_be_changed():
    assert replace(PRESETS["seed-001"], epochs=2, batch=4).learning_rate == 1e-4
    with pytest.raises(TypeError):
        replace(PRESETS["fast"], colour="red")


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_every_loss_reaches_the_weights(loss):
    model = model_for(loss)
    objective = make_objective(loss, model)
    for progress in (0.0, 1.0):
        model.zero_grad()
        value = objective(model, batch(), progress)
        value.backward()
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        assert value.ndim == 0 and torch.isfinite(value)
        assert any(bool(g.abs().sum() > 0) for g in gradients)


def test_a_name_means_the_loss_of_its_paper():
    model, crops = model_for("ce_dice").eval(), batch()
    expected = cross_entropy_and_dice(model(crops.image), crops.truth, crops.weight)
    torch.testing.assert_close(make_objective("ce_dice", model)(model, crops, 0.0), expected)


def test_options_change_the_loss():
    model, crops = model_for("bce_dice").eval(), batch()
    plain, only_dice = make_objective("bce_dice", model), make_objective("bce_dice", model, alpha=0.0)
    assert only_dice(model, crops, 0.0) < plain(model, crops, 0.0)


@pytest.mark.parametrize(
    ("loss", "options", "said"),
    [
        ("focal", {}, "focal"),
        ("bce_dice", {"gamma": 1}, "gamma"),
        ("cirl", {"lamda": 1}, "lamda"),
        ("multiclass", {}, "1 output"),
    ],
)
def test_what_cannot_be_is_said(loss, options, said):
    with pytest.raises(SettingsError, match=said):
        make_objective(loss, model_for("ce_dice"), **options)


def test_a_loss_of_one_output_refuses_several_classes():
    with pytest.raises(SettingsError, match="3 output"):
        make_objective("ce_dice", model_for("multiclass"))
    with pytest.raises(SettingsError):
        make_objective("paper", model_for("ce_dice"))
