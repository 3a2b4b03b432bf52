"""The strip map: a section laid out along its chainage, from its sample units to its photos."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from plotly.subplots import make_subplots

from app.components.measures import (
    GRADE_COLOURS,
    INDEX,
    Measure,
    colour_of,
    measure_classes,
)
from app.components.text import chainage, number, words
from engine.vocabulary import DistressType, Severity

INK, GREY, PAPER = "#2b3a48", "#5b6b7a", "#f7f9fb"
# Told apart by shape as well as by colour.
SEVERITY_MARKS = {
    Severity.LOW: ("#fde725", "circle"),
    Severity.MEDIUM: ("#21918c", "diamond"),
    Severity.HIGH: ("#440154", "square"),
    Severity.NOT_MEASURABLE: (INK, "circle-open"),
}
ROW_PX = {"units": 58, "measure": 170, "type": 34, "axis": 46}


def strip_map(
    photos: pd.DataFrame,
    distresses: pd.DataFrame,
    units: Sequence[dict[str, Any]],
    measure: Measure,
    largest: float,
    ends_m: tuple[float, float],
    key: str,
) -> int | None:
    """Draw the section from end to end; returns the id of a clicked photo.

    Args:
        photos: `data.section_photos`.
        distresses: `section_data.photo_distresses`; may be empty.
        units: sample units of the roll-up; empty without metres.
        measure: of the photos: m/m² or the share of the picture.
        largest: value that the colours of the photos must reach.
        ends_m: chainage of both ends.
        key: names the chart.
    """
    known = photos.dropna(subset=["chainage_m", measure.column])
    if known.empty:
        st.caption("No photo of this section has been analysed yet.")
        return None
    kinds = [kind for kind in DistressType if kind in set(distresses["kind"])]
    parts = ["units"] * bool(units) + ["measure"] + ["types"] * bool(kinds)
    heights = {**ROW_PX, "types": ROW_PX["type"] * (len(kinds) + 1)}
    total = sum(heights[part] for part in parts)
    figure = make_subplots(
        rows=len(parts), cols=1, shared_xaxes=True, vertical_spacing=18 / (total + 18 * len(parts)),
        row_heights=[heights[part] / total for part in parts],
    )  # fmt: skip
    for row, part in enumerate(parts, start=1):
        if part == "units":
            _draw_units(figure, row, units, ends_m)
        elif part == "measure":
            _draw_measure(figure, row, known, units, measure, largest)
        else:
            _draw_types(figure, row, distresses.dropna(subset=["chainage_m"]), kinds)
    figure.update_xaxes(
        range=list(ends_m), fixedrange=True, showgrid=True, gridcolor="#e3e8ee", zeroline=False,
        showline=True, linecolor="#cfd8e1", tickformat=",d",
    )  # fmt: skip
    figure.update_xaxes(title="Chainage (m)", row=len(parts), col=1)
    figure.update_yaxes(fixedrange=True, zeroline=False)
    figure.update_layout(
        height=total + 18 * len(parts) + ROW_PX["axis"] + 40, margin={"l": 10, "r": 10, "t": 34, "b": 8},
        plot_bgcolor=PAPER, clickmode="event+select", hovermode="closest", dragmode=False, bargap=0,
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom", "title": ""},
    )  # fmt: skip
    chosen = st.plotly_chart(
        figure, key=key, on_select="rerun", selection_mode="points", config={"displayModeBar": False}
    )
    points = [point for point in chosen["selection"]["points"] if point.get("customdata")]
    return _first_id(points[0]["customdata"]) if points else None


def _first_id(custom: Any) -> int:
    """Plotly hands a single value on as it is, or in a list."""
    return int(custom[0] if isinstance(custom, list | tuple) else custom)


def _draw_units(
    figure: go.Figure, row: int, units: Sequence[dict[str, Any]], ends_m: tuple[float, float]
) -> None:
    """The sample units as a band; where none is, nothing was surveyed."""
    steps = measure_classes(INDEX, 100)
    low, high = sorted(ends_m)
    figure.add_trace(
        go.Bar(
            x=[(low + high) / 2], y=[1], width=[high - low], hovertext=["Not surveyed"],
            marker={"color": "#ffffff", "line": {"color": "#cfd8e1", "width": 1},
                    "pattern": {"shape": "/", "fgcolor": "#cfd8e1", "size": 6}},
            hovertemplate="%{hovertext}<extra></extra>", showlegend=False,
        ), row=row, col=1,
    )  # fmt: skip
    values = [unit.get("condition_index") for unit in units]
    colours = [colour_of(value, steps) for value in values]
    dark = {GRADE_COLOURS["fair"], GRADE_COLOURS["poor"]}
    figure.add_trace(
        go.Bar(
            x=[(unit["from_m"] + unit["to_m"]) / 2 for unit in units],
            y=[1] * len(units),
            width=[abs(unit["to_m"] - unit["from_m"]) for unit in units],
            marker={"color": colours, "line": {"color": INK, "width": 1}},
            text=[number(value, 0) for value in values], textposition="inside", insidetextanchor="middle",
            textangle=0, constraintext="none",
            textfont={"color": ["#fff" if colour in dark else INK for colour in colours], "size": 13},
            hovertext=[unit_words(unit) for unit in units],
            hovertemplate="%{hovertext}<extra></extra>", showlegend=False,
        ), row=row, col=1,
    )  # fmt: skip
    figure.update_layout(barmode="overlay")
    figure.update_yaxes(
        range=[0, 1], tickvals=[0.5], ticktext=["Condition<br>index"], showgrid=False, row=row, col=1
    )


def unit_words(unit: dict[str, Any]) -> str:
    """A sample unit in the lines of a tooltip."""
    share = unit.get("surveyed_share")
    lines = [
        f"<b>{chainage(unit['from_m'])} to {chainage(unit['to_m'])}</b>",
        f"Condition index {number(unit.get('condition_index'), 0)}",
        f"Crack density {number(unit.get('crack_density_m_per_m2'), 2, 'm/m²')}",
        f"HPMS cracking {number(unit.get('hpms_cracking_percent'), 0, '%')}",
        f"{unit['images']:,} photos, {number(unit.get('surveyed_area_m2'), 1, 'm²')}"
        + ("" if share is None else f", {share:.0%} of its length"),
    ]
    return "<br>".join(lines)


def _draw_measure(
    figure: go.Figure,
    row: int,
    known: pd.DataFrame,
    units: Sequence[dict[str, Any]],
    measure: Measure,
    largest: float,
) -> None:
    """A stem with its interval at each photo, and the sample units' values as steps."""
    steps = measure_classes(measure, largest)
    records = known.to_dict("records")
    low, high = (known[end] for end in measure.ends)
    figure.add_trace(
        go.Bar(
            x=known["chainage_m"], y=known[measure.column], width=0.0,
            marker={"line": {"color": GREY, "width": 1.2}}, hoverinfo="skip", showlegend=False,
        ), row=row, col=1,
    )  # fmt: skip
    figure.add_trace(
        go.Scatter(
            x=known["chainage_m"], y=known[measure.column], mode="markers", cliponaxis=False,
            marker={"color": [colour_of(value, steps) for value in known[measure.column]], "size": 10,
                    "line": {"color": INK, "width": 0.8}},
            error_y={"type": "data", "symmetric": False, "width": 4, "thickness": 1.4, "color": INK,
                     "array": (high - known[measure.column]).fillna(0),
                     "arrayminus": (known[measure.column] - low).fillna(0)},
            customdata=known["id"],
            hovertext=[f"<b>{chainage(row['chainage_m'])}</b><br>{measure.shown(row)}" for row in records],
            hovertemplate="%{hovertext}<extra></extra>", showlegend=False,
        ), row=row, col=1,
    )  # fmt: skip
    x, y = unit_steps(units, measure.column)
    if x:
        figure.add_trace(
            go.Scatter(x=x, y=y, mode="lines", line={"color": INK, "width": 2}, hoverinfo="skip",
                       connectgaps=False, name="Mean of the sample unit", showlegend=False),
            row=row, col=1,
        )  # fmt: skip
    figure.update_yaxes(
        rangemode="tozero", title=measure.name.replace(" (", "<br>("), gridcolor="#e3e8ee", row=row, col=1
    )


