"""The work of a comparison: what two checkpoints find on the same photos of a survey."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from db import checkpoint_queries, queries
from db.models import Checkpoint, Survey
from db.registry import checkpoint_file
from db.session import reading
from db.settings import get_settings
from db.storage import Storage, get_storage
from engine.errors import EngineError, InvalidImageError
from engine.images import load_image
from engine.measurement import measure_cracks
from engine.scale import spread_sample
from jobs.photos import png, sample_images
from jobs.running import RunningJob

if TYPE_CHECKING:  # torch is loaded by the worker that computes
    from engine.inference import InferenceSettings
    from engine.models.base import CrackModel

COMPARED_PHOTOS = 12
"""Enough to see a difference on, few enough to wait for."""

Photo = npt.NDArray[np.uint8]
Finder = Callable[[Photo], tuple[npt.NDArray[np.bool_], float]]
"""An RGB photo (H, W, 3) to its mask (H, W) and the share of crack in it, 0 to 1."""


def compare_checkpoints(job: RunningJob) -> None:
    """Segment up to `COMPARED_PHOTOS` photos, spread along the road, with both checkpoints.

    Nothing is kept before the end, so a restart begins again; it is a minute's work.

    Raises:
        CheckpointError: a checkpoint is gone or cannot be loaded.
        EngineError: none of the photos can be read.
    """
    storage = get_storage()
    first_id, second_id = job.parameters["first_id"], job.parameters["second_id"]
    with reading() as session:
        survey = session.get_one(Survey, job.claimed.survey_id)
        images = spread_sample(queries.survey_images(session, survey.id), COMPARED_PHOTOS)
    job.beat(message="Choosing the working scale from the photos")
    finders = [_finder(job, survey, checkpoint_id, storage) for checkpoint_id in (first_id, second_id)]
    pictures: list[dict[str, Any]] = []
    for done, (image_id, content_hash, name) in enumerate(images):
        job.beat(done=done, total=len(images), message="Finding cracks with both checkpoints")
        try:
            image = load_image(storage.read(content_hash), name)
        except (InvalidImageError, FileNotFoundError):
            continue  # the analysis says what is wrong with it
        pictures.append({"image_id": image_id, **_compared(image, finders, storage)})
    if not pictures:
        raise EngineError(
            f"None of the {len(images)} photos of {survey.name!r} could be read.",
            "Restore the storage from its backup, or import the photos again.",
        )
    job.save(
        lambda session: checkpoint_queries.save_comparison(session, survey.id, first_id, second_id, pictures),
        last=True,
        done=len(images),
        total=len(images),
        message=f"{len(pictures)} photos compared",
    )


def _compared(image: Photo, finders: list[Finder], storage: Storage) -> dict[str, Any]:
    picture: dict[str, Any] = {}
    for side, find in zip(("first", "second"), finders, strict=True):
        mask, ratio = find(image)
        picture[f"{side}_mask_hash"] = storage.put(png(mask.astype(np.uint8) * 255))
        picture[f"{side}_crack_area_ratio"] = ratio
    return picture


def _finder(job: RunningJob, survey: Survey, checkpoint_id: int, storage: Storage) -> Finder:
    """A checkpoint as the survey's analysis would use it."""
    from engine.checkpoints import load_checkpoint
    from engine.inference import predict_probability_map

    with reading() as session:
        checkpoint = checkpoint_queries.get_checkpoint(session, job.claimed.agency_id, checkpoint_id)
        earlier = queries.earlier_settings(session, survey.id, checkpoint_id)
    model, card = load_checkpoint(checkpoint_file(storage, checkpoint))
    settings = _settings(job, survey, checkpoint, model, earlier, storage)
    threshold = card.threshold if settings.threshold is None else settings.threshold

    def find(image: Photo) -> tuple[npt.NDArray[np.bool_], float]:
        probability = predict_probability_map(
            model, image, settings, on_tile=lambda _done, _total: job.beat()
        )
        mask = probability >= threshold
        job.beat()
        measured = measure_cracks(mask, probability)
        job.beat()
        return mask, measured.crack_area_ratio

    return find


def _settings(
    job: RunningJob,
    survey: Survey,
    checkpoint: Checkpoint,
    model: "CrackModel",
    earlier: dict[str, Any] | None,
    storage: Storage,
) -> "InferenceSettings":
    """Those of an earlier analysis of the survey with the checkpoint, else what its first would choose."""
    from dataclasses import replace

    from engine.inference import InferenceSettings
    from engine.scale import estimate_working_scale

    device = get_settings().device
    if earlier:
        return InferenceSettings(**{**earlier, "device": device})
    card = checkpoint.card
    settings = InferenceSettings(card["threshold"], card["working_scale"], device=device)
    if settings.working_scale is not None:
        return settings
    sample = sample_images(job, survey.id, storage)
    if not sample:
        return settings
    estimate = estimate_working_scale(model, sample, settings, on_tile=lambda _done, _total: job.beat())
    return replace(settings, working_scale=estimate.scale)
