"""Broken servers, a locked database, a full disk, a killed migration: accepted work finishes once."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import actions
from db.migrate import migrate
from db.settings import get_settings
from db.storage import get_storage
from engine.cards import base_checkpoint_path, file_sha256
from engine.vocabulary import JobState
from jobs import queue
from jobs.pipeline import WORK_OF
from jobs.running import run_job
from tests.conftest import forget_settings
from tests.integration.surveys import draw_photos, get_job, import_photos, results_per_image
from tests.integration.workers import wait_for, worker
from tests.servers import Server

PHOTOS = 8


def finished_once(job_id: int, survey_id: int) -> None:
    wait_for(lambda: get_job(job_id).state == JobState.SUCCEEDED, 120, "the analysis")
    assert set(results_per_image(survey_id).values()) == {1}


@pytest.fixture
def at_scale(postgres_database: str, redis_broker: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAVESCOPE_BROKER_URL", redis_broker.url)
    monkeypatch.setenv("PAVESCOPE_JOB_LEASE_S", "2")
    forget_settings()
    queue.get_celery().control.purge()


@pytest.mark.usefixtures("at_scale")
def test_database_restart_in_the_middle(postgres: Server, tmp_path: Path) -> None:
    survey_id = import_photos(draw_photos(tmp_path / "photos", PHOTOS))
    job_id = actions.request_analysis(actions.local_actor(), survey_id)
    with worker(tmp_path / "worker.log"):
        wait_for(lambda: get_job(job_id).state == JobState.RUNNING, 60, "the start")
        postgres.restart()
        finished_once(job_id, survey_id)


@pytest.mark.usefixtures("at_scale")
def test_broker_that_does_not_answer_for_a_while(redis_broker: Server, tmp_path: Path) -> None:
    survey_id = import_photos(draw_photos(tmp_path / "photos", PHOTOS))
    with worker(tmp_path / "worker.log"):
        job_id = actions.request_analysis(actions.local_actor(), survey_id)
        wait_for(lambda: get_job(job_id).state == JobState.RUNNING, 60, "the start")
        redis_broker.pause()
        time.sleep(6)
        redis_broker.resume()
        finished_once(job_id, survey_id)


def test_locked_database_makes_workers_wait(
    sqlite_database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Longer than the lease: whoever has the job when the lock goes finishes it."""
    monkeypatch.setenv("PAVESCOPE_JOB_LEASE_S", "2")
    forget_settings()
    survey_id = import_photos(draw_photos(tmp_path / "photos", PHOTOS))
    job_id = actions.request_analysis(actions.local_actor(), survey_id)
    with worker(tmp_path / "worker.log"):
        wait_for(lambda: get_job(job_id).state == JobState.RUNNING, 60, "the start")
        other = sqlite3.connect(get_settings().root / "pavescope.db", timeout=30)
        other.execute("BEGIN IMMEDIATE")
        time.sleep(8)
        other.rollback()
        other.close()
        finished_once(job_id, survey_id)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_full_disk_fails_plainly_and_a_retry_finishes(
    sqlite_database: str, small_disk: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PAVESCOPE_STORAGE_URL", str(small_disk / "storage"))
    (small_disk / "storage" / "objects").mkdir(parents=True)
    forget_settings()
    survey_id = import_photos(draw_photos(tmp_path / "photos", 4))
    # The checkpoint alone is larger than this disk: it lies outside.
    base = base_checkpoint_path()
    content_hash = file_sha256(base)
    folder = small_disk / "storage" / "objects" / content_hash[:2]
    folder.mkdir(exist_ok=True)
    (folder / content_hash).symlink_to(base)
    job_id = actions.request_analysis(actions.local_actor(), survey_id)
    filler = small_disk / "filler"
    free_bytes = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
    filler.write_bytes(bytes(free_bytes - 30_000))
    run_job(job_id, WORK_OF)
    job = get_job(job_id)
    assert job.state == JobState.FAILED
    assert "disk is full" in (job.error or "")
    assert not [path for path in get_storage().fs.find(str(small_disk)) if ".writing-" in path]
    filler.unlink()
    assert actions.retry_job(actions.local_actor(), job_id)
    run_job(job_id, WORK_OF)
    assert get_job(job_id).state == JobState.SUCCEEDED
    assert set(results_per_image(survey_id).values()) == {1}


KILLED_MIGRATION = """
import os, signal
from sqlalchemy import event
from db.session import get_engine
from db.migrate import migrate

tables = 0

@event.listens_for(get_engine(), "after_cursor_execute")
def die(connection, cursor, statement, *rest):
    global tables
    tables += "CREATE TABLE" in statement
    if tables == 6:
        os.kill(os.getpid(), signal.SIGKILL)

migrate()
"""


def test_killed_migration_leaves_the_old_schema(home: Path) -> None:
    home.mkdir()
    environment = {**os.environ, "PAVESCOPE_HOME": str(home)}
    killed = subprocess.run([sys.executable, "-c", KILLED_MIGRATION], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    with sqlite3.connect(home / "pavescope.db") as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    migrate()
    assert actions.local_actor().agency_id == 1