def unit_steps(units: Sequence[dict[str, Any]], column: str) -> tuple[list[float | None], list[float | None]]:
    """Corners of the line that holds each unit's value over its length; broken between the units."""
    x: list[float | None] = []
    y: list[float | None] = []
    for unit in units:
        if unit.get(column) is not None:
            x += [unit["from_m"], unit["to_m"], None]
            y += [unit[column], unit[column], None]
    return x, y


def _draw_types(figure: go.Figure, row: int, distresses: pd.DataFrame, kinds: Sequence[DistressType]) -> None:
    """A mark for each type and severity on each photo, as large as its length."""
    grouped = (
        distresses.groupby(["id", "chainage_m", "kind", "severity"], as_index=False)
        .agg(length_m=("length_m", "sum"), area_m2=("area_m2", "sum"), count=("count", "sum"))
    )  # fmt: skip
    longest = max(float(grouped["length_m"].max()), 1e-9)
    places = mark_places(grouped, kinds)
    for severity, (colour, shape) in SEVERITY_MARKS.items():
        some = grouped[grouped["severity"] == severity]
        if some.empty:
            continue
        figure.add_trace(
            go.Scatter(
                x=some["chainage_m"], y=[places[kind, severity] for kind in some["kind"]], mode="markers",
                name=words(severity),
                marker={"color": colour, "symbol": shape, "line": {"color": INK, "width": 1}, "opacity": 1,
                        "size": 5 + 9 * (some["length_m"] / longest) ** 0.5},
                customdata=some["id"], cliponaxis=False,
                hovertext=[_mark_words(each) for each in some.to_dict("records")],
                hovertemplate="%{hovertext}<extra></extra>",
            ), row=row, col=1,
        )  # fmt: skip
    figure.update_yaxes(
        tickvals=list(range(len(kinds))), ticktext=[words(kind) for kind in reversed(kinds)],
        range=[-0.6, len(kinds) - 0.4], gridcolor="#e3e8ee", row=row, col=1,
    )  # fmt: skip


