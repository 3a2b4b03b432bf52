"""A section through the years: what may be compared, and what may not."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app.components.measures import GRADE_COLOURS, HPMS, INDEX, Measure
from app.components.messages import plain
from app.components.text import MISSING, number, with_interval
from engine.change import Measured, section_change

INK = "#2b3a48"
REAL = (
    "Whether the 90 % interval of the difference leaves out 0. Of sections that did not change, at most one "
    "in ten is called changed."
)


def trend_chart(trend: pd.DataFrame, measure: Measure, key: str) -> None:
    """The measure by survey: filled marks and a line where they compare, else hollow marks."""
    if len(trend) < 2:
        st.write("Only this survey has results here: a trend needs a second one over the same network.")
        return
    known = trend.dropna(subset=[measure.column])
    dated = bool(known["surveyed_on"].notna().all())
    figure = go.Figure()
    if measure.good_fair_poor:
        _bands(figure, measure)
    kinds = ((True, "Comparable", "circle"), (False, "Not comparable", "circle-open"))
    for comparable, label, symbol in kinds:
        some = known[known["not_comparable"].isna() == comparable]
        if some.empty:
            continue
        figure.add_trace(
            go.Scatter(
                x=some["surveyed_on"] if dated else some["survey"],
                y=some[measure.column],
                mode="lines+markers" if comparable else "markers",
                name=label,
                line={"color": INK, "width": 1.6},
                marker={"size": 12, "symbol": symbol, "color": INK, "line": {"width": 2, "color": INK}},
                error_y=_ends(some, measure),
                hovertext=[
                    f"<b>{row['survey']}</b><br>{measure.shown(row)}<br>{row['checkpoint']}".replace("{", "(")
                    for row in some.to_dict("records")
                ],
                hovertemplate="%{hovertext}<extra></extra>",
                cliponaxis=False,
            )
        )
    top = None if not measure.large_is_good else [0, 104]
    figure.update_layout(
        height=300, margin={"l": 10, "r": 10, "t": 30, "b": 8}, plot_bgcolor="#f7f9fb", dragmode=False,
        yaxis={"title": measure.name, "fixedrange": True, "rangemode": "tozero", "range": top},
        xaxis=_time_axis(known["surveyed_on"]) if dated else {"type": "category", "fixedrange": True},
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom"}, showlegend=True,
    )  # fmt: skip
    st.plotly_chart(figure, key=key, config={"displayModeBar": False})


def _time_axis(days: pd.Series) -> dict[str, Any]:
    """One tick a survey, and air at both ends."""
    air = max((days.max() - days.min()) * 0.12, pd.Timedelta(days=45))
    return {
        "tickvals": list(days), "tickformat": "%Y-%m-%d", "fixedrange": True,
        "range": [days.min() - air, days.max() + air],
    }  # fmt: skip


def _bands(figure: go.Figure, measure: Measure) -> None:
    """Where the standard draws its lines between good, fair and poor."""
    good, poor = measure.good_fair_poor or (0.0, 0.0)
    for value, words in ((good, "good | fair"), (poor, "fair | poor")):
        figure.add_hline(
            y=value, line={"color": GRADE_COLOURS["fair"], "dash": "dot", "width": 1.2},
            annotation={"text": words, "font": {"size": 11, "color": "#51606e"}},
            annotation_position="top left",
        )  # fmt: skip


def _ends(some: pd.DataFrame, measure: Measure) -> dict[str, Any] | None:
    low, high = measure.ends
    if low not in some:
        return None
    value = some[measure.column]
    return {
        "type": "data", "symmetric": False, "color": INK, "width": 5, "thickness": 1.4,
        "array": (some[high] - value).clip(lower=0).fillna(0),
        "arrayminus": (value - some[low]).clip(lower=0).fillna(0),
    }  # fmt: skip


def trend_table(trend: pd.DataFrame, measures: list[Measure], survey_id: int) -> None:
    """The same in numbers, the change between each survey and this one, and whether it is real."""
    rows = trend.to_dict("records")
    here = next(row for row in rows if row["survey_id"] == survey_id)
    changes = [change_words(row, here, measures[0]) for row in rows]
    shown = pd.DataFrame(
        {
            "Survey": trend["survey"],
            "Date": [
                MISSING if pd.isna(row["surveyed_on"]) else f"{row['surveyed_on']:%Y-%m-%d}" for row in rows
            ],
            **{measure.name: [measure.shown(row) for row in rows] for measure in measures},
            "Surveyed": [
                MISSING if pd.isna(row["surveyed_share"]) else number(100 * row["surveyed_share"], 0, "%")
                for row in rows
            ],
            "Checkpoint": trend["checkpoint"],
            f"Change, earlier to later, against {here['survey']}": [change for change, _, _ in changes],
            "Real?": [real for _, real, _ in changes],
        }
    )
    st.dataframe(
        shown,
        hide_index=True,
        height=38 + 35 * len(shown),
        column_config={"Real?": st.column_config.TextColumn("Real?", help=REAL)},
    )
    for row, (_, _, reason) in zip(rows, changes, strict=True):
        if reason:
            st.caption(f"{plain(row['survey'])}: {plain(reason)}")


def change_words(row: Mapping[Any, Any], here: Mapping[Any, Any], measure: Measure) -> tuple[str, str, str]:
    """The change between a survey and this one, earlier to later, with interval; whether it is real; why."""
    if row["survey_id"] == here["survey_id"]:
        return "", "", ""
    if row["not_comparable"] is not None:
        return MISSING, "not comparable", str(row["not_comparable"])
    days = row["surveyed_on"], here["surveyed_on"]
    reverse = not any(pd.isna(day) for day in days) and days[0] > days[1]
    values = [_measured(each, measure) for each in ((here, row) if reverse else (row, here))]
    if math.isnan(values[0].value) or math.isnan(values[1].value):
        return MISSING, MISSING, "One of them has no value."
    change = section_change(*values)
    shown = with_interval(change.difference, change.low, change.high, measure.digits, measure.unit)
    return shown, {True: "yes", False: "no", None: "cannot be said"}[change.real], change.reason


def _measured(row: Mapping[Any, Any], measure: Measure) -> Measured:
    low, high = (row.get(end) for end in measure.ends)
    known = low is not None and high is not None and not math.isnan(low) and not math.isnan(high)
    return Measured(row[measure.column], low if known else None, high if known else None)


def draw_trend(trend: pd.DataFrame, measure: Measure, survey_id: int, checkpoint: str | None) -> None:
    """The numbers, and the way to make comparable what is not."""
    if len(trend) < 2:
        return
    trend_table(trend, [INDEX, HPMS] if measure == INDEX else [measure], survey_id)
    others = trend[trend["not_comparable"].notna()]
    if others.empty:
        return
    st.info(
        "What is not comparable may differ by the analysis, not by the road. Analyse those surveys again "
        f"with {plain(checkpoint or 'the same checkpoint')} to compare them."
    )
    for row in others.to_dict("records"):
        st.page_link(
            "views/survey.py",
            label=f"Analyse {plain(row['survey'])} again",
            icon=":material/replay:",
            query_params={"survey": str(row["survey_id"])},
        )
