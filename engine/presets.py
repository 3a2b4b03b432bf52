"""Settings with a name: those that the papers print, and the project's own; and the losses by name."""

import inspect
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor

from engine.errors import SettingsError
from engine.losses import cross_entropy, cross_entropy_and_dice
from engine.models.base import CrackModel
from engine.objectives import Objective, Supervised
from engine.train_settings import TrainSettings

Make = Callable[..., Objective]
Loss = Callable[..., Tensor]


def _supervised(model: CrackModel, name: str, loss: Loss, options: dict[str, Any]) -> Objective:
    several = name == "multiclass"
    if several != (model.classes > 1):
        raise SettingsError(
            f"The loss {name} does not fit a model with {model.classes} output(s).",
            "Use multiclass for two classes or more, another loss for one.",
        )
    inspect.signature(loss).bind(None, None, None, **options)
    return Supervised(partial(loss, **options))


def _ce_dice(model: CrackModel, **options: Any) -> Objective:
    return _supervised(model, "ce_dice", cross_entropy_and_dice, options)


def _ce(model: CrackModel, **options: Any) -> Objective:
    return _supervised(model, "ce", cross_entropy, options)


def _bce_dice(model: CrackModel, **options: Any) -> Objective:
    from engine.losses.multiclass import bce_dice

    return _supervised(model, "bce_dice", bce_dice, options)


def _multiclass(model: CrackModel, **options: Any) -> Objective:
    from engine.losses.multiclass import multiclass_cross_entropy_dice

    return _supervised(model, "multiclass", multiclass_cross_entropy_dice, options)


def _cldice(model: CrackModel, **options: Any) -> Objective:
    from engine.losses.connectivity import cross_entropy_dice_cldice

    return _supervised(model, "cldice", cross_entropy_dice_cldice, options)


def _paper(model: CrackModel, **options: Any) -> Objective:
    from engine.losses.crack_segmenter import PaperObjective

    return PaperObjective(model, **options)


def _cirl(model: CrackModel, **options: Any) -> Objective:
    from engine.cirl import CirlObjective

    return CirlObjective(model, **options)


def _aseg(model: CrackModel, **options: Any) -> Objective:
    return _cirl(model, **{"switch_at": 1.0, **options})


def _refinement(model: CrackModel, **options: Any) -> Objective:
    from engine.losses.refinement import RefinementObjective

    return RefinementObjective(model, **options)


LOSSES: dict[str, Make] = {
    "ce": _ce,
    "ce_dice": _ce_dice,
    "bce_dice": _bce_dice,
    "multiclass": _multiclass,
    "cldice": _cldice,
    "paper": _paper,
    "cirl": _cirl,
    "aseg": _aseg,
    "refinement": _refinement,
}
"""ce: seed 003, eq. 5. ce_dice: eq. 4. bce_dice: seed 001, eq. 18. multiclass: seed 001, eq. 21. cldice:
centre lines. paper: seed 000, eq. 42, without labels. cirl: seed 002, both phases; aseg: its first phase only
(eq. 7). refinement: cracks and outlines of every pass, for jtfn."""


def make_objective(name: str, model: CrackModel, **options: Any) -> Objective:
    """What to minimise.

    Args:
        name: key of `LOSSES`.
        model: to be trained with it.
        **options: hyper-parameters of the loss.

    Raises:
        SettingsError: an unknown name or option, or a model that the loss does not fit.
    """
    if name not in LOSSES:
        raise SettingsError(f"There is no loss named {name!r}.", f"Choose one of: {', '.join(LOSSES)}.")
    try:
        return LOSSES[name](model, **options)
    except TypeError as error:
        raise SettingsError(
            f"The loss {name} cannot be made with options {options}: {error}.", "Correct the options."
        ) from error


def _printed(**settings: Any) -> TrainSettings:
    """What a paper does not mention, it is taken not to have done."""
    return TrainSettings(**{"schedule": "constant", "ema": 0.0, "clip_norm": None, "bf16": False, **settings})


PRESETS: dict[str, TrainSettings] = {
    # Source: seed 000, sections 4.1 and 4.2. departs: it gives neither the ranges of its augmentations (ours
    # are in `engine.augmentation`) nor the side of what is trained on (448 px, as its images are published),
    # nor says which epoch's weights are kept (here those of the best validation loss).
    "seed-000": _printed(
        model="crack_segmenter", objective="paper", optimiser="adamw", learning_rate=1e-4, weight_decay=1e-5,
        schedule="plateau", plateau_factor=0.5, plateau_patience=5, early_stopping=100, keep_best=True,
        batch=8, epochs=500, patch_px=448, augmentation="seed-000",
    ),
    # Source: seed 001, section 4.2.1, table 2. departs: as above.
    "seed-001": _printed(
        model="context_cracknet", objective="bce_dice", optimiser="adamw", learning_rate=1e-4,
        weight_decay=1e-5, schedule="plateau", plateau_factor=0.5, plateau_patience=5, keep_best=True,
        batch=32, epochs=1000, patch_px=448, augmentation="seed-001",
    ),
    # Source: seed 002, section 4.1. The paper's base network is JTFN; any with one output will do.
    "seed-002": _printed(
        model="attention_resunet", objective="cirl", optimiser="adam", learning_rate=1e-3, weight_decay=5e-4,
        batch=2, epochs=2000, patch_px=256, augmentation="seed-002",
    ),
    # Source: seed 003, section 3.2: 2000 patches an image (CFD); for images of different size and crack
    # content (AigleRN, 25 epochs) crops_by_cracks=True shares them out by equation 3. departs: every epoch
    # draws new patches, the paper extracts them once.
    "seed-003": _printed(
        model="attention_resunet", objective="ce_dice", optimiser="sgd", momentum=0.9, learning_rate=1e-3,
        weight_decay=1e-6, batch=32, epochs=30, patch_px=48, crack_share=0.6, crops_per_image=2000,
    ),
    # The project's own: what gets furthest in few minutes. Of the rates 0.0005, 0.001 and 0.002 the middle
    # one was best on held-out training images of CFD and on Crack500 (1.5 CPU minutes, one seed each).
    "fast": TrainSettings(
        objective="ce_dice", optimiser="adamw", learning_rate=1e-3, weight_decay=1e-4, schedule="one_cycle",
        ema=0.99, batch=8, patch_px=192, augmentation="fast", cpu_minutes=8.0,
    ),
}  # fmt: skip
"""Change one with `dataclasses.replace`."""

FAST_RATES = {"crack_segmenter": 1e-2}
"""Learning rates of "fast" for networks that learn next to nothing in minutes at the common one.

crack_segmenter: F1 at 2 px on held-out training images of CFD after one CPU minute: 0.07 at 0.001, 0.18 at
0.003, 0.42 at 0.01.
"""


def preset_settings(preset: str, model: str | None = None) -> TrainSettings:
    """A preset's settings, with another network than its own where one is named.

    Raises:
        SettingsError: an unknown preset.
    """
    if preset not in PRESETS:
        raise SettingsError(f"There is no preset {preset!r}.", f"Choose one of: {', '.join(PRESETS)}.")
    settings = replace(PRESETS[preset], model=model or PRESETS[preset].model)
    if preset == "fast":
        return replace(settings, learning_rate=FAST_RATES.get(settings.model, settings.learning_rate))
    return settings
