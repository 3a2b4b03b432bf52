"""A survey's photos as adaptation sees them: at the working scale, with the lane and what may be cracked."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from engine.candidates import candidate_mask
from engine.errors import InvalidImageError, SettingsError
from engine.pavement import RgbImage

Mask = npt.NDArray[np.bool_]

MOST_PHOTOS = 160
"""More photos than this add time, not knowledge."""
LARGEST_SIDE_PX = 768
HELD_BACK_SHARE = 0.15
MOST_HELD_BACK = 12
SUSPECT_RESPONSE, SUSPECT_LENGTH_PX = 3.2, 14.0
"""Low, so that no real crack is taught as sound: the study's 17 to 20 % of the pixels."""


@dataclass(frozen=True)
class SurveyPhoto:
    """An unlabelled photo of the survey to adapt to.

    Attributes:
        name: for messages.
        read: gives the image, uint8 (H, W, 3), RGB; may raise `InvalidImageError`.
        region: gives the part that is judged (the lane), bool (H, W); None: all of it.
    """

    name: str
    read: Callable[[], RgbImage]
    region: Callable[[], Mask] | None = None


@dataclass(frozen=True)
class PreparedPhoto:
    """A photo at the working scale.

    Attributes:
        name: of the photo.
        image: uint8 (h, w, 3).
        region: bool (h, w); None: all of it.
    """

    name: str
    image: RgbImage
    region: Mask | None = None


def _box(region: Mask | None, shape: tuple[int, int]) -> tuple[slice, slice]:
    if region is None or not region.any():
        return slice(0, shape[0]), slice(0, shape[1])
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def cut_to_region(photo: SurveyPhoto) -> tuple[RgbImage, Mask | None]:
    """The photo and its region, both cut to the region's box.

    Raises:
        InvalidImageError: it cannot be read.
        SettingsError: a region of another size.
    """
    image = photo.read()
    region = photo.region() if photo.region is not None else None
    if region is not None and region.shape != image.shape[:2]:
        raise SettingsError(
            f"The region of {photo.name} is {region.shape[1]} x {region.shape[0]} px, the photo "
            f"{image.shape[1]} x {image.shape[0]}.",
            "Give regions of the photos' own size.",
        )
    box = _box(region, (image.shape[0], image.shape[1]))
    return image[box], region[box] if region is not None else None


def prepared(photo: SurveyPhoto, working_scale: float, rng: np.random.Generator) -> PreparedPhoto:
    """Read a photo, cut it to its region's box, resize it, and keep at most a square of `LARGEST_SIDE_PX`.

    Raises:
        InvalidImageError: it cannot be read.
    """
    image, region = cut_to_region(photo)
    side = round(LARGEST_SIDE_PX / working_scale)
    top, left = (int(rng.integers(0, max(0, size - side) + 1)) for size in image.shape[:2])
    cut = np.s_[top : top + side, left : left + side]
    image, region = image[cut], region[cut] if region is not None else None
    size = tuple(max(1, round(length * working_scale)) for length in image.shape[1::-1])
    if size != image.shape[1::-1]:
        method = cv2.INTER_AREA if working_scale < 1 else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(image, size, interpolation=method), np.uint8)
        if region is not None:
            small = cv2.resize(region.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
            region = np.asarray(small > 0)
    return PreparedPhoto(photo.name, np.ascontiguousarray(image), region)


def read_photos(
    photos: Sequence[SurveyPhoto],
    working_scale: float,
    seed: int,
    on_photo: Callable[[int, int], None] | None = None,
) -> list[PreparedPhoto]:
    """All photos at the working scale; those that cannot be read are left out.

    Args:
        photos: of the survey, at most `MOST_PHOTOS` of them.
        working_scale: factor to resize by.
        seed: of the squares that are kept of large photos.
        on_photo: called with photos done and in all; may raise `CancelledError`.
    """
    found = []
    for number, photo in enumerate(photos):
        rng = np.random.default_rng([seed, number])
        with suppress(InvalidImageError):  # the import said why; the others suffice
            found.append(prepared(photo, working_scale, rng))
        if on_photo is not None:
            on_photo(number + 1, len(photos))
    return found


def hold_back(count: int, seed: int) -> tuple[list[int], list[int]]:
    """Numbers of the photos to adapt on, and of those kept for the gate."""
    kept = min(MOST_HELD_BACK, max(2, round(HELD_BACK_SHARE * count)))
    order = np.random.default_rng([seed, count]).permutation(count)
    return sorted(order[kept:].tolist()), sorted(order[:kept].tolist())


def suspect_mask(photo: PreparedPhoto) -> Mask:
    """Where real cracks may be, and where nothing is judged: never taught as sound pavement; bool (h, w)."""
    suspect = candidate_mask(photo.image, threshold=SUSPECT_RESPONSE, min_length_px=SUSPECT_LENGTH_PX)
    return suspect if photo.region is None else suspect | ~photo.region


def read_region(path: Path) -> Mask:
    """A region from a picture of any kind: True where it is lighter than middle grey; bool (H, W).

    Raises:
        SettingsError: it cannot be read.
    """
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise SettingsError(f"{path} is not a readable picture.", "Give a PNG that is white in the region.")
    return np.asarray(image > 127)
