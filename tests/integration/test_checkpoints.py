"""Checkpoints on both databases: registered, put in force, taken back, deleted, compared, kept apart."""

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest
from sqlalchemy import select

from app import actions
from app import checkpoint_actions as checkpoints
from app.actions import Actor, PermissionDeniedError
from db import checkpoint_queries, queries
from db.models import AnalysisResult, AuditEvent, AuditSample, Checkpoint, Comparison, Job, Survey
from db.registry import ensure_checkpoint, promoted_checkpoint
from db.session import reading, transaction
from db.storage import get_storage
from engine.cards import base_checkpoint_path, read_card
from engine.errors import CheckpointError, EngineError, SettingsError
from engine.severity import D6433
from engine.vocabulary import JobKind, JobState, Role
from jobs.pipeline import WORK_OF
from jobs.running import run_job
from tests.integration.checkpoints import other_engineer, register, write_checkpoint
from tests.integration.surveys import draw_photos, get_job, import_photos

pytestmark = pytest.mark.usefixtures("database")


def in_force() -> str:
    return checkpoints.in_force(actions.local_actor())[1]


def events() -> list[tuple[str, str]]:
    with reading() as session:
        rows = session.execute(select(AuditEvent.action, AuditEvent.subject).order_by(AuditEvent.id))
        return [(row.action, row.subject) for row in rows if row.action.startswith("checkpoint.")]


def rows_of(actor: Actor) -> dict[str, dict[str, object]]:
    with reading() as session:
        return {row["name"]: row for row in checkpoint_queries.list_checkpoints(session, actor.agency_id)}


def test_promotions_are_taken_back_one_by_one_and_written_down(tmp_path: Path) -> None:
    actor = actions.local_actor()
    base = in_force()
    assert base.startswith("base-")
    first, second = register(tmp_path, "first", 1), register(tmp_path, "second", 2)
    checkpoints.promote_checkpoint(actor, first)
    checkpoints.promote_checkpoint(actor, second)
    assert in_force() == "second"
    assert checkpoints.roll_back(actor) == in_force() == "first"
    assert checkpoints.roll_back(actor) == in_force() == base
    with pytest.raises(SettingsError, match="No checkpoint was promoted"):
        checkpoints.roll_back(actor)
    checkpoints.promote_checkpoint(actor, second)
    assert in_force() == "second"
    with pytest.raises(SettingsError, match="in force already"):
        checkpoints.promote_checkpoint(actor, second)
    assert events() == [
        ("checkpoint.promote", "first"),
        ("checkpoint.promote", "second"),
        ("checkpoint.roll_back", "second"),
        ("checkpoint.roll_back", "first"),
        ("checkpoint.promote", "second"),
    ]


def test_a_copy_of_the_shipped_file_never_takes_it_from_anybody(tmp_path: Path) -> None:
    actor, other = actions.local_actor(), other_engineer()
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(base_checkpoint_path().read_bytes())
    with pytest.raises(CheckpointError, match="shipped as base"):
        checkpoints.import_checkpoint(actor, copy, "mine")
    with transaction() as session:
        row = ensure_checkpoint(session, get_storage(), str(copy), actor.agency_id)
        assert row.agency_id is None, "whatever path it was given by"
        row.agency_id, row.name = actor.agency_id, "mine"  # as a version before the file was shipped left it
    assert checkpoints.in_force(other)[1] == "mine"
    with reading() as session:
        assert session.scalars(select(Checkpoint.agency_id)).all() == [None]


