import cv2
import numpy as np
import pytest

from engine.camera_match import (
    CameraEstimate,
    estimate_camera,
    file_quality,
    luminance_steps,
    pixel_quality,
    recipe_for,
)
from engine.errors import EngineError
from engine.pavement import motion_blurred, procedural_pavement
from engine.training_data import ALL_PARTS, PatchRecipe, training_patch


def scenes(count=6, grain_px=4.0):
    return [
        procedural_pavement(np.random.default_rng(seed), 200, 200, grain_px=grain_px, camera=False)
        for seed in range(count)
    ]


def blurred(images, sigma_px):
    return [cv2.GaussianBlur(image, (0, 0), sigma_px) for image in images]


@pytest.mark.parametrize("blur_px", [1.0, 1.5, 2.5])
@pytest.mark.parametrize("grain_px", [2.0, 5.0, 9.0])
def test_blur_is_recovered(blur_px, grain_px):
    found = estimate_camera(blurred(scenes(grain_px=grain_px), blur_px))
    assert found.blur_px == pytest.approx(blur_px, abs=0.4)
    assert found.motion_px == 0


def test_sharp_pavement_is_told_from_soft():
    sharp, soft = (estimate_camera(images).blur_px for images in (scenes(), blurred(scenes(), 1.0)))
    assert sharp < 0.5 < soft


@pytest.mark.parametrize("noise", [2.0, 5.0, 8.0])
def test_noise_is_recovered(noise):
    rng = np.random.default_rng(1)
    noisy = [
        np.clip(image + rng.normal(0, noise, image.shape[:2])[..., None], 0, 255).astype(np.uint8)
        for image in blurred(scenes(), 1.0)
    ]
    assert estimate_camera(noisy).noise == pytest.approx(noise, rel=0.15, abs=0.3)


@pytest.mark.parametrize(("length_px", "direction_deg"), [(4, 0), (6, 45), (8, 90), (6, 135)])
def test_motion_is_recovered(length_px, direction_deg):
    moved = [
        motion_blurred(image.astype(np.float32), length_px, direction_deg).astype(np.uint8)
        for image in blurred(scenes(8), 0.6)
    ]
    found = estimate_camera(moved)
    assert 0.4 * length_px < found.motion_px < 1.2 * length_px  # long smears are read short
    assert abs((found.motion_deg - direction_deg + 90) % 180 - 90) <= 22.5


@pytest.mark.parametrize("quality", [40, 55, 70, 80, 85])
def test_jpeg_quality_is_seen_in_pixels_cut_out_anywhere(quality):
    stored = [
        cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
        for image in blurred(scenes(), 0.6)
    ]
    shown = [cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[3:, 5:] for data in stored]
    assert pixel_quality(shown) == pytest.approx(quality, abs=3)
    assert [file_quality(data) for data in stored] == [quality] * len(stored)
    assert estimate_camera(shown, stored).jpeg_quality == quality


def test_no_quality_where_there_was_no_jpeg():
    assert pixel_quality(scenes()) is None
    png = cv2.imencode(".png", scenes(1)[0])[1].tobytes()
    assert file_quality(png) is None and file_quality(b"no picture") is None


def test_steps_grow_as_quality_falls():
    assert (luminance_steps(30) >= luminance_steps(60)).all() and (luminance_steps(100) == 1).all()


def test_nothing_to_estimate_from_is_said():
    with pytest.raises(EngineError, match="none of at least 16"):
        estimate_camera([np.zeros((8, 8, 3), np.uint8)])


def test_a_blank_photo_gives_an_estimate():
    found = estimate_camera([np.full((64, 64, 3), 90, np.uint8)])
    assert found.blur_px == 0 and found.noise == pytest.approx(0, abs=0.01) and found.jpeg_quality is None


def test_the_recipe_draws_as_softly_as_the_camera_sees():
    camera = CameraEstimate(blur_px=2.0, noise=2.0, jpeg_quality=60, motion_px=4.0, motion_deg=30.0)
    plain = PatchRecipe(patch_px=64)
    assert recipe_for(camera, plain) is plain
    matched = recipe_for(camera, PatchRecipe(patch_px=64, parts=ALL_PARTS))
    low, high = matched.style.blur_px
    assert low < 2.0 < high and matched.style.motion_px == 4.0 and matched.camera == camera
    image, truth, counts = training_patch(np.random.default_rng(0), [], matched)
    assert image.shape == (64, 64, 3) and truth.dtype == counts.dtype == bool


@pytest.mark.parametrize("direction_deg", [0, 45, 90])
def test_motion_smears_along_its_direction_only(direction_deg):
    dot = np.zeros((41, 41), np.float32)
    dot[20, 20] = 1
    smear = motion_blurred(dot, 9, direction_deg)
    y, x = np.mgrid[-20:21, -20:21]
    angle = np.deg2rad(direction_deg)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    assert smear.sum() == pytest.approx(1, abs=1e-4)
    assert (smear * along**2).sum() == pytest.approx(9**2 / 12, abs=0.8)
    assert (smear * across**2).sum() < 0.4
    np.testing.assert_array_equal(motion_blurred(dot, 0, direction_deg), dot)
