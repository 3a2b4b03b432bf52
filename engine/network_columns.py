"""Finds the attributes of road sections under the column names that agencies use (torch-free)."""

from collections.abc import Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

# First match wins; compared in lower case without spaces, dots, dashes and underscores.
NAMES = {
    "section_key": (
        "sectionid",
        "sectionkey",
        "section",
        "segmentid",
        "segment",
        "secid",
        "id",
        "name",
        "fid",
        "osmid",
    ),
    "road": ("road", "roadname", "route", "routeid", "rte", "street", "streetname", "highway", "ref"),
    "functional_class": (
        "functionalclass",
        "functionalsystem",
        "funcclass",
        "fsystem",
        "fclass",
        "roadclass",
        "class",
    ),
    "surface": ("surface", "surfacetype", "pavementtype", "pavetype", "material"),
    "lanes": ("lanes", "numlanes", "throughlanes", "nlanes", "lanecount"),
    "lane_width_m": ("lanewidthm", "lanewidth", "width"),
    "aadt": ("aadt", "adt", "traffic", "vmda"),
}
# Column name and metres per unit; None where the name does not say.
KM, MILE = 1000.0, 1609.344
FROM_NAMES = {
    **{
        "fromm": 1.0,
        "startm": 1.0,
        "fromkm": KM,
        "startkm": KM,
        "frommi": MILE,
        "beginmp": MILE,
        "bmp": MILE,
    },
    **dict.fromkeys(("begin", "beginpoint", "from", "start", "frommeasure"), None),
}
TO_NAMES = {
    **{"tom": 1.0, "endm": 1.0, "tokm": KM, "endkm": KM, "tomi": MILE, "endmp": MILE, "emp": MILE},
    **dict.fromkeys(("end", "endpoint", "to", "stop", "tomeasure"), None),
}
UNITS_M = {"metres": 1.0, "kilometres": KM, "miles": MILE, "feet": 0.3048}
MAX_TEXT = 100


@dataclass(frozen=True)
class SectionColumns:
    """Attributes by row of the file; None or NaN where the file has none.

    Attributes:
        chainage_from: in the file's own unit; chainage_to likewise.
        chainage_unit_m: metres per unit of chainage, None where the column's name does not say.
    """

    section_key: "pd.Series[str]"
    road: "pd.Series[str]"
    chainage_from: "pd.Series[float]"
    chainage_to: "pd.Series[float]"
    chainage_unit_m: float | None
    functional_class: list[str | None]
    surface: list[str | None]
    lanes: list[int | None]
    lane_width_m: list[float | None]
    aadt: list[int | None]


def match_columns(frame: gpd.GeoDataFrame, problems: list[str]) -> SectionColumns:
    """Pick each attribute from the first column whose name is known; add what is missing to `problems`."""
    plain = {"".join(c for c in str(column).lower() if c.isalnum()): column for column in frame.columns}
    found = {field: _first(plain, names) for field, names in NAMES.items()}
    from_column, from_unit = _first_with_unit(plain, FROM_NAMES)
    to_column, to_unit = _first_with_unit(plain, TO_NAMES)

    def text(field: str) -> list[str | None]:
        column = found[field]
        return [None] * len(frame) if column is None else [_text(value) for value in frame[column]]

    def numbers(field: str, lowest: float, highest: float) -> list[float | None]:
        column = found[field]
        if column is None:
            return [None] * len(frame)
        values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        wrong = np.isfinite(values) & ~((values >= lowest) & (values <= highest))
        if wrong.any():
            problems.append(
                f"Column {column}: {int(wrong.sum())} values outside {lowest:g} to {highest:g} left out."
            )
        good = np.isfinite(values) & ~wrong
        return [float(value) if ok else None for value, ok in zip(values, good, strict=True)]

    roads = [road or "unnamed" for road in text("road")]
    keys = [key or f"{roads[i]}-{i + 1:04d}" for i, key in enumerate(text("section_key"))]
    if found["section_key"] is None:
        problems.append("No column with a section id: ids were made from road and row number.")
    if found["road"] is None:
        problems.append("No column with the road's name: all sections are of one road, 'unnamed'.")
    return SectionColumns(
        section_key=pd.Series(keys, dtype=object),
        road=pd.Series(roads, dtype=object),
        chainage_from=_chainage(frame, from_column),
        chainage_to=_chainage(frame, to_column),
        chainage_unit_m=from_unit if from_unit == to_unit else None,
        functional_class=text("functional_class"),
        surface=text("surface"),
        lanes=_whole(numbers("lanes", 1, 30)),
        lane_width_m=numbers("lane_width_m", 1, 30),
        aadt=_whole(numbers("aadt", 0, 1_000_000)),
    )


def chainage_unit_m(
    spans: npt.NDArray[np.float64], lengths_m: npt.NDArray[np.float64], problems: list[str]
) -> float:
    """Metres per unit of chainage, from how chainage spans compare with the lines' own lengths."""
    if not len(spans):
        return 1.0
    ratio = float(np.median(lengths_m / spans))
    unit, metres = min(UNITS_M.items(), key=lambda item: abs(np.log(ratio / item[1])))
    if abs(np.log(ratio / metres)) > np.log(1.25):
        problems.append(
            f"Chainage does not fit the lines' lengths (a unit would be {ratio:.3g} m): taken as metres."
        )
        return 1.0
    if metres != 1.0:
        problems.append(f"Chainage fits the lines' lengths as {unit}: turned into metres.")
    return metres


def _first(plain: dict[str, str], names: Sequence[str]) -> str | None:
    return next((plain[name] for name in names if name in plain), None)


def _first_with_unit(
    plain: dict[str, str], names: dict[str, float | None]
) -> tuple[str | None, float | None]:
    return next(((plain[name], unit) for name, unit in names.items() if name in plain), (None, None))


def _chainage(frame: gpd.GeoDataFrame, column: str | None) -> "pd.Series[float]":
    if column is None:
        return pd.Series(np.full(len(frame), np.nan))
    values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    return pd.Series(np.where(np.isfinite(values), values, np.nan))


def _text(value: object) -> str | None:
    if value is None or (isinstance(value, float) and not np.isfinite(value)) or value is pd.NA:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    # NUL cannot be stored in PostgreSQL, and other control characters mean nothing in a name.
    text = "".join(c for c in str(value) if c.isprintable()).strip()
    return text[:MAX_TEXT] or None


def _whole(values: list[float | None]) -> list[int | None]:
    return [None if value is None else round(value) for value in values]
