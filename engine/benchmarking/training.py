"""Make one run: train a network on a data set's labels, predict its test images, score them (torch)."""

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch

from engine.benchmarking.gallery import pictured_images
from engine.benchmarking.plan import CHECKPOINT, DETECTOR, Method, Run, RunSettings
from engine.benchmarking.results import BEGUN_FILE, RESULT_FILE, RunResult, write_json
from engine.benchmarking.scoring import detect, detector_threshold, score_predictions
from engine.candidates import connected_lines, ridge_response
from engine.checkpoints import file_sha256, load_checkpoint, resolve_checkpoint
from engine.complexity import measure_complexity
from engine.datasets import DataSet, LabelledImage, read_pair
from engine.errors import SettingsError
from engine.inference import InferenceSettings, predict_probability_map, resolve_device
from engine.labelled_data import train_labelled
from engine.metrics import DEFAULT_THRESHOLDS
from engine.models import create_model
from engine.models.base import CrackModel
from engine.presets import LOSSES, make_objective, preset_settings
from engine.scale import SAMPLE_IMAGES, estimate_working_scale, sample_middle, spread_sample
from engine.train_settings import TrainSettings

VALIDATION_EVERY = 7
TRAINING_WEIGHT = 0.9
"""Share of a run's time that training is taken to need: for the time left only."""
ATTENTION_PX = 448
ATTENTION = "attention"

Pairs = tuple[LabelledImage, ...]
Report = Callable[[float], None]
"""Called with the share of the run that is done, in [0, 1]."""


def train_settings(method: Method, settings: RunSettings, seed: int) -> TrainSettings:
    """The preset's settings with the method's network and loss, and the benchmark's limits.

    Epochs or minutes take the place of the preset's own limit.

    Raises:
        SettingsError: an unknown preset or loss.
    """
    preset = preset_settings(settings.preset, method.model)
    if method.loss is not None and method.loss not in LOSSES:
        raise SettingsError(
            f"There is no loss named {method.loss!r}.", f"Choose one of: {', '.join(LOSSES)}."
        )
    own_loss = method.loss is not None and method.loss != preset.objective
    limits: dict[str, Any] = {}
    if settings.epochs is not None or settings.cpu_minutes is not None:
        limits = {"steps": None, "epochs": settings.epochs, "cpu_minutes": settings.cpu_minutes}
    return replace(
        preset,
        model_options=dict(method.options),
        objective=method.loss or preset.objective,
        objective_options={} if own_loss else preset.objective_options,
        seed=seed,
        device=resolve_device(settings.device),
        **limits,
    )


