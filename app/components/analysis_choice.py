"""How a survey is to be analysed: by which camera, severity standard and checkpoint."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app import checkpoint_data, profile_actions, profile_data, survey_data
from app.components.messages import plain, show_error
from app.identity import current_actor
from engine.errors import EngineError
from engine.severity import STANDARDS, SeverityStandard, standard_from

OWN = "Own thresholds"


def profile_options(used: int | None = None) -> dict[int | None, str]:
    """Id -> name and version of each camera's newest version, and of the one in use; None first.

    Args:
        used: id of the version that the survey uses.
    """
    options: dict[int | None, str] = {None: "None"}
    seen: set[str] = set()
    for row in profile_data.profiles():
        if row["name"] not in seen or row["id"] == used:
            options[row["id"]] = f"{row['name']}, version {row['version']}"
        seen.add(row["name"])
    return options


def camera_words(survey: Mapping[str, Any]) -> str:
    """What a survey is measured by, safe to show.

    Args:
        survey: of `app.data.survey`.
    """
    used = profile_data.profile_of(int(survey["id"]))
    if used is not None:
        return f"camera {plain(profile_options(used)[used])}"
    if survey["gsd_mm_per_px"] is not None:
        return f"GSD {survey['gsd_mm_per_px']:g} mm/px"
    return "no camera, no GSD: results in pixels"


def link_to_camera(survey_id: int, place: Any) -> None:
    """A link to the page Cameras, with the survey and its profile opened."""
    used = profile_data.profile_of(survey_id)
    where = {"survey": str(survey_id)} | ({} if used is None else {"profile": str(used)})
    place.page_link("views/profiles.py", label="Cameras", icon=":material/linked_camera:", query_params=where)


def choose_camera(survey_id: int) -> None:
    """Let a person choose the survey's camera profile; it counts for the next analysis."""
    used = profile_data.profile_of(survey_id)
    options = profile_options(used)
    chosen = st.selectbox(
        "Camera profile",
        list(options),
        index=list(options).index(used),
        format_func=options.__getitem__,
        key=f"camera-of-{survey_id}-{used}",
        help="How the camera sees the road. Make one on the page Cameras. It counts for the next analysis.",
    )
    if chosen == used:
        return
    try:
        profile_actions.use_profile(current_actor(), survey_id, chosen)
    except EngineError as problem:
        show_error(problem)
        return
    st.rerun()


def choose_standard(survey_id: int, gsd_mm_per_px: float | None) -> SeverityStandard | None:
    """The standard of severity to analyse by: that of the shown analysis, unless another one is chosen.

    Args:
        survey_id: the survey.
        gsd_mm_per_px: of the survey; without it and without a camera profile no severity is told.

    Returns:
        None while the thresholds make no standard; it is said why.
    """
    shown = survey_data.shown_standard(survey_id)
    if gsd_mm_per_px is None and profile_data.profile_of(survey_id) is None:
        st.caption("Severity needs millimetres: choose a camera profile first.")
        return shown
    names = [*STANDARDS, OWN]
    chosen = st.selectbox(
        "Severity standard",
        names,
        index=names.index(shown.name if STANDARDS.get(shown.name) == shown else OWN),
        format_func=_standard_words,
        help="Mean width from which an unfilled crack counts as medium and as high.",
    )
    return STANDARDS[chosen] if chosen in STANDARDS else _own_standard(shown)


def _standard_words(name: str) -> str:
    if name not in STANDARDS:
        return name
    standard = STANDARDS[name]
    return f"{name}: low under {standard.low_below_mm:g} mm, high over {standard.high_above_mm:g} mm"


def _own_standard(shown: SeverityStandard) -> SeverityStandard | None:
    named = "own thresholds" if shown.name in STANDARDS else shown.name
    name = st.text_input("Its name", named, max_chars=100).strip() or named
    low, high = st.columns(2)
    asked = {
        "name": name,
        "low_below_mm": low.number_input(
            "Low below (mm)", min_value=0.1, max_value=1000.0, value=float(shown.low_below_mm)
        ),
        "high_above_mm": high.number_input(
            "High above (mm)", min_value=0.1, max_value=1000.0, value=float(shown.high_above_mm)
        ),
    }
    try:
        return standard_from({**shown.as_dict(), **asked})
    except EngineError as problem:
        show_error(problem)
        return None


def choose_checkpoint(survey_id: int) -> tuple[int, str]:
    """Id and name of the checkpoint to analyse with: that in force, unless another one is chosen."""
    usable = [row for row in checkpoint_data.registry() if row["accepted"] is not False]
    names = {int(row["id"]): str(row["name"]) for row in usable}
    in_force = next(iter(names))
    if len(names) == 1:
        return in_force, names[in_force]
    chosen = st.selectbox(
        "Checkpoint",
        list(names),
        format_func=lambda checkpoint: names[checkpoint] + (" (in force)" if checkpoint == in_force else ""),
        key=f"checkpoint-{survey_id}",
        help="Results of other checkpoints stay; the pages show those of the last analysis.",
    )
    return chosen, names[chosen]
