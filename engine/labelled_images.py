"""An image and its label: find the files and read them (torch-free)."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from engine.errors import EngineError

Mask = npt.NDArray[np.bool_]

UNKNOWN = 255
"""In masks of class numbers: a pixel that counts for nothing."""

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif")
MASK_SUFFIXES = (*IMAGE_SUFFIXES, ".mat")
MASK_ENDINGS = ("", "_mask", "_gt", "_label")
"""What may follow the image's stem in the mask's."""


@dataclass(frozen=True)
class LabelledImage:
    """An image file and the file of its mask.

    Attributes:
        image: the photo.
        mask: an image of the same size, or a MATLAB file with `groundTruth.Segmentation`.
        crack_values: pixel values of the mask that are crack. None: the upper half of its range, be that 0/1
            or 0/255; (0,): the lower half, for cracks drawn black on white; so the noise of JPEG does not
            matter. Other values are taken exactly. In a MATLAB file None is (2,), as in CrackForest.
        field_of_view: an image whose upper half is what the photo shows; the rest counts for nothing.
    """

    image: Path
    mask: Path
    crack_values: tuple[int, ...] | None = None
    field_of_view: Path | None = None


def files_by_stem(folder: Path, suffixes: tuple[str, ...] = IMAGE_SUFFIXES) -> dict[str, Path]:
    """Files of a folder with one of the suffixes, by their stem, sorted."""
    return {file.stem: file for file in sorted(folder.iterdir()) if file.suffix.lower() in suffixes}


def pair_files(
    images: tuple[Path, dict[str, Path]],
    masks: tuple[Path, dict[str, Path]],
    names: Iterable[str] | None = None,
    crack_values: tuple[int, ...] | None = None,
) -> list[LabelledImage]:
    """Photos with their masks, sorted by name.

    Args:
        images: a folder, and its photos by their stem.
        masks: a folder, and its masks; a mask has its image's stem, or that with one of `MASK_ENDINGS`.
        names: stems to take; all when None.
        crack_values: see `LabelledImage`.

    Raises:
        EngineError: no images, an image without a mask, or a name that is not there.
    """
    (image_dir, files), (mask_dir, by_stem) = images, masks
    wanted = sorted(files) if names is None else sorted(names)
    if not wanted:
        raise EngineError(
            f"{image_dir} holds no images.", f"Put files there, as {', '.join(IMAGE_SUFFIXES)}."
        )
    pairs, missing = [], []
    for stem in wanted:
        if stem not in files:
            raise EngineError(f"There is no image {image_dir / stem}.*", "Correct the list of names.")
        found = [by_stem[stem + ending] for ending in MASK_ENDINGS if stem + ending in by_stem]
        if found:
            pairs.append(LabelledImage(files[stem], found[0], crack_values))
        else:
            missing.append(stem)
    if missing:
        others = f" {len(missing) - 1} more have none." if len(missing) > 1 else ""
        raise EngineError(
            f"{files[missing[0]]} has no mask {mask_dir / missing[0]}.*{others}",
            "Add the mask, or take the image away.",
        )
    return pairs


def pair_folders(
    images: Path,
    masks: Path,
    names: Iterable[str] | None = None,
    crack_values: tuple[int, ...] | None = None,
) -> list[LabelledImage]:
    """Images of one folder with the masks of another; see `pair_files`."""
    return pair_files(
        (images, files_by_stem(images)), (masks, files_by_stem(masks, MASK_SUFFIXES)), names, crack_values
    )


def find_pairs(data_dir: Path, names: Iterable[str] | None = None) -> list[LabelledImage]:
    """Images of a folder `images/` with the masks of `masks/` beside it, sorted by name.

    Args:
        data_dir: holds both; see `pair_folders`.
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
    return pair_folders(images, masks, names)


def _matlab_label(file: Path) -> npt.NDArray[np.integer[Any]]:
    """Class numbers of a MATLAB file's `groundTruth.Segmentation`."""
    try:
        truth = loadmat(file)["groundTruth"]["Segmentation"][0, 0]
    except NotImplementedError as problem:
        raise EngineError(
            f"{file} is a MATLAB 7.3 file, which is HDF5.", "Save it again in MATLAB with save(name, '-v7')."
        ) from problem
    except (ValueError, TypeError, KeyError, IndexError, OSError, MatReadError, zlib.error) as problem:
        raise EngineError(
            f"{file} holds no readable groundTruth.Segmentation.", "Get the file of the data set again."
        ) from problem
    if truth.ndim != 2 or not np.issubdtype(truth.dtype, np.number):
        raise EngineError(
            f"{file}: groundTruth.Segmentation is no picture of class numbers.",
            "Get the file of the data set again.",
        )
    return np.asarray(truth, np.int64)


