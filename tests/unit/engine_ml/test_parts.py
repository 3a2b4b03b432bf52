import hashlib
from dataclasses import replace

import numpy as np
import pytest

from engine.crack_courses import alligator, crack_blocks, crack_pair
from engine.crack_details import along_runs, debris_cover, ravelled, run_strength, spalls, wall_profile
from engine.lookalikes import LOOKALIKES, draw_lookalikes
from engine.pavement import procedural_pavement
from engine.synthesis import CRACK_PARTS, CrackStyle, draw_varied_cracks, rasterise_polyline
from engine.training_data import ALL_PARTS, Background, PatchRecipe, training_patch


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def ground() -> Background:
    suspect = np.zeros((150, 170), bool)
    suspect[40:60] = True
    return Background(procedural_pavement(rng(100), 150, 170), suspect)


def digest(patches) -> str:
    whole = hashlib.sha256()
    for patch in patches:
        for array in patch:
            whole.update(array.tobytes())
    return whole.hexdigest()


def test_without_parts_the_patches_are_those_the_base_was_trained_on():
    # of the code that trained the shipped base: what it drew must stay drawable, byte for byte
    on_photo = PatchRecipe(patch_px=96, procedural_share=0.5)
    there = [ground()]
    assert digest(training_patch(rng(seed), there, on_photo) for seed in range(12)) == (
        "484f17132fb0f59579e0bfc8ad460dabce8e5ccca7a25d3c4c87014d4d10bc56"
    )
    assert digest(training_patch(rng(seed), [], PatchRecipe(patch_px=64)) for seed in range(4)) == (
        "e997b9738e2c6e6362973c54a075ff32bf3250b0f45af82d75ab5f16a98b2035"
    )


@pytest.mark.parametrize("parts", [*({part} for part in sorted(ALL_PARTS)), ALL_PARTS])
def test_with_parts_the_seed_still_decides_everything(parts):
    recipe = PatchRecipe(patch_px=64, procedural_share=0.3, parts=frozenset(parts))
    there = [ground()]
    once, again = ([training_patch(rng(seed), there, recipe) for seed in range(4)] for _ in range(2))
    assert digest(once) == digest(again)
    assert all(not (truth & ~counts).any() for _, truth, counts in once)


def test_parts_change_what_is_drawn():
    plain = PatchRecipe(patch_px=64)
    rich = replace(plain, parts=ALL_PARTS)
    assert digest(training_patch(rng(s), [], plain) for s in range(3)) != digest(
        training_patch(rng(s), [], rich) for s in range(3)
    )


BOLD = CrackStyle(width_px=(2, 8), contrast=(0.4, 0.7), network_share=0.4, blur_px=(0.4, 0.8))


def lost_light(before, after):
    return 1 - after.astype(float).mean(axis=2) / np.maximum(before.astype(float).mean(axis=2), 1)


@pytest.mark.parametrize("parts", [*({part} for part in sorted(CRACK_PARTS)), CRACK_PARTS])
def test_masks_lie_where_a_crack_is_seen(parts):
    drawn = changed = 0
    for seed in range(10):
        before = procedural_pavement(rng(seed), 128, 128, grain_px=3, camera=False)
        after, mask, doubt = draw_varied_cracks(rng(seed), before, BOLD, frozenset(parts))
        assert not (mask & doubt).any()
        if mask.sum() > 80:
            lost = lost_light(before, after)
            drawn += 1
            assert lost[mask].mean() > 0.1 > abs(lost[~mask & ~doubt].mean())
            changed += (np.abs(after[mask].astype(int) - before[mask]).max(axis=1) > 2).mean() > 0.85
    assert drawn >= 7 and changed >= drawn - 1


@pytest.mark.parametrize("part", sorted(CRACK_PARTS))
def test_every_part_alone_draws_something_else(part):
    before = procedural_pavement(rng(3), 128, 128, grain_px=3, camera=False)
    differs = [
        (
            draw_varied_cracks(rng(seed), before, BOLD, frozenset({part}))[0]
            != draw_varied_cracks(rng(seed), before, BOLD)[0]
        ).any()
        for seed in range(12)
    ]
    assert sum(differs) >= 3