def test_what_cannot_be_loaded_is_neither_imported_nor_put_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = actions.local_actor()
    good, bad = write_checkpoint(tmp_path / "good.safetensors", 1), tmp_path / "bad.safetensors"
    bad.write_bytes(good.read_bytes().replace(b'\\"filters\\": [4, 4,', b'\\"filters\\": [4, 8,'))
    with pytest.raises(CheckpointError, match=r"^bad\.safetensors: weights .* have shape"):
        checkpoints.import_checkpoint(actor, bad, "bad")
    assert "bad" not in rows_of(actor)
    with monkeypatch.context() as without_torch:
        without_torch.setattr(importlib.util, "find_spec", lambda _name: None)
        unproved = [checkpoints.import_checkpoint(actor, file, file.stem) for file in (bad, good)]
        for checkpoint_id in unproved:
            with pytest.raises(SettingsError, match="nothing has worked with it"):
                checkpoints.promote_checkpoint(actor, checkpoint_id)
        survey_id = import_photos(draw_photos(tmp_path / "photos", 1))
        run_job(actions.request_analysis(actor, survey_id, "good"), WORK_OF)
        checkpoints.promote_checkpoint(actor, unproved[1])
    assert in_force() == "good"
    with pytest.raises(CheckpointError, match=r"^bad: weights .* have shape"):
        checkpoints.promote_checkpoint(actor, unproved[0])


def test_what_the_gate_refused_is_no_start_of_another_adaptation(tmp_path: Path) -> None:
    survey_id = import_photos(draw_photos(tmp_path / "photos", 1))
    report = {"accepted": False, "reasons": ["It finds 3 % of the drawn cracks."]}
    register(tmp_path, "collapsed", 1, accepted=False, report=report)
    with pytest.raises(SettingsError, match="adapted further: It finds 3 %"):
        checkpoints.request_adaptation(actions.local_actor(), survey_id, "next", base="collapsed")


def test_what_the_gate_refused_cannot_be_put_in_force(tmp_path: Path) -> None:
    report = {"accepted": False, "reasons": ["It finds 3 % of the drawn cracks."]}
    refused = register(tmp_path, "collapsed", 1, accepted=False, report=report)
    with pytest.raises(SettingsError, match="3 % of the drawn cracks"):
        checkpoints.promote_checkpoint(actions.local_actor(), refused)
    assert in_force().startswith("base-")


def test_a_surveyor_may_compare_and_nothing_else(tmp_path: Path) -> None:
    engineer = actions.local_actor()
    surveyor = Actor(engineer.user_id, engineer.agency_id, Role.SURVEYOR)
    own = register(tmp_path, "own", 1)
    file = write_checkpoint(tmp_path / "file.safetensors", 2)
    for act in (
        lambda: checkpoints.promote_checkpoint(surveyor, own),
        lambda: checkpoints.roll_back(surveyor),
        lambda: checkpoints.delete_checkpoint(surveyor, own),
        lambda: checkpoints.export_checkpoint(surveyor, own),
        lambda: checkpoints.import_checkpoint(surveyor, file, "theirs"),
        lambda: checkpoints.request_adaptation(surveyor, 1, "theirs"),
    ):
        with pytest.raises(PermissionDeniedError):
            act()
    assert events() == []


def test_an_agency_neither_sees_nor_touches_anothers(tmp_path: Path) -> None:
    other = other_engineer()
    own = register(tmp_path, "own", 1)
    survey_id = import_photos(draw_photos(tmp_path / "photos", 1))
    base_id, base = checkpoints.in_force(other)
    assert list(rows_of(other)) == [base], "the shipped one is everybody's"
    for act in (
        lambda: checkpoints.promote_checkpoint(other, own),
        lambda: checkpoints.delete_checkpoint(other, own),
        lambda: checkpoints.export_checkpoint(other, own),
        lambda: checkpoints.checkpoint_id_of(other, "own"),
        lambda: checkpoints.request_comparison(other, survey_id, base_id, own),
        lambda: actions.request_analysis(other, survey_id, "own"),
    ):
        with pytest.raises(EngineError, match="There is no"):
            act()
    with transaction() as session, pytest.raises(CheckpointError, match="no checkpoint"):
        ensure_checkpoint(session, get_storage(), "own", other.agency_id)
    with pytest.raises(CheckpointError, match="another agency"):
        checkpoints.import_checkpoint(other, tmp_path / "1.safetensors", "copy")
    checkpoints.promote_checkpoint(actions.local_actor(), own)
    assert checkpoints.in_force(other)[1] == base


