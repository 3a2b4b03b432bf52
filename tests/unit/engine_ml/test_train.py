import numpy as np
import pytest
import torch

from engine.checkpoints import load_checkpoint, read_card
from engine.errors import CancelledError, SettingsError
from engine.synthesis import CrackStyle
from engine.train import TrainSettings, main, train
from engine.training_data import PatchRecipe, road_backgrounds

RECIPE = PatchRecipe(patch_px=48, style=CrackStyle(width_px=(3, 5), contrast=(0.6, 0.75)))
SHORT = TrainSettings(steps=4, batch=2, save_every=2, workers=0, bf16=False, seed=7)


def same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    other = b.state_dict()
    return all(torch.equal(v, other[k]) for k, v in a.state_dict().items())


def test_a_seed_gives_one_model_and_workers_do_not_matter():
    first = train(SHORT, [], RECIPE)
    again = train(SHORT, [], RECIPE)
    assert same(first, again)


def test_an_interrupted_run_resumes_to_the_same_weights(tmp_path):
    whole = train(SHORT, [], RECIPE)
    state = tmp_path / "state.pt"

    def stop(done, _total, _loss):
        if done == 3:
            raise CancelledError("power cut")

    with pytest.raises(CancelledError):
        train(SHORT, [], RECIPE, state=state, on_step=stop)
    resumed = []
    model = train(SHORT, [], RECIPE, state=state, on_step=lambda done, *_: resumed.append(done))
    assert resumed == [3, 4]
    assert same(model, whole)


def test_a_damaged_state_is_named(tmp_path):
    state = tmp_path / "state.pt"
    torch.save({"step": 1}, state)
    with pytest.raises(SettingsError, match=r"state\.pt"):
        train(SHORT, [], RECIPE, state=state)


def test_loss_falls():
    losses = []
    settings = TrainSettings(steps=70, batch=4, workers=0, learning_rate=4e-3)
    train(settings, [], RECIPE, on_step=lambda _d, _t, loss: losses.append(loss))
    assert np.mean(losses[-15:]) < 0.9 * np.mean(losses[:15])


def test_command_line_writes_a_checkpoint_with_its_story(tmp_path):
    out = tmp_path / "small.safetensors"
    arguments = ["--steps", "2", "--batch", "1", "--patch-px", "32", "--workers", "0", "--seed", "3"]
    assert main(["--out", str(out), "--name", "small", *arguments]) == 0
    card = read_card(out)
    assert card.name == "small" and card.seed == 3 and card.command.startswith("python -m engine.train")
    assert str(tmp_path) not in card.command and "no human label" in card.data
    model, _ = load_checkpoint(out)
    assert model.parameter_count > 0


def test_missing_photos_are_said(tmp_path):
    with pytest.raises(SettingsError, match=r"no \.jpg"):
        main(["--out", str(tmp_path / "x.safetensors"), "--photos", str(tmp_path)])
    (tmp_path / "bad.jpg").write_bytes(b"no")
    with pytest.raises(SettingsError, match=r"bad\.jpg"):
        road_backgrounds([tmp_path / "bad.jpg"])