def split_validation(data: DataSet, wanted: bool) -> tuple[Pairs, Pairs]:
    """Images to train on, and those whose loss is watched and that choose the threshold.

    The data set's own, where it sets some aside; else every seventh training image, where the preset watches
    a loss; else none, and the training images choose the threshold. Never the test images.

    Args:
        data: the data set.
        wanted: whether the preset watches a loss.
    """
    if data.validation or not wanted:
        return data.train, data.validation
    held = set(range(len(data.train))[VALIDATION_EVERY // 2 :: VALIDATION_EVERY]) or {0}
    rest = tuple(pair for number, pair in enumerate(data.train) if number not in held)
    return rest, tuple(data.train[number] for number in sorted(held))


def resolve_method(method: Method, settings: RunSettings) -> dict[str, Any]:
    """What a method comes to; making it once tells a wrong name before hours of training.

    Returns:
        `network`: its name and all its options, or the hash of a checkpoint; `training`: the settings, None
        for a method that is not trained. Nothing of the seed or the device is in it.

    Raises:
        EngineError: no such network, option, loss, preset or checkpoint, a loss that does not fit it,
            or a library that is missing.
    """
    if method.kind == DETECTOR:
        return {"network": DETECTOR, "training": None}
    if method.kind == CHECKPOINT:
        load_checkpoint(method.model)
        return {"network": file_sha256(resolve_checkpoint(method.model)), "training": None}
    chosen = asdict(train_settings(method, settings, 0))
    model = create_model(method.model, **method.options)
    make_objective(chosen["objective"], model, **chosen["objective_options"])
    elsewhere = ("model_options", "seed", "device", "save_every", "workers")
    training = {name: value for name, value in chosen.items() if name not in elsewhere}
    return {"network": [method.model, model.options], "training": training}


def _picture_attention(model: CrackModel, images: list[dict[str, Any]], data: DataSet, folder: Path) -> None:
    """Attention of the pictured images as grey PNG files, named in their mapping under `attention`."""
    device = next(model.parameters()).device
    common, worst = pictured_images(images)
    for index in sorted({*common, *worst}):
        image = read_pair(data.test[index])[0]
        shrink = min(1.0, ATTENTION_PX / max(image.shape[:2]))
        small = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        tensor = torch.from_numpy(small).permute(2, 0, 1)[None].float().to(device) / 255
        files: dict[str, str] = {}
        for name, found in model.attention_maps(tensor).items():
            (folder / ATTENTION).mkdir(exist_ok=True)
            files[name] = f"{ATTENTION}/{index:04d}-{len(files)}.png"
            grey = (found[0].float().clamp(0, 1) * 255).round().byte().cpu().numpy()
            cv2.imwrite(str(folder / files[name]), grey)
        if not files:
            return
        images[index]["attention"] = files


Made = tuple[CrackModel, float, InferenceSettings, dict[str, Any]]
"""Network, threshold, how it predicts, and what training took."""


def _trained(run: Run, settings: RunSettings, folder: Path, report: Report) -> Made:
    """A network, and the way of predicting that its threshold was chosen for."""
    chosen = train_settings(run.method, settings, run.seed or 0)
    train, validation = split_validation(run.data, chosen.watches_validation)
    started = time.monotonic()

    def on_step(done: int, total: int | None, loss: float, minutes_left: float) -> None:
        spent = (time.monotonic() - started) / 60
        report(TRAINING_WEIGHT * spent / max(spent + minutes_left, 1e-9))

    result = train_labelled(
        chosen, train, validation, folder, on_step, resume=True, command="pavescope benchmark",
        data=f"{len(train)} labelled images of {run.data.name}.",
    )  # fmt: skip
    took = {
        name: getattr(result, name)
        for name in ("steps", "epochs", "cpu_minutes", "wall_minutes", "stopped_because")
    }
    inference = InferenceSettings(
        result.threshold, chosen.working_scale, device=chosen.device, bf16=chosen.bf16
    )
    return result.model, result.threshold, inference, {**took, "settings": asdict(chosen)}


def _shipped(run: Run, settings: RunSettings) -> Made:
    """A checkpoint as it is; a working scale it does not fix is estimated on unlabelled training images."""
    model, card = load_checkpoint(run.method.model)
    scale = card.working_scale
    if scale is None:
        sample = [sample_middle(read_pair(pair)[0]) for pair in spread_sample(run.data.train, SAMPLE_IMAGES)]
        scale = estimate_working_scale(model, sample, InferenceSettings()).scale
    return model, card.threshold, InferenceSettings(card.threshold, scale, device=settings.device), {}


def make_run(run: Run, settings: RunSettings, folder: Path, report: Report, identity: str) -> None:
    """Make one run and write its result; a run that was killed goes on where its training was saved.

    Args:
        run: what.
        settings: shared by all runs.
        folder: for the checkpoint, the log, the predictions and, at last, `result.json`.
        report: told how far it is.
        identity: of the run, see `engine.benchmarking.identity`; kept before training and in the result.

    Raises:
        EngineError: whatever keeps this run from being made.
    """
    write_json(folder / BEGUN_FILE, {"identity": identity})
    model: CrackModel | None = None
    training: dict[str, Any] = {}
    if run.method.kind == DETECTOR:
        ridge = detector_threshold(run.data.train, settings.tolerance_px)
        threshold = 0.5

        def predict(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
            return detect(image, ridge)
    else:
        checkpoint = run.method.kind == CHECKPOINT
        made = _shipped(run, settings) if checkpoint else _trained(run, settings, folder, report)
        model, threshold, inference, training = made

        def predict(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
            return predict_probability_map(model, image, inference)

    before = TRAINING_WEIGHT if training else 0.0
    sweep = (threshold,) if model is None else DEFAULT_THRESHOLDS
    images, pooled, predict_s = score_predictions(
        run.data.test, predict, threshold, settings.tolerance_px, folder,
        on_image=lambda done, total: report(before + (1 - before) * done / total),
        classes=1 if model is None else model.classes, thresholds=sweep,
    )  # fmt: skip
    if model is not None:
        _picture_attention(model, images, run.data, folder)
    result = RunResult(
        data=run.data.name, method=run.method.text, seed=run.seed, settings=asdict(settings),
        threshold=ridge if model is None else threshold,
        images=images, pooled=pooled, training=training, predict_s=predict_s,
        identity=identity,
    )  # fmt: skip
    write_json(folder / RESULT_FILE, asdict(result))


def method_complexity(method: Method, device: str) -> dict[str, Any]:
    """parameters_m, gflops_448, ms_448 and device of a method, measured here on 448 x 448 px."""
    if method.kind == DETECTOR:
        image = np.random.default_rng(0).integers(0, 256, (448, 448, 3), np.uint8)
        times = []
        for _ in range(5):
            started = time.perf_counter()
            connected_lines(ridge_response(image), 4.0)
            times.append(time.perf_counter() - started)
        return {"parameters_m": None, "gflops_448": None, "ms_448": 1e3 * sorted(times)[2], "device": "cpu"}
    if method.kind == CHECKPOINT:
        model = load_checkpoint(method.model)[0]
    else:
        model = create_model(method.model, **method.options)
    return asdict(measure_complexity(model, 448, resolve_device(device)))
