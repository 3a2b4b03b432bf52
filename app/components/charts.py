"""Charts along the road."""

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app.components.network_map import CLASS_COLOURS, Measure, nice_step
from app.components.text import chainage


def chainage_chart(
    photos: pd.DataFrame, measure: Measure, largest: float, ends_m: tuple[float, float], key: str
) -> int | None:
    """The measure along the whole section from end to end, a stem where each photo was taken, in the
    colours of the map; returns the id of a clicked photo."""
    known = photos.dropna(subset=["chainage_m", measure.column])
    if known.empty:
        st.caption("No photo of this section has been analysed yet.")
        return None
    step = nice_step(largest)
    last = len(CLASS_COLOURS) - 1
    colours = [CLASS_COLOURS[min(last, int(value / step))] for value in known[measure.column]]
    figure = go.Figure(
        go.Scatter(
            x=known["chainage_m"],
            y=known[measure.column],
            mode="markers",
            marker={"color": colours, "size": 10, "line": {"color": "#2b3a48", "width": 0.8}},
            # Stems: from each point down to zero.
            error_y={
                "type": "percent",
                "symmetric": False,
                "value": 0,
                "valueminus": 100,
                "width": 0,
                "thickness": 1.2,
                "color": "#5b6b7a",
            },
            cliponaxis=False,
            customdata=known["id"],
            hovertext=[chainage(value) for value in known["chainage_m"]],
            hovertemplate=f"%{{hovertext}}<br>%{{y:.{measure.digits}f}} {measure.unit}<extra></extra>",
        )
    )
    figure.update_layout(
        height=265,
        margin={"l": 10, "r": 10, "t": 8, "b": 8},
        xaxis={"title": "Chainage (m)", "tickformat": ",d", "range": list(ends_m), "fixedrange": True},
        yaxis={"title": f"{measure.caption} ({measure.unit})", "rangemode": "tozero", "fixedrange": True},
        plot_bgcolor="#f7f9fb",
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
