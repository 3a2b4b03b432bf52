"""The work of an adaptation: a survey's photos and a checkpoint give a checkpoint, its report, and a
comparison of the two."""

import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import timedelta
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sqlalchemy.orm import Session

from db import checkpoint_queries, profiles, queries
from db import jobs as job_rows
from db.models import Checkpoint, Job, Survey
from db.registry import checkpoint_file, free_name, register_checkpoint, require_accepted
from db.session import reading
from db.settings import get_settings
from db.storage import Storage, get_storage
from engine.errors import CalibrationError, EngineError, InvalidImageError, SettingsError
from engine.geometry import CameraProfile, fit_to_picture, lane_mask, profile_from_dict
from engine.images import load_image
from engine.vocabulary import JobKind
from jobs import queue
from jobs.running import RunningJob

if TYPE_CHECKING:  # torch is loaded by the worker that computes
    from engine.adaptation import Adaptation
    from engine.adaptation_photos import SurveyPhoto
    from engine.adaptation_state import Progress
    from engine.pavement import RgbImage

PARTS = 1000
"""A job counts its progress in whole numbers."""
KEPT_FOR = timedelta(days=7)
"""A failed or cancelled adaptation may be retried that long without losing its state."""
LOOK_AT_STATE_EVERY_S = 10.0
STATE_FILES = (".pt", ".safetensors", ".png")
STAMP = "stamp"


def adapt_survey(job: RunningJob) -> None:
    """Adapt, register the checkpoint with its report, and queue its comparison with the base.

    A restart goes on where the state was last saved. What the gate refuses is kept, to be looked at, and
    cannot be promoted.

    Raises:
        EngineError: the photos cannot be adapted to, or training diverged; nothing is registered.
        SettingsError: the gate refused the base.
    """
    from engine.adaptation import AdaptationSettings, adapt

    storage, told = get_storage(), job.parameters
    with reading() as session:
        survey = session.get_one(Survey, job.claimed.survey_id)
        base = checkpoint_queries.get_checkpoint(session, job.claimed.agency_id, told["base_id"])
        images = queries.survey_images(session, survey.id)
        sizes = queries.photo_sizes(session, survey.id)
        lane = _lane(session, survey)
    require_accepted(base, "adapted further")
    settings = AdaptationSettings(
        minutes=told["minutes"], seed=told["seed"], model=told["model"], device=get_settings().device
    )
    stamped = [repr(settings), *(content_hash for _, content_hash, _ in images)]
    folder = _state_folder(job.claimed.id, [*stamped, repr(lane)] if lane else stamped)
    adaptation = adapt(
        [
            _photo(storage, content_hash, name, lane, sizes[image_id])
            for image_id, content_hash, name in images
        ],
        checkpoint_file(storage, base),
        settings,
        name=told["name"],
        folder=folder,
        on_progress=_follow(job, folder),
    )
    if adaptation.model is None or adaptation.card is None:
        shutil.rmtree(folder, ignore_errors=True)
        job.save(partial(_keep_refusal, job, adaptation.report))
        raise EngineError(
            f"{survey.name} cannot be adapted to: {' '.join(adaptation.report['reasons'])}",
            "Go on with the present checkpoint, or adapt to other photos.",
        )
    _register(job, survey, base, adaptation, storage)
    shutil.rmtree(folder, ignore_errors=True)


def _keep_refusal(job: RunningJob, report: dict[str, Any], session: Session) -> None:
    """For those who read the job; the error has the reasons in one text."""
    row = session.get_one(Job, job.claimed.id)
    refused = {key: report[key] for key in ("accepted", "reasons", "images")}
    row.parameters = {**job.parameters, "refused": {**refused, "attempt": job.claimed.attempt}}


