"""The gate's findings as tables that people read: each check, and drawn cracks by width and contrast."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app.checkpoint_words import checks
from app.components.text import words

DETAIL = "drawn cracks, "
"""Begins the names of checks that the table by width and contrast has too, see `engine.gate.GateCheck`."""
FIGURES = {"value": "Found", "limit": "Limit", "base": "The one before"}
SHARES = {
    "recall": "Found",
    "base_recall": "Found by the one before",
    "precision": "Right of what it marked",
    "base_precision": "Right, the one before",
}


def show_gate(checkpoint: Mapping[str, Any]) -> None:
    """Draw what a gate looked at; says so where it did not come to that.

    Args:
        checkpoint: the registry's line.
    """
    found = checks(checkpoint)
    if not found:
        st.caption("The gate did not come to look at it.")
        return
    _check_table([check for check in found if not str(check.get("name")).startswith(DETAIL)])
    drawn = (checkpoint["report"].get("gate") or {}).get("table") or []
    details = [check for check in found if str(check.get("name")).startswith(DETAIL)]
    if drawn or details:
        with st.expander("Drawn cracks by width and contrast"):
            _drawn_table(drawn)
            _check_table(details)


def _check_table(found: list[dict[str, Any]]) -> None:
    if not found:
        return
    table = pd.DataFrame(
        {
            "passed": ["✔ yes" if check.get("passed") else "✘ no" for check in found],
            "check": [words(str(check.get("name", ""))) for check in found],
            "words": [str(check.get("words") or "") for check in found],
            **{key: [check.get(key) for check in found] for key in FIGURES},
        }
    )
    st.dataframe(
        table.astype(dict.fromkeys(FIGURES, "float64")),
        hide_index=True,
        placeholder="–",
        row_height=36,
        column_config={
            "passed": st.column_config.TextColumn("Passed", width="small"),
            "check": st.column_config.TextColumn("Looked at", width="small"),
            "words": st.column_config.TextColumn("What was found", width="large"),
            **{key: st.column_config.NumberColumn(label, format="%.3f") for key, label in FIGURES.items()},
        },
    )


def _drawn_table(drawn: list[dict[str, Any]]) -> None:
    if not drawn:
        return
    st.caption(
        "Cracks were drawn on photos that it had not learned from. Found: share of their pixels that it "
        "marked. Right: share of what it marked there that is a drawn crack."
    )
    table = pd.DataFrame(
        {
            "width": [words(str(cell["width"])) for cell in drawn],
            "contrast": [words(str(cell["contrast"])) for cell in drawn],
            **{key: [cell.get(key) for cell in drawn] for key in SHARES},
        }
    )
    st.dataframe(
        table.astype(dict.fromkeys(SHARES, "float64")),
        hide_index=True,
        placeholder="–",
        column_config={
            "width": "Width",
            "contrast": "Contrast",
            **{key: st.column_config.NumberColumn(label, format="percent") for key, label in SHARES.items()},
        },
    )