def test_new_analyses_use_what_is_in_force_and_results_of_both_stay(tmp_path: Path) -> None:
    actor = actions.local_actor()
    survey_id = import_photos(draw_photos(tmp_path / "photos", 2))
    run_job(actions.request_analysis(actor, survey_id), WORK_OF)
    checkpoints.promote_checkpoint(actor, register(tmp_path, "fitted", 1))
    run_job(actions.request_analysis(actor, survey_id), WORK_OF)
    with reading() as session:
        named = session.execute(
            select(Checkpoint.name, AnalysisResult.image_id)
            .join(AnalysisResult, AnalysisResult.checkpoint_id == Checkpoint.id)
            .order_by(AnalysisResult.id)
        ).all()
        shown = session.get_one(Survey, survey_id).shown_checkpoint_id
        base = promoted_checkpoint(session, get_storage(), other_engineer().agency_id)
        fitted = checkpoint_queries.find_checkpoint(session, actor.agency_id, "fitted")
        assert fitted is not None
        assert [name for name, _ in named] == [base.name, base.name, "fitted", "fitted"]
        assert shown == fitted.id
        survey = session.get_one(Survey, survey_id)
        of_base = checkpoint_queries.analysed_alike(session, survey, base.id, D6433)
        assert of_base == {"photos": 2, "shown": False, "differs": []}
    # asked for by name, the earlier one's results are shown again, and nothing is computed anew
    run_job(actions.request_analysis(actor, survey_id, "base"), WORK_OF)
    with reading() as session:
        assert session.get_one(Survey, survey_id).shown_checkpoint_id == base.id
        assert len(session.scalars(select(AnalysisResult.id)).all()) == 4


def test_only_what_nothing_names_can_be_deleted(tmp_path: Path) -> None:
    actor = actions.local_actor()
    base_id, base = checkpoints.in_force(actor)
    used, audited, promoted, free = (register(tmp_path, f"n{seed}", seed) for seed in range(1, 5))
    child = register(tmp_path, "child", 5, parent_id=free)
    survey_id = import_photos(draw_photos(tmp_path / "photos", 1))
    job_id = actions.request_analysis(actor, survey_id, "n1")
    with pytest.raises(SettingsError, match=f"job {job_id}"):
        checkpoints.delete_checkpoint(actor, used)
    run_job(job_id, WORK_OF)
    with transaction() as session:
        sample = {"settings_hash": "5" * 64, "seed": 1, "tile_px": 256}
        session.add(AuditSample(survey_id=survey_id, checkpoint_id=audited, **sample))
    checkpoints.promote_checkpoint(actor, free)
    checkpoints.promote_checkpoint(actor, promoted)
    run_job(checkpoints.request_comparison(actor, survey_id, base_id, free), WORK_OF)
    for checkpoint_id, words in ((used, "1 analysis results"), (audited, "1 audits"), (base_id, "shipped")):
        with pytest.raises(SettingsError, match=words):
            checkpoints.delete_checkpoint(actor, checkpoint_id)
    with pytest.raises(SettingsError, match="in force"):
        checkpoints.delete_checkpoint(actor, promoted)
    with reading() as session:
        content_hash = session.get_one(Checkpoint, free).content_hash
    checkpoints.delete_checkpoint(actor, free)
    assert set(rows_of(actor)) == {base, "n1", "n2", "n3", "child"}
    with reading() as session:
        assert session.scalars(select(Comparison.id)).all() == []
        assert session.get_one(Checkpoint, child).parent_id is None
        # the sweeper takes what no row names
        assert content_hash not in queries.referenced_hashes(session)
    # the promotion before is gone too: a roll-back leads to what was in force before that
    assert checkpoints.roll_back(actor) == base
    # its name and its file may come back
    checkpoints.import_checkpoint(actor, tmp_path / "4.safetensors", "n4")


