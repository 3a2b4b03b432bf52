"""Maintenance treatments as editable data: cost, trigger, effect, life, exclusions; to and from CSV.

docs/guide/planning.md says what each column means. Torch-free.
"""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, TypeVar

from engine.csv_rows import rows_from_csv
from engine.errors import SettingsError
from engine.vocabulary import DistressType, Severity

FOOT_M = 0.3048
YARD2_M2 = 0.83612736
UNITS: dict[str, tuple[str, float]] = {
    "m2": ("area", 1.0),
    "yd2": ("area", YARD2_M2),
    "m": ("length", 1.0),
    "ft": ("length", FOOT_M),
    "crack_m": ("crack", 1.0),
    "crack_ft": ("crack", FOOT_M),
}
"""Unit of a cost -> (what is counted, how many m2 or m one unit is)."""
LARGEST_COST = 1e9
LONGEST_LIFE_YEARS = 60
MAX_TREATMENTS = 40
LIST_SEPARATOR = "|"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

Word = TypeVar("Word", bound=StrEnum)


@dataclass(frozen=True)
class Treatment:
    """One treatment; an empty tuple in a trigger means "any".

    Attributes:
        name: unique in its set.
        unit_cost: money for each `unit`, >= 0; None: not entered yet, no plan can be made with it.
        unit: of `UNITS`.
        life_years: years its effect is counted to last; the section is not treated again before.
        index_min: it triggers from this condition index ...
        index_max: ... up to this one, 0-100.
        kinds: distress that must be there; severities: of which severity.
        density_min_percent: how much of it, D6433 density in percent; density_max_percent: up to how much.
        functional_classes: roads it is for; surfaces: pavements it is for; case does not matter.
        aadt_min: vehicles a day from which it is used; aadt_max: up to which.
        excluded_kinds: distress on which it is no use ...
        excluded_over_percent: ... where its density is over this.
        reset_index: condition index just after (never lower than before); None: unchanged.
        slope_factor: how fast the section ages during `life_years`, 1 as before, 0 not at all.
        min_project_m: shortest project worth it.
        mobilisation_cost: money for each project, whatever its length.
        preventive: counts towards the preventive share.
        source: where the numbers come from; "assumed" where from nowhere.
    """

    name: str
    unit_cost: float | None
    unit: str
    life_years: int
    index_min: float = 0.0
    index_max: float = 100.0
    kinds: tuple[DistressType, ...] = ()
    severities: tuple[Severity, ...] = ()
    density_min_percent: float = 0.0
    density_max_percent: float = 100.0
    functional_classes: tuple[str, ...] = ()
    surfaces: tuple[str, ...] = ()
    aadt_min: int = 0
    aadt_max: int | None = None
    excluded_kinds: tuple[DistressType, ...] = ()
    excluded_over_percent: float = 0.0
    reset_index: float | None = None
    slope_factor: float = 1.0
    min_project_m: float = 0.0
    mobilisation_cost: float = 0.0
    preventive: bool = False
    source: str = ""


COLUMNS = tuple(field.name for field in fields(Treatment))
REQUIRED = ("name", "unit_cost", "unit", "life_years")
_WHOLE = ("life_years", "aadt_min", "aadt_max")
_FREE_LISTS = ("functional_classes", "surfaces")
_MAY_BE_EMPTY = ("unit_cost", "aadt_max", "reset_index")
_RANGES: dict[str, tuple[float, float]] = {
    "unit_cost": (0, LARGEST_COST),
    "life_years": (1, LONGEST_LIFE_YEARS),
    "index_min": (0, 100),
    "index_max": (0, 100),
    "density_min_percent": (0, 100),
    "density_max_percent": (0, 100),
    "aadt_min": (0, 1e7),
    "aadt_max": (0, 1e7),
    "excluded_over_percent": (0, 100),
    "reset_index": (0, 100),
    "slope_factor": (0, 1),
    "min_project_m": (0, 1e6),
    "mobilisation_cost": (0, LARGEST_COST),
}


