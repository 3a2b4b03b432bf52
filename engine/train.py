"""The one training loop: whatever the samples, the model and the objective are, they are trained here."""

import ctypes
import itertools
import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
from torch.utils.data import DataLoader, Sampler

from engine.errors import SettingsError
from engine.models.base import CrackModel
from engine.objectives import Objective
from engine.train_settings import TrainResult, TrainSettings
from engine.training_log import TrainingLog
from engine.training_run import Sample, Samples, TrainingRun

__all__ = ["Samples", "TrainResult", "TrainSettings", "keep_freed_memory", "train"]

SAVE_EVERY_S = 300.0

OnStep = Callable[[int, int | None, float, float], None]
"""Called with steps done, steps in all (None where minutes limit), the loss, and wall minutes left."""


class _Onward(Sampler[int]):
    """first, first + 1, ... without end."""

    def __init__(self, first: int) -> None:
        self.first = first

    def __iter__(self) -> Iterator[int]:
        return itertools.count(self.first)


def keep_freed_memory() -> None:
    """Let glibc keep what is freed: giving activations back to the system and faulting them in again at
    every step cost up to nine tenths of the time."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        trim_threshold, top_pad, mmap_max = -1, -2, -4
        libc.mallopt(mmap_max, 0)
        libc.mallopt(trim_threshold, 2**31 - 1)
        libc.mallopt(top_pad, 64 * 2**20)


def _limits(settings: TrainSettings, steps_per_epoch: int) -> dict[str, float]:
    limits = {
        "steps": settings.steps,
        "epochs": settings.epochs and settings.epochs * steps_per_epoch,
        "cpu_minutes": settings.cpu_minutes,
    }
    given = {name: float(value) for name, value in limits.items() if value is not None}
    if not given:
        raise SettingsError("This training would never end.", "Give steps, epochs or cpu_minutes.")
    return given


@contextmanager
def _interrupted() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets, once: half a step is no state to go on from. A second one does not wait."""
    asked = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    # other threads cannot, and who handles the signal in a way of their own shall go on to
    ours = threading.current_thread() is threading.main_thread() and before is signal.default_int_handler

    def ask(_number: int, _frame: object) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)

    if ours:
        signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        if ours:
            signal.signal(signal.SIGINT, before)


def _ignore_interrupts(_worker: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _loader(samples: Samples, settings: TrainSettings, first_step: int) -> DataLoader[Sample]:
    if settings.workers:
        # a pool of OpenCV threads does not outlive the fork: workers that inherit one hang
        cv2.setNumThreads(1)
    onward = _Onward(first_step * settings.batch)
    return DataLoader(
        samples,
        settings.batch,
        sampler=onward,
        num_workers=settings.workers,
        worker_init_fn=_ignore_interrupts,
    )


class _Pace:
    """How far a training is, by whichever limit comes first."""

    def __init__(self, run: TrainingRun, limits: dict[str, float]) -> None:
        self.run, self.limits = run, limits
        self.first, self.started = self.progress, time.monotonic()
        counted = [limit for name, limit in limits.items() if name != "cpu_minutes"]
        self.total = None if "cpu_minutes" in limits else int(min(counted))

    def _shares(self) -> dict[str, float]:
        done = {"steps": self.run.step, "epochs": self.run.step, "cpu_minutes": self.run.minutes}
        return {name: done[name] / limit for name, limit in self.limits.items()}

    @property
    def progress(self) -> float:
        """Share done, in [0, 1]."""
        return min(1.0, max(self._shares().values()))

    @property
    def reached(self) -> str:
        """Why training stops now; empty while it goes on."""
        name, share = max(self._shares().items(), key=lambda item: item[1])
        if share >= 1:
            return name
        patience = self.run.settings.early_stopping
        return "early_stopping" if patience is not None and self.run.stale_epochs >= patience else ""

    @property
    def minutes_left(self) -> float:
        """Wall minutes left at the pace so far; infinite while unknown."""
        done = self.progress - self.first
        spent = (time.monotonic() - self.started) / 60
        return spent * (1 - self.progress) / done if done > 0 else math.inf


def train(
    model: CrackModel,
    objective: Objective,
    samples: Samples,
    settings: TrainSettings,
    *,
    validation: Sequence[Sample] = (),
    state: Path | None = None,
    log_dir: Path | None = None,
    on_step: OnStep | None = None,
    on_save: Callable[[CrackModel, int], None] | None = None,
    save_every_s: float = SAVE_EVERY_S,
) -> TrainResult:
    """Train a model.

    On a CPU the same settings give the same weights, interrupted or not, unless minutes are what ends it.

    Args:
        model: its weights are changed.
        objective: what to minimise; parameters of its own are trained beside and not kept.
        samples: training crops; step s takes numbers s * batch ... (s + 1) * batch - 1.
        settings: how; `model`, `objective` and the settings of the crops are the caller's business.
        validation: samples whose loss is watched after every epoch; the training loss where there are none.
        state: file to continue from if it is there, and to keep up to date.
        log_dir: where log.csv is kept, and TensorBoard's files if that is installed.
        on_step: see `OnStep`; may raise to stop.
        on_save: called with the model as it would be kept and the steps done, whenever the state is saved.
        save_every_s: seconds after which the state is saved, whatever `settings.save_every` says.

    Returns:
        The model, with the running mean of the weights or those of the best epoch where the settings say so.

    Raises:
        SettingsError: no limit, a state file that does not fit, or no such device.
        EngineError: a loss that is not finite.
        KeyboardInterrupt: Ctrl-C; the step is ended and the state saved first.
    """
    steps_per_epoch = max(1, math.ceil(samples.per_epoch / settings.batch))
    run = TrainingRun(model, objective, settings)
    if state is not None and state.is_file():
        run.restore(state)
    pace = _Pace(run, _limits(settings, steps_per_epoch))
    log = TrainingLog(log_dir, run.step) if log_dir is not None else None

    def save() -> None:
        if state is not None:
            run.save(state)
        if on_save is not None:
            with run.kept_weights() as kept:
                on_save(kept, run.step)

    run.model.train()
    stopped, last_save = pace.reached, time.monotonic()
    batches = iter(_loader(samples, settings, run.step))
    with _interrupted() as asked:
        while not stopped:
            progress = pace.progress
            loss = run.train_step(run.batch(*next(batches)), progress)
            stopped = pace.reached
            whole = run.step % steps_per_epoch == 0
            if whole or stopped:
                run.end_epoch(math.ceil(run.step / steps_per_epoch), progress, validation, whole)
                stopped = stopped or pace.reached
                if log is not None:
                    log.write(run.history)
            if on_step is not None:
                on_step(run.step, pace.total, loss, 0.0 if stopped else pace.minutes_left)
            due = run.step % settings.save_every == 0 or time.monotonic() - last_save > save_every_s
            if stopped or due or asked.is_set():
                save()
                last_save = time.monotonic()
            if asked.is_set():
                raise KeyboardInterrupt
    if log is not None:
        log.close()
    return TrainResult(
        model=run.finish(), threshold=0.5, steps=run.step, epochs=math.ceil(run.step / steps_per_epoch),
        cpu_minutes=run.minutes, wall_minutes=run.wall_minutes, history=tuple(run.history),
        stopped_because=stopped,
    )  # fmt: skip


if __name__ == "__main__":  # the command of the shipped checkpoint's card
    from engine.train_base import main

    sys.exit(main())
