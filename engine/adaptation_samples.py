"""Training patches of an adaptation: cracks drawn on the survey's own pavement, and believed answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.adaptation_photos import PreparedPhoto, suspect_mask
from engine.augmentation import AUGMENTATIONS, ByteMask, crop_at, draw_warp, recoloured
from engine.datasets import UNKNOWN
from engine.labelled_data import as_sample
from engine.pseudo_labels import SURE, Probability, believed
from engine.training_data import Background, PatchRecipe, training_patch
from engine.training_run import Sample, Samples

AUGMENTATION = AUGMENTATIONS["fast"]
CRACK_CENTRED_SHARE = 0.6
"""Source: seed 003, section 3.2: the share of patches around a crack."""

EASY_CONTRAST = 0.35
"""Where the curriculum starts: cracks that lose at least this share of light."""


@dataclass(frozen=True)
class Believed:
    """A photo with what the teacher is sure of.

    Attributes:
        photo: at the working scale.
        classes: uint8 (h, w): 0 sound, 1 crack, `UNKNOWN` where it is not sure.
        cracks: (N, 2) rows and columns of its crack pixels.
    """

    photo: PreparedPhoto
    classes: ByteMask
    cracks: np.ndarray


def believe(photo: PreparedPhoto, probability: Probability, sure: tuple[float, float] = SURE) -> Believed:
    """What to learn from a teacher's answer, see `believed`."""
    crack, known = believed(probability, photo.region, sure)
    classes = np.where(known, crack, UNKNOWN).astype(np.uint8)
    return Believed(photo, classes, np.argwhere(classes == 1))


def drawing_grounds(
    photos: Sequence[PreparedPhoto],
    answers: Sequence[Probability] = (),
    sure: tuple[float, float] = SURE,
    on_photo: Callable[[int, int], None] | None = None,
) -> list[Background]:
    """The photos to draw on, without what may be cracked in them.

    Args:
        photos: at the working scale.
        answers: of a teacher, one a photo; where it is sure of neither, or of a crack, nothing is taught.
            Without them the classical candidates say where cracks may be.
        sure: see `believed`.
        on_photo: called with photos done and in all; may raise `CancelledError`.
    """
    grounds = []
    for number, photo in enumerate(photos):
        if answers:
            crack, known = believed(answers[number], photo.region, sure)
            grounds.append(Background(photo.image, crack | ~known))
        else:
            grounds.append(Background(photo.image, suspect_mask(photo)))
        if on_photo is not None:
            on_photo(number + 1, len(photos))
    return grounds


def eased(recipe: PatchRecipe, done: float) -> PatchRecipe:
    """The recipe with plain cracks only at first, and fainter ones from there to the middle of a stage.

    Args:
        recipe: of the drawn patches.
        done: share of the stage that is past, 0 to 1.
    """
    low, high = recipe.style.contrast
    easy = min(max(low, EASY_CONTRAST), high)
    least = easy + (low - easy) * min(1.0, 2 * done)
    return replace(recipe, style=replace(recipe.style, contrast=(least, high)))


class AdaptationPatches(Samples):
    """Patches with drawn cracks, a share of them replaced by believed answers where there are any.

    Args:
        grounds: see `drawing_grounds`.
        recipe: of the drawn patches.
        seed: of the run.
        stage: number of the stage: no two stages draw the same patches.
        answers: what a teacher is sure of.
        answered_share: share of the patches that they make up.
        planned: patches of the stage; with the part "curriculum" they grow harder over its first half.
    """

    def __init__(
        self,
        grounds: Sequence[Background],
        recipe: PatchRecipe,
        seed: int,
        stage: int,
        answers: Sequence[Believed] = (),
        answered_share: float = 0.0,
        planned: int = 0,
    ) -> None:
        self.grounds, self.recipe, self.seed, self.stage = grounds, recipe, seed, stage
        self.answers, self.answered_share = answers, answered_share
        self.planned = planned if "curriculum" in recipe.parts and stage == 0 else 0
        self.cracked = [number for number, answer in enumerate(answers) if len(answer.cracks)]
        self.per_epoch = 200

    def __getitem__(self, index: int) -> Sample:
        rng = np.random.default_rng([self.seed, self.stage, index])
        if self.answers and rng.random() < self.answered_share:
            return self._answered(rng)
        recipe = eased(self.recipe, index / self.planned) if self.planned else self.recipe
        image, truth, counts = training_patch(rng, self.grounds, recipe)
        classes = np.where(counts, truth, UNKNOWN).astype(np.uint8)
        return as_sample(image.astype(np.float32) / np.float32(255), classes)

    def _answered(self, rng: np.random.Generator) -> Sample:
        side = self.recipe.patch_px
        if self.cracked and rng.random() < CRACK_CENTRED_SHARE:
            answer = self.answers[self.cracked[int(rng.integers(len(self.cracked)))]]
            at = answer.cracks[int(rng.integers(len(answer.cracks)))]
            centre = at + rng.uniform(-side / 3, side / 3, 2)
        else:
            answer = self.answers[int(rng.integers(len(self.answers)))]
            centre = rng.uniform(0, answer.classes.shape)
        warp, down, right = draw_warp(rng, AUGMENTATION)
        middle = (float(centre[0] + down * side), float(centre[1] + right * side))
        image, classes = crop_at(answer.photo.image, answer.classes, middle, side, warp)
        return as_sample(recoloured(rng, image, AUGMENTATION), classes)
