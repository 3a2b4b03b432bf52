"""The queue of record on both databases: claim, fence, cancel, retry, sweep."""

import threading
from typing import Any

import pytest
from sqlalchemy import select

from app import actions
from db import jobs as job_rows
from db.jobs import LostJobError
from db.models import Job
from db.session import get_engine, reading, transaction
from engine.errors import CancelledError, EngineError
from engine.vocabulary import JobKind, JobState
from jobs.running import RunningJob, run_job

pytestmark = pytest.mark.usefixtures("database")
LEASE_S = 30.0


def make_job(key: str = "k") -> int:
    actor = actions.local_actor()
    with transaction() as session:
        job, _ = job_rows.create_job(
            session, agency_id=actor.agency_id, kind=JobKind.IMPORT_SURVEY, parameters={}, unique_key=key
        )
        return job.id


def claim(job_id: int, lease_s: float = LEASE_S) -> job_rows.ClaimedJob | None:
    with transaction() as session:
        return job_rows.claim_job(session, job_id, lease_s)


def sure_claim(job_id: int, lease_s: float = LEASE_S) -> job_rows.ClaimedJob:
    claimed = claim(job_id, lease_s)
    assert claimed is not None
    return claimed


def row(job_id: int) -> Job:
    with reading() as session:
        return session.get_one(Job, job_id)


def sweep() -> list[int]:
    with transaction() as session:
        return [job_id for job_id, _ in job_rows.sweep_jobs(session)]


def test_same_work_waits_once() -> None:
    assert make_job("a") == make_job("a")
    assert make_job("a") != make_job("b")


def test_ended_work_can_be_asked_for_again() -> None:
    first = make_job("a")
    with transaction() as session:
        job_rows.finish_job(session, job_rows.claim_job(session, first, LEASE_S), JobState.SUCCEEDED)  # type: ignore[arg-type]
    assert make_job("a") != first


def test_second_message_claims_nothing() -> None:
    job_id = make_job()
    assert sure_claim(job_id).attempt == 1
    assert claim(job_id) is None


def test_of_many_workers_one_gets_the_job() -> None:
    job_id = make_job()
    got: list[Any] = []
    start = threading.Barrier(6)

    def work() -> None:
        start.wait()
        got.append(claim(job_id))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(claimed is not None for claimed in got) == 1


def test_stale_worker_writes_nothing() -> None:
    job_id = make_job()
    stale = sure_claim(job_id, lease_s=-1)
    current = sure_claim(job_id)
    assert current.attempt == stale.attempt + 1
    with pytest.raises(LostJobError), transaction() as session:
        job_rows.heartbeat(session, stale, LEASE_S, done=99)
    with pytest.raises(LostJobError), transaction() as session:
        job_rows.finish_job(session, stale, JobState.FAILED, error="late")
    assert row(job_id).progress_done == 0
    assert row(job_id).state == JobState.RUNNING


def test_fenced_write_is_undone_with_its_transaction() -> None:
    job_id = make_job()
    stale = RunningJob(sure_claim(job_id, lease_s=-1))
    sure_claim(job_id)
    other = make_job("other")

    def write(session: Any) -> None:
        session.delete(session.get_one(Job, other))

    with pytest.raises(LostJobError):
        stale.save(write)
    assert row(other).id == other


def test_silent_job_is_sent_again_and_fails_after_three_attempts() -> None:
    job_id = make_job()
    for attempt in (1, 2, 3):
        assert sure_claim(job_id, lease_s=-1).attempt == attempt
        if attempt < 3:
            assert sweep() == [job_id]
    assert sweep() == []
    assert row(job_id).state == JobState.FAILED
    assert "retry" in (row(job_id).error or "")
    assert claim(job_id) is None


def test_saved_work_starts_the_count_of_failures_again() -> None:
    job_id = make_job()
    for _ in range(10):
        claimed = sure_claim(job_id, lease_s=-1)
        with transaction() as session:
            job_rows.heartbeat(session, claimed, -1, saved=True)
        assert sweep() == [job_id]
    assert row(job_id).state == JobState.RUNNING


def test_waiting_job_is_not_sent_at_every_sweep() -> None:
    job_id = make_job()
    assert sweep() == [job_id]
    assert sweep() == []


def test_cancel_of_a_waiting_job_is_immediate() -> None:
    job_id = make_job()
    with transaction() as session:
        assert job_rows.cancel_job(session, job_id)
    assert row(job_id).state == JobState.CANCELLED
    assert claim(job_id) is None


def test_cancel_of_a_running_job_is_a_flag_that_its_next_beat_sees() -> None:
    job_id = make_job()
    running = RunningJob(sure_claim(job_id))
    with transaction() as session:
        assert job_rows.cancel_job(session, job_id)
    running._last_beat = 0.0
    with pytest.raises(CancelledError):
        running.beat()


