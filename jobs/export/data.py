"""Everything that exported files are made of, as plain tables; the writers know no database.

Positions are WGS84 degrees, lengths m, areas m2, times ISO 8601 in UTC. Words are None and numbers NaN (whole
numbers `pandas.NA`) where they are not known; a table without rows still has its columns.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely
from sqlalchemy.orm import Session

from db import export_queries as queries
from db.base import utc_now
from db.index_ends import ends_of_index
from db.models import Plan
from engine.condition import FAIR_INDEX as FAIR_INDEX
from engine.condition import GOOD_INDEX as GOOD_INDEX
from engine.condition import grade_of, is_at_best, paser_of, rating_of
from engine.project_table import BETWEEN_KEYS, PROJECT_COLUMNS
from engine.vocabulary import Severity
from jobs.export.places import PhotoPlace, place_distresses, place_of
from jobs.export.progress import Progress, no_progress
from jobs.export.provenance import describe

CRS = "EPSG:4326"
BEAT_ROWS = 2_000
ENDS = ("", "_low", "_high")
AMOUNTS = ("longitudinal_m", "transverse_m", "diagonal_m", "block_m2", "alligator_m2", "pothole_m2")
FIRST = ("planned_year", "planned_treatment", "planned_cost")
LATER = ("later_year", "later_treatment", "later_cost")
PLANNED = ("priority_rank", *FIRST, *LATER, "reason")
FROM_PLACE = ("section_key", "chainage_m")
SEVERITY_ORDER = {
    Severity.NOT_MEASURABLE.value: 0, Severity.LOW.value: 1, Severity.MEDIUM.value: 2, Severity.HIGH.value: 3,
}  # fmt: skip

# Columns and their pandas types. "object" is text.
SECTION_COLUMNS = {
    "section_key": "object", "road": "object", "from_m": "float64", "to_m": "float64", "length_m": "float64",
    "functional_class": "object", "surface": "object", "direction": "object", "lane": "object",
    "lanes": "Int64", "lane_width_m": "float64", "aadt": "Int64",
    "images": "Int64", "surveyed_area_m2": "float64", "surveyed_share_percent": "float64",
    "crack_density_m_per_m2": "float64", "crack_density_m_per_m2_low": "float64",
    "crack_density_m_per_m2_high": "float64",
    "crack_area_percent": "float64", "crack_area_percent_low": "float64",
    "crack_area_percent_high": "float64",
    "condition_index": "float64", "condition_index_low": "float64", "condition_index_high": "float64",
    "condition_index_at_worst": "float64", "rating": "object", "paser": "Int64",
    "condition_class": "object", "class_words": "object",
    "hpms_cracking_percent": "float64", "unified_crack_index": "float64", "unit_spread": "float64",
    "longitudinal_m": "float64", "transverse_m": "float64", "diagonal_m": "float64", "block_m2": "float64",
    "alligator_m2": "float64", "pothole_m2": "float64", "worst_severity": "object",
    "priority_rank": "Int64", "planned_year": "Int64", "planned_treatment": "object",
    "planned_cost": "float64", "later_year": "Int64", "later_treatment": "object", "later_cost": "float64",
    "reason": "object",
}  # fmt: skip
PHOTO_COLUMNS = {
    "photo_id": "int64", "name": "object", "captured_at": "object", "section_key": "object",
    "chainage_m": "float64", "heading_deg": "float64", "gsd_mm_per_px": "float64",
    "surveyed_area_m2": "float64", "crack_length_m": "float64",
    "crack_density_m_per_m2": "float64", "crack_density_m_per_m2_low": "float64",
    "crack_density_m_per_m2_high": "float64",
    "crack_area_percent": "float64", "crack_area_percent_low": "float64",
    "crack_area_percent_high": "float64",
    "error": "object",
}  # fmt: skip
DISTRESS_COLUMNS = {
    "distress_id": "int64", "photo_id": "int64", "section_key": "object", "chainage_m": "float64",
    "type": "object", "severity": "object", "zone": "object", "length_m": "float64", "area_m2": "float64",
    "mean_width_mm": "float64", "p95_width_mm": "float64", "max_width_mm": "float64",
    "orientation_deg": "float64", "length_px": "float64", "mean_width_px": "float64", "area_px": "int64",
    "placed_by": "object",
}  # fmt: skip
UNIT_COLUMNS = {
    "section_key": "object", "unit": "int64", "from_m": "float64", "to_m": "float64", "images": "Int64",
    "surveyed_area_m2": "float64", "condition_index": "float64",
}  # fmt: skip
QUANTITY_COLUMNS = {
    "section_key": "object", "unit": "int64", "type": "object", "severity": "object", "count": "int64",
    "length_m": "float64", "area_m2": "float64",
}  # fmt: skip


@dataclass(frozen=True)
class ExportData:
    """A survey's shown analysis and a plan made from it.

    Attributes:
        provenance: agency, network, survey, surveyed_on, checkpoint, checkpoint_sha256, settings (JSON),
            settings_hash, measurement_version, severity_standard, camera_profile, plan, made_at, software,
            crs, notes (one to a line); "" where there is nothing to say.
        sections: `SECTION_COLUMNS` and a LineString; all of the network by road and chainage, also those
            that were not surveyed (`images` 0). Lengths and areas by type are what was found on
            `surveyed_area_m2`, not extrapolated; `planned_cost` is the section's share of its first
            project by length, `later_cost` that of its second; together they add up to the projects'.
            `condition_index_at_worst` takes cracking without a severity as the worst it can be.
        photos: `PHOTO_COLUMNS` and a Point, an empty one where the photo has no position.
        distresses: `DISTRESS_COLUMNS`; LineString or MultiLineString of the crack's branches on the road
            where `placed_by` is "photo heading" or "road heading" (a Point in its middle for those known by
            their outline only), else the photo's Point (`placed_by` "photo point"), which is empty where
            the photo has no position (`placed_by` None). Empty where they were not asked for.
        projects: `PROJECT_COLUMNS` and the MultiLineString of its sections, in the plan's order;
            section_keys is one text, "; " between them.
        units: `UNIT_COLUMNS`, the surveyed sample units; `unit` counts from 1 along rising chainage.
        quantities: `QUANTITY_COLUMNS`, what was found in each of them, in metres; unit 0 stands for photos
            without a chainage.
        plan: `db.models.Plan.result`, None without a plan; request and scenarios likewise.
    """

    provenance: dict[str, str]
    sections: gpd.GeoDataFrame
    photos: gpd.GeoDataFrame
    distresses: gpd.GeoDataFrame
    projects: gpd.GeoDataFrame
    units: pd.DataFrame
    quantities: pd.DataFrame
    plan: dict[str, Any] | None
    request: dict[str, Any] | None
    scenarios: list[dict[str, Any]]


def read_export_data(
    session: Session,
    agency_id: int,
    survey_id: int,
    plan_id: int | None = None,
    *,
    distresses: bool = True,
    progress: Progress = no_progress,
) -> ExportData:
    """Read a survey's shown analysis with a plan.

    Args:
        session: to read with.
        agency_id: whose survey.
        survey_id: analysed, with or without a network and metres.
        plan_id: None: without a plan.
        distresses: whether to read each distress; of large surveys they are most of the work.
        progress: called with the part done, 0 to 1, and what is read; what it raises ends the reading.

    Raises:
        SettingsError: there is no such survey or plan, the survey has no photos or is not analysed.
    """
    made_at = utc_now()  # before reading: what changes from now on is not in the file
    shown = queries.shown_analysis(session, agency_id, survey_id)
    plan = None if plan_id is None else queries.plan_of(session, agency_id, survey_id, plan_id)
    progress(0.0, "Reading the sections")
    sections, units = _sections(session, survey_id, shown, progress)
    quantities = _quantities(session, survey_id, shown)
    _add_amounts(sections, quantities)
    projects = _projects(plan, sections)
    if plan is not None:
        _add_plan(sections, plan.result)
    progress(0.3, "Reading the photos")
    photos, places, sources = _photos(session, survey_id, sections, progress)
    found = _distresses(session, survey_id, places, progress) if distresses else None
    del sections["section_id"]
    return ExportData(
        provenance=describe(shown, plan, photos, found, sources, made_at),
        sections=sections,
        photos=photos,
        distresses=geo_table(DISTRESS_COLUMNS, {}, []) if found is None else found,
        projects=projects,
        units=units,
        quantities=quantities,
        plan=None if plan is None else plan.result,
        request=None if plan is None else plan.request,
        scenarios=[] if plan is None else plan.scenarios,
    )


def table(columns: Mapping[str, str], values: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """Values by column as a table of those columns; None in a column that is not given."""
    count = len(next(iter(values.values()), ()))
    return pd.DataFrame(
        {name: pd.Series(values.get(name, [None] * count), dtype=kind) for name, kind in columns.items()}
    )


def geo_table(
    columns: Mapping[str, str], values: Mapping[str, Sequence[Any]], geometry: Any
) -> gpd.GeoDataFrame:
    """`table` with a geometry in WGS84."""
    return gpd.GeoDataFrame(table(columns, values), geometry=geometry, crs=CRS)


def _percent(ratio: float | None) -> float | None:
    return None if ratio is None else 100 * ratio


def _sections(
    session: Session, survey_id: int, shown: Any, progress: Progress
) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """The sections, with their row's `section_id`, and their surveyed sample units."""
    rows: dict[str, list[Any]] = {name: [] for name in (*SECTION_COLUMNS, "section_id")}
    units: dict[str, list[Any]] = {name: [] for name in UNIT_COLUMNS}
    lines: list[Any] = []
    for row in queries.section_rows(session, survey_id):
        if len(lines) % BEAT_ROWS == 0:
            progress(0.0, f"Reading the sections: {len(lines):,}")
        values = _section_values(row)
        for name, column in rows.items():
            column.append(values.get(name))
        lines.append(shapely.from_wkb(row.geometry))
        for unit in row.units or ():
            number = round((unit["from_m"] - min(row.from_m, row.to_m)) / shown.sample_unit_m) + 1
            known = {**unit, "section_key": row.section_key, "unit": number}
            for name, column in units.items():
                column.append(known.get(name))
    sections = geo_table({**SECTION_COLUMNS, "section_id": "int64"}, rows, lines)
    return sections, table(UNIT_COLUMNS, units)


