"""A road of known camera: textured pavement, paint left and right of the lane, grass and sky."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from engine.camera_profiles import ForwardProfile
from engine.geometry import to_ground

PAINT_M = 0.12


@lru_cache(maxsize=4)
def _tile(seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 1, (1024, 1024)).astype(np.float32)


def _noise(seed: int, cell_m: float, x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
    u, v = np.mod(x / cell_m + 512, 1023), np.mod(y / cell_m, 1023)
    return cv2.remap(_tile(seed), u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR).astype(
        np.float32
    )


@lru_cache(maxsize=4)
def _places(camera: ForwardProfile) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where each pixel sees the road: right and ahead, m."""
    rows, columns = np.mgrid[0 : camera.height_px, 0 : camera.width_px]
    ground = to_ground(camera, np.column_stack((columns.ravel(), rows.ravel())))
    return ground[:, 0].reshape(rows.shape), ground[:, 1].reshape(rows.shape)


def render_road(
    camera: ForwardProfile,
    chainages_m: Sequence[float],
    *,
    wander_m: Sequence[float] | None = None,
    bend_per_m: float = 0.0,
    left: bool | Sequence[bool] = True,
    right: bool | Sequence[bool] = True,
    jolt_deg: Sequence[float] | None = None,
) -> list[NDArray[np.uint8]]:
    """Frames (H, W, 3) of a straight or bent road; the camera `wander_m` right of its usual place."""
    left_m, right_m = camera.lane_left_m or 0.0, camera.lane_right_m or 0.0
    frames = []
    for index, chainage in enumerate(chainages_m):
        jolt = jolt_deg[index] if jolt_deg is not None else 0.0
        seen = replace(camera, pitch_deg=camera.pitch_deg + jolt)
        x, ahead = _places(seen)
        road = np.isfinite(x) & (ahead < 400)
        x, ahead = np.where(road, x, 0.0), np.where(road, ahead, 0.0)
        x = x + (wander_m[index] if wander_m is not None else 0.0) - bend_per_m * ahead**2 / 2
        y = ahead + chainage
        pixel_m = np.abs(np.gradient(ahead, axis=0)) + 1e-6
        across_m = np.abs(np.gradient(x, axis=1)) + 1e-6
        grey = np.full(x.shape, 95.0)
        for seed, cell in enumerate((0.03, 0.12, 0.5)):
            fade = np.clip(cell / pixel_m, 0, 1)
            grey += 12 * fade * _noise(seed, cell, x.astype(np.float32), y.astype(np.float32))
        picture = np.repeat(grey[..., None], 3, axis=2)
        picture[(x < left_m - 5) | (x > right_m + 2.5)] = (70, 95, 45)
        shows = [side if isinstance(side, bool) else side[index] for side in (left, right)]
        dash = np.clip((2.0 - np.abs(np.mod(y, 9.0) - 4.5)) / pixel_m + 0.5, 0, 1)
        for seen_side, middle, share, colour in (
            (shows[0], left_m - PAINT_M / 2, dash, (225, 170, 40)),
            (shows[1], right_m + PAINT_M / 2, 1.0, (230, 230, 225)),
        ):
            # Share of the pixel that paint covers.
            cover = np.clip((PAINT_M / 2 - np.abs(x - middle)) / across_m + 0.5, 0, PAINT_M / across_m).clip(
                0, 1
            )
            if seen_side:
                picture += (cover * share)[..., None] * (np.array(colour) - picture)
        picture[~road] = (170, 190, 215)
        picture += np.random.default_rng(1000 + index).normal(0, 1, picture.shape)
        frames.append(np.clip(picture, 0, 255).round().astype(np.uint8))
    return frames


@pytest.fixture(scope="session")
def camera() -> ForwardProfile:
    """A survey camera on a van's roof."""
    return ForwardProfile(
        width_px=640,
        height_px=400,
        focal_px=600.0,
        height_m=2.4,
        pitch_deg=14.0,
        yaw_deg=1.5,
        lane_left_m=-1.9,
        lane_right_m=1.7,
    )
