"""Read the folders of published data sets, and divide them as the papers do (torch-free)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from engine.errors import EngineError
from engine.labelled_images import (
    LabelledImage,
    bright_share,
    files_by_stem,
    pair_files,
    pair_folders,
)

IMAGE_FOLDERS = ("images", "image", "img", "imgs")
MASK_FOLDERS = ("masks", "mask", "labels", "label", "gt")
SIDES = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
EIGHTY_TWENTY = (0.8, 0.0, 0.2)
"""Train, validation, test. Source: seed 001, section 4.1."""

CROP_PARTS = {
    "crack500": 2, "gaps384": 2, "rissbilder": 4, "volker": 4, "noncrack": 1, "cfd": 0, "forest": 0,
    "cracktree200": 0, "deepcrack": 0, "eugen_muller": 0, "sylvie": 0,
}  # fmt: skip
"""How the files of each set begin in the 448 x 448 collection, and by how many numbers its crops end."""

CODING_SAMPLE = 16


@dataclass(frozen=True)
class Split:
    """Images to learn from, to choose by and to score on."""

    train: Sequence[LabelledImage]
    test: Sequence[LabelledImage]
    validation: Sequence[LabelledImage] = ()


def subfolder(root: Path, *names: str) -> Path | None:
    """The first of these folders that is there, whatever its capitals; a name may be a path."""
    for name in names:
        folder: Path | None = root
        for part in name.split("/"):
            inside = sorted(folder.iterdir()) if folder is not None and folder.is_dir() else []
            folder = next((d for d in inside if d.is_dir() and d.name.lower() == part.lower()), None)
        if folder is not None:
            return folder
    return None


def image_and_mask_folders(root: Path) -> tuple[Path, Path] | None:
    """The folders of a set's images and masks, by their usual names."""
    images, masks = subfolder(root, *IMAGE_FOLDERS), subfolder(root, *MASK_FOLDERS)
    return None if images is None or masks is None else (images, masks)


def published_sides(root: Path) -> dict[str, tuple[Path, Path]]:
    """Folders of a published split: train/images and train/masks, or images/train and masks/train."""
    found = {}
    whole = image_and_mask_folders(root)
    for side, names in SIDES.items():
        folder = subfolder(root, *names)
        inside = image_and_mask_folders(folder) if folder else None
        if inside is None and whole is not None:
            images, masks = subfolder(whole[0], *names), subfolder(whole[1], *names)
            inside = None if images is None or masks is None else (images, masks)
        if inside is not None:
            found[side] = inside
    return found


def image_stems(root: Path) -> list[str]:
    """Stems of the images, in lower case; of train/ and test/ where there are such."""
    whole = image_and_mask_folders(root)
    folders = list(published_sides(root).values()) or ([whole] if whole else [])
    return [stem.lower() for images, _ in folders for stem in files_by_stem(images)]


def source_of(stem: str) -> str | None:
    """Key of `CROP_PARTS` that a file's name begins with."""
    return next((prefix for prefix in CROP_PARTS if stem.lower().startswith(prefix)), None)


def photo_of(stem: str, crop_parts: int | None = None) -> str:
    """Name of the photo that a crop comes from.

    Args:
        stem: of the file.
        crop_parts: numbers at the end that say where the crop was; None: as many as the set's crops have.
    """
    source = source_of(stem)
    parts = stem.lower().split(".")[0].split("_")
    for _ in range(crop_parts if crop_parts is not None else CROP_PARTS.get(source or "", 0)):
        if len(parts) > 1 and parts[-1].isdigit():
            parts.pop()
    if source == "forest":  # the same photos under another name
        parts[0] = "cfd"
    return "_".join(parts)


def random_split(
    pairs: Iterable[LabelledImage],
    seed: int,
    shares: tuple[float, float, float] = EIGHTY_TWENTY,
    crop_parts: int | None = None,
) -> Split:
    """Divide at random; crops of one photo stay on one side.

    Args:
        pairs: all images, in any order.
        seed: the same gives the same split on any machine.
        shares: of train, validation and test, summing to 1.
        crop_parts: see `photo_of`.

    Source: seed 001, section 4.1 (80:20). departs: the papers divide single crops, so that a test crop's
    neighbours were learnt from; here whole photos are divided.
    """
    by_photo: dict[str, list[LabelledImage]] = {}
    for pair in sorted(pairs, key=lambda pair: pair.image.stem):
        by_photo.setdefault(photo_of(pair.image.stem, crop_parts), []).append(pair)
    photos = sorted(by_photo)
    order = [photos[index] for index in np.random.default_rng(seed).permutation(len(photos))]
    total = sum(len(crops) for crops in by_photo.values())
    bounds = np.round(np.cumsum(shares) * total)
    sides: tuple[list[LabelledImage], ...] = ([], [], [])
    done = 0
    for photo in order:
        side = int(np.searchsorted(bounds, done, side="right")) if photo != order[-1] else 2
        sides[0 if done == 0 else side].extend(by_photo[photo])  # neither side is left empty
        done += len(by_photo[photo])
    return Split(train=sides[0], validation=sides[1], test=sides[2])


