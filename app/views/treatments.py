"""Treatments: what can be done to a road, what it costs, when it suits and what it brings."""

from typing import Any

import streamlit as st

from app import plan_data
from app.components.messages import plain
from app.components.treatment_editor import (
    DONE,
    count_of,
    edit_set,
    has_unsaved,
    read_only,
    with_edited,
)
from app.components.treatment_files import copy_set, delete_set, export_set, import_set


def choose_set(sets: list[dict[str, Any]]) -> dict[str, Any]:
    """A selector; locked while there are changes, which another set would take away."""
    keys = ["ready" if one["ready"] else "own" for one in sets]
    options = [f"{kind}:{one['name']}" for kind, one in zip(keys, sets, strict=True)]
    labels = {
        option: f"{one['name']} ({'ready set' if one['ready'] else count_of(one['treatments'])})"
        for option, one in zip(options, sets, strict=True)
    }
    if "treatments-open" in st.session_state:
        st.session_state["treatment-set"] = f"own:{st.session_state.pop('treatments-open')}"
    if st.session_state.get("treatment-set") not in options:
        # Own costs are what people come back for; the others are there to begin with.
        st.session_state["treatment-set"] = next((o for o in options if o.startswith("own:")), options[0])
    locked = has_unsaved()
    chosen = st.selectbox(
        "Set of treatments",
        options,
        key="treatment-set",
        format_func=labels.__getitem__,
        disabled=locked,
        help="Save or discard your changes first." if locked else None,
    )
    return sets[options.index(chosen)]


def draw() -> None:
    st.title("Treatments")
    st.write(
        "A plan chooses among the treatments of one set: what they cost, on which roads and in which "
        "condition they are used, and what they bring."
    )
    if done := st.session_state.pop(DONE, ""):
        st.success(plain(done))
    sets = with_edited(plan_data.treatment_sets())
    picker, copy, download, delete = st.columns([2.4, 1.2, 1, 1], vertical_alignment="bottom")
    with picker:
        chosen = choose_set(sets)
    unsaved = has_unsaved()
    if chosen["ready"]:
        st.info(
            "A ready set cannot be changed. Copy it under a new name to enter your own costs and rules; what "
            "is only assumed is said under the table.",
            icon=":material/lock:",
        )
        read_only(chosen["treatments"])
        treatments = chosen["treatments"]
    else:
        treatments = edit_set(chosen)
    with copy:
        copy_set(chosen, treatments, unsaved=unsaved)
    with download:
        export_set(chosen)
    if not chosen["ready"]:
        with delete:
            delete_set(chosen)
    with st.expander("Import a set from CSV", icon=":material/upload_file:"):
        import_set(sets, unsaved=unsaved)


draw()
