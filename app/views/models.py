"""Models: the checkpoints, which is in force, and what two of them see on the same photos."""

import tempfile
from pathlib import Path
from typing import Any

import streamlit as st

from app import checkpoint_actions, checkpoint_data
from app.components.checkpoint_compare import compare_checkpoints
from app.components.checkpoint_registry import (
    checkpoint_accuracy,
    checkpoint_facts,
    checkpoint_table,
    gate_table,
    gate_verdict,
)
from app.components.messages import plain, show_error
from app.identity import current_actor
from engine.errors import EngineError


def say_done(text: str) -> None:
    """Keep a line for the next drawing: the page is drawn anew after what was done."""
    st.session_state["models-done"] = text
    st.rerun()


def in_force(row: dict[str, Any]) -> None:
    where, back = st.columns([4, 1.6], vertical_alignment="center")
    where.markdown(
        f"In force: **{plain(row['name'])}**. New analyses use it; results of others stay as they are."
    )
    before = checkpoint_data.before_rollback()
    if before is not None and back.button(
        "Roll back", icon=":material/undo:", width="stretch", help=f"Puts {plain(before)} in force again."
    ):
        try:
            say_done(f"{checkpoint_actions.roll_back(current_actor())} is in force again.")
        except EngineError as problem:
            show_error(problem)


def buttons(row: dict[str, Any]) -> None:
    """Promote, export, delete; each refusal says why."""
    actor, name = current_actor(), row["name"]
    promote, export, delete = st.columns(3)
    try:
        if promote.button(
            "In force" if row["in_force"] else "Promote",
            type="primary",
            icon=":material/publish:",
            disabled=row["in_force"] or row["accepted"] is False,
            width="stretch",
            help="New analyses will use it. One click takes it back.",
        ):
            checkpoint_actions.promote_checkpoint(actor, row["id"])
            say_done(f"{name} is in force.")
        export.download_button(
            "Export",
            lambda: checkpoint_actions.export_checkpoint(actor, row["id"])[1].read_bytes(),
            checkpoint_actions.file_name_of(name),
            "application/octet-stream",
            icon=":material/download:",
            on_click="ignore",
            width="stretch",
            help="Weights and card in one .safetensors file.",
        )
        with delete.popover("Delete", icon=":material/delete:", disabled=row["shipped"], width="stretch"):
            st.write(f"Delete {plain(name)} and its comparisons for good?")
            if st.button("Delete it", key=f"delete-{row['id']}"):
                checkpoint_actions.delete_checkpoint(actor, row["id"])
                say_done(f"{name} is deleted.")
    except EngineError as problem:
        show_error(problem)


def details(row: dict[str, Any]) -> None:
    st.subheader(plain(row["name"]))
    left, right = st.columns([1.2, 1], gap="large")
    with left:
        checkpoint_facts(row)
    with right:
        buttons(row)
        st.markdown("**Gate**")
        gate_verdict(row)
        st.markdown("**Measured accuracy**")
        checkpoint_accuracy(row)
    gate_table(row)


def import_form() -> None:
    with st.form("import-checkpoint", border=False):
        name = st.text_input("Name", placeholder="BR-290 rear camera", max_chars=100)
        given = st.file_uploader("Checkpoint (.safetensors with a Pavescope card)", type=["safetensors"])
        asked = st.form_submit_button("Import", icon=":material/upload:")
    st.caption(
        "Only .safetensors files that Pavescope wrote: nothing in them can run code. Weights that do not "
        "fit their network are found at the first analysis."
    )
    if not asked:
        return
    if given is None or not name.strip():
        st.warning("Choose a file and give it a name.")
        return
    try:
        with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
            file.write(given.getbuffer())
            file.flush()
            checkpoint_actions.import_checkpoint(current_actor(), Path(file.name), name, given.name)
        say_done(f"{name} is registered. Compare it, then promote it.")
    except EngineError as problem:
        show_error(problem)


def draw() -> None:
    st.title("Models")
    if done := st.session_state.pop("models-done", ""):
        st.success(plain(done))
    rows = checkpoint_data.registry()
    in_force(rows[0])
    chosen = checkpoint_table(rows)
    details(next(row for row in rows if row["id"] == chosen))
    st.subheader("Compare two checkpoints on the same photos")
    compare_checkpoints(rows)
    st.subheader("Import a checkpoint")
    with st.expander("From a file", icon=":material/upload_file:"):
        import_form()


draw()
