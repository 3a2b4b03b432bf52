"""Score a checkpoint on a folder of images and masks."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from engine.errors import EngineError
from engine.inference import InferenceSettings, predict_probability_map
from engine.metrics import DEFAULT_THRESHOLDS, Counts, sweep_thresholds
from engine.scale import SAMPLE_IMAGES, estimate_working_scale, sample_middle, spread_sample

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")


@dataclass(frozen=True)
class LabelledImage:
    """An image file and the file of its mask."""

    image: Path
    mask: Path


def find_pairs(data_dir: Path, names: Iterable[str] | None = None) -> list[LabelledImage]:
    """Images of a data set with their masks, sorted by name.

    Args:
        data_dir: holds `images/` and `masks/`; a mask has its image's stem and any image suffix.
        names: stems to take; all when None.

    Raises:
        EngineError: no such folders, no images, an image without a mask, or a name that is not there.
    """
    images, masks = data_dir / "images", data_dir / "masks"
    if not images.is_dir() or not masks.is_dir():
        raise EngineError(
            f"{data_dir} has no folders images/ and masks/.",
            "Put the images and their masks (same names) there.",
        )
    by_stem = {p.stem: p for p in sorted(masks.iterdir()) if p.suffix.lower() in IMAGE_SUFFIXES}
    files = {p.stem: p for p in sorted(images.iterdir()) if p.suffix.lower() in IMAGE_SUFFIXES}
    wanted = sorted(files) if names is None else sorted(names)
    if not wanted:
        raise EngineError(f"{images} holds no images.", f"Put files there, as {', '.join(IMAGE_SUFFIXES)}.")
    for stem in wanted:
        if stem not in files:
            raise EngineError(f"There is no image {images / stem}.*", "Correct the list of names.")
        if stem not in by_stem:
            raise EngineError(
                f"{files[stem]} has no mask {masks / stem}.*", "Add the mask, or take the image away."
            )
    return [LabelledImage(files[stem], by_stem[stem]) for stem in wanted]


def read_pair(pair: LabelledImage) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """RGB image uint8 (H, W, 3) and its mask bool (H, W): True above half of the mask's range.

    Raises:
        EngineError: a file that cannot be decoded, or sizes that differ.
    """
    # labels belong to the stored pixels: no turning by EXIF
    image = cv2.imread(str(pair.image), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    mask = cv2.imread(str(pair.mask), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None or mask is None:
        file = pair.image if image is None else pair.mask
        raise EngineError(f"{file} is not a readable image.", "Replace it.")
    if image.shape[:2] != mask.shape:
        raise EngineError(
            f"{pair.mask} is {mask.shape[1]}x{mask.shape[0]} px, "
            f"its image {image.shape[1]}x{image.shape[0]} px.",
            "Give the mask the size of its image.",
        )
    # 0/1 masks are met as often as 0/255
    return np.asarray(image, np.uint8), np.asarray(mask > (127 if mask.max() > 1 else 0))


Scorer = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]


def sweep_pairs(
    pairs: Sequence[LabelledImage],
    score: Scorer,
    thresholds: Sequence[float],
    tolerance_px: float = 2.0,
    on_image: Callable[[int, int], None] | None = None,
) -> list[Counts]:
    """Counts pooled over images, one per threshold.

    Args:
        pairs: the data set.
        score: image uint8 (H, W, 3) -> score float32 (H, W).
        thresholds: on that score.
        tolerance_px: see `count_pixels`.
        on_image: called with images done and images in all; may raise `CancelledError`.
    """
    pooled = [Counts() for _ in thresholds]
    for number, pair in enumerate(pairs, start=1):
        image, truth = read_pair(pair)
        counts = sweep_thresholds(score(image), truth, thresholds, tolerance_px)
        pooled = [a + b for a, b in zip(pooled, counts, strict=True)]
        if on_image is not None:
            on_image(number, len(pairs))
    return pooled


def evaluate_folder(
    data_dir: Path | str,
    checkpoint: str | Path = "base",
    tolerance_px: float = 2.0,
    *,
    names: Iterable[str] | None = None,
    settings: InferenceSettings | None = None,
    on_image: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Score a checkpoint on a data set, at its own threshold and at the best of a sweep.

    Args:
        data_dir: holds `images/` and `masks/`.
        checkpoint: a file, or the name of a shipped one.
        tolerance_px: distance that tolerant measures forgive.
        names: stems of the images to use; all when None.
        settings: how to predict; a threshold or working scale left None is the checkpoint's own, the scale
            estimated from the images (never from the masks) unless the checkpoint fixes one.
        on_image: called with images done and images in all.

    Returns:
        images, checkpoint, threshold, working_scale, precision, recall, f1, iou, tolerant_precision,
        tolerant_recall, tolerant_f1, best {threshold, f1, tolerant_f1, iou}, seconds. The best threshold is
        that of the highest strict F1. Counts are pooled over all images.

    Raises:
        EngineError: see `find_pairs`, `read_pair`, `load_checkpoint`.
    """
    from engine.checkpoints import load_checkpoint

    started = time.monotonic()
    pairs = find_pairs(Path(data_dir), names)
    settings = settings or InferenceSettings()
    model, card = load_checkpoint(checkpoint)
    threshold = card.threshold if settings.threshold is None else settings.threshold
    scale = card.working_scale if settings.working_scale is None else settings.working_scale
    if scale is None:
        sample = [sample_middle(read_pair(pair)[0]) for pair in spread_sample(pairs, SAMPLE_IMAGES)]
        scale = estimate_working_scale(model, sample, settings).scale
    settings = replace(settings, threshold=threshold, working_scale=scale)
    thresholds = sorted({*DEFAULT_THRESHOLDS, threshold})
    pooled = sweep_pairs(
        pairs,
        lambda image: predict_probability_map(model, image, settings),
        thresholds,
        tolerance_px,
        on_image,
    )
    own = pooled[thresholds.index(threshold)]
    best_threshold, best = max(zip(thresholds, pooled, strict=True), key=lambda pair: pair[1].f1)
    return {
        "images": len(pairs),
        "checkpoint": str(checkpoint),
        "threshold": threshold,
        "working_scale": scale,
        "precision": own.precision,
        "recall": own.recall,
        "f1": own.f1,
        "iou": own.iou,
        "tolerant_precision": own.tolerant_precision,
        "tolerant_recall": own.tolerant_recall,
        "tolerant_f1": own.tolerant_f1,
        "best": {
            "threshold": best_threshold,
            "f1": best.f1,
            "tolerant_f1": best.tolerant_f1,
            "iou": best.iou,
        },
        "seconds": time.monotonic() - started,
    }