def check_treatments(treatments: Sequence[Treatment]) -> None:
    """See that a set can be planned with, but for costs that are not entered yet.

    Raises:
        SettingsError: names the row (1 is the first treatment), the value and what to enter instead.
    """
    if not treatments:
        raise SettingsError("The set holds no treatment.", "Enter at least one, or take a ready set.")
    if len(treatments) > MAX_TREATMENTS:
        raise SettingsError(
            f"The set holds {len(treatments)} treatments, more than {MAX_TREATMENTS}.", "Leave some out."
        )
    rows: dict[str, int] = {}
    for row, treatment in enumerate(treatments, start=1):
        _check(treatment, f"Row {row} ({treatment.name or 'no name'})")
        twin = rows.setdefault(treatment.name.casefold(), row)
        if twin != row:
            raise SettingsError(
                f"Row {row} has the same name as row {twin}: {treatment.name}.", "Give each its own name."
            )


def check_costs(treatments: Sequence[Treatment]) -> None:
    """See that every unit cost is entered.

    Raises:
        SettingsError: names the first treatment without one.
    """
    for row, treatment in enumerate(treatments, start=1):
        if treatment.unit_cost is None:
            raise SettingsError(
                f"Row {row} ({treatment.name}) has no unit cost.",
                f"Enter your agency's cost per {treatment.unit}, or delete the row.",
            )


def _check(treatment: Treatment, where: str) -> None:
    name = treatment.name
    if not name.strip() or len(name) > 100 or any(ord(letter) < 32 for letter in name):
        raise SettingsError(f"{where}: the name is empty, too long or broken.", "Enter 1 to 100 letters.")
    for column in ("name", "source", "functional_classes", "surfaces"):
        value = getattr(treatment, column)
        if any(text.startswith(FORMULA_STARTS) for text in ([value] if isinstance(value, str) else value)):
            raise SettingsError(
                f"{where}: {column} begins like a spreadsheet formula.", "Begin it with a letter or digit."
            )
    if treatment.unit not in UNITS:
        raise SettingsError(
            f"{where}: unit {treatment.unit!r} is not known.", f"Use one of {', '.join(UNITS)}."
        )
    for column, (least, most) in _RANGES.items():
        value = getattr(treatment, column)
        if value is None and column in _MAY_BE_EMPTY:
            continue
        if not isinstance(value, int | float) or not math.isfinite(value) or not least <= value <= most:
            empty = ", or leave the cell empty" if column in _MAY_BE_EMPTY else ""
            raise SettingsError(
                f"{where}: {column} is {value}.", f"Enter a number from {least:,g} to {most:,g}{empty}."
            )
    if treatment.index_min > treatment.index_max:
        raise SettingsError(
            f"{where}: index_min {treatment.index_min:g} is over index_max {treatment.index_max:g}.",
            "Swap them.",
        )
    if treatment.density_min_percent > treatment.density_max_percent:
        raise SettingsError(
            f"{where}: density_min_percent {treatment.density_min_percent:g} is over density_max_percent "
            f"{treatment.density_max_percent:g}.",
            "Swap them.",
        )
    if treatment.aadt_max is not None and treatment.aadt_min > treatment.aadt_max:
        raise SettingsError(
            f"{where}: aadt_min {treatment.aadt_min} is over aadt_max {treatment.aadt_max}.", "Swap them."
        )
    if treatment.reset_index is None and treatment.slope_factor == 1:
        raise SettingsError(
            f"{where} has no effect.", "Enter a reset_index, or a slope_factor under 1 (0.6: ages at 60 %)."
        )


def treatments_from_csv(text: str) -> tuple[Treatment, ...]:
    """Read a set; columns as `COLUMNS`, in any order, those with a default may be missing.

    Args:
        text: CSV with a header; separated by commas, semicolons or tabs; lists within a cell by `|`.

    Raises:
        SettingsError: names the row (1 is the first below the header), the column and the remedy.
    """
    remedy = "Export a ready set, edit it and import that file."
    return treatments_from_rows(rows_from_csv(text, COLUMNS, REQUIRED, "treatments", remedy))