def _section_values(row: Any) -> dict[str, Any]:
    values = {
        **row._mapping,
        "section_id": row.id,
        "images": row.images or 0,
        "surveyed_share_percent": _percent(row.surveyed_share),
        **{f"crack_area_percent{end}": _percent(getattr(row, f"crack_area_ratio{end}")) for end in ENDS},
    }
    if row.condition_index is not None:
        low, high = ends_of_index(row) or (None, None)
        grade = grade_of(row.condition_index, GOOD_INDEX, FAIR_INDEX)
        values |= {
            "condition_index_low": low,
            "condition_index_high": high,
            "rating": rating_of(row.condition_index),
            "paser": paser_of(row.condition_index),
            "condition_index_at_worst": row.value_low,
            "condition_class": grade,
            "class_words": f"{grade} at best" if is_at_best(row.condition_index, row.value_low) else grade,
        }
    return values


def _quantities(session: Session, survey_id: int, shown: Any) -> pd.DataFrame:
    found = list(queries.unit_quantities(session, survey_id, shown)) if shown.network_id else []
    return table(QUANTITY_COLUMNS, dict(zip(QUANTITY_COLUMNS, zip(*found, strict=True), strict=False)))


def _add_amounts(sections: gpd.GeoDataFrame, quantities: pd.DataFrame) -> None:
    """Amounts by type, 0 where a section was measured and has none, and the worst severity."""
    measured = sections["condition_index"].notna()
    for column in AMOUNTS:
        kind, unit = column.rsplit("_", 1)
        amount = "area_m2" if unit == "m2" else "length_m"
        sums = quantities[quantities["type"] == kind].groupby("section_key")[amount].sum()
        sections[column] = sections["section_key"].map(sums).fillna(0.0).where(measured)
    worst = quantities["severity"].map(SEVERITY_ORDER).groupby(quantities["section_key"]).max()
    names = {order: name for name, order in SEVERITY_ORDER.items()}
    found = sections["section_key"].map(worst).map(names).astype("object")
    sections["worst_severity"] = found.where(found.notna(), None)


