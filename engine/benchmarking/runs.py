"""Run a benchmark: nothing finished is made again, several runs at once, the time left said (torch-free)."""

import logging
import multiprocessing
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for_end
from pathlib import Path
from typing import Any

from engine.benchmarking.identity import Identity, identify
from engine.benchmarking.plan import Plan, Run, RunSettings
from engine.benchmarking.results import (
    COMPLEXITY_FILE,
    ERROR_FILE,
    begun_with,
    read_complexity,
    read_result,
    run_folder,
    write_json,
    write_plan,
)
from engine.errors import CancelledError, EngineError, SettingsError

log = logging.getLogger(__name__)

WATCH_S = 0.5


@dataclass(frozen=True)
class Progress:
    """How far a benchmark is.

    Attributes:
        finished: runs that are done, those of an earlier start among them.
        failed: runs that could not be made.
        total: runs in all.
        share: of the runs open at this start, done in [0, 1], running ones counted by their share.
        seconds_left: at the pace so far; None while unknown.
        event: what just happened, for people; empty for a mere step.
    """

    finished: int
    failed: int
    total: int
    share: float
    seconds_left: float | None
    event: str = ""


class _Meter:
    """Adds up the shares of the open runs."""

    def __init__(self, total: int, opened: list[Run], on_progress: Callable[[Progress], None]) -> None:
        self.total, self.open = total, len(opened)
        self.shares = {run.place: 0.0 for run in opened}
        self.finished, self.failed = total - len(opened), 0
        self.started, self.on_progress = time.monotonic(), on_progress

    def report(self, place: str, share: float, event: str = "") -> None:
        self.shares[place] = max(self.shares[place], share)
        done = sum(self.shares.values()) / max(1, self.open)
        spent = time.monotonic() - self.started
        left = spent * (1 - done) / done if done > 0.005 else None
        self.on_progress(Progress(self.finished, self.failed, self.total, done, left, event))

    def end(self, run: Run, problem: str | None) -> None:
        if problem is None:
            self.finished += 1
        else:
            self.failed += 1
        self.report(run.place, 1.0, f"{run.title}: {problem or 'done'}")


def _make(
    run: Run, settings: RunSettings, folder: Path, report: Callable[[float], None], identity: str
) -> str | None:
    """Make a run; why it could not be made, which is also written down, else None."""
    from engine.benchmarking.training import make_run

    try:
        make_run(run, settings, folder, report, identity)
    except CancelledError:
        raise
    except Exception as error:
        # a run that does not work must not cost the night of all others
        why = str(error)
        if not isinstance(error, EngineError):
            why = f"{type(error).__name__}: {error}"
            log.exception("%s", run.title)
        with suppress(OSError):  # a full disk is told all the same
            write_json(folder / ERROR_FILE, {"run": run.title, "kind": type(error).__name__, "why": why})
        return why
    (folder / ERROR_FILE).unlink(missing_ok=True)
    return None


_shares: Any = None


def _start_worker(shares: Any) -> None:
    """One thread, a queue to report to, and no life after the process that started it."""
    global _shares
    import cv2
    import torch

    _shares = shares
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    parent = multiprocessing.parent_process()
    if parent is not None:
        sentinel = parent.sentinel

        def leave() -> None:
            wait_for_end([sentinel])
            os._exit(1)

        threading.Thread(target=leave, daemon=True).start()


def _work(run: Run, settings: RunSettings, folder: Path, identity: str) -> str | None:
    last = 0.0

    def report(share: float) -> None:
        nonlocal last
        if time.monotonic() - last > WATCH_S:
            last = time.monotonic()
            _shares.put((run.place, share))

    return _make(run, settings, folder, report, identity)


def _drain(shares: Any) -> Iterator[tuple[str, float]]:
    while True:
        try:
            yield shares.get_nowait()
        except queue.Empty:
            return


def _make_at_once(
    plan: Plan, opened: list[Run], out: Path, jobs: int, meter: _Meter, identity: Identity
) -> None:
    context = multiprocessing.get_context("spawn")  # torch does not survive a fork of its threads
    shares = context.Queue()
    with ProcessPoolExecutor(jobs, context, _start_worker, (shares,)) as pool:
        try:
            waiting: dict[Future[str | None], Run] = {
                pool.submit(_work, run, plan.settings, run_folder(out, run), identity.runs[run.place]): run
                for run in opened
            }
            while waiting:
                done, _ = wait(waiting, WATCH_S, "FIRST_COMPLETED")
                for place, share in _drain(shares):
                    meter.report(place, share)
                for future in done:
                    meter.end(waiting.pop(future), future.result())
        except BrokenProcessPool as error:
            raise EngineError(
                "A process that made a run was killed, probably because the memory was full.",
                "Give fewer --jobs, then the same command again: what is finished is kept.",
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()
            raise


def open_runs(plan: Plan, out: Path, identity: Identity) -> list[Run]:
    """The runs that are not finished.

    Raises:
        SettingsError: a finished or begun one is of other settings, images, masks or weights.
    """
    found = []
    for run in plan.runs():
        folder = run_folder(out, run)
        result = read_result(folder)
        if result is None:
            found.append(run)
        made_of = begun_with(folder) if result is None else result.identity
        if made_of is not None and made_of != identity.runs[run.place]:
            raise SettingsError(
                f"{folder} was made with other settings, images, masks or weights.",
                "Give another --out, or remove it: its run is made again.",
            )
    return found


def measure_methods(plan: Plan, out: Path, identity: Identity) -> None:
    """Complexity of every method into `complexity.json`; nothing else runs here meanwhile, times are true."""
    from engine.benchmarking.training import method_complexity

    known = read_complexity(out)
    for method in plan.methods:
        network = identity.networks[method.text]
        if known.get(method.text, {}).get("identity") != network:
            try:
                cost = method_complexity(method, plan.settings.device)
            except EngineError:
                continue  # its runs say why
            except Exception:
                log.exception("%s cannot be measured", method.text)
                continue
            known[method.text] = {**cost, "identity": network}
            write_json(out / COMPLEXITY_FILE, known)


def run_benchmark(
    plan: Plan,
    out: Path,
    *,
    jobs: int = 1,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> None:
    """Make every run that is not finished, then measure the methods' complexity.

    Args:
        plan: what to run.
        out: folder for all of it; one of an interrupted benchmark is gone on with.
        jobs: runs at once; above 1 each has a process of one thread of its own.
        on_progress: called when a run ends and, now and then, in between; may raise
            `CancelledError` or KeyboardInterrupt to stop.

    Raises:
        SettingsError: a plan that cannot be run, or a folder with a benchmark of other settings or data.
        EngineError: a method that cannot be made, told before any run; or a process that was killed.
    """
    plan.check()
    if jobs < 1:
        raise SettingsError(f"{jobs} jobs cannot run.", "Give --jobs 1 or more.")
    identity = identify(plan)
    opened = open_runs(plan, out, identity)
    write_plan(out, plan, identity)
    meter = _Meter(len(plan.runs()), opened, on_progress)
    if jobs > 1 and len(opened) > 1:
        _make_at_once(plan, opened, out, min(jobs, len(opened)), meter, identity)
    else:
        for run in opened:

            def report(share: float, place: str = run.place) -> None:
                meter.report(place, share)

            made = _make(run, plan.settings, run_folder(out, run), report, identity.runs[run.place])
            meter.end(run, made)
    measure_methods(plan, out, identity)
