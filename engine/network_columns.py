"""Finds the attributes of road sections under the column names that agencies use (torch-free)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.errors import NetworkFileError

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
    "direction": ("direction", "dir", "traveldirection", "directionoftravel", "carriageway"),
    "lane": ("lane", "laneid", "laneno", "lanenumber", "lanename"),
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
# Attributes of a section that a file may give, in words; `from` and `to` are its chainage.
FIELDS = {
    "section_key": "Section id",
    "road": "Road",
    "from": "From (chainage)",
    "to": "To (chainage)",
    "functional_class": "Class",
    "surface": "Surface",
    "direction": "Direction",
    "lane": "Lane",
    "lanes": "Lanes",
    "lane_width_m": "Lane width (m)",
    "aadt": "AADT",
}
# Least and greatest value that makes sense.
RANGES = {"lanes": (1, 30), "lane_width_m": (1, 30), "aadt": (0, 1_000_000)}
TEXT_LENGTHS = {"functional_class": 100, "surface": 100, "direction": 50, "lane": 50}
DIRECTIONS = {
    "ascending": ("ascending", "asc", "increasing", "incr", "inc", "forward", "positive", "crescente"),
    "descending": ("descending", "desc", "decreasing", "decr", "dec", "backward", "negative", "decrescente"),
    "both": ("both", "bothways", "bidirectional", "twoway"),
}


@dataclass(frozen=True)
class SectionColumns:
    """Attributes by row of the file; None or NaN where the file has none.

    Attributes:
        names: attribute -> the column it was taken from, None where there is none.
        chainage_from: in the file's own unit; chainage_to likewise.
        chainage_unit_m: metres per unit of chainage, None where the column's name does not say.
    """

    names: dict[str, str | None]
    section_key: "pd.Series[str]"
    road: "pd.Series[str]"
    chainage_from: "pd.Series[float]"
    chainage_to: "pd.Series[float]"
    chainage_unit_m: float | None
    functional_class: list[str | None]
    surface: list[str | None]
    direction: list[str | None]
    lane: list[str | None]
    lanes: list[int | None]
    lane_width_m: list[float | None]
    aadt: list[int | None]


def match_columns(
    frame: gpd.GeoDataFrame,
    problems: list[str],
    name: str = "The file",
    chosen: Mapping[str, str | None] | None = None,
    chainage_unit: str | None = None,
) -> SectionColumns:
    """Pick each attribute from the column chosen for it, else from the first whose name is known.

    Args:
        frame: the file's features.
        problems: gets a sentence for each thing that is missing or left out.
        name: of the file, for messages.
        chosen: attribute of `FIELDS` -> column, None for none.
        chainage_unit: of `UNITS_M`; None where the column's name or the lines are to tell.

    Raises:
        NetworkFileError: a chosen column, attribute or unit does not exist.
    """
    found, unit_m = _found(frame, name, chosen or {}, chainage_unit)

    def text(field: str) -> list[str | None]:
        column = found[field]
        return [None] * len(frame) if column is None else [plain_text(value) for value in frame[column]]

    roads = [road or "unnamed" for road in text("road")]
    keys = [key or f"{roads[i]}-{i + 1:04d}" for i, key in enumerate(text("section_key"))]
    if found["section_key"] is None:
        problems.append("No column with a section id: ids were made from road and row number.")
    if found["road"] is None:
        problems.append("No column with the road's name: all sections are of one road, 'unnamed'.")

    def numbers(field: str) -> list[float | None]:
        column = found[field]
        return [None] * len(frame) if column is None else _numbers(frame[column], field, keys, problems)

    return SectionColumns(
        names=found,
        section_key=pd.Series(keys, dtype=object),
        road=pd.Series(roads, dtype=object),
        chainage_from=_chainage(frame, found["from"], keys, problems),
        chainage_to=_chainage(frame, found["to"], keys, problems),
        chainage_unit_m=unit_m,
        functional_class=text("functional_class"),
        surface=text("surface"),
        direction=[direction_word(word) for word in text("direction")],
        lane=[word and word[: TEXT_LENGTHS["lane"]] for word in text("lane")],
        lanes=_whole(numbers("lanes")),
        lane_width_m=numbers("lane_width_m"),
        aadt=_whole(numbers("aadt")),
    )


def direction_word(text: str | None) -> str | None:
    """`ascending`, `descending` or `both` where the text is a known word for it, else the text itself."""
    if text is None:
        return None
    plain = "".join(c for c in text.lower() if c.isalnum())
    known = (word for word, others in DIRECTIONS.items() if plain in others)
    return next(known, text[: TEXT_LENGTHS["direction"]])


def _found(
    frame: gpd.GeoDataFrame, name: str, chosen: Mapping[str, str | None], chainage_unit: str | None
) -> tuple[dict[str, str | None], float | None]:
    """Attribute -> column, and metres per unit of chainage where that is known."""
    columns = [str(column) for column in frame.columns if column != frame.geometry.name]
    for field, column in chosen.items():
        if field not in FIELDS:
            raise NetworkFileError(
                f"{field!r} is no attribute of a section.", f"Give one of: {', '.join(FIELDS)}."
            )
        if column is not None and column not in columns:
            raise NetworkFileError(f"{name} has no column {column!r}.", f"It has: {', '.join(columns)}.")
    if chainage_unit is not None and chainage_unit not in UNITS_M:
        raise NetworkFileError(
            f"{chainage_unit!r} is no unit of chainage.", f"Give one of: {', '.join(UNITS_M)}."
        )
    plain = {_plain(column): column for column in columns}
    found = {field: _first(plain, names) for field, names in NAMES.items()}
    found["from"], found["to"] = _first(plain, list(FROM_NAMES)), _first(plain, list(TO_NAMES))
    found |= chosen
    if chainage_unit is not None:
        unit_m: float | None = UNITS_M[chainage_unit]
    else:
        from_unit_m, to_unit_m = (
            names.get(_plain(found[end] or "")) for end, names in (("from", FROM_NAMES), ("to", TO_NAMES))
        )
        unit_m = from_unit_m if from_unit_m == to_unit_m else None
    return {field: found[field] for field in FIELDS}, unit_m


def _plain(column: str) -> str:
    return "".join(c for c in column.lower() if c.isalnum())


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


def _numbers(
    column: "pd.Series[Any]", field: str, keys: Sequence[str], problems: list[str]
) -> list[float | None]:
    """Values in their range; what else the column holds is left out and said."""
    lowest, highest = RANGES[field]
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    good = (values >= lowest) & (values <= highest)
    wrong = np.flatnonzero(~good & np.array([plain_text(value) is not None for value in column]))
    if len(wrong):
        problems.append(
            f"Column {column.name}: {len(wrong)} values are not {lowest:,} to {highest:,} and were left out "
            f"({_examples(column, wrong, keys)})."
        )
    return [float(value) if ok else None for value, ok in zip(values, good, strict=True)]


def _examples(column: "pd.Series[Any]", rows: npt.NDArray[np.int64], keys: Sequence[str]) -> str:
    shown = [f"{keys[row]}: {plain_text(column.iloc[row])}" for row in rows[:3]]
    return "; ".join(shown) + ("; ..." if len(rows) > 3 else "")


def _chainage(
    frame: gpd.GeoDataFrame, column: str | None, keys: Sequence[str], problems: list[str]
) -> "pd.Series[float]":
    if column is None:
        return pd.Series(np.full(len(frame), np.nan))
    values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    wrong = np.flatnonzero(
        ~np.isfinite(values) & np.array([plain_text(value) is not None for value in frame[column]])
    )
    if len(wrong):
        problems.append(
            f"Column {column}: {len(wrong)} chainages are no numbers "
            f"({_examples(frame[column], wrong, keys)})."
        )
    return pd.Series(np.where(np.isfinite(values), values, np.nan))


def plain_text(value: object) -> str | None:
    """A value as text that can be stored, at most `MAX_TEXT` characters; None where there is nothing."""
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    # NUL cannot be stored in PostgreSQL, and other control characters mean nothing in a name.
    text = "".join(c for c in str(value) if c.isprintable()).strip()
    return text[:MAX_TEXT] or None


def _whole(values: list[float | None]) -> list[int | None]:
    return [None if value is None else round(value) for value in values]
