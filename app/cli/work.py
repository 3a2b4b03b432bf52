"""Follows jobs from the command line, and does them here where no worker runs."""

import fcntl
import os
import time
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from app import actions
from app.cli.output import say
from db import jobs as job_rows
from db import reports
from db.migrate import migrate
from db.models import Job
from db.session import reading, transaction
from db.settings import get_settings
from engine.errors import EngineError
from engine.vocabulary import JobState

ENDED = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)
POLL_S = 0.5


def ready() -> actions.Actor:
    """The local person, on a database that is up to date."""
    get_settings().root.mkdir(parents=True, exist_ok=True)
    migrate()
    return actions.local_actor()


def workers_run() -> bool:
    """Whether somebody else does the jobs: `pavescope up` on this folder, or workers at a broker."""
    settings = get_settings()
    if not settings.embedded:
        return True
    lock = settings.root / "up.lock"
    if not lock.exists():
        return False
    handle = os.open(lock, os.O_RDWR)
    try:
        # Shared: a look must not keep `up` from starting.
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def read_job(job_id: int) -> dict[str, Any]:
    """A job as plain values."""
    with reading() as session:
        agency_id = session.get_one(Job, job_id).agency_id
        return reports.job_values(session, agency_id, job_id)


def follow(job_id: int) -> dict[str, Any]:
    """Show a job's progress until it has ended; do it in this process where no worker runs.

    Raises:
        EngineError: it failed or was cancelled; the message is the job's own.
    """
    job = read_job(job_id) if workers_run() and _watch(job_id) else _do_here(job_id)
    if job["state"] == JobState.FAILED:
        raise EngineError(f"Job {job_id} failed: {job['error']}", f"Details: pavescope jobs show {job_id}")
    if job["state"] == JobState.CANCELLED:
        raise EngineError(f"Job {job_id} was cancelled.", f"Go on with: pavescope jobs retry {job_id}")
    say(f"Job {job_id} ({job['kind']}) is done: {job['progress_message']}")
    return job


def _watch(job_id: int) -> bool:
    """Draw the progress bar until the job ends (True), or nobody is left to do it (False)."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns) as progress:
        bar = progress.add_task(f"Job {job_id}", total=None)
        while True:
            job = read_job(job_id)
            progress.update(
                bar,
                completed=job["progress_done"],
                total=job["progress_total"] or None,
                description=f"Job {job_id} ({job['kind']}, {job['state']}): {job['progress_message']}",
            )
            if job["state"] in ENDED:
                return True
            if not workers_run():
                return False
            time.sleep(POLL_S)


def _do_here(job_id: int) -> dict[str, Any]:
    from jobs.pipeline import WORK_OF
    from jobs.running import run_job

    said = ""
    while (job := read_job(job_id))["state"] not in ENDED:
        waits = f"Job {job_id} ({job['kind']}) runs here …"
        if waits != said:
            say(said := waits)
        run_job(job_id, WORK_OF)
        if read_job(job_id)["state"] not in ENDED:
            # Another process has it, or its lease must run out first; no worker is there to sweep.
            with transaction() as session:
                job_rows.sweep_jobs(session)
            time.sleep(POLL_S)
    return job
