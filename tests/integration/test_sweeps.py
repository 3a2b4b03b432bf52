"""What killed processes leave behind is removed; what a row names, or may soon name, is not."""

import os
import time
from pathlib import Path

import pytest

from app import actions
from db import jobs as job_rows
from db.models import SurveyImage
from db.session import reading, transaction
from db.settings import get_settings
from db.storage import get_storage
from engine.vocabulary import JobKind
from jobs.exporting import work_place
from jobs.tasks import sweep_storage
from tests.integration.surveys import draw_photos, import_photos

pytestmark = pytest.mark.usefixtures("sqlite_database")
LONG_AGO = time.time() - 30 * 24 * 3600


def old_file(data: bytes) -> str:
    content_hash = get_storage().put(data)
    os.utime(get_storage().local_file(content_hash), (LONG_AGO, LONG_AGO))
    return content_hash


def test_only_old_files_without_a_row_are_removed(tmp_path: Path) -> None:
    survey_id = import_photos(draw_photos(tmp_path / "photos", 1))
    with reading() as session:
        named = session.get_one(SurveyImage, 1).content_hash
    os.utime(get_storage().local_file(named), (LONG_AGO, LONG_AGO))
    orphan, again, fresh = old_file(b"orphan"), old_file(b"again"), get_storage().put(b"fresh")
    get_storage().put(b"again")  # about to be named by a row
    assert sweep_storage() == 1
    assert not get_storage().exists(orphan)
    assert all(get_storage().exists(kept) for kept in (named, again, fresh))
    assert survey_id == 1


def test_nothing_is_removed_while_a_job_may_name_it() -> None:
    orphan = old_file(b"orphan")
    agency_id = actions.local_actor().agency_id
    with transaction() as session:
        job, _ = job_rows.create_job(
            session,
            agency_id=agency_id,
            kind=JobKind.IMPORT_SURVEY,
            parameters={},
            unique_key="k",
        )
    assert sweep_storage() == 0
    assert get_storage().exists(orphan)
    assert job.id == 1


def test_what_killed_exports_leave_is_removed_after_a_day() -> None:
    agency_id = actions.local_actor().agency_id
    with transaction() as session:
        job, _ = job_rows.create_job(
            session, agency_id=agency_id, kind=JobKind.EXPORT_SURVEY, parameters={}, unique_key="k"
        )
    kept = [work_place() / f"{job.id}-abc", work_place() / "77-new"]
    for folder in (old := work_place() / "77-old", *kept):
        folder.mkdir(parents=True)
        (folder / "half.xlsx").write_bytes(b"half")
    for path in (old / "half.xlsx", old, kept[0] / "half.xlsx", kept[0]):
        os.utime(path, (LONG_AGO, LONG_AGO))
    sweep_storage()
    assert not old.exists() and all(folder.exists() for folder in kept)


def test_given_up_uploads_are_removed_after_a_week() -> None:
    old, new = (get_settings().uploads_dir / (letter * 32) for letter in "ab")
    for folder in (old, new):
        folder.mkdir(parents=True)
        (folder / "000000.jpg").write_bytes(b"x")
    for path in (old / "000000.jpg", old):
        os.utime(path, (LONG_AGO, LONG_AGO))
    sweep_storage()
    assert not old.exists()
    assert new.exists()
