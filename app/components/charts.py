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
    rows = known.to_dict("records")
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
            hovertext=[f"{chainage(row['chainage_m'])}<br>{measure.shown(row)}" for row in rows],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    )
    figure.add_trace(_whiskers(known, measure))
    figure.update_layout(
        height=265,
        showlegend=False,
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


def _whiskers(known: pd.DataFrame, measure: Measure) -> go.Scatter:
    """The interval of each photo that has one."""
    low, high = (known[end] for end in measure.ends)
    return go.Scatter(
        x=known["chainage_m"],
        y=known[measure.column],
        mode="markers",
        marker={"size": 0.1, "color": "#2b3a48"},
        customdata=known["id"],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": (high - known[measure.column]).fillna(0),
            "arrayminus": (known[measure.column] - low).fillna(0),
            "width": 4,
            "thickness": 1.6,
            "color": "#2b3a48",
        },
        cliponaxis=False,
        hoverinfo="skip",
        showlegend=False,
    )
