"""The data sets of the papers: how each lies in its folders, how a crack is coded, what its licence says."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from engine.data_folders import (
    Split,
    image_and_mask_folders,
    image_stems,
    published_sides,
    read_aiglern,
    read_cfd,
    read_crack500,
    read_deepcrack,
    read_drive,
    read_folder,
    read_two,
    source_of,
    subfolder,
)


@dataclass(frozen=True)
class Layout:
    """One data set's layout.

    Attributes:
        title: its name.
        picture: its folders and files in a line.
        coding: how a mask says "crack".
        licence: what its publisher allows, as far as known.
        recognise: whether a folder is laid out so; a layout that only a person can tell says no.
        read: folder and seed -> split; None where the folder is not laid out so.
    """

    title: str
    picture: str
    coding: str
    licence: str
    recognise: Callable[[Path], bool]
    read: Callable[[Path, int], Split | None]


def _has(*folders: str) -> Callable[[Path], bool]:
    return lambda root: all(subfolder(root, folder) is not None for folder in folders)


def _only(prefix: str) -> Callable[[Path], bool]:
    """Every image's name begins so."""

    def recognise(root: Path) -> bool:
        stems = image_stems(root)
        return bool(stems) and all(stem.startswith(prefix) for stem in stems)

    return recognise


def _named(pattern: str, at_least: int = 1) -> Callable[[Path], bool]:
    """Every image's name is of this form, and there are so many of them."""

    def recognise(root: Path) -> bool:
        stems = image_stems(root)
        return len(stems) >= at_least and all(re.fullmatch(pattern, stem) for stem in stems)

    return recognise


def _any(*tests: Callable[[Path], bool]) -> Callable[[Path], bool]:
    return lambda root: any(test(root) for test in tests)


def _mixed(root: Path) -> bool:
    """Most names begin as those of the 448 x 448 collection, and of several sets."""
    sources = [source_of(stem) for stem in image_stems(root)]
    known = [source for source in sources if source is not None]
    return len(set(known)) > 1 and 2 * len(known) > len(sources)


WHITE = "white on black, upper half (JPEG noise does not matter)"
EITHER = "white on black or black on white: cracks are the lesser part of the masks"
NONE_FOUND = "none stated in what was read: ask the authors; here for evaluation only"

