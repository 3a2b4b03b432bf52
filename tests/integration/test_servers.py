"""The servers that other tests break on purpose: what they keep, and that none is left behind."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import redis

from tests.servers import Server


def test_postgres_keeps_commits_over_a_kill(postgres: Server) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    postgres.kill()
    postgres.start()
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)
        connection.execute("DROP TABLE kept")


def test_redis_keeps_its_queue_over_a_restart(redis_broker: Server) -> None:
    with redis.Redis.from_url(redis_broker.url) as client:
        client.rpush("kept", "1")
    redis_broker.restart()
    with redis.Redis.from_url(redis_broker.url) as client:
        assert client.llen("kept") == 1
        client.delete("kept")


def test_a_killed_test_run_leaves_no_server_behind() -> None:
    program = """
import time
from tests.servers import redis_server
with redis_server() as server:
    print(server.process.pid, server.folder, flush=True)
    time.sleep(60)
"""
    repository = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=repository, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        pid, folder = run.stdout.readline().split()
        run.kill()
    deadline = time.monotonic() + 10
    while psutil.pid_exists(int(pid)) and psutil.Process(int(pid)).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "Redis outlived the test run"
        time.sleep(0.05)
    shutil.rmtree(folder)
