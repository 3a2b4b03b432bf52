"""The web process as a user has it: uvicorn in a process of its own, on a free port, from another folder."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

STARTS_WITHIN_S = 120.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def start_web(home: Path) -> Iterator[str]:
    """Serve the installation in `home` (migrated already); yields its address and ends the process.

    Raises:
        RuntimeError: the process ended or stayed silent; with the end of its log.
    """
    address = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "uvicorn", "app.server:application", "--log-level", "warning"]
    with (home / "web.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", address.rsplit(":", 1)[1]],
            # Neither the code nor its configuration lies here: both must be found as installed.
            cwd=home,
            env={**os.environ, "PAVESCOPE_HOME": str(home)},
            stdout=log,
            stderr=log,
        )
    try:
        until = time.monotonic() + STARTS_WITHIN_S
        while not _answers(address):
            if process.poll() is not None or time.monotonic() > until:
                tail = (home / "web.log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"the web process did not start:\n{tail}")
            time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
