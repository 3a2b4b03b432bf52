"""A job as it goes: progress, time left, cancel, retry, and its error in plain words."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import streamlit as st

from app import actions, data
from app.components.messages import plain, show_error
from app.components.redraw import redraw_page
from app.components.text import ago, duration, words
from app.identity import current_actor
from engine.errors import EngineError
from engine.vocabulary import JobKind, JobState

TITLES: dict[str, str] = {
    JobKind.IMPORT_SURVEY: "Check and store photos",
    JobKind.ANALYSE_SURVEY: "Find and measure cracks",
    JobKind.MAKE_SAMPLE: "Make the sample network and surveys",
    JobKind.ADAPT_SURVEY: "Adapt a checkpoint to the survey",
    JobKind.COMPARE_CHECKPOINTS: "Compare two checkpoints",
    JobKind.CALIBRATE_CAMERA: "Calibrate the camera from the survey",
    JobKind.ROLL_UP_NETWORK: "Sum up results by new sample units",
    JobKind.MAKE_PLAN: "Plan maintenance",
    JobKind.EXPORT_SURVEY: "Make files to hand out",
}
IN_PERCENT = (JobKind.ADAPT_SURVEY, JobKind.MAKE_PLAN, JobKind.EXPORT_SURVEY)
"""Their progress counts no photos."""
BADGES = {
    JobState.QUEUED: ("gray", ":material/hourglass_empty:"),
    JobState.RUNNING: ("blue", ":material/sync:"),
    JobState.SUCCEEDED: ("green", ":material/check:"),
    JobState.FAILED: ("red", ":material/error:"),
    JobState.CANCELLED: ("orange", ":material/block:"),
}


def title(kind: str) -> str:
    return TITLES.get(kind, words(kind))


def seconds_left(job: Mapping[str, Any]) -> float | None:
    """Time to the end at the pace seen since this page first looked at this attempt; None if unknown.

    What an earlier attempt had done must not count as done by this one.
    """
    if job["state"] != JobState.RUNNING or not job["progress_total"]:
        return None
    now = data.now()
    seen = st.session_state.setdefault(f"seen-job-{job['id']}", {})
    if seen.get("attempt") != job["attempt"]:
        # The first attempt began with nothing done, when it was started.
        first = job["attempt"] == 1
        seen.update(
            attempt=job["attempt"],
            at=job["started_at"] if first else now,
            done=0 if first else job["progress_done"],
        )
    gone_s: float = (now - seen["at"]).total_seconds()
    done: int = job["progress_done"] - seen["done"]
    if done <= 0 or gone_s < 2:
        return None
    waiting: int = job["progress_total"] - job["progress_done"]
    return gone_s / done * waiting


def job_card(job: Mapping[str, Any], *, place: str) -> None:
    """One job with everything that can be done to it; `place` tells apart cards of the same job."""
    state = JobState(job["state"])
    colour, icon = BADGES[state]
    with st.container(border=True):
        head, buttons = st.columns([5, 1.4], vertical_alignment="center")
        survey = f" · {plain(job['survey'])}" if job["survey"] else ""
        head.markdown(
            f"**{title(job['kind'])}**{survey} :{colour}-badge[{icon} {state}] :gray[job {job['id']}]"
        )
        with buttons:
            _buttons(job, state, place)
        if state in data.ACTIVE:
            _progress(job, state)
        elif state == JobState.FAILED:
            _failure(job)
        else:
            finished = job["finished_at"]
            when = f" · {ago(data.now() - finished)}" if finished is not None else ""
            st.caption(f"{plain(job['progress_message'] or words(state))}{when}")


def _buttons(job: Mapping[str, Any], state: JobState, place: str) -> None:
    actor, key = current_actor(), f"{place}-{job['id']}"
    try:
        if state in data.ACTIVE:
            stopping = bool(job["cancel_requested"])
            if st.button(
                "Stopping …" if stopping else "Cancel",
                key=f"cancel-{key}",
                disabled=stopping,
                width="stretch",
            ):
                actions.cancel_job(actor, job["id"])
                redraw_page()
        elif state in (JobState.FAILED, JobState.CANCELLED) and st.button(
            "Retry", key=f"retry-{key}", width="stretch"
        ):
            actions.retry_job(actor, job["id"])
            redraw_page()
    except EngineError as problem:
        show_error(problem)


def _progress(job: Mapping[str, Any], state: JobState, lead: str = "") -> None:
    done, total = job["progress_done"], job["progress_total"]
    parts = [plain(job["progress_message"])] if job["progress_message"] else []
    if total and job["kind"] in IN_PERCENT:
        parts.append(f"{100 * done / total:.0f} %")
    elif total:
        parts.append(f"{done:,} of {total:,}")
    left_s = seconds_left(job)
    if left_s is not None:
        parts.append(f"about {duration(left_s)} left")
    if state == JobState.QUEUED:
        parts = ["Waiting for a worker"]
    elif job["silent"]:
        parts = ["Its worker fell silent; another goes on with it within a minute or two"]
    elif job["attempt"] > 1:
        parts.append(f"attempt {job['attempt']}")
    text = lead + (" · ".join(parts) or "Starting")
    st.progress(min(1.0, done / total) if total else 0.0, text=text)


def _failure(job: Mapping[str, Any]) -> None:
    st.error(
        f"{plain(job['error'] or 'The job ended without saying why.')}\n\nWhat was saved is kept. "
        f"If you ask for help, name job {job['id']}."
    )
    if job["traceback"]:
        with st.expander("Technical detail"):
            st.code(job["traceback"], language=None)


@st.fragment(run_every="2s")
def _watch(survey_id: int | None, place: str, limit: int) -> None:
    jobs = data.jobs(survey_id, limit)
    for job in jobs:
        job_card(job, place=place)
    if not any(job["state"] in data.ACTIVE for job in jobs):
        redraw_page()  # the page below shows what the job brought


def watch_jobs(survey_id: int | None, *, place: str, limit: int = 200) -> bool:
    """Draw jobs and keep them up to date while one is active; returns whether one is."""
    jobs = data.jobs(survey_id, limit)
    active = any(job["state"] in data.ACTIVE for job in jobs)
    if active:
        _watch(survey_id, place, limit)
    else:
        for job in jobs:
            job_card(job, place=place)
    return active


def is_active(survey_id: int) -> bool:
    """Whether work on the survey waits or runs."""
    return any(job["state"] in data.ACTIVE for job in data.jobs(survey_id))


@st.fragment(run_every="5s")
def _follow(survey_id: int, version: str, drawn_at: datetime) -> None:
    # Not while the page itself is being drawn: a fast job would begin it again and again.
    drawn = (data.now() - drawn_at).total_seconds() >= 1
    if drawn and data.version_of(survey_id) != version:
        redraw_page()
    # The sample's survey has its photos from a job that belongs to no survey.
    active = [
        job for job in data.jobs() if job["state"] in data.ACTIVE and job["survey_id"] in (survey_id, None)
    ]
    if active:
        job = max(active, key=lambda job: (job["survey_id"] == survey_id, job["state"] == JobState.RUNNING))
        # A running job's own message says what it does.
        says = job["state"] == JobState.RUNNING and job["progress_message"]
        _progress(job, JobState(job["state"]), lead="" if says else f"**{title(job['kind'])}** · ")


def follow_survey(survey_id: int, version: str) -> None:
    """Keep a page on a survey up to date: a line of progress, and the page anew when its data change.

    Args:
        survey_id: the survey.
        version: of the data that the page shows, see `data.version_of`.
    """
    _follow(survey_id, version, data.now())
