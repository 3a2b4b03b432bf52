"""What the page Change reads: two surveys of one network under one checkpoint, and pairs of their photos."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import shapely
import streamlit as st
from sqlalchemy import and_, func, select
from sqlalchemy.orm import aliased

from app.identity import current_actor
from db.models import AnalysisResult, Checkpoint, Section, SectionResult, Survey, SurveyImage
from db.session import reading
from engine.change import Change, Measured, index_interval, section_change, why_not_comparable

MEASUREMENT_VERSIONS = 50
FARTHEST_APART_M = 15.0
"""Photos of two passes that stand further apart than this do not show the same pavement."""
ANALYSIS = ("checkpoint_id", "settings_hash", "checkpoint")
CHANGE = ("difference", "low", "high", "real")
PLACE = ("id", "section_key", "road", "from_m", "to_m", "west", "south", "east", "north")


@dataclass(frozen=True)
class AnalysisPair:
    """The analyses by which two surveys are compared.

    Attributes:
        first: checkpoint_id, settings_hash, checkpoint (its name) and settings of the earlier survey's
            analysis; None where it has none.
        second: the same of the later survey.
        reason: why the two cannot be compared; None where they can.
    """

    first: Mapping[str, Any] | None
    second: Mapping[str, Any] | None
    reason: str | None


def surveys() -> pd.DataFrame:
    """id, name, network_id, surveyed_on, analysed of surveys that lie on a network, the earliest first."""
    with reading() as session:
        rows = session.execute(
            select(
                Survey.id,
                Survey.name,
                Survey.network_id,
                Survey.surveyed_on,
                Survey.shown_checkpoint_id.is_not(None).label("analysed"),
            )
            .where(
                Survey.agency_id == current_actor().agency_id,
                Survey.network_id.is_not(None),
                select(SurveyImage.id).where(SurveyImage.survey_id == Survey.id).exists(),
            )
            .order_by(Survey.surveyed_on.is_(None), Survey.surveyed_on, Survey.id)
        ).all()
    return pd.DataFrame(rows, columns=["id", "name", "network_id", "surveyed_on", "analysed"])


def _measurement_version(settings: Mapping[str, Any], settings_hash: str) -> int | None:
    """Which version of measuring a result is of: its hash was made with it. None for one that is unknown."""
    for version in range(1, MEASUREMENT_VERSIONS + 1):
        named = json.dumps({**settings, "measurement_version": version}, sort_keys=True)
        if hashlib.sha256(named.encode()).hexdigest() == settings_hash:
            return version
    return None


@st.cache_data(max_entries=50, show_spinner=False)
def _analyses(survey_id: int, version: str) -> list[dict[str, Any]]:
    """The survey's analyses with their settings, the shown one first, then the newest."""
    runs = (
        select(
            AnalysisResult.checkpoint_id,
            AnalysisResult.settings_hash,
            func.max(AnalysisResult.id).label("last"),
        )
        .join(SurveyImage, SurveyImage.id == AnalysisResult.image_id)
        .where(SurveyImage.survey_id == survey_id)
        .group_by(AnalysisResult.checkpoint_id, AnalysisResult.settings_hash)
        .subquery()
    )
    with reading() as session:
        shown = session.get_one(Survey, survey_id)
        rows = session.execute(
            select(
                runs.c.checkpoint_id,
                runs.c.settings_hash,
                Checkpoint.name.label("checkpoint"),
                AnalysisResult.settings,
            )
            .join(AnalysisResult, AnalysisResult.id == runs.c.last)
            .join(Checkpoint, Checkpoint.id == runs.c.checkpoint_id)
            .order_by(runs.c.last.desc())
        ).mappings()
        found = [
            {
                **{name: row[name] for name in ANALYSIS},
                "settings": {
                    **row["settings"],
                    "measurement_version": _measurement_version(row["settings"], row["settings_hash"]),
                },
                "shown": (row["checkpoint_id"], row["settings_hash"])
                == (shown.shown_checkpoint_id, shown.shown_settings_hash),
            }
            for row in rows
        ]
    return sorted(found, key=lambda run: not run["shown"])


