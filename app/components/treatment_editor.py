"""One set of treatments: a ready one to read, an own one to edit and save."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app import data, network_data, plan_actions
from app.components.messages import plain, show_error
from app.components.treatment_table import (
    column_config,
    options_of,
    read_table,
    table_of,
    without_cost,
)
from app.identity import current_actor
from engine.errors import EngineError
from engine.treatments import Treatment

DONE = "treatments-done"
_SHOWN = "treatments-shown"
_PARTS = ("edited_rows", "added_rows", "deleted_rows")


def _editor_key(set_id: int | str) -> str:
    return f"treatments-edit-{st.session_state.setdefault('treatments-turn', 0)}-{set_id}"


def has_unsaved() -> bool:
    """Whether a table of treatments holds changes that are not saved."""
    # The table of before the last save is still there for one run.
    current = _editor_key("")
    states = [st.session_state[key] for key in st.session_state if str(key).startswith(current)]
    return any(state.get(part) for state in states for part in _PARTS)


def with_edited(sets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The sets, and the one with unsaved changes also where somebody else has deleted it (version None)."""
    edited = st.session_state.get(_SHOWN)
    if not has_unsaved() or edited is None or any(one["id"] == edited["id"] for one in sets):
        return sets
    return [*sets, {**edited, "version": None}]


def read_only(treatments: Sequence[Treatment]) -> None:
    """A ready set with its sources."""
    st.dataframe(
        table_of(treatments),
        hide_index=True,
        key="treatments-ready",
        placeholder="–",
        column_config=_config(treatments),
    )
    _say_missing_costs(treatments)
    sources: dict[str, list[str]] = {}
    for treatment in treatments:
        sources.setdefault(treatment.source, []).append(treatment.name)
    lines = [f"- {plain(', '.join(names))}: {plain(source)}." for source, names in sources.items()]
    st.caption("Where the numbers come from\n" + "\n".join(lines))


def edit_set(chosen: dict[str, Any]) -> tuple[Treatment, ...] | None:
    """An own set as a table to edit, with what keeps it from being saved, and the buttons.

    Args:
        chosen: of `app.plan_data.treatment_sets`.

    Returns:
        The treatments as edited; None while a row is none.
    """
    key = _editor_key(chosen["id"])
    # What the person sees stays until it is saved or discarded, whatever others save meanwhile.
    if not has_unsaved():
        st.session_state[_SHOWN] = chosen
    shown = st.session_state[_SHOWN]
    st.caption(
        "Click twice into a cell to change it. The last line adds a treatment; ticks at the left delete "
        "lines.  \nHold the pointer over a column's name to read what it means."
    )
    table = st.data_editor(
        table_of(shown["treatments"]),
        key=key,
        hide_index=True,
        num_rows="dynamic",
        placeholder="–",
        column_config=_config(shown["treatments"]),
    )
    treatments, problems = read_table(pd.DataFrame(table))
    if problems:
        st.warning(
            "This cannot be saved yet; nothing that you typed is lost.\n\n"
            + "\n".join(f"- {plain(problem)}" for problem in problems)
        )
    else:
        _say_missing_costs(treatments)
    _save_or_discard(shown, chosen["version"], treatments)
    return treatments or None


def _config(treatments: Sequence[Treatment]) -> dict[str, Any]:
    known = {
        column: sorted(
            {word for id in data.networks()["id"] for word in network_data.words_in_use(int(id), column)}
        )
        for column in ("functional_class", "surface")
    }
    return column_config(
        options_of(treatments, "functional_classes", known["functional_class"]),
        options_of(treatments, "surfaces", known["surface"]),
    )


def _say_missing_costs(treatments: Sequence[Treatment]) -> None:
    names = without_cost(treatments)
    if names:
        st.info(
            f"Without a unit cost: {plain(', '.join(names))}. No plan can be made with this set until each "
            "has one."
        )


def _save_or_discard(shown: dict[str, Any], version: int | None, treatments: tuple[Treatment, ...]) -> None:
    unsaved = has_unsaved()
    if unsaved and version != shown["version"]:
        st.warning(
            "Somebody else saved or deleted this set after you began. Save yours as another set, or discard "
            "your changes."
        )
    save, discard, _ = st.columns([1, 1, 2])
    asked = save.button(
        "Save the changes",
        type="primary",
        icon=":material/save:",
        disabled=not (unsaved and treatments),
        width="stretch",
    )
    if discard.button("Discard the changes", icon=":material/undo:", disabled=not unsaved, width="stretch"):
        st.session_state["treatments-turn"] += 1
        st.rerun()
    if not asked:
        return
    try:
        plan_actions.save_treatments(current_actor(), shown["name"], treatments, shown["version"])
    except EngineError as problem:
        show_error(problem)
        return
    show_set(shown["name"], f"{shown['name']} is saved: {count_of(treatments)}.")


def count_of(treatments: Sequence[Treatment]) -> str:
    return "1 treatment" if len(treatments) == 1 else f"{len(treatments)} treatments"


def show_set(name: str | None, done: str) -> None:
    """Draw the page anew with another set chosen (None: the first) and unsaved changes gone.

    Args:
        name: of an own set; done: what is to be said above it.
    """
    st.session_state["treatments-turn"] = st.session_state.get("treatments-turn", 0) + 1
    st.session_state["treatments-open"] = name
    st.session_state[DONE] = done
    st.rerun()
