"""The analysis job on both databases: results, roll-ups, a bad photo, a damaged checkpoint."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sqlalchemy import select

from app import actions
from db import queries, reports
from db.models import (
    AnalysisResult,
    Checkpoint,
    Distress,
    Job,
    Network,
    SectionResult,
    Survey,
    SurveyImage,
)
from db.session import reading, transaction
from db.settings import get_settings
from db.storage import get_storage
from engine.measurement_version import MEASUREMENT_VERSION, settings_hash
from engine.sample import SAMPLE_SEED, make_sample_network, sample_surveys
from engine.vocabulary import JobState
from jobs.pipeline import WORK_OF
from jobs.running import run_job
from tests.integration.surveys import draw_photos, get_job, import_photos

pytestmark = pytest.mark.usefixtures("database")


def analyse(survey_id: int) -> int:
    job_id = actions.request_analysis(actions.local_actor(), survey_id)
    run_job(job_id, WORK_OF)
    return job_id


def sample_photos(folder: Path, count: int) -> tuple[Path, list[float]]:
    """The most cracked photos of the sample, and their true densities."""
    photos = sorted(sample_surveys(SAMPLE_SEED)[1].photos, key=lambda photo: -photo.truth.density_m_per_m2)
    folder.mkdir()
    for photo in photos[:count]:
        (folder / Path(photo.name).name).write_bytes(photo.render())
    return folder, [photo.truth.density_m_per_m2 for photo in photos[:count]]


def test_results_distresses_and_sections_are_written(tmp_path: Path) -> None:
    actor = actions.local_actor()
    with transaction() as session:
        network = Network(agency_id=actor.agency_id, name="Sample")
        session.add(network)
        session.flush()
        queries.add_sections(session, network.id, make_sample_network(SAMPLE_SEED))
    folder, densities = sample_photos(tmp_path / "photos", 3)
    survey_id = import_photos(folder, network="Sample", gsd=2.0)
    job = get_job(analyse(survey_id))
    assert job.state == JobState.SUCCEEDED, job.traceback
    with reading() as session:
        survey = session.get_one(Survey, survey_id)
        results = session.scalars(select(AnalysisResult)).all()
        distresses = session.scalars(select(Distress)).all()
        rolled = session.scalars(select(SectionResult)).all()
        images = session.scalars(select(SurveyImage)).all()
    assert len(results) == 3
    assert survey.shown_settings_hash == results[0].settings_hash
    assert results[0].settings["working_scale"] is not None
    found = [result.crack_density_m_per_m2 or 0.0 for result in results]
    # The most cracked photos of the sample: most of what is drawn there is found.
    assert sum(found) > 0.4 * sum(densities)
    for result in results:
        assert result.surveyed_area_m2 == pytest.approx(960 * 640 * 0.002**2)
        mask = np.asarray(Image.open(get_storage().local_file(result.mask_hash or "")))
        probability = np.asarray(Image.open(get_storage().local_file(result.probability_hash or "")))
        assert mask.shape == probability.shape == (640, 960)
        # Specks too short to be a crack are in the mask and not in the numbers.
        assert 0.9 * (mask > 0).sum() < (result.crack_pixels or 0) <= (mask > 0).sum()
        own = [crack for crack in distresses if crack.result_id == result.id]
        assert sum(crack.length_px for crack in own) == pytest.approx(result.crack_length_px, rel=0.01)
        assert all(len(line) >= 2 for crack in own for line in crack.polylines_px)
    assert {row.section_id for row in rolled} == {image.section_id for image in images}
    total_m = sum(result.crack_length_m or 0 for result in results)
    area_m2 = sum(row.surveyed_area_m2 or 0 for row in rolled)
    weighted = sum((row.crack_density_m_per_m2 or 0) * (row.surveyed_area_m2 or 0) for row in rolled)
    assert weighted == pytest.approx(total_m)
    assert area_m2 == pytest.approx(3 * 960 * 640 * 0.002**2)


def test_photos_and_sections_get_intervals(tmp_path: Path) -> None:
    actor = actions.local_actor()
    with transaction() as session:
        network = Network(agency_id=actor.agency_id, name="Sample")
        session.add(network)
        session.flush()
        queries.add_sections(session, network.id, make_sample_network(SAMPLE_SEED))
    photos = sorted(sample_surveys(SAMPLE_SEED)[1].photos, key=lambda photo: -photo.truth.density_m_per_m2)
    worst = photos[0].truth.section_key
    here = [photo for photo in photos if photo.truth.section_key == worst]
    elsewhere = next(photo for photo in photos if photo.truth.section_key != worst)
    (tmp_path / "photos").mkdir()
    for photo in (*here[:2], elsewhere):
        (tmp_path / "photos" / Path(photo.name).name).write_bytes(photo.render())
    survey_id = import_photos(tmp_path / "photos", network="Sample", gsd=2.0)
    assert get_job(analyse(survey_id)).state == JobState.SUCCEEDED
    with reading() as session:
        results = session.scalars(select(AnalysisResult)).all()
        rolled = session.scalars(select(SectionResult)).all()
        places = {image.id: image.section_id for image in session.scalars(select(SurveyImage))}
    for row in (*results, *rolled):
        for low, value, high in both_intervals(row):
            assert low is not None and value is not None and high is not None
            assert 0 <= low <= value <= high
            assert low < high
    assert results[0].settings["agreement"]["band"] > 0
    # A section's interval is at least its photos' own; more than one photo adds the error of sampling.
    for row in rolled:
        own = [result for result in results if places[result.image_id] == row.section_id]
        assert len(own) == row.images
        model_low = np.mean([result.crack_area_ratio_low or 0 for result in own])
        model_high = np.mean([result.crack_area_ratio_high or 0 for result in own])
        if row.images == 1:
            assert (row.crack_area_ratio_low, row.crack_area_ratio_high) == pytest.approx(
                (model_low, model_high)
            )
        else:
            assert (row.crack_area_ratio_low or 0) < model_low
            assert (row.crack_area_ratio_high or 0) > model_high
    assert sorted(row.images for row in rolled) == [1, 2]


def both_intervals(row: AnalysisResult | SectionResult) -> list[tuple[float | None, ...]]:
    return [
        (row.crack_area_ratio_low, row.crack_area_ratio, row.crack_area_ratio_high),
        (row.crack_density_m_per_m2_low, row.crack_density_m_per_m2, row.crack_density_m_per_m2_high),
    ]


def test_photos_added_to_an_analysis_of_before_there_were_intervals_go_on_like_it(tmp_path: Path) -> None:
    survey_id = import_photos(draw_photos(tmp_path / "photos", 1))
    job_id = actions.request_analysis(actions.local_actor(), survey_id)
    before = {"threshold": 0.5, "working_scale": 0.5, "tile_px": 512, "overlap_px": 64}
    before |= {"flips": False, "bf16": True}
    with transaction() as session:
        job = session.get_one(Job, job_id)
        job.parameters = {**job.parameters, "settings": before}
    run_job(job_id, WORK_OF)
    draw_photos(tmp_path / "photos", 3)
    run_job(actions.request_import(actions.local_actor(), survey_id, tmp_path / "photos"), WORK_OF)
    analyse(survey_id)
    with reading() as session:
        results = session.scalars(select(AnalysisResult)).all()
    assert len(results) == 3
    how = {**before, "measurement_version": MEASUREMENT_VERSION}
    assert {result.settings_hash for result in results} == {settings_hash(how)}
    assert all(result.crack_area_ratio is not None for result in results)
    assert all(result.crack_area_ratio_low is None for result in results)


def test_second_analysis_adds_nothing(tmp_path: Path) -> None:
    survey_id = import_photos(draw_photos(tmp_path / "photos", 2))
    analyse(survey_id)
    with reading() as session:
        before = session.scalars(select(AnalysisResult.id)).all()
    analyse(survey_id)
    with reading() as session:
        assert session.scalars(select(AnalysisResult.id)).all() == before


def test_photos_added_later_are_analysed_like_the_first(tmp_path: Path) -> None:
    """Their working scale is not chosen anew, or the results of one survey could not be compared."""
    survey_id = import_photos(draw_photos(tmp_path / "photos", 1))
    analyse(survey_id)
    draw_photos(tmp_path / "photos", 3, width_px=420)
    run_job(actions.request_import(actions.local_actor(), survey_id, tmp_path / "photos"), WORK_OF)
    analyse(survey_id)
    with reading() as session:
        results = session.scalars(select(AnalysisResult)).all()
    assert len(results) == 4
    assert len({result.settings_hash for result in results}) == 1
    assert all(result.crack_area_ratio_high is not None for result in results)
    assert len({result.job_id for result in results}) == 2


def test_without_gsd_results_stay_in_pixels(tmp_path: Path) -> None:
    survey_id = import_photos(draw_photos(tmp_path / "photos", 1))
    analyse(survey_id)
    with reading() as session:
        result = session.scalars(select(AnalysisResult)).one()
    assert result.crack_density_m_per_m2 is None
    assert result.crack_length_m is None
    assert result.surveyed_pixels == 320 * 240


def test_lost_photo_is_that_photos_failure_and_is_tried_again(tmp_path: Path) -> None:
    survey_id = import_photos(draw_photos(tmp_path / "photos", 3))
    with reading() as session:
        lost = session.scalars(select(SurveyImage.content_hash)).first()
    assert lost is not None
    data = get_storage().read(lost)
    get_storage().delete(lost)
    assert get_job(analyse(survey_id)).state == JobState.SUCCEEDED
    with reading() as session:
        assert reports.analysis_counts(session, survey_id) == {"photos": 3, "analysed": 2, "failed": 1}
        error = session.scalars(select(AnalysisResult.error).where(AnalysisResult.error.is_not(None))).one()
    assert "missing" in (error or "")
    get_storage().put(data)
    analyse(survey_id)
    with reading() as session:
        assert reports.analysis_counts(session, survey_id) == {"photos": 3, "analysed": 3, "failed": 0}


def test_replaced_checkpoint_is_refused(tmp_path: Path) -> None:
    survey_id = import_photos(draw_photos(tmp_path / "photos", 1))
    job_id = actions.request_analysis(actions.local_actor(), survey_id)
    with reading() as session:
        stored = session.scalars(select(Checkpoint.content_hash)).one()
    path = get_storage().local_file(stored)
    original = path.read_bytes()
    path.write_bytes(original[:-4] + b"\0\0\0\1")
    run_job(job_id, WORK_OF)
    job = get_job(job_id)
    assert job.state == JobState.FAILED
    assert "changed or damaged" in (job.error or "")


def test_machine_that_cannot_compute_fails_the_job_and_no_photo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CUDA is asked for and there is none: not each photo's fault, and plainly said."""
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    survey_id = import_photos(draw_photos(tmp_path / "photos", 2))
    job_id = actions.request_analysis(actions.local_actor(), survey_id)
    monkeypatch.setattr(get_settings(), "device", "cuda")
    run_job(job_id, WORK_OF)
    job = get_job(job_id)
    assert job.state == JobState.FAILED
    assert "CUDA" in (job.error or "")
    with reading() as session:
        assert session.scalars(select(AnalysisResult)).all() == []
