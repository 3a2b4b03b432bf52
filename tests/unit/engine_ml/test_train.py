import re
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.checkpoints import load_checkpoint, read_card
from engine.errors import CancelledError, EngineError, SettingsError
from engine.losses import cross_entropy_and_dice
from engine.models import create_model
from engine.objectives import Objective, Supervised
from engine.synthesis import CrackStyle
from engine.train import Samples, TrainSettings, train
from engine.train_base import DrawnPatches, main
from engine.training_data import PatchRecipe, road_backgrounds
from engine.training_log import TrainingLog
from engine.training_run import one_cycle

RECIPE = PatchRecipe(patch_px=48, style=CrackStyle(width_px=(3, 5), contrast=(0.6, 0.75)))
SHORT = TrainSettings(steps=20, batch=2, save_every=10, bf16=False, seed=7)


class Stripes(Samples):
    """A dark stripe to find in noise; quick to make."""

    per_epoch = 8

    def __getitem__(self, index):
        rng = np.random.default_rng(index)
        image = torch.from_numpy(rng.random((3, 24, 24), np.float32))
        truth = torch.zeros(1, 24, 24)
        column = int(rng.integers(2, 20))
        truth[..., column : column + 3] = 1
        return image * (1 - 0.7 * truth), truth, torch.ones_like(truth)


class WithOwnScale(Objective):
    """A loss with a parameter of its own, that draws random numbers."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))

    def forward(self, model, batch, progress):
        image = batch.image + 0.1 * torch.randn_like(batch.image)
        loss = cross_entropy_and_dice(model(image).float(), batch.truth, batch.weight)
        return loss * self.scale.exp() - self.scale


def small():
    torch.manual_seed(0)
    return create_model("attention_resunet", filters=[4, 8])


def run(settings, objective=None, **more):
    return train(small(), objective or Supervised(cross_entropy_and_dice), Stripes(), settings, **more)


def same(a, b):
    other = b.state_dict()
    return all(torch.equal(v, other[k]) for k, v in a.state_dict().items())


def stop_after(step):
    def stop(done, *_):
        if done == step:
            raise CancelledError("power cut")

    return stop


def test_a_seed_gives_one_model_and_workers_do_not_matter():
    first = run(replace(SHORT, steps=5)).model
    assert same(first, run(replace(SHORT, steps=5)).model)
    assert same(first, run(replace(SHORT, steps=5, workers=1)).model)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"optimiser": "sgd", "schedule": "plateau", "plateau_patience": 1, "ema": 0.0},
        {"optimiser": "adam", "schedule": "constant", "keep_best": True, "early_stopping": 50},
    ],
)
def test_twenty_steps_are_ten_and_ten_more_after_a_kill(tmp_path, options):
    settings, held_out = replace(SHORT, **options), [Stripes()[1000 + i] for i in range(2)]
    whole = run(settings, WithOwnScale(), validation=held_out)
    state = tmp_path / "state.pt"
    with pytest.raises(CancelledError):
        run(settings, WithOwnScale(), validation=held_out, state=state, on_step=stop_after(13))
    seen = []
    resumed = run(
        settings, WithOwnScale(), validation=held_out, state=state, on_step=lambda done, *_: seen.append(done)
    )
    assert seen == list(range(11, 21))
    assert same(resumed.model, whole.model)
    losses = [[row["validation_loss"] for row in result.history] for result in (whole, resumed)]
    assert losses[0] == losses[1] and len(losses[0]) == 5


@pytest.fixture
def ctrl_c_heard():
    """A shell lets what it starts in the background ignore Ctrl-C, and these tests with it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c_heard")
def test_ctrl_c_ends_the_step_and_saves(tmp_path):
    state, settings = tmp_path / "state.pt", replace(SHORT, save_every=1000)

    class Interrupted(WithOwnScale):
        def forward(self, model, batch, progress):
            calls.append(progress)
            if len(calls) == 13:
                signal.raise_signal(signal.SIGINT)
            return super().forward(model, batch, progress)

    calls, seen = [], []
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run(settings, Interrupted(), state=state)
    assert signal.getsignal(signal.SIGINT) is before
    resumed = run(settings, WithOwnScale(), state=state, on_step=lambda done, *_: seen.append(done))
    assert seen == list(range(14, 21)) and same(resumed.model, run(settings, WithOwnScale()).model)


def test_the_loss_is_trained_beside_and_dropped():
    objective = WithOwnScale()
    result = run(replace(SHORT, ema=0.0), objective)
    assert objective.scale.item() != 1.0
    assert set(result.model.state_dict()) == set(small().state_dict())


