"""Distresses by sample unit in the layout that pavement management systems import (PAVER, Cartegraph).

Both take an inspection as sample units with distress, severity and quantity after ASTM D6433. This is that as plain
lines, to be matched to the columns of the system at hand: each column holds one thing, and a quantity has its unit
beside it. It is no vendor's own file format. `inspections.csv`:

| column | |
|---|---|
| NetworkID, BranchID, SectionID | the network, the road and the agency's section key (PAVER's three; Cartegraph ID is SectionID) |
| InspectionDate | ISO 8601 |
| SampleNumber | along rising chainage from 1; gaps were not surveyed |
| SampleType | R, representative |
| SampleFrom_m, SampleTo_m | chainage |
| SampleSize, SampleSizeUnits | area that was surveyed, m2 |
| DistressCode, Distress | of D6433 for asphalt: 1 alligator, 3 block, 10 longitudinal and transverse, 13 potholes; none where nothing was found |
| Severity | L, M or H |
| Quantity, QuantityUnits | m2, m, or count |
| UngradedDistresses | lines of the same sample in `ungraded.csv`: it is worse than this file alone says |

What cannot be graded from photos, or has no D6433 code for asphalt, is in `ungraded.csv` with the reason, never
passed off as low. The outlines of alligator and block cracking may reach beyond what the photos show: where they
cover more than SampleSize together, each is lowered in proportion, in both files.
"""  # noqa: E501 - a table

import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from math import floor
from pathlib import Path
from typing import Any

import pandas as pd

from engine.errors import SettingsError
from engine.surfaces import is_asphalt
from engine.vocabulary import DistressType, Severity
from jobs.export.data import ExportData
from jobs.export.progress import Progress, no_progress
from jobs.export.tables import CsvFile, provenance_lines, write_text

DIGITS = 3
"""Decimals of a quantity."""
SAMPLE = (
    "NetworkID", "BranchID", "SectionID", "InspectionDate", "SampleNumber", "SampleType", "SampleFrom_m",
    "SampleTo_m", "SampleSize", "SampleSizeUnits",
)  # fmt: skip
GRADED = ("DistressCode", "Distress", "Severity", "Quantity", "QuantityUnits", "UngradedDistresses")
UNGRADED = ("DistressCode", "Distress", "Quantity", "QuantityUnits", "Count", "Why")
CODES: dict[str, tuple[int | None, str]] = {
    DistressType.ALLIGATOR: (1, "Alligator cracking"),
    DistressType.BLOCK: (3, "Block cracking"),
    DistressType.LONGITUDINAL: (10, "Longitudinal and transverse cracking"),
    DistressType.TRANSVERSE: (10, "Longitudinal and transverse cracking"),
    DistressType.DIAGONAL: (10, "Longitudinal and transverse cracking"),
    DistressType.POTHOLE: (13, "Potholes"),
}
"""Number and name in D6433 for asphalt."""
LETTERS = {Severity.LOW: "L", Severity.MEDIUM: "M", Severity.HIGH: "H"}
AREAS = (1, 3)
"""Codes whose quantities are parts of the sample's area."""
NO_TYPE = "It is too short for its type to be told."
NO_GRADE = "Severity cannot be measured on the photos: look at it and grade it by hand."
NO_DEPTH = "Severity of a pothole goes by its depth, which photos do not show: measure it."
NOT_D6433 = "D6433 counts other distresses on this surface: codes for asphalt would be wrong."


def write_inspections(data: ExportData, path: Path, progress: Progress = no_progress) -> None:
    """Write a zip of inspections.csv, ungraded.csv and README.txt.

    Raises:
        SettingsError: the survey runs over no network, or nothing was measured in metres.
    """
    survey = data.provenance["survey"]
    if not len(data.sections):
        raise SettingsError(
            f"The survey {survey!r} runs over no network, and inspections are of sections.",
            "Import the network and make the survey over it.",
        )
    if not len(data.units) or not data.sections["condition_index"].notna().any():
        raise SettingsError(
            f"The survey {survey!r} has no results in metres, and inspections are in metres.",
            "Give it a camera profile or a GSD, and analyse it again.",
        )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        lines = list(_lines(data, progress))
        write_text(archive, "README.txt", _readme(data))
        for name, columns, place in (("inspections", GRADED, 0), ("ungraded", UNGRADED, 1)):
            progress(0.9, f"{name}.csv")
            with CsvFile(archive, f"{name}.csv") as rows:
                rows.write([(*SAMPLE, *columns)])
                for line in lines:
                    rows.write(line[place])


Rows = list[tuple[Any, ...]]


