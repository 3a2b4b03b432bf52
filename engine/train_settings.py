"""How a training is set up, and what comes out of it (torch-free)."""

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from engine.errors import SettingsError

if TYPE_CHECKING:
    from engine.models.base import CrackModel

OPTIMISERS = ("adamw", "adam", "sgd")
SCHEDULES = ("one_cycle", "plateau", "constant")
LIMITS = ("steps", "epochs", "cpu_minutes", "save_every", "workers")
"""What a continued training may change."""


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
        for name, value, known in (
            ("optimiser", self.optimiser, OPTIMISERS),
            ("schedule", self.schedule, SCHEDULES),
        ):
            if value not in known:
                raise SettingsError(f"There is no {name} {value!r}.", f"Choose one of: {', '.join(known)}.")
        counts = (self.batch, self.patch_px, self.crops_per_image, self.save_every)
        limits = [
            x for x in (self.steps, self.epochs, self.cpu_minutes, self.early_stopping) if x is not None
        ]
        if min(counts) < 1 or min(limits, default=1) <= 0 or self.workers < 0 or self.seed < 0:
            raise SettingsError(
                "Sizes, counts and limits of a training must be above zero.", "Correct the options."
            )
        sound = self.learning_rate > 0 and self.weight_decay >= 0 and 0 <= self.ema < 1
        share = 0.5 if self.crack_share is None else self.crack_share
        if not sound or not 0 <= share <= 1 or not 0.01 <= self.working_scale <= 8:
            raise SettingsError(
                "The learning rate, weight decay, ema, crack_share or working_scale is out of range.",
                "Give a rate above 0, a decay of 0 or more, ema in [0, 1), a share in [0, 1], a scale in "
                "[0.01, 8].",
            )


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
