"""Charts along the road."""

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app.components.network_map import CLASS_COLOURS, Measure, nice_step
from app.components.text import chainage


def chainage_chart(photos: pd.DataFrame, measure: Measure, largest: float, key: str) -> int | None:
    """Bars of the measure along the section, one a photo, in the colours of the map;
    returns the id of a clicked photo."""
    known = photos.dropna(subset=["chainage_m"])
    if known.empty or known[measure.column].isna().all():
        st.caption("No photo of this section has been analysed yet.")
        return None
    step = nice_step(largest)
    last = len(CLASS_COLOURS) - 1
    colours = [
        CLASS_COLOURS[min(last, int(value / step))] if pd.notna(value) else "#8d99a6"
        for value in known[measure.column]
    ]
    gap = known["chainage_m"].diff().abs()
    width_m = float(gap[gap > 0].median()) if (gap > 0).any() else 5.0
    figure = go.Figure(
        go.Bar(
            x=known["chainage_m"],
            y=known[measure.column],
            width=width_m * 0.9,
            marker={"color": colours, "line": {"color": "#2b3a48", "width": 0.6}},
            customdata=known["id"],
            hovertext=[chainage(value) for value in known["chainage_m"]],
            hovertemplate=f"%{{hovertext}}<br>%{{y:.{measure.digits}f}} {measure.unit}<extra></extra>",
        )
    )
    figure.update_layout(
        height=265,
        margin={"l": 10, "r": 10, "t": 8, "b": 8},
        xaxis={"title": "Chainage (m)", "tickformat": ",d"},
        yaxis={"title": f"{measure.caption} ({measure.unit})", "rangemode": "tozero"},
        plot_bgcolor="#f7f9fb",
        bargap=0,
        clickmode="event+select",
    )
    chosen = st.plotly_chart(
        figure,
        key=key,
        on_select="rerun",
        selection_mode="points",
        config={"displayModeBar": False, "displaylogo": False},
    )
    points = chosen["selection"]["points"]
    return int(points[0]["customdata"]) if points else None
