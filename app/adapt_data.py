"""What the page Adapt reads: a survey's adaptations, their curves, its analyses, and how its photos look."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select

from app.identity import current_actor
from db import queries
from db.checkpoint_queries import get_checkpoint, list_checkpoints, list_comparisons
from db.models import AnalysisResult, Checkpoint, Job, Survey, SurveyImage
from db.session import database_now, reading
from db.settings import get_settings
from db.storage import get_storage
from engine.errors import InvalidImageError
from engine.images import load_image
from engine.scale import spread_sample
from engine.vocabulary import JobKind

LOOKED_AT = 24
"""Photos that the advice is made from: enough for a mean, few enough to wait for."""
JOB_COLUMNS = (
    Job.id,
    Job.kind,
    Job.state,
    Job.survey_id,
    Survey.name.label("survey"),
    Job.parameters,
    Job.attempt,
    Job.progress_done,
    Job.progress_total,
    Job.progress_message,
    Job.cancel_requested,
    (Job.lease_until < database_now()).label("silent"),
    Job.error,
    Job.traceback,
    Job.created_at,
    Job.started_at,
    Job.finished_at,
)


def adaptations(survey_id: int) -> list[dict[str, Any]]:
    """The adaptations to one of the agency's surveys, the newest first: the job's values as `data.jobs` has
    them, its `parameters`, and `made`: the registry's line of the checkpoint, None where there is none."""
    agency_id = current_actor().agency_id
    statement = (
        select(*JOB_COLUMNS)
        .join(Survey, Survey.id == Job.survey_id)
        .where(Job.agency_id == agency_id, Job.survey_id == survey_id, Job.kind == JobKind.ADAPT_SURVEY)
        .order_by(Job.id.desc())
    )
    with reading() as session:
        jobs = [dict(row) for row in session.execute(statement).mappings()]
        made = {row["id"]: row for row in list_checkpoints(session, agency_id)} if jobs else {}
    return [{**job, "made": made.get(job["parameters"].get("made_id"))} for job in jobs]


def curve(job_id: int) -> list[dict[str, float]]:
    """stage, step and loss of a running adaptation so far; empty where its folder is not on this machine."""
    rows: list[dict[str, float]] = []
    folder = get_settings().adaptations_dir / str(job_id)
    for file in sorted(folder.glob("curve-*.json")):
        try:
            rows += json.loads(file.read_text())
        except (OSError, ValueError):  # replaced or removed at this moment
            continue
    return rows


def comparison(survey_id: int, first_id: int, second_id: int) -> dict[str, Any] | None:
    """The newest comparison of two checkpoints on a survey, in that order; None while there is none."""
    with reading() as session:
        for found in list_comparisons(session, current_actor().agency_id):
            named = (found["survey_id"], found["first_checkpoint_id"], found["second_checkpoint_id"])
            if named == (survey_id, first_id, second_id):
                return found
    return None


def analyses(survey_id: int) -> list[dict[str, Any]]:
    """The analyses of one of the agency's surveys, the newest first: checkpoint_id, settings_hash,
    checkpoint (its name), photos, at, and shown."""
    with reading() as session:
        rows = session.execute(
            select(
                AnalysisResult.checkpoint_id,
                AnalysisResult.settings_hash,
                Checkpoint.name.label("checkpoint"),
                func.count().label("photos"),
                func.max(AnalysisResult.created_at).label("at"),
                Survey.shown_checkpoint_id,
                Survey.shown_settings_hash,
            )
            .join(SurveyImage, SurveyImage.id == AnalysisResult.image_id)
            .join(Survey, Survey.id == SurveyImage.survey_id)
            .join(Checkpoint, Checkpoint.id == AnalysisResult.checkpoint_id)
            .where(Survey.id == survey_id, Survey.agency_id == current_actor().agency_id)
            .group_by(
                AnalysisResult.checkpoint_id,
                AnalysisResult.settings_hash,
                Checkpoint.name,
                Survey.shown_checkpoint_id,
                Survey.shown_settings_hash,
            )
            .order_by(func.max(AnalysisResult.id).desc())
        ).mappings()
        return [
            {
                **{key: row[key] for key in ("checkpoint_id", "settings_hash", "checkpoint", "photos", "at")},
                "shown": (row["checkpoint_id"], row["settings_hash"])
                == (row["shown_checkpoint_id"], row["shown_settings_hash"]),
            }
            for row in rows
        ]


