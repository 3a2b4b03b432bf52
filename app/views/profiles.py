"""Cameras: how each camera sees the road, and which survey is measured by which."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app import data, profile_data
from app.components.choose import choose_survey, query_id
from app.components.first_steps import first_steps
from app.components.messages import empty_state, plain
from app.components.profile_calibration import draw_calibration, draw_uncertainty
from app.components.profile_draft import current_draft, open_version, start_draft
from app.components.profile_editor import edit_profile, handles, on_photo
from app.components.profile_fields import Draft
from app.components.profile_picture import profile_picture
from app.components.profile_road import draw_figures, draw_gsd_chart, draw_rectified, photo_lines
from app.components.profile_saving import SAID, save_and_use
from app.components.text import words
from engine.geometry import CameraProfile
from engine.vocabulary import CameraKind


def listed(rows: list[dict[str, Any]]) -> None:
    """The profiles with their versions; a selected one is opened."""
    table = pd.DataFrame(
        {
            "camera": [row["name"] for row in rows],
            "version": [row["version"] for row in rows],
            "kind": [words(row["kind"]) for row in rows],
            "from": ["Self-calibration" if row["calibration"] else "Typed values" for row in rows],
            "surveys": [", ".join(row["surveys"]) for row in rows],
            "at": [row["created_at"] for row in rows],
        }
    )
    chosen = st.dataframe(
        table, hide_index=True, key="camera-list", on_select="rerun", selection_mode="single-row",
        column_config={
            "camera": "Camera",
            "version": st.column_config.NumberColumn("Version", format="%d"),
            "kind": "Looks",
            "from": "Values from",
            "surveys": st.column_config.TextColumn("Used by", width="large"),
            "at": st.column_config.DatetimeColumn("Saved (UTC)", format="YYYY-MM-DD HH:mm"),
        },
    )  # fmt: skip
    lines = chosen["selection"]["rows"]
    picked = rows[lines[0]] if lines and lines[0] < len(rows) else None
    if picked is not None and picked["id"] != st.session_state.get("camera-picked"):
        open_version(picked)
    st.session_state["camera-picked"] = None if picked is None else picked["id"]


def the_draft(rows: list[dict[str, Any]]) -> Draft:
    """What is being edited: the one before, that of the address, the survey's, else a new one."""
    draft = current_draft()
    asked = query_id("profile")
    if draft is None or (
        asked is not None and asked != draft["source"] and not st.session_state.get("camera-asked")
    ):
        found = next((row for row in rows if row["id"] == asked), rows[0] if rows else None)
        draft = start_draft(CameraKind.FORWARD) if found is None else open_version(found)
    st.session_state["camera-asked"] = True
    return draft


def choose_photo(survey_id: int) -> Mapping[str, Any]:
    photos = profile_data.preview_photos(survey_id)
    labels = {row["id"]: f"{place + 1} of {len(photos)} · {row['name']}" for place, row in enumerate(photos)}
    by_id = {row["id"]: row for row in photos}
    return by_id[st.selectbox("Photo to try it on", list(by_id), format_func=labels.__getitem__)]


def draw() -> None:
    st.title("Cameras")
    st.caption(
        "How a camera sees the road: with it photos are laid on the road's plane and measured in metres."
    )
    surveys = data.surveys()
    if surveys.empty:
        first_steps()
        return
    surveys = surveys[surveys["has_photos"]]
    if surveys.empty:
        empty_state(
            "No survey has photos yet", "A camera is set up on photos of a survey: upload them first."
        )
        st.page_link("views/surveys.py", label="Surveys", icon=":material/photo_camera:")
        return
    if said := st.session_state.pop(SAID, None):
        st.success(said)
    rows = profile_data.profiles()
    if rows:
        listed(rows)
    new, at_survey, at_photo = st.columns([1, 2, 2], vertical_alignment="bottom")
    if new.button("New camera", icon=":material/add:", width="stretch"):
        start_draft(CameraKind.FORWARD)
    with at_survey:
        survey_id = choose_survey(surveys)
    with at_photo:
        photo = choose_photo(survey_id)
    survey = str(surveys.set_index("id")["name"][survey_id])
    draft = the_draft(rows)
    inputs, views = st.columns([1, 1.75], gap="medium")
    with inputs:
        profile = edit_profile(draft, photo)
        save_and_use(draft, profile, rows, survey_id, plain(survey))
        draw_calibration(survey_id, survey)
    with views:
        look(draft, profile, photo)
        if draft["calibration"]:
            draw_uncertainty(draft["calibration"])


def look(draft: Draft, profile: CameraProfile | None, photo: Mapping[str, Any]) -> None:
    """The photo with the lane, the rectified picture and the GSD."""
    seen = None if profile is None else on_photo(profile, photo, draft)
    points, take = handles(draft, photo)
    size = photo["width_px"], photo["height_px"]
    profile_picture(
        f"/api/photos/{photo['id']}/original", size, key="camera-photo", alt="Survey photo",
        lines=[] if seen is None else photo_lines(seen), points=points, on_points=take,
    )  # fmt: skip
    if seen is None:
        st.info("The rectified picture and the GSD appear once the values on the left make a camera.")
        return
    draw_figures(seen)
    picture, chart = st.columns([1, 1.4], gap="medium")
    with picture:
        draw_rectified(photo["id"], seen)
    with chart:
        draw_gsd_chart(seen)


draw()