def _reason(first: Mapping[str, Any], second: Mapping[str, Any]) -> str | None:
    names = str(first["checkpoint_id"]), str(second["checkpoint_id"])
    return why_not_comparable(*names, first["settings"], second["settings"])


def analysis_pair(first_id: int, second_id: int, versions: tuple[str, str]) -> AnalysisPair:
    """The analyses to compare two surveys by: of the later one the shown analysis, if the earlier one has a
    comparable one, else any two that are comparable.

    Args:
        first_id: the earlier survey.
        second_id: the later one.
        versions: of their data, see `data.version_of`.
    """
    first, second = _analyses(first_id, versions[0]), _analyses(second_id, versions[1])
    if not first or not second:
        return AnalysisPair(
            first[0] if first else None,
            second[0] if second else None,
            "Neither of them is analysed yet."
            if not first and not second
            else f"The {'later' if first else 'earlier'} one is not analysed yet.",
        )
    for later in second:
        for earlier in first:
            if _reason(earlier, later) is None:
                return AnalysisPair(earlier, later, None)
    return AnalysisPair(first[0], second[0], _reason(first[0], second[0]))


@st.cache_data(max_entries=20, show_spinner="Comparing the sections")
def change_table(
    first_id: int, second_id: int, runs: tuple[tuple[int, str], tuple[int, str]], versions: tuple[str, str]
) -> pd.DataFrame:
    """One line for each section that both surveys measured.

    Args:
        first_id: the earlier survey.
        second_id: the later one.
        runs: (checkpoint_id, settings_hash) of each.
        versions: of their data.

    Returns:
        `PLACE`; for `density` (m/m2), `area_pct` (%) and `index` (points) the columns first_, second_,
        difference_, low_, high_, real_ (True, False, or None where that cannot be said), NaN where unknown.
    """
    first, second = aliased(SectionResult), aliased(SectionResult)

    def run(of: Any, survey_id: int, which: tuple[int, str]) -> Any:
        return and_(
            of.section_id == Section.id,
            of.survey_id == survey_id,
            of.checkpoint_id == which[0],
            of.settings_hash == which[1],
        )

    with reading() as session:
        rows = session.execute(
            select(*(getattr(Section, name) for name in PLACE), first, second)
            .join(first, run(first, first_id, runs[0]))
            .join(second, run(second, second_id, runs[1]))
            .order_by(Section.road, Section.from_m)
        )
        lines = [_section_line(row[: len(PLACE)], row[-2], row[-1]) for row in rows]
    table = pd.DataFrame(lines, columns=[*PLACE, *(f"{c}_{m}" for m in MEASURES for c in COLUMNS)])
    numbers = [f"{column}_{measure}" for measure in MEASURES for column in COLUMNS if column != "real"]
    return table.astype(dict.fromkeys(numbers, "float64"))


COLUMNS = ("first", "second", *CHANGE)
MEASURES = ("density", "area_pct", "index")


def _section_line(place: Any, first: SectionResult, second: SectionResult) -> dict[str, Any]:
    line = dict(zip(PLACE, place, strict=True))
    for measure, read in (("density", _density), ("area_pct", _area_pct), ("index", _index)):
        before, after = read(first), read(second)
        change = None if before is None or after is None else section_change(before, after)
        line |= _columns(measure, before, after, change)
    return line


def _columns(
    measure: str, before: Measured | None, after: Measured | None, change: Change | None
) -> dict[str, Any]:
    values = {
        "first": before and before.value,
        "second": after and after.value,
        **{name: change and getattr(change, name) for name in CHANGE},
    }
    return {f"{name}_{measure}": value for name, value in values.items()}


