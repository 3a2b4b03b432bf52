"""The work of an export: a file is made, stored, and entered for download."""

import tempfile
import time
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from db.base import utc_now
from db.export_store import add_export
from db.models import Job
from db.session import reading
from db.settings import get_settings
from db.storage import get_storage
from engine.errors import CancelledError
from engine.vocabulary import ExportFormat
from jobs.export import make_export
from jobs.running import RunningJob

BEAT_S = 0.5
KEPT_FOR = timedelta(days=1)
STEPS = 100
"""Progress is shown in percent."""


class Made(NamedTuple):
    """A stored file."""

    file_name: str
    content_hash: str
    size_bytes: int
    provenance: dict[str, str]


def work_place() -> Path:
    """Where files are written before they are stored: a folder for each attempt, named by its job."""
    return get_settings().root / "exports"


def abandoned_exports(active: Collection[int]) -> list[Path]:
    """Folders of killed workers: nothing was written to them for `KEPT_FOR`, and their job is not active."""
    oldest = time.time() - KEPT_FOR.total_seconds()
    kept = {str(job_id) for job_id in active}
    folders = list(work_place().iterdir()) if work_place().is_dir() else []
    return [
        folder for folder in folders if folder.name.split("-")[0] not in kept and _newest(folder) < oldest
    ]


def _newest(folder: Path) -> float:
    times = [0.0]
    for path in (folder, *folder.rglob("*")):
        with suppress(FileNotFoundError):  # removed at this moment
            times.append(path.stat().st_mtime)
    return max(times)


def export_survey(job: RunningJob) -> None:
    """Make the file that the job's parameters ask for (format, plan_id, paper) and enter it for download.

    Nothing is kept before the end, so a restart begins again. The file's id becomes `made_id`.

    Raises:
        SettingsError: there is nothing to export, or not in this format.
    """
    made = _beating(job)

    def write(session: Session) -> None:
        row = session.get_one(Job, job.claimed.id)
        made_id = add_export(
            session,
            agency_id=job.claimed.agency_id,
            survey_id=job.claimed.survey_id,
            plan_id=job.parameters.get("plan_id"),
            format=job.parameters["format"],
            job_id=job.claimed.id,
            created_by=row.requested_by,
            **made._asdict(),
        )
        row.parameters = {**job.parameters, "made_id": made_id}

    message = f"{made.file_name} is ready to download ({made.size_bytes / 1e6:,.1f} MB)"
    job.save(write, last=True, done=STEPS, total=STEPS, message=message)


def _beating(job: RunningJob) -> Made:
    """`_make` beside the heartbeat, which steps of libraries that report nothing would starve."""
    stop = Event()
    said: dict[str, Any] = {"done": 0, "message": "Reading the results"}

    def progress(done: float, doing: str) -> None:
        if stop.is_set():
            raise CancelledError
        said.update(done=round(STEPS * min(max(done, 0.0), 1.0)), message=doing)

    def make() -> Made:
        read_at = utc_now()
        work_place().mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(dir=work_place(), prefix=f"{job.claimed.id}-") as folder,
            reading() as session,
        ):
            path, provenance = make_export(
                session,
                job.claimed.agency_id,
                job.claimed.survey_id or 0,
                ExportFormat(job.parameters["format"]),
                plan_id=job.parameters.get("plan_id"),
                paper=job.parameters.get("paper", "A4"),
                folder=Path(folder),
                progress=progress,
            )
            # To the microsecond, for telling what changed since; the file says it in seconds.
            provenance["read_at"] = read_at.isoformat()
            return Made(path.name, get_storage().put_file(path), path.stat().st_size, provenance)

    pool = ThreadPoolExecutor(1)
    try:
        work: Future[Made] = pool.submit(make)
        while not wait_for([work], BEAT_S).done:
            job.beat(total=STEPS, **said)
        return work.result()
    finally:
        # A cancelled job does not wait for the end of what nobody wants; it ends, and tidies up, by itself.
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)
