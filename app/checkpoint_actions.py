"""What a person does with checkpoints, for the pages and the command line alike.

As in `app.actions`: each checks the role, writes in one transaction with its audit event, then sends its job.
"""

import re
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.actions import Actor, record_event, request_job, require
from db import checkpoint_queries, queries, registry
from db.base import utc_now
from db.models import Checkpoint, Job, Promotion, Survey
from db.session import reading, transaction
from db.storage import get_storage
from engine.cards import BASE_NAME, base_checkpoint_path, file_sha256
from engine.errors import CheckpointError, SettingsError
from engine.foreign_checkpoints import check_foreign_checkpoint, prove_it_loads
from engine.model_names import MODEL_NAMES
from engine.vocabulary import JobKind, JobState, Role
from jobs import queue

MINUTES_RANGE = (0.1, 240.0)
SEEDS = 2**31


def register_base() -> None:
    """Enter the shipped checkpoint in the registry, if it is not there yet, so that lists have it."""
    with reading() as session:
        if checkpoint_queries.find_checkpoint(session, None, BASE_NAME) is not None:
            return
        same = Checkpoint.content_hash == file_sha256(base_checkpoint_path())
        if session.scalar(select(Checkpoint.id).where(same, Checkpoint.agency_id.is_(None))) is not None:
            return
    with transaction() as session:
        registry.ensure_checkpoint(session, get_storage(), BASE_NAME)


def checkpoint_id_of(actor: Actor, name: str) -> int:
    """The id of a checkpoint by its name; "base" is the shipped one.

    Raises:
        CheckpointError: the agency sees no such checkpoint.
    """
    register_base()
    with reading() as session:
        found = checkpoint_queries.find_checkpoint(session, actor.agency_id, name)
        if found is None and name == BASE_NAME:
            found = registry.ensure_checkpoint(session, get_storage(), BASE_NAME)
        if found is None:
            raise CheckpointError(f"There is no checkpoint named {name!r}.", "See the list of checkpoints.")
        return found.id


def in_force(actor: Actor) -> tuple[int, str]:
    """Id and name of the checkpoint that the agency's new analyses use."""
    register_base()
    with reading() as session:
        checkpoint = registry.promoted_checkpoint(session, get_storage(), actor.agency_id)
        return checkpoint.id, checkpoint.name


def promote_checkpoint(actor: Actor, checkpoint_id: int) -> None:
    """Put a checkpoint in force: new analyses use it. Results of others stay as they are.

    Raises:
        CheckpointError: it came from elsewhere and cannot be loaded.
        SettingsError: its gate refused it, with the gate's reasons; it is in force already; or it came from
            elsewhere, was never used, and cannot be tried here.
    """
    require(actor, Role.ENGINEER, "promote a checkpoint")
    _require_loaded(actor, checkpoint_id)
    with transaction() as session:
        checkpoint = checkpoint_queries.get_checkpoint(session, actor.agency_id, checkpoint_id)
        registry.require_accepted(checkpoint, "put in force")
        before = registry.promoted_checkpoint(session, get_storage(), actor.agency_id)
        if before.id == checkpoint.id:
            raise SettingsError(f"{checkpoint.name!r} is in force already.", "There is nothing to do.")
        session.add(Promotion(agency_id=actor.agency_id, checkpoint_id=checkpoint.id, user_id=actor.user_id))
        record_event(session, actor, "checkpoint.promote", checkpoint.name, before=before.name)


def _require_loaded(actor: Actor, checkpoint_id: int) -> None:
    """A file from elsewhere may hold other weights than its card says: every analysis would fail."""
    with reading() as session:
        checkpoint = checkpoint_queries.get_checkpoint(session, actor.agency_id, checkpoint_id)
        if checkpoint.report.get("loads") is not False or checkpoint_queries.was_loaded(session, checkpoint):
            return
        registry.require_accepted(checkpoint, "put in force")
        file = registry.checkpoint_file(get_storage(), checkpoint)
    if not prove_it_loads(file, checkpoint.name):
        raise SettingsError(
            f"{checkpoint.name!r} came from elsewhere, and nothing has worked with it yet.",
            "Compare it with the checkpoint in force first.",
        )


