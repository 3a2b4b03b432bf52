"""How the condition index of a section came about: deducts, their correction, and what is left of 100."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.components.measures import INDEX
from app.components.messages import plain
from app.components.text import number, words
from engine.deducts import DeductFamily

FAMILY_WORDS = {DeductFamily.LINEAR.value: "Longitudinal, transverse and diagonal"}


def deduct_table(condition: Mapping[str, Any]) -> pd.DataFrame:
    """Distress, Severity, Quantity, Density (%), Deduct (points); the greatest first."""
    return pd.DataFrame(
        [
            {
                "Distress": FAMILY_WORDS.get(row["family"], words(row["family"])),
                "Severity": words(row["severity"]),
                "Quantity": number(
                    row["quantity"], 1, "m" if row["family"] == DeductFamily.LINEAR.value else "m²"
                ),
                "Density (%)": number(row["density_percent"], 2),
                "Deduct (points)": number(row["points"], 1),
            }
            for row in condition["deducts"]
        ]
    )


def correction_table(condition: Mapping[str, Any]) -> pd.DataFrame:
    """One line a step: the deducts that count, their total, q of them over 2, the corrected deduct."""
    return pd.DataFrame(
        [
            {
                "Step": str(place),
                "Deducts": " + ".join(number(points, 1) for points in step["deducts"]),
                "Total": number(step["total"], 1),
                "q (deducts over 2)": str(step["q"]),
                "Corrected deduct": number(step["corrected"], 1),
            }
            for place, step in enumerate(condition["steps"], start=1)
        ]
    )


def draw_index_steps(condition: Mapping[str, Any]) -> None:
    """The steps in the order in which a person would take them by hand."""
    st.caption(f"{INDEX.formula}. {INDEX.standard}.")
    if not condition["deducts"]:
        st.write("No cracking that counts was found: nothing is taken off 100.")
        return
    st.markdown("**1. Deducts.** What each distress at its density costs, read from its curve.")
    st.table(deduct_table(condition).set_index("Distress"), width="content")
    st.caption(
        "Density: area / surveyed area x 100; for lengths 30.48 x length in m / surveyed area in m² "
        "(feet in 100 square feet, as the curves have it)."
    )
    highest = max(float(row["points"]) for row in condition["deducts"])
    st.markdown(
        f"**2. How many count.** m = 1 + 9/98 x (100 - {highest:.1f}) = {condition['allowed']:.1f}, "
        f"at most 10; there are {len(condition['deducts'])}."
    )
    st.markdown("**3. Correction.** Each step lowers the smallest deduct over 2 to 2.")
    st.table(correction_table(condition).set_index("Step"), width="content")
    _result(condition, condition["steps"])


def _result(condition: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> None:
    greatest = max(float(step["corrected"]) for step in steps)
    st.markdown(
        f"**4. Index.** 100 - {greatest:.1f} (the greatest corrected deduct) = **{condition['value']:.1f}**, "
        f"rated {condition['rating']}."
    )
    for note in condition["notes"]:
        st.caption(plain(note))