@pytest.mark.parametrize("optimiser", ["adamw", "adam", "sgd"])
def test_every_optimiser_learns(optimiser):
    rate = 0.1 if optimiser == "sgd" else 5e-3
    result = run(replace(SHORT, steps=60, optimiser=optimiser, learning_rate=rate))
    losses = [row["train_loss"] for row in result.history]
    assert losses[-1] < 0.8 * losses[0]
    assert result.stopped_because == "steps" and result.steps == 60 and result.epochs == 15
    assert not result.model.training


def test_limits_and_what_is_said_of_them():
    by_epochs = []
    result = run(
        replace(SHORT, steps=None, epochs=2), on_step=lambda *told: by_epochs.append((told[0], told[1]))
    )
    assert by_epochs[-1] == (8, 8) and result.stopped_because == "epochs" and result.epochs == 2
    told = []
    result = run(
        replace(SHORT, steps=None, cpu_minutes=0.01),
        on_step=lambda _done, total, _loss, left: told.append((total, left)),
    )
    assert result.stopped_because == "cpu_minutes" and 0.01 <= result.cpu_minutes < 0.02
    assert all(total is None for total, _ in told) and told[-1][1] == 0 < told[2][1] < 1
    with pytest.raises(SettingsError, match="never end"):
        run(replace(SHORT, steps=None))


def test_one_cycle_rises_then_falls():
    rates = [one_cycle(p) for p in np.linspace(0, 1, 101)]
    assert rates[0] == pytest.approx(0.04) and rates[-1] == pytest.approx(0.01)
    assert np.argmax(rates) == 10 and rates[10] == pytest.approx(1.0)
    assert one_cycle(0.55) == pytest.approx(0.505)


def test_a_plateau_halves_the_rate_and_stops_early():
    settings = replace(
        SHORT, steps=None, epochs=50, learning_rate=1e-3, ema=0.0, schedule="plateau", plateau_patience=1,
        early_stopping=6, keep_best=True,
    )  # fmt: skip
    worse = [-1.0]

    class Rising(Objective):
        def forward(self, model, batch, progress):
            worse[0] += 1.0
            return model(batch.image).mean() * 0 + worse[0]

    result = train(small(), Rising(), Stripes(), settings, validation=[Stripes()[0]])
    rates = [row["learning_rate"] for row in result.history]
    assert result.stopped_because == "early_stopping" and result.epochs == 7
    assert [rate / rates[0] for rate in rates] == pytest.approx([1, 1, 1, 0.5, 0.5, 0.25, 0.25])


class TwoPhases(Objective):
    """Low losses that rise before the switch, high ones that fall after it."""

    steps = 0

    def phase(self, progress):
        return int(progress >= 0.5)

    def forward(self, model, batch, progress):
        self.steps += model.training
        value = 100 - self.steps if self.phase(progress) else self.steps - 100
        return model(batch.image).mean() * 0 + value


@pytest.mark.parametrize("held_out", [[], [Stripes()[0]]])
def test_losses_of_two_phases_are_not_compared(held_out):
    settings = replace(
        SHORT, steps=None, epochs=8, learning_rate=1e-3, ema=0.0, schedule="plateau", plateau_patience=3,
        early_stopping=4, keep_best=True, optimiser="sgd", momentum=0.0, weight_decay=1.0,
    )  # fmt: skip
    objective = TwoPhases()
    kept, lasting = small(), small()
    result = train(kept, objective, Stripes(), settings, validation=held_out)
    assert result.stopped_because == "epochs" and objective.steps == 32
    assert [row["learning_rate"] for row in result.history] == pytest.approx([1e-3] * 8)
    # the best epoch of the second phase is the last one, whose weights have decayed longest
    last = train(lasting, TwoPhases(), Stripes(), replace(settings, keep_best=False), validation=held_out)
    assert same(result.model, last.model)


def test_the_mean_of_the_weights_is_kept():
    settings = replace(SHORT, steps=1, schedule="constant", ema=0.5)
    mean, last = run(settings).model, run(replace(settings, ema=0.0)).model
    # after one step the mean has gone nine tenths of the way
    name = "fuse.bias"
    start, end = small().state_dict()[name], last.state_dict()[name]
    torch.testing.assert_close(mean.state_dict()[name], start + 0.9 * (end - start))


def test_a_state_that_does_not_fit_is_named(tmp_path):
    state = tmp_path / "state.pt"
    torch.save({"step": 1}, state)
    with pytest.raises(SettingsError, match=r"state\.pt"):
        run(SHORT, state=state)
    state.write_bytes(b"no")
    with pytest.raises(SettingsError, match=r"state\.pt"):
        run(SHORT, state=state)
    state.unlink()
    run(replace(SHORT, steps=1), state=state)
    with pytest.raises(SettingsError, match="other settings"):
        run(replace(SHORT, learning_rate=1.0), state=state)
    assert run(replace(SHORT, steps=2), state=state).steps == 2