def _grey(file: Path) -> npt.NDArray[np.uint8]:
    """A mask's grey values, uint8 (H, W)."""
    if file.suffix.lower() == ".gif":  # which OpenCV reads only since 4.11
        try:
            with Image.open(file) as picture:
                return np.asarray(picture.convert("L"), np.uint8)
        except (UnidentifiedImageError, OSError, EOFError) as problem:
            raise EngineError(f"{file} is not a readable image.", "Replace it.") from problem
    # labels belong to the stored pixels: no turning by EXIF
    grey = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION)
    if grey is None:
        raise EngineError(f"{file} is not a readable image.", "Replace it.")
    return np.asarray(grey, np.uint8)


def _is_bright(grey: npt.NDArray[np.uint8]) -> Mask:
    # 0/1 masks are met as often as 0/255
    return np.asarray(grey > (127 if grey.max() > 1 else 0))


def bright_share(mask: Path) -> float:
    """Share of a mask image's pixels in the upper half of its range, in [0, 1].

    Raises:
        EngineError: a file that cannot be decoded.
    """
    return float(_is_bright(_grey(mask)).mean())


def _read_mask(file: Path, crack_values: tuple[int, ...] | None) -> Mask:
    if file.suffix.lower() == ".mat":
        return np.isin(_matlab_label(file), (2,) if crack_values is None else crack_values)
    grey = _grey(file)
    if crack_values is None or crack_values == (255,):
        return _is_bright(grey)
    return ~_is_bright(grey) if crack_values == (0,) else np.isin(grey, crack_values)


def _read_image(file: Path) -> npt.NDArray[np.uint8]:
    image = cv2.imread(str(file), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise EngineError(f"{file} is not a readable image.", "Replace it.")
    return np.asarray(image, np.uint8)


def _require_size(file: Path, mask: npt.NDArray[Any], image: npt.NDArray[np.uint8]) -> None:
    if image.shape[:2] != mask.shape:
        raise EngineError(
            f"{file} is {mask.shape[1]}x{mask.shape[0]} px, its image {image.shape[1]}x{image.shape[0]} px.",
            "Give the mask the size of its image.",
        )


def read_pair(pair: LabelledImage) -> tuple[npt.NDArray[np.uint8], Mask]:
    """RGB image uint8 (H, W, 3) and its mask bool (H, W), True on cracks; see `LabelledImage.crack_values`.

    Raises:
        EngineError: a file that cannot be decoded, or sizes that differ.
    """
    image, mask = _read_image(pair.image), _read_mask(pair.mask, pair.crack_values)
    _require_size(pair.mask, mask, image)
    return image, mask


def read_class_numbers(pair: LabelledImage) -> npt.NDArray[np.integer[Any]]:
    """The mask's values as they stand, integers (H, W): the classes of a mask that has several.

    Raises:
        EngineError: a file that cannot be decoded.
    """
    return _matlab_label(pair.mask) if pair.mask.suffix.lower() == ".mat" else _grey(pair.mask)


def read_classes(
    pair: LabelledImage, classes: int = 1
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """RGB image uint8 (H, W, 3) and class numbers uint8 (H, W); `UNKNOWN` outside the field of view.

    Args:
        pair: where they are.
        classes: of the model. Up to 2, a pixel is a crack (1) or not (0), see `read_pair`; above, the mask's
            values are the class numbers, 0 no crack, and 255 is `UNKNOWN`. MATLAB files count from 1.

    Raises:
        EngineError: see `read_pair`, or a mask whose values are no class numbers.
    """
    if classes <= 2:
        image, crack = read_pair(pair)
        numbers = crack.astype(np.uint8)
    else:
        image, found = _read_image(pair.image), read_class_numbers(pair)
        _require_size(pair.mask, found, image)
        found = found - 1 if pair.mask.suffix.lower() == ".mat" else found
        values = set(np.unique(found).tolist())
        wrong = values - {*range(classes), UNKNOWN}
        if wrong or values == {0, UNKNOWN} or values == {UNKNOWN}:
            raise EngineError(
                f"{pair.mask} has a pixel of {max(wrong or values)}, which is none of {classes} classes.",
                f"Number the classes 0 to {classes - 1} in the masks, or train a model with classes=1.",
            )
        numbers = found.astype(np.uint8)
    view = read_field_of_view(pair)
    if view is not None:
        numbers[~view] = UNKNOWN
    return image, numbers


def read_truth(pair: LabelledImage, classes: int = 1) -> tuple[npt.NDArray[np.uint8], Mask, Mask | None]:
    """RGB image uint8 (H, W, 3), where a crack of any class is, and which pixels count (None: all of them).

    Both bool (H, W).

    Args:
        pair: where they are.
        classes: see `read_classes`.

    Raises:
        EngineError: see `read_classes`.
    """
    image, numbers = read_classes(pair, classes)
    known = numbers != UNKNOWN
    return image, (numbers > 0) & known, None if known.all() else known


def read_field_of_view(pair: LabelledImage) -> Mask | None:
    """Pixels that the photo shows, bool (H, W); None where that is all of them.

    Raises:
        EngineError: a file that cannot be decoded, or sizes that differ.
    """
    if pair.field_of_view is None:
        return None
    inside = _is_bright(_grey(pair.field_of_view))
    _require_size(pair.field_of_view, inside, _read_image(pair.image))
    return inside
