"""Everything that exported files are made of, as plain tables; the writers know no database.

Positions are WGS84 degrees, lengths m, areas m2, times ISO 8601 in UTC. Words are None and numbers NaN (whole
numbers `pandas.NA`) where they are not known; a table without rows still has its columns.
"""

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import pandas as pd

CRS = "EPSG:4326"
GOOD_INDEX, FAIR_INDEX = 70.0, 55.0
"""Lowest index of the three classes that D6433's ratings are grouped into."""

# Columns and their pandas types. "object" is text.
SECTION_COLUMNS = {
    "section_key": "object", "road": "object", "from_m": "float64", "to_m": "float64", "length_m": "float64",
    "functional_class": "object", "surface": "object", "direction": "object", "lane": "object",
    "lanes": "Int64", "lane_width_m": "float64", "aadt": "Int64",
    "images": "Int64", "surveyed_area_m2": "float64", "surveyed_share_percent": "float64",
    "crack_density_m_per_m2": "float64", "crack_density_m_per_m2_low": "float64",
    "crack_density_m_per_m2_high": "float64",
    "crack_area_percent": "float64", "crack_area_percent_low": "float64", "crack_area_percent_high": "float64",
    "condition_index": "float64", "condition_index_low": "float64", "condition_index_high": "float64",
    "rating": "object", "paser": "Int64", "condition_class": "object",
    "hpms_cracking_percent": "float64", "unified_crack_index": "float64", "unit_spread": "float64",
    "longitudinal_m": "float64", "transverse_m": "float64", "diagonal_m": "float64", "block_m2": "float64",
    "alligator_m2": "float64", "pothole_m2": "float64", "worst_severity": "object",
    "priority_rank": "Int64", "planned_year": "Int64", "planned_treatment": "object",
    "planned_cost": "float64", "reason": "object",
}  # fmt: skip
PHOTO_COLUMNS = {
    "photo_id": "int64", "name": "object", "captured_at": "object", "section_key": "object",
    "chainage_m": "float64", "heading_deg": "float64", "gsd_mm_per_px": "float64",
    "surveyed_area_m2": "float64", "crack_length_m": "float64",
    "crack_density_m_per_m2": "float64", "crack_density_m_per_m2_low": "float64",
    "crack_density_m_per_m2_high": "float64",
    "crack_area_percent": "float64", "crack_area_percent_low": "float64", "crack_area_percent_high": "float64",
    "error": "object",
}  # fmt: skip
DISTRESS_COLUMNS = {
    "distress_id": "int64", "photo_id": "int64", "section_key": "object", "chainage_m": "float64",
    "type": "object", "severity": "object", "zone": "object", "length_m": "float64", "area_m2": "float64",
    "mean_width_mm": "float64", "p95_width_mm": "float64", "max_width_mm": "float64",
    "orientation_deg": "float64", "length_px": "float64", "mean_width_px": "float64", "area_px": "int64",
    "placed_by": "object",
}  # fmt: skip
PROJECT_COLUMNS = {
    "rank": "int64", "year": "int64", "treatment": "object", "section_keys": "object", "road": "object",
    "from_m": "float64", "to_m": "float64", "length_m": "float64", "area_m2": "float64", "cost": "float64",
    "currency": "object", "benefit": "float64", "benefit_cost": "float64",
    "equivalent_annual_cost": "float64", "cost_of_delay": "float64", "index_before": "float64",
    "index_after": "float64", "stays_percent": "float64", "reason": "object",
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
            settings_hash, measurement_version, severity_standard, camera_profile, plan, made_at, software, crs,
            notes (one to a line); "" where there is nothing to say.
        sections: `SECTION_COLUMNS` and a LineString; all of the network by road and chainage, also those
            that were not surveyed (`images` 0). Lengths and areas by type are what was found on
            `surveyed_area_m2`, not extrapolated; `planned_cost` is the section's share of its project by length.
        photos: `PHOTO_COLUMNS` and a Point, an empty one where the photo has no position.
        distresses: `DISTRESS_COLUMNS`; LineString or MultiLineString of the crack's branches on the road where
            `placed_by` is "photo heading" or "road heading" (a Point in its middle for those known by their
            outline only), else the photo's Point (`placed_by` "photo point"), which is empty where the photo has
            no position (`placed_by` None). Empty where they were not asked for.
        projects: `PROJECT_COLUMNS` and the MultiLineString of its sections, in the plan's order; section_keys is
            one text, "; " between them.
        units: `UNIT_COLUMNS`, the surveyed sample units; `unit` counts from 1 along rising chainage.
        quantities: `QUANTITY_COLUMNS`, what was found in each of them, in metres; unit 0 stands for photos without
            a chainage.
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
