"""`pavescope up`: the web process and its workers under one roof, restarted when they die."""

import contextlib
import ctypes
import fcntl
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from db import jobs as job_rows
from db.migrate import migrate
from db.session import transaction
from db.settings import Settings, get_settings
from engine.errors import SettingsError
from jobs.queue import COMPUTE_QUEUE, SHORT_QUEUE

log = logging.getLogger(__name__)

STOP_WITHIN_S = 5.0
WEB_STARTS_WITHIN_S = 60.0
# A process that dies at once again must not be restarted in a tight loop.
RESTART_PAUSE_S = 1.0


@dataclass
class Process:
    """A child process, its command, and when it was last started."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    popen: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(
                self.command,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C reaches this process alone, which then stops its children in order.
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    def stop(self, signal_number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal_number)


def _die_with_parent() -> None:
    """Linux: a killed `pavescope up` takes its children along, so its port and queue are free again."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


@contextlib.contextmanager
def exclusive(settings: Settings) -> Iterator[None]:
    """Hold the data folder: two of us on one embedded queue would take each other's jobs."""
    settings.root.mkdir(parents=True, exist_ok=True)
    with (settings.root / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            raise SettingsError(
                f"Pavescope already runs on the data folder {settings.root}.",
                "Use the one that runs, stop it, or set PAVESCOPE_HOME to another folder.",
            ) from problem
        yield


def choose_port(host: str, port: int | None) -> int:
    """The port asked for, or the first free one from 8501 on.

    Raises:
        SettingsError: the port asked for is taken.
    """
    for candidate in [port] if port is not None else range(8501, 8600):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, candidate))
            except OSError:
                continue
            return candidate
    raise SettingsError(f"Port {port or '8501-8599'} on {host} is in use.", "Choose another with --port.")


def prepare(settings: Settings) -> None:
    """Create or migrate the database; take over what a killed `up` left running."""
    settings.root.mkdir(parents=True, exist_ok=True)
    migrate()
    if settings.embedded:
        with transaction() as session:
            job_rows.release_all_jobs(session)


def _hosts(settings: Settings, host: str) -> dict[str, str]:
    """The name that was asked for is allowed; listening on all addresses, any name may lead here."""
    name = "*" if host == "0.0.0.0" else host  # noqa: S104 - compared, not bound
    return {"PAVESCOPE_ALLOWED_HOSTS": f"{settings.allowed_hosts},{name}"}


def processes(settings: Settings, host: str, port: int, workers: int) -> list[Process]:
    """The web process, one worker for short jobs, and one whose pool computes."""
    logs = settings.root / "logs"
    logs.mkdir(exist_ok=True)
    threads = max(1, (os.cpu_count() or 1) // workers)

    def celery(queue: str, concurrency: int, environment: dict[str, str]) -> Process:
        command = [sys.executable, "-m", "celery", "-A", "jobs.tasks", "worker", "-Q", queue]
        command += ["--concurrency", str(concurrency), "-n", f"{queue}@%h", "--loglevel", "INFO"]
        command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        return Process(f"worker ({queue})", command, environment, logs / f"worker-{queue}.log")

    web = [sys.executable, "-m", "uvicorn", "app.server:application", "--host", host, "--port", str(port)]
    return [
        Process("web", [*web, "--log-level", "warning"], _hosts(settings, host), logs / "web.log"),
        celery(SHORT_QUEUE, 1, {}),
        # Threads that wait must not spin: the page and the other workers need the cores too.
        celery(COMPUTE_QUEUE, workers, {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}),
    ]


def wait_until_ready(address: str, web: Process) -> None:
    """Raises SettingsError with the end of the log if the page does not answer in time."""
    until = time.monotonic() + WEB_STARTS_WITHIN_S
    while time.monotonic() < until and web.popen.poll() is None:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"{address}/healthz", timeout=2) as answer,  # noqa: S310 - our own
        ):
            if answer.status == 200:
                return
        time.sleep(0.2)
    raise SettingsError("The web process did not start.", f"Its log says why: {web.log}")


class _Stop(Exception):  # noqa: N818 - no error
    """Ctrl-C or a polite kill."""


def _raise_stop(_signal: int, _frame: FrameType | None) -> None:
    raise _Stop


def supervise(running: list[Process]) -> None:
    """Restart what dies, until a signal stops it."""
    while True:
        time.sleep(RESTART_PAUSE_S)
        for process in running:
            if process.popen.poll() is not None:
                log.warning("%s stopped (code %s); starting it again", process.name, process.popen.returncode)
                # What a dead worker's children still run would be done twice.
                process.stop(signal.SIGKILL)
                process.start()


def stop_all(running: list[Process]) -> None:
    """Politely first; what does not stop in time is killed, and its job goes on at the next start."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    for process in running:
        process.stop(signal.SIGTERM)
    until = time.monotonic() + STOP_WITHIN_S
    for process in running:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.popen.wait(max(0.05, until - time.monotonic()))
    for process in running:
        process.stop(signal.SIGKILL)
        process.popen.wait()


def up(
    host: str, port: int | None, workers: int, *, on_ready: Callable[[str], None], before: Callable[[], None]
) -> None:
    """Run until Ctrl-C.

    Args:
        host: address to listen on.
        port: port, or None for the first free one from 8501 on.
        workers: how many images are analysed at once.
        on_ready: called with the page's address once it answers.
        before: called when the database is ready, before anything runs.
    """
    settings = get_settings()
    with exclusive(settings) if settings.embedded else contextlib.nullcontext():
        port = choose_port(host, port)
        prepare(settings)
        before()
        running = processes(settings, host, port, workers)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _raise_stop)
        started: list[Process] = []
        try:
            for process in running:
                process.start()
                started.append(process)
            address = f"http://{host}:{port}"
            wait_until_ready(address, running[0])
            on_ready(address)
            supervise(running)
        except _Stop:
            pass
        finally:
            stop_all(started)
            if settings.embedded:
                with transaction() as session:
                    job_rows.release_all_jobs(session)
