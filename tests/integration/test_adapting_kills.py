"""Killed or cancelled, an adaptation goes on from its saved state and makes one checkpoint."""

from pathlib import Path

import pytest
from sqlalchemy import func, select

from app import actions
from db.models import Job
from db.session import reading
from db.settings import get_settings
from engine.vocabulary import JobKind, JobState
from tests.integration.adaptations import adapted, ask, survey_to_adapt_to
from tests.integration.surveys import get_job
from tests.integration.workers import wait_for, worker

pytestmark = pytest.mark.timeout(1800)
MINUTES = 0.01
PATIENCE_S = 600.0


def first_stage(job_id: int) -> Path:
    """There once the first stage of training is done."""
    return get_settings().adaptations_dir / str(job_id) / "stage-0.json"


def in_second_stage(job_id: int) -> bool:
    return get_job(job_id).progress_message.startswith("Noting") or first_stage(job_id).is_file()


def ended_once(job_id: int, written_ns: int) -> None:
    """Waits for the end; the first stage must not be trained again."""
    second = first_stage(job_id).with_name("stage-1.json")
    wait_for(
        lambda: second.is_file() or get_job(job_id).state == JobState.FAILED, PATIENCE_S, "the second stage"
    )
    assert first_stage(job_id).stat().st_mtime_ns == written_ns, get_job(job_id).error
    ended = (JobState.SUCCEEDED, JobState.FAILED)
    wait_for(lambda: get_job(job_id).state in ended, PATIENCE_S, "the end of the adaptation")
    assert get_job(job_id).state == JobState.SUCCEEDED, get_job(job_id).traceback
    assert [made.name for made in adapted()] == ["ours"]
    with reading() as session:
        of_kind = select(func.count()).where(Job.kind == JobKind.COMPARE_CHECKPOINTS)
        assert session.scalar(of_kind) == 1


@pytest.mark.parametrize("who", ["child", "all"])
def test_a_killed_adaptation_goes_on_and_ends_once(place: str, tmp_path: Path, who: str) -> None:
    survey_id = survey_to_adapt_to(tmp_path)
    job_id = ask(survey_id, minutes=MINUTES)
    with worker(tmp_path / "worker.log") as running:
        wait_for(lambda: in_second_stage(job_id), PATIENCE_S, "the first stage")
        written_ns = first_stage(job_id).stat().st_mtime_ns
        if who == "child":
            running.kill_child()
        else:
            running.kill_all()
            running.start()
        assert get_job(job_id).state == JobState.RUNNING, "it was over before the kill"
        ended_once(job_id, written_ns)
        assert get_job(job_id).attempt == 2


def test_a_cancelled_adaptation_stops_within_five_seconds_and_can_go_on(place: str, tmp_path: Path) -> None:
    survey_id = survey_to_adapt_to(tmp_path)
    actor = actions.local_actor()
    job_id = ask(survey_id, minutes=MINUTES)
    with worker(tmp_path / "worker.log"):
        wait_for(lambda: in_second_stage(job_id), PATIENCE_S, "the first stage")
        actions.cancel_job(actor, job_id)
        wait_for(lambda: get_job(job_id).state == JobState.CANCELLED, 5, "the cancellation")
        assert adapted() == []
        written_ns = first_stage(job_id).stat().st_mtime_ns
        assert actions.retry_job(actor, job_id)
        ended_once(job_id, written_ns)
