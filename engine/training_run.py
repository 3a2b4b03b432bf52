"""The state of a training: its steps, its epochs, and how it is saved and restored."""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import Dataset

from engine.errors import DivergedError, SettingsError
from engine.inference import fast_bf16, resolve_device
from engine.models.base import CrackModel
from engine.objectives import Batch, Objective
from engine.train_settings import TrainSettings

WARM_UP = 0.1
DAMAGED = (
    AttributeError, EOFError, KeyError, OSError, RuntimeError, TypeError, UnpicklingError, ValueError,
)  # fmt: skip

Sample = tuple[Tensor, Tensor, Tensor]


class Samples(Dataset[Sample], ABC):
    """An endless row of training samples: number i is always the same, whatever process makes it.

    Attributes:
        per_epoch: samples that make an epoch.
    """

    per_epoch: int

    @abstractmethod
    def __getitem__(self, index: int) -> Sample:
        """Image (3, H, W) in [0, 1], truth (1, H, W) and weight (1, H, W), all float32; index >= 0."""


def one_cycle(progress: float) -> float:
    """Factor on the learning rate: linear from 4 % over the first tenth, then a cosine down to 1 %.

    Args:
        progress: share of training done, in [0, 1].
    """
    if progress < WARM_UP:
        return 0.04 + 0.96 * progress / WARM_UP
    along = min(1.0, (progress - WARM_UP) / (1 - WARM_UP))
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * along))


def _optimiser(parameters: list[nn.Parameter], settings: TrainSettings) -> torch.optim.Optimizer:
    rate, decay = settings.learning_rate, settings.weight_decay
    if settings.optimiser == "sgd":
        return torch.optim.SGD(parameters, rate, momentum=settings.momentum, weight_decay=decay)
    kind = torch.optim.AdamW if settings.optimiser == "adamw" else torch.optim.Adam
    return kind(parameters, rate, weight_decay=decay)


