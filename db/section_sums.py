"""Sums over a survey's photos by section and sample unit: what `db.rollup` works out its numbers from."""

from typing import Any

from sqlalchemy import Double, Integer, Select, case, cast, func, select, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from db.models import AnalysisResult, DistressQuantity, Network, Section, SurveyImage


class whole_part(FunctionElement[int]):  # noqa: N801 - reads as an SQL function
    """A number without its fraction: PostgreSQL would round it, SQLite may lack `floor`."""

    type = Integer()
    inherit_cache = True


@compiles(whole_part, "sqlite")
def _sqlite_whole_part(element: whole_part, compiler: Any, **kw: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **kw)} AS INTEGER)"


@compiles(whole_part)
def _whole_part(element: whole_part, compiler: Any, **kw: Any) -> str:
    return f"CAST(trunc({compiler.process(element.clauses, **kw)}) AS INTEGER)"


def _unit() -> Any:
    """The sample unit in which the middle of what a photo counts lies, from 0, empty where its chainage is
    unknown. The last unit may be longer than the others, and that middle may lie beyond the section: the
    caller bounds it."""
    ground = AnalysisResult.ground
    ahead_m = (ground["near_m"].as_float() + ground["far_m"].as_float()) / 2
    middle_m = SurveyImage.chainage_m + func.coalesce(AnalysisResult.travel_direction * ahead_m, 0.0)
    low_m = case((Section.from_m < Section.to_m, Section.from_m), else_=Section.to_m)
    return whole_part((middle_m - low_m) / Network.sample_unit_m).label("unit")


def _products(name: str, x: Any, y: Any, low: Any, high: Any) -> list[Any]:
    """What `PhotoSums` needs beside the sums of x and y; `low` and `high` are ends of y / x."""
    sums = {"xx": x * x, "xy": x * y, "yy": y * y, "low": low * x, "high": high * x}
    return [
        func.count(low).label(f"{name}_known"),
        *(func.sum(value).label(f"{name}_{key}") for key, value in sums.items()),
    ]


def unit_sums() -> Select[*tuple[Any, ...]]:
    """Sums over the photos of each sample unit; metres only over those whose GSD is known, tiles and visible
    cracks only over those whose cracks were typed."""
    result = AnalysisResult
    measured, typed = result.gsd_mm_per_px.is_not(None), result.tiles.is_not(None)
    # The squares of whole numbers of pixels would be too large for one.
    surveyed_px, crack_px = cast(result.surveyed_pixels, Double), cast(result.crack_pixels, Double)
    # A photo of which neighbours show every metre has its result, and no part in any number.
    counted = result.surveyed_pixels > 0
    surveyed_m2 = case((measured & counted, result.surveyed_area_m2))
    length_m = case((measured, result.crack_length_m))
    along_m = result.ground["height_px"].as_float() * result.ground["gsd_mm_per_px"].as_float() / 1000
    area_ends = result.crack_area_ratio_low, result.crack_area_ratio_high
    density_ends = result.crack_density_m_per_m2_low, result.crack_density_m_per_m2_high
    sums = {
        "surveyed_px": surveyed_px,
        "crack_px": crack_px,
        "length_px": result.crack_length_px,
        "length_m": length_m,
        "surveyed_m2": surveyed_m2,
        "along_m": along_m,
        "rising_m": case((result.travel_direction > 0, along_m)),
        "falling_m": case((result.travel_direction < 0, along_m)),
        "typed_m2": case((typed, surveyed_m2)),
        "cracked_m2": case((typed, result.cracked_area_m2)),
        "cracked_tiles": result.cracked_tiles,
        "tiles": result.tiles,
    }
    return select(
        SurveyImage.section_id,
        _unit(),
        func.count(case((counted, 1))).label("images"),
        func.count(surveyed_m2).label("measured"),
        *(func.sum(value).label(name) for name, value in sums.items()),
        *_products("area", surveyed_px, crack_px, *area_ends),
        *_products("length", surveyed_m2, length_m, *density_ends),
    ).join(result, result.image_id == SurveyImage.id)


def quantity_sums() -> Select[*tuple[Any, ...]]:
    """How much of each type, severity and zone lies on each sample unit; `db.rollup` takes them in order."""
    result, quantity = AnalysisResult, DistressQuantity
    named = (quantity.kind, quantity.severity, quantity.zone)
    width = case((quantity.mean_width_mm.is_not(None), quantity.length_m))
    return (
        select(
            SurveyImage.section_id,
            _unit(),
            *named,
            func.sum(quantity.count).label("count"),
            func.sum(quantity.length_m).label("length_m"),
            func.sum(quantity.area_m2).label("area_m2"),
            func.coalesce(func.sum(width), 0.0).label("wide_m"),
            func.coalesce(func.sum(width * quantity.mean_width_mm), 0.0).label("wide_m_mm"),
        )
        .join(result, result.image_id == SurveyImage.id)
        .join(quantity, quantity.result_id == result.id)
        .group_by(*named)
    )


def of_sections(
    sums: Select[*tuple[Any, ...]],
    survey_id: int,
    checkpoint_id: int,
    settings_hash: str,
    section_ids: list[int],
) -> Select[*tuple[Any, ...]]:
    """`unit_sums` or `quantity_sums` of some sections and one analysis, in the sections' order."""
    return (
        sums.join(Section, Section.id == SurveyImage.section_id)
        .join(Network, Network.id == Section.network_id)
        .where(
            SurveyImage.survey_id == survey_id,
            SurveyImage.section_id.in_(section_ids),
            AnalysisResult.checkpoint_id == checkpoint_id,
            AnalysisResult.settings_hash == settings_hash,
            AnalysisResult.error.is_(None),
        )
        .group_by(SurveyImage.section_id, text("unit"))
        .order_by(SurveyImage.section_id, text("unit"))
    )
