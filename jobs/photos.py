"""A survey's stored photos as jobs need them."""

import cv2
import numpy as np
import numpy.typing as npt

from db import queries
from db.session import reading
from db.storage import Storage
from engine.errors import EngineError, InvalidImageError
from engine.images import load_image
from engine.scale import SAMPLE_IMAGES, sample_middle, spread_sample
from jobs.running import RunningJob


def sample_images(job: RunningJob, survey_id: int, storage: Storage) -> list[npt.NDArray[np.uint8]]:
    """Middles of photos spread over a survey, RGB (H, W, 3); those that cannot be read are left out."""
    with reading() as session:
        hashes = [content_hash for _, content_hash, _ in queries.survey_images(session, survey_id)]
    images = []
    for content_hash in spread_sample(hashes, SAMPLE_IMAGES):
        job.beat()
        try:
            images.append(sample_middle(load_image(storage.read(content_hash))))
        except (InvalidImageError, FileNotFoundError):
            continue  # the analysis says what is wrong with it, when its turn comes
    return images


def png(image: npt.NDArray[np.uint8]) -> bytes:
    """A mask or an 8-bit probability map (H, W) as it is stored."""
    ok, encoded = cv2.imencode(".png", image)
    if not ok:
        raise EngineError("A mask could not be written as PNG.", "Report this as a fault of the software.")
    return encoded.tobytes()
