"""Patches with drawn cracks to train on: procedural pavement and unlabelled photos (torch-free)."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from engine.camera_match import CameraEstimate
from engine.candidates import candidate_mask
from engine.distractors import draw_distractors
from engine.errors import SettingsError
from engine.lookalikes import LOOKALIKES, THROUGH, draw_lookalikes
from engine.pavement import RgbImage, camera_effects, procedural_pavement
from engine.synthesis import CRACK_PARTS, NO_PARTS, CrackStyle, draw_varied_cracks

Mask = npt.NDArray[np.bool_]
Scalar = TypeVar("Scalar", bound=np.generic)

ALL_PARTS = CRACK_PARTS | frozenset(LOOKALIKES) | {"survey_camera", "curriculum"}
"""What can be added to plain cracks and distractors, see `PatchRecipe.parts`."""

ADAPT_PARTS = NO_PARTS
"""In force where a survey is adapted to: none has paid yet, see docs/models/adaptation.md."""


@dataclass(frozen=True)
class Background:
    """An unlabelled photo to draw on.

    Attributes:
        image: uint8 (H, W, 3), RGB.
        suspect: bool (H, W), where real cracks may be: never taught as sound pavement.
    """

    image: RgbImage
    suspect: Mask


@dataclass(frozen=True)
class PatchRecipe:
    """How training patches are made.

    Attributes:
        patch_px: side of a patch.
        procedural_share: share of patches on procedural pavement when there are photos too.
        cracked_share: share of patches that get a crack.
        style: the cracks.
        photo_scale: range of factors that photos are resized by.
        oversampling: range of factors by which procedural patches are drawn larger, then reduced.
        parts: names from `ALL_PARTS`: "profile", "ravel", "debris", "contrast_runs" and "network_mix" of
            `draw_varied_cracks`, those of `LOOKALIKES`, "survey_camera", and "curriculum" of
            `engine.adaptation_samples`.
        camera: of the survey, see `engine.camera_match.recipe_for`; None: any camera.
    """

    patch_px: int = 192
    procedural_share: float = 0.7
    cracked_share: float = 0.85
    style: CrackStyle = field(default_factory=CrackStyle)
    photo_scale: tuple[float, float] = (0.6, 2.0)
    oversampling: tuple[float, float] = (0.7, 2.2)
    parts: frozenset[str] = NO_PARTS
    camera: CameraEstimate | None = None


def road_backgrounds(files: Sequence[Path]) -> list[Background]:
    """Read forward-view road photos: the lower middle, where the lane is, and its crack candidates.

    Args:
        files: image files.

    Raises:
        SettingsError: a file that cannot be read.
    """
    backgrounds = []
    for file in files:
        image = cv2.imread(str(file), cv2.IMREAD_COLOR_RGB)
        if image is None:
            raise SettingsError(
                f"{file} is not a readable image.", "Remove it from the folder of backgrounds."
            )
        height, width = image.shape[:2]
        lane = np.asarray(image[int(0.4 * height) :, int(0.15 * width) : int(0.85 * width)], np.uint8)
        backgrounds.append(Background(lane.copy(), candidate_mask(lane, threshold=3.8, min_length_px=14)))
    return backgrounds


def _resized(array: npt.NDArray[np.uint8], side_px: int) -> npt.NDArray[np.uint8]:
    shrink = array.shape[0] > side_px
    method = cv2.INTER_AREA if shrink else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(array, (side_px, side_px), interpolation=method), np.uint8)


def _photo_patch(
    rng: np.random.Generator, background: Background, recipe: PatchRecipe
) -> tuple[RgbImage, Mask, float]:
    """A square of a photo at a random scale, its suspect pixels, and the scale."""
    low, high = recipe.photo_scale
    scale = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    height, width = background.image.shape[:2]
    side = int(min(recipe.patch_px / scale, height, width))
    top, left = int(rng.integers(0, height - side + 1)), int(rng.integers(0, width - side + 1))
    box = np.s_[top : top + side, left : left + side]
    suspect = _resized(background.suspect[box].astype(np.uint8) * np.uint8(255), recipe.patch_px)
    return _resized(background.image[box], recipe.patch_px), suspect > 60, recipe.patch_px / side


def _photometric(rng: np.random.Generator, image: RgbImage) -> RgbImage:
    """Other exposure, contrast, gamma and white balance."""
    values = image.astype(np.float32) / 255
    values = np.power(values, np.float32(np.exp(rng.normal(0, 0.25))))
    mean = values.mean()
    values = (values - mean) * np.float32(np.exp(rng.normal(0, 0.25))) + mean
    values = values * np.float32(np.exp(rng.normal(0, 0.2))) * (1 + rng.normal(0, 0.03, 3).astype(np.float32))
    if rng.random() < 0.1:
        values = np.repeat(values.mean(axis=2, keepdims=True), 3, axis=2)
    return np.clip(values * 255, 0, 255).astype(np.uint8)


def _as_sharp(style: CrackStyle, scale: float) -> CrackStyle:
    """The style for a photo resized by `scale`: its blur grows or shrinks with it."""
    low, high = style.blur_px
    blur = (max(0.3, low * scale), max(0.3, high * scale))
    return replace(style, blur_px=blur, motion_px=style.motion_px * scale)


def _with_noise(rng: np.random.Generator, image: RgbImage, before: RgbImage, noise: float) -> RgbImage:
    """The sensor's noise, which the drawn darkness took away, put back where something was drawn."""
    drawn = cv2.absdiff(image[..., 1], before[..., 1]) > 2
    grain = rng.standard_normal(image.shape[:2], dtype=np.float32) * np.float32(noise) * drawn
    noisy = image.astype(np.float32) + grain[..., None] + np.float32(0.5)
    return np.asarray(np.clip(noisy, 0, 255), np.uint8)


