"""Adaptations that end within seconds: few photos, a tiny network, and next to no minutes."""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from sqlalchemy import select

from app import actions, checkpoint_actions
from db.models import Checkpoint, Job
from db.session import reading, transaction
from engine.sample import SAMPLE_SEED, sample_surveys
from tests.integration.checkpoints import register
from tests.integration.surveys import import_photos

PHOTOS = 12
MIDDLE = (320, 200, 640, 440)
"""Left, top, right and bottom of what is kept of a photo."""
SHORT_MINUTES = 0.002


def sample_photos(folder: Path, count: int = PHOTOS) -> Path:
    """The middles of some of the sample's photos, spread over its roads; 320 x 240 px."""
    folder.mkdir(parents=True, exist_ok=True)
    photos = sample_surveys(SAMPLE_SEED)[0].photos
    for photo in photos[:: len(photos) // count][:count]:
        with Image.open(io.BytesIO(photo.render())) as image:
            image.crop(MIDDLE).save(folder / photo.name, quality=92)
    return folder


def dark_photos(folder: Path, count: int = PHOTOS) -> Path:
    """JPEG photos with nothing to see, each different."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 4, (240, 320, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:03d}.jpg")
    return folder


def survey_to_adapt_to(tmp_path: Path) -> int:
    """A survey of `sample_photos`, and a checkpoint "tiny" in force."""
    survey_id = import_photos(sample_photos(tmp_path / "photos"))
    checkpoint_actions.promote_checkpoint(actions.local_actor(), register(tmp_path, "tiny", 1))
    return survey_id


def ask(survey_id: int, name: str = "ours", minutes: float = SHORT_MINUTES) -> int:
    """Queue an adaptation, shorter than a person may ask for; returns the job's id."""
    job_id = checkpoint_actions.request_adaptation(actions.local_actor(), survey_id, name, minutes=0.1)
    with transaction() as session:
        job = session.get_one(Job, job_id)
        job.parameters = {**job.parameters, "minutes": minutes}
    return job_id


def adapted() -> list[Checkpoint]:
    """All checkpoints that adaptations to a survey have made."""
    with reading() as session:
        return list(session.scalars(select(Checkpoint).where(Checkpoint.survey_id.is_not(None))))