def _lines(data: ExportData, progress: Progress) -> Iterator[tuple[Rows, Rows]]:
    """Lines of both files for each sample."""
    found = dict(iter(data.quantities.groupby("section_key", sort=False)))
    units = dict(iter(data.units.groupby("section_key", sort=False)))
    surveyed = data.sections[data.sections["condition_index"].notna()]
    nothing = data.quantities.iloc[:0]
    for count, section in enumerate(surveyed.itertuples()):
        if count % 500 == 0:
            progress(0.9 * count / len(surveyed), f"Sample units of sections: {count:,}")
        quantities = found.get(section.section_key, nothing)
        for sample, own in _samples(section, units.get(section.section_key), quantities):
            where = (
                data.provenance["network"], section.road, section.section_key,
                data.provenance["surveyed_on"], sample[0], "R", *sample[1:], "m2",
            )  # fmt: skip
            yield _sample_rows(where, own, section.surface, sample[-1])


def _samples(
    section: Any, units: pd.DataFrame | None, quantities: pd.DataFrame
) -> Iterator[tuple[tuple[int, float, float, float], pd.DataFrame]]:
    """Number, chainages and area of each sample with its quantities.

    The whole section is one where a photo's place along it is not known: its cracks are of some unit.
    """
    if units is None or (quantities["unit"] == 0).any():
        low, high = sorted((section.from_m, section.to_m))
        yield (1, low, high, section.surveyed_area_m2), quantities
        return
    known = units[units["surveyed_area_m2"] > 0]
    columns = (known[name].tolist() for name in ("unit", "from_m", "to_m", "surveyed_area_m2"))
    for sample in zip(*columns, strict=True):
        yield sample, quantities[quantities["unit"] == sample[0]]


def _sample_rows(
    where: Sequence[Any], quantities: pd.DataFrame, surface: str | None, size_m2: float
) -> tuple[Rows, Rows]:
    areas = quantities["type"].map({kind: code for kind, (code, _) in CODES.items()}).isin(AREAS)
    lowered = _lowered(quantities.loc[areas, "area_m2"].tolist(), size_m2)
    graded: dict[tuple[int, str, str], float] = {}
    ungraded: Rows = []
    columns = (quantities[name].tolist() for name in ("type", "severity", "count", "length_m", "area_m2"))
    for kind, severity, count, length_m, area_m2 in zip(*columns, strict=True):
        code, name = CODES.get(kind, (None, "Cracking of no known type"))
        unit = "m" if code is None else _unit(code)
        amount = {"m": length_m, "m2": lowered(area_m2), "count": float(count)}[unit]
        why = _why_ungraded(kind, severity, surface)
        if why is None and code is not None:
            key = (code, name, LETTERS[Severity(severity)])
            graded[key] = graded.get(key, 0.0) + amount
        else:
            ungraded.append((*where, code, name, round(amount, DIGITS), unit, count, why))
    rows: Rows = [
        (*where, code, name, letter, round(amount, DIGITS), _unit(code), len(ungraded))
        for (code, name, letter), amount in sorted(graded.items())
    ]
    if not rows and not ungraded:
        rows.append((*where, None, "No distress found", None, 0, None, 0))
    return rows, ungraded


def _lowered(areas_m2: Sequence[float], size_m2: float) -> Callable[[float], float]:
    """What takes areas to those that have room in the sample together, also when they are rounded."""
    if sum(round(area, DIGITS) for area in areas_m2) <= size_m2:
        return lambda area: area
    part, whole = min(1.0, size_m2 / sum(areas_m2)), 10**DIGITS
    return lambda area: floor(part * area * whole) / whole


def _unit(code: int) -> str:
    return {1: "m2", 3: "m2", 10: "m", 13: "count"}[code]


def _why_ungraded(kind: str, severity: str, surface: str | None) -> str | None:
    if not is_asphalt(surface):
        return NOT_D6433
    if kind not in CODES:
        return NO_TYPE
    if severity not in LETTERS:
        return NO_DEPTH if kind == DistressType.POTHOLE else NO_GRADE
    return None


def _readme(data: ExportData) -> Iterator[str]:
    yield from provenance_lines(data)
    yield ""
    yield from (__doc__ or "").splitlines()
    standard = data.provenance["severity_standard"]
    if standard and "D6433" not in standard.upper():
        yield f"Severities are of the standard {standard}, not of D6433: its L, M and H may differ."
    if not data.provenance["surveyed_on"]:
        yield "The day of the survey is not known: InspectionDate is empty."
    potholes = json.loads(data.provenance["settings"] or "{}").get("potholes")
    yield f"Distresses other than cracks{' and potholes' if potholes else ''} are not looked for."
    if not potholes:
        yield "Potholes neither: this checkpoint gives no pothole class."
    yield "A sample unit is what the photos show of it: SampleSize is that area, not the unit's whole area."
    if potholes:
        yield "Potholes are counted on the photos; one that two show counts in the one that measures it."