def look_key(survey_id: int, base: Mapping[str, Any]) -> tuple[int, int, float, bool]:
    """What the look at a survey's photos depends on.

    Args:
        survey_id: the survey.
        base: the registry's line of the checkpoint to start from.

    Returns:
        Number of photos, id of the last one, working scale, and whether that is the scale of an analysis of
        the survey, or of the checkpoint (else it is a guess).
    """
    with reading() as session:
        photos, last = session.execute(
            select(func.count(), func.coalesce(func.max(SurveyImage.id), 0)).where(
                SurveyImage.survey_id == survey_id
            )
        ).one()
        with_base = queries.earlier_settings(session, survey_id, base["id"])
        with_any = session.scalar(
            select(AnalysisResult.settings)
            .join(SurveyImage, SurveyImage.id == AnalysisResult.image_id)
            .where(SurveyImage.survey_id == survey_id)
            .order_by(AnalysisResult.id.desc())
            .limit(1)
        )
    earlier = [found["working_scale"] for found in (with_base, with_any) if found is not None]
    scales = [*earlier, base["card"].get("working_scale")]
    known = [float(scale) for scale in scales if scale]
    return photos, last, known[0] if known else 1.0, bool(known)


def look_at_survey(survey_id: int, working_scale: float) -> dict[str, Any]:
    """What up to `LOOKED_AT` photos spread over a survey look like: see `engine.survey_look.SurveyLook`.

    It reads and measures photos, for seconds: call it once for each `look_key`.
    """
    from engine.adaptation_photos import SurveyPhoto, read_photos
    from engine.survey_look import look_at

    storage = get_storage()
    with reading() as session:
        queries.get_survey(session, current_actor().agency_id, survey_id)
        images = queries.survey_images(session, survey_id)

    def photo(content_hash: str, name: str) -> SurveyPhoto:
        def read() -> Any:
            try:
                return load_image(storage.read(content_hash), name)
            except FileNotFoundError as missing:
                raise InvalidImageError("missing", f"{name} is missing.", "Restore the storage.") from missing

        return SurveyPhoto(name, read)

    photos = [photo(content_hash, name) for _, content_hash, name in spread_sample(images, LOOKED_AT)]
    return look_at([ready.image for ready in read_photos(photos, working_scale, seed=0)]).as_dict()


def advice(base: Mapping[str, Any], look: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The drift report of a survey against what a checkpoint knew, and why its photos would be refused.

    Args:
        base: the registry's line of the checkpoint.
        look: of `look_at_survey`.
    """
    from engine.survey_look import SurveyLook, drift_report, refusals

    now = SurveyLook.from_dict(dict(look))
    known = base["card"].get("scores", {}).get("look")
    drift = drift_report(SurveyLook.from_dict(known) if known else None, now)
    return drift.as_dict(), refusals(now)


def free_name(wanted: str, taken: Sequence[str]) -> str:
    """A name for a new checkpoint that is not taken and has nothing in it that names cannot have."""
    cleaned = wanted.replace("/", "-").replace("\\", "-").lstrip("-. ")[:90] or "Adapted"
    names = (cleaned, *(f"{cleaned} {number}" for number in range(2, len(taken) + 3)))
    return next(name for name in names if name not in taken)


def base_of(job: Mapping[str, Any]) -> dict[str, Any] | None:
    """Id and name of the checkpoint that an adaptation started from; None where it is gone."""
    from engine.errors import CheckpointError

    with reading() as session:
        try:
            found = get_checkpoint(session, current_actor().agency_id, job["parameters"]["base_id"])
        except CheckpointError:
            return None
        return {"id": found.id, "name": found.name}
