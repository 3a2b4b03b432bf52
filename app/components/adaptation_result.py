"""What came of an adaptation: the verdict, the gate's table, before and after, and what to do next."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app import actions, adapt_data, checkpoint_actions, data
from app.checkpoint_words import reasons
from app.components.adaptation_advice import drift_table
from app.components.adaptation_gate import show_gate
from app.components.adaptation_progress import loss_chart
from app.components.checkpoint_compare import show_comparison
from app.components.job_progress import job_card
from app.components.messages import plain, show_error
from app.components.redraw import redraw_page
from app.components.text import number
from app.identity import current_actor
from engine.errors import EngineError
from engine.vocabulary import JobKind


def show_result(run: Mapping[str, Any], in_force_id: int) -> None:
    """Draw an adaptation that has ended.

    Args:
        run: one of `app.adapt_data.adaptations`.
        in_force_id: the checkpoint that new analyses use.
    """
    made = run["made"]
    if made is None:
        job_card(run, place="adapt")
        if run["parameters"].get("made_id"):
            st.caption("Its checkpoint was deleted.")
        return
    st.subheader(plain(made["name"]))
    in_force = made["id"] == in_force_id
    _verdict(made, run["parameters"]["base"], in_force)
    _figures(made["report"])
    _next_steps(run, made, in_force)
    st.markdown("**What the gate looked at**")
    show_gate(made)
    st.markdown("**Before and after**")
    _before_and_after(run, made)
    _more(made["report"], made["id"])


def _verdict(made: Mapping[str, Any], base: str, in_force: bool) -> None:
    if made["accepted"]:
        next_step = "It is in force." if in_force else "Look at the photos below, then promote it."
        st.success(
            f"**Accepted.** On photos of this survey that it had not learned from, {plain(made['name'])} "
            f"passed every check against {plain(base)}. {next_step}"
        )
        return
    said = "".join(f"\n- {plain(reason)}" for reason in reasons(made)) or "\n- It gave no reasons."
    st.error(
        f"**Refused by the gate**, so it cannot be promoted. Nothing has changed: go on with {plain(base)}. "
        f"It is kept so that you can look at it.\n{said}"
    )


def _figures(report: Mapping[str, Any]) -> None:
    shown = (
        ("Work", report.get("minutes"), 1, "min", "Time it took on the machine that did it."),
        ("Photos", report.get("images"), 0, "", "Photos of the survey that it looked at, without a label."),
        ("Training steps", report.get("steps"), 0, "", "In all stages."),
        ("Threshold", report.get("threshold"), 2, "", "Probability from which a pixel counts as crack."),
        ("Working scale", report.get("working_scale"), 2, "×", "Size at which the photos are seen."),
    )
    for place, (label, value, digits, unit, what) in zip(st.columns(len(shown)), shown, strict=True):
        place.metric(label, number(value, digits, unit), help=what)


def _next_steps(run: Mapping[str, Any], made: Mapping[str, Any], in_force: bool) -> None:
    promote, analyse, note = st.columns([1, 1.6, 2], vertical_alignment="center")
    refused = made["accepted"] is False
    try:
        if promote.button(
            "In force" if in_force else "Promote",
            type="primary",
            icon=":material/publish:",
            disabled=in_force or refused,
            width="stretch",
            help="Refused by the gate: it cannot be promoted." if refused else "New analyses will use it.",
        ):
            checkpoint_actions.promote_checkpoint(current_actor(), made["id"])
            st.rerun()
        if analyse.button(
            "Analyse the survey again with it",
            icon=":material/play_arrow:",
            disabled=refused,
            width="stretch",
            help="Results of other checkpoints stay. Choose on the survey's page which ones are shown.",
        ):
            actions.request_analysis(current_actor(), run["survey_id"], made["name"])
            st.switch_page("views/survey.py", query_params={"survey": str(run["survey_id"])})
    except EngineError as problem:
        show_error(problem)
    if refused:
        note.caption("It cannot be promoted: the gate refused it for the reasons above.")
    elif in_force:
        note.caption("New analyses use it. To take that back: Models, Roll back.")


def _before_and_after(run: Mapping[str, Any], made: Mapping[str, Any]) -> None:
    base_id = run["parameters"]["base_id"]
    found = adapt_data.comparison(run["survey_id"], base_id, made["id"])
    if found:
        show_comparison(found, base_id)
        return
    if any(_is_awaited(job) for job in data.jobs(run["survey_id"], limit=20)):
        _await_comparison(run["survey_id"])
        return
    if st.button("Compare on 12 photos", icon=":material/compare:", key="adapt-compare"):
        try:
            checkpoint_actions.request_comparison(current_actor(), run["survey_id"], base_id, made["id"])
            st.rerun()
        except EngineError as problem:
            show_error(problem)


def _is_awaited(job: Mapping[str, Any]) -> bool:
    return job["kind"] == JobKind.COMPARE_CHECKPOINTS and job["state"] in data.ACTIVE


@st.fragment(run_every="2s")
def _await_comparison(survey_id: int) -> None:
    waiting = [job for job in data.jobs(survey_id, limit=20) if _is_awaited(job)]
    for job in waiting:
        job_card(job, place="adapt-compare")
    if not waiting:
        redraw_page()


def _more(report: Mapping[str, Any], made_id: int) -> None:
    if report.get("curve"):
        with st.expander("How the loss fell"):
            loss_chart(report["curve"], key=f"curve-{made_id}")
    drift = report.get("drift") or {}
    if drift.get("measures"):
        with st.expander("How the photos differed from those that the checkpoint before it knew"):
            drift_table(drift)
