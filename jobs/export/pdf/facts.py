"""What the report says in numbers, worked out once from the exported tables."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from engine.condition import grade_of, is_at_best
from jobs.export.data import FAIR_INDEX, GOOD_INDEX, ExportData
from jobs.export.pdf.style import MISSING

AGED_POINTS = 0.05
"""Less than this is not worth a word."""
GRADE_NAMES = ("good", "fair", "poor")
Row = dict[str, Any]


@dataclass(frozen=True)
class Facts:
    """The exported tables as plain rows, without NaN.

    Attributes:
        provenance: as exported.
        sections: rows of the sections with `geometry`.
        by_key: the same by section key.
        projects: rows of the projects in the plan's order, each with `keys` (its sections).
        worst_photo: section key -> its photo with most cracking.
        gsds: ground sampling distances of the analysed photos, mm/px, sorted.
        photos: number of photos; failed: those that could not be analysed.
        plan: of the export, empty without one; request and scenarios likewise.
        currency: of the plan, "" without one.
    """

    provenance: Mapping[str, str]
    sections: list[Row]
    by_key: Mapping[str, Row]
    projects: list[Row]
    worst_photo: Mapping[str, Row]
    gsds: list[float]
    photos: int
    failed: int
    plan: Mapping[str, Any]
    request: Mapping[str, Any]
    scenarios: Sequence[Mapping[str, Any]]
    currency: str

    @property
    def has_plan(self) -> bool:
        return bool(self.plan)

    @property
    def surveyed(self) -> list[Row]:
        """Sections with a condition index."""
        return [row for row in self.sections if row["condition_index"] is not None]

    @property
    def years(self) -> list[int]:
        """Calendar years of the plan."""
        told = [line["year"] for line in self.plan.get("cost_by_year", ())]
        return told or sorted({project["year"] for project in self.projects})

    @property
    def forecast(self) -> bool:
        """Whether the plan tells the condition year by year, with and without it."""
        return bool(self.plan.get("condition_by_year") and self.plan.get("without_plan"))

    def said(self, key: str) -> str:
        """A line of the provenance, "" where it has none."""
        return str(self.provenance.get(key) or "")


def rows_of(table: pd.DataFrame) -> list[Row]:
    """Rows as dicts; what is not known is None."""
    columns = {
        name: [None if _missing(value) else value for value in table[name].tolist()] for name in table.columns
    }
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and value != value)


def gather(data: ExportData) -> Facts:
    """Everything that the report's parts read."""
    sections = rows_of(data.sections)
    photos = rows_of(data.photos)
    plan, request = data.plan or {}, data.request or {}
    projects = rows_of(data.projects)
    planned = plan.get("projects", [])
    for place, project in enumerate(projects):
        # Keys may contain the separator of the exported text.
        exact = planned[place] if place < len(planned) and len(planned) == len(projects) else None
        keys = exact["section_keys"] if exact else str(project["section_keys"] or "").split("; ")
        project["keys"] = [str(key) for key in keys]
    return Facts(
        provenance=data.provenance,
        sections=sections,
        by_key={row["section_key"]: row for row in sections},
        projects=projects,
        worst_photo=_worst_photos(photos),
        gsds=sorted(photo["gsd_mm_per_px"] for photo in photos if photo["gsd_mm_per_px"]),
        photos=len(photos),
        failed=sum(photo["error"] is not None for photo in photos),
        plan=plan,
        request=request,
        scenarios=data.scenarios or [],
        currency=str(plan.get("currency") or request.get("currency") or ""),
    )


def _worst_photos(photos: Iterable[Row]) -> dict[str, Row]:
    worst: dict[str, Row] = {}
    for photo in photos:
        key = photo["section_key"]
        if (
            key is not None
            and photo["error"] is None
            and (key not in worst or cracking(photo) > cracking(worst[key]))
        ):
            worst[key] = photo
    return worst


