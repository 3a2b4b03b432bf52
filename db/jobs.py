"""The queue of record: claim, fence, cancel, retry and sweep jobs, each one statement.

Every function takes the caller's session and leaves the commit to it.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, case, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from db.models import Job
from db.session import database_now
from engine.errors import EngineError
from engine.vocabulary import JobKind, JobState

# A job that waits this long is sent again: its message may have been lost with a killed worker.
RESEND_AFTER_S = 60.0
RESEND_SILENT_AFTER_S = 10.0
ACTIVE = (JobState.QUEUED, JobState.RUNNING)


class LostJobError(Exception):
    """Another worker holds the job now; what this one still does must not be recorded."""


@dataclass(frozen=True)
class ClaimedJob:
    """A job as its worker sees it; `attempt` fences every later write."""

    id: int
    agency_id: int
    kind: JobKind
    parameters: dict[str, Any]
    survey_id: int | None
    attempt: int


def create_job(
    session: Session,
    *,
    agency_id: int,
    kind: JobKind,
    parameters: dict[str, Any],
    unique_key: str,
    survey_id: int | None = None,
    requested_by: int | None = None,
) -> tuple[Job, bool]:
    """Add a queued job, or find the one that already waits or runs for the same work.

    Returns:
        The job, and whether it is new. Enqueue it after the commit.
    """
    same = select(Job).where(Job.unique_key == unique_key, Job.state.in_(ACTIVE))
    if found := session.scalar(same):
        return found, False
    job = Job(
        agency_id=agency_id,
        kind=kind,
        parameters=parameters,
        unique_key=unique_key,
        survey_id=survey_id,
        requested_by=requested_by,
    )
    try:
        with session.begin_nested():
            session.add(job)
    except IntegrityError:
        return session.scalars(same).one(), False
    return job, True


def claim_job(session: Session, job_id: int, lease_s: float) -> ClaimedJob | None:
    """Take a job that waits, or whose worker fell silent; None if there is nothing to take."""
    claimable = or_(
        Job.state == JobState.QUEUED,
        and_(Job.state == JobState.RUNNING, Job.lease_until < database_now()),
    )
    row = session.execute(
        update(Job)
        .where(Job.id == job_id, claimable, Job.failures < Job.max_attempts, Job.cancel_requested.is_(False))
        .values(
            state=JobState.RUNNING,
            attempt=Job.attempt + 1,
            failures=Job.failures + 1,
            lease_until=database_now(lease_s),
            sent_at=None,  # its message has arrived
            started_at=database_now(),
            finished_at=None,
            error=None,
            traceback=None,
        )
        .returning(Job.id, Job.agency_id, Job.kind, Job.parameters, Job.survey_id, Job.attempt)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if row is None:
        return None
    return ClaimedJob(row.id, row.agency_id, JobKind(row.kind), row.parameters, row.survey_id, row.attempt)


def _held(job: ClaimedJob) -> Any:
    return and_(Job.id == job.id, Job.attempt == job.attempt, Job.state == JobState.RUNNING)


def heartbeat(
    session: Session,
    job: ClaimedJob,
    lease_s: float,
    *,
    done: int | None = None,
    total: int | None = None,
    message: str | None = None,
    saved: bool = False,
    parameters: dict[str, Any] | None = None,
) -> bool:
    """Say that the work goes on, and lock the row for the writes of the same transaction.

    Args:
        session: the transaction in which the work's own rows are written.
        job: the claim.
        lease_s: silence allowed from now on.
        done: units finished.
        total: units in all.
        message: what is being done, in plain words.
        saved: whether this transaction saves work that no later attempt repeats; the count of
            attempts without progress starts again.
        parameters: replaces the job's, where the work settles one (the working scale, say).

    Returns:
        Whether cancellation was asked for.

    Raises:
        LostJobError: the job was given to another worker or has ended.
    """
    values: dict[str, Any] = {"lease_until": database_now(lease_s)}
    if done is not None:
        values["progress_done"] = done
    if total is not None:
        values["progress_total"] = total
    if message is not None:
        values["progress_message"] = message
    if saved:
        values["failures"] = 0
    if parameters is not None:
        values["parameters"] = parameters
    cancel = session.execute(
        update(Job)
        .where(_held(job))
        .values(values)
        .returning(Job.cancel_requested)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if cancel is None:
        raise LostJobError(f"job {job.id} attempt {job.attempt}")
    return cancel


def put_back_job(session: Session, job: ClaimedJob) -> None:
    """Queue a job again whose work was interrupted from outside (Ctrl-C): that is no failure."""
    session.execute(
        update(Job)
        .where(_held(job))
        .values(state=JobState.QUEUED, failures=Job.failures - 1, lease_until=None, sent_at=None)
        .execution_options(synchronize_session=False)
    )


def finish_job(
    session: Session,
    job: ClaimedJob,
    state: JobState,
    *,
    error: str | None = None,
    traceback: str | None = None,
) -> None:
    """End a job. Raises LostJobError as `heartbeat` does."""
    ended = session.execute(
        update(Job)
        .where(_held(job))
        .values(state=state, error=error, traceback=traceback, lease_until=None, finished_at=database_now())
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if ended is None:
        raise LostJobError(f"job {job.id} attempt {job.attempt}")


def give_back_job(session: Session, job: ClaimedJob, *, error: str, traceback: str) -> JobState:
    """After a crash: queue the job for another attempt, or fail it after `max_attempts` in a row; one
    that somebody asked to stop has stopped.

    Returns:
        The job's new state. Raises LostJobError as `heartbeat` does.
    """
    spent = Job.failures >= Job.max_attempts
    over = or_(spent, Job.cancel_requested)
    state = session.execute(
        update(Job)
        .where(_held(job))
        .values(
            state=case(
                (Job.cancel_requested, JobState.CANCELLED.value),
                (spent, JobState.FAILED.value),
                else_=JobState.QUEUED.value,
            ),
            finished_at=case((over, database_now()), else_=None),
            lease_until=None,
            sent_at=None,
            error=error,
            traceback=traceback,
        )
        .returning(Job.state)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if state is None:
        raise LostJobError(f"job {job.id} attempt {job.attempt}")
    return JobState(state)


def cancel_job(session: Session, job_id: int) -> bool:
    """Ask a job to stop; one that waits stops at once. False if it has ended already."""
    stopped = session.execute(
        update(Job)
        .where(Job.id == job_id, Job.state == JobState.QUEUED)
        .values(state=JobState.CANCELLED, cancel_requested=True, finished_at=database_now())
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if stopped is not None:
        return True
    flagged = session.execute(
        update(Job)
        .where(Job.id == job_id, Job.state == JobState.RUNNING)
        .values(cancel_requested=True)
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    return flagged is not None


def retry_job(session: Session, job_id: int) -> bool:
    """Queue a failed or cancelled job again; what it had saved is kept. False in any other state.

    Raises:
        EngineError: the same work is already waiting or running as another job.
    """
    statement = (
        update(Job)
        .where(Job.id == job_id, Job.state.in_((JobState.FAILED, JobState.CANCELLED)))
        .values(
            state=JobState.QUEUED,
            failures=0,
            cancel_requested=False,
            error=None,
            traceback=None,
            finished_at=None,
            sent_at=None,
            progress_message="",
        )
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    )
    try:
        with session.begin_nested():
            return session.execute(statement).scalar_one_or_none() is not None
    except IntegrityError as problem:
        raise EngineError(
            f"Job {job_id} cannot be retried: the same work already waits or runs as a newer job.",
            "Watch that job, or cancel it first.",
        ) from problem


def mark_sent(session: Session, job_id: int) -> None:
    session.execute(
        update(Job)
        .where(Job.id == job_id)
        .values(sent_at=database_now())
        .execution_options(synchronize_session=False)
    )


def sweep_jobs(session: Session) -> list[tuple[int, JobKind]]:
    """End jobs whose workers fell silent too often, and list those to send (again).

    Returns:
        (id, kind) of jobs that wait without a recent message, or whose lease has run out.
    """
    silent = and_(Job.state == JobState.RUNNING, Job.lease_until < database_now())
    quiet: dict[str, Any] = {"lease_until": None, "finished_at": database_now()}
    session.execute(
        update(Job)
        .where(silent, Job.cancel_requested.is_(True))
        .values(state=JobState.CANCELLED, **quiet)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        update(Job)
        .where(silent, Job.failures >= Job.max_attempts)
        .values(
            state=JobState.FAILED,
            error="The worker stopped without a word in every attempt. Look in the worker's log for the "
            "cause (often too little memory), then retry: what was saved is kept.",
            **quiet,
        )
        .execution_options(synchronize_session=False)
    )

    def unsent_since(seconds: float) -> ColumnElement[bool]:
        return Job.sent_at < database_now(-seconds)

    # Several workers sweep: a silent job is sent once in a while, not by each of them at each pass.
    waiting = Job.state == JobState.QUEUED
    resend = or_(
        and_(or_(waiting, silent), Job.sent_at.is_(None)),
        and_(waiting, unsent_since(RESEND_AFTER_S)),
        and_(silent, unsent_since(RESEND_SILENT_AFTER_S)),
    )
    rows = session.execute(
        update(Job)
        .where(resend)
        .values(sent_at=database_now())
        .returning(Job.id, Job.kind)
        .execution_options(synchronize_session=False)
    ).all()
    return [(row.id, JobKind(row.kind)) for row in rows]


def release_all_jobs(session: Session) -> None:
    """Give up every lease and message; only for a host that knows it runs the only workers."""
    session.execute(
        update(Job)
        .where(Job.state == JobState.RUNNING)
        .values(lease_until=database_now(-1))
        .execution_options(synchronize_session=False)
    )
    session.execute(
        update(Job)
        .where(Job.state == JobState.QUEUED)
        .values(sent_at=None)
        .execution_options(synchronize_session=False)
    )