def test_a_loss_that_is_not_finite_is_said():
    with pytest.raises(EngineError, match="lower learning rate"):
        run(SHORT, Supervised(lambda logits, _truth, _weight: logits.mean() * float("nan")))


class Pooled(Objective):
    """A loss through one number a channel and crop, normalised over the batch, as in DeepLab's pooling."""

    def __init__(self):
        super().__init__()
        self.norm = torch.nn.BatchNorm2d(1)

    def forward(self, model, batch, progress):
        return self.norm(model(batch.image).mean(dim=(2, 3), keepdim=True)).square().mean()


def test_a_batch_too_small_to_normalise_is_said():
    with pytest.raises(SettingsError, match=r"1 crop\(s\) of 24 px.*batch of 2 or more"):
        run(replace(SHORT, batch=1), Pooled())
    assert run(replace(SHORT, steps=2), Pooled()).steps == 2


@pytest.mark.parametrize(
    "wrong",
    [{"optimiser": "lion"}, {"schedule": "step"}, {"batch": 0}, {"ema": 1.0}, {"crack_share": 2.0},
     {"learning_rate": 0.0}, {"learning_rate": float("nan")}, {"epochs": 0}, {"working_scale": 0.0},
     {"clip_norm": -1.0}, {"momentum": "abc"}, {"batch": "many"}, {"batch": 2.5}, {"batch": True},
     {"bf16": 1}, {"device": "moon"}, {"model_options": [4]}, {"augmentation": None}, {"ema": None}],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(SettingsError, match=re.escape(f"{name}={value!r} cannot be. Give ")):
        replace(SHORT, **wrong)


def test_a_refused_setting_says_what_may_be():
    with pytest.raises(SettingsError, match=r"Give a number above 0, or none\.$"):
        replace(SHORT, clip_norm=0)
    with pytest.raises(SettingsError, match=r"Give one of: auto, cpu, cuda\.$"):
        replace(SHORT, device="moon")


def test_the_log_repeats_no_row(tmp_path):
    state = tmp_path / "state.pt"
    with pytest.raises(CancelledError):
        run(SHORT, state=state, log_dir=tmp_path, on_step=stop_after(17))
    run(SHORT, state=state, log_dir=tmp_path)
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert lines[0].startswith("epoch,steps,train_loss,validation_loss")
    assert [line.split(",")[0] for line in lines[1:]] == ["1.0", "2.0", "3.0", "4.0", "5.0"]


def test_an_epoch_cut_short_and_gone_on_with_has_one_row(tmp_path):
    settings, state = replace(SHORT, schedule="constant"), tmp_path / "state.pt"
    run(replace(settings, steps=6), state=state, log_dir=tmp_path)
    run(replace(settings, steps=8), state=state, log_dir=tmp_path)
    whole = run(replace(settings, steps=8))
    lines = [line.split(",") for line in (tmp_path / "log.csv").read_text().splitlines()[1:]]
    assert [line[:2] for line in lines] == [["1.0", "4.0"], ["2.0", "8.0"]]
    assert [float(line[2]) for line in lines] == [row["train_loss"] for row in whole.history]


def test_the_log_needs_no_tensorboard(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    log = TrainingLog(tmp_path / "new")
    log.write([{"epoch": 1, "steps": 3, "train_loss": 0.5}])
    log.close()
    assert log.file.read_text().splitlines()[1] == "1,3,0.5,,,,"
    assert list(log.file.parent.iterdir()) == [log.file]


def test_drawn_patches_are_the_same_in_every_process():
    first, again = DrawnPatches([], RECIPE, 3)[11], DrawnPatches([], RECIPE, 3)[11]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], DrawnPatches([], RECIPE, 4)[11][0])


def test_command_line_writes_a_checkpoint_with_its_story(tmp_path):
    out = tmp_path / "small.safetensors"
    arguments = ["--steps", "2", "--batch", "1", "--patch-px", "32", "--workers", "0", "--seed", "3"]
    assert main(["--out", str(out), "--name", "small", *arguments]) == 0
    card = read_card(out)
    assert card.name == "small" and card.seed == 3 and card.command.startswith("python -m engine.train_base")
    assert str(tmp_path) not in card.command and "no human label" in card.data
    model, _ = load_checkpoint(out)
    assert model.parameter_count > 0


def test_missing_photos_are_said(tmp_path):
    with pytest.raises(SettingsError, match=r"no \.jpg"):
        main(["--out", str(tmp_path / "x.safetensors"), "--photos", str(tmp_path)])
    (tmp_path / "bad.jpg").write_bytes(b"no")
    with pytest.raises(SettingsError, match=r"bad\.jpg"):
        road_backgrounds([tmp_path / "bad.jpg"])
