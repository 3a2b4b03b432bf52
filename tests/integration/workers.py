"""A real worker process on the queue that the settings name, to be killed on purpose."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from db.settings import get_settings


class Worker:
    """`celery -A jobs.tasks worker` as `pavescope up` and the containers run it."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "celery", "-A", "jobs.tasks", "worker", "-Q", "short,compute"]
        command += ["--concurrency", "1", "-n", f"worker-{time.monotonic_ns()}@%h", "--loglevel", "INFO"]
        command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "PAVESCOPE_HOME": str(get_settings().root), "OMP_NUM_THREADS": "1"},
            )

    @property
    def children(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.popen.pid).children()
        except psutil.NoSuchProcess:
            return []

    def kill_child(self) -> None:
        """SIGKILL the process that computes, in the middle of whatever it does."""
        for child in self.children:
            child.send_signal(signal.SIGKILL)

    def kill_all(self) -> None:
        """SIGKILL the main process and its pool at once, as a power cut would."""
        os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()

    def kill_main(self) -> None:
        """SIGKILL only the main process; its child may live on and must not write twice."""
        self.popen.kill()
        self.popen.wait()

    def stop(self) -> None:
        if self.popen.poll() is None:
            self.kill_all()


@contextmanager
def worker(log: Path) -> Iterator[Worker]:
    running = Worker(log)
    try:
        yield running
    finally:
        running.stop()


def wait_for(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Raises AssertionError naming `what` where it does not come true in time."""
    until = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"{what} did not happen within {timeout_s} s")
        time.sleep(0.1)
