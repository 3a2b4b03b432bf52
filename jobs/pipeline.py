"""Where the engine meets the database: the work of each kind of job."""

import hashlib
import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy.orm import Session

from db import queries, rollup
from db.models import Checkpoint, Survey
from db.registry import checkpoint_file
from db.session import reading
from db.settings import get_settings
from db.storage import Storage, get_storage
from engine.confidence import Agreement, Interval, measure_interval, sample_agreement
from engine.errors import InvalidImageError
from engine.images import load_image
from engine.measurement import Crack, measure_cracks
from engine.vocabulary import DistressType, JobKind
from jobs.adapting import adapt_survey
from jobs.comparing import compare_checkpoints
from jobs.importing import import_survey
from jobs.photos import png, sample_images
from jobs.running import RunningJob
from jobs.sampling import make_sample

if TYPE_CHECKING:  # torch is loaded by the worker that computes, at its first analysis
    from engine.inference import InferenceSettings
    from engine.models.base import CrackModel

log = logging.getLogger(__name__)

# Raised when `measure_cracks` changes what it reports, so that new numbers never mix with old ones.
MEASUREMENT_VERSION = 1
# A killed worker repeats at most this much.
SAVE_EVERY_S = 2.0
SAVE_EVERY_IMAGES = 16
# Six views of each are predicted: enough to see how steady the answers are.
AGREEMENT_IMAGES = 12


@dataclass(frozen=True)
class Analysis:
    """All that the analysis of one photo needs to know."""

    checkpoint_id: int
    settings: "InferenceSettings"
    settings_hash: str
    threshold: float
    gsd_mm_per_px: float | None
    agreement: Agreement | None


def settings_hash(settings: dict[str, Any]) -> str:
    """Names a way to compute: results of the same checkpoint and hash are interchangeable."""
    named = {**settings, "measurement_version": MEASUREMENT_VERSION}
    return hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()


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
    analysis = Analysis(
        checkpoint_id=checkpoint.id,
        settings=settings,
        settings_hash=settings_hash(_how(settings, agreement)),
        threshold=card.threshold if settings.threshold is None else settings.threshold,
        gsd_mm_per_px=survey.gsd_mm_per_px,
        agreement=agreement,
    )
    with reading() as session:
        total = queries.count_images(session, survey.id)
        pending = queries.pending_images(session, survey.id, checkpoint.id, analysis.settings_hash)
    _analyse_images(job, analysis, model, storage, survey.id, pending, total)


def _how(settings: "InferenceSettings", agreement: Agreement | None) -> dict[str, Any]:
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
        how = {key: value for key, value in kept.items() if key != "agreement"}
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
    parameters = {**job.parameters, "settings": _how(settings, agreement)}
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
    cracks: list[list[dict[str, Any]]] = []
    done = total - len(pending)
    saved_at = time.monotonic()

    def write(session: Session) -> None:
        queries.add_results(session, rows, cracks)
        run = (survey_id, analysis.checkpoint_id, analysis.settings_hash)
        rollup.refresh_sections(session, *run, image_ids=[row["image_id"] for row in rows])
        queries.show_analysis(session, *run)

    for image_id, content_hash, name in pending:
        row, found = _analyse_image(job, analysis, model, storage, content_hash, name)
        rows.append({**row, "image_id": image_id})
        cracks.append(found)
        done += 1
        if len(rows) >= SAVE_EVERY_IMAGES or time.monotonic() - saved_at >= SAVE_EVERY_S:
            job.save(write, done=done, total=total, message="Finding and measuring cracks")
            rows, cracks, saved_at = [], [], time.monotonic()
    job.save(write, last=True, done=done, total=total, message=f"{done} photos analysed")


def _analyse_image(
    job: RunningJob,
    analysis: Analysis,
    model: "CrackModel",
    storage: Storage,
    content_hash: str,
    name: str,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """One photo's result row and its cracks; a photo that cannot be analysed gets its reason instead."""
    from engine.inference import predict_probability_map

    row: dict[str, Any] = {
        "checkpoint_id": analysis.checkpoint_id,
        "settings_hash": analysis.settings_hash,
        "settings": _how(analysis.settings, analysis.agreement),
        "job_id": job.claimed.id,
        "attempt": job.claimed.attempt,
        "threshold": analysis.threshold,
        "gsd_mm_per_px": analysis.gsd_mm_per_px,
        **dict.fromkeys((*RESULT_NUMBERS, *INTERVAL_NUMBERS)),
        "mask_hash": None,
        "probability_hash": None,
        "error": None,
    }
    try:
        image = load_image(storage.read(content_hash), name)
        probability = predict_probability_map(
            model, image, analysis.settings, on_tile=lambda _done, _total: job.beat()
        )
    except FileNotFoundError:
        missing = (
            f"The stored photo {name} is missing. Restore the storage from its backup, then analyse again."
        )
        return {**row, "error": missing}, []
    except InvalidImageError as problem:
        return {**row, "error": str(problem)}, []
    del image  # measuring a large photo needs the room
    mask = probability >= analysis.threshold
    job.beat()
    measured = measure_cracks(mask, probability, gsd_mm_per_px=analysis.gsd_mm_per_px)
    job.beat()
    row["mask_hash"] = storage.put(png(mask.astype(np.uint8) * 255))
    row["probability_hash"] = storage.put(png((probability * 255).round().astype(np.uint8)))
    row.update({number: getattr(measured, number) for number in RESULT_NUMBERS})
    if analysis.agreement is not None:
        row.update(asdict(measure_interval(probability, measured, analysis.threshold, analysis.agreement)))
        job.beat()
    return row, [_distress(crack) for crack in measured.cracks]


RESULT_NUMBERS = (
    "crack_pixels",
    "surveyed_pixels",
    "crack_area_ratio",
    "crack_length_px",
    "mean_width_px",
    "max_width_px",
    "orientation_deg",
    "surveyed_area_m2",
    "crack_length_m",
    "crack_density_m_per_m2",
)
INTERVAL_NUMBERS = tuple(field.name for field in fields(Interval))


def _distress(crack: Crack) -> dict[str, Any]:
    return {
        "kind": DistressType.CRACK,
        "length_px": crack.length_px,
        "mean_width_px": crack.mean_width_px,
        "max_width_px": crack.max_width_px,
        "area_px": crack.area_px,
        "orientation_deg": crack.orientation_deg,
        "length_m": crack.length_m,
        "mean_width_mm": crack.mean_width_mm,
        "max_width_mm": crack.max_width_mm,
        "polylines_px": [line.round(1).tolist() for line in crack.polylines_px],
    }


WORK_OF: dict[JobKind, Callable[[RunningJob], None]] = {
    JobKind.IMPORT_SURVEY: import_survey,
    JobKind.ANALYSE_SURVEY: analyse_survey,
    JobKind.MAKE_SAMPLE: make_sample,
    JobKind.ADAPT_SURVEY: adapt_survey,
    JobKind.COMPARE_CHECKPOINTS: compare_checkpoints,
}
