"""A made-up network with a real plan, for the report: every number comes from the planner itself."""

import io
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from PIL import Image

from engine.plan_inputs import PlanSection, PlanSettings
from engine.plan_scenarios import plan_and_compare
from engine.planning import make_plan
from engine.project_table import PROJECT_COLUMNS
from engine.treatment_sets import US_CITY_AVERAGES
from jobs.export.data import (
    DISTRESS_COLUMNS,
    PHOTO_COLUMNS,
    QUANTITY_COLUMNS,
    SECTION_COLUMNS,
    UNIT_COLUMNS,
    ExportData,
)
from jobs.export.pictures import Picture, draw_picture
from tests.unit.export.made_up import PROVENANCE
from tests.unit.planning.networks import road_network

NAMES = ("Łódzka", "Ελλήνων", "Советская улица", "Rue de l’Église", "Großer Weg", "Çırağan", "Þingvallavegur")
WEST, SOUTH = 11.0, 48.0
PHOTO_EVERY = 3
YEARS, FIRST_YEAR = 5, 2027


def _lines(sections: Sequence[PlanSection]) -> list[shapely.LineString]:
    """Winding roads side by side, each section going on where the one before ends."""
    roads = list(dict.fromkeys(section.road for section in sections))
    lines = []
    for section in sections:
        road = roads.index(section.road)
        # Every other road runs across the others.
        at = np.linspace(section.from_m, section.to_m, 12)
        across = 350.0 * road + 60 * np.sin(at / 300 + road)
        east, north = (at, across) if road % 2 else (across * 1.4, at)
        lines.append(shapely.LineString(np.column_stack([WEST + east / 74_000, SOUTH + north / 111_000])))
    return lines


def _section(section: PlanSection, number: int) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(SECTION_COLUMNS)
    index = section.condition_index
    row |= {
        "section_key": section.key, "road": section.road, "from_m": section.from_m, "to_m": section.to_m,
        "length_m": section.length_m, "functional_class": section.functional_class, "surface": "asphalt",
        "aadt": round(section.aadt or 0), "images": 0 if index is None else 4,
    }  # fmt: skip
    if index is not None:
        density = (100 - index) / 30
        row |= {
            "condition_index": index, "condition_index_low": section.index_low,
            "condition_index_high": section.index_high, "rating": "fair", "paser": max(1, round(index / 10)),
            "crack_density_m_per_m2": density, "crack_density_m_per_m2_low": density * 0.8,
            "crack_density_m_per_m2_high": density * 1.3, "crack_area_percent": density / 2,
            "crack_area_percent_low": density / 3, "crack_area_percent_high": density,
            "surveyed_share_percent": 20.0 + number % 60, "surveyed_area_m2": 200.0,
            "unit_spread": 30.0 if number % 9 == 0 else 8.0, "longitudinal_m": 12.0 + number,
            "transverse_m": 8.0, "alligator_m2": 3.5 if index < 50 else 0.0,
        }  # fmt: skip
    return row


def _photo(section: PlanSection, number: int) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(PHOTO_COLUMNS)
    return row | {
        "photo_id": number, "name": f"camera/IMG_{number:05d}.jpg",
        "captured_at": "2026-05-04T09:00:00+00:00",
        "section_key": section.key, "chainage_m": section.from_m + 10, "gsd_mm_per_px": 1.2 + number % 3,
        "surveyed_area_m2": 12.0, "crack_length_m": 9.0,
        "crack_density_m_per_m2": (100 - (section.condition_index or 0)) / 25 + number % PHOTO_EVERY,
        "crack_area_percent": 1.0,
    }  # fmt: skip


def _project(rank: int, project: dict[str, Any]) -> dict[str, Any]:
    row = {name: project.get(name) for name in PROJECT_COLUMNS}
    keys = "; ".join(project["section_keys"])
    return row | {"rank": rank, "currency": "USD", "section_keys": keys}


def _table(rows: list[dict[str, Any]], columns: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(columns)).astype(columns)


