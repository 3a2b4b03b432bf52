"""A set of treatments as a table: its columns in plain words, and what is wrong with its rows."""

import re
from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st
from pandas.api.types import is_list_like

from app.components.text import words
from engine.errors import EngineError
from engine.treatments import (
    COLUMNS,
    LIST_SEPARATOR,
    UNITS,
    Treatment,
    check_treatments,
    treatments_from_rows,
)
from engine.vocabulary import DistressType, Severity

LABELS = {
    "name": "Treatment",
    "unit_cost": "Unit cost",
    "unit": "Per",
    "life_years": "Life (years)",
    "index_min": "Index from",
    "index_max": "Index to",
    "kinds": "Distress",
    "severities": "Severity",
    "density_min_percent": "Density from (%)",
    "density_max_percent": "Density to (%)",
    "functional_classes": "Classes",
    "surfaces": "Surfaces",
    "aadt_min": "AADT from",
    "aadt_max": "AADT to",
    "excluded_kinds": "Not on",
    "excluded_over_percent": "Not over (%)",
    "reset_index": "Reset index",
    "slope_factor": "Slope factor",
    "min_project_m": "Shortest project (m)",
    "mobilisation_cost": "Mobilisation",
    "preventive": "Preventive",
    "source": "Source",
}
HELP = {
    "name": "Name, unique in the set.",
    "unit_cost": "Money for one unit, in the currency that the plan is made in. Empty: not entered yet.",
    "unit": "What one unit cost pays for.",
    "life_years": "1 to 60 whole years that the effect counts for. A section is not treated again before.",
    "index_min": "0 to 100: used from this condition index (100 is a road without cracks) ...",
    "index_max": "0 to 100: ... up to this one, at the time of treatment.",
    "kinds": "Distress of which one must be there. Empty: any.",
    "severities": "Severity that this distress must have. Empty: any.",
    "density_min_percent": "0 to 100 %: how much of this distress must be there (D6433 density) ...",
    "density_max_percent": "0 to 100 %: ... and up to how much of it; 100 is no limit.",
    "functional_classes": "Classes of road that it is for, as the road network names them. Empty: all.",
    "surfaces": "Pavements that it is for, as the road network names them. Empty: all.",
    "aadt_min": "Vehicles a day from which it is used.",
    "aadt_max": "Vehicles a day up to which it is used. Empty: no limit.",
    "excluded_kinds": "Distress on which it is no use, as crack seal on alligator cracking.",
    "excluded_over_percent": "0 to 100 %: density of the distress under “Not on” that is still borne.",
    "reset_index": "0 to 100: condition index just after, never lower than before. Empty: unchanged.",
    "slope_factor": "0 to 1: how fast the section ages in that time; 1 as before, 0.65 at 65 %, 0: not.",
    "min_project_m": "Metres; no shorter project is planned.",
    "mobilisation_cost": "Money for each project, whatever its length.",
    "preventive": "Counts towards the preventive share of a plan.",
    "source": "Where the numbers come from; “assumed” where from nowhere.",
}
UNIT_WORDS = {
    "m2": "m² of road",
    "yd2": "yd² of road",
    "m": "m of road",
    "ft": "ft of road",
    "crack_m": "m of crack",
    "crack_ft": "ft of crack",
}
UNITS_SAID = {
    "m2": "m²",
    "yd2": "yd²",
    "m": "metre",
    "ft": "foot",
    "crack_m": "crack metre",
    "crack_ft": "crack foot",
}
LISTS = ("kinds", "severities", "functional_classes", "surfaces", "excluded_kinds")
TEXTS = ("name", "unit", "source")
WHOLE = ("life_years", "aadt_min", "aadt_max")
# Of a row that is added; the rest stays empty and has to be entered.
DEFAULTS = {
    "index_min": 0.0,
    "index_max": 100.0,
    "density_min_percent": 0.0,
    "density_max_percent": 100.0,
    "aadt_min": 0,
    "excluded_over_percent": 0.0,
    "slope_factor": 1.0,
    "min_project_m": 0.0,
    "mobilisation_cost": 0.0,
    "preventive": False,
}
FORMATS = {"unit_cost": "%,.2f", "mobilisation_cost": "%,.0f", "aadt_min": "%,d", "aadt_max": "%,d"}
_CODES = re.compile(r"\b(" + "|".join([*(code for code in LABELS if "_" in code), "severities"]) + r")\b")
_PER_UNIT = re.compile(r"\bper (" + "|".join(UNITS_SAID) + r")\b")


