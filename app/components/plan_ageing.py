"""How roads age: what a plan assumes of each class and surface, to be replaced by what the agency knows."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from engine.deterioration import (
    LEAST_PAIRS,
    LONGEST_LIFE_YEARS,
    STEEPEST_SHAPE,
    Deterioration,
    assumed_rows,
    curves_from_rows,
    find_curve,
    join_curves,
)

SHORTEST = 0.5
Rows = Sequence[Mapping[str, Any]]


def ageing_lines(table: pd.DataFrame, fitted: Sequence[Deterioration], own: Rows) -> pd.DataFrame:
    """The curve of each class and surface of the network.

    Args:
        table: of `data.section_table`.
        fitted: of `plan_data.fitted_curves`; own: rows of the draft, see `curves_from_rows`.

    Returns:
        functional_class, surface, life_years (until 37 of 100 points are left), shape, source ("fitted",
        "assumed" or "agency") and said (the source in words).
    """
    pairs = table[["functional_class", "surface"]].astype("object").where(lambda cells: cells.notna(), None)
    curves = join_curves(fitted, curves_from_rows(own))
    lines = []
    for row in assumed_rows(pairs.itertuples(index=False, name=None)):
        curve = find_curve(curves, row["functional_class"], row["surface"])
        lines.append(
            {
                **row, "life_years": curve.scale_years, "shape": curve.shape, "source": curve.source,
                "said": source_words(curve),
            }
        )  # fmt: skip
    columns = ["functional_class", "surface", "life_years", "shape", "source", "said"]
    return pd.DataFrame(lines, columns=columns)


def source_words(curve: Deterioration) -> str:
    """`fitted from 12 sections (18.2 to 24.9 years)`, `assumed`, `your agency's`."""
    if curve.source == "agency":
        return "your agency's"
    if curve.source != "fitted" or curve.scale_low is None or curve.scale_high is None:
        return curve.source
    return f"fitted from {curve.pairs} sections ({curve.scale_low:.1f} to {curve.scale_high:.1f} years)"


def ageing_editor(lines: pd.DataFrame, key: str) -> pd.DataFrame:
    """Draw the curves, those that are not fitted to be edited; returns these as edited.

    Args:
        lines: of `ageing_lines`.
    """
    st.markdown("**How roads age**")
    st.caption(
        "Years until 37 of 100 points of the condition index are left without any treatment. Shape: 1 falls "
        "fastest when new, 2 slowly at first. Where the network has comparable surveys of at least "
        f"{LEAST_PAIRS} sections of a class and surface, their curve is fitted and holds; the others can be "
        "changed here."
    )
    is_fitted = lines["source"] == "fitted"
    if is_fitted.any():
        st.dataframe(lines[is_fitted], hide_index=True, key=f"{key}-fitted", **_look())
    free = lines[~is_fitted].reset_index(drop=True)
    if free.empty:
        return free
    disabled = ["functional_class", "surface", "said"]
    edited = st.data_editor(free, hide_index=True, key=f"{key}-own", disabled=disabled, **_look())
    return pd.DataFrame(edited)


def _look() -> dict[str, Any]:
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    return {
        "placeholder": "any",
        "column_order": ["functional_class", "surface", "life_years", "shape", "said"],
        "column_config": {
            "functional_class": text("Road class"),
            "surface": text("Surface"),
            "life_years": number(
                "Years until 37 points are left", format="%.1f", min_value=SHORTEST,
                max_value=LONGEST_LIFE_YEARS, help=f"{SHORTEST:g} to {LONGEST_LIFE_YEARS:g} years.",
            ),
            "shape": number(
                "Shape", format="%.2f", min_value=SHORTEST, max_value=STEEPEST_SHAPE,
                help=f"{SHORTEST:g} to {STEEPEST_SHAPE:g}.",
            ),
            "said": text("Where from", width="medium"),
        },
    }  # fmt: skip


def edited_rows(lines: pd.DataFrame, edited: pd.DataFrame, own: Rows) -> list[dict[str, Any]]:
    """The agency's rows after an edit: those of before, with a row for each line that was changed.

    Args:
        lines: of `ageing_lines`, as drawn; edited: of `ageing_editor`; own: rows of before.
    """
    rows = {_key(row): dict(row) for row in own}
    before = {_key(line): line for line in lines.to_dict("records")}
    for line in edited.to_dict("records"):
        was = before[_key(line)]
        if all(line[name] == was[name] for name in ("life_years", "shape")):
            continue
        numbers = {
            name: None if pd.isna(line[name]) else float(line[name]) for name in ("life_years", "shape")
        }
        names = {name: _text(line[name]) or None for name in ("functional_class", "surface")}
        rows[_key(line)] = {**names, **numbers, "over_fitted": False}
    return list(rows.values())


def _key(row: Mapping[Any, Any]) -> tuple[str, str]:
    return _text(row["functional_class"]).casefold(), _text(row["surface"]).casefold()


def _text(value: Any) -> str:
    """Empty for what a table makes of none."""
    return value if isinstance(value, str) else ""
