"""The worker: `celery -A jobs.tasks worker -Q short,compute`. Thin shells around `jobs.pipeline`."""

import logging
import shutil
import threading
from contextlib import suppress
from datetime import timedelta
from typing import Any

from celery.signals import worker_process_init, worker_ready

from db import jobs as job_rows
from db import queries
from db.session import get_engine, reading, transaction
from db.settings import get_settings
from db.storage import get_storage
from db.uploads import abandoned_uploads
from jobs import pipeline, queue
from jobs.adapting import abandoned_states
from jobs.exporting import abandoned_exports
from jobs.running import run_job

log = logging.getLogger(__name__)

celery_app = queue.get_celery()

SWEEP_EVERY_S = 5.0
STORAGE_SWEEP_EVERY_S = 6 * 3600.0
# Younger files may belong to a row that is about to be committed.
STORAGE_SWEEP_AGE = timedelta(days=1)


@celery_app.task(name=queue.RUN_TASK)
def run(job_id: int) -> None:
    run_job(job_id, pipeline.WORK_OF)


@worker_process_init.connect
def _forget_inherited_connections(**_: Any) -> None:
    """A connection that two processes share would mix their answers."""
    get_engine.cache_clear()
    get_storage.cache_clear()


def sweep_once() -> None:
    """Send lost and silent jobs again."""
    with transaction() as session:
        resend = job_rows.sweep_jobs(session)
    for job_id, kind in resend:
        queue.send(job_id, kind)


def sweep_storage() -> int:
    """Delete stored files that no row names (a process was killed before its commit), and uploads,
    adaptations and exports that were given up. Returns how many files."""
    storage = get_storage()
    with reading() as session:
        # While a job runs, a file stored long ago may be about to get its first row.
        active = queries.active_jobs(session)
        referenced = queries.referenced_hashes(session)
    orphans = [] if active else set(storage.hashes_older_than(STORAGE_SWEEP_AGE)) - referenced
    for content_hash in orphans:
        with suppress(FileNotFoundError):  # another worker sweeps too
            if storage.age(content_hash) > STORAGE_SWEEP_AGE:
                storage.delete(content_hash)
    awaited = {job.parameters.get("source") for job in active}
    for folder in abandoned_uploads():
        if str(folder.resolve()) not in awaited:
            shutil.rmtree(folder, ignore_errors=True)
    ids = [job.id for job in active]
    for folder in (*abandoned_states(ids), *abandoned_exports(ids)):
        shutil.rmtree(folder, ignore_errors=True)
    return len(orphans)


def _sweep_forever() -> None:
    pause = threading.Event()
    every_s = min(SWEEP_EVERY_S, get_settings().job_lease_s / 2)
    until_storage_s = 0.0
    while not pause.wait(every_s):
        until_storage_s -= every_s
        try:
            sweep_once()
            if until_storage_s <= 0:
                until_storage_s = STORAGE_SWEEP_EVERY_S
                sweep_storage()
        except Exception:
            # The database may be restarting; the next pass finds out.
            log.exception("the sweeper could not do its round")


@worker_ready.connect
def _start_sweeper(**_: Any) -> None:
    threading.Thread(target=_sweep_forever, name="sweeper", daemon=True).start()
