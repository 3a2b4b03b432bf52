"""What a survey has of the analysis that would be made now: by which camera, by which standard."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app import actions, profile_actions
from app.cli.survey import _severity_standard
from db import checkpoint_queries
from db.models import AnalysisResult, Job, Survey
from db.session import reading, transaction
from engine.camera_profiles import GSD_RANGE_MM_PER_PX, DownwardProfile
from engine.errors import CalibrationError, SettingsError
from engine.measurement_version import MEASUREMENT_VERSION, settings_hash
from engine.severity import D6433, LTPP, SeverityStandard, standard_from
from jobs.pipeline import WORK_OF
from jobs.running import run_job
from tests.integration.checkpoints import write_checkpoint
from tests.integration.surveys import draw_photos, get_job, import_photos

DOWNWARD = {"width_px": 320, "height_px": 240, "gsd_mm_per_px": 2.0}
OWN = standard_from({"name": "County", "low_below_mm": 3.0, "high_above_mm": 9.0})


def analyse(survey_id: int, folder: Path, standard: str | dict[str, Any] | None = None) -> Job:
    """With a network that takes milliseconds."""
    folder.mkdir(exist_ok=True)
    checkpoint = write_checkpoint(folder / "drawn.safetensors", threshold=0.5)
    job_id = actions.request_analysis(actions.local_actor(), survey_id, str(checkpoint), standard)
    run_job(job_id, WORK_OF)
    return get_job(job_id)


def done(survey_id: int, standard: SeverityStandard = D6433) -> tuple[int, bool, list[str]]:
    with reading() as session:
        survey = session.get_one(Survey, survey_id)
        assert survey.shown_checkpoint_id is not None
        found = checkpoint_queries.analysed_alike(session, survey, survey.shown_checkpoint_id, standard)
        return found["photos"], found["shown"], found["differs"]


@pytest.mark.usefixtures("database")
def test_another_camera_or_standard_is_work_to_do(tmp_path: Path) -> None:
    actor = actions.local_actor()
    survey_id = import_photos(draw_photos(tmp_path / "photos", 2))
    analyse(survey_id, tmp_path / "made")
    assert done(survey_id) == (2, True, [])
    # in pixels no standard counts
    assert done(survey_id, LTPP) == (2, True, [])
    first = profile_actions.save_profile(actor, "Van", "downward", DOWNWARD)
    profile_actions.use_profile(actor, survey_id, first)
    assert done(survey_id) == (0, False, ["camera", "severity_standard"])
    analyse(survey_id, tmp_path / "made")
    assert done(survey_id) == (2, True, [])
    assert done(survey_id, LTPP) == (0, False, ["severity_standard"])
    second = profile_actions.save_profile(actor, "Van", "downward", {**DOWNWARD, "gsd_mm_per_px": 3.0})
    profile_actions.use_profile(actor, survey_id, second)
    assert done(survey_id) == (0, False, ["camera"])
    # back without a camera: the results are there, but are not those shown
    profile_actions.use_profile(actor, survey_id, None)
    photos, shown, _ = done(survey_id)
    assert (photos, shown) == (2, False)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("gsd", [None, 2.0])
def test_results_of_an_older_measuring_stay_and_are_not_taken_for_done(
    tmp_path: Path, gsd: float | None
) -> None:
    survey_id = import_photos(draw_photos(tmp_path / "photos", 2), gsd=gsd)
    analyse(survey_id, tmp_path / "made")
    with transaction() as session:
        # as version 2 saved them: the version is in the hash alone
        results = session.scalars(select(AnalysisResult)).all()
        settings = {k: v for k, v in results[0].settings.items() if k != "measurement_version"}
        old_hash = settings_hash({**settings, "measurement_version": 2})
        for result in results:
            result.settings, result.settings_hash = settings, old_hash
        session.get_one(Survey, survey_id).shown_settings_hash = old_hash
    assert done(survey_id) == (0, False, ["measurement_version"])
    analyse(survey_id, tmp_path / "made")
    assert done(survey_id) == (2, True, [])
    with reading() as session:
        newest = session.scalars(select(AnalysisResult).order_by(AnalysisResult.id)).all()
    assert [row.settings_hash == old_hash for row in newest] == [True, True, False, False]
    versions = [row.settings.get("measurement_version") for row in newest]
    assert versions == [None, None, MEASUREMENT_VERSION, MEASUREMENT_VERSION]
    assert newest[2].settings_hash == settings_hash(newest[2].settings)


@pytest.mark.usefixtures("sqlite_database")
def test_an_analysis_keeps_the_standard_of_the_one_shown(tmp_path: Path) -> None:
    survey_id = import_photos(draw_photos(tmp_path / "photos", 1), gsd=2.0)
    assert analyse(survey_id, tmp_path / "made").parameters.get("severity_standard") is None
    analyse(survey_id, tmp_path / "made", "LTPP")
    assert analyse(survey_id, tmp_path / "made").parameters["severity_standard"] == "LTPP"
    assert done(survey_id, LTPP) == (1, True, [])
    analyse(survey_id, tmp_path / "made", OWN.as_dict())
    assert analyse(survey_id, tmp_path / "made").parameters["severity_standard"] == OWN.as_dict()
    assert analyse(survey_id, tmp_path / "made", "D6433").parameters.get("severity_standard") is None
    with reading() as session:
        assert checkpoint_queries.shown_standard(session, session.get_one(Survey, survey_id)) == D6433


@pytest.mark.usefixtures("sqlite_database")
@pytest.mark.parametrize("gsd", GSD_RANGE_MM_PER_PX)
def test_every_gsd_that_a_survey_may_have_is_measured(tmp_path: Path, gsd: float) -> None:
    survey_id = import_photos(draw_photos(tmp_path / "photos", 1), gsd=gsd)
    analyse(survey_id, tmp_path / "made")
    with reading() as session:
        result = session.scalars(select(AnalysisResult)).one()
    assert result.error is None
    assert result.surveyed_area_m2 == pytest.approx(320 * 240 * (gsd / 1000) ** 2)


@pytest.mark.usefixtures("sqlite_database")
@pytest.mark.parametrize("gsd", [GSD_RANGE_MM_PER_PX[0] * 0.99, GSD_RANGE_MM_PER_PX[1] * 1.01])
def test_surveys_and_profiles_refuse_the_same_gsd(gsd: float) -> None:
    with pytest.raises(SettingsError, match="not possible"):
        actions.create_survey(actions.local_actor(), actions.SurveyForm("S", gsd_mm_per_px=gsd))
    with pytest.raises(CalibrationError, match="gsd_mm_per_px"):
        DownwardProfile(320, 240, gsd)


def test_the_command_takes_an_agencys_own_thresholds() -> None:
    assert _severity_standard(None, {"low_below_mm": None}) is None
    assert _severity_standard("LTPP", {"low_below_mm": None}) == "LTPP"
    asked = {"low_below_mm": 3.0, "high_above_mm": 9.0, "spalled_above_mm": 5.0, "spalled_share_high": None}
    assert standard_from(_severity_standard("County", asked)) == SeverityStandard("County", 3.0, 9.0, 5.0)
    assert _severity_standard(None, asked)["name"] == "own thresholds"
    with pytest.raises(SettingsError, match="not complete"):
        _severity_standard(None, {"low_below_mm": 3.0, "high_above_mm": None})
