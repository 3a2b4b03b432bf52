"""Camera profiles: versions, their use by a survey, analyses on the ground, self-calibration, commands."""

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from shapely import LineString
from sqlalchemy import select, update
from typer.testing import CliRunner

from app import actions, profile_actions
from app.actions import PermissionDeniedError
from app.cli import app
from db import queries
from db.models import (
    AnalysisResult,
    CameraProfile,
    Distress,
    DistressQuantity,
    Job,
    Network,
    Survey,
    SurveyImage,
)
from db.profiles import add_profile, find_profile, list_profiles
from db.session import reading, transaction
from engine.errors import CalibrationError, SettingsError
from engine.networks import SectionRecord
from engine.vocabulary import JobState, Role
from jobs.pipeline import WORK_OF
from jobs.running import run_job
from tests.integration.checkpoints import other_engineer, write_checkpoint
from tests.integration.surveys import draw_photos, get_job, import_photos

DOWNWARD = {"width_px": 320, "height_px": 240, "gsd_mm_per_px": 2.0}
both = pytest.mark.usefixtures("database")
one = pytest.mark.usefixtures("sqlite_database")


def analyse(survey_id: int, folder: Path, **how: Any) -> Job:
    """With a network that takes milliseconds."""
    folder.mkdir(exist_ok=True)
    checkpoint = write_checkpoint(folder / "drawn.safetensors", threshold=0.5)
    job_id = actions.request_analysis(actions.local_actor(), survey_id, str(checkpoint), **how)
    run_job(job_id, WORK_OF)
    return get_job(job_id)


def results() -> list[AnalysisResult]:
    with reading() as session:
        return list(session.scalars(select(AnalysisResult).order_by(AnalysisResult.id)))


@both
def test_each_save_is_a_version_and_surveys_keep_theirs(tmp_path: Path) -> None:
    actor = actions.local_actor()
    survey_id = import_photos(draw_photos(tmp_path / "photos", 1))
    first = profile_actions.save_profile(actor, "  Van  ", "downward", DOWNWARD)
    profile_actions.use_profile(actor, survey_id, first)
    second = profile_actions.save_profile(actor, "Van", "downward", {**DOWNWARD, "gsd_mm_per_px": 3.0})
    with reading() as session:
        assert session.get_one(Survey, survey_id).camera_profile_id == first
        assert find_profile(session, actor.agency_id, "Van").id == second
        assert find_profile(session, actor.agency_id, "Van", 1).parameters["gsd_mm_per_px"] == 2.0
        rows = list_profiles(session, actor.agency_id)
    assert [(row["version"], row["surveys"]) for row in rows] == [(2, []), (1, ["Survey"])]


@both
def test_wrong_values_other_agencies_and_viewers_are_refused(tmp_path: Path) -> None:
    actor = actions.local_actor()
    survey_id = import_photos(draw_photos(tmp_path / "photos", 1))
    with pytest.raises(CalibrationError, match="gsd_mm_per_px"):
        profile_actions.save_profile(actor, "Van", "downward", {"width_px": 320, "height_px": 240})
    theirs = profile_actions.save_profile(other_engineer(), "Van", "downward", DOWNWARD)
    with pytest.raises(SettingsError, match="no camera profile"):
        profile_actions.use_profile(actor, survey_id, theirs)
    square = profile_actions.save_profile(actor, "Square", "downward", {**DOWNWARD, "height_px": 320})
    with pytest.raises(CalibrationError, match="320 x 240"):
        profile_actions.use_profile(actor, survey_id, square)
    with pytest.raises(PermissionDeniedError):
        profile_actions.save_profile(
            actions.Actor(actor.user_id, actor.agency_id, Role.SURVEYOR), "Van", "downward", DOWNWARD
        )
    with reading() as session:
        assert session.get_one(Survey, survey_id).camera_profile_id is None


@both
def test_analysis_by_a_profile_gives_typed_distresses_and_quantities(tmp_path: Path) -> None:
    actor = actions.local_actor()
    survey_id = import_photos(draw_photos(tmp_path / "photos", 2))
    profile_id = profile_actions.save_profile(actor, "Van", "downward", DOWNWARD)
    profile_actions.use_profile(actor, survey_id, profile_id)
    job = analyse(survey_id, tmp_path / "made")
    assert job.state == JobState.SUCCEEDED, job.traceback
    found = results()
    assert {result.camera_profile_id for result in found} == {profile_id}
    for result in found:
        assert result.error is None
        assert result.surveyed_area_m2 == pytest.approx(320 * 240 * 4e-6)
        assert result.ground is not None and result.tiles is not None
        assert result.settings["camera"]["parameters"]["gsd_mm_per_px"] == 2.0
        assert result.settings["severity_standard"]["name"] == "D6433"
    with reading() as session:
        distresses = session.scalars(select(Distress)).all()
        quantities = session.scalars(select(DistressQuantity)).all()
    assert all(row.length_m is not None and row.polylines_m is not None for row in distresses)
    assert sum(row.length_m for row in quantities) == pytest.approx(
        sum(row.length_m or 0 for row in distresses)
    )


