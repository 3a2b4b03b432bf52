"""Thumbnails along the road; each is a link to its photo."""

import html

import pandas as pd
import streamlit as st

from app.components.network_map import Measure
from app.components.text import chainage, number

PER_PAGE = 24
STYLE = """<style>
.strip{display:grid;grid-template-columns:repeat(auto-fill,minmax(190px,1fr));gap:12px}
.strip a{display:block;border:1px solid #cfd8e1;border-radius:5px;overflow:hidden;color:inherit;text-decoration:none;background:#fff}
.strip a:hover{border-color:#14568c;box-shadow:0 0 0 1px #14568c}
.strip .pair{position:relative;aspect-ratio:8/5;background:#1d2630}
.strip img{position:absolute;inset:0;width:100%;height:100%;object-fit:cover}
.strip p{margin:0;padding:6px 9px;font-size:.86rem;display:flex;justify-content:space-between}
</style>"""


def photo_strip(photos: pd.DataFrame, measure: Measure, key: str) -> None:
    """A page of thumbnails with chainage and measure, in the order given."""
    pages = -(-len(photos) // PER_PAGE)
    page = 0
    if pages > 1:
        page = (
            st.segmented_control(
                "Part of the section",
                range(pages),
                default=0,
                key=key,
                label_visibility="collapsed",
                required=True,
                format_func=lambda number: chainage(photos["chainage_m"].iloc[number * PER_PAGE]),
            )
            or 0
        )
    cards = [
        f'<a href="/photo?photo={int(row.id)}" target="_self"><div class="pair">'
        f'<img loading="lazy" alt="" src="/api/photos/{int(row.id)}/thumbnail"></div>'
        f"<p><span>{chainage(row.chainage_m)}</span>"
        f"<span>{html.escape(number(getattr(row, measure.column), measure.digits, measure.unit))}</span></p></a>"
        for row in photos.iloc[page * PER_PAGE : (page + 1) * PER_PAGE].itertuples()
    ]
    st.html(f'{STYLE}<div class="strip">{"".join(cards)}</div>')
