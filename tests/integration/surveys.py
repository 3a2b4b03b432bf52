"""Small surveys made of real pavement photos, or of drawn ones, imported through the real job."""

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from sqlalchemy import func, select

from app import actions
from db.models import AnalysisResult, Job, SurveyImage
from db.session import reading
from engine.synthesis import procedural_pavement
from jobs.pipeline import WORK_OF
from jobs.running import run_job


def draw_photos(folder: Path, count: int, width_px: int = 320, height_px: int = 240) -> Path:
    """JPEG photos of drawn pavement, each different; no GPS."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        pixels = procedural_pavement(np.random.default_rng(number), height_px, width_px)
        buffer = BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
        (folder / f"{number:03d}.jpg").write_bytes(buffer.getvalue())
    return folder


def import_photos(
    source: Path, name: str = "Survey", network: str | None = None, gsd: float | None = None
) -> int:
    """Import in this process; returns the survey's id."""
    actor = actions.local_actor()
    survey_id = actions.create_survey(actor, actions.SurveyForm(name, network=network, gsd_mm_per_px=gsd))
    job_id = actions.request_import(actor, survey_id, source)
    run_job(job_id, WORK_OF)
    job = get_job(job_id)
    if job.state != "succeeded":
        raise AssertionError(f"import {job.state}: {job.error}\n{job.traceback}")
    return survey_id


def get_job(job_id: int) -> Job:
    with reading() as session:
        return session.get_one(Job, job_id)


def results_per_image(survey_id: int) -> dict[int, int]:
    """Image id -> number of its results, 0 included."""
    with reading() as session:
        rows = session.execute(
            select(SurveyImage.id, func.count(AnalysisResult.id))
            .join(AnalysisResult, AnalysisResult.image_id == SurveyImage.id, isouter=True)
            .where(SurveyImage.survey_id == survey_id)
            .group_by(SurveyImage.id)
        )
        return {row[0]: row[1] for row in rows}
