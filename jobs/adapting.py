"""The work of an adaptation: a survey's photos and a checkpoint give a checkpoint, its report, and a
comparison of the two."""

import shutil
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from db import checkpoint_queries, queries
from db import jobs as job_rows
from db.models import Checkpoint, Job, Survey
from db.registry import checkpoint_file, register_checkpoint
from db.session import reading
from db.settings import get_settings
from db.storage import Storage, get_storage
from engine.errors import EngineError, InvalidImageError
from engine.images import load_image
from engine.vocabulary import JobKind
from jobs import queue
from jobs.running import RunningJob

if TYPE_CHECKING:  # torch is loaded by the worker that computes
    from engine.adaptation import Adaptation, Progress
    from engine.adaptation_photos import SurveyPhoto
    from engine.pavement import RgbImage

PARTS = 1000
"""A job counts its progress in whole numbers."""
KEPT_FOR = timedelta(days=7)
"""A failed or cancelled adaptation may be retried that long without losing its state."""


def adapt_survey(job: RunningJob) -> None:
    """Adapt, register the checkpoint with its report, and queue its comparison with the base.

    A restart goes on where the state was last saved. What the gate refuses is kept, to be looked at, and
    cannot be promoted.

    Raises:
        EngineError: the photos cannot be adapted to, or training diverged; nothing is registered.
    """
    from engine.adaptation import AdaptationSettings, adapt

    storage, told = get_storage(), job.parameters
    with reading() as session:
        survey = session.get_one(Survey, job.claimed.survey_id)
        base = checkpoint_queries.get_checkpoint(session, job.claimed.agency_id, told["base_id"])
        images = queries.survey_images(session, survey.id)
    folder = get_settings().adaptations_dir / str(job.claimed.id)

    def on_progress(progress: "Progress") -> None:
        job.beat(done=round(PARTS * progress.share), total=PARTS, message=progress.stage)

    adaptation = adapt(
        [_photo(storage, content_hash, name) for _, content_hash, name in images],
        checkpoint_file(storage, base),
        AdaptationSettings(
            minutes=told["minutes"], seed=told["seed"], model=told["model"], device=get_settings().device
        ),
        name=told["name"],
        folder=folder,
        on_progress=on_progress,
    )
    if adaptation.model is None or adaptation.card is None:
        raise EngineError(
            f"{survey.name} cannot be adapted to: {' '.join(adaptation.report['reasons'])}",
            "Go on with the present checkpoint, or adapt to other photos.",
        )
    _register(job, survey, base, adaptation, storage)
    shutil.rmtree(folder, ignore_errors=True)


def _photo(storage: Storage, content_hash: str, name: str) -> "SurveyPhoto":
    from engine.adaptation_photos import SurveyPhoto

    def read() -> "RgbImage":
        try:
            return load_image(storage.read(content_hash), name)
        except FileNotFoundError as missing:
            raise InvalidImageError("missing", f"{name} is missing.", "Restore the storage.") from missing

    return SurveyPhoto(name, read)


def _register(
    job: RunningJob, survey: Survey, base: Checkpoint, adaptation: "Adaptation", storage: Storage
) -> None:
    from engine.checkpoints import save_checkpoint

    assert adaptation.model is not None and adaptation.card is not None  # noqa: S101 - for mypy
    accepted = bool(adaptation.report["accepted"])
    comparisons: list[int] = []
    with tempfile.TemporaryDirectory(prefix="pavescope-") as place:
        file = Path(place) / "adapted.safetensors"
        save_checkpoint(file, adaptation.model, adaptation.card)

        def write(session: Session) -> None:
            made = register_checkpoint(
                session, storage, file, agency_id=job.claimed.agency_id,
                created_by=session.get_one(Job, job.claimed.id).requested_by, parent_id=base.id,
                survey_id=survey.id, accepted=accepted, report=adaptation.report, name=job.parameters["name"],
            )  # fmt: skip
            comparison, _ = job_rows.create_job(
                session, agency_id=job.claimed.agency_id, kind=JobKind.COMPARE_CHECKPOINTS,
                parameters={"first_id": base.id, "second_id": made.id},
                unique_key=f"compare:{survey.id}:{base.id}:{made.id}", survey_id=survey.id,
            )  # fmt: skip
            comparisons.append(comparison.id)

        said = "accepted by the gate" if accepted else "refused by the gate"
        message = f"{job.parameters['name']} is made, {said}"
        job.save(write, last=True, done=PARTS, total=PARTS, message=message)
    for comparison_id in comparisons:
        queue.send(comparison_id, JobKind.COMPARE_CHECKPOINTS)
