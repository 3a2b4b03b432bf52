"""Deterioration as a CSV table that an agency edits (torch-free)."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from engine.csv_rows import rows_from_csv
from engine.deterioration import CURVE_COLUMNS, Deterioration, curves_from_rows

COLUMNS = (*CURVE_COLUMNS, "source")
USUAL = tuple(
    (road, surface)
    for road in ("arterial", "collector", "local", None)
    for surface in (None, "chip seal", "slurry seal", "concrete")
)
"""Classes and surfaces that have their own assumed curve; None: any other."""


def curves_to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of `engine.deterioration.assumed_rows` as CSV."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for row in rows:
        writer.writerow({**row, "over_fitted": "yes" if row.get("over_fitted") else "no"})
    return out.getvalue()


def curves_from_csv(text: str) -> tuple[Deterioration, ...]:
    """Read curves; `life_years` is needed, empty cells take the default.

    Raises:
        SettingsError: as `engine.deterioration.curves_from_rows`, or it is no such table.
    """
    remedy = "Write one with `pavescope curves FILE.csv`, edit that and give it again."
    return curves_from_rows(rows_from_csv(text, COLUMNS, ("life_years",), "deterioration", remedy))