LAYOUTS: dict[str, Layout] = {
    "drive": Layout(
        "DRIVE",
        "training/images/NN_training.tif, training/1st_manual/NN_manual1.gif, "
        "training/mask/NN_training_mask.gif, test/ alike",
        "vessels white on black; outside mask/, the field of view, nothing counts",
        "research and education, no redistribution, acknowledgement",
        _has("training/1st_manual"),
        read_drive,
    ),
    "deepcrack": Layout(
        "DeepCrack",
        "train_img/*.jpg, train_lab/*.png, test_img/*.jpg, test_lab/*.png",
        WHITE,
        "non-commercial research, as others report; none stated in what was read",
        _any(_has("train_img", "train_lab"), _only("deepcrack")),
        read_deepcrack,
    ),
    "crack500": Layout(
        "Crack500",
        "traincrop/NAME.jpg and NAME.png, valcrop/, testcrop/; train.txt, val.txt, test.txt if there",
        WHITE,
        "research",
        _any(_has("traincrop", "testcrop"), _only("crack500"), _named(r"(\d{8}_\d{6}|img_\d{4})_\d+_\d+")),
        read_crack500,
    ),
    "cracktree200": Layout(
        "CrackTree200",
        "cracktree200rgb/*.jpg, cracktree200_gt/*.png",
        EITHER,
        NONE_FOUND,
        _any(_has("cracktree200rgb", "cracktree200_gt"), _only("cracktree200")),
        # seed 002, section 4.1: 164 of 206 to train
        partial(
            read_two,
            images="cracktree200rgb",
            masks="cracktree200_gt",
            prefix="cracktree200",
            shares=(164 / 206, 0.0, 42 / 206),
            any_coding=True,
        ),
    ),
    "gaps384": Layout(
        "GAPs384",
        "croppedimg/*.jpg, croppedgt/*.png",
        WHITE,
        "research, after registration with the publisher of GAPs",
        _any(_has("croppedimg", "croppedgt"), _only("gaps384")),
        partial(read_two, images="croppedimg", masks="croppedgt", prefix="gaps384", crop_parts=2),
    ),
    "sylvie": Layout(
        "Sylvie Chambon",
        "img/*.jpg, masks_machine/*.png",
        WHITE,
        NONE_FOUND,
        _any(_has("img", "masks_machine"), _only("sylvie")),
        partial(read_two, images="img", masks="masks_machine", prefix="sylvie"),
    ),
    "aiglern": Layout(
        "AigleRN",
        "IMAGES/AIGLE_RN/Im_GT_AIGLE_RN_Nor.png, GROUND_TRUTH/AIGLE_RN/GT_AIGLE_RN_N.png; maybe in TITS/",
        "published black on white; " + EITHER,
        NONE_FOUND,
        _any(*(_has(f"{base}IMAGES/AIGLE_RN") for base in ("", "TITS/", "DATASET/"))),
        read_aiglern,
    ),
    "cfd": Layout(
        "CrackForest (CFD)",
        "image/NNN.jpg, groundTruth/NNN.mat; or images/NNN.jpg, masks/NNN.png",
        "in the .mat files 2 (1 is background, 3 and 4 are areas enclosed by cracks); else " + WHITE,
        "non-commercial research",
        _any(_has("image", "groundTruth"), _has("cfd_image"), _only("cfd"), _named(r"\d{3}", 117)),
        read_cfd,
    ),
    "forest": Layout(
        "Forest (the photos of CrackForest)",
        "image/NNN.jpg, groundTruth/NNN.mat; or images/forest_NNN.jpg, masks/forest_NNN.jpg",
        "in the .mat files 2; else " + WHITE,
        "non-commercial research",
        _only("forest"),
        partial(read_two, images="image", masks="groundTruth", prefix="forest"),
    ),
    "eugen_miller": Layout(
        "Eugen Miller",
        "images/Eugen_Muller_*.jpg, masks/ with the same names",
        WHITE,
        NONE_FOUND,
        _only("eugen_muller"),
        partial(read_folder, prefix="eugen_muller"),
    ),
    "rissbilder": Layout(
        "Rissbilder",
        "images/Rissbilder_for_Florian_*.jpg, masks/ with the same names",
        WHITE,
        NONE_FOUND,
        _only("rissbilder"),
        partial(read_folder, prefix="rissbilder", crop_parts=4),
    ),
    "volker": Layout(
        "Volker",
        "images/Volker_*.jpg, masks/ with the same names",
        WHITE,
        NONE_FOUND,
        _only("volker"),
        partial(read_folder, prefix="volker", crop_parts=4),
    ),
    "crackseg9k": Layout(
        "448 x 448 collection (khanhha, CrackSeg9k)",
        "images/ and masks/ with names that begin CFD_, CRACK500_, Volker_ ...; train/ and test/ alike",
        WHITE,
        "that of the set each photo comes from",
        _mixed,
        read_folder,
    ),
    "crackseg5k": Layout(
        "tiles as of CrackSeg5k",
        "images/PHOTO_ROW_COLUMN.*, masks/ with the same names; or train/, val/ and test/ with both",
        EITHER,
        "not published, as far as found",
        lambda root: False,
        # seed 002, section 4.1: 90 %, 5 % and 5 %
        partial(read_folder, shares=(0.9, 0.05, 0.05), crop_parts=2, any_coding=True),
    ),
    "folder": Layout(
        "any folder of images and masks",
        "images/ and masks/; or train/ and test/ with both; or train.txt and test.txt beside them",
        EITHER,
        "yours to know",
        lambda root: image_and_mask_folders(root) is not None or bool(published_sides(root)),
        partial(read_folder, any_coding=True),
    ),
}
"""Data sets by name, in the order in which a folder is recognised."""
