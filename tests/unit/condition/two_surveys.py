"""Two analysed surveys of a few of the sample's sections, from their true cracks: no network runs."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sqlalchemy import insert, select

from app import identity
from db import queries, rollup
from db.models import Checkpoint, Network, Section, Survey, SurveyImage
from db.session import transaction
from db.storage import get_storage
from engine.confidence import Agreement
from engine.sample import SAMPLE_SEED, SamplePhoto, make_sample_network, sample_surveys
from engine.severity import D6433
from jobs.measuring import Camera, frame_of, measure_on_ground

AGREEMENT = Agreement(band=0.5, area_floor=0.1, length_floor=0.05, covered=0.9, photos=12)
CAMERA = Camera(None, None, {"gsd_mm_per_px": 2.0}, D6433)


@dataclass
class TwoSurveys:
    """Ids of what was made."""

    network: int
    first: int
    second: int
    checkpoint: int
    other_checkpoint: int


def how(**more: Any) -> dict[str, Any]:
    """Settings as an analysis saves them."""
    return {"threshold": 0.5, "working_scale": 1.0, "tile_px": 512, **CAMERA.settings, **more}


def settings_hash(settings: dict[str, Any], measurement_version: int = 2) -> str:
    named = {**settings, "measurement_version": measurement_version}
    return hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()


def make(sections: int = 4) -> TwoSurveys:
    """Fill the migrated database that the settings name: both surveys by one checkpoint with intervals."""
    agency_id = identity.current_actor().agency_id
    with transaction() as session:
        network = Network(agency_id=agency_id, name="Sample")
        checkpoints = [
            Checkpoint(name=name, content_hash=letter * 64, model="m", origin="shipped", card={})
            for name, letter in (("base", "a"), ("adapted", "b"))
        ]
        session.add_all([network, *checkpoints])
        session.flush()
        records = make_sample_network(SAMPLE_SEED)[:sections]
        queries.add_sections(session, network.id, records)
        keys = {record.section_key for record in records}
        ids = []
        for sample in sample_surveys(SAMPLE_SEED):
            survey = Survey(
                agency_id=agency_id, network_id=network.id, name=sample.name,
                surveyed_on=sample.surveyed_on, gsd_mm_per_px=2.0,
            )  # fmt: skip
            session.add(survey)
            session.flush()
            _add_photos(session, survey.id, [p for p in sample.photos if p.truth.section_key in keys])
            ids.append(survey.id)
        made = TwoSurveys(network.id, ids[0], ids[1], checkpoints[0].id, checkpoints[1].id)
    photos = [[p for p in s.photos if p.truth.section_key in keys] for s in sample_surveys(SAMPLE_SEED)]
    for survey_id, own in zip(ids, photos, strict=True):
        analyse(survey_id, own, made.checkpoint, how(agreement=asdict(AGREEMENT)))
    return made


def _add_photos(session: Any, survey_id: int, photos: list[SamplePhoto]) -> None:
    sections = {row.section_key: row for row in session.scalars(select(Section))}
    rows = []
    for number, photo in enumerate(photos):
        content = photo.render()
        section = sections[photo.truth.section_key]
        rows.append({
            "survey_id": survey_id, "content_hash": get_storage().put(content), "original_name": photo.name,
            "size_bytes": len(content), "width_px": 960, "height_px": 640, "position_source": "exif",
            "latitude": photo.latitude, "longitude": photo.longitude, "heading_deg": photo.heading_deg,
            "captured_at": None, "section_id": section.id,
            "chainage_m": section.from_m + 80.0 + 170.0 * (number % 3) + 0.6 * (survey_id % 2),
            "flags": [], "notes": [],
        })  # fmt: skip
    session.execute(insert(SurveyImage), rows)


def analyse(
    survey_id: int, photos: list[SamplePhoto], checkpoint_id: int, settings: dict[str, Any], version: int = 2
) -> str:
    """Measure the true cracks of a survey's photos and show them as its analysis; returns the hash."""
    run_hash = settings_hash(settings, version)
    agreement = AGREEMENT if "agreement" in settings else None
    rows, distresses, quantities = [], [], []
    with transaction() as session:
        images = session.scalars(
            select(SurveyImage).where(SurveyImage.survey_id == survey_id).order_by(SurveyImage.id)
        ).all()
        for image, photo in zip(images, photos, strict=True):
            probability = photo.truth_mask().astype(np.float32) * np.float32(0.95)
            frame = frame_of(CAMERA, 960, 640, {}, image.id)
            measured = measure_on_ground(probability, 0.5, agreement, CAMERA, frame)
            rows.append({
                "image_id": image.id, "checkpoint_id": checkpoint_id, "settings_hash": run_hash,
                "settings": settings, "attempt": 1, "threshold": 0.5, **measured.values,
            })  # fmt: skip
            distresses.append(measured.distresses)
            quantities.append(measured.quantities)
        queries.add_results(session, rows, distresses, quantities)
        queries.show_analysis(session, survey_id, checkpoint_id, run_hash)
        rollup.refresh_sections(session, survey_id, checkpoint_id, run_hash)
    return run_hash
