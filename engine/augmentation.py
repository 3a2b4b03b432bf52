"""Crops of labelled images, turned, scaled and recoloured (torch-free)."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from engine.pavement import RgbImage

ByteMask = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Augmentation:
    """What is done to crops at random.

    Attributes:
        flips: mirror left to right, up to down, each half of the time.
        left_right_only: of the flips only the first.
        quarter_turns: turn by 0, 90, 180 or 270 degrees.
        affine_share: share of crops that are rotated, scaled and shifted as below.
        rotation_deg: largest angle, either way.
        scale: range of factors.
        shift: largest shift, as a share of the crop's side.
        colour_share: share of crops that get other colours, by the ranges below.
        brightness: largest relative change.
        contrast: the same.
        saturation: the same.
        hue: largest change, as a share of the colour circle.
        gamma: standard deviation of the logarithm of gamma.
        noise_share: share of crops with Gaussian noise.
        noise: range of its standard deviation; image in [0, 1].
    """

    flips: bool = False
    left_right_only: bool = False
    quarter_turns: bool = False
    affine_share: float = 0.0
    rotation_deg: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    shift: float = 0.0
    colour_share: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    gamma: float = 0.0
    noise_share: float = 0.0
    noise: tuple[float, float] = (0.0, 0.0)


AUGMENTATIONS: dict[str, Augmentation] = {
    "none": Augmentation(),
    # Source: seed 000, section 4.1: flips, rotation, scaling. departs: it gives no ranges; these are ours.
    "seed-000": Augmentation(flips=True, affine_share=0.5, rotation_deg=45, scale=(0.75, 1.33)),
    # Source: seed 001, section 4.1: flips, quarter turns, shift-scale-rotate, Gaussian noise, colour jitter.
    # departs: it gives no ranges; these are ours.
    "seed-001": Augmentation(
        flips=True,
        quarter_turns=True,
        affine_share=0.5,
        rotation_deg=45,
        scale=(0.9, 1.1),
        shift=0.0625,
        colour_share=0.5,
        brightness=0.2,
        contrast=0.2,
        saturation=0.2,
        hue=0.05,
        noise_share=0.5,
        noise=(0.01, 0.05),
    ),
    # Source: seed 002, section 4.1: horizontal flips, random crops, quarter turns.
    "seed-002": Augmentation(left_right_only=True, quarter_turns=True),
    # The project's own: the eight views of a square, and other exposures.
    "fast": Augmentation(
        flips=True, quarter_turns=True, colour_share=0.8, brightness=0.2, contrast=0.25, gamma=0.2
    ),
}
"""By name; seed 003 names none."""


def crop_at(
    image: RgbImage, mask: ByteMask, centre: tuple[float, float], side_px: int, warp: npt.NDArray[np.float64]
) -> tuple[RgbImage, ByteMask]:
    """A square crop; what lies outside the image is its reflection.

    Args:
        image: uint8 (H, W, 3).
        mask: uint8 (H, W), class numbers.
        centre: row and column in the image that the crop's middle shows.
        side_px: of the crop.
        warp: (2, 2), takes an offset (x, y) in the crop to one in the image.
    """
    size, border = (side_px, side_px), cv2.BORDER_REFLECT_101
    middle = (side_px - 1) / 2
    offset = np.array([centre[1], centre[0]]) - warp @ np.array([middle, middle])
    matrix = np.hstack([warp, offset[:, None]])
    inverse = cv2.WARP_INVERSE_MAP
    colours = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR | inverse, borderMode=border)
    classes = cv2.warpAffine(mask, matrix, size, flags=cv2.INTER_NEAREST | inverse, borderMode=border)
    return np.asarray(colours, np.uint8), np.asarray(classes, np.uint8)


def draw_warp(rng: np.random.Generator, how: Augmentation) -> tuple[npt.NDArray[np.float64], float, float]:
    """A warp for `crop_at`, (2, 2), and a shift of its centre down and right, as shares of the side."""
    warp = np.eye(2)
    if how.flips or how.left_right_only:
        warp[0, 0] = rng.choice((-1.0, 1.0))
    if how.flips:
        warp[1, 1] = rng.choice((-1.0, 1.0))
    if how.quarter_turns:
        warp = np.linalg.matrix_power(np.array([[0.0, -1.0], [1.0, 0.0]]), int(rng.integers(4))) @ warp
    if rng.random() >= how.affine_share:
        return warp, 0.0, 0.0
    angle = np.deg2rad(rng.uniform(-how.rotation_deg, how.rotation_deg))
    scale = np.exp(rng.uniform(*np.log(how.scale)))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / scale
    down, right = rng.uniform(-how.shift, how.shift, 2)
    return turn @ warp, float(down), float(right)


def recoloured(rng: np.random.Generator, image: RgbImage, how: Augmentation) -> npt.NDArray[np.float32]:
    """Other colours and noise.

    Args:
        rng: source of randomness.
        image: uint8 (H, W, 3).
        how: see `Augmentation`.

    Returns:
        float32 (H, W, 3) in [0, 1].
    """
    values = image.astype(np.float32) / 255
    if rng.random() < how.colour_share:
        if how.gamma:
            values = np.power(values, np.float32(np.exp(rng.normal(0, how.gamma))))
        mean = values.mean()
        values = (values - mean) * np.float32(1 + rng.uniform(-how.contrast, how.contrast)) + mean
        values *= np.float32(1 + rng.uniform(-how.brightness, how.brightness))
        if how.saturation or how.hue:
            hsv = cv2.cvtColor(np.clip(values, 0, 1), cv2.COLOR_RGB2HSV)
            hsv[..., 0] = (hsv[..., 0] + 360 * rng.uniform(-how.hue, how.hue)) % 360
            hsv[..., 1] *= 1 + rng.uniform(-how.saturation, how.saturation)
            values = cv2.cvtColor(np.clip(hsv, 0, (360, 1, 1)).astype(np.float32), cv2.COLOR_HSV2RGB)
    if rng.random() < how.noise_share:
        values = values + rng.uniform(*how.noise) * rng.standard_normal(values.shape, np.float32)
    return np.clip(values, 0, 1).astype(np.float32)
