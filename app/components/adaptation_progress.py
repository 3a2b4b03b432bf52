"""An adaptation as it goes: its job, its stages, and the live curve of the loss."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from app import adapt_data, data
from app.components.job_progress import job_card
from app.components.messages import plain
from app.components.redraw import redraw_page

LINE, RULE = "#1f6f8b", "#9aa7b3"
STAGE_NAMES = ("Drawn cracks", "First round of own answers", "Second round")


@st.fragment(run_every="2s")
def watch_adaptation(survey_id: int) -> None:
    """Draw the survey's adaptation that waits or runs; the page anew when it has ended."""
    active = [job for job in adapt_data.adaptations(survey_id) if job["state"] in data.ACTIVE]
    if not active:
        redraw_page()
    job = active[0]
    st.markdown(_asked(job))
    job_card(job, place="adapt")
    rows = adapt_data.curve(job["id"])
    if rows:
        loss_chart(rows, key="live-curve")
    else:
        st.caption("The curve of the loss is drawn here as soon as the network learns.")
    st.caption(
        "You can close this page: the work goes on, and is kept if the machine stops. "
        "Analyses wait until it is done."
    )


def _asked(job: dict[str, Any]) -> str:
    told = job["parameters"]
    return (
        f"**{plain(told['name'])}** is made from **{plain(told['base'])}**, "
        f"in about {told['minutes']:g} minutes of two CPU cores."
    )


def loss_chart(rows: Sequence[dict[str, float]], key: str) -> None:
    """The loss over the training steps of all stages, one after the other.

    Args:
        rows: stage, step within it and mean loss, in order.
        key: of the chart.
    """
    figure = go.Figure()
    before = 0.0
    for number in sorted({int(row["stage"]) for row in rows}):
        stage = [row for row in rows if int(row["stage"]) == number]
        name = STAGE_NAMES[number] if number < len(STAGE_NAMES) else f"Round {number}"
        steps = [before + row["step"] for row in stage]
        figure.add_scatter(
            x=steps, y=[row["loss"] for row in stage], mode="lines+markers", name=name,
            line={"color": LINE, "width": 2}, marker={"size": 4},
            hovertemplate=f"{name}<br>step %{{x:,}}: %{{y:.3f}}<extra></extra>",
        )  # fmt: skip
        figure.add_vline(
            x=before, line={"color": RULE, "width": 1, "dash": "dot"}, annotation_text=name,
            annotation_position="top right", annotation_yanchor="bottom", annotation_font_size=12,
        )  # fmt: skip
        before = steps[-1]
    figure.update_layout(
        height=260,
        margin={"l": 10, "r": 10, "t": 26, "b": 8},
        showlegend=False,
        plot_bgcolor="#f7f9fb",
        xaxis={"title": "Training steps", "tickformat": ",d", "fixedrange": True, "rangemode": "tozero"},
        yaxis={"title": "Loss (lower is better)", "fixedrange": True},
    )
    st.plotly_chart(figure, key=key, config={"displayModeBar": False, "displaylogo": False})
    st.caption(
        "Each stage learns from other pictures, so their losses are not to be compared with each other."
    )