@one
def test_another_camera_or_standard_gives_results_beside_the_old_ones(tmp_path: Path) -> None:
    actor = actions.local_actor()
    survey_id = import_photos(draw_photos(tmp_path / "photos", 1), gsd=2.0)
    analyse(survey_id, tmp_path / "made")
    analyse(survey_id, tmp_path / "made")
    assert len(results()) == 1
    analyse(survey_id, tmp_path / "made", severity_standard="LTPP")
    own = {"name": "County", "low_below_mm": 3, "high_above_mm": 9}
    analyse(survey_id, tmp_path / "made", severity_standard=own)
    profile_actions.use_profile(
        actor, survey_id, profile_actions.save_profile(actor, "Van", "downward", DOWNWARD)
    )
    analyse(survey_id, tmp_path / "made")
    found = results()
    assert len({result.settings_hash for result in found}) == len(found) == 4
    assert [result.settings["severity_standard"]["name"] for result in found] == [
        "D6433", "LTPP", "County", "County",
    ]  # fmt: skip
    assert len({result.settings["working_scale"] for result in found}) == 1
    with pytest.raises(SettingsError, match="no severity standard"):
        actions.request_analysis(actor, survey_id, severity_standard="D9999")


@one
def test_a_photo_of_another_camera_fails_alone(tmp_path: Path) -> None:
    folder = draw_photos(tmp_path / "photos", 2)
    draw_photos(tmp_path / "odd", 1, width_px=240, height_px=240)
    shutil.copy(tmp_path / "odd" / "000.jpg", folder / "odd.jpg")
    survey_id = import_photos(folder)
    actor = actions.local_actor()
    profile_actions.use_profile(
        actor, survey_id, profile_actions.save_profile(actor, "Van", "downward", DOWNWARD)
    )
    assert analyse(survey_id, tmp_path / "made").state == JobState.SUCCEEDED
    errors = [result.error for result in results()]
    assert sorted(error is None for error in errors) == [False, True, True]
    assert "240 x 240" in next(error for error in errors if error)


@one
def test_photos_added_between_others_make_these_count_less(tmp_path: Path) -> None:
    """Each shows 0.48 m along the road: 0.6 m apart they do not overlap, 0.3 m apart they do."""
    actor = actions.local_actor()
    survey_id = import_photos(draw_photos(tmp_path / "photos", 3))
    profile_actions.use_profile(
        actor, survey_id, profile_actions.save_profile(actor, "Van", "downward", DOWNWARD)
    )
    with reading() as session:
        ids = list(session.scalars(select(SurveyImage.id).order_by(SurveyImage.original_name)))
        hidden = session.get_one(SurveyImage, ids[1])

    def place(image_id: int, **where: Any) -> None:
        with transaction() as session:
            session.execute(update(SurveyImage).where(SurveyImage.id == image_id).values(**where))

    with transaction() as session:
        network = Network(agency_id=actor.agency_id, name="County")
        session.add(network)
        session.flush()
        line = LineString([(8.0, 50.0), (8.001, 50.0)])
        record = SectionRecord("S", "B 1", 0.0, 72.0, None, None, 1, 3.6, None, line, 72.0)
        queries.add_sections(session, network.id, [record])
        section_id = queries.load_sections(session, network.id).ids[0]
        session.get_one(Survey, survey_id).network_id = network.id
    place(ids[0], chainage_m=0.0, section_id=section_id)
    place(ids[2], chainage_m=0.6, section_id=section_id)
    place(hidden.id, survey_id=import_photos(draw_photos(tmp_path / "other", 1, 300, 200), "Other"))
    analyse(survey_id, tmp_path / "made")
    before = {result.image_id: result.surveyed_area_m2 or 0 for result in results()}
    assert sum(before.values()) == pytest.approx(2 * 0.64 * 0.48)
    assert [result.travel_direction for result in results()] == [1, 1]
    place(hidden.id, survey_id=survey_id, chainage_m=0.3, section_id=section_id)
    analyse(survey_id, tmp_path / "made")
    after = {result.image_id: result.surveyed_area_m2 or 0 for result in results()}
    assert len(after) == 3
    # From 0.24 m before the first to 0.24 m after the last, each metre once.
    assert sum(after.values()) == pytest.approx(0.64 * (0.6 + 0.48), abs=0.01)
    assert after[ids[0]] < before[ids[0]]
    for image_id in (ids[0], ids[2], hidden.id):
        place(image_id, heading_deg=270.0)
    analyse(survey_id, tmp_path / "made")
    assert [result.travel_direction for result in results()] == [-1, -1, -1], "analysed again"


