"""What a network is sure of on photos without labels: its own answers, to be trained on further."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from engine.adaptation_photos import Mask, PreparedPhoto
from engine.errors import DivergedError
from engine.inference import InferenceSettings, predict_probability_map
from engine.models.base import CrackModel

Probability = npt.NDArray[np.float32]

SURE = (0.25, 0.75)
"""Probabilities below which sound pavement is believed and above which a crack is; between them a pixel
teaches nothing."""


def label_photos(
    model: CrackModel,
    photos: Sequence[PreparedPhoto],
    settings: InferenceSettings,
    folder: Path,
    on_photo: Callable[[int, int], None] | None = None,
) -> list[Probability]:
    """The probability of each photo, averaged over its mirror images.

    Each is kept in `folder` as 16-bit PNG, so that a restart goes on.

    Args:
        model: the teacher.
        photos: at the working scale.
        settings: how to predict; its scale is not used.
        folder: is made; holds one file for each photo.
        on_photo: called with photos done and in all; may raise `CancelledError`.

    Raises:
        DivergedError: answers that are no numbers.
    """

    def beat(number: int) -> Callable[[int, int], None] | None:
        return None if on_photo is None else lambda _done, _total: on_photo(number, len(photos))

    flipped = replace(settings, working_scale=1.0, flips=True)
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for number, photo in enumerate(photos):
        file = folder / f"{number:05d}.png"
        kept = cv2.imread(str(file), cv2.IMREAD_UNCHANGED) if file.is_file() else None
        if kept is None:
            probability = predict_probability_map(model, photo.image, flipped, beat(number))
            if not np.isfinite(probability).all():
                raise DivergedError(
                    "The network's answers are no numbers any more.", "Lower the learning rate."
                )
            kept = np.round(probability * 65535).astype(np.uint16)
            temporary = file.with_suffix(".tmp.png")
            cv2.imwrite(str(temporary), kept)
            temporary.replace(file)
        found.append(np.asarray(kept, np.float32) / np.float32(65535))
        if on_photo is not None:
            on_photo(number + 1, len(photos))
    return found


def believed(
    probability: Probability, region: Mask | None = None, sure: tuple[float, float] = SURE
) -> tuple[Mask, Mask]:
    """Split a probability map into what is believed.

    Args:
        probability: float32 (H, W).
        region: where anything is believed at all, bool (H, W); None: everywhere.
        sure: see `SURE`.

    Returns:
        crack and known, each bool (H, W); where not known the pixel teaches nothing.
    """
    crack = probability > sure[1]
    known = crack | (probability < sure[0])
    return crack, known if region is None else known & region
