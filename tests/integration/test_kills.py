"""Killed workers lose nothing: each photo ends with exactly one result, embedded and at scale."""

import signal
from pathlib import Path

import pytest
from PIL import Image

from app import actions
from db.models import Job
from db.session import transaction
from engine.vocabulary import JobKind, JobState
from jobs import queue
from tests.integration.surveys import draw_photos, get_job, import_photos, results_per_image
from tests.integration.workers import wait_for, worker
from tests.servers import Server

KILLS = 10


@pytest.mark.real_data
@pytest.mark.timeout(1500)
def test_ten_kills_during_an_analysis(place: str, data_dir: Path, tmp_path: Path) -> None:
    photos = tmp_path / "frames"
    photos.mkdir()
    for frame in sorted((data_dir / "dnit_br290" / "frames").glob("*.jpg"))[:300:6]:
        with Image.open(frame) as image:  # a quarter of the pixels: it is not asked what is found
            image.resize((image.width // 2, image.height // 2)).save(photos / frame.name)
    survey_id = import_photos(photos)
    job_id = actions.request_analysis(actions.local_actor(), survey_id)
    ended = {JobState.SUCCEEDED, JobState.FAILED}
    killed = 0
    with worker(tmp_path / "worker.log") as running:
        while killed < KILLS:
            attempt = get_job(job_id).attempt
            wait_for(
                lambda before=attempt: get_job(job_id).attempt > before or get_job(job_id).state in ended,  # type: ignore[misc]
                200,
                f"attempt {attempt + 1}",
            )
            assert get_job(job_id).state not in ended, f"ended after {killed} kills: {get_job(job_id).error}"
            done = get_job(job_id).progress_done
            # Every other time only once something was saved, so kills fall at different places.
            if killed % 2:
                wait_for(
                    lambda before=done: get_job(job_id).progress_done > before,  # type: ignore[misc]
                    200,
                    "progress",
                )
            if killed % 3 == 0:
                running.kill_child()
            elif killed % 3 == 1:
                running.kill_all()
                running.start()
            else:
                running.kill_main()
                running.start()
            killed += 1
        wait_for(lambda: get_job(job_id).state in ended, 300, "the end of the analysis")
    job = get_job(job_id)
    assert job.state == JobState.SUCCEEDED, job.error
    counts = results_per_image(survey_id)
    assert len(counts) == 50
    assert set(counts.values()) == {1}


def test_message_lost_with_its_worker_is_sent_again(place: str, tmp_path: Path) -> None:
    """The folder broker deletes a message when it is read; Redis may be emptied by a restart."""
    survey_id = import_photos(draw_photos(tmp_path / "photos", 2))
    job_id = actions.request_analysis(actions.local_actor(), survey_id)
    queue.get_celery().control.purge()
    with transaction() as session:
        session.get_one(Job, job_id).sent_at = None
    with worker(tmp_path / "worker.log"):
        wait_for(lambda: get_job(job_id).state == JobState.SUCCEEDED, 60, "the analysis")


def test_same_message_twice_runs_once(place: str, tmp_path: Path) -> None:
    survey_id = import_photos(draw_photos(tmp_path / "photos", 3))
    job_id = actions.request_analysis(actions.local_actor(), survey_id)
    for _ in range(3):
        queue.send(job_id, JobKind.ANALYSE_SURVEY)
    with worker(tmp_path / "worker.log"):
        wait_for(lambda: get_job(job_id).state == JobState.SUCCEEDED, 60, "the analysis")
    assert get_job(job_id).attempt == 1
    assert set(results_per_image(survey_id).values()) == {1}


def test_cancel_takes_effect_within_five_seconds(place: str, tmp_path: Path) -> None:
    """Even in the middle of a large photo."""
    survey_id = import_photos(draw_photos(tmp_path / "photos", 2, width_px=6000, height_px=4000))
    actor = actions.local_actor()
    job_id = actions.request_analysis(actor, survey_id)
    with worker(tmp_path / "worker.log"):
        wait_for(lambda: get_job(job_id).state == JobState.RUNNING, 60, "the start")
        actions.cancel_job(actor, job_id)
        wait_for(lambda: get_job(job_id).state == JobState.CANCELLED, 5, "the cancellation")
    assert actions.retry_job(actor, job_id)
    assert get_job(job_id).state == JobState.QUEUED


def test_polite_stop_loses_nothing(place: str, tmp_path: Path) -> None:
    survey_id = import_photos(draw_photos(tmp_path / "photos", 6))
    job_id = actions.request_analysis(actions.local_actor(), survey_id)
    with worker(tmp_path / "worker.log") as running:
        wait_for(lambda: get_job(job_id).state == JobState.RUNNING, 60, "the start")
        running.popen.send_signal(signal.SIGTERM)
        running.popen.wait(60)
        running.start()
        wait_for(lambda: get_job(job_id).state == JobState.SUCCEEDED, 60, "the analysis")
    assert set(results_per_image(survey_id).values()) == {1}


@pytest.mark.parametrize("place", ["scale"], indirect=True)
def test_broker_that_forgets_its_queue(place: str, redis_broker: Server, tmp_path: Path) -> None:
    survey_id = import_photos(draw_photos(tmp_path / "photos", 3))
    with worker(tmp_path / "worker.log"):
        redis_broker.kill()
        job_id = actions.request_analysis(actions.local_actor(), survey_id)
        redis_broker.start()
        wait_for(lambda: get_job(job_id).state == JobState.SUCCEEDED, 90, "the analysis")
    assert set(results_per_image(survey_id).values()) == {1}