def _add_plan(sections: gpd.GeoDataFrame, result: Mapping[str, Any]) -> None:
    """The two projects of each section, which a plan has at the most, else why it has none."""
    row_of = {key: row for row, key in enumerate(sections["section_key"])}
    lengths = sections["length_m"].to_numpy()
    planned: dict[str, list[Any]] = {name: [None] * len(sections) for name in PLANNED}
    for entry in result["unplanned"]:
        if (row := row_of.get(entry["section_id"])) is not None:
            planned["reason"][row] = entry["reason"]
    for rank, project in enumerate(result["projects"], start=1):
        rows = [row_of[key] for key in project["section_ids"] if key in row_of]
        whole_m = sum(lengths[row] for row in rows) or 1.0
        for row in rows:
            first = planned["priority_rank"][row] is None
            own = (project["year"], project["treatment"], project["cost"] * lengths[row] / whole_m)
            for name, value in zip(FIRST if first else LATER, own, strict=True):
                planned[name][row] = value
            if first:
                planned["priority_rank"][row], planned["reason"][row] = rank, project["reason"]
    for name, values in planned.items():
        sections[name] = pd.Series(values, dtype=SECTION_COLUMNS[name], index=sections.index)


def _projects(plan: Plan | None, sections: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    if plan is None:
        return geo_table(PROJECT_COLUMNS, {}, [])
    line_of = dict(zip(sections["section_key"], sections.geometry, strict=True))
    projects = [
        {
            **project,
            "rank": rank,
            "section_keys": BETWEEN_KEYS.join(project["section_ids"]),
            "currency": plan.result.get("currency") or "",
        }
        for rank, project in enumerate(plan.result["projects"], start=1)
    ]
    lines = [
        shapely.MultiLineString([line_of[key] for key in project["section_ids"] if key in line_of])
        for project in projects
    ]
    columns = {name: [project.get(name) for project in projects] for name in PROJECT_COLUMNS}
    return geo_table(PROJECT_COLUMNS, columns, lines)


def _photos(
    session: Session, survey_id: int, sections: gpd.GeoDataFrame, progress: Progress
) -> tuple[gpd.GeoDataFrame, dict[int, PhotoPlace], Counter[str]]:
    """The photos, where each of them stands, and how many have their position from where."""
    section_of = {int(row.section_id): row for row in sections.itertuples()}
    columns: dict[str, list[Any]] = {name: [] for name in PHOTO_COLUMNS}
    places: dict[int, PhotoPlace] = {}
    sources: Counter[str] = Counter()
    for count, row in enumerate(queries.photo_rows(session, survey_id)):
        if count % BEAT_ROWS == 0:
            progress(0.3, f"Reading the photos: {count:,}")
        section = section_of.get(row.section_id)
        key = None if section is None else section.section_key
        values = {
            **row._mapping,
            "photo_id": row.id,
            "name": row.original_name,
            "captured_at": row.captured_at and row.captured_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "section_key": key,
            **{f"crack_area_percent{end}": _percent(getattr(row, f"crack_area_ratio{end}")) for end in ENDS},
        }
        for name, column in columns.items():
            column.append(values.get(name))
        places[row.id] = place_of(row, section)
        sources[row.position_source] += 1
    points = [
        shapely.Point() if isnan(place.longitude) else shapely.Point(place.longitude, place.latitude)
        for place in places.values()
    ]
    return geo_table(PHOTO_COLUMNS, columns, points), places, sources


def _distresses(
    session: Session, survey_id: int, places: Mapping[int, PhotoPlace], progress: Progress
) -> gpd.GeoDataFrame:
    columns: dict[str, list[Any]] = {name: [] for name in DISTRESS_COLUMNS}
    shapes: list[Any] = []
    for rows in queries.distress_rows(session, survey_id):
        progress(0.5, f"Placing the distresses on the road: {len(shapes):,}")
        own = [places[row.image_id] for row in rows]
        lines, ways = place_distresses(own, [(row.polylines_m, row.outline_m) for row in rows])
        shapes.extend(lines)
        for name, column in columns.items():
            if name in FROM_PLACE:
                column.extend(getattr(place, name) for place in own)
            elif name == "placed_by":
                column.extend(ways)
            else:
                stored = {"distress_id": "id", "photo_id": "image_id", "type": "kind"}.get(name, name)
                column.extend(getattr(row, stored) for row in rows)
    return geo_table(DISTRESS_COLUMNS, columns, shapes)