@pytest.mark.usefixtures("postgres_database")
def test_two_people_who_save_a_version_at_once_both_have_theirs() -> None:
    agency_id = actions.local_actor().agency_id
    how: dict[str, Any] = {"agency_id": agency_id, "name": "Van", "kind": "downward", "parameters": DOWNWARD}
    versions: list[int] = []

    def save() -> None:
        with transaction() as session:
            versions.append(add_profile(session, **how).version)

    with transaction() as session:
        versions.append(add_profile(session, **how).version)
        second = threading.Thread(target=save)
        second.start()
        second.join(0.5)  # waits for the end of this transaction
        assert second.is_alive()
    second.join(20)
    assert versions == [1, 2]


@both
def test_photos_without_lane_markings_calibrate_nothing(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(6):
        Image.new("RGB", (320, 240), (100 + number, 100, 100)).save(photos / f"{number}.png")
    survey_id = import_photos(photos)
    job_id = profile_actions.request_calibration(actions.local_actor(), survey_id, "Van")
    run_job(job_id, WORK_OF)
    job = get_job(job_id)
    assert job.state == JobState.FAILED
    assert "Traceback" not in (job.error or "") and "unexpectedly" not in (job.error or "")
    with reading() as session:
        assert session.scalars(select(CameraProfile)).all() == []


@one
@pytest.mark.real_data
@pytest.mark.timeout(900)
def test_calibration_is_saved_with_its_uncertainty_and_waits_to_be_used(
    data_dir: Path, tmp_path: Path
) -> None:
    photos = tmp_path / "frames"
    photos.mkdir()
    for frame in sorted((data_dir / "dnit_br290" / "frames").glob("*.jpg"))[:24]:
        shutil.copy(frame, photos / frame.name)
    survey_id = import_photos(photos)
    job_id = profile_actions.request_calibration(actions.local_actor(), survey_id, "Front camera")
    run_job(job_id, WORK_OF)
    job = get_job(job_id)
    assert job.state == JobState.SUCCEEDED, job.traceback
    with reading() as session:
        made = session.get_one(CameraProfile, job.parameters["made_id"])
        assert session.get_one(Survey, survey_id).camera_profile_id is None
    assert (made.name, made.version, made.kind) == ("Front camera", 1, "forward")
    assert made.calibration is not None
    assert made.calibration["profile"] == made.parameters
    assert made.calibration["uncertainty"]["pitch_deg"] > 0
    profile_actions.use_profile(actions.local_actor(), survey_id, made.id)


@one
def test_command_line_saves_lists_and_uses(tmp_path: Path) -> None:
    import_photos(draw_photos(tmp_path / "photos", 1))
    out = tmp_path / "out.json"
    values = tmp_path / "camera.json"
    values.write_text(json.dumps({"width_px": 320, "height_px": 240}))
    run = CliRunner()
    saved = run.invoke(
        app,
        ["camera", "save", "Van", "--kind", "downward", "--file", str(values), "-p", "gsd_mm_per_px=1.5",
         "--json", str(out)],
    )  # fmt: skip
    assert saved.exit_code == 0, saved.output
    assert json.loads(out.read_text())["parameters"]["gsd_mm_per_px"] == 1.5
    assert run.invoke(app, ["camera", "use", "Survey", "Van"]).exit_code == 0
    assert run.invoke(app, ["camera", "list", "--json", str(out)]).exit_code == 0
    (row,) = json.loads(out.read_text())
    assert (row["version"], row["surveys"]) == (1, ["Survey"])
    assert run.invoke(app, ["camera", "use", "Survey"]).exit_code == 0
    for wrong in (["-p", "gsd_mm_per_px"], ["-p", "gsd_mm_per_px=wide"], ["-p", "no_such=1"]):
        refused = run.invoke(app, ["camera", "save", "Van", "--kind", "downward", *wrong])
        assert isinstance(refused.exception, SettingsError | CalibrationError), refused.output