def table_of(treatments: Sequence[Treatment]) -> pd.DataFrame:
    """One row a treatment, the columns of `engine.treatments.COLUMNS`; lists stay lists."""
    table = pd.DataFrame(
        [{column: _shown(getattr(treatment, column)) for column in COLUMNS} for treatment in treatments],
        columns=list(COLUMNS),
    )
    numbers = [column for column in COLUMNS if column not in (*LISTS, *TEXTS, *WHOLE, "preventive")]
    kinds = {**dict.fromkeys(TEXTS, "object"), **dict.fromkeys(WHOLE, "Int64"), "preventive": "boolean"}
    return table.astype({**kinds, **dict.fromkeys(numbers, "Float64")})


def _shown(value: Any) -> Any:
    return [str(part) for part in value] if isinstance(value, tuple) else value


def column_config(classes: Sequence[str] = (), surfaces: Sequence[str] = ()) -> dict[str, Any]:
    """Labels, help and choices of the columns.

    Args:
        classes: functional classes to choose from; others may be typed.
        surfaces: the same of pavements.
    """
    choices: dict[str, Sequence[str]] = {
        "kinds": [*DistressType],
        "excluded_kinds": [*DistressType],
        "severities": [*Severity],
        "functional_classes": classes,
        "surfaces": surfaces,
    }
    config: dict[str, Any] = {}
    for column in COLUMNS:
        about: dict[str, Any] = {"help": HELP[column], "default": DEFAULTS.get(column)}
        label = LABELS[column]
        if column in LISTS:
            free = column in ("functional_classes", "surfaces")
            config[column] = st.column_config.MultiselectColumn(
                label, help=HELP[column], options=choices[column], accept_new_options=free,
                format_func=str if free else words, width="medium",
            )  # fmt: skip
        elif column == "unit":
            config[column] = st.column_config.SelectboxColumn(
                label,
                help=HELP[column],
                options=list(UNITS),
                format_func=lambda unit: UNIT_WORDS[str(unit)],
                width=110,
            )
        elif column in TEXTS:
            config[column] = st.column_config.TextColumn(
                label,
                help=HELP[column],
                pinned=column == "name",
                width="large" if column == "source" else None,
            )
        elif column == "preventive":
            config[column] = st.column_config.CheckboxColumn(label, **about)
        else:
            config[column] = st.column_config.NumberColumn(label, format=FORMATS.get(column, "%g"), **about)
    return config


def options_of(treatments: Sequence[Treatment], column: str, known: Sequence[str] = ()) -> list[str]:
    """The words of a free list that the set uses, and those the networks know."""
    used = [word for treatment in treatments for word in getattr(treatment, column)]
    return list(dict.fromkeys([*known, *used]))


def read_table(table: pd.DataFrame) -> tuple[tuple[Treatment, ...], list[str]]:
    """The treatments of an edited table, and one sentence for each row that is none yet.

    Returns:
        treatments: of all rows, empty where there is a problem; problems: row and column in plain words.
    """
    treatments: list[Treatment] = []
    problems: list[str] = []
    for number, row in enumerate(table.to_dict("records"), start=1):
        try:
            treatments += treatments_from_rows([{str(key): _cell(value) for key, value in row.items()}])
        except EngineError as problem:
            said = plain_words(f"{problem.what} {problem.remedy}")
            problems.append(said.replace("Row 1 (", f"Row {number} (", 1))
    if not problems:
        try:
            check_treatments(treatments)
        except EngineError as problem:
            problems.append(plain_words(f"{problem.what} {problem.remedy}"))
    return (() if problems else tuple(treatments)), problems


def plain_words(text: str) -> str:
    """A message of the engine with columns named as the table names them, and units in words."""
    text = _PER_UNIT.sub(lambda found: f"per {UNITS_SAID[found[1]]}", text)
    return _CODES.sub(lambda found: f"“{LABELS[found[1]]}”", text)


def _cell(value: Any) -> str:
    if is_list_like(value):
        return LIST_SEPARATOR.join(str(part) for part in value)
    if value is None or pd.isna(value):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def without_cost(treatments: Sequence[Treatment]) -> list[str]:
    """Names of the treatments that no plan can use yet."""
    return [treatment.name for treatment in treatments if treatment.unit_cost is None]
