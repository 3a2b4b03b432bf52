import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.candidates import candidate_mask, ridge_response
from engine.distractors import DISTRACTORS, draw_distractors
from engine.pavement import procedural_pavement
from engine.synthesis import CrackStyle, crack_network, draw_cracks, draw_polyline_crack, rasterise_polyline
from engine.training_data import Background, PatchRecipe, training_patch


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_needs_no_torch():
    modules = ["pavement", "synthesis", "distractors", "training_data", "candidates", "metrics", "tiling"]
    code = f"import sys; import engine.checkpoints, {', '.join('engine.' + m for m in modules)}; "
    code += "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_seed_decides_everything():
    def make(seed):
        return training_patch(rng(seed), [], PatchRecipe(patch_px=96))

    for a, b in zip(make(3), make(3), strict=True):
        np.testing.assert_array_equal(a, b)
    assert (make(3)[0] != make(4)[0]).any()


def test_pavements_differ_widely():
    pictures = [procedural_pavement(rng(s), 64, 80) for s in range(12)]
    assert all(p.shape == (64, 80, 3) and p.dtype == np.uint8 for p in pictures)
    spread = [p.std() for p in pictures]
    light = [p.mean() for p in pictures]
    assert max(spread) > 2 * min(spread) and max(light) > 1.5 * min(light)


@settings(max_examples=25, deadline=None)
@given(st.floats(1.5, 40), st.floats(0, np.pi))
def test_width_of_a_drawn_crack_is_true(width_px, angle):
    along = np.array([np.cos(angle), np.sin(angle)])
    points = 100 + np.linspace(-50, 50, 6)[:, None] * along
    grey = np.full((200, 200, 3), 150, np.uint8)
    image, mask = draw_polyline_crack(grey, points, width_px, 0.4, blur_px=0)
    caps = np.pi * width_px**2 / 4
    # whole pixels: up to half a pixel more or less on either side
    assert mask.sum() == pytest.approx(100 * width_px + caps, abs=115 + 2 * width_px)
    light_lost = (150.0 - image[..., 0]).sum() / (150 * 0.4)
    assert light_lost == pytest.approx(100 * width_px + caps, rel=0.06, abs=40)


def test_darkening_multiplies_the_texture():
    texture = rng().integers(80, 200, (60, 60, 3), dtype=np.uint8)
    points = np.array([[-10.0, 30.0], [70.0, 30.0]])
    image, mask = draw_polyline_crack(texture, points, 11, 0.5, blur_px=0)
    inside = image[28:33].astype(float)
    np.testing.assert_allclose(inside, texture[28:33] * 0.5, atol=0.51)
    np.testing.assert_array_equal(image[~mask & (np.arange(60) < 20)[:, None]], texture[:20].reshape(-1, 3))
    assert mask[30].all() and not mask[:23].any()


def test_hairline_masks_stay_connected():
    import cv2

    points = np.array([[5.0, 5.3], [90.0, 61.7]])
    _, mask = draw_polyline_crack(np.full((100, 100, 3), 90, np.uint8), points, 0.8, 0.3)
    assert cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[0] == 2


def test_lines_outside_the_picture_cover_nothing():
    outside = rasterise_polyline(np.array([[300.0, 0.0], [300.0, 50.0]]), np.full(2, 5.0), 40, 40)
    assert outside.shape == (40, 40) and not outside.any()


def test_random_cracks_are_darker_than_their_surroundings():
    for seed in range(8):
        before = procedural_pavement(rng(seed), 160, 160, camera=False)
        after, mask = draw_cracks(rng(seed), before, CrackStyle(width_px=(3, 8), contrast=(0.4, 0.7)))
        if mask.sum() > 100:
            assert after[mask].mean() < 0.92 * before[mask].mean()


def test_networks_enclose_blocks():
    lines = crack_network(rng(2), 200, 200, cell_px=40)
    assert len(lines) > 15 and all(line.shape[1] == 2 for line in lines)


@pytest.mark.parametrize("name", list(DISTRACTORS))
def test_each_distractor_changes_the_picture(name):
    before = procedural_pavement(rng(5), 96, 120, camera=False)
    after = [draw_distractors(rng(seed), before, only=(name,)) for seed in range(4)]
    assert any((picture != before).any() for picture in after)
    assert all(picture.shape == before.shape and picture.dtype == np.uint8 for picture in after)


def test_suspects_are_left_out_unless_drawn_over():
    image = procedural_pavement(rng(1), 128, 128)
    everything = Background(image, np.ones((128, 128), bool))
    recipe = PatchRecipe(patch_px=64, procedural_share=0.0, cracked_share=1.0)
    seen = 0
    for seed in range(6):
        _, truth, counts = training_patch(rng(seed), [everything], recipe)
        np.testing.assert_array_equal(counts, truth)
        seen += int(truth.sum())
    assert seen > 0


def test_classical_detector_finds_a_dark_line_and_no_bright_one():
    ground = procedural_pavement(rng(9), 120, 160, grain_px=2, camera=False)
    points = np.array([[10.0, 60.0], [150.0, 66.0]])
    dark, mask = draw_polyline_crack(ground, points, 3, 0.6)
    bright = (255 - draw_polyline_crack(255 - ground, points, 3, 0.6)[0]).astype(np.uint8)
    core = mask & (np.arange(160) > 20) & (np.arange(160) < 140)
    assert candidate_mask(dark)[core].mean() > 0.9
    assert candidate_mask(bright)[core].mean() < 0.5
    assert ridge_response(dark).shape == (120, 160)