def _photographed(
    rng: np.random.Generator, image: RgbImage, on_photo: bool, camera: CameraEstimate | None
) -> RgbImage:
    """Traces of a camera: any one's, or at times the survey's own compression once more."""
    if camera is None or not on_photo or rng.random() < 0.5:
        return camera_effects(rng, image, 0.4 if on_photo else 1.0)
    if camera.jpeg_quality is None or rng.random() < 0.5:
        return image
    ok, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, camera.jpeg_quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8) if ok else image


def _resized_mask(mask: Mask, side_px: int, least: int) -> Mask:
    return np.asarray(_resized(mask.astype(np.uint8) * np.uint8(255), side_px) > least)


def _turned(array: npt.NDArray[Scalar], quarter_turns: int, flip: bool) -> npt.NDArray[Scalar]:
    turned = np.rot90(array, quarter_turns)
    return np.ascontiguousarray(turned[:, ::-1] if flip else turned)


def training_patch(
    rng: np.random.Generator, backgrounds: Sequence[Background], recipe: PatchRecipe
) -> tuple[RgbImage, Mask, Mask]:
    """One patch with drawn cracks.

    Args:
        rng: source of randomness; the same state gives the same patch.
        backgrounds: photos; procedural pavement only when empty.
        recipe: how to make it.

    Returns:
        image uint8 (P, P, 3); truth bool (P, P); counts bool (P, P), False where the truth is unknown.
    """
    side, parts = recipe.patch_px, recipe.parts
    on_photo = bool(backgrounds) and rng.random() >= recipe.procedural_share
    style = recipe.style
    if on_photo:
        ground = backgrounds[int(rng.integers(len(backgrounds)))]
        image, suspect, scale = _photo_patch(rng, ground, recipe)
        if recipe.camera is not None:
            style = _as_sharp(style, scale)
    else:
        low, high = recipe.oversampling
        drawn = round(side * float(np.exp(rng.uniform(np.log(low), np.log(high)))))
        drawn = side if rng.random() < 0.4 else drawn
        image = procedural_pavement(rng, drawn, drawn, camera=False)
        suspect = np.zeros((drawn, drawn), bool)
    image = draw_distractors(rng, image)
    later = frozenset(name for name in sorted(parts & THROUGH) if rng.random() < 0.5)
    if parts:
        image = draw_lookalikes(rng, image, parts - later)
    truth, doubt = np.zeros(suspect.shape, bool), np.zeros(suspect.shape, bool)
    if rng.random() < recipe.cracked_share:
        before = image
        image, truth, doubt = draw_varied_cracks(rng, image, style, parts)
        if on_photo and recipe.camera is not None:
            image = _with_noise(rng, image, before, recipe.camera.noise)
    if rng.random() < 0.1:  # a shadow falls on cracks as well
        image = draw_distractors(rng, image, only=("shadow",))
    if later:
        image = draw_lookalikes(rng, image, later)
    image = _photographed(rng, image, on_photo, recipe.camera)
    if image.shape[0] != side:
        image = _resized(image, side)
        truth, doubt = _resized_mask(truth, side, 110), _resized_mask(doubt, side, 60)
        suspect = np.zeros((side, side), bool)
    image = _photometric(rng, image)
    counts = (~suspect | truth) & ~(doubt & ~truth)
    turns, flip = int(rng.integers(4)), bool(rng.integers(2))
    return _turned(image, turns, flip), _turned(truth, turns, flip), _turned(counts, turns, flip)
