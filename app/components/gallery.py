"""Thumbnails along the road; each opens its photo."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from app.components.measures import Measure
from app.components.text import chainage, interval, number

STATIC = Path(__file__).parent.parent / "static"
PER_PAGE = 24


@lru_cache
def _component() -> Any:
    return st.components.v2.component(
        "pavescope_gallery",
        html='<div class="strip"></div>',
        css=(STATIC / "gallery.css").read_text(encoding="utf-8"),
        js=(STATIC / "gallery.js").read_text(encoding="utf-8"),
    )


def photo_strip(photos: pd.DataFrame, measure: Measure, key: str) -> int | None:
    """A page of thumbnails with chainage and measure, in the order given; returns the id of a clicked one."""
    pages = -(-len(photos) // PER_PAGE)
    page = 0
    if pages > 1:
        page = st.segmented_control(
            "Part of the section",
            range(pages),
            default=0,
            key=f"part-{key}",
            label_visibility="collapsed",
            required=True,
            format_func=lambda part: chainage(photos["chainage_m"].iloc[part * PER_PAGE]),
        )
    cards = [
        {
            "id": int(row["id"]),
            "left": chainage(row["chainage_m"]),
            "right": number(row[measure.column], measure.digits, measure.unit),
            "interval": f"({interval(row[measure.ends[0]], row[measure.ends[1]], measure.digits)})",
        }
        for row in photos.iloc[page * PER_PAGE : (page + 1) * PER_PAGE].to_dict("records")
    ]
    answer = _component()(key=key, data={"photos": cards}, on_opened_change=lambda: None)
    return None if answer.opened is None else int(answer.opened)
