"""From settings to a plan: the job that makes it, the one it replaces, and its progress."""

from datetime import datetime
from typing import Any

import streamlit as st

from app import actions, data, plan_actions, plan_data
from app.components.job_progress import job_card
from app.components.messages import show_error
from app.components.plan_draft import Draft, asked_for, request_of
from app.components.redraw import redraw_page
from app.components.treatment_table import plain_words
from app.identity import current_actor
from app.plan_pruning import prune_unnamed
from engine.errors import EngineError
from engine.vocabulary import JobState


def ask(survey_id: int, draft: Draft) -> None:
    """Queue the plan that the draft describes, and stop what still works on an older one of this person's.

    What cannot be planned is kept in the draft as its `problem`; nothing is stopped then.
    """
    actor = current_actor()
    draft["asked"] = asked_for(draft["values"])
    try:
        job_id = plan_actions.request_plan(actor, request_of(survey_id, draft["values"]))
    except EngineError as problem:
        draft["problem"] = problem
        return
    draft |= {"problem": None, "follow": job_id}
    # The name is spent: the next plan of other settings is another one.
    draft["values"]["name"] = ""
    for job in active_jobs(survey_id):
        if job["id"] != job_id and job["requested_by"] == actor.user_id:
            actions.cancel_job(actor, job["id"])


def has_changed(draft: Draft) -> bool:
    """Whether the settings are others than those last asked for; never before a first plan was."""
    asked = draft["asked"]
    return asked is not None and bool(asked != asked_for(draft["values"]))


def active_jobs(survey_id: int) -> list[dict[str, Any]]:
    """The newest first."""
    return [job for job in plan_data.plan_jobs(survey_id) if job["state"] in data.ACTIVE]


def arrived(survey_id: int, draft: Draft) -> int | None:
    """The plan that the followed job has made; once."""
    job = _followed(survey_id, draft)
    if job is None or job["state"] != JobState.SUCCEEDED:
        return None
    draft["follow"] = None
    made_id: int | None = job["parameters"].get("made_id")
    prune_unnamed(current_actor(), survey_id, shown_id=made_id)
    return made_id


def _followed(survey_id: int, draft: Draft) -> dict[str, Any] | None:
    if draft["follow"] is None:
        return None
    return next((job for job in plan_data.plan_jobs(survey_id) if job["id"] == draft["follow"]), None)


def show_progress(survey_id: int, draft: Draft) -> bool:
    """Draw the job that works on a plan of the survey, or why there is none; returns whether one works."""
    if draft["problem"] is not None:
        problem = draft["problem"]
        show_error(type(problem)(plain_words(problem.what), plain_words(problem.remedy)))
    if active_jobs(survey_id):
        _watch(survey_id, data.now())
        return True
    job = _followed(survey_id, draft)
    if job is not None and job["state"] == JobState.FAILED:
        job_card(job, place="plan")
    elif job is not None and job["state"] == JobState.CANCELLED:
        st.info("The planning was stopped. Change a setting, or press Plan again.")
    return False


@st.fragment(run_every="1s")
def _watch(survey_id: int, drawn_at: datetime) -> None:
    active = active_jobs(survey_id)
    if active:
        # Those before it are being stopped.
        job_card(active[0], place="plan")
    elif (data.now() - drawn_at).total_seconds() >= 1:
        # Not while the page itself is being drawn: a fast job would begin it again and again.
        redraw_page()
