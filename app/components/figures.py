"""A measure as a figure, with its interval under it."""

from collections.abc import Mapping
from typing import Any

from streamlit.delta_generator import DeltaGenerator

from app.components.measures import INTERVAL, Measure
from app.components.text import interval, number


def measure_figure(
    place: DeltaGenerator, label: str, measure: Measure, row: Mapping[Any, Any], more: str, remark: str = ""
) -> None:
    """Draw a row's value and interval; `more` ends the explanation, `remark` stands beside the interval."""
    low, high = (row[end] for end in measure.ends)
    place.metric(
        label,
        number(row[measure.column], measure.digits, measure.unit),
        delta=interval(low, high, measure.digits) + remark,
        delta_color="off",
        delta_arrow="off",
        border=True,
        height="stretch",
        help=f"{INTERVAL} {more}",
    )