def _density(row: SectionResult) -> Measured | None:
    if row.crack_density_m_per_m2 is None:
        return None
    return Measured(
        row.crack_density_m_per_m2, row.crack_density_m_per_m2_low, row.crack_density_m_per_m2_high
    )


def _area_pct(row: SectionResult) -> Measured:
    ends = row.crack_area_ratio_low, row.crack_area_ratio_high
    return Measured(100 * row.crack_area_ratio, *(None if end is None else 100 * end for end in ends))


def _index(row: SectionResult) -> Measured | None:
    density = _density(row)
    if row.condition_index is None or density is None or not row.surveyed_area_m2:
        return None
    return index_interval(row.quantities or (), row.surveyed_area_m2, density)


def lines_of(section_ids: list[int]) -> dict[int, shapely.LineString]:
    """The sections' lines, WGS84."""
    found = {}
    with reading() as session:
        for start in range(0, len(section_ids), 500):
            rows = session.execute(
                select(Section.id, Section.geometry).where(Section.id.in_(section_ids[start : start + 500]))
            )
            found.update({row.id: shapely.from_wkb(row.geometry) for row in rows})
    return found


def change_geojson(table: pd.DataFrame) -> bytes:
    """The sections of `change_table` as GeoJSON lines with its columns, for any map."""
    lines = lines_of([int(value) for value in table["id"]])
    columns = [name for name in table.columns if name not in ("west", "south", "east", "north")]
    features = [
        {
            "type": "Feature",
            "geometry": shapely.geometry.mapping(lines[int(row["id"])]),
            "properties": {name: None if pd.isna(row[name]) else row[name] for name in columns},
        }
        for row in table.to_dict("records")
        if int(row["id"]) in lines
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def photo_pairs(
    section_id: int,
    first_id: int,
    second_id: int,
    runs: tuple[tuple[int, str], tuple[int, str]],
) -> list[dict[str, Any]]:
    """The later survey's photos of a section, each with the nearest of the earlier one's, along the chainage.

    Returns:
        first_id, second_id (photos), chainage_m (of the later), apart_m, first and second (crack density in
        m/m2, or cracked area in % where no metres are known; None without a result). Photos that stand alone
        are left out.
    """
    before, after = (
        _photos(section_id, survey_id, run)
        for survey_id, run in zip((first_id, second_id), runs, strict=True)
    )
    pairs = []
    for photo in after:
        near = min(before, key=lambda other: abs(other["chainage_m"] - photo["chainage_m"]), default=None)
        if near is None or (apart := abs(near["chainage_m"] - photo["chainage_m"])) > FARTHEST_APART_M:
            continue
        pairs.append({
            "first_id": near["id"],
            "second_id": photo["id"],
            "chainage_m": photo["chainage_m"],
            "apart_m": apart,
            "first": near["value"],
            "second": photo["value"],
        })  # fmt: skip
    return pairs


def _photos(section_id: int, survey_id: int, run: tuple[int, str]) -> list[dict[str, Any]]:
    value = func.coalesce(AnalysisResult.crack_density_m_per_m2, AnalysisResult.crack_area_ratio * 100)
    with reading() as session:
        rows = session.execute(
            select(SurveyImage.id, SurveyImage.chainage_m, value.label("value"))
            .join(Survey, Survey.id == SurveyImage.survey_id)
            .join(
                AnalysisResult,
                and_(
                    AnalysisResult.image_id == SurveyImage.id,
                    AnalysisResult.checkpoint_id == run[0],
                    AnalysisResult.settings_hash == run[1],
                    AnalysisResult.error.is_(None),
                ),
            )
            .where(
                SurveyImage.section_id == section_id,
                SurveyImage.survey_id == survey_id,
                SurveyImage.chainage_m.is_not(None),
                Survey.agency_id == current_actor().agency_id,
            )
            .order_by(SurveyImage.chainage_m, SurveyImage.id)
        ).mappings()
        return [dict(row) for row in rows]
