"""Train a crack network without human labels: `python -m engine.train --out base.safetensors`.

The anchor is cracks drawn on procedural pavement and, where given, on unlabelled road photos.
"""

import argparse
import copy
import ctypes
import logging
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from engine.checkpoints import CheckpointCard, load_checkpoint, save_checkpoint
from engine.errors import SettingsError
from engine.inference import InferenceSettings, predict_probability_map
from engine.losses import cross_entropy_and_dice
from engine.metrics import Counts, count_pixels
from engine.models import CrackModel, create_model, list_models
from engine.training_data import Background, PatchRecipe, road_backgrounds, training_patch

log = logging.getLogger("engine.train")


@dataclass(frozen=True)
class TrainSettings:
    """How to train.

    Attributes:
        model: name of the network.
        steps: optimiser steps in all.
        batch: patches a step.
        learning_rate: peak of the one-cycle schedule (10 % warm-up, cosine to 1 % of it).
        weight_decay: AdamW's.
        ema: decay of the running mean of the weights, which is what is kept.
        seed: of weights and patches.
        save_every: steps between saves of the state and of the checkpoint.
        workers: processes that draw patches.
        bf16: bfloat16 autocast.
    """

    model: str = "attention_resunet"
    steps: int = 6000
    batch: int = 8
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    ema: float = 0.998
    seed: int = 0
    save_every: int = 500
    workers: int = 1
    bf16: bool = True