def mark_places(distresses: pd.DataFrame, kinds: Sequence[DistressType]) -> dict[tuple[str, str], float]:
    """Height of each type and severity: a row a type, its severities one over the other in it."""
    places = {}
    for at, kind in enumerate(reversed(kinds)):
        known = set(distresses.loc[distresses["kind"] == kind, "severity"])
        found = [severity for severity in SEVERITY_MARKS if severity in known]
        for number_of, severity in enumerate(found):
            places[str(kind), str(severity)] = at + ((len(found) - 1) / 2 - number_of) * 0.8 / len(found)
    return places


def _mark_words(mark: dict[Any, Any]) -> str:
    return (
        f"<b>{chainage(mark['chainage_m'])}</b><br>{words(mark['kind'])}, {words(mark['severity']).lower()}"
        f"<br>{number(mark['length_m'], 2, 'm')}, {number(mark['area_m2'], 2, 'm²')}, {mark['count']:,} found"
    )


def strip_legend(measure: Measure, has_units: bool, has_types: bool) -> str:
    """What the strip shows, in words."""
    parts = []
    if has_units:
        good, poor = INDEX.good_fair_poor or (0, 0)
        parts.append(
            f"Band: sample units by condition index, pale from {good:g} (good), green-blue from {poor:g} "
            "(fair), dark below (poor), hatched where nothing was surveyed."
        )
    parts.append(f"Stems: {measure.caption.lower()} of each photo with its interval.")
    if has_units:
        parts.append("Line: the sample unit's value.")
    if has_types:
        parts.append(
            "Marks: distresses of each photo, larger for more metres, by severity in shape and colour."
        )
    return " ".join([*parts, "A click on a point opens its photo."])
