"""Exports as jobs: made, stored, handed out, stopped, tried again, deleted."""

import io
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from sqlalchemy import select, update
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app import actions, export_actions
from app.actions import Actor, PermissionDeniedError
from app.api import routes
from db.base import utc_now
from db.export_store import exports_of
from db.models import Agency, AuditEvent, ExportedFile, Job, Survey
from db.queries import referenced_hashes
from db.session import reading, transaction
from db.storage import get_storage
from engine.errors import SettingsError
from engine.vocabulary import JobKind, Role
from jobs import exporting
from jobs.export import make_export
from jobs.running import run_job
from tests.integration.exports import fill_exported, save_plan
from tests.unit.web.measured import fill_measured

WORK_OF: dict[Any, Any] = {JobKind.EXPORT_SURVEY: exporting.export_survey}
both = pytest.mark.usefixtures("database")
one = pytest.mark.usefixtures("sqlite_database")


def get_job(job_id: int) -> Job:
    with reading() as session:
        return session.get_one(Job, job_id)


def listed(survey_id: int) -> list[dict[str, Any]]:
    with reading() as session:
        return exports_of(session, actions.local_actor().agency_id, survey_id)


@both
def test_a_file_is_made_once_stored_whole_and_handed_out_under_its_name() -> None:
    filled = fill_exported()
    plan_id = save_plan(filled)
    actor = actions.local_actor()
    job_id = export_actions.request_export(actor, filled.survey, "xlsx", plan_id)
    assert export_actions.request_export(actor, filled.survey, "xlsx", plan_id) == job_id
    assert export_actions.request_export(actor, filled.survey, "xlsx") != job_id
    assert export_actions.request_export(actor, filled.survey, "csv") != job_id
    run_job(job_id, WORK_OF)
    job = get_job(job_id)
    assert job.state == "succeeded", job.traceback
    (file,) = listed(filled.survey)
    assert job.parameters["made_id"] == file["id"] and file["job_id"] == job_id
    assert file["file_name"] == "County 2025 - tables.xlsx" and file["plan_id"] == plan_id
    assert file["plan"] == "Five years" and file["by"] == "Local engineer" and not file["stale"]

    client = TestClient(Starlette(routes=routes))
    answer = client.get(f"/api/exports/{file['id']}")
    assert answer.status_code == 200 and len(answer.content) == file["size_bytes"]
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith("attachment") and "County%202025%20-%20tables.xlsx" in disposition
    assert "spreadsheetml" in answer.headers["content-type"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    assert book["Projects"].max_row > 1 and book["Distresses"].max_row == 96
    with reading() as session:
        events = session.scalars(select(AuditEvent.action)).all()
        hashes = referenced_hashes(session)
        assert session.get_one(ExportedFile, file["id"]).content_hash in hashes
    assert events.count("job.export_survey") == 3

    with transaction() as session:
        session.execute(update(Survey).values(shown_settings_hash="0" * 64))
    assert listed(filled.survey)[0]["stale"]


@one
def test_nobody_gets_the_file_of_another_agency_or_one_that_is_gone() -> None:
    filled = fill_measured()
    run_job(export_actions.request_export(actions.local_actor(), filled.survey, "csv"), WORK_OF)
    (file,) = listed(filled.survey)
    client = TestClient(Starlette(routes=routes))
    assert client.get("/api/exports/999").status_code == 404
    with transaction() as session:
        other = Agency(name="Elsewhere")
        session.add(other)
        session.flush()
        session.execute(update(ExportedFile).values(agency_id=other.id))
    assert client.get(f"/api/exports/{file['id']}").status_code == 404
    with transaction() as session:
        session.execute(update(ExportedFile).values(agency_id=actions.local_actor().agency_id))
        content_hash = session.get_one(ExportedFile, file["id"]).content_hash
    get_storage().delete(content_hash)
    assert client.get(f"/api/exports/{file['id']}").status_code == 404


@one
def test_a_file_asked_for_without_a_plan_has_none_though_one_is_made_before_its_job_begins() -> None:
    filled = fill_exported()
    job_id = export_actions.request_export(actions.local_actor(), filled.survey, "xlsx")
    save_plan(filled)
    run_job(job_id, WORK_OF)
    (file,) = listed(filled.survey)
    assert file["plan_id"] is None and file["plan"] == "" == file["provenance"]["plan"]


@one
def test_a_file_counts_from_when_its_data_were_read(monkeypatch: pytest.MonkeyPatch) -> None:
    filled = fill_measured()
    changed: list[datetime] = []

    def make_slowly(*given: Any, **how: Any) -> Any:
        made = make_export(*given, **how)
        changed.append(utc_now())  # somebody changes the results while the file is written
        return made

    monkeypatch.setattr(exporting, "make_export", make_slowly)
    run_job(export_actions.request_export(actions.local_actor(), filled.survey, "csv"), WORK_OF)
    (file,) = listed(filled.survey)
    assert file["read_at"] < changed[0] < file["created_at"]
    assert datetime.fromisoformat(file["provenance"]["made_at"]) < changed[0]


@one
def test_a_hostile_name_of_a_survey_does_no_harm() -> None:
    filled = fill_measured()
    with transaction() as session:
        session.execute(
            update(Survey).where(Survey.id == filled.survey).values(name='=cmd|"../../東京\r\nX: y')
        )
    run_job(export_actions.request_export(actions.local_actor(), filled.survey, "geojson"), WORK_OF)
    (file,) = listed(filled.survey)
    assert "/" not in file["file_name"] and "\n" not in file["file_name"]
    answer = TestClient(Starlette(routes=routes)).get(f"/api/exports/{file['id']}")
    assert answer.status_code == 200 and "x" not in {name for name in answer.headers if name == "x"}
    assert "filename*=utf-8''cmd" in answer.headers["content-disposition"]


@one
def test_what_is_wrong_is_said_before_anything_is_queued() -> None:
    filled = fill_measured()
    actor = actions.local_actor()
    with pytest.raises(SettingsError, match=r"no format 'doc'.*pdf, xlsx"):
        export_actions.request_export(actor, filled.survey, "doc")
    with pytest.raises(SettingsError, match=r"paper 'A0'.*A4 or Letter"):
        export_actions.request_export(actor, filled.survey, "pdf", paper="A0")
    with pytest.raises(SettingsError, match="no plan 7"):
        export_actions.request_export(actor, filled.survey, "pdf", plan_id=7)
    viewer = Actor(actor.user_id, actor.agency_id, Role.VIEWER)
    with pytest.raises(PermissionDeniedError, match="viewer may not export"):
        export_actions.request_export(viewer, filled.survey, "pdf")
    with transaction() as session:
        session.execute(update(Survey).values(network_id=None))
    with pytest.raises(SettingsError, match="no network"):
        export_actions.request_export(actor, filled.survey, "inspections")
    with reading() as session:
        assert session.scalar(select(Job.id)) is None


@one
def test_a_file_is_deleted_by_an_engineer_and_the_deed_is_kept() -> None:
    filled = fill_measured()
    actor = actions.local_actor()
    run_job(export_actions.request_export(actor, filled.survey, "csv"), WORK_OF)
    (file,) = listed(filled.survey)
    with pytest.raises(PermissionDeniedError):
        export_actions.delete_export(Actor(actor.user_id, actor.agency_id, Role.SURVEYOR), file["id"])
    export_actions.delete_export(actor, file["id"])
    assert listed(filled.survey) == []
    with reading() as session:
        event = session.scalars(select(AuditEvent).where(AuditEvent.action == "export.delete")).one()
    assert event.detail["file_name"] == file["file_name"]
    with pytest.raises(SettingsError, match="no exported file"):
        export_actions.delete_export(actor, file["id"])


@one
def test_a_cancelled_export_ends_at_once_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    filled = fill_measured()
    temporary = exporting.work_place()
    reached, ended = threading.Event(), threading.Event()

    def slow(*given: Any, folder: Path, progress: Any, **how: Any) -> Any:
        assert folder.parent == temporary
        (folder / "half.xlsx").write_bytes(b"half")
        reached.set()
        try:
            while True:  # a library that writes for long, and says so
                progress(0.5, "Writing")
                time.sleep(0.05)
        finally:
            ended.set()

    monkeypatch.setattr(exporting, "make_export", slow)
    actor = actions.local_actor()
    job_id = export_actions.request_export(actor, filled.survey, "xlsx")
    worker = threading.Thread(target=run_job, args=(job_id, WORK_OF))
    worker.start()
    assert reached.wait(10)
    actions.cancel_job(actor, job_id)
    worker.join(10)
    assert not worker.is_alive() and get_job(job_id).state == "cancelled"
    assert ended.wait(5)
    for _ in range(50):
        if not list(temporary.iterdir()):
            break
        time.sleep(0.1)
    assert not list(temporary.iterdir()) and listed(filled.survey) == []


@one
def test_a_killed_worker_leaves_nothing_half_and_the_next_attempt_makes_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    filled = fill_measured()
    job_id = export_actions.request_export(actions.local_actor(), filled.survey, "csv")

    def killed(*given: Any, **how: Any) -> Any:
        raise SystemExit

    with monkeypatch.context() as broken:
        broken.setattr(exporting, "add_export", killed)
        with pytest.raises(SystemExit):
            run_job(job_id, WORK_OF)
    assert listed(filled.survey) == [] and get_job(job_id).state == "queued"
    run_job(job_id, WORK_OF)
    assert get_job(job_id).state == "succeeded" and len(listed(filled.survey)) == 1


@one
def test_an_export_that_cannot_be_made_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    filled = fill_measured()
    job_id = export_actions.request_export(actions.local_actor(), filled.survey, "csv")
    with transaction() as session:
        session.execute(update(Survey).values(shown_checkpoint_id=None))
    run_job(job_id, WORK_OF)
    job = get_job(job_id)
    assert job.state == "failed" and "not analysed" in (job.error or "")
