"""The tables of an export as rows of plain values, some at a time, and what their columns are called."""

from collections.abc import Iterator, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from engine.project_table import PROJECT_COLUMNS
from engine.spreadsheets import plain_text
from jobs.export.data import (
    DISTRESS_COLUMNS,
    PHOTO_COLUMNS,
    SECTION_COLUMNS,
    UNIT_COLUMNS,
    ExportData,
)
from jobs.export.fields import field

ROWS_AT_ONCE = 5_000
ENDS_OF_LINE = ("start_longitude", "start_latitude", "end_longitude", "end_latitude")
POINT = ("longitude", "latitude")
TABLES: dict[str, tuple[str, ...]] = {
    "sections": (*SECTION_COLUMNS, *ENDS_OF_LINE),
    "projects": tuple(PROJECT_COLUMNS),
    "distresses": (*DISTRESS_COLUMNS, *POINT),
    "photos": (*PHOTO_COLUMNS, *POINT),
    "units": tuple(UNIT_COLUMNS),
}
"""Columns of each table of `ExportData`, places as longitude and latitude."""
OWN_WORDS = {
    "longitude": ("degrees", "WGS84 longitude; of a distress that of its middle"),
    "latitude": ("degrees", "WGS84 latitude; of a distress that of its middle"),
    "start_longitude": ("degrees", "WGS84 longitude where the section's line starts"),
    "start_latitude": ("degrees", "WGS84 latitude where the section's line starts"),
    "end_longitude": ("degrees", "WGS84 longitude where the section's line ends"),
    "end_latitude": ("degrees", "WGS84 latitude where the section's line ends"),
    "unit": ("", "number of the sample unit along rising chainage"),
}
UNIT_ENDINGS = (
    "_m_per_m2", "_mm_per_px", "_percent", "_deg", "_m2", "_mm", "_px", "_m",
)  # fmt: skip
HEADINGS = {
    "benefit_cost": "Benefit per 1,000 of cost", "captured_at": "Captured at (UTC)", "images": "Photos",
    "stays_percent": "Stays planned (%)", "unit": "Sample unit", "planned_year": "Planned year",
    "year": "Year", "fixed": "Pinned", "class_words": "Condition class in words", "later_year": "Later year",
}  # fmt: skip
WRITTEN_SO = {"aadt": "AADT", "paser": "PASER", "hpms": "HPMS", "gsd": "GSD", "p95": "95th percentile"}


def unit_of(column: str) -> str:
    """Unit of a column in words or signs, "" where it has none."""
    return OWN_WORDS[column][0] if column in OWN_WORDS else field(column)[1]


def meaning_of(column: str) -> str:
    """What a column says, in a few words."""
    return OWN_WORDS[column][1] if column in OWN_WORDS else field(column)[2]


def heading(column: str, currency: str = "") -> str:
    """A column's name for people, with its unit: "Crack density low (m/m²)"."""
    if column in HEADINGS:
        return HEADINGS[column]
    name, end = column, ""
    for ending in ("_low", "_high"):
        if name.endswith(ending):
            name, end = name.removesuffix(ending), ending.replace("_", " ")
    name = next((name.removesuffix(unit) for unit in UNIT_ENDINGS if name.endswith(unit)), name)
    words = " ".join(WRITTEN_SO.get(word, word) for word in name.split("_")) + end
    unit = unit_of(column).replace("m2", "m²")
    if "currency" in unit:
        unit = f"{currency}{' per year' if 'per year' in unit else ''}".strip()
    return f"{words[0].upper()}{words[1:]}" + (f" ({unit})" if unit else "")


def rows_of(data: ExportData, name: str) -> Iterator[list[tuple[Any, ...]]]:
    """Rows of a table of `TABLES`: None, str, int or float in each cell."""
    whole: pd.DataFrame = getattr(data, name)
    for start in range(0, len(whole), ROWS_AT_ONCE):
        part = whole.iloc[start : start + ROWS_AT_ONCE]
        places = _places(part) if isinstance(part, gpd.GeoDataFrame) else {}
        columns = [places[column] if column in places else _plain(part[column]) for column in TABLES[name]]
        yield list(zip(*columns, strict=True))


def _plain(column: "pd.Series[Any]") -> list[Any]:
    """Python's own numbers and clean text; None where nothing is known."""
    values = column.astype("object").where(column.notna(), None).tolist()
    return [plain_text(value) if isinstance(value, str) else value for value in values]


def _places(part: gpd.GeoDataFrame) -> dict[str, Sequence[float | None]]:
    shapes = part.geometry.to_numpy()
    middle = _coordinates(shapely.centroid(shapes))
    # Of anything but a line there is no such point.
    ends = [_coordinates(shapely.get_point(shapes, place)) for place in (0, -1)]
    return dict(zip((*POINT, *ENDS_OF_LINE), (*middle, *ends[0], *ends[1]), strict=True))


def _coordinates(points: Any) -> tuple[list[float | None], list[float | None]]:
    known = np.where(shapely.is_empty(points), None, points)
    longitudes, latitudes = (
        [None if np.isnan(value) else round(float(value), 8) for value in read(known)]
        for read in (shapely.get_x, shapely.get_y)
    )
    return longitudes, latitudes
