"""Score a checkpoint on a labelled data set."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.datasets import (
    UNKNOWN,
    LabelledImage,
    find_pairs,
    open_data_set,
    read_classes,
    read_pair,
    read_truth,
)
from engine.errors import EngineError
from engine.inference import InferenceSettings, predict_probability_map, resolve_device
from engine.metrics import DEFAULT_THRESHOLDS, Counts, sweep_thresholds
from engine.metrics_classes import class_ious, confusion_matrix, mean_iou
from engine.models.base import CrackModel
from engine.scale import SAMPLE_IMAGES, estimate_working_scale, sample_middle, spread_sample

OWN_MEASURES = (
    "precision", "recall", "f1", "iou", "tolerant_precision", "tolerant_recall", "tolerant_f1",
)  # fmt: skip
BEST_MEASURES = ("f1", "tolerant_f1", "iou")

Scorer = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]
ModelScorer = Callable[[CrackModel, npt.NDArray[np.uint8]], npt.NDArray[np.float32]]


def sweep_pairs(
    pairs: Sequence[LabelledImage],
    score: Scorer,
    thresholds: Sequence[float],
    tolerance_px: float = 2.0,
    on_image: Callable[[int, int], None] | None = None,
    classes: int = 1,
) -> list[Counts]:
    """Counts pooled over images, one per threshold.

    Args:
        pairs: the data set.
        score: image uint8 (H, W, 3) -> score float32 (H, W).
        thresholds: on that score.
        tolerance_px: see `count_pixels`.
        on_image: called with images done and images in all; may raise `CancelledError`.
        classes: of the model; above 2, truth is every class number but 0.
    """
    pooled = [Counts() for _ in thresholds]
    for number, pair in enumerate(pairs, start=1):
        image, truth, counted = read_truth(pair, classes)
        counts = sweep_thresholds(score(image), truth, thresholds, tolerance_px, counted)
        pooled = [a + b for a, b in zip(pooled, counts, strict=True)]
        if on_image is not None:
            on_image(number, len(pairs))
    return pooled


class _OneClass(CrackModel):
    """A model that says how likely one of its classes is, as others say it of cracks."""

    def __init__(self, model: CrackModel, number: int) -> None:
        super().__init__(model.classes)
        self.model, self.number = model, number

    def forward_padded(self, image: Tensor) -> Tensor:
        """See `CrackModel`."""
        return self.model.forward_padded(image)

    @property
    def last_features(self) -> torch.nn.Module:
        """See `CrackModel`."""
        return self.model.last_features

    @torch.no_grad()
    def probability(self, image: Tensor) -> Tensor:
        """Probability (B, H, W) of the class."""
        return torch.softmax(self.model(image).float(), dim=1)[:, self.number]


def class_scores(model: CrackModel, pairs: Sequence[LabelledImage], score: ModelScorer) -> dict[str, Any]:
    """IoU of each class and their mean, pixels pooled over images; the likeliest class is the one predicted.

    Args:
        model: of two classes or more.
        pairs: the data set, see `read_classes`.
        score: model and image uint8 (H, W, 3) -> probability float32 (H, W); called once a class.

    Returns:
        class_0_iou ... (None where a class is neither there nor predicted) and miou; nothing for a model of
        up to two classes, whose one class is the crack.

    Raises:
        EngineError: see `read_classes`.
    """
    if model.classes <= 2:
        return {}
    confusion = np.zeros((model.classes, model.classes), np.int64)
    for pair in pairs:
        image, truth = read_classes(pair, model.classes)
        likely = [score(_OneClass(model, number), image) for number in range(model.classes)]
        known = truth != UNKNOWN
        confusion += confusion_matrix(np.argmax(likely, axis=0)[known], truth[known], model.classes)
    ious = {f"class_{number}_iou": float(iou) for number, iou in enumerate(class_ious(confusion))}
    return {name: None if np.isnan(iou) else iou for name, iou in ious.items()} | {
        "miou": mean_iou(confusion)
    }


def _pairs_of(
    data_dir: Path, names: Iterable[str] | None, layout: str | None, split: str
) -> Sequence[LabelledImage]:
    if names is not None:
        return find_pairs(data_dir, names)
    if layout is None and split == "all" and (data_dir / "images").is_dir():
        layout = "folder"  # everything that lies there, also what a known set's split leaves out
    pairs = open_data_set(data_dir, layout).part(split)
    if not pairs:
        raise EngineError(f"{data_dir} has no images for {split}.", "Score another split, or all.")
    return pairs


def evaluate_folder(
    data_dir: Path | str,
    checkpoint: str | Path = "base",
    tolerance_px: float = 2.0,
    *,
    names: Iterable[str] | None = None,
    layout: str | None = None,
    split: str = "all",
    settings: InferenceSettings | None = None,
    patch_px: int | None = None,
    stride_px: int = 1,
    on_image: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Score a checkpoint on a data set, at its own threshold and at the best of a sweep.

    Args:
        data_dir: holds `images/` and `masks/`, or a data set as published.
        checkpoint: a file, or the name of a shipped one.
        tolerance_px: distance that tolerant measures forgive.
        names: stems of the images to use, from `images/` and `masks/`; all when None.
        layout: of the data set, see `engine.datasets.LAYOUTS`; recognised when None.
        split: images to use, one of `engine.datasets.SPLITS`.
        settings: how to predict; a threshold or working scale left None is the checkpoint's own, the scale
            estimated from the images (never from the masks) unless the checkpoint fixes one.
        patch_px: predict by overlapping patches of that side, at scale 1 (seed 003); None: whole images.
        stride_px: of those patches.
        on_image: called with images done and images in all.

    Returns:
        images, checkpoint, threshold, working_scale, precision, recall, f1, iou, tolerant_precision,
        tolerant_recall, tolerant_f1, best {threshold, f1, tolerant_f1, iou}, seconds, and for a model of more
        than two classes those of `class_scores`; its cracks are all classes but 0. The best threshold is that
        of the highest strict F1. Counts are pooled over all images.

    Raises:
        EngineError: see `open_data_set`, `read_classes`, `load_checkpoint`.
    """
    from engine.checkpoints import load_checkpoint
    from engine.patch_prediction import predict_patches

    started = time.monotonic()
    pairs = _pairs_of(Path(data_dir), names, layout, split)
    settings = settings or InferenceSettings()
    model, card = load_checkpoint(checkpoint)
    threshold = card.threshold if settings.threshold is None else settings.threshold
    scale = card.working_scale if settings.working_scale is None else settings.working_scale
    scale = scale if patch_px is None else 1.0
    if scale is None:
        sample = [sample_middle(read_pair(pair)[0]) for pair in spread_sample(pairs, SAMPLE_IMAGES)]
        scale = estimate_working_scale(model, sample, settings).scale
    settings = replace(settings, threshold=threshold, working_scale=scale)
    thresholds = sorted({*DEFAULT_THRESHOLDS, threshold})

    def score(model: CrackModel, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        if patch_px is None:
            return predict_probability_map(model, image, settings)
        return predict_patches(model, image, patch_px, stride_px, device=resolve_device(settings.device))

    pooled = sweep_pairs(
        pairs, partial(score, model), thresholds, tolerance_px, on_image, classes=model.classes
    )
    own = pooled[thresholds.index(threshold)]
    best_threshold, best = max(zip(thresholds, pooled, strict=True), key=lambda pair: pair[1].f1)
    return {
        "images": len(pairs),
        "checkpoint": str(checkpoint),
        "threshold": threshold,
        "working_scale": scale,
        **{name: getattr(own, name) for name in OWN_MEASURES},
        **class_scores(model, pairs, score),
        "best": {"threshold": best_threshold} | {name: getattr(best, name) for name in BEST_MEASURES},
        "seconds": time.monotonic() - started,
    }