def planned_network(
    roads: int = 6, per_road: int = 5, *, budget: float | None = 400_000.0, planned: bool = True,
    scenarios: bool = True, years: int = YEARS,
) -> ExportData:  # fmt: skip
    """A survey of a network of `roads` x `per_road` sections, the last road unsurveyed, and its plan.

    Args:
        budget: money a year.
    """
    sections = [
        PlanSection(**{**vars(one), "id": one.key, "road": _name(one.road)})
        for one in road_network(roads, per_road)
    ]
    for place in range(len(sections) - per_road, len(sections)):
        unknown = {"condition_index": None, "index_low": None, "index_high": None, "quantities": ()}
        sections[place] = PlanSection(**{**vars(sections[place]), **unknown})
    lines = _lines(sections)
    photographed = [one for one in sections if one.condition_index is not None]
    photos = [_photo(one, n) for n, one in enumerate(one for one in photographed for _ in range(PHOTO_EVERY))]
    settings = PlanSettings(years=years, yearly_budget=budget, first_year=FIRST_YEAR, time_limit_s=5)
    plan: dict[str, Any] | None = None
    beside: list[dict[str, Any]] = []
    if planned:
        plan = make_plan(sections, US_CITY_AVERAGES, settings, draws=20) | {"currency": "USD"}
        if scenarios:
            _, beside = plan_and_compare(sections, US_CITY_AVERAGES, settings)
    projects = [_project(rank, one) for rank, one in enumerate(plan["projects"] if plan else (), 1)]
    line_of = {one.key: line for one, line in zip(sections, lines, strict=True)}
    treated = [
        shapely.MultiLineString([line_of[key] for key in one["section_keys"]])
        for one in (plan["projects"] if plan else ())
    ]

    def frame(rows: list[dict[str, Any]], shapes: list[Any], columns: dict[str, str]) -> gpd.GeoDataFrame:
        return gpd.GeoDataFrame(_table(rows, columns), geometry=shapes, crs="EPSG:4326")

    return ExportData(
        provenance=dict(PROVENANCE),
        sections=frame([_section(one, n) for n, one in enumerate(sections)], lines, SECTION_COLUMNS),
        photos=frame(photos, [shapely.Point(WEST, SOUTH)] * len(photos), PHOTO_COLUMNS),
        distresses=frame([], [], DISTRESS_COLUMNS),
        projects=frame(projects, treated, PROJECT_COLUMNS),
        units=_table([], UNIT_COLUMNS),
        quantities=_table([], QUANTITY_COLUMNS),
        plan=plan,
        request=_request(budget, years) if planned else None,
        scenarios=beside,
    )


def _name(road: str) -> str:
    number = int(road.split()[-1])
    return f"{NAMES[number % len(NAMES)]} {number}"


def _request(budget: float | None, years: int) -> dict[str, Any]:
    return {
        "years": years, "yearly_budget": budget, "carry_over": True, "currency": "USD",
        "treatments": [asdict(one) for one in US_CITY_AVERAGES],
    }  # fmt: skip


class _Found:
    """A distress as a row of the database gives it."""

    def __init__(self, kind: str, line: list[list[float]], outline: list[list[float]] | None = None) -> None:
        self.kind, self.polylines_px, self.outline_px = kind, [line], outline


def drawn_picture(photo_id: int, width: int = 1600, height: int = 1200) -> Picture:
    """Grey noise with a crack along and one across, drawn as the report draws them."""
    rng = np.random.default_rng(photo_id)
    pixels = rng.normal(110, 14, (height, width, 1)).clip(0, 255).astype(np.uint8).repeat(3, axis=2)
    up = [[width * 0.4 + 40 * np.sin(y / 90), float(y)] for y in range(0, height, 20)]
    across = [[float(x), height * 0.6 + 25 * np.sin(x / 70)] for x in range(0, width, 20)]
    return draw_picture(pixels, [_Found("longitudinal", up), _Found("transverse", across)])


def jpeg_size(data: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        return image.size
