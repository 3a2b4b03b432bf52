"""The work of a self-calibration: a survey's photos give a camera profile, which waits to be used."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from sqlalchemy.orm import Session

from db import profiles, queries
from db.models import Job, Survey
from db.photo_places import PhotoPlace, photo_places
from db.session import reading
from db.storage import Storage, get_storage
from engine.errors import InvalidImageError
from engine.focal_length import focal_from_exif
from engine.images import load_image
from engine.scale import spread_sample
from engine.self_calibration import SelfCalibration, self_calibrate
from jobs.running import RunningJob

RUNS, RUN_PHOTOS = 40, 3
"""Photos in a row show how the road flows, runs far apart how the road is elsewhere."""
LARGEST_BYTES = 1_000_000_000
BEAT_S = 0.5


def calibrate_camera(job: RunningJob) -> None:
    """Calibrate the survey's forward camera and save what was found as a new version of the profile.

    Nothing is kept before the end, so a restart begins again; it is a minute's work.

    Raises:
        CalibrationError: the photos do not tell the camera; nothing was saved.
    """
    storage, asked = get_storage(), job.parameters
    with reading() as session:
        survey = session.get_one(Survey, job.claimed.survey_id)
        places = photo_places(session, survey.id)
        hashes = {image_id: found for image_id, found, _ in queries.survey_images(session, survey.id)}
        sizes = queries.image_sizes(session, survey.id)
    frames, kept, exif_px = _frames(job, storage, places, hashes, sizes[0])
    job.beat(message="Finding lane markings, and how the road flows from photo to photo")
    found = _beating(
        job, frames, chainages_m=[places[index].along_m for index in kept],
        runs=run_numbers(kept, [places[index].stretch for index in kept]),
        lane_width_m=asked["lane_width_m"], focal_px=asked["focal_px"] or exif_px,
    )  # fmt: skip
    report = found.as_dict()
    if exif_px and not asked["focal_px"]:
        report["notes"] = ["The focal length is that of the photos' EXIF.", *report["notes"]]

    def write(session: Session) -> None:
        row = session.get_one(Job, job.claimed.id)
        made = profiles.add_profile(
            session, agency_id=job.claimed.agency_id, name=asked["name"], kind=found.profile.kind,
            parameters=found.profile.as_dict(), calibration=report, created_by=row.requested_by,
        )  # fmt: skip
        row.parameters = {**asked, "made_id": made.id}

    message = f"{asked['name']} is calibrated from {found.frames_used} photos; no survey uses it yet"
    job.save(write, last=True, done=len(frames), total=len(frames), message=message)


def run_numbers(places: Sequence[int], stretches: Sequence[int | None]) -> list[int]:
    """Which of the chosen photos follow each other: those of one number.

    Args:
        places: of the photos in the order in which the survey took them, rising.
        stretches: of road that they lie on.
    """
    numbers: list[int] = []
    for index, (place, stretch) in enumerate(zip(places, stretches, strict=True)):
        follows = index > 0 and place == places[index - 1] + 1 and stretch == stretches[index - 1]
        numbers.append(numbers[-1] + (not follows) if numbers else 0)
    return numbers


def _frames(
    job: RunningJob,
    storage: Storage,
    places: Sequence[PhotoPlace],
    hashes: dict[int, str],
    size: tuple[int, int],
) -> tuple[list[npt.NDArray[np.uint8]], list[int], float | None]:
    """Runs of photos spread over the survey, which of `places` they are, and the focal length in pixels that
    they name.

    Photos that cannot be read, or have another size than most of the survey's, are left out.
    """
    runs = max(3, min(RUNS, LARGEST_BYTES // (3 * size[0] * size[1] * RUN_PHOTOS)))
    starts = spread_sample(range(max(1, len(places) - RUN_PHOTOS + 1)), runs)
    chosen = sorted(
        {start + step for start in starts for step in range(RUN_PHOTOS)} & set(range(len(places)))
    )
    frames: list[npt.NDArray[np.uint8]] = []
    kept: list[int] = []
    focal_px: float | None = None
    for done, index in enumerate(chosen):
        job.beat(done=done, total=len(chosen), message="Reading photos spread over the survey")
        try:
            content = storage.read(hashes[places[index].id])
            image = load_image(content)
        except (InvalidImageError, FileNotFoundError):
            continue  # the analysis says what is wrong with it
        if image.shape[:2] != (size[1], size[0]):
            continue
        frames.append(image)
        kept.append(index)
        if focal_px is None:
            focal_px = _exif_focal_px(content)
    return frames, kept, focal_px


def _exif_focal_px(content: bytes) -> float | None:
    with Image.open(BytesIO(content)) as image:
        return focal_from_exif(image)


def _beating(job: RunningJob, frames: list[npt.NDArray[np.uint8]], **how: Any) -> SelfCalibration:
    """`self_calibrate` beside the heartbeat, which its long steps would starve."""
    pool = ThreadPoolExecutor(1)
    try:
        work: Future[SelfCalibration] = pool.submit(self_calibrate, frames, **how)
        while not wait_for([work], BEAT_S).done:
            job.beat()
        return work.result()
    finally:
        # A cancelled job does not wait for the end of what nobody wants.
        pool.shutdown(wait=False, cancel_futures=True)