def abandoned_states(active: Collection[int]) -> list[Path]:
    """Folders of adaptations that nobody went on with for `KEPT_FOR`, nor any of the active jobs will."""
    folder = get_settings().adaptations_dir
    oldest = time.time() - KEPT_FOR.total_seconds()
    kept = {str(job_id) for job_id in active}
    states = [path for path in folder.iterdir() if path.name not in kept] if folder.is_dir() else []
    return [path for path in states if _written_at(path) < oldest]


def _written_at(folder: Path, suffixes: tuple[str, ...] = ()) -> float:
    """When the newest of a folder's files was written, or the folder itself, in seconds since 1970."""
    times = [] if suffixes else [folder.stat().st_mtime]
    for path in folder.rglob("*"):
        if not suffixes or path.suffix in suffixes:
            with suppress(FileNotFoundError):  # renamed at this moment
                times.append(path.stat().st_mtime)
    return max(times, default=0.0)


def _state_folder(job_id: int, stamped: list[str]) -> Path:
    """The job's folder; emptied where the photos, the settings or the lane changed since it was stopped."""
    folder = get_settings().adaptations_dir / str(job_id)
    stamp = hashlib.sha256("\0".join(stamped).encode()).hexdigest()
    if folder.exists() and not ((folder / STAMP).is_file() and (folder / STAMP).read_text() == stamp):
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / STAMP).write_text(stamp)
    return folder


def _follow(job: RunningJob, folder: Path) -> Callable[["Progress"], None]:
    """Tells the job how far the work is; where more state was saved, attempts before count no more."""
    saved_at, looked_at = _written_at(folder, STATE_FILES), time.monotonic()

    def on_progress(progress: "Progress") -> None:
        nonlocal saved_at, looked_at
        done, message = round(PARTS * progress.share), progress.stage
        if time.monotonic() - looked_at >= LOOK_AT_STATE_EVERY_S:
            looked_at, before = time.monotonic(), saved_at
            saved_at = _written_at(folder, STATE_FILES)
            if saved_at > before:
                job.save(lambda _session: None, done=done, total=PARTS, message=message)
                return
        job.beat(done=done, total=PARTS, message=message)

    return on_progress


def _lane(session: Session, survey: Survey) -> CameraProfile | None:
    """The camera whose lane is the region that counts; without one it is the whole photo."""
    if survey.camera_profile_id is None:
        return None
    stored = profiles.get_profile(session, survey.agency_id, survey.camera_profile_id)
    return profile_from_dict(stored.kind, stored.parameters)


@lru_cache(maxsize=4)
def _region(lane: CameraProfile, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    return lane_mask(fit_to_picture(lane, *size))


def _photo(
    storage: Storage, content_hash: str, name: str, lane: CameraProfile | None, size: tuple[int, int]
) -> "SurveyPhoto":
    from engine.adaptation_photos import SurveyPhoto

    def read() -> "RgbImage":
        try:
            if lane is not None:
                fit_to_picture(lane, *size)
            return load_image(storage.read(content_hash), name)
        except CalibrationError as other:
            raise InvalidImageError("other_camera", f"{name}: {other.what}", other.remedy) from other
        except FileNotFoundError as missing:
            raise InvalidImageError("missing", f"{name} is missing.", "Restore the storage.") from missing

    return SurveyPhoto(name, read, None if lane is None else partial(_region, lane, size))


def _name(session: Session, wanted: str) -> str:
    """The name that was asked for; with a number where somebody took it in the meantime."""
    for name in (wanted, *(f"{wanted} {number}" for number in range(2, 100))):
        with suppress(SettingsError):
            return free_name(session, name)
    return wanted


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
            row = session.get_one(Job, job.claimed.id)
            made = register_checkpoint(
                session, storage, file, agency_id=job.claimed.agency_id, created_by=row.requested_by,
                parent_id=base.id, survey_id=survey.id, accepted=accepted, report=adaptation.report,
                name=_name(session, job.parameters["name"]),
            )  # fmt: skip
            row.parameters = {**job.parameters, "made_id": made.id}
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
