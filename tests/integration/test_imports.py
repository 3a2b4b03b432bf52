"""Every bad input, through the real import job: the reason shown, the rest of the batch kept."""

import json
import shutil
from pathlib import Path

import pytest
from shapely.geometry import LineString
from sqlalchemy import select

from app import actions
from db.models import RefusedFile, SurveyImage
from db.queries import add_sections
from db.session import reading, transaction
from db.settings import get_settings
from db.storage import get_storage
from engine.networks import SectionRecord, geodesic_length_m
from engine.vocabulary import ImageFlag, JobState
from jobs.pipeline import WORK_OF
from jobs.running import run_job
from tests.integration.surveys import draw_photos, get_job, import_photos
from tests.unit.bad_inputs.cases import CASES, BadInputCase
from tests.unit.bad_inputs.photos import ROAD_LINE

pytestmark = pytest.mark.usefixtures("sqlite_database")


def road_survey(clock_offset_s: float = 0.0) -> tuple[actions.Actor, int]:
    """An empty survey over a network of the one road that the good photos lie on."""
    actor = actions.local_actor()
    line = LineString(ROAD_LINE)
    length_m = geodesic_length_m(line)
    section = SectionRecord("A-1", "A", 0.0, length_m, None, None, 1, 3.5, None, line, length_m)
    with transaction() as session:
        from db.models import Network

        network = Network(agency_id=actor.agency_id, name="Road")
        session.add(network)
        session.flush()
        add_sections(session, network.id, [section])
    form = actions.SurveyForm("Bad inputs", network="Road", clock_offset_s=clock_offset_s)
    return actor, actions.create_survey(actor, form)


def rows(survey_id: int) -> tuple[list[SurveyImage], list[RefusedFile]]:
    with reading() as session:
        images = session.scalars(select(SurveyImage).where(SurveyImage.survey_id == survey_id))
        refused = session.scalars(select(RefusedFile).where(RefusedFile.survey_id == survey_id))
        return list(images), list(refused)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_bad_input_through_the_import_job(case: BadInputCase, tmp_path: Path) -> None:
    actor, survey_id = road_survey(case.clock_offset_s)
    source = case.build(tmp_path)
    track = tmp_path / case.track if case.track else None
    job_id = actions.request_import(actor, survey_id, source, track)
    run_job(job_id, WORK_OF)
    job = get_job(job_id)
    images, refused = rows(survey_id)
    if case.track_refused or case.archive_refused:
        assert job.state == JobState.FAILED
        for text in case.must_mention:
            assert text in (job.error or "").lower()
        assert (images, refused) == ([], [])
        return
    assert job.state == JobState.SUCCEEDED, job.traceback
    assert len(images) == case.accepted
    if case.expected_code is not None:
        shown = next(file for file in refused if file.name == case.name)
        assert shown.code == case.expected_code
        said = f"{shown.reason} {shown.remedy}".lower()
        assert shown.remedy
    else:
        kept = [image for image in images if image.original_name == case.name][-1]
        said = " ".join(kept.notes).lower()
        if case.expected_flag is not None:
            assert case.expected_flag in kept.flags
    for text in case.must_mention:
        assert text in said
    stored = {path.name for path in (get_settings().root / "storage").rglob("*") if path.is_file()}
    assert stored == {image.content_hash for image in images}, "a name of the user's reached the disk"


def test_good_photos_are_placed_on_their_section(tmp_path: Path) -> None:
    actor, survey_id = road_survey()
    case = next(case for case in CASES if case.expected_code is not None and not case.archive_refused)
    run_job(actions.request_import(actor, survey_id, case.build(tmp_path)), WORK_OF)
    images, _ = rows(survey_id)
    good = [image for image in images if image.original_name.startswith("good")]
    chainages = [image.chainage_m for image in good]
    assert None not in chainages
    assert len(set(chainages)) == len(good)
    assert all(ImageFlag.OFF_NETWORK not in image.flags for image in good)


def test_importing_again_adds_only_new_photos_and_mended_files_leave_the_list(tmp_path: Path) -> None:
    folder = draw_photos(tmp_path / "photos", 2)
    (folder / "bad.jpg").write_bytes(b"")
    survey_id = import_photos(folder)
    images, refused = rows(survey_id)
    assert (len(images), [file.name for file in refused]) == (2, ["bad.jpg"])
    draw_photos(folder, 3)
    shutil.move(folder / "002.jpg", folder / "bad.jpg")
    run_job(actions.request_import(actions.local_actor(), survey_id, folder), WORK_OF)
    images, refused = rows(survey_id)
    assert len(images) == 3
    assert {file.code for file in refused} == {"duplicate"}
    assert "bad.jpg" not in {file.name for file in refused}


def test_upload_keeps_names_and_is_removed_once_stored(tmp_path: Path) -> None:
    folder = get_settings().uploads_dir / ("a" * 32)
    draw_photos(folder, 2)
    (folder / "000002.zip").write_bytes(b"PK\x03\x04 torn")
    entries = [
        {"stored": "000.jpg", "name": "Straße 1.jpg"},
        {"stored": "001.jpg", "name": "../../x.jpg"},
        {"stored": "000002.zip", "name": "rest.zip"},
    ]
    (folder / "manifest.json").write_text(json.dumps({"files": entries}))
    survey_id = import_photos(folder)
    images, refused = rows(survey_id)
    assert {image.original_name for image in images} == {"Straße 1.jpg", "x.jpg"}
    assert [(file.name, file.code) for file in refused] == [("rest.zip", "damaged_archive")]
    assert not folder.exists()
    assert all(get_storage().exists(image.content_hash) for image in images)


def test_killed_import_leaves_nothing_half_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows come in one transaction: a crash before it leaves none, and the next attempt all."""
    folder = draw_photos(tmp_path / "photos", 3)
    actor = actions.local_actor()
    survey_id = actions.create_survey(actor, actions.SurveyForm("Survey"))
    job_id = actions.request_import(actor, survey_id, folder)
    from jobs import importing

    with monkeypatch.context() as patch:
        patch.setattr(importing, "place", lambda *_: 1 / 0)
        run_job(job_id, WORK_OF)
    assert rows(survey_id) == ([], [])
    assert get_job(job_id).state == JobState.QUEUED
    run_job(job_id, WORK_OF)
    assert get_job(job_id).state == JobState.SUCCEEDED
    assert len(rows(survey_id)[0]) == 3