def test_exported_and_imported_again_it_is_the_same_file(tmp_path: Path) -> None:
    actor = actions.local_actor()
    base_id, _ = checkpoints.in_force(actor)
    name, path = checkpoints.export_checkpoint(actor, base_id)
    assert name.endswith(".safetensors")
    assert read_card(path).name == "base"
    with pytest.raises(CheckpointError, match="shipped as base"):
        checkpoints.import_checkpoint(actor, path, "again")
    imported = checkpoints.import_checkpoint(
        actor, write_checkpoint(tmp_path / "a.safetensors", 7), "a/b"[:1]
    )
    _, kept = checkpoints.export_checkpoint(actor, imported)
    assert kept.read_bytes() == (tmp_path / "a.safetensors").read_bytes()
    row = rows_of(actor)["a"]
    assert (row["accepted"], row["size_bytes"]) == (None, kept.stat().st_size)
    assert [action for action, _ in events()] == [
        "checkpoint.export",
        "checkpoint.import",
        "checkpoint.export",
    ]


def test_an_import_keeps_the_refusal_of_its_gate_and_no_acceptance(tmp_path: Path) -> None:
    actor = actions.local_actor()
    for seed, accepted in ((1, False), (2, True)):
        gate = {"accepted": accepted, "reasons": ["It collapsed."] if not accepted else []}
        file = write_checkpoint(tmp_path / f"{seed}.safetensors", seed, scores={"gate": gate})
        checkpoints.import_checkpoint(actor, file, f"n{seed}")
    assert rows_of(actor)["n2"]["accepted"] is None
    with pytest.raises(SettingsError, match="It collapsed"):
        checkpoints.promote_checkpoint(actor, rows_of(actor)["n1"]["id"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", ["", "x" * 101, "base", "base-0123abcd", "a/b", "-x", "weights.safetensors", "taken"]
)
def test_names_that_mean_something_else_are_refused(tmp_path: Path, name: str) -> None:
    actor = actions.local_actor()
    register(tmp_path, "taken", 1)
    file = write_checkpoint(tmp_path / "file.safetensors", 2)
    with pytest.raises(SettingsError):
        checkpoints.import_checkpoint(actor, file, name)
    assert len(rows_of(actor)) == 1


def test_a_comparison_draws_both_masks_and_keeps_their_files(tmp_path: Path) -> None:
    actor = actions.local_actor()
    survey_id = import_photos(draw_photos(tmp_path / "photos", 15))
    base_id, _ = checkpoints.in_force(actor)
    other = register(tmp_path, "other", 1)
    with reading() as session:
        images = queries.survey_images(session, survey_id)
    get_storage().delete(images[0][1])
    job_id = checkpoints.request_comparison(actor, survey_id, base_id, other)
    assert checkpoints.request_comparison(actor, survey_id, base_id, other) == job_id, "asked for twice"
    run_job(job_id, WORK_OF)
    job = get_job(job_id)
    assert (job.state, job.progress_message) == (JobState.SUCCEEDED, "11 photos compared"), job.traceback
    with reading() as session:
        comparison = session.scalars(select(Comparison)).one()
        named = queries.referenced_hashes(session)
        assert session.scalars(select(AnalysisResult.id)).all() == [], "the survey's results are not touched"
    pictures = comparison.pictures
    ids = [image_id for image_id, _, _ in images]
    assert [picture["image_id"] for picture in pictures] == sorted(p["image_id"] for p in pictures)
    assert pictures[-1]["image_id"] == ids[-1], "spread to the end of the survey"
    for picture in pictures:
        for side in ("first", "second"):
            assert picture[f"{side}_mask_hash"] in named
            stored = np.frombuffer(get_storage().read(picture[f"{side}_mask_hash"]), np.uint8)
            mask = cv2.imdecode(stored, cv2.IMREAD_UNCHANGED)
            assert mask is not None
            assert mask.shape == (240, 320)
            # specks too short to be a crack are in the mask and not in the share
            assert picture[f"{side}_crack_area_ratio"] <= (mask > 0).mean() + 1e-9
    assert [p["first_mask_hash"] for p in pictures] != [p["second_mask_hash"] for p in pictures]
    run_job(checkpoints.request_comparison(actor, survey_id, base_id, other), WORK_OF)
    with reading() as session:
        assert len(session.scalars(select(Comparison.id)).all()) == 1, "a new one takes the place of the old"


def test_a_comparison_without_a_readable_photo_fails_plainly(tmp_path: Path) -> None:
    actor = actions.local_actor()
    survey_id = import_photos(draw_photos(tmp_path / "photos", 1))
    with reading() as session:
        get_storage().delete(queries.survey_images(session, survey_id)[0][1])
    first, second = register(tmp_path, "first", 1), register(tmp_path, "second", 2)
    job_id = checkpoints.request_comparison(actor, survey_id, first, second)
    run_job(job_id, WORK_OF)
    job = get_job(job_id)
    assert job.state == JobState.FAILED
    assert "None of the 1 photos of 'Survey' could be read" in (job.error or "")
    with pytest.raises(SettingsError, match="with itself"):
        checkpoints.request_comparison(actor, survey_id, first, first)


def test_an_adaptation_is_asked_for_with_all_that_its_work_needs(tmp_path: Path) -> None:
    actor = actions.local_actor()
    survey_id = import_photos(draw_photos(tmp_path / "photos", 1))
    empty = actions.create_survey(actor, actions.SurveyForm("Empty"))
    base_id, base = checkpoints.in_force(actor)
    own = register(tmp_path, "own", 1)
    job_id = checkpoints.request_adaptation(actor, survey_id, " BR-290  rear ", minutes=5, seed=3)
    with reading() as session:
        job = session.get_one(Job, job_id)
    assert (job.kind, job.survey_id, job.state) == (JobKind.ADAPT_SURVEY, survey_id, JobState.QUEUED)
    assert job.parameters == {
        "name": "BR-290 rear", "base_id": base_id, "base": base, "model": None, "minutes": 5.0, "seed": 3,
    }  # fmt: skip
    assert checkpoints.request_adaptation(actor, survey_id, "BR-290 rear") == job_id, "asked for twice"
    checkpoints.promote_checkpoint(actor, own)
    from_force = checkpoints.request_adaptation(actor, survey_id, "next", model="crack_segmenter")
    with reading() as session:
        parameters = session.get_one(Job, from_force).parameters
    assert (parameters["base"], parameters["model"]) == ("own", "crack_segmenter")
    from_base = checkpoints.request_adaptation(actor, survey_id, "third", base="base")
    with reading() as session:
        assert session.get_one(Job, from_base).parameters["base_id"] == base_id
    elsewhere = import_photos(draw_photos(tmp_path / "more", 1), name="Elsewhere")
    for values, words in (
        ({"survey_id": empty}, "no photos"),
        ({"survey_id": 999}, "no survey"),
        ({"name": "own"}, "taken"),
        ({"survey_id": elsewhere, "name": "BR-290 rear"}, "not finished"),
        ({"base": "nothing"}, "no checkpoint"),
        ({"model": "resnet9000"}, "no model"),
        ({"minutes": 0.0}, "minutes"),
        ({"minutes": 241.0}, "minutes"),
        ({"minutes": float("nan")}, "minutes"),
        ({"seed": -1}, "seed"),
    ):
        with pytest.raises(EngineError, match=words):
            checkpoints.request_adaptation(actor, **({"survey_id": survey_id, "name": "new"} | values))  # type: ignore[arg-type]