def _copied(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


class TrainingRun:
    """Everything that training changes, which is everything that a state file must bring back."""

    def __init__(self, model: CrackModel, objective: Objective, settings: TrainSettings) -> None:
        self.device = resolve_device(settings.device)
        self.settings = settings
        form = torch.channels_last
        self.model: CrackModel = model.to(self.device, memory_format=form)  # type: ignore[call-overload]
        self.objective = objective.to(self.device)
        # an objective may hold the model itself
        unique = dict.fromkeys([*model.parameters(), *objective.parameters()])
        self.parameters = [p for p in unique if p.requires_grad]
        self.optimiser = _optimiser(self.parameters, settings)
        self.plateau = ReduceLROnPlateau(
            self.optimiser, factor=settings.plateau_factor, patience=settings.plateau_patience
        )
        self.mean: dict[str, Tensor] | None = _copied(model) if settings.ema else None
        self.best: dict[str, Tensor] | None = None
        self.best_loss, self.stale_epochs, self.phase = math.inf, 0, 0
        self.step, self.minutes_before, self.wall_before = 0, 0.0, 0.0
        self.loss_sum, self.loss_steps = 0.0, 0
        self.history: list[dict[str, float]] = []
        self.started, self.wall_started = self._clock_s(), time.monotonic()

    def _clock_s(self) -> float:
        return time.process_time() if self.device == "cpu" else time.monotonic()

    @property
    def minutes(self) -> float:
        """Minutes of computing so far."""
        return self.minutes_before + (self._clock_s() - self.started) / 60

    @property
    def wall_minutes(self) -> float:
        """The same by the clock on the wall."""
        return self.wall_before + (time.monotonic() - self.wall_started) / 60

    _counters = (
        "best_loss", "stale_epochs", "phase", "step", "loss_sum", "loss_steps", "history", "mean", "best",
    )  # fmt: skip
    _parts = ("model", "objective", "optimiser", "plateau")

    def save(self, path: Path) -> None:
        """Write the state; the file appears whole or not at all."""
        state: dict[str, Any] = {name: getattr(self, name) for name in self._counters}
        state |= {name: getattr(self, name).state_dict() for name in self._parts}
        state |= {
            "minutes": self.minutes,
            "wall_minutes": self.wall_minutes,
            "settings": self.settings.identity(),
        }
        temporary = path.with_suffix(".tmp")
        torch.save(state, temporary)
        temporary.replace(path)

    def restore(self, path: Path) -> None:
        """Continue from a state file.

        Raises:
            SettingsError: a file that is damaged, or of a training with other settings.
        """
        try:
            state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
            if state["settings"] != self.settings.identity():
                raise SettingsError(
                    f"{path} is of a training with other settings.",
                    "Give the same settings, or remove it to start anew.",
                )
            for name in self._parts:
                getattr(self, name).load_state_dict(state[name])
            for name in self._counters:
                setattr(self, name, state[name])
            self.minutes_before, self.wall_before = state["minutes"], state["wall_minutes"]
        except DAMAGED as error:
            raise SettingsError(
                f"{path} cannot be continued from: {error}.", "Remove it to start anew."
            ) from error

    def train_step(self, batch: Batch, progress: float) -> float:
        """One optimiser step; the loss."""
        settings = self.settings
        if self.objective.phase(progress) != self.phase:
            self._begin_phase(self.objective.phase(progress))
        if settings.schedule == "one_cycle":
            for group in self.optimiser.param_groups:
                group["lr"] = settings.learning_rate * one_cycle(progress)
        # a state of its own for every step: what a model draws does not depend on interruptions
        torch.manual_seed(settings.seed * 1_000_003 + self.step)
        loss = self._loss(batch, progress)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise DivergedError(
                f"The loss became {value} at step {self.step + 1}.", "Train with a lower learning rate."
            )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if settings.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.parameters, settings.clip_norm)
        self.optimiser.step()
        self.step += 1
        if self.mean is not None:
            self._update_mean(min(settings.ema, self.step / (self.step + 9)))
        self.loss_sum, self.loss_steps = self.loss_sum + value, self.loss_steps + 1
        return value

    def _begin_phase(self, phase: int) -> None:
        """Forget the losses so far: those of another phase say nothing about the ones to come."""
        self.phase, self.best_loss, self.stale_epochs = phase, math.inf, 0
        self.plateau.best, self.plateau.num_bad_epochs = math.inf, 0
        self.loss_sum, self.loss_steps = 0.0, 0

    def _loss(self, batch: Batch, progress: float) -> Tensor:
        bf16 = self.settings.bf16 and fast_bf16(self.device)
        with torch.autocast(self.device, torch.bfloat16, enabled=bf16):
            try:
                loss: Tensor = self.objective(self.model, batch, progress)
            except ValueError as error:
                if "more than 1 value per channel" not in str(error):
                    raise
                raise SettingsError(
                    f"{self.settings.model} cannot be trained with {len(batch.image)} crop(s) of "
                    f"{batch.image.shape[-1]} px a step: its batch normalisation has one value to go by.",
                    "Give a batch of 2 or more, or another model.",
                ) from error
        return loss

    @torch.no_grad()
    def _update_mean(self, decay: float) -> None:
        current = self.model.state_dict()
        for name, value in (self.mean or {}).items():
            if value.is_floating_point():
                value.lerp_(current[name], 1 - decay)
            else:
                value.copy_(current[name])

    @contextmanager
    def kept_weights(self) -> Iterator[CrackModel]:
        """The model with the weights that would be kept now, in evaluation mode."""
        live = _copied(self.model) if self.mean is not None else None
        if self.mean is not None:
            self.model.load_state_dict(self.mean)
        self.model.eval()
        try:
            yield self.model
        finally:
            if live is not None:
                self.model.load_state_dict(live)
            self.model.train()

    def batch(self, image: Tensor, truth: Tensor, weight: Tensor) -> Batch:
        """Samples on the device, the image as the network wants it."""
        return Batch(
            image.to(self.device).contiguous(memory_format=torch.channels_last),
            truth.to(self.device),
            weight.to(self.device),
        )

    def end_epoch(self, epoch: int, progress: float, validation: Sequence[Sample], whole: bool) -> None:
        """Validate, remember the best, lower the rate on a plateau, and add a row to the history.

        `progress` is that of its last step, so that the loss watched is the one trained with.
        An epoch that a limit cut short (not `whole`) may be gone on with: its row is then written anew.
        """
        row = {
            "epoch": float(epoch),
            "steps": float(self.step),
            "train_loss": self.loss_sum / self.loss_steps,
            "learning_rate": float(self.optimiser.param_groups[0]["lr"]),
        }
        watched = row["train_loss"]
        if len(validation):
            watched = row["validation_loss"] = self._validate(validation, progress)
        if watched < self.best_loss:
            self.best_loss, self.stale_epochs = watched, 0
            if self.settings.keep_best:
                with self.kept_weights() as model:
                    self.best = _copied(model)
        else:
            self.stale_epochs += 1
        if self.settings.schedule == "plateau":
            self.plateau.step(watched)
        row |= {"cpu_minutes": self.minutes, "wall_minutes": self.wall_minutes}
        self.history = [*(past for past in self.history if past["epoch"] < epoch), row]
        if whole:
            self.loss_sum, self.loss_steps = 0.0, 0

    @torch.no_grad()
    def _validate(self, validation: Sequence[Sample], progress: float) -> float:
        total = 0.0
        with self.kept_weights():
            for number in range(len(validation)):
                image, truth, weight = (part[None] for part in validation[number])
                total += float(self._loss(self.batch(image, truth, weight), progress))
        return total / len(validation)

    def finish(self) -> CrackModel:
        """The model with the weights that are kept."""
        kept = self.best if self.best is not None else self.mean
        if kept is not None:
            self.model.load_state_dict(kept)
        return self.model.eval()