def roll_back(actor: Actor) -> str:
    """Take back the last promotion; returns the name of what is in force now.

    Raises:
        SettingsError: nothing is promoted.
    """
    require(actor, Role.ENGINEER, "roll back a checkpoint")
    with transaction() as session:
        promotion = checkpoint_queries.newest_promotion(session, actor.agency_id)
        if promotion is None:
            raise SettingsError(
                "No checkpoint was promoted: the shipped one is in force.", "There is nothing to roll back."
            )
        promotion.rolled_back_at = utc_now()
        session.flush()
        taken_back = session.get_one(Checkpoint, promotion.checkpoint_id).name
        now = registry.promoted_checkpoint(session, get_storage(), actor.agency_id)
        record_event(session, actor, "checkpoint.roll_back", taken_back, now=now.name)
        return now.name


def delete_checkpoint(actor: Actor, checkpoint_id: int) -> None:
    """Delete a checkpoint that nothing needs, with its comparisons; its file goes with the next sweep.

    Raises:
        SettingsError: it is shipped or in force, or results, audits or waiting jobs name it.
    """
    require(actor, Role.ENGINEER, "delete a checkpoint")
    in_use = "What was computed with it must stay explicable."
    try:
        with transaction() as session:
            checkpoint = checkpoint_queries.get_checkpoint(session, actor.agency_id, checkpoint_id)
            name = checkpoint.name
            if checkpoint.agency_id is None:
                raise SettingsError(f"{name!r} is shipped with Pavescope and stays.", "Delete your own only.")
            promotion = checkpoint_queries.newest_promotion(session, actor.agency_id)
            if promotion is not None and promotion.checkpoint_id == checkpoint.id:
                raise SettingsError(f"{name!r} is in force.", "Promote another one, or roll back, first.")
            if uses := checkpoint_queries.uses_of(session, checkpoint):
                raise SettingsError(f"{name!r} cannot be deleted: {'; '.join(uses)}.", in_use)
            checkpoint_queries.delete_rows_of(session, checkpoint)
            record_event(session, actor, "checkpoint.delete", name, content_hash=checkpoint.content_hash)
    except IntegrityError as problem:  # named by somebody else at this moment
        raise SettingsError("The checkpoint is in use and cannot be deleted.", in_use) from problem


def import_checkpoint(actor: Actor, path: Path, name: str, file_name: str | None = None) -> int:
    """Register a .safetensors file with a Pavescope card; anything else is refused. Returns its id.

    Args:
        actor: who asks.
        path: the file on this machine.
        name: under which it is registered.
        file_name: the name people know the file by, where it differs from the path's.

    Raises:
        CheckpointError: not such a file, damaged, not to be loaded, or registered already.
        SettingsError: the name is taken or cannot be one.
    """
    require(actor, Role.ENGINEER, "import a checkpoint")
    check_foreign_checkpoint(path, file_name)
    loads = prove_it_loads(path, file_name)
    with transaction() as session:
        checkpoint = registry.import_checkpoint(
            session,
            get_storage(),
            path,
            agency_id=actor.agency_id,
            created_by=actor.user_id,
            name=name,
            file_name=file_name,
            loads=loads,
        )
        record_event(
            session,
            actor,
            "checkpoint.import",
            checkpoint.name,
            file=file_name or path.name,
            content_hash=checkpoint.content_hash,
        )
        return checkpoint.id


def export_checkpoint(actor: Actor, checkpoint_id: int) -> tuple[str, Path]:
    """A file name for people, and the file itself: weights and card in one .safetensors.

    Raises:
        CheckpointError: the agency has no such checkpoint, or its file is missing or damaged.
    """
    require(actor, Role.ENGINEER, "export a checkpoint")
    with transaction() as session:
        checkpoint = checkpoint_queries.get_checkpoint(session, actor.agency_id, checkpoint_id)
        path = registry.checkpoint_file(get_storage(), checkpoint)
        record_event(
            session, actor, "checkpoint.export", checkpoint.name, content_hash=checkpoint.content_hash
        )
        return file_name_of(checkpoint.name), path


def file_name_of(name: str) -> str:
    """A file name for a checkpoint that every system can keep."""
    return re.sub(r"[^\w. ()-]", "_", name) + ".safetensors"


