"""The work of an analysis: a survey's photos segmented and measured, their sections rolled up."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy.orm import Session

from db import queries, rollup
from db.models import Checkpoint, Survey
from db.photo_places import photo_places
from db.registry import checkpoint_file
from db.session import reading
from db.settings import get_settings
from db.storage import Storage, get_storage
from engine.confidence import Agreement, sample_agreement
from engine.errors import CalibrationError, InvalidImageError
from engine.frame_chain import Extent
from engine.images import load_image
from engine.measurement_version import MEASUREMENT_VERSION, settings_hash
from jobs.measuring import (
    GROUND_NUMBERS,
    INTERVAL_NUMBERS,
    RESULT_NUMBERS,
    Camera,
    Measured,
    camera_of,
    chain_photos,
    frame_of,
    measure_in_pixels,
    measure_on_ground,
    photo_directions,
)
from jobs.photos import png, sample_images
from jobs.running import RunningJob

if TYPE_CHECKING:  # torch is loaded by the worker that computes, at its first analysis
    from engine.inference import InferenceSettings
    from engine.models.base import CrackModel

# A killed worker repeats at most this much.
SAVE_EVERY_S = 2.0
SAVE_EVERY_IMAGES = 16
# Six views of each are predicted: enough to see how steady the answers are.
AGREEMENT_IMAGES = 12


@dataclass(frozen=True)
class Analysis:
    """All that the analysis of one photo needs to know; `how` is what changes a result, as saved with it."""

    checkpoint_id: int
    settings: "InferenceSettings"
    how: dict[str, Any]
    settings_hash: str
    threshold: float
    agreement: Agreement | None
    camera: Camera | None
    extents: Mapping[int, Extent | None]
    directions: Mapping[int, int]


def analyse_survey(job: RunningJob) -> None:
    """Segment and measure every photo that has no result yet; a restart goes on where it stopped."""
    from engine.checkpoints import load_checkpoint

    storage = get_storage()
    with reading() as session:
        survey = session.get_one(Survey, job.claimed.survey_id)
        checkpoint = session.get_one(Checkpoint, job.parameters["checkpoint_id"])
    model, card = load_checkpoint(checkpoint_file(storage, checkpoint))
    job.beat(message="Choosing the working scale from the photos")
    settings, agreement = _settled(job, survey, model, card.threshold, card.working_scale, storage)
    with reading() as session:
        camera = camera_of(session, survey, job.parameters)
        photos = photo_places(session, survey.id)
    how = {
        **_predicted(settings, agreement),
        **(camera.settings if camera else {}),
        "measurement_version": MEASUREMENT_VERSION,
    }
    if camera is not None and card.pothole_class is not None:
        how["potholes"] = True
    analysis = Analysis(
        checkpoint_id=checkpoint.id,
        settings=settings,
        how=how,
        settings_hash=settings_hash(how),
        threshold=card.threshold if settings.threshold is None else settings.threshold,
        agreement=agreement,
        camera=camera,
        extents={} if camera is None else chain_photos(camera, photos),
        directions=photo_directions(photos),
    )
    pending = _pending(survey.id, analysis)
    _analyse_images(job, analysis, model, storage, survey.id, pending, len(photos))


def _pending(survey_id: int, analysis: Analysis) -> list[tuple[int, str, str]]:
    """Photos without a result, and those of which another part counts since photos were added between."""
    run = (survey_id, analysis.checkpoint_id, analysis.settings_hash)
    with reading() as session:
        new = {image_id for image_id, _, _ in queries.pending_images(session, *run)}
        images = queries.survey_images(session, survey_id)
        stored = queries.stored_grounds(session, *run) if analysis.extents else []
    moved = {found[0] for found in stored if _is_moved(analysis, *found)}
    return [image for image in images if image[0] in new or image[0] in moved]


def _is_moved(
    analysis: Analysis,
    image_id: int,
    width_px: int,
    height_px: int,
    ground: dict[str, Any] | None,
    direction: int | None,
) -> bool:
    if analysis.camera is None:
        return False
    try:
        frame = frame_of(analysis.camera, width_px, height_px, analysis.extents, image_id)
    except CalibrationError:
        return True
    if frame is None or ground is None:
        return (frame is None) != (ground is None)
    return ground != frame.as_dict() or direction != analysis.directions.get(image_id)


def _predicted(settings: "InferenceSettings", agreement: Agreement | None) -> dict[str, Any]:
    """The settings that change a result: the device does not. `agreement` is left out where there is none, so
    that results of before there were intervals keep their hash."""
    how = {key: value for key, value in asdict(settings).items() if key != "device"}
    return how if agreement is None else {**how, "agreement": asdict(agreement)}


def _settled(
    job: RunningJob,
    survey: Survey,
    model: "CrackModel",
    threshold: float,
    working_scale: float | None,
    storage: Storage,
) -> tuple["InferenceSettings", Agreement | None]:
    """The job's settings. What is chosen from the photos is chosen once, by the first analysis of the survey
    with this checkpoint: photos that are added later are analysed alike, with or without intervals."""
    from engine.inference import InferenceSettings
    from engine.scale import estimate_working_scale, spread_sample

    device = get_settings().device
    with reading() as session:
        earlier = queries.earlier_analysis(session, survey.id, job.parameters["checkpoint_id"])
    if kept := job.parameters.get("settings") or earlier:
        agreement = kept.get("agreement")
        how = {key: value for key, value in kept.items() if key not in queries.MEASURING}
        return InferenceSettings(**{**how, "device": device}), agreement and Agreement(**agreement)
    settings = InferenceSettings(threshold=threshold, working_scale=working_scale, device=device)
    agreement = None
    images = sample_images(job, survey.id, storage)
    if images:
        if settings.working_scale is None:
            chosen = job.parameters.get("working_scale")
            if chosen is None:
                chosen = estimate_working_scale(
                    model, images, settings, on_tile=lambda _done, _total: job.beat()
                ).scale
                # A worker that is killed while the next is learned does not choose again.
                job.save(lambda _session: None, parameters={**job.parameters, "working_scale": chosen})
            settings = replace(settings, working_scale=chosen)
        job.beat(message="Learning from the photos how sure the numbers are")
        some = spread_sample(images, AGREEMENT_IMAGES)
        agreement = sample_agreement(
            model, some, settings, threshold, on_tile=lambda _done, _total: job.beat()
        )
    parameters = {**job.parameters, "settings": _predicted(settings, agreement)}
    job.save(lambda _session: None, parameters=parameters)
    return settings, agreement


def _analyse_images(
    job: RunningJob,
    analysis: Analysis,
    model: "CrackModel",
    storage: Storage,
    survey_id: int,
    pending: list[tuple[int, str, str]],
    total: int,
) -> None:
    rows: list[dict[str, Any]] = []
    found: list[Measured] = []
    done = total - len(pending)
    saved_at = time.monotonic()

    def write(session: Session) -> None:
        distresses, quantities = [own.distresses for own in found], [own.quantities for own in found]
        queries.add_results(session, rows, distresses, quantities)
        run = (survey_id, analysis.checkpoint_id, analysis.settings_hash)
        rollup.refresh_sections(session, *run, image_ids=[row["image_id"] for row in rows])
        queries.show_analysis(session, *run)

    for image_id, content_hash, name in pending:
        row, measured = _analyse_image(job, analysis, model, storage, image_id, content_hash, name)
        rows.append({**row, **measured.values})
        found.append(measured)
        done += 1
        if len(rows) >= SAVE_EVERY_IMAGES or time.monotonic() - saved_at >= SAVE_EVERY_S:
            job.save(write, done=done, total=total, message="Finding and measuring cracks")
            rows, found, saved_at = [], [], time.monotonic()
    job.save(write, last=True, done=done, total=total, message=f"{done} photos analysed")


def _analyse_image(
    job: RunningJob,
    analysis: Analysis,
    model: "CrackModel",
    storage: Storage,
    image_id: int,
    content_hash: str,
    name: str,
) -> tuple[dict[str, Any], Measured]:
    """One photo's result row and what was measured; one that cannot be analysed gets its reason instead."""
    from engine.inference import predict_probability_map

    row: dict[str, Any] = {
        "image_id": image_id,
        "checkpoint_id": analysis.checkpoint_id,
        "settings_hash": analysis.settings_hash,
        "settings": analysis.how,
        "job_id": job.claimed.id,
        "attempt": job.claimed.attempt,
        "threshold": analysis.threshold,
        "travel_direction": analysis.directions.get(image_id),
        "camera_profile_id": analysis.camera and analysis.camera.profile_id,
        **dict.fromkeys((*RESULT_NUMBERS, *INTERVAL_NUMBERS, *GROUND_NUMBERS, "gsd_mm_per_px")),
        **dict.fromkeys(("mask_hash", "probability_hash", "error")),
    }
    camera, frame = analysis.camera, None
    try:
        image = load_image(storage.read(content_hash), name)
        if camera is not None:
            frame = frame_of(camera, image.shape[1], image.shape[0], analysis.extents, image_id)
        probability = predict_probability_map(
            model, image, analysis.settings, on_tile=lambda _done, _total: job.beat()
        )
        potholes = None
        if frame is not None and analysis.how.get("potholes"):
            potholes = predict_probability_map(
                model, image, analysis.settings, on_tile=lambda _done, _total: job.beat(), potholes=True
            )
    except FileNotFoundError:
        missing = (
            f"The stored photo {name} is missing. Restore the storage from its backup, then analyse again."
        )
        return {**row, "error": missing}, Measured({}, [], [])
    except (InvalidImageError, CalibrationError) as problem:
        return {**row, "error": str(problem)}, Measured({}, [], [])
    del image  # measuring a large photo needs the room
    job.beat()
    # What is stored is of the photo as taken: pages, audits and comparisons lay it over the photo.
    row["mask_hash"] = storage.put(png((probability >= analysis.threshold).astype(np.uint8) * 255))
    row["probability_hash"] = storage.put(png((probability * 255).round().astype(np.uint8)))
    job.beat()
    how = (probability, analysis.threshold, analysis.agreement)
    measured = measure_in_pixels(*how) if camera is None else measure_on_ground(*how, camera, frame, potholes)
    job.beat()
    return row, measured
