"""Training with labels: crops of labelled images, and a trained model with its threshold and checkpoint."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch

from engine.augmentation import AUGMENTATIONS, crop_at, draw_warp, recoloured
from engine.checkpoints import CheckpointCard, save_checkpoint
from engine.datasets import UNKNOWN, LabelledImage, read_classes, read_truth
from engine.errors import SettingsError
from engine.inference import InferenceSettings, predict_probability_map, resolve_device
from engine.models import CrackModel, create_model
from engine.objectives import Objective
from engine.presets import make_objective
from engine.scale import spread_sample
from engine.train import OnStep, keep_freed_memory, train
from engine.train_settings import TrainResult, TrainSettings
from engine.training_run import Sample, Samples

CACHE_BYTES = 2**31
CRACK_FREE_TRIES = 50
VALIDATION_PX = 512
THRESHOLD_IMAGES = 40
THRESHOLDS = np.round(np.arange(0.02, 0.99, 0.02), 2)

Labelled = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]


def read_labelled(pair: LabelledImage, classes: int = 1, scale: float = 1.0) -> Labelled:
    """Image uint8 (H, W, 3) and class numbers uint8 (H, W), resized; see `read_classes`.

    Args:
        pair: where they are.
        classes: of the model.
        scale: factor to resize both by.

    Raises:
        EngineError: see `read_classes`.
    """
    image, numbers = read_classes(pair, classes)
    if scale == 1.0:
        return image, numbers
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    nearest = np.asarray(cv2.resize(numbers, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    if classes <= 2:  # a crack is where at least half of a pixel was one
        crack = cv2.resize((numbers == 1).astype(np.float32), size, interpolation=method) >= 0.5
        nearest = np.where(nearest == UNKNOWN, nearest, crack.astype(np.uint8))
    return np.asarray(cv2.resize(image, size, interpolation=method), np.uint8), nearest


def allot_crops(crack_pixels: Sequence[int], total: int) -> npt.NDArray[np.int64]:
    """How many crops each image gives, by its crack pixels.

    Source: seed 003, equation 3.
    departs: rounded to whole crops, so the sum may differ from `total` by a few.

    Args:
        crack_pixels: of each image.
        total: NP_train, crops in all.

    Raises:
        SettingsError: there is no crack pixel at all.
    """
    pixels = np.asarray(crack_pixels, np.float64)
    if pixels.sum() == 0:
        raise SettingsError("None of the masks shows a crack.", "Check the masks.")
    return np.asarray(np.rint(pixels / pixels.sum() * total), np.int64)


class LabelledCrops(Samples):
    """Random crops of labelled images, augmented; an epoch is `crops_per_image` times the images.

    Source: seeds 000 to 003, see `engine.augmentation` and `engine.presets`.

    Args:
        pairs: the images; kept in memory up to 2 GB, read again beyond.
        settings: of the crops, see `TrainSettings`.
        classes: outputs of the model, see `read_labelled`.

    Raises:
        SettingsError: no images.
        EngineError: see `read_classes`.
    """

    def __init__(self, pairs: Sequence[LabelledImage], settings: TrainSettings, classes: int = 1) -> None:
        if not pairs:
            raise SettingsError("There are no labelled images to train on.", "Name a data set that has some.")
        self.pairs, self.settings, self.classes = pairs, settings, classes
        self.how = AUGMENTATIONS[settings.augmentation]
        self._kept: dict[int, Labelled] = {}
        self._kept_bytes = 0
        self._drawn: tuple[int, npt.NDArray[np.int64]] = (-1, np.zeros(0, np.int64))
        self._counts = np.full(len(pairs), settings.crops_per_image)
        if settings.crops_by_cracks:
            pixels = [len(self._crack_pixels(number)) for number in range(len(pairs))]
            self._counts = allot_crops(pixels, int(self._counts.sum()))
        self.per_epoch = int(self._counts.sum())

    def __getitem__(self, index: int) -> Sample:
        epoch, place = divmod(index, self.per_epoch)
        number = int(self._order(epoch)[place])
        rng = np.random.default_rng([self.settings.seed, index])
        side = self.settings.patch_px
        image, mask = self._labelled(number)
        top, left = self._corner(rng, number)
        warp, down, right = draw_warp(rng, self.how)
        middle = (side - 1) / 2
        centre = (top + middle + down * side, left + middle + right * side)
        image, mask = crop_at(image, mask, centre, side, warp)
        return as_sample(recoloured(rng, image, self.how), mask)

    def _order(self, epoch: int) -> npt.NDArray[np.int64]:
        """Which image each crop of an epoch is cut from."""
        if self._drawn[0] != epoch:
            images = np.repeat(np.arange(len(self.pairs)), self._counts)
            # a third number: no crop's row of random numbers begins like this one
            rng = np.random.default_rng([self.settings.seed, epoch, 1])
            self._drawn = (epoch, rng.permutation(images))
        return self._drawn[1]

    def _labelled(self, number: int) -> Labelled:
        found = self._kept.get(number)
        if found is None:
            found = read_labelled(self.pairs[number], self.classes, self.settings.working_scale)
            size = found[0].nbytes + found[1].nbytes
            if self._kept_bytes + size <= CACHE_BYTES:
                self._kept[number] = found
                self._kept_bytes += size
        return found

    def _crack_pixels(self, number: int) -> npt.NDArray[np.intp]:
        mask = self._labelled(number)[1]
        return np.flatnonzero((mask > 0) & (mask != UNKNOWN))

    def _corner(self, rng: np.random.Generator, number: int) -> tuple[int, int]:
        """Top and left of a crop in its image; below zero where the image is smaller than the crop."""
        mask, side = self._labelled(number)[1], self.settings.patch_px
        room = [length - side for length in mask.shape]

        def anywhere() -> tuple[int, int]:
            top, left = (int(rng.integers(r + 1)) if r >= 0 else r // 2 for r in room)
            return top, left

        share = self.settings.crack_share
        if share is None:
            return anywhere()
        if rng.random() >= share:
            corners = [anywhere()]
            for _ in range(CRACK_FREE_TRIES):
                top, left = corners[-1]
                if not (mask[max(0, top) : top + side, max(0, left) : left + side] % UNKNOWN).any():
                    break
                corners.append(anywhere())
            return corners[-1]
        pixels = self._crack_pixels(number)
        if not len(pixels):
            return anywhere()
        at = np.unravel_index(int(pixels[rng.integers(len(pixels))]), mask.shape)
        top, left = (
            int(np.clip(rng.integers(p - side + 1, p + 1), 0, r)) if r >= 0 else r // 2
            for p, r in zip(at, room, strict=True)
        )
        return top, left


def as_sample(image: npt.NDArray[np.float32], mask: npt.NDArray[np.uint8]) -> Sample:
    """Tensors of an image (H, W, 3) in [0, 1] and its class numbers (H, W); `UNKNOWN` does not count."""
    known = torch.from_numpy(mask != UNKNOWN)[None].float()
    return torch.from_numpy(image).permute(2, 0, 1), torch.from_numpy(mask)[None].float() * known, known


class WholeImages(Sequence[Sample]):
    """Labelled images as they are, at most the middle 512 x 512 px; read when asked for."""

    def __init__(self, pairs: Sequence[LabelledImage], scale: float = 1.0, classes: int = 1) -> None:
        self.pairs, self.scale, self.classes = pairs, scale, classes

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, number: int) -> Sample:  # type: ignore[override]
        image, mask = read_labelled(self.pairs[number], self.classes, self.scale)
        top, left = (max(0, (length - VALIDATION_PX) // 2) for length in mask.shape)
        box = np.s_[top : top + VALIDATION_PX, left : left + VALIDATION_PX]
        return as_sample(np.float32(1 / 255) * image[box], np.ascontiguousarray(mask[box]))


def best_threshold(model: CrackModel, pairs: Sequence[LabelledImage], settings: TrainSettings) -> float:
    """The threshold of the highest strict F1, counts pooled over the images; 0.02 apart.

    Args:
        model: trained.
        pairs: labelled images; the more thresholds tie, the nearer to 0.5 the one taken.
        settings: its working scale and device.
    """
    inference = InferenceSettings(
        working_scale=settings.working_scale, device=settings.device, bf16=settings.bf16
    )
    hits, predicted, cracks = np.zeros(len(THRESHOLDS)), np.zeros(len(THRESHOLDS)), 0
    for pair in pairs:
        image, truth, counted = read_truth(pair, model.classes)
        probability = predict_probability_map(model, image, inference)
        if counted is not None:
            probability, truth = probability[counted], truth[counted]
        # how many pixels reach each threshold, from one pass
        for sums, pixels in ((hits, probability[truth]), (predicted, probability.ravel())):
            reached = np.searchsorted(THRESHOLDS.astype(np.float32), pixels, side="right")
            sums += np.bincount(reached, minlength=len(THRESHOLDS) + 1)[::-1].cumsum()[::-1][1:]
        cracks += int(truth.sum())
    f1 = 2 * hits / np.maximum(predicted + cracks, 1)
    best = np.flatnonzero(f1 >= f1.max() - 1e-9)
    return float(THRESHOLDS[best[np.abs(THRESHOLDS[best] - 0.5).argmin()]])


def make_network(settings: TrainSettings) -> tuple[CrackModel, Objective]:
    """The network and what it minimises, with the weights of the settings' seed.

    Raises:
        EngineError: no such network, loss, option or device, a loss that does not fit the network, or a
            library that is missing.
    """
    resolve_device(settings.device)
    torch.manual_seed(settings.seed)
    model = create_model(settings.model, **settings.model_options)
    return model, make_objective(settings.objective, model, **settings.objective_options)


def train_labelled(
    settings: TrainSettings,
    train_pairs: Sequence[LabelledImage],
    validation_pairs: Sequence[LabelledImage] = (),
    out_dir: Path | None = None,
    on_step: OnStep | None = None,
    *,
    resume: bool = False,
    data: str = "",
    command: str = "",
) -> TrainResult:
    """Train a model on labelled images and choose its threshold.

    Args:
        settings: how.
        train_pairs: images to train on.
        validation_pairs: images that choose the threshold, and whose loss is watched where the settings ask
            for it; without them the training images choose it.
        out_dir: gets checkpoint.safetensors, log.csv and, until training is finished, state.pt.
        on_step: see `engine.train.OnStep`.
        resume: go on from out_dir/state.pt where there is one; else it is removed.
        data: what the images are, for the checkpoint's card.
        command: what was typed, for the same.

    Returns:
        The model and its threshold; the minutes are those of training alone.

    Raises:
        SettingsError: settings that do not fit each other, or no images.
        EngineError: see `read_classes`, `engine.train.train`.
    """
    keep_freed_memory()
    model, objective = make_network(settings)
    samples = LabelledCrops(train_pairs, settings, model.classes)
    watched = validation_pairs if settings.watches_validation else ()
    state = None
    if out_dir is not None:
        out_dir.mkdir(parents=True, exist_ok=True)
        state = out_dir / "state.pt"
        if not resume:
            state.unlink(missing_ok=True)
    result = train(
        model,
        objective,
        samples,
        settings,
        validation=WholeImages(watched, settings.working_scale, model.classes),
        state=state,
        log_dir=out_dir,
        on_step=on_step,
    )
    chosen_on = validation_pairs or spread_sample(train_pairs, THRESHOLD_IMAGES)
    result = replace(result, threshold=best_threshold(model, chosen_on, settings))
    if out_dir is not None and state is not None:
        save_checkpoint(out_dir / "checkpoint.safetensors", model, _card(settings, result, data, command))
        state.unlink(missing_ok=True)
    return result


def _card(settings: TrainSettings, result: TrainResult, data: str, command: str) -> CheckpointCard:
    return CheckpointCard(
        name=f"{settings.model}-{settings.objective}-{settings.seed}",
        model=settings.model,
        options=dict(result.model.options),
        threshold=result.threshold,
        working_scale=settings.working_scale,
        seed=settings.seed,
        command=command,
        data=data,
        origin="trained with labels",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