def test_cancel_loses_the_race_against_the_end() -> None:
    job_id = make_job()
    with transaction() as session:
        job_rows.finish_job(session, job_rows.claim_job(session, job_id, LEASE_S), JobState.SUCCEEDED)  # type: ignore[arg-type]
        assert not job_rows.cancel_job(session, job_id)
    assert row(job_id).state == JobState.SUCCEEDED


def test_killed_job_that_was_cancelled_ends_cancelled() -> None:
    job_id = make_job()
    sure_claim(job_id, lease_s=-1)
    with transaction() as session:
        job_rows.cancel_job(session, job_id)
    assert sweep() == []
    assert row(job_id).state == JobState.CANCELLED


def test_retry_of_a_failed_job_gives_three_more_attempts() -> None:
    job_id = make_job()
    with transaction() as session:
        claimed = job_rows.claim_job(session, job_id, LEASE_S)
        job_rows.finish_job(session, claimed, JobState.FAILED, error="x")  # type: ignore[arg-type]
        assert job_rows.retry_job(session, job_id)
    assert row(job_id).failures == 0
    assert sure_claim(job_id).attempt == 2


def test_retry_is_refused_while_the_same_work_waits() -> None:
    job_id = make_job("a")
    with transaction() as session:
        job_rows.cancel_job(session, job_id)
    newer = make_job("a")
    with pytest.raises(EngineError, match="newer job"), transaction() as session:
        job_rows.retry_job(session, job_id)
    assert newer != job_id


def test_crashing_work_is_tried_three_times_then_failed_in_plain_words() -> None:
    job_id = make_job()
    attempts = []

    def crash(job: RunningJob) -> None:
        attempts.append(job.claimed.attempt)
        raise RuntimeError("boom")

    for _ in range(5):
        run_job(job_id, {JobKind.IMPORT_SURVEY: crash})
    assert attempts == [1, 2, 3]
    failed = row(job_id)
    assert failed.state == JobState.FAILED
    assert "boom" in (failed.error or "")
    assert "RuntimeError: boom" in (failed.traceback or "")


def test_crash_after_a_cancel_ends_cancelled() -> None:
    job_id = make_job()

    def cancelled_then_crash(job: RunningJob) -> None:
        with transaction() as session:
            job_rows.cancel_job(session, job.claimed.id)
        raise ConnectionError("gone")

    run_job(job_id, {JobKind.IMPORT_SURVEY: cancelled_then_crash})
    assert row(job_id).state == JobState.CANCELLED
    assert make_job() != job_id


def test_ctrl_c_is_no_failure_and_puts_the_job_back() -> None:
    job_id = make_job()

    def interrupt(_: RunningJob) -> None:
        raise KeyboardInterrupt

    for _ in range(5):
        with pytest.raises(KeyboardInterrupt):
            run_job(job_id, {JobKind.IMPORT_SURVEY: interrupt})
    assert (row(job_id).state, row(job_id).failures) == (JobState.QUEUED, 0)


def test_last_save_ends_the_job_whatever_comes_after() -> None:
    """Rows that are saved are a job that succeeded: neither a cancel nor a crash can say otherwise."""
    job_id = make_job()

    def work(job: RunningJob) -> None:
        with transaction() as session:
            job_rows.cancel_job(session, job.claimed.id)
        job.save(lambda _session: None, last=True)
        raise OSError("the upload's folder could not be removed")

    run_job(job_id, {JobKind.IMPORT_SURVEY: work})
    assert row(job_id).state == JobState.SUCCEEDED


def test_full_disk_fails_at_once_and_says_so() -> None:
    import errno

    def fill(_: RunningJob) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    job_id = make_job()
    run_job(job_id, {JobKind.IMPORT_SURVEY: fill})
    assert row(job_id).state == JobState.FAILED
    assert "disk is full" in (row(job_id).error or "")


def test_worker_with_a_wrong_clock_cannot_steal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lease is on the database's clock; the worker's own is never asked."""
    import time

    job_id = make_job()
    sure_claim(job_id)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 3600)
    assert claim(job_id) is None
    assert sweep() == []


def test_actions_refuse_another_agencys_job() -> None:
    job_id = make_job()
    stranger = actions.Actor(user_id=1, agency_id=999, role=actions.Role.ADMIN)
    with pytest.raises(EngineError, match="no job"):
        actions.cancel_job(stranger, job_id)
    viewer = actions.Actor(user_id=1, agency_id=row(job_id).agency_id, role=actions.Role.VIEWER)
    with pytest.raises(actions.PermissionDeniedError, match="viewer"):
        actions.cancel_job(viewer, job_id)


def test_every_connection_is_given_back() -> None:
    make_job()
    with reading() as session:
        session.scalars(select(Job)).all()
    assert get_engine().pool.checkedout() == 0  # type: ignore[attr-defined]
