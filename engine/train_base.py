"""Train the base checkpoint, without human labels: `python -m engine.train_base --out base.safetensors`.

The anchor is cracks drawn on procedural pavement and, where given, on unlabelled road photos.
"""

import argparse
import logging
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.checkpoints import CheckpointCard, load_checkpoint, save_checkpoint
from engine.errors import SettingsError
from engine.inference import InferenceSettings, predict_probability_map
from engine.metrics import Counts, count_pixels
from engine.models import CrackModel, create_model, list_models
from engine.presets import make_objective
from engine.train import Samples, TrainSettings, keep_freed_memory, train
from engine.training_data import Background, PatchRecipe, road_backgrounds, training_patch

log = logging.getLogger("engine.train_base")

BASE = TrainSettings(steps=6000, workers=1)
"""AdamW, one cycle, running mean of the weights."""


class DrawnPatches(Samples):
    """Patches with drawn cracks; an epoch of them is only how often the log gets a row.

    Args:
        backgrounds: unlabelled photos; may be empty.
        recipe: how patches are made.
        seed: of the patches.
        per_epoch: patches in an epoch.
    """

    def __init__(
        self, backgrounds: Sequence[Background], recipe: PatchRecipe, seed: int, per_epoch: int = 800
    ) -> None:
        self.backgrounds, self.recipe, self.seed, self.per_epoch = backgrounds, recipe, seed, per_epoch

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        rng = np.random.default_rng([self.seed, index])
        image, truth, counts = training_patch(rng, self.backgrounds, self.recipe)
        tensor = torch.from_numpy(image).permute(2, 0, 1).float() / 255
        return tensor, torch.from_numpy(truth)[None].float(), torch.from_numpy(counts)[None].float()


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


class ProgressLog:
    """Says every few seconds how far training is and how long it will take."""

    def __init__(self, every_s: float = 20.0) -> None:
        self.every_s, self.last = every_s, time.monotonic()
        self.losses: list[float] = []

    def __call__(self, done: int, total: int | None, loss: float, minutes_left: float) -> None:
        self.losses.append(loss)
        now = time.monotonic()
        if now - self.last < self.every_s and done != total:
            return
        log.info(
            "step %d/%s  loss %.4f  %.2f s/step  %.1f min left",
            done, total, float(np.mean(self.losses)), (now - self.last) / len(self.losses), minutes_left,
        )  # fmt: skip
        self.last, self.losses = now, []


DATA_PROCEDURAL = "Cracks drawn on procedurally made pavement; no human label."
DATA_PHOTOS = (
    "Cracks drawn on procedurally made pavement and on {count} unlabelled road photos; no human "
    "label. Photos: DNIT highway imagery, Passos et al. 2020, (c) 2020 Bianka Passos, MIT licence "
    "(github.com/biankatpas/Cracks-and-Potholes-in-Road-Images-Dataset)."
)


def _parser() -> argparse.ArgumentParser:
    default = BASE
    parser = argparse.ArgumentParser(prog="python -m engine.train_base", description=__doc__)
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
    """Entry point of `python -m engine.train_base`; returns the exit status."""
    raw = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(raw)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    settings = replace(
        BASE, model=options.model, steps=options.steps, batch=options.batch, patch_px=options.patch_px,
        learning_rate=options.learning_rate, seed=options.seed, save_every=options.save_every,
        workers=options.workers,
    )  # fmt: skip
    files = sorted(options.photos.glob("*.jpg")) if options.photos else []
    if options.photos and not files:
        raise SettingsError(f"There are no .jpg files in {options.photos}.", "Check --photos.")
    keep_freed_memory()
    backgrounds = road_backgrounds(files)
    recipe = PatchRecipe(patch_px=options.patch_px)
    command = "python -m engine.train_base " + " ".join(
        shlex.quote(Path(a).name if "/" in a else a) for a in raw
    )
    torch.manual_seed(settings.seed)
    network = create_model(settings.model)
    if options.start_from:
        start, card = load_checkpoint(options.start_from)
        network.load_state_dict(start.state_dict())
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
        network,
        make_objective(settings.objective, network),
        DrawnPatches(backgrounds, recipe, settings.seed),
        settings,
        state=options.state,
        on_save=save,
        on_step=ProgressLog(),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