def _as_coded(split: Split) -> Split:
    """Take cracks as the lesser part of the masks: some draw them white on black, some black on white."""
    pairs = [*split.train, *split.validation, *split.test]
    drawn = [pair for pair in pairs if pair.mask.suffix.lower() != ".mat"]
    sample = drawn[:: max(1, len(drawn) // CODING_SAMPLE)]
    if not sample or np.mean([bright_share(pair.mask) for pair in sample]) <= 0.5:
        return split
    return Split(
        *(
            [replace(pair, crack_values=(0,)) for pair in part]
            for part in (split.train, split.test, split.validation)
        )
    )


def _names(images: Path, prefix: str | None) -> list[str] | None:
    """Stems of one set in a folder that may hold several; None takes all."""
    if prefix is None:
        return None
    stems = list(files_by_stem(images))
    chosen = [stem for stem in stems if stem.lower().startswith(prefix)]
    if not chosen and any(source_of(stem) for stem in stems):
        raise EngineError(f"{images} holds no images named {prefix}*.", "Name another data set, or folder.")
    return chosen or None


def _listed(root: Path, side: str, images: Path) -> list[str] | None:
    """Stems that root/SIDE.txt names, an image a line (a mask may follow); None without such a file."""
    file = next((root / f"{name}.txt" for name in SIDES[side] if (root / f"{name}.txt").is_file()), None)
    if file is None:
        return None
    try:
        first = [line.split()[0] for line in file.read_text("utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError as problem:
        raise EngineError(
            f"{file} is not a text file.", "Write one image name a line, in UTF-8."
        ) from problem
    stems = files_by_stem(images)
    return [Path(name).name if Path(name).name in stems else Path(name).stem for name in first]


def read_folder(
    root: Path,
    seed: int,
    *,
    prefix: str | None = None,
    shares: tuple[float, float, float] = EIGHTY_TWENTY,
    crop_parts: int | None = None,
    any_coding: bool = False,
) -> Split | None:
    """Images and masks in two folders, divided by folders, by lists, or at random."""
    sides, whole = published_sides(root), image_and_mask_folders(root)
    listed: dict[str, list[str] | None] = {}
    if sides:
        for side in ("train", "test"):
            if side not in sides:
                raise EngineError(
                    f"{root} has a split, but no images and masks for {side}.",
                    f"Add {side}/images/ and {side}/masks/, or name a folder without a split.",
                )
        split = Split(**{k: pair_folders(i, m, _names(i, prefix)) for k, (i, m) in sides.items()})
    elif whole is None:
        return None
    else:
        listed = {side: _listed(root, side, whole[0]) for side in SIDES}
        if listed["train"] and listed["test"]:
            split = Split(**{k: pair_folders(*whole, names) for k, names in listed.items() if names})
        else:
            pairs = pair_folders(*whole, _names(whole[0], prefix))
            split = random_split(pairs, seed, shares, crop_parts)
    return _as_coded(split) if any_coding else split


def read_two(
    root: Path,
    seed: int,
    *,
    images: str,
    masks: str,
    prefix: str,
    shares: tuple[float, float, float] = EIGHTY_TWENTY,
    crop_parts: int | None = None,
    any_coding: bool = False,
) -> Split | None:
    """A set in two folders with names of their own, or its files in `images/` and `masks/`."""
    image_dir, mask_dir = subfolder(root, images), subfolder(root, masks)
    if image_dir is None or mask_dir is None:
        return read_folder(
            root, seed, prefix=prefix, shares=shares, crop_parts=crop_parts, any_coding=any_coding
        )
    split = random_split(pair_folders(image_dir, mask_dir), seed, shares, crop_parts)
    return _as_coded(split) if any_coding else split


CFD_TRAIN = range(1, 73)
CFD_BAD_LABEL = 42
"""The photo whose mask is not of it: its "cracks" are no darker than the rest (0.0 standard deviations; the
next lowest 0.4). Seed 003, footnote 1, leaves one training image out and does not say which."""


def read_cfd(root: Path, seed: int) -> Split | None:
    """Source: seed 003, section 3.2 (71 to train, 46 to test)."""
    split = None
    for images, masks in (("image", "groundTruth"), ("cfd_image", "cfd_gt/seg_gt")):
        image_dir, mask_dir = subfolder(root, images), subfolder(root, masks)
        if image_dir is not None and mask_dir is not None:
            split = Split(pair_folders(image_dir, mask_dir), ())
            break
    split = split or read_folder(root, seed, prefix="cfd")
    if split is None:
        return None
    train: list[LabelledImage] = []
    test: list[LabelledImage] = []
    for pair in [*split.train, *split.validation, *split.test]:
        number = pair.image.stem.split("_")[-1]
        if not number.isdigit() or not 1 <= int(number) <= 118:
            raise EngineError(
                f"{pair.image} is not one of CrackForest's images 001 to 118.",
                "Take it away, or open the folder with the layout 'folder'.",
            )
        if int(number) != CFD_BAD_LABEL:
            (train if int(number) in CFD_TRAIN else test).append(pair)
    return Split(train, test)


def read_crack500(root: Path, seed: int) -> Split | None:
    """Folders of crops, photo and mask side by side. Source: seed 002, section 4.1 (1896, 348, 1124)."""
    crops = {side: subfolder(root, f"{side[:3]}crop", f"{side[:5]}crop", f"{side[:4]}crop") for side in SIDES}
    if crops["train"] is None or crops["test"] is None:
        return read_folder(root, seed, prefix="crack500", crop_parts=2)
    parts = {}
    for side, folder in crops.items():
        if folder is None:
            continue
        folder = subfolder(folder, folder.name) or folder  # archives repeat the name
        photos = files_by_stem(folder, (".jpg", ".jpeg"))
        photos = {stem: file for stem, file in photos.items() if not stem.endswith("_mask")}
        masks = files_by_stem(folder, (".png",))
        parts[side] = pair_files((folder, photos), (folder, masks), _listed(root, side, folder))
    return Split(**parts)


def read_deepcrack(root: Path, seed: int) -> Split | None:
    """Four folders, for photos and masks of either side."""
    folders = {
        side: (subfolder(root, f"{side}_img"), subfolder(root, f"{side}_lab")) for side in ("train", "test")
    }
    found = {side: (i, m) for side, (i, m) in folders.items() if i is not None and m is not None}
    if len(found) < 2:
        return read_folder(root, seed, prefix="deepcrack")
    return Split(**{side: pair_folders(*both) for side, both in found.items()})


def read_aiglern(root: Path, seed: int) -> Split | None:
    """AIGLE_RN, one of five sensors of "CrackDataset". Source: seed 003, section 3.2 (24 train, 14 test)."""
    shares = (24 / 38, 0.0, 14 / 38)
    for base in filter(None, (root, subfolder(root, "TITS"), subfolder(root, "DATASET"))):
        images = subfolder(base, "IMAGES/AIGLE_RN")
        masks = subfolder(base, "GROUND_TRUTH/AIGLE_RN", "GROUNDTRUTH/AIGLE_RN")
        if images is not None and masks is not None:
            photos = files_by_stem(images)
            # Im_GT_AIGLE_RN_C18bor.png is the photo of GT_AIGLE_RN_C18b.png; Im_noGT_* have no truth
            labelled = {
                stem[3:].removesuffix("or"): file
                for stem, file in photos.items()
                if stem.startswith("Im_GT_")
            }
            pairs = pair_files((images, labelled), (masks, files_by_stem(masks)))
            return _as_coded(random_split(pairs, seed, shares))
    return read_folder(root, seed, shares=shares, any_coding=True)


def read_drive(root: Path, seed: int) -> Split | None:
    """Retina vessels, to see what carries over. Source: seed 002, section 4.1 (20 to train, 20 to test)."""
    sides = {side: subfolder(root, *SIDES[side]) for side in ("train", "test")}
    if sides["train"] is None or subfolder(sides["train"], "1st_manual") is None:
        return None
    parts: dict[str, list[LabelledImage]] = {}
    for side, folder in sides.items():
        found = [None if folder is None else subfolder(folder, n) for n in ("images", "1st_manual", "mask")]
        if any(inside is None for inside in found):
            raise EngineError(
                f"{root / side} lacks one of images/, 1st_manual/ and mask/.",
                "Get DRIVE with the labels of both halves; some copies come without those of the test.",
            )
        numbered = [
            (inside, {stem.split("_")[0]: file for stem, file in files_by_stem(inside).items()})
            for inside in found
            if inside is not None
        ]
        views = {pair.image: pair.mask for pair in pair_files(numbered[0], numbered[2])}
        pairs = pair_files(numbered[0], numbered[1])
        parts[side] = [replace(pair, field_of_view=views[pair.image]) for pair in pairs]
    return Split(**parts)
