"""Files that are being made, or that could not be made."""

from datetime import timedelta
from typing import Any

import streamlit as st
from sqlalchemy import select

from app import data
from app.adapt_data import JOB_COLUMNS
from app.components.job_progress import job_card
from app.components.redraw import redraw_page
from app.components.report_formats import KINDS
from app.identity import current_actor
from db.models import Job, Survey
from db.session import reading
from engine.vocabulary import JobKind, JobState

# A failure of long ago is on the page Jobs.
TOLD_FOR = timedelta(hours=1)
LAST_JOBS = 30


def export_jobs(survey_id: int) -> list[dict[str, Any]]:
    """Of each format the survey's newest job, if it waits, runs, or failed lately."""
    statement = (
        select(*JOB_COLUMNS)
        .join(Survey, Survey.id == Job.survey_id)
        .where(
            Job.agency_id == current_actor().agency_id,
            Job.survey_id == survey_id,
            Job.kind == JobKind.EXPORT_SURVEY,
        )
        .order_by(Job.id.desc())
        .limit(LAST_JOBS)
    )
    with reading() as session:
        rows = [dict(row) for row in session.execute(statement).mappings()]
    newest: dict[str, dict[str, Any]] = {}
    for row in rows:
        newest.setdefault(format_of(row), row)
    return [row for row in newest.values() if _is_told(row)]


def _is_told(job: dict[str, Any]) -> bool:
    if job["state"] in data.ACTIVE:
        return True
    ended = job["finished_at"]
    return job["state"] != JobState.SUCCEEDED and ended is not None and data.now() - ended < TOLD_FOR


def format_of(job: dict[str, Any]) -> str:
    return str(job["parameters"].get("format", ""))


def making(jobs: list[dict[str, Any]]) -> set[str]:
    """Formats that are being made."""
    return {format_of(job) for job in jobs if job["state"] in data.ACTIVE}


def watch_exports(survey_id: int, jobs: list[dict[str, Any]]) -> None:
    """Draw the jobs of `export_jobs`, and keep them up to date while one is active."""
    if making(jobs):
        _watch(survey_id)
    else:
        _draw(jobs)


@st.fragment(run_every="2s")
def _watch(survey_id: int) -> None:
    jobs = export_jobs(survey_id)
    _draw(jobs)
    if not making(jobs):
        redraw_page()  # the list of files has one more


def _draw(jobs: list[dict[str, Any]]) -> None:
    for job in jobs:
        known = [kind.title for name, kind in KINDS.items() if name == format_of(job)]
        st.markdown(f"**{known[0] if known else 'File'}**")
        job_card(job, place="reports")
