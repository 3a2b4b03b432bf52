"""The sample as a new installation makes it, cut short: a crash in the middle costs nothing."""

import pytest
from sqlalchemy import func, select

from app import actions
from db import reports
from db.models import CameraProfile, Section, SectionResult, Survey
from db.session import reading
from engine import sample
from engine.vocabulary import JobState
from jobs import importing, sampling
from jobs.pipeline import WORK_OF
from jobs.running import run_job
from tests.integration.surveys import get_job

pytestmark = pytest.mark.usefixtures("sqlite_database")


def test_sample_is_made_once_and_its_sections_get_their_densities(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = sample.sample_surveys(sample.SAMPLE_SEED)
    short = [
        sample.SampleSurvey(survey.name, survey.surveyed_on, survey.photos[:2], survey.gsd_mm_per_px)
        for survey in whole
    ]
    monkeypatch.setattr(sampling, "sample_surveys", lambda _seed: short)
    actor = actions.local_actor()
    job_id = actions.request_sample(actor)
    with monkeypatch.context() as patch:
        stored = iter([importing.place])
        patch.setattr(sampling, "place", lambda *given: next(stored)(*given))  # the second survey crashes
        run_job(job_id, WORK_OF)
    assert get_job(job_id).state == JobState.QUEUED
    run_job(job_id, WORK_OF)
    assert get_job(job_id).state == JobState.SUCCEEDED
    with reading() as session:
        surveys = reports.list_surveys(session, actor.agency_id)
        analyses = reports.open_jobs(session, actor.agency_id)
        assert session.scalar(select(func.count(Section.id))) == 24
        cameras = session.scalars(select(CameraProfile)).all()
        used = session.scalars(select(Survey.camera_profile_id)).all()
    assert [(camera.kind, camera.parameters["gsd_mm_per_px"]) for camera in cameras] == [("downward", 2.0)]
    assert used == [cameras[0].id] * 2
    assert [survey["photos"] for survey in surveys] == [2, 2]
    assert len(analyses) == 2
    for analysis in analyses:
        run_job(analysis, WORK_OF)
    with reading() as session:
        densities = session.scalars(select(SectionResult.crack_density_m_per_m2)).all()
        indices = session.scalars(select(SectionResult.condition_index)).all()
        counts = [reports.analysis_counts(session, number) for number in (1, 2)]
    assert len(densities) >= 2
    assert None not in densities
    assert None not in indices
    assert [count["analysed"] for count in counts] == [2, 2]
