"""`pavescope train` as people and scripts meet it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import typer
from torch import Tensor

from app import cli
from app.cli.train import MEASURES, make_settings, score, train
from db.settings import get_settings
from engine.benchmark import evaluate_folder
from engine.checkpoints import load_checkpoint
from engine.datasets import open_data_set
from engine.errors import EngineError, SettingsError
from engine.inference import InferenceSettings
from engine.models.attention_resunet import AttentionResUNet
from engine.train_settings import TrainResult, TrainSettings
from tests.integration.test_cli import pavescope

NOTHING = {"epochs": None, "cpu_minutes": None}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten grey photos, each with one dark line and its mask."""
    folder = tmp_path_factory.mktemp("cracks")
    for name in ("images", "masks"):
        (folder / name).mkdir()
    rng = np.random.default_rng(0)
    for number in range(10):
        mask = np.zeros((48, 64), np.uint8)
        mask[:, 6 * number : 6 * number + 1 + number] = 255  # no two as much crack
        image = np.where(mask > 0, 40, 160) + rng.integers(-20, 20, mask.shape)
        cv2.imwrite(str(folder / "images" / f"{number}.png"), image.astype(np.uint8))
        cv2.imwrite(str(folder / "masks" / f"{number}.png"), mask)
    return folder


def test_a_training_leaves_a_checkpoint_and_its_figures(tmp_path: Path, data: Path) -> None:
    out = tmp_path / "out"
    done = pavescope(
        tmp_path, "train", "--data", data, "--model", "attention_resunet:filters=4/8", "--epochs", "2",
        "--option", "patch_px=32", "--option", "batch=2", "--seed", "3", "--out", out, "--json", "-",
    )  # fmt: skip
    found = done.json
    assert found["stopped_because"] == "epochs" and found["epochs"] == len(found["history"]) == 2
    assert found["settings"]["cpu_minutes"] is None and found["settings"]["seed"] == 3
    assert 0 <= found["test"]["f1"] <= found["test"]["tolerant_f1"] <= 1
    model, card = load_checkpoint(out / "checkpoint.safetensors")
    assert card.threshold == found["threshold"] and model.options["filters"] in ((4, 8), [4, 8])
    assert card.command.startswith("pavescope train --data") and str(tmp_path) not in card.command
    assert (out / "log.csv").read_text().count("\n") == 3
    # the images that `evaluate` calls test images are those that were scored, whatever the seed
    plain = InferenceSettings(device=get_settings().device)
    again = evaluate_folder(
        data, out / "checkpoint.safetensors", layout="folder", split="test", settings=plain
    )
    assert {name: again[name] for name in MEASURES} == pytest.approx(
        {name: found["test"][name] for name in MEASURES}
    )
    with pytest.raises(SettingsError, match="finished"):
        train(data, out=out, resume=True)


def test_a_score_is_in_the_precision_that_chose_the_threshold(data: Path) -> None:
    seen = set()

    class Watched(AttentionResUNet):
        def probability(self, image: Tensor) -> Tensor:
            seen.add(torch.is_autocast_enabled("cpu"))
            return super().probability(image)

    pairs = open_data_set(data).test
    settings = TrainSettings(bf16=False)
    score(TrainResult(Watched((4, 8)), 0.5, 1, 1, 0, 0, (), "steps"), settings, pairs, 2.0)
    assert seen == {False}


def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path: Path, data: Path) -> None:
    arguments = [
        "train", "--data", data, "--model", "attention_resunet:filters=4/8", "--cpu-minutes", "9",
        "--option", "patch_px=32", "--option", "batch=2", "--out", tmp_path / "out",
    ]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", *map(str, arguments)], stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PAVESCOPE_HOME": str(tmp_path), "PAVESCOPE_DEVICE": "cpu"},
        # a shell lets what it starts in the background ignore Ctrl-C, and these tests with it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (tmp_path / "out" / "log.csv").exists() and time.monotonic() < deadline:
        time.sleep(0.1)  # the first epoch is over
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130 and "Traceback" not in said
    assert "--resume goes on" in said and "queued" not in said
    assert (tmp_path / "out" / "state.pt").is_file()


@pytest.mark.parametrize(("command", "words"), [("benchmark", "goes on where it was"), ("up", "queued work")])
def test_what_is_said_of_a_command_that_was_stopped(
    command: str, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "argv", ["pavescope", command])
    monkeypatch.setattr(cli, "app", typer.Typer())
    cli.app.command(command)(stopped)
    cli.app.command("another")(stopped)
    with pytest.raises(SystemExit, match="130"):
        cli.main()
    assert words in capsys.readouterr().err


def test_that_nothing_was_scored_is_said(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "no_test"
    for name in ("images", "masks"):  # of a single photo none is left to test with
        (folder / name).mkdir(parents=True)
        shutil.copy(data / name / "5.png", folder / name)
    train(folder, "attention_resunet:filters=4/8", option=["patch_px=32", "epochs=1"], out=tmp_path / "out")
    assert "no test images: nothing was scored" in capsys.readouterr().out


def test_what_cannot_be_trained_is_said(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SettingsError, match="seed-009"):
        train(data, preset="seed-009")
    with pytest.raises(EngineError, match="none"):
        train(tmp_path / "none")
    wrong = {"transformer": [], "attention_resunet:filters=0/8": [], "attention_resunet": ["device=moon"]}
    for model, option in wrong.items():
        with pytest.raises(SettingsError, match=r"transformer|filters=\(0, 8\)|device='moon'"):
            train(data, model, option=option, out=tmp_path / "out")
    assert "learns from" not in capsys.readouterr().out and not (tmp_path / "out").exists()


def test_a_preset_is_changed_by_what_is_typed() -> None:
    settings = make_settings(
        "seed-001", "cirl+attention_resunet:filters=4/8", {"epochs": None, "cpu_minutes": 2.0},
        ["batch=4", "loss.beta=0.1", "clip_norm=none", "augmentation=fast"], {"seed": 7},
    )  # fmt: skip
    assert (settings.model, settings.model_options) == ("attention_resunet", {"filters": (4, 8)})
    assert (settings.objective, settings.objective_options) == ("cirl", {"beta": 0.1})
    assert (settings.epochs, settings.cpu_minutes, settings.seed) == (None, 2.0, 7)
    assert (settings.batch, settings.clip_norm, settings.augmentation) == (4, None, "fast")
    assert make_settings("fast", None, NOTHING, ["augmentation=none"], {}).augmentation == "none"
    assert settings.learning_rate == 1e-4 and settings.schedule == "plateau"
    assert make_settings("seed-001", None, NOTHING, [], {}).epochs == 1000


@pytest.mark.parametrize(
    "option", ["colour=red", "batch", "batch=many", "schedule=step", "ema=none", "clip_norm=-1"]
)
def test_options_that_cannot_be_are_refused(option: str) -> None:
    with pytest.raises(SettingsError):
        make_settings("fast", None, NOTHING, [option], {})