class DrawnPatches(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """Patch number i of a seed is always the same, whatever process draws it."""

    def __init__(
        self, backgrounds: Sequence[Background], recipe: PatchRecipe, seed: int, first: int, count: int
    ) -> None:
        self.backgrounds, self.recipe = backgrounds, recipe
        self.seed, self.first, self.count = seed, first, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        if not 0 <= index < self.count:
            raise IndexError(index)
        rng = np.random.default_rng([self.seed, self.first + index])
        image, truth, counts = training_patch(rng, self.backgrounds, self.recipe)
        tensor = torch.from_numpy(image).permute(2, 0, 1).float() / 255
        return tensor, torch.from_numpy(truth)[None].float(), torch.from_numpy(counts)[None].float()


def _learning_rate(step: int, settings: TrainSettings) -> float:
    """One cycle: linear warm-up over the first tenth, then a cosine down to 1 %."""
    warm = max(1, settings.steps // 10)
    if step < warm:
        return settings.learning_rate * (step + 1) / warm
    along = (step - warm) / max(1, settings.steps - warm)
    return settings.learning_rate * (0.01 + 0.99 * 0.5 * (1 + float(np.cos(np.pi * along))))


@torch.no_grad()
def update_mean(mean: CrackModel, model: CrackModel, decay: float) -> None:
    """Move the running mean of weights and statistics towards the model's."""
    current = model.state_dict()
    for name, value in mean.state_dict().items():
        if value.is_floating_point():
            value.lerp_(current[name], 1 - decay)
        else:
            value.copy_(current[name])


def _restore(state: Path, model: CrackModel, mean: CrackModel, optimiser: torch.optim.Optimizer) -> int:
    """Continue from a state file; the step to go on with."""
    try:
        saved: dict[str, Any] = torch.load(state, weights_only=True)
        model.load_state_dict(saved["model"])
        mean.load_state_dict(saved["mean"])
        optimiser.load_state_dict(saved["optimiser"])
        return int(saved["step"])
    except (KeyError, RuntimeError, ValueError, EOFError) as error:
        raise SettingsError(
            f"{state} cannot be continued from: {error}.", "Remove it to start anew."
        ) from error


def keep_freed_memory() -> None:
    """Let glibc keep what is freed: giving activations back to the system and faulting them in again at
    every step cost up to nine tenths of the time."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        trim_threshold, top_pad, mmap_max = -1, -2, -4
        libc.mallopt(mmap_max, 0)
        libc.mallopt(trim_threshold, 2**31 - 1)
        libc.mallopt(top_pad, 64 * 2**20)


def score_on_drawn_cracks(
    model: CrackModel,
    backgrounds: Sequence[Background],
    recipe: PatchRecipe,
    seed: int,
    threshold: float,
    count: int = 64,
) -> dict[str, float]:
    """Scores on drawn cracks that training never saw; no label is used.

    Args:
        model: trained.
        backgrounds: photos to draw on; may be empty.
        recipe: how patches are made.
        seed: of the patches; they differ from those of training with the same seed.
        threshold: probability from which a pixel is a crack.
        count: patches.

    Returns:
        precision, recall, f1, tolerant_f1 (2 px), pooled over the patches.
    """
    settings = InferenceSettings(working_scale=1.0, device="cpu")
    pooled = Counts()
    for number in range(count):
        rng = np.random.default_rng([seed, 2**40 + number])
        image, truth, known = training_patch(rng, backgrounds, recipe)
        predicted = (predict_probability_map(model, image, settings) >= threshold) & known
        pooled += count_pixels(predicted, truth)
    names = ("precision", "recall", "f1", "tolerant_f1")
    return {name: round(float(getattr(pooled, name)), 4) for name in names}


def train(
    settings: TrainSettings,
    backgrounds: Sequence[Background],
    recipe: PatchRecipe,
    *,
    state: Path | None = None,
    start_from: CrackModel | None = None,
    on_save: Callable[[CrackModel, int], None] | None = None,
    on_step: Callable[[int, int, float], None] | None = None,
) -> CrackModel:
    """Train on drawn cracks.

    Args:
        settings: how.
        backgrounds: unlabelled photos; may be empty.
        recipe: how patches are made.
        state: file to resume from and to keep up to date; none is kept when None.
        start_from: weights to start with; fresh ones when None.
        on_save: called with the mean model and the steps done, every `save_every` steps and at the end.
        on_step: called with steps done, steps in all and the loss; may raise to stop.

    Returns:
        The running mean of the weights, in evaluation mode.
    """
    torch.manual_seed(settings.seed)
    model = create_model(settings.model)
    if start_from is not None:
        model.load_state_dict(start_from.state_dict())
    model = model.to(memory_format=torch.channels_last)
    mean = copy.deepcopy(model).eval()
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    first = _restore(state, model, mean, optimiser) if state is not None and state.is_file() else 0
    patches = DrawnPatches(
        backgrounds,
        recipe,
        settings.seed,
        first * settings.batch,
        max(0, settings.steps - first) * settings.batch,
    )
    model.train()
    if settings.workers:
        # a pool of OpenCV threads does not outlive the fork: workers that inherit one hang
        cv2.setNumThreads(1)
    loader = DataLoader(patches, settings.batch, num_workers=settings.workers)
    for step, (image, truth, counts) in enumerate(loader, start=first):
        for group in optimiser.param_groups:
            group["lr"] = _learning_rate(step, settings)
        with torch.autocast("cpu", torch.bfloat16, enabled=settings.bf16):
            logits = model(image.contiguous(memory_format=torch.channels_last))
        loss = cross_entropy_and_dice(logits.float(), truth, counts)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        update_mean(mean, model, min(settings.ema, (step + 1) / (step + 10)))
        done = step + 1
        if on_step is not None:
            on_step(done, settings.steps, float(loss.detach()))
        if done % settings.save_every == 0 or done == settings.steps:
            if state is not None:
                temporary = state.with_suffix(".tmp")
                parts = {"model": model.state_dict(), "mean": mean.state_dict()}
                torch.save({"step": done, "optimiser": optimiser.state_dict(), **parts}, temporary)
                temporary.replace(state)
            if on_save is not None:
                on_save(mean, done)
    return mean.eval()


class ProgressLog:
    """Says every few seconds how far training is and how long it will take."""

    def __init__(self, every_s: float = 20.0) -> None:
        self.every_s, self.started, self.last = every_s, time.monotonic(), time.monotonic()
        self.first_step: int | None = None
        self.losses: list[float] = []

    def __call__(self, done: int, total: int, loss: float) -> None:
        self.first_step = done - 1 if self.first_step is None else self.first_step
        self.losses.append(loss)
        now = time.monotonic()
        if now - self.last < self.every_s and done < total:
            return
        rate = (now - self.started) / (done - self.first_step)
        left_min = (total - done) * rate / 60
        log.info(
            "step %d/%d  loss %.4f  %.2f s/step  %.1f min left",
            done, total, float(np.mean(self.losses)), rate, left_min,
        )  # fmt: skip
        self.last, self.losses = now, []


DATA_PROCEDURAL = "Cracks drawn on procedurally made pavement; no human label."
DATA_PHOTOS = (
    "Cracks drawn on procedurally made pavement and on {count} unlabelled road photos; no human "
    "label. Photos: DNIT highway imagery, Passos et al. 2020, (c) 2020 Bianka Passos, MIT licence "
    "(github.com/biankatpas/Cracks-and-Potholes-in-Road-Images-Dataset)."
)


def _parser() -> argparse.ArgumentParser:
    default = TrainSettings()
    parser = argparse.ArgumentParser(prog="python -m engine.train", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="checkpoint to write (.safetensors)")
    parser.add_argument("--name", default="base", help="name in the checkpoint's card")
    parser.add_argument("--photos", type=Path, help="folder of unlabelled forward-view road photos")
    parser.add_argument("--state", type=Path, help="file to resume from and to keep up to date")
    parser.add_argument("--model", choices=list_models(), default=default.model)
    parser.add_argument("--steps", type=int, default=default.steps)
    parser.add_argument("--batch", type=int, default=default.batch)
    parser.add_argument("--patch-px", type=int, default=PatchRecipe().patch_px)
    parser.add_argument("--learning-rate", type=float, default=default.learning_rate)
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--save-every", type=int, default=default.save_every)
    parser.add_argument("--workers", type=int, default=default.workers)
    parser.add_argument("--threshold", type=float, default=0.5, help="written into the card")
    parser.add_argument("--start-from", help="checkpoint to continue from, of the same model")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Entry point of `python -m engine.train`; returns the exit status."""
    raw = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(raw)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    settings = TrainSettings(
        model=options.model, steps=options.steps, batch=options.batch, learning_rate=options.learning_rate,
        seed=options.seed, save_every=options.save_every, workers=options.workers,
    )  # fmt: skip
    files = sorted(options.photos.glob("*.jpg")) if options.photos else []
    if options.photos and not files:
        raise SettingsError(f"There are no .jpg files in {options.photos}.", "Check --photos.")
    keep_freed_memory()
    backgrounds = road_backgrounds(files)
    recipe = PatchRecipe(patch_px=options.patch_px)
    command = "python -m engine.train " + " ".join(shlex.quote(Path(a).name if "/" in a else a) for a in raw)
    start = None
    if options.start_from:
        start, card = load_checkpoint(options.start_from)
        command = f"{card.command} && {command}"

    def save(model: CrackModel, step: int) -> None:
        scores = score_on_drawn_cracks(model, backgrounds, recipe, settings.seed, options.threshold)
        card = CheckpointCard(
            name=options.name, model=settings.model, options=dict(model.options), threshold=options.threshold,
            seed=settings.seed, command=command, origin="base",
            data=DATA_PHOTOS.format(count=len(files)) if files else DATA_PROCEDURAL,
            scores={"drawn cracks": scores}, created=datetime.now(UTC).isoformat(timespec="seconds"),
        )  # fmt: skip
        save_checkpoint(options.out, model, card)
        log.info("step %d: wrote %s, drawn cracks %s", step, options.out, scores)

    train(
        settings,
        backgrounds,
        recipe,
        state=options.state,
        start_from=start,
        on_save=save,
        on_step=ProgressLog(),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
