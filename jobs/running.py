"""What every running job shares: its heartbeat, its cancellation and its end."""

import errno
import logging
import time
import traceback
from collections.abc import Callable
from typing import Any

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from db import jobs as job_rows
from db.jobs import ClaimedJob, LostJobError
from db.session import transaction
from db.settings import get_settings
from engine.errors import CancelledError, EngineError
from engine.vocabulary import JobState

log = logging.getLogger(__name__)

# Often enough for a cancel to take effect within seconds, seldom enough not to load the database.
BEAT_EVERY_S = 1.0


class RunningJob:
    """A claimed job in the hands of its worker."""

    def __init__(self, claimed: ClaimedJob) -> None:
        self.claimed = claimed
        self.lease_s = get_settings().job_lease_s
        self.ended = False
        self._last_beat = time.monotonic()

    @property
    def parameters(self) -> dict[str, Any]:
        return self.claimed.parameters

    def beat(self, done: int | None = None, total: int | None = None, message: str | None = None) -> None:
        """Say that the work goes on; call it as often as you like.

        Raises:
            CancelledError: somebody asked the job to stop.
            LostJobError: another worker has the job.
        """
        if time.monotonic() - self._last_beat < min(BEAT_EVERY_S, self.lease_s / 4):
            return
        with transaction() as session:
            cancel = job_rows.heartbeat(
                session, self.claimed, self.lease_s, done=done, total=total, message=message
            )
        self._last_beat = time.monotonic()
        if cancel:
            raise CancelledError

    def save(self, write: Callable[[Session], None], *, last: bool = False, **progress: Any) -> None:
        """Run `write(session)` in a transaction that holds the job: all of it is kept, or none.

        Args:
            write: writes the work's rows.
            last: the job has succeeded with this; it ends in the same transaction.
            progress: see `db.jobs.heartbeat`.

        Raises:
            CancelledError: after saving what is not the last, if somebody asked the job to stop.
            LostJobError: another worker has the job; nothing was written.
        """
        with transaction() as session:
            cancel = job_rows.heartbeat(session, self.claimed, self.lease_s, saved=True, **progress)
            write(session)
            if last:
                job_rows.finish_job(session, self.claimed, JobState.SUCCEEDED)
        self._last_beat = time.monotonic()
        self.ended = last
        if cancel and not last:
            raise CancelledError


def run_job(job_id: int, work_of: dict[Any, Callable[[RunningJob], None]]) -> None:
    """Claim a job, do its work, record its end. A message for a job that is not to be had does nothing."""
    with transaction() as session:
        claimed = job_rows.claim_job(session, job_id, get_settings().job_lease_s)
    if claimed is None:
        return
    log.info("job %s (%s) attempt %s", claimed.id, claimed.kind, claimed.attempt)
    job = RunningJob(claimed)
    try:
        work_of[claimed.kind](job)
        if not job.ended:
            _end(claimed, JobState.SUCCEEDED)
    except LostJobError:
        log.warning("job %s was taken over by another worker", claimed.id)
    except CancelledError:
        _end(claimed, JobState.CANCELLED)
    except EngineError as problem:
        _end(claimed, JobState.FAILED, error=str(problem), details=traceback.format_exc())
    except Exception as problem:  # noqa: BLE001 - the edge: whatever the work threw is recorded
        if _disk_is_full(problem):
            message = "The disk is full. Make room on the server, then retry: what was saved is kept."
            _end(claimed, JobState.FAILED, error=message, details=traceback.format_exc())
        else:
            _crashed(claimed, problem)
    except BaseException:
        with transaction() as session:
            job_rows.put_back_job(session, claimed)
        raise


def _disk_is_full(problem: Exception) -> bool:
    """Files say it by number, SQLite in words."""
    if isinstance(problem, OperationalError):
        return "disk is full" in str(problem)
    return isinstance(problem, OSError) and problem.errno in (errno.ENOSPC, errno.EDQUOT)


def _end(
    claimed: ClaimedJob, state: JobState, *, error: str | None = None, details: str | None = None
) -> None:
    try:
        with transaction() as session:
            job_rows.finish_job(session, claimed, state, error=error, traceback=details)
    except LostJobError:
        log.warning("job %s was taken over by another worker", claimed.id)


def _crashed(claimed: ClaimedJob, problem: Exception) -> None:
    log.exception("job %s attempt %s crashed", claimed.id, claimed.attempt, exc_info=problem)
    plain = f"The work stopped unexpectedly ({type(problem).__name__}: {problem})."
    if isinstance(problem, MemoryError):
        plain = "The machine has too little memory for this work. Close other programs, then retry."
    try:
        with transaction() as session:
            job_rows.give_back_job(
                session,
                claimed,
                error=f"{plain} What was saved is kept; retry, and report job {claimed.id} if it recurs.",
                traceback="".join(traceback.format_exception(problem)),
            )
    except LostJobError:
        log.warning("job %s was taken over by another worker", claimed.id)
