"""Numbers with their units, and text that is safe where it lands."""

import math
from datetime import timedelta

MISSING = "–"
_POPUP = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
    "`": "&#96;",
    "$": "&#36;",
    "{": "&#123;",
    "}": "&#125;",
    "\\": "&#92;",
    "\u2028": " ",
    "\u2029": " ",
    "\0": "",
}


def popup_text(text: str) -> str:
    """Text for a folium popup or tooltip.

    folium puts it inside a JavaScript template literal as HTML: escaping HTML alone leaves `${…}` live.
    """
    return "".join(_POPUP.get(char, char) for char in text)


def number(value: float | None, digits: int, unit: str = "") -> str:
    """`1,234.5 m`, or a dash where there is nothing."""
    if value is None or math.isnan(value):
        return MISSING
    return f"{value:,.{digits}f} {unit}".rstrip()


def interval(low: float | None, high: float | None, digits: int) -> str:
    """`0.31 to 0.58`, or a dash where there is none."""
    ends = number(low, digits), number(high, digits)
    return MISSING if MISSING in ends else " to ".join(ends)


def with_interval(
    value: float | None, low: float | None, high: float | None, digits: int, unit: str = ""
) -> str:
    """`0.42 % (0.31 to 0.58)`; a dash for what there is not."""
    shown = number(value, digits, unit)
    return shown if shown == MISSING else f"{shown} ({interval(low, high, digits)})"


def chainage(metres: float | None) -> str:
    """Metres along the road as engineers write them: `km 13+170`."""
    if metres is None or math.isnan(metres):
        return MISSING
    whole = round(metres)
    sign = "-" if whole < 0 else ""
    return f"km {sign}{abs(whole) // 1000}+{abs(whole) % 1000:03d}"


def duration(seconds: float) -> str:
    """`45 s`, `3 min`, `2 h 05 min`."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def size(count: float) -> str:
    """Bytes as people read them."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:,.0f} {unit}"
        count /= 1000
    return f"{count:,.1f} GB"


def words(code: str) -> str:
    """`off_network` -> `Off network`."""
    return code.replace("_", " ").capitalize()


def ago(age: timedelta) -> str:
    return f"{duration(age.total_seconds())} ago"
