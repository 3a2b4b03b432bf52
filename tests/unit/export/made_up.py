"""A made-up survey's `ExportData`: four sections, six photos, distresses and a plan of two projects.

Names hold what breaks careless writers: markup, quotes, formulas, control characters, non-Latin letters.
"""

from typing import Any

import geopandas as gpd
import pandas as pd
import shapely

from engine.project_table import PROJECT_COLUMNS
from jobs.export.data import (
    DISTRESS_COLUMNS,
    PHOTO_COLUMNS,
    QUANTITY_COLUMNS,
    SECTION_COLUMNS,
    UNIT_COLUMNS,
    ExportData,
)

HOSTILE = "=1+1 <b>&\"'Straße 東京 \x07]]>"
SHA = "ab" * 32
WEST, SOUTH = 11.0, 48.0
PROVENANCE = {
    "agency": "Stadt <Test> & Söhne",
    "network": "Ring's network",
    "survey": HOSTILE,
    "surveyed_on": "2026-05-04",
    "checkpoint": "base",
    "checkpoint_sha256": SHA,
    "settings": '{"severity_standard": "d6433", "threshold": 0.5}',
    "settings_hash": "cd" * 32,
    "measurement_version": "3",
    "severity_standard": "ASTM D6433",
    "camera_profile": "downward",
    "plan": "Five years",
    "made_at": "2026-11-21T20:00:00+00:00",
    "software": "Pavescope 0.1.0",
    "crs": "EPSG:4326",
    "notes": "",
}
CLASSES = ("good", "fair", "poor", None)


def _line(number: int) -> shapely.LineString:
    west = WEST + 0.002 * number
    return shapely.LineString([(west, SOUTH), (west + 0.001, SOUTH + 0.0005), (west + 0.002, SOUTH)])


def _section(number: int) -> dict[str, Any]:
    measured = CLASSES[number] is not None
    index = [92.0, 70.5, 31.0, None][number]
    planned = number in (1, 2)
    section: dict[str, Any] = {
        "section_key": HOSTILE if number == 0 else f"S{number}",
        "road": "A 9 <&>",
        "from_m": 160.0 * number,
        "to_m": 160.0 * (number + 1),
        "length_m": 160.0,
        "functional_class": "arterial" if number else None,
        "surface": "asphalt",
        "direction": None,
        "lane": "1",
        "lanes": 2 if number else None,
        "lane_width_m": 3.5,
        "aadt": 12_000 if number < 3 else None,
        "images": 2 if measured else 0,
        "surveyed_area_m2": 60.0 if measured else None,
        "surveyed_share_percent": 12.5 if measured else None,
        "condition_class": CLASSES[number],
        "class_words": ["good at best", "fair", "poor", None][number],
        "condition_index_at_worst": [61.0, 70.5, 31.0, None][number],
        "rating": ["good", "satisfactory", "very poor", None][number],
        "paser": [9, 7, 3, None][number],
        "hpms_cracking_percent": [0.0, 8.0, 33.0, None][number],
        "unified_crack_index": [1.0, 20.0, 70.0, None][number],
        "unit_spread": [0.0, 6.0, 12.0, None][number],
        "worst_severity": [None, "medium", "high", None][number],
        "priority_rank": [None, 2, 1, None][number],
        "planned_year": [None, 2028, 2027, None][number],
        "planned_treatment": [None, "Crack seal", "Thin overlay", None][number],
        "planned_cost": [None, 1234.5, 98_765.25, None][number],
        "reason": 'Worst of its class; replaces "nothing"' if planned else None,
    }
    for measure, value in (
        ("crack_density_m_per_m2", [0.1, 0.9, 4.2, None][number]),
        ("crack_area_percent", [0.05, 0.6, 3.1, None][number]),
        ("condition_index", index),
    ):
        section[measure] = value
        section[f"{measure}_low"] = None if value is None else value * 0.8
        section[f"{measure}_high"] = None if value is None else value * 1.05
    for kind in ("longitudinal_m", "transverse_m", "diagonal_m", "block_m2", "alligator_m2", "pothole_m2"):
        section[kind] = 3.25 * number if measured else None
    return section


def _photo(number: int) -> dict[str, Any]:
    failed = number == 5
    return {
        "photo_id": 100 + number,
        "name": HOSTILE if number == 0 else f"folder/IMG_{number:04d}.jpg",
        "captured_at": f"2026-05-04T09:00:{number:02d}+00:00" if number else None,
        "section_key": None if failed else f"S{number // 2}",
        "chainage_m": None if failed else 40.0 * number,
        "heading_deg": 63.4 if number % 2 else None,
        "gsd_mm_per_px": None if failed else 1.25,
        "surveyed_area_m2": None if failed else 12.0,
        "crack_length_m": None if failed else 2.5 * number,
        "crack_density_m_per_m2": None if failed else 2.5 * number / 12.0,
        "crack_area_percent": None if failed else 0.4 * number,
        "error": "The photo cannot be decoded." if failed else None,
    }