def treatments_from_rows(rows: Sequence[Mapping[str, Any]]) -> tuple[Treatment, ...]:
    """Make treatments of rows of a table, cells as text or as numbers; empty cells, None and NaN
    take the default.

    Raises:
        SettingsError: as `treatments_from_csv`.
    """
    if len(rows) > MAX_TREATMENTS:
        raise SettingsError(f"{len(rows)} treatments are more than {MAX_TREATMENTS}.", "Leave some out.")
    treatments = tuple(_from_row(row, number) for number, row in enumerate(rows, start=1))
    check_treatments(treatments)
    return treatments


def _from_row(row: Mapping[str, Any], number: int) -> Treatment:
    cells = {column: row.get(column) for column in COLUMNS}
    texts = {column: "" if _is_gap(cell) else str(cell).strip() for column, cell in cells.items()}
    where = f"Row {number} ({texts['name'] or 'no name'})"
    if None in row or any(row.get(column) is None for column in REQUIRED if column != "unit_cost"):
        raise SettingsError(
            f"{where} has more or fewer cells than the header.", "Put texts with separators in quotes."
        )
    values: dict[str, Any] = {}
    for column, text in texts.items():
        if column in ("name", "unit", "source"):
            values[column] = text
        elif not text or (column in _FREE_LISTS and text in ("nan", "None")):  # no road is of class "nan"
            if column in REQUIRED and column not in _MAY_BE_EMPTY:
                raise SettingsError(f"{where}: {column} is empty.", "Enter a number.")
            if column == "unit_cost":
                values[column] = None
        elif column == "kinds" or column == "excluded_kinds":
            values[column] = _words(text, DistressType, where, column)
        elif column == "severities":
            values[column] = _words(text, Severity, where, column)
        elif column in _FREE_LISTS:
            values[column] = tuple(part.strip() for part in text.split(LIST_SEPARATOR) if part.strip())
        elif column == "preventive":
            values[column] = _yes(text, where)
        else:
            values[column] = _number(text, where, column)
    return Treatment(**values)


def _is_gap(cell: Any) -> bool:
    """Tables in memory have NaN where nothing was entered; in a file "nan" is a text that somebody wrote."""
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def _number(text: str, where: str, column: str) -> float | int:
    try:
        value = float(text)
    except ValueError:
        empty = ", or leave the cell empty" if column in _MAY_BE_EMPTY else ""
        raise SettingsError(
            f"{where}: {column} is {text[:40]!r}, no number.", f"Enter digits with a decimal point{empty}."
        ) from None
    if column not in _WHOLE or not math.isfinite(value):
        return value
    if value != int(value):
        raise SettingsError(f"{where}: {column} is {text}.", "Enter a whole number.")
    return int(value)


def _words(text: str, words: type[Word], where: str, column: str) -> tuple[Word, ...]:
    parts = [part.strip().lower() for part in text.split(LIST_SEPARATOR) if part.strip()]
    try:
        return tuple(words(part) for part in parts)
    except ValueError as error:
        raise SettingsError(
            f"{where}: {column}: {error}.", f"Use {', '.join(words)}, several with | between them."
        ) from None


def _yes(text: str, where: str) -> bool:
    if text.lower() not in ("yes", "no", "true", "false", "1", "0"):
        raise SettingsError(f"{where}: preventive is {text[:40]!r}.", "Enter yes or no.")
    return text.lower() in ("yes", "true", "1")


def treatments_to_csv(treatments: Sequence[Treatment]) -> str:
    """Write a set so that `treatments_from_csv` gives the same one back."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for treatment in treatments:
        writer.writerow([_cell(getattr(treatment, column)) for column in COLUMNS])
    return out.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return LIST_SEPARATOR.join(str(part) for part in value)
    return repr(value) if isinstance(value, float) else str(value)
