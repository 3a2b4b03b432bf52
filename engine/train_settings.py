"""How a training is set up, and what comes out of it (torch-free)."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from numbers import Integral, Real
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args, get_origin

from engine.augmentation import AUGMENTATIONS
from engine.errors import SettingsError

if TYPE_CHECKING:
    from engine.models.base import CrackModel

OPTIMISERS = ("adamw", "adam", "sgd")
SCHEDULES = ("one_cycle", "plateau", "constant")
DEVICES = ("auto", "cpu", "cuda")
LIMITS = ("steps", "epochs", "cpu_minutes", "save_every", "workers")
"""What a continued training may change."""

CHOICES: dict[str, tuple[str, ...]] = {
    "optimiser": OPTIMISERS, "schedule": SCHEDULES, "augmentation": tuple(AUGMENTATIONS), "device": DEVICES,
}  # fmt: skip
KINDS: dict[type, tuple[type, str]] = {
    bool: (bool, "true or false"), int: (Integral, "a whole number"), float: (Real, "a number"),
    str: (str, "a name"), dict: (Mapping, "options by name"),
}  # fmt: skip
Allowed = tuple[Callable[[float], bool], str]
ABOVE_ZERO: Allowed = (lambda value: value > 0, "above 0")
ZERO_OR_MORE: Allowed = (lambda value: value >= 0, "of 0 or more")
ONE_OR_MORE: Allowed = (lambda value: value >= 1, "of 1 or more")
BELOW_ONE: Allowed = (lambda value: 0 <= value < 1, "of 0 or more and below 1")
RANGES: dict[str, Allowed] = {
    **dict.fromkeys(("learning_rate", "cpu_minutes", "clip_norm"), ABOVE_ZERO),
    **dict.fromkeys(("weight_decay", "plateau_patience", "seed", "workers"), ZERO_OR_MORE),
    **dict.fromkeys(("early_stopping", "steps", "epochs", "batch", "patch_px"), ONE_OR_MORE),
    **dict.fromkeys(("crops_per_image", "save_every"), ONE_OR_MORE),
    **dict.fromkeys(("momentum", "ema"), BELOW_ONE),
    "plateau_factor": (lambda value: 0 < value < 1, "between 0 and 1"),
    "crack_share": (lambda value: 0 <= value <= 1, "from 0 to 1"),
    "working_scale": (lambda value: 0.01 <= value <= 8, "from 0.01 to 8"),
}


def _check(name: str, value: Any, kinds: tuple[type, ...]) -> None:
    """Refuse a value of the wrong kind or out of range, in words that name the setting."""
    if value is None and NoneType in kinds:
        return
    wanted, words = KINDS[kinds[0]]
    right = isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))
    if right and isinstance(value, Real):
        right = math.isfinite(value)
    within, limits = RANGES.get(name, (lambda value: True, ""))
    if name in CHOICES:
        within, words = CHOICES[name].__contains__, f"one of: {', '.join(CHOICES[name])}"
    if not right or not within(value):
        or_none = ", or none" if NoneType in kinds else ""
        raise SettingsError(f"{name}={value!r} cannot be.", f"Give {words} {limits}".rstrip() + f"{or_none}.")


@dataclass(frozen=True)
class TrainSettings:
    """How to train; saved with the result.

    Attributes:
        model: name of the network.
        model_options: its constructor's options.
        objective: name in `engine.presets.LOSSES`.
        objective_options: its options.
        optimiser: "adamw", "adam" or "sgd".
        learning_rate: the highest.
        weight_decay: the optimiser's.
        momentum: SGD's.
        schedule: "one_cycle" (10 % warm-up, then a cosine down to 1 %, along `progress`), "plateau" (times
            `plateau_factor` after `plateau_patience` epochs without a better loss), or "constant".
        plateau_factor: see `schedule`.
        plateau_patience: see `schedule`; epochs.
        early_stopping: epochs without a better loss after which training stops; None never.
        keep_best: keep the weights of the epoch with the best loss, not the last ones.
        steps: optimiser steps after which training stops; None no limit.
        epochs: the same in epochs.
        cpu_minutes: the same in CPU minutes of this process (wall minutes on a GPU); a loaded machine gets as
            far as an idle one. Processes that only draw samples (`workers`) are not counted.
        batch: samples a step.
        patch_px: side of the crops.
        augmentation: name in `engine.augmentation.AUGMENTATIONS`.
        crack_share: share of crops drawn around a crack pixel, the others without any; None: anywhere.
        crops_per_image: crops an image gives to an epoch, on average.
        crops_by_cracks: share an epoch's crops out by crack pixels (seed 003, equation 3), not evenly.
        working_scale: factor that images and masks are resized by first; also when the model is used.
        ema: decay of the running mean of the weights, which is what is kept then; 0 switches it off.
        clip_norm: longest gradient; None does not clip.
        seed: of weights, samples and whatever the model draws.
        save_every: steps between saves of the state; it is also saved every five minutes.
        workers: processes that make samples.
        bf16: bfloat16 autocast where the processor has it in hardware.
        device: "auto", "cpu" or "cuda".
    """

    model: str = "attention_resunet"
    model_options: dict[str, Any] = field(default_factory=dict)
    objective: str = "ce_dice"
    objective_options: dict[str, Any] = field(default_factory=dict)
    optimiser: str = "adamw"
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    momentum: float = 0.9
    schedule: str = "one_cycle"
    plateau_factor: float = 0.5
    plateau_patience: int = 5
    early_stopping: int | None = None
    keep_best: bool = False
    steps: int | None = None
    epochs: int | None = None
    cpu_minutes: float | None = None
    batch: int = 8
    patch_px: int = 192
    augmentation: str = "none"
    crack_share: float | None = None
    crops_per_image: int = 1
    crops_by_cracks: bool = False
    working_scale: float = 1.0
    ema: float = 0.998
    clip_norm: float | None = 1.0
    seed: int = 0
    save_every: int = 500
    workers: int = 0
    bf16: bool = True
    device: str = "cpu"

    @property
    def watches_validation(self) -> bool:
        """Whether anything depends on the loss after each epoch, so that validation is worth its time."""
        return self.schedule == "plateau" or self.early_stopping is not None or self.keep_best

    def identity(self) -> str:
        """All that must be the same for a training to be continued."""
        return repr({name: value for name, value in asdict(self).items() if name not in LIMITS})

    def __post_init__(self) -> None:
        for one in fields(self):
            _check(one.name, getattr(self, one.name), kinds_of(one.type))


def kinds_of(annotation: Any) -> tuple[type, ...]:
    """Types that a setting may have: (float, NoneType) for `float | None`, (dict,) for `dict[str, Any]`."""
    origin = get_origin(annotation)
    return (origin,) if origin is dict else get_args(annotation) or (annotation,)


@dataclass(frozen=True)
class TrainResult:
    """A trained model, in evaluation mode.

    Attributes:
        model: the network.
        threshold: probability from which a pixel is a crack.
        steps: optimiser steps done.
        epochs: epochs begun.
        cpu_minutes: CPU minutes of this process (wall minutes on a GPU), those before a resume included.
        wall_minutes: the same by the clock on the wall.
        history: one row an epoch, see `TrainingLog`.
        stopped_because: "steps", "epochs", "cpu_minutes" or "early_stopping".
    """

    model: "CrackModel"
    threshold: float
    steps: int
    epochs: int
    cpu_minutes: float
    wall_minutes: float
    history: tuple[dict[str, float], ...]
    stopped_because: str