def request_adaptation(
    actor: Actor,
    survey_id: int,
    name: str,
    base: str = "",
    model: str | None = None,
    minutes: float = 15.0,
    seed: int = 0,
) -> int:
    """Queue the adaptation of a checkpoint to a survey's photos, which need no labels.

    Args:
        actor: who asks.
        survey_id: the survey.
        name: of the new checkpoint.
        base: name of the checkpoint to start from; empty is the one in force.
        model: another network to train, by name; None is that of the base.
        minutes: work to spend, on two CPU cores, 0.1 to 240.
        seed: the same seed on the same machine gives the same checkpoint.

    Returns:
        The id of the job.

    Raises:
        CheckpointError: no such base.
        SettingsError: the survey has no photos, the gate refused the base, the name is taken, or a value
            is out of range.
    """
    require(actor, Role.ENGINEER, "adapt a checkpoint")
    if not MINUTES_RANGE[0] <= minutes <= MINUTES_RANGE[1]:
        raise SettingsError(f"An adaptation of {minutes} minutes is not possible.", "Give 0.1 to 240.")
    if not 0 <= seed < SEEDS:
        raise SettingsError(f"The seed {seed} is out of range.", f"Give 0 to {SEEDS - 1}.")
    if model is not None and model not in MODEL_NAMES:
        raise SettingsError(
            f"There is no model named {model!r}.", f"Choose one of: {', '.join(MODEL_NAMES)}."
        )
    with transaction() as session:
        survey = _survey_with_photos(session, actor, survey_id)
        name = registry.free_name(session, name)
        _refuse_awaited(session, actor, survey, name)
        start = (
            registry.ensure_checkpoint(session, get_storage(), base, actor.agency_id)
            if base
            else registry.promoted_checkpoint(session, get_storage(), actor.agency_id)
        )
        # The gate compares with the base: what passes beside a refused one has proved nothing.
        registry.require_accepted(start, "adapted further")
        parameters = {
            "name": name,
            "base_id": start.id,
            "base": start.name,
            "model": model,
            "minutes": float(minutes),
            "seed": seed,
        }
        key = f"adapt:{survey.id}:{name}"
        job_id = request_job(session, actor, JobKind.ADAPT_SURVEY, key, parameters, survey.id)
    queue.send(job_id, JobKind.ADAPT_SURVEY)
    return job_id


def request_comparison(actor: Actor, survey_id: int, first_id: int, second_id: int) -> int:
    """Queue the comparison of two checkpoints on photos spread over a survey; returns the job's id.

    Raises:
        CheckpointError: the agency has no such checkpoint.
        SettingsError: the survey has no photos, or both are the same.
    """
    require(actor, Role.SURVEYOR, "compare checkpoints")
    with transaction() as session:
        survey = _survey_with_photos(session, actor, survey_id)
        first, second = (
            checkpoint_queries.get_checkpoint(session, actor.agency_id, checkpoint_id)
            for checkpoint_id in (first_id, second_id)
        )
        if first.id == second.id:
            raise SettingsError("A checkpoint cannot be compared with itself.", "Choose two.")
        key = f"compare:{survey.id}:{first.id}:{second.id}"
        parameters = {"first_id": first.id, "second_id": second.id}
        job_id = request_job(session, actor, JobKind.COMPARE_CHECKPOINTS, key, parameters, survey.id)
    queue.send(job_id, JobKind.COMPARE_CHECKPOINTS)
    return job_id


def _survey_with_photos(session: Session, actor: Actor, survey_id: int) -> Survey:
    survey = queries.get_survey(session, actor.agency_id, survey_id)
    if queries.count_images(session, survey.id) == 0:
        raise SettingsError(f"Survey {survey.name!r} has no photos.", "Import photos first.")
    return survey


def _refuse_awaited(session: Session, actor: Actor, survey: Survey, name: str) -> None:
    """A job that will register that name may wait or run on another survey; on this one it is found again."""
    awaited: Any = select(Job).where(
        Job.kind == JobKind.ADAPT_SURVEY, Job.state.in_((JobState.QUEUED, JobState.RUNNING))
    )
    for job in session.scalars(awaited):
        if job.parameters.get("name") == name and (job.agency_id, job.survey_id) != (
            actor.agency_id,
            survey.id,
        ):
            raise SettingsError(
                f"The name {name!r} is taken by an adaptation that is not finished.", "Choose another name."
            )
