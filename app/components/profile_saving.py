"""Save the edited camera profile as a new version, and choose the one that a survey is measured by."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from app import profile_actions, profile_data
from app.components.messages import plain, show_error
from app.components.profile_draft import open_version
from app.components.profile_fields import Draft
from app.identity import current_actor
from engine.errors import EngineError
from engine.geometry import CameraProfile

SAID = "camera-said"


def save_and_use(
    draft: Draft,
    profile: CameraProfile | None,
    rows: Sequence[dict[str, Any]],
    survey_id: int,
    survey: str,
) -> None:
    """The buttons under the inputs.

    Args:
        draft: what is edited.
        profile: made of it; None while a value is wrong.
        rows: of `app.profile_data.profiles`.
        survey_id: the chosen survey.
        survey: its name, safe to show.
    """
    try:
        _save(draft, profile, rows)
        _use(draft, rows, survey_id, survey)
    except EngineError as problem:
        show_error(problem)


def _save(draft: Draft, profile: CameraProfile | None, rows: Sequence[dict[str, Any]]) -> None:
    name = st.text_input(
        "Name of the camera", draft["name"], max_chars=200, placeholder="Front camera, van 2",
        key=f"camera-{draft['serial']}-name",
    )  # fmt: skip
    version = 1 + max((row["version"] for row in rows if row["name"] == name.strip()), default=0)
    if not st.button(
        f"Save version {version}",
        type="primary",
        icon=":material/save:",
        disabled=profile is None,
        width="stretch",
    ):
        return
    if profile is None or not name.strip():
        st.warning("Give the camera a name first.")
        return
    # Its uncertainty is of the values found, not of those that a person changed.
    found = draft["calibration"]
    if found is not None and profile.as_dict() != found["profile"]:
        found = None
    saved = profile_actions.save_profile(current_actor(), name, profile.kind, profile.as_dict(), found)
    open_version(next(row for row in profile_data.profiles() if row["id"] == saved))
    st.session_state[SAID] = f"Saved: {plain(name)}, version {version}."
    st.rerun()


def _use(draft: Draft, rows: Sequence[dict[str, Any]], survey_id: int, survey: str) -> None:
    used = profile_data.profile_of(survey_id)
    opened = next((row for row in rows if row["id"] == draft["source"]), None)
    named = {row["id"]: f"{plain(row['name'])}, version {row['version']}" for row in rows}
    st.markdown(f"**{survey}** is measured by: {named[used]}" if used in named else
                f"**{survey}** has no camera profile yet.")  # fmt: skip
    if opened is not None and st.button(
        f"Use version {opened['version']} for it",
        disabled=used == opened["id"],
        icon=":material/check:",
        width="stretch",
    ):
        profile_actions.use_profile(current_actor(), survey_id, opened["id"])
        st.session_state[SAID] = f"{survey}: the next analysis measures by {named[opened['id']]}."
        st.rerun()
    if used is not None and st.button("Take the camera profile off it", width="stretch"):
        profile_actions.use_profile(current_actor(), survey_id, None)
        st.rerun()
