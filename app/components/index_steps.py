"""How the condition index of a section came about: deducts, their correction, and what is left of 100."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd
import streamlit as st

from app.components.measures import INDEX
from app.components.messages import plain
from app.components.text import number, words
from engine.condition import correct_deducts
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


def correction_table(correction: Mapping[str, Any]) -> pd.DataFrame:
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
            for place, step in enumerate(correction["steps"], start=1)
        ]
    )


def corrections(condition: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any] | None]:
    """The standard's correction, and the one under a cap where that is what counts."""
    if "correction" in condition:
        return condition["correction"], condition["capped"]
    # A roll-up of before both were stored.
    standard, capped = correct_deducts(float(row["points"]) for row in condition["deducts"])
    return asdict(standard), None if capped is None else asdict(capped)


def allowed_words(correction: Mapping[str, Any]) -> str:
    """The equation of m by the highest deduct."""
    raw = 1 + 9 / 98 * (100 - correction["highest"])
    most = f", at most 10: {correction['allowed']:.2f}" if raw > correction["allowed"] + 0.005 else ""
    return f"m = 1 + 9/98 x (100 - {correction['highest']:.1f}) = {raw:.2f}{most}"


def index_words(correction: Mapping[str, Any]) -> str:
    """The equation of the index by the greatest corrected deduct."""
    greatest = round(max(float(step["corrected"]) for step in correction["steps"]), 1)
    return f"100 - {greatest:.1f} (the greatest corrected deduct) = {100 - greatest:.1f}"


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
    standard, capped = corrections(condition)
    st.markdown(
        f"**2. How many count.** {allowed_words(standard)}, with the highest deduct up to the next tenth; "
        f"there are {len(condition['deducts'])}. Of more than m the last one counts by m's fraction."
    )
    st.markdown("**3. Correction.** Each step lowers the smallest deduct over 2 to 2.")
    st.table(correction_table(standard).set_index("Step"), width="content")
    if capped is None:
        st.markdown(f"**4. Index.** {index_words(standard)}, rated {condition['rating']}.")
    else:
        _capped(standard, capped, condition["rating"])
    for note in condition["notes"]:
        st.caption(plain(note))


def _capped(standard: Mapping[str, Any], capped: Mapping[str, Any], rating: str) -> None:
    """The further step on roads where more distress would raise the standard's index."""
    st.markdown(f"**4. The standard's index.** {index_words(standard)}.")
    st.markdown(
        f"**5. Cap (ours, not the standard's).** A high deduct lowers m and so pushes other distress out: by "
        f"the standard this road would be worth more than one with less of its worst cracking. So that more "
        f"cracking never raises the index, deducts over {capped['highest']:.1f} count as "
        f"{capped['highest']:.1f}, the cap that costs most: {allowed_words(capped)}."
    )
    st.table(correction_table(capped).set_index("Step"), width="content")
    st.markdown(f"**6. Index.** {index_words(capped)}, rated {rating}.")