def _distress(number: int, kind: str) -> dict[str, Any]:
    area = kind in ("alligator", "pothole")
    return {
        "distress_id": 1000 + number,
        "photo_id": 101 + number,
        "section_key": f"S{(number + 1) // 2}",
        "chainage_m": 40.0 * (number + 1),
        "type": kind,
        "severity": ["low", "medium", "high", "not_measurable"][number % 4],
        "zone": "left_wheel_path" if number % 2 else None,
        "length_m": 1.5 + number,
        "area_m2": 0.75 if area else None,
        "mean_width_mm": None if area else 4.0 + number,
        "p95_width_mm": None if area else 6.0 + number,
        "max_width_mm": None if area else 7.0 + number,
        "orientation_deg": 10.0 * number,
        "length_px": 1200.0 + 800 * number,
        "mean_width_px": 3.2 + number,
        "area_px": 4000 + number,
        "placed_by": "photo heading",
    }


def _project(rank: int) -> dict[str, Any]:
    number = 3 - rank  # the worst section comes first
    return {
        "rank": rank,
        "year": 2026 + rank,
        "treatment": ["Thin overlay", "Crack seal"][rank - 1],
        "section_keys": f"S{number}",
        "road": "A 9 <&>",
        "from_m": 160.0 * number,
        "to_m": 160.0 * (number + 1),
        "length_m": 160.0,
        "area_m2": 1120.0,
        "cost": [98_765.25, 1234.5][rank - 1],
        "mobilisation": 1000.0,
        "fixed": rank == 1,
        "preventive": rank == 2,
        "currency": "USD",
        "benefit": 5000.0,
        "benefit_cost": 1.5,
        "equivalent_annual_cost": 900.0,
        "cost_of_delay": 120.0 if rank == 1 else None,
        "index_before": 31.0,
        "index_after": 95.0,
        "stays_percent": 87.5,
        "reason": HOSTILE,
    }


def _typed(rows: list[dict[str, Any]], columns: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(columns)).astype(columns)


def _frame(rows: list[dict[str, Any]], shapes: list[Any], columns: dict[str, str]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(_typed(rows, columns), geometry=shapes, crs="EPSG:4326")


def _units() -> pd.DataFrame:
    rows = [
        {"section_key": f"S{n}", "unit": 1, "from_m": 160.0 * n, "to_m": 160.0 * (n + 1), "images": 2,
         "surveyed_area_m2": 60.0, "condition_index": [70.5, 31.0][n - 1]}
        for n in (1, 2)
    ]  # fmt: skip
    return _typed(rows, UNIT_COLUMNS)


def _quantities() -> pd.DataFrame:
    rows = [
        {"section_key": f"S{n}", "unit": 1, "type": kind, "severity": severity, "count": 2,
         "length_m": 3.25 * n, "area_m2": 0.75 if kind == "alligator" else 0.0}
        for n in (1, 2)
        for kind, severity in (("longitudinal", "low"), ("transverse", "medium"), ("alligator", "high"))
    ]  # fmt: skip
    return _typed(rows, QUANTITY_COLUMNS)


def made_up_export(*, empty: bool = False, planned: bool = True, with_points: bool = True) -> ExportData:
    """Four sections of 160 m (good, fair, poor, not measured), six photos (the last failed, without place).

    Args:
        empty: the same columns without any row.
        planned: with a plan of two projects.
        with_points: the last distress is only known to be in its photo: a point among lines.
    """
    sections = _frame([_section(n) for n in range(4)], [_line(n) for n in range(4)], SECTION_COLUMNS)
    places: list[Any] = [shapely.Point(WEST + 0.001 * n, SOUTH) for n in range(5)]
    photos = _frame([_photo(n) for n in range(6)], [*places, shapely.Point()], PHOTO_COLUMNS)
    kinds = ("longitudinal", "transverse", "alligator", "pothole")
    found = [_distress(n, kind) for n, kind in enumerate(kinds)]
    courses: list[Any] = [
        shapely.LineString([(WEST + 0.001 * n, SOUTH), (WEST + 0.001 * n + 1e-5, SOUTH + 1e-5)])
        for n in range(1, 5)
    ]
    if with_points:
        courses[-1] = shapely.Point(WEST + 0.004, SOUTH)
        found[-1]["placed_by"] = "photo point"
    distresses = _frame(found, courses, DISTRESS_COLUMNS)
    treated = [shapely.MultiLineString([_line(n)]) for n in (2, 1)]
    projects = _frame([_project(rank) for rank in (1, 2)], treated, PROJECT_COLUMNS)
    units, quantities = _units(), _quantities()
    if empty:
        sections, photos, distresses, projects = (
            frame.iloc[:0] for frame in (sections, photos, distresses, projects)
        )
        units, quantities = units.iloc[:0], quantities.iloc[:0]
    if not planned:
        projects = projects.iloc[:0]
        plans = [name for name in SECTION_COLUMNS if name.startswith("planned_")]
        sections[["priority_rank", "reason", *plans]] = None
        sections = sections.astype(SECTION_COLUMNS)
    plan = (
        {"objective": 1.5, "bound": 1.6, "gap": 0.01, "currency": "USD", "projects": []} if planned else None
    )
    return ExportData(
        provenance=dict(PROVENANCE),
        sections=sections,
        photos=photos,
        distresses=distresses,
        projects=projects,
        units=units,
        quantities=quantities,
        plan=plan,
        request={"years": 5, "yearly_budget": 100_000.0, "currency": "USD"} if planned else None,
        scenarios=[],
    )