@pytest.mark.parametrize("name", list(LOOKALIKES))
def test_lookalikes_change_the_picture_and_never_the_truth(name):
    before = procedural_pavement(rng(5), 96, 120, camera=False)
    pictures = [draw_lookalikes(rng(seed), before, frozenset({name})) for seed in range(60)]
    assert all(picture.shape == before.shape and picture.dtype == np.uint8 for picture in pictures)
    assert 1 <= sum((picture != before).any() for picture in pictures) < 30
    recipe = PatchRecipe(patch_px=64, cracked_share=0.0, parts=frozenset({name}))
    for seed in range(8):
        _, truth, counts = training_patch(rng(seed), [], recipe)
        assert not truth.any() and counts.all()


def test_a_wide_crack_is_darkest_in_its_middle():
    cover = rasterise_polyline(np.array([[-5.0, 30.0], [65.0, 30.0]]), np.full(2, 14.0), 60, 60)
    for seed in range(6):
        relief, lit = wall_profile(rng(seed), cover, 14.0)
        across = relief[:, 20:40].mean(axis=1)
        assert across[30] > 1.05 * max(across[24], across[36])
        assert lit.min() >= 0 and relief.max() <= 1 and relief[:20].max() == 0


def test_ravelled_edges_are_rough_each_for_itself():
    cover = rasterise_polyline(np.array([[-5.0, 40.0], [205.0, 40.0]]), np.full(2, 8.0), 80, 200)
    rough = 0
    for seed in range(8):
        _, extent = ravelled(rng(seed), cover, cover, 8.0)
        opened = extent >= 0.5
        assert opened[38:43].mean() > 0.9 and not opened[:25].any()
        upper, lower = opened[:40].sum(axis=0), opened[41:].sum(axis=0)
        rough += upper.std() > 0.3 and abs(np.corrcoef(upper, lower)[0, 1]) < 0.5
    assert rough >= 5


def test_the_floor_of_a_spall_is_neither_crack_nor_sound():
    cover = rasterise_polyline(np.array([[-5.0, 40.0], [85.0, 40.0]]), np.full(2, 5.0), 80, 80)
    image = np.full((80, 80, 3), 120, np.float32)
    dark, floor = spalls(rng(1), image, cover, 5.0)
    assert dark.max() > 0.5 and floor.any() and not (floor & (dark >= 0.5)).any()
    assert (image != 120).any()


def test_faint_stretches_are_left_out_of_the_truth():
    style = CrackStyle(width_px=(3, 4), contrast=(0.15, 0.2), network_share=0.0)
    before = procedural_pavement(rng(2), 160, 160, grain_px=2, camera=False)
    grey = np.full_like(before, 128) + (before // 32)
    doubts = [draw_varied_cracks(rng(s), grey, style, frozenset({"contrast_runs"}))[2] for s in range(12)]
    assert sum(doubt.any() for doubt in doubts) >= 4
    assert all(not draw_varied_cracks(rng(s), grey, style)[2].any() for s in range(4))


def test_runs_change_slowly_and_debris_comes_in_patches():
    field = along_runs(rng(4), 150, 150, 3.0)
    strength = run_strength(rng(4), field)
    assert 0 <= strength.min() < 0.5 < 0.9 < strength.max() <= 1.4
    assert np.abs(np.diff(strength, axis=0)).mean() < 0.1
    cover = debris_cover(rng(4), 150, 150, 3.0)
    assert cover.min() >= 0 and cover.max() <= 1


@pytest.mark.parametrize("draw", [alligator, crack_blocks])
def test_nets_have_smaller_cells_when_asked(draw):
    fine, coarse = (
        sum(len(draw(rng(seed), 200, 200, cell_px=cell)) for seed in range(5)) for cell in (16, 60)
    )
    assert fine > 3 * coarse > 0


def test_a_pair_runs_side_by_side():
    for seed in range(6):
        first, second = (line[-1] - line[0] for line in crack_pair(rng(seed), 200, 200)[:2])
        cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
        assert cosine > 0.5