def cracking(row: Mapping[str, Any]) -> tuple[float, float]:
    """By how much a photo or section is cracked: density, then share of the picture."""
    return row["crack_density_m_per_m2"] or -1.0, row["crack_area_percent"] or -1.0


def worst_photo(facts: Facts, keys: Iterable[str]) -> Row | None:
    """The most cracked photo of some sections."""
    found = [facts.worst_photo[key] for key in keys if key in facts.worst_photo]
    return max(found, key=cracking, default=None)


def grade(index: float | None) -> str | None:
    """good, fair or poor; None without an index."""
    return grade_of(index, GOOD_INDEX, FAIR_INDEX)


def at_best(row: Row) -> bool:
    """Whether a section's class is an upper bound: part of its cracking has no severity."""
    return is_at_best(row["condition_index"], row["condition_index_at_worst"])


def class_words(row: Row) -> str:
    """`good`, `good at best`, or a dash."""
    name = grade(row["condition_index"])
    return MISSING if name is None else f"{name} at best" if at_best(row) else name


def length_of(rows: Iterable[Mapping[str, Any]]) -> float:
    return float(sum(row["length_m"] or 0.0 for row in rows))


def mean_of(rows: Iterable[Mapping[str, Any]], column: str) -> float | None:
    """Mean weighted by length over the rows that have a value."""
    known = [(row[column], row["length_m"] or 0.0) for row in rows if row[column] is not None]
    weight = sum(length for _, length in known)
    return sum(value * length for value, length in known) / weight if weight > 0 else None


def index_with_ends(rows: Sequence[Row]) -> tuple[float | None, float | None, float | None]:
    """Mean index and the means of its ends, as if all sections erred alike; ends None where one has none."""
    value = mean_of(rows, "condition_index")
    known = [row for row in rows if row["condition_index"] is not None]
    if any(row["condition_index_low"] is None or row["condition_index_high"] is None for row in known):
        return value, None, None
    return value, mean_of(known, "condition_index_low"), mean_of(known, "condition_index_high")


def lengths_by_grade(rows: Iterable[Row]) -> dict[str | None, float]:
    """Metres of good, fair and poor, and under None of what has no index."""
    found: dict[str | None, float] = dict.fromkeys((*GRADE_NAMES, None), 0.0)
    for row in rows:
        found[grade(row["condition_index"])] += row["length_m"] or 0.0
    return found


def worst_first(facts: Facts) -> list[Row]:
    """Surveyed sections by condition; by cracking where nothing was measured in metres."""
    if facts.surveyed:
        return sorted(facts.surveyed, key=lambda row: (row["condition_index"], -cracking(row)[0]))
    seen = [row for row in facts.sections if row["images"]]
    return sorted(seen, key=cracking, reverse=True)


def money_by_treatment(facts: Facts) -> dict[str, dict[int, float]]:
    """Treatment -> year -> cost; the dearest treatment first."""
    found: dict[str, dict[int, float]] = {}
    for project in facts.projects:
        years = found.setdefault(str(project["treatment"]), {})
        years[project["year"]] = years.get(project["year"], 0.0) + (project["cost"] or 0.0)
    return dict(sorted(found.items(), key=lambda item: -sum(item[1].values())))


def has_aged(plan: Mapping[str, Any]) -> bool:
    """Whether the condition at the plan's start is another one than when surveyed."""
    surveyed = plan.get("condition_surveyed")
    return surveyed is not None and abs(surveyed["average"] - plan["condition_now"]["average"]) >= AGED_POINTS


def road_length(facts: Facts) -> float:
    """Metres of road that have a project, each section once however often it is treated."""
    keys = {key for project in facts.projects for key in project["keys"]}
    return length_of(facts.by_key[key] for key in keys if key in facts.by_key)


def total_cost(facts: Facts) -> float:
    return float(sum(project["cost"] or 0.0 for project in facts.projects))
