"""Choices that stay in the address, so that every page can be linked to."""

import pandas as pd
import streamlit as st


def query_id(name: str) -> int | None:
    """A row's id from the address; None where it is missing or not one."""
    asked = st.query_params.get(name, "")
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 19 else None


def choose_survey(surveys: pd.DataFrame) -> int:
    """A survey selector that reads and writes `?survey=`; the newest with photos by default."""
    ids = [int(value) for value in surveys["id"]]
    names = dict(zip(ids, surveys["name"], strict=True))
    asked = query_id("survey")
    start = ids.index(asked) if asked in names else int(surveys["has_photos"].argmax())
    chosen = st.selectbox("Survey", ids, index=start, format_func=lambda survey: names[survey])
    if chosen != asked:
        st.query_params["survey"] = str(chosen)
    return int(chosen)


def bounds_of(table: pd.DataFrame) -> tuple[float, float, float, float] | None:
    """west, south, east, north of all rows; None without any."""
    box = table[["west", "south", "east", "north"]].dropna()
    if box.empty:
        return None
    return (
        float(box["west"].min()),
        float(box["south"].min()),
        float(box["east"].max()),
        float(box["north"].max()),
    )
