"""What is done with whole sets of treatments: copy, write and read as CSV, delete."""

import re
from collections.abc import Sequence
from typing import Any

import streamlit as st

from app import plan_actions
from app.actions import clean_name
from app.components.messages import plain, show_error
from app.components.treatment_editor import count_of, show_set
from app.components.treatment_table import plain_words
from app.identity import current_actor
from engine.errors import EngineError, SettingsError
from engine.treatments import Treatment, treatments_from_csv, treatments_to_csv

LARGEST_CSV = 1_000_000


def copy_set(chosen: dict[str, Any], treatments: Sequence[Treatment] | None, *, unsaved: bool) -> None:
    """Make a new own set of the shown one, with the changes that are not saved.

    Args:
        chosen: the shown set; treatments: its rows as edited, None while one is wrong.
        unsaved: whether they differ from the saved ones.
    """
    label = "Save as another set" if unsaved else "Copy under a new name"
    with st.popover(label, icon=":material/content_copy:", disabled=treatments is None, width="stretch"):
        name = st.text_input(
            "Name of the new set", max_chars=200, placeholder="Our costs 2026", key="copy-name"
        )
        if not st.button("Make the set", type="primary", key="copy-set", disabled=treatments is None):
            return
        _save(name, treatments or (), None, f"is made from {chosen['name']}. Edit it here.")


def export_set(chosen: dict[str, Any]) -> None:
    """The saved set as CSV."""
    plain_name = re.sub(r"[^\w-]+", "-", chosen["name"]).strip("-") or "treatments"
    st.download_button(
        # Not "Download": the table has a button of that name, whose file cannot be imported.
        "Export as CSV",
        # the mark makes spreadsheets read it as UTF-8
        lambda: treatments_to_csv(chosen["treatments"]).encode("utf-8-sig"),
        f"{plain_name}.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
        width="stretch",
        help="As it is saved. The same file, edited in a spreadsheet, can be imported here.",
    )


def delete_set(chosen: dict[str, Any]) -> None:
    """Delete an own set after a question."""
    with st.popover("Delete", icon=":material/delete:", width="stretch"):
        st.write(
            f"Delete the set {plain(chosen['name'])} with its {count_of(chosen['treatments'])} for good? "
            "Plans made with it keep the treatments that they were made with."
        )
        if not st.button("Delete it", key=f"delete-set-{chosen['id']}"):
            return
        try:
            plan_actions.delete_treatments(current_actor(), chosen["name"])
        except EngineError as problem:
            show_error(problem)
            return
        show_set(None, f"{chosen['name']} is deleted.")


def import_set(sets: Sequence[dict[str, Any]], *, unsaved: bool) -> None:
    """Read a CSV file as a new set, or in place of an own one.

    Args:
        sets: of `app.plan_data.treatment_sets`; unsaved: whether the table holds changes, which would go.
    """
    if unsaved:
        st.caption("Save or discard your changes first.")
        return
    turn = st.session_state.get("treatments-turn", 0)
    given = st.file_uploader(
        "List of treatments (CSV)",
        type=["csv"],
        key=f"treatments-csv-{turn}",
        help="Columns as in an exported set: export one, edit it in a spreadsheet, import it here.",
    )
    if given is None:
        return
    try:
        treatments = _read(given.name, given.getvalue())
    except EngineError as problem:
        show_error(type(problem)(plain_words(problem.what), plain_words(problem.remedy)))
        return
    st.success(f"{plain(given.name)} holds {count_of(treatments)}. Nothing is saved yet.")
    name = st.text_input(
        "Save it as the set", given.name.removesuffix(".csv")[:200], max_chars=200, key=f"import-name-{turn}"
    ).strip()
    own = next((one for one in sets if one["name"] == name and not one["ready"]), None)
    if own is not None:
        st.warning(
            f"There is a set {plain(name)} already: its {count_of(own['treatments'])} will be replaced by "
            "those of the file."
        )
    if st.button(
        "Make the set" if own is None else "Replace the set", type="primary", icon=":material/save:",
        disabled=not name,
    ):  # fmt: skip
        version = None if own is None else own["version"]
        _save(name, treatments, version, f"is saved: {count_of(treatments)} of {given.name}.")


def _read(file_name: str, content: bytes) -> tuple[Treatment, ...]:
    if len(content) > LARGEST_CSV:
        raise SettingsError(f"{file_name} is too large for a list of treatments.", "Choose another file.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"{file_name} is not in UTF-8.", "Save it anew as “CSV UTF-8” in the spreadsheet."
        ) from error
    return treatments_from_csv(text)


def _save(name: str, treatments: Sequence[Treatment], version: int | None, done: str) -> None:
    try:
        name = clean_name(name, "set of treatments")
        plan_actions.save_treatments(current_actor(), name, tuple(treatments), version)
    except EngineError as problem:
        show_error(problem)
        return
    show_set(name, f"{name} {done}")
