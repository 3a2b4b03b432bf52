"""An adaptation as a job: what it leaves in the database, and what it does where it cannot go on."""

import os
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from app import actions
from db.models import Checkpoint, Comparison, Job
from db.session import reading, transaction
from db.settings import get_settings
from db.storage import get_storage
from engine.cards import read_card
from engine.vocabulary import JobKind, JobState
from jobs import adapting
from jobs.pipeline import WORK_OF
from jobs.running import run_job
from jobs.tasks import sweep_storage
from tests.integration.adaptations import adapted, ask, dark_photos, sample_photos, survey_to_adapt_to
from tests.integration.checkpoints import register
from tests.integration.surveys import get_job, import_photos

pytestmark = pytest.mark.timeout(600)
REPORT = {
    "accepted", "reasons", "threshold", "working_scale", "minutes", "images", "steps", "stages", "gate",
    "drift", "look", "curve",
}  # fmt: skip


def states() -> list[str]:
    folder = get_settings().adaptations_dir
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


@pytest.mark.usefixtures("database")
def test_an_adaptation_registers_a_checkpoint_and_compares_it(tmp_path: Path) -> None:
    survey_id = survey_to_adapt_to(tmp_path)
    job_id = ask(survey_id)
    run_job(job_id, WORK_OF)
    job = get_job(job_id)
    assert job.state == JobState.SUCCEEDED, job.traceback
    assert (job.progress_done, job.progress_total) == (adapting.PARTS, adapting.PARTS)
    (made,) = adapted()
    assert (made.name, made.survey_id, made.origin) == ("ours", survey_id, "drawn 1")
    assert made.parent_id == job.parameters["base_id"] and made.id == job.parameters["made_id"]
    assert made.created_by == actions.local_actor().user_id
    assert set(made.report) >= REPORT and made.report["images"] == 12
    assert made.accepted is made.report["accepted"] is made.report["gate"]["accepted"]
    assert ("accepted" if made.accepted else "refused") in job.progress_message
    card = read_card(get_storage().local_file(made.content_hash))
    assert card.threshold == made.report["threshold"] and card.scores["look"] == made.report["look"]
    assert states() == []
    with reading() as session:
        compare = session.scalars(select(Job).where(Job.kind == JobKind.COMPARE_CHECKPOINTS)).one()
    run_job(compare.id, WORK_OF)
    with reading() as session:
        found = session.scalars(select(Comparison)).one()
    assert (found.first_checkpoint_id, found.second_checkpoint_id) == (made.parent_id, made.id)
    assert len(found.pictures) == 12


@pytest.mark.usefixtures("sqlite_database")
class TestAdapting:
    @pytest.mark.parametrize("kind", ["dark", "few"])
    def test_photos_that_cannot_be_adapted_to_fail_the_job_plainly(self, tmp_path: Path, kind: str) -> None:
        photos = dark_photos(tmp_path / "p") if kind == "dark" else sample_photos(tmp_path / "p", 4)
        survey_id = import_photos(photos)
        register(tmp_path, "tiny", 1)
        job_id = ask(survey_id)
        run_job(job_id, WORK_OF)
        job = get_job(job_id)
        assert job.state == JobState.FAILED
        assert "Survey cannot be adapted to:" in (job.error or "")
        assert "Go on with the present checkpoint" in (job.error or "")
        assert get_job(job_id).parameters["refused"]["reasons"]
        assert adapted() == [] and states() == []
        # more photos are another matter, of the same job
        more = sample_photos(tmp_path / "more")
        run_job(actions.request_import(actions.local_actor(), survey_id, more), WORK_OF)
        if kind == "few":
            actions.retry_job(actions.local_actor(), job_id)
            run_job(job_id, WORK_OF)
            assert get_job(job_id).state == JobState.SUCCEEDED, get_job(job_id).error

    def test_a_name_that_was_taken_meanwhile_costs_no_work(self, tmp_path: Path) -> None:
        survey_id = survey_to_adapt_to(tmp_path)
        job_id = ask(survey_id)
        register(tmp_path, "ours", 2)
        run_job(job_id, WORK_OF)
        assert get_job(job_id).state == JobState.SUCCEEDED, get_job(job_id).traceback
        assert [made.name for made in adapted()] == ["ours 2"]

    def test_a_base_that_was_refused_fails_the_job(self, tmp_path: Path) -> None:
        survey_id = survey_to_adapt_to(tmp_path)
        job_id = ask(survey_id)
        with transaction() as session:  # judged after the job was queued
            session.get_one(Checkpoint, get_job(job_id).parameters["base_id"]).accepted = False
        run_job(job_id, WORK_OF)
        assert "cannot be adapted further" in (get_job(job_id).error or "")
        assert adapted() == []

    def test_photos_added_to_a_stopped_adaptation_begin_it_anew(self, tmp_path: Path) -> None:
        survey_id = survey_to_adapt_to(tmp_path)
        job_id = ask(survey_id)
        folder = get_settings().adaptations_dir / str(job_id)
        folder.mkdir(parents=True)
        (folder / adapting.STAMP).write_text("of other photos")
        (folder / "identity.json").write_text('"of other photos"')
        run_job(job_id, WORK_OF)
        assert get_job(job_id).state == JobState.SUCCEEDED, get_job(job_id).error

    def test_states_that_nobody_goes_on_with_are_removed_after_a_week(self) -> None:
        actor = actions.local_actor()
        with transaction() as session:
            job = Job(
                agency_id=actor.agency_id, kind=JobKind.ADAPT_SURVEY, parameters={}, unique_key="k",
                state=JobState.RUNNING, attempt=1,
            )  # fmt: skip
            session.add(job)
            session.flush()
            running = str(job.id)
        long_ago = time.time() - adapting.KEPT_FOR.total_seconds() - 60
        for name in (running, "900", "901", "name-fresh"):
            folder = get_settings().adaptations_dir / name
            (folder / "answers-1").mkdir(parents=True)
            file = folder / "answers-1" / "00000.png"
            file.write_bytes(b"x")
            for path in (file, file.parent, folder):
                os.utime(path, (long_ago, long_ago))
        for name in ("901", "name-fresh"):  # gone on with, deep inside
            os.utime(get_settings().adaptations_dir / name / "answers-1" / "00000.png")
        sweep_storage()
        assert states() == sorted([running, "901", "name-fresh"])
