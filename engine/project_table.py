"""A plan's projects as the table that pages and exports hand out as CSV (torch-free)."""

import csv
import io
from collections.abc import Iterable, Mapping
from math import isnan
from typing import Any

from engine.spreadsheets import plain_text, safe_cell

# Column and its pandas type; "object" is text.
PROJECT_COLUMNS = {
    "rank": "int64", "year": "int64", "treatment": "object", "section_keys": "object", "road": "object",
    "from_m": "float64", "to_m": "float64", "length_m": "float64", "area_m2": "float64",
    "fixed": "boolean", "preventive": "boolean",
    "cost": "float64", "mobilisation": "float64", "currency": "object",
    "benefit": "float64", "benefit_cost": "float64",
    "equivalent_annual_cost": "float64", "cost_of_delay": "float64", "index_before": "float64",
    "index_after": "float64", "stays_percent": "float64", "reason": "object",
}  # fmt: skip
BETWEEN_KEYS = "; "


def projects_csv(
    projects: Iterable[Mapping[Any, Any]],
    currency: str,
    provenance: Mapping[str, str],
    comments: Mapping[str, str] | None = None,
) -> bytes:
    """Projects as CSV: `PROJECT_COLUMNS` as in the exported projects.csv, then comments, then provenance.

    Args:
        projects: `PROJECT_COLUMNS` of each but currency; section_keys a sequence. Others are left out.
        currency: of all money.
        provenance: what they were made from; its values are repeated in each row.
        comments: of people by section key; None: without that column.

    Returns:
        UTF-8 with the mark that makes spreadsheets read it as such; a spreadsheet runs no text of it.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    told = () if comments is None else ("comments",)
    writer.writerow([*PROJECT_COLUMNS, *told, *provenance])
    for project in projects:
        keys = [str(key) for key in project["section_keys"]]
        row = {**project, "section_keys": BETWEEN_KEYS.join(keys), "currency": currency}
        said = [" | ".join((comments or {})[key] for key in keys if key in (comments or {}))] if told else []
        cells = (*(row.get(name) for name in PROJECT_COLUMNS), *said, *provenance.values())
        writer.writerow([csv_cell(cell) for cell in cells])
    return out.getvalue().encode("utf-8-sig", "replace")


def csv_cell(value: Any) -> Any:
    """A cell of a CSV file: floats to 8 decimals, empty where not known, text that no program runs."""
    if isinstance(value, float):
        if isnan(value):
            return ""
        return f"{value:.8f}".rstrip("0").rstrip(".") if abs(value) < 1e15 else value
    return safe_cell(plain_text(value)) if isinstance(value, str) else value
