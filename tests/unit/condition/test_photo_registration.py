"""Photo pairs are laid over each other, or said not to fit."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from engine.pavement import procedural_pavement
from engine.photo_registration import (
    Registration,
    laid_over,
    new_crack_mask,
    register_photos,
)

HEIGHT, WIDTH = 420, 620


@pytest.fixture(scope="module")
def road() -> NDArray[np.uint8]:
    return procedural_pavement(
        np.random.default_rng(3), HEIGHT + 120, WIDTH + 120, grain_px=4, brightness=0.4
    )


def second_pass(road: NDArray[np.uint8], matrix: NDArray[np.float64], seed: int) -> NDArray[np.uint8]:
    """The road from another place, in other light, by another exposure."""
    moved = cv2.warpPerspective(road, matrix, (WIDTH, HEIGHT)).astype(np.float64)
    rng = np.random.default_rng(seed)
    shade = np.linspace(0.75, 1.1, WIDTH)[None, :, None]
    return np.clip(moved * shade + rng.normal(0, 3, moved.shape), 0, 255).astype(np.uint8)


def turned(angle_deg: float, scale: float, right_px: float, down_px: float) -> NDArray[np.float64]:
    return np.vstack([cv2.getRotationMatrix2D((310, 210), angle_deg, scale), [0, 0, 1]]) + np.array(
        [[0, 0, right_px], [0, 0, down_px], [0, 0, 0]]
    )


@pytest.mark.parametrize(
    "move", [turned(0, 1, -40, -25), turned(4, 1.05, -60, -40), turned(-3, 0.97, -30, -60)]
)
def test_a_second_pass_is_found(road: NDArray[np.uint8], move: NDArray[np.float64]) -> None:
    found = register_photos(road, second_pass(road, move, 1))
    assert found is not None
    corners = np.array([[[60, 60], [WIDTH, 60], [WIDTH, HEIGHT], [60, HEIGHT]]], np.float64)
    there, truth = (cv2.perspectiveTransform(corners, matrix) for matrix in (found.matrix, move))
    assert np.abs(there - truth).max() < 1.0
    assert found.error_px < 1.0


def test_without_a_ground_plane_a_tilt_is_found_too(road: NDArray[np.uint8]) -> None:
    tilt = np.array([[1.0, 0.02, -30], [0.01, 1.03, -30], [1e-5, 8e-5, 1]])
    found = register_photos(road, second_pass(road, tilt, 1), rectified=False)
    assert found is not None
    corners = np.array([[[60, 60], [560, 60], [560, 400], [60, 400]]], np.float64)
    there, truth = (cv2.perspectiveTransform(corners, matrix) for matrix in (found.matrix, tilt))
    assert np.abs(there - truth).max() < 1.5


@pytest.mark.parametrize("rectified", [True, False])
def test_another_place_is_not_taken_for_this_one(road: NDArray[np.uint8], rectified: bool) -> None:
    elsewhere = procedural_pavement(np.random.default_rng(4), HEIGHT, WIDTH, grain_px=4, brightness=0.4)
    assert register_photos(road, elsewhere, rectified=rectified) is None


def test_nothing_stands_out_on_a_blank(road: NDArray[np.uint8]) -> None:
    assert register_photos(road, np.full((HEIGHT, WIDTH, 3), 90, np.uint8)) is None
    assert register_photos(np.zeros((40, 40), np.uint8), np.zeros((40, 40), np.uint8)) is None


def test_a_mirrored_photo_is_not_the_same_place(road: NDArray[np.uint8]) -> None:
    assert register_photos(road, np.ascontiguousarray(road[:, ::-1])) is None


def test_only_cracks_that_were_not_there_are_new() -> None:
    shift = Registration(np.array([[1.0, 0, 10], [0, 1, 0], [0, 0, 1]]), 99, 0.5)
    before, after = np.zeros((100, 100), bool), np.zeros((100, 100), bool)
    before[20:22, 0:60] = True  # lies at columns 10 to 70 of the later photo
    after[21:23, 10:70] = True  # the same, drawn a pixel lower
    after[21:23, 70:90] = True  # it grew
    after[60:62, 40:80] = True  # another one
    after[80:82, 0:8] = True  # where the earlier photo does not reach
    new = new_crack_mask(before, after, shift, tolerance_px=3)
    assert not new[:, :70][:40].any()
    assert new[21:23, 74:90].all()
    assert new[60:62, 40:80].all()
    assert not new[:, :10].any()


def test_all_is_new_where_nothing_was() -> None:
    same = Registration(np.eye(3), 99, 0.0)
    after = np.zeros((30, 40), bool)
    after[5:7] = True
    assert (new_crack_mask(np.zeros((30, 40), bool), after, same, 3) == after).all()
    assert not new_crack_mask(after, after, same, 3).any()


def test_laid_over_moves_the_earlier_photo() -> None:
    picture = np.zeros((20, 30, 3), np.uint8)
    picture[4, 6] = 200
    moved = laid_over(picture, Registration(np.array([[1.0, 0, 5], [0, 1, 2], [0, 0, 1]]), 99, 0.0), 40, 50)
    assert moved.shape == (40, 50, 3)
    assert moved[6, 11, 0] == 200 and moved.sum() == 600
