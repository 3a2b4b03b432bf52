"""The registry as a table, and one checkpoint in full."""

from typing import Any

import pandas as pd
import streamlit as st

from app.checkpoint_words import accuracy, checks, made_from, reasons, verdict
from app.components.messages import plain
from app.components.text import number, size

COLUMNS: dict[str, Any] = {
    "state": "State",
    "name": "Checkpoint",
    "gate": "Gate",
    "parent": "Made from",
    "survey": "Fitted to survey",
    "photos": st.column_config.NumberColumn("Photos", help="Photos of the survey that it was adapted to."),
    "accuracy": st.column_config.TextColumn("Accuracy", help="Against labels or by a signed audit."),
    "size": "Size",
    "person": "By",
    "created_at": st.column_config.DatetimeColumn("Made", format="YYYY-MM-DD"),
}


def checkpoint_table(rows: list[dict[str, Any]]) -> int:
    """Draw the registry; returns the id of the chosen line, at first that in force."""
    measured = [accuracy(row) for row in rows]
    table = pd.DataFrame(
        {
            "state": ["In force" if row["in_force"] else "" for row in rows],
            "name": [row["name"] for row in rows],
            "gate": [verdict(row) for row in rows],
            "parent": [parent_of(row) for row in rows],
            "survey": [row["survey"] for row in rows],
            "photos": [row["report"].get("images") for row in rows],
            "accuracy": [found[0][1].split(",")[0] if found else None for found in measured],
            "size": [size(row["size_bytes"]) if row["size_bytes"] else None for row in rows],
            "person": [row["created_by_name"] for row in rows],
            "created_at": [row["created_at"] for row in rows],
        }
    )
    chosen = st.dataframe(
        table,
        hide_index=True,
        key="checkpoints",
        on_select="rerun",
        selection_mode="single-row-required",
        selection_default={"selection": {"rows": [0]}},
        placeholder="–",
        column_config=COLUMNS,
    )
    st.caption("Select a line to see all of it, to promote it, or to export it.")
    lines = chosen["selection"]["rows"]
    return int(rows[lines[0] if lines and lines[0] < len(rows) else 0]["id"])


def parent_of(row: dict[str, Any]) -> str | None:
    """Name of the checkpoint that it was made from; of one that is gone, the name that its card remembers."""
    if row["parent"] or row["shipped"]:
        return str(row["parent"]) if row["parent"] else None
    return str(row["card"].get("origin") or "") or None


def checkpoint_facts(row: dict[str, Any]) -> None:
    """What it is and where it comes from."""
    card = row["card"]
    person = row["created_by_name"]
    facts = [
        ("Network", row["model"]),
        ("Made from", parent_of(row)),
        ("Fitted to survey", row["survey"]),
        ("Data and work", made_from(row)),
        ("Trained on", card.get("data")),
        ("Threshold", number(card.get("threshold"), 2)),
        (
            "Working scale",
            number(card.get("working_scale"), 2, "×") if card.get("working_scale") else "by survey",
        ),
        ("Size", size(row["size_bytes"]) if row["size_bytes"] else None),
        ("Registered", f"{row['created_at']:%Y-%m-%d %H:%M} UTC" + (f" by {person}" if person else "")),
        ("SHA-256", row["content_hash"]),
    ]
    shown = [(fact, plain(str(value))) for fact, value in facts if value]
    st.table(pd.DataFrame(shown, columns=["Fact", "Value"]).set_index("Fact"), border="horizontal")


def checkpoint_accuracy(row: dict[str, Any]) -> None:
    """Figures against labels and by signed audits."""
    found = accuracy(row)
    if not found:
        st.caption(
            "Nothing was measured against labels or by a signed audit yet. Audit a survey that it analysed."
        )
        return
    shown = [(plain(against), plain(figures)) for against, figures in found]
    st.table(pd.DataFrame(shown, columns=["Against", "Figures"]).set_index("Against"), border="horizontal")


def gate_verdict(row: dict[str, Any]) -> None:
    """The gate's verdict with its reasons."""
    if row["shipped"]:
        st.write("Shipped with Pavescope: what every adaptation is held against.")
    elif row["accepted"] is None:
        st.info(
            "No gate of this installation judged it. Compare it with the one in force before you promote it."
        )
    elif row["accepted"]:
        st.success("The gate accepts it.")
    else:
        said = "".join(f"\n- {plain(reason)}" for reason in reasons(row)) or "\n- It gave no reasons."
        st.error(f"The gate refuses it, so it cannot be promoted:\n{said}")


def gate_table(row: dict[str, Any]) -> None:
    """The gate's checks in plain words, with their figures; nothing where no gate judged it."""
    found = checks(row)
    if not found:
        return
    st.markdown("**What the gate checked, without labels**")
    table = pd.DataFrame(
        {
            "passed": ["yes" if check.get("passed") else "NO" for check in found],
            "words": [str(check.get("words") or check.get("name")) for check in found],
            **{key: [_figure(check.get(key)) for check in found] for key in ("value", "limit", "base")},
        }
    )
    st.dataframe(
        table,
        hide_index=True,
        placeholder="–",
        column_config={
            "passed": "Passed",
            "words": st.column_config.TextColumn("Check", width="large"),
            "value": st.column_config.NumberColumn("Value", format="%.3f"),
            "limit": st.column_config.NumberColumn("Limit", format="%.3f"),
            "base": st.column_config.NumberColumn("Parent's", format="%.3f"),
        },
    )


def _figure(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
