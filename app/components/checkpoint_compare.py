"""Two checkpoints on the same photos of a survey: asked for, waited for, and shown side by side."""

from typing import Any

import pandas as pd
import streamlit as st

from app import checkpoint_actions, checkpoint_data, data
from app.components.checkpoint_slider import checkpoint_slider
from app.components.choose import query_id
from app.components.job_progress import job_card
from app.components.messages import plain, show_error
from app.components.redraw import redraw_page
from app.components.text import chainage
from app.identity import current_actor
from engine.errors import EngineError
from engine.vocabulary import JobKind, JobState


def compare_checkpoints(rows: list[dict[str, Any]]) -> None:
    """Draw the comparison of two of the registry's checkpoints.

    Args:
        rows: `app.checkpoint_data.registry`.
    """
    surveys = data.surveys()
    surveys = surveys[surveys["has_photos"]]
    if len(rows) < 2 or surveys.empty:
        st.write("A comparison needs two checkpoints and a survey with photos.")
        return
    survey_id, first, second = _choose(rows, surveys)
    active = _jobs()
    found = _comparison(survey_id, first, second)
    if first == second:
        st.caption("Choose two different checkpoints.")
        return
    label = "Compare again" if found else "Compare"
    if not active and st.button(label, type="secondary" if found else "primary", icon=":material/compare:"):
        try:
            checkpoint_actions.request_comparison(current_actor(), survey_id, first, second)
            st.rerun()
        except EngineError as problem:
            show_error(problem)
    if found:
        show_comparison(found, first)
    elif not active:
        st.caption(
            "Both checkpoints look for cracks on up to 12 photos, spread along the road. The survey's own "
            "results are not touched."
        )


def _choose(rows: list[dict[str, Any]], surveys: pd.DataFrame) -> tuple[int, int, int]:
    """Survey, first and second checkpoint; at first those of the address, else of the newest comparison."""
    ids = [int(row["id"]) for row in rows]
    names = {int(row["id"]): row["name"] for row in rows}
    survey_ids = [int(value) for value in surveys["id"]]
    survey_names = dict(zip(survey_ids, surveys["name"], strict=True))
    newest = next(iter(checkpoint_data.comparisons()), None)
    start = {
        "survey": newest["survey_id"] if newest else survey_ids[0],
        "first": newest["first_checkpoint_id"] if newest else ids[0],
        "second": newest["second_checkpoint_id"] if newest else ids[1],
    }
    start |= {key: asked for key in start if (asked := query_id(key)) is not None}

    def place(options: list[int], key: str) -> int:
        return options.index(start[key]) if start[key] in options else 0

    survey, left, right = st.columns(3)
    return (
        int(survey.selectbox("Survey", survey_ids, place(survey_ids, "survey"), survey_names.__getitem__)),
        int(left.selectbox("Left", ids, place(ids, "first"), names.__getitem__)),
        int(right.selectbox("Right", ids, place(ids, "second"), names.__getitem__)),
    )


def _comparison(survey_id: int, first: int, second: int) -> dict[str, Any] | None:
    """The newest comparison of the two on the survey, whichever of them came first."""
    for found in checkpoint_data.comparisons():
        pair = {found["first_checkpoint_id"], found["second_checkpoint_id"]}
        if found["survey_id"] == survey_id and pair == {first, second}:
            return found
    return None


def show_comparison(found: dict[str, Any], first: int) -> None:
    """A comparison's photos with the slider; `first` is the id of the checkpoint on the left."""
    swapped = found["first_checkpoint_id"] != first
    names = (found["second"], found["first"]) if swapped else (found["first"], found["second"])
    sides = ("second", "first") if swapped else ("first", "second")
    photos = checkpoint_data.compared_photos(found["pictures"])
    if not photos:
        st.caption("The compared photos are gone. Compare again.")
        return
    shares = [[photo[f"{side}_crack_area_ratio"] * 100 for photo in photos] for side in sides]
    most = max(range(len(photos)), key=lambda line: abs(shares[0][line] - shares[1][line]))
    picture, figures = st.columns([2, 1], gap="medium")
    with figures:
        chosen = st.dataframe(
            pd.DataFrame(
                {
                    "photo": [
                        photo["original_name"] if photo["road"] is None
                        else f"{photo['road']} {chainage(photo['chainage_m'])}"
                        for photo in photos
                    ],
                    "left": shares[0],
                    "right": shares[1],
                }
            ),
            hide_index=True,
            height="content",
            key=f"compared-{found['id']}",
            on_select="rerun",
            selection_mode="single-row-required",
            selection_default={"selection": {"rows": [most]}},
            column_config={
                "photo": "Photo",
                "left": st.column_config.NumberColumn("Left", format="%.2f %%"),
                "right": st.column_config.NumberColumn("Right", format="%.2f %%"),
            },
        )  # fmt: skip
        st.caption(
            f"{len(photos)} photos of {plain(found['survey'])}, compared {found['created_at']:%Y-%m-%d}. "
            "Figures are the cracked area, without an interval; the photo shown first is the one on which "
            "they differ most."
        )
    lines = chosen["selection"]["rows"]
    with picture:
        shown = photos[lines[0] if lines and lines[0] < len(photos) else most]
        checkpoint_slider(found["id"], shown, *names, swapped=swapped)


def _compare_jobs() -> list[dict[str, Any]]:
    return [job for job in data.jobs(limit=50) if job["kind"] == JobKind.COMPARE_CHECKPOINTS]


def _jobs() -> bool:
    """Draw the comparisons that wait or run, or the last one's failure; returns whether one is active."""
    jobs = _compare_jobs()
    active = any(job["state"] in data.ACTIVE for job in jobs)
    if active:
        _watch()
    elif jobs and jobs[0]["state"] == JobState.FAILED:
        job_card(jobs[0], place="compare")
    return active


@st.fragment(run_every="2s")
def _watch() -> None:
    active = [job for job in _compare_jobs() if job["state"] in data.ACTIVE]
    for job in active:
        job_card(job, place="compare")
    if not active:
        redraw_page()
