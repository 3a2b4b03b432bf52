import hashlib
from dataclasses import replace

import numpy as np
import pytest

from engine.pavement import procedural_pavement
from engine.training_data import ADAPT_PARTS, ALL_PARTS, Background, PatchRecipe, training_patch


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


@pytest.mark.parametrize("parts", [*({part} for part in sorted(ALL_PARTS)), ADAPT_PARTS])
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
