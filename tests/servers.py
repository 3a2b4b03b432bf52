"""PostgreSQL and Redis for tests: real servers on free ports, which can be broken on purpose."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import redis

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0


class MissingServerError(Exception):
    """The machine lacks a server's program."""


@dataclass
class Server:
    """A server process in a temporary folder.

    Attributes:
        url: where clients connect; stays the same over restarts.
        folder: its data and `log`; removed at the end.
        command: the program and its arguments.
        answers: raises OSError or a client's error until the server is ready.
        stop_signal: ends it in order.
    """

    url: str
    folder: Path
    command: list[str]
    answers: Callable[[], None]
    stop_signal: signal.Signals
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it answers; RuntimeError with the end of its log if it does not."""
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                self.answers()
                return
            except (OSError, psycopg.Error, redis.RedisError) as problem:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.kill()
                    log_end = self.log_path.read_text(errors="replace")[-2000:]
                    raise RuntimeError(f"{self.command[-1]} did not start: {log_end}") from problem
            time.sleep(0.05)

    def stop(self) -> None:
        """End it in order."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """SIGKILL to it and its children, as when the machine runs out of memory."""
        for process in self._tree():
            process.send_signal(signal.SIGKILL)
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing is answered, as on a network that hangs."""
        for process in self._tree():
            process.suspend()

    def resume(self) -> None:
        for process in self._tree():
            process.resume()

    @property
    def log_path(self) -> Path:
        return self.folder / "log"

    def _running(self) -> subprocess.Popen[bytes]:
        if self.process is None:
            raise RuntimeError("The server was not started.")
        return self.process

    def _tree(self) -> list[psutil.Process]:
        if self._running().poll() is not None:
            return []
        parent = psutil.Process(self._running().pid)
        return [parent, *parent.children(recursive=True)]

    def _end(self, how: signal.Signals) -> None:
        process = self._running()
        if process.poll() is None:
            self.resume()
            process.send_signal(how)
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def find_program(name: str, *folders: Path) -> str:
    """Path of a program; MissingServerError says how to get it."""
    found = shutil.which(name) or next((str(f / name) for f in folders if (f / name).exists()), None)
    if found is None:
        raise MissingServerError(f"{name} is not installed: run scripts/install_test_servers.sh")
    return found


def _as_user(user: str | None, death_signal: str) -> list[str]:
    """Prefix that drops root, and ends the server when the test process dies, so that none is left."""
    command = [find_program("setpriv"), "--pdeathsig", death_signal]
    if user is not None:
        ids = pwd.getpwnam(user)
        command += [f"--reuid={ids.pw_uid}", f"--regid={ids.pw_gid}", "--clear-groups"]
    return command


def _postgres_user() -> str | None:
    """Whom PostgreSQL runs as, since it refuses to be root; None: whoever runs the tests."""
    if os.geteuid() != 0:
        return None
    return "postgres" if any(entry.pw_name == "postgres" for entry in pwd.getpwall()) else "nobody"


@contextmanager
def _folder(kind: str, user: str | None = None) -> Iterator[Path]:
    # Not under pytest's own folder: that is closed to other users, and a socket's path must be short.
    folder = Path(tempfile.mkdtemp(prefix=f"pavescope-{kind}-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _run(server: Server) -> Iterator[Server]:
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def postgres_server() -> Iterator[Server]:
    """An empty PostgreSQL with the superuser `pavescope`, no password, database `postgres`.

    Raises:
        MissingServerError: it is not installed.
    """
    # Debian keeps each major version's programs off the PATH.
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))[::-1]
    initdb, postgres = find_program("initdb", *folders), find_program("postgres", *folders)
    port, user = free_port(), _postgres_user()
    url = f"postgresql://pavescope@127.0.0.1:{port}/postgres"
    with _folder("postgres", user) as folder:
        data = str(folder / "data")
        make = [*_as_user(user, "KILL"), initdb, "-D", data, "-U", "pavescope", "-A", "trust"]
        make += ["-E", "UTF8", "--locale=C", "--no-sync"]
        subprocess.run(
            make,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        options = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": folder,
            # Without these a killed server still loses nothing that was committed; only a power cut would.
            "fsync": "off",
            "full_page_writes": "off",
            "max_connections": 200,
        }
        command = [*_as_user(user, "QUIT"), postgres, "-D", data, "-p", str(port)]
        command += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with _run(Server(url, folder, command, lambda: _ping_postgres(url), signal.SIGINT)) as server:
            yield server


@contextmanager
def redis_server() -> Iterator[Server]:
    """An empty Redis that keeps its queue in an append-only file, as the compose file's does.

    Raises:
        MissingServerError: it is not installed.
    """
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    with _folder("redis") as folder:
        command = [*_as_user(None, "KILL"), find_program("redis-server"), "--port", str(port)]
        command += ["--bind", "127.0.0.1", "--dir", str(folder), "--save", "", "--appendonly", "yes"]
        with _run(Server(url, folder, command, lambda: _ping_redis(url), signal.SIGTERM)) as server:
            yield server


def _ping_postgres(url: str) -> None:
    psycopg.connect(url, connect_timeout=3).close()


def _ping_redis(url: str) -> None:
    with redis.Redis.from_url(url, socket_timeout=3) as client:
        client.ping()
