"""The sample's truth is recovered, section by section, by the shipped checkpoint and the whole chain."""

import pytest
from sqlalchemy import select

from app import actions
from db import reports
from db.models import AnalysisResult, Job, Survey
from db.session import reading, transaction
from engine import sample
from engine.vocabulary import JobState
from jobs import sampling
from jobs.pipeline import WORK_OF
from jobs.running import run_job
from tests.benchmarks.accuracy_sample import GOAL, compare_sections, print_table, shares_right
from tests.integration.surveys import get_job

pytestmark = pytest.mark.usefixtures("sqlite_database")

# One tile for a whole photo is quicker, and intervals are not looked at.
HOW = {"threshold": 0.5, "working_scale": sampling.WORKING_SCALE, "tile_px": 960}


@pytest.mark.timeout(1800)
def test_densities_types_severities_and_index_of_the_sections_are_recovered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    newer = sample.sample_surveys(sample.SAMPLE_SEED)[1]
    monkeypatch.setattr(sampling, "sample_surveys", lambda _seed: [newer])
    actor = actions.local_actor()
    run_job(actions.request_sample(actor), WORK_OF)
    with reading() as session:
        (analysis,) = reports.open_jobs(session, actor.agency_id)
        survey_id = session.scalars(select(Survey.id)).one()
    with transaction() as session:
        job = session.get_one(Job, analysis)
        assert job.parameters["working_scale"] == sampling.WORKING_SCALE
        job.parameters = job.parameters | {"settings": HOW}
    run_job(analysis, WORK_OF)
    assert get_job(analysis).state == JobState.SUCCEEDED, get_job(analysis).error
    with reading() as session:
        results = session.scalars(select(AnalysisResult)).all()
    assert {result.camera_profile_id for result in results} == {1}
    assert {result.error for result in results} == {None}
    compared = compare_sections(survey_id, newer.section_truths)
    print_table(compared)
    assert len(compared) == 24
    shares = shares_right(compared)
    assert min(shares.values()) >= GOAL, shares
