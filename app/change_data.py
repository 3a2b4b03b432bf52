"""What the page Change reads: two surveys of one network under one checkpoint, and pairs of their photos."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import shapely
import streamlit as st
from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session, aliased

from app.identity import current_actor
from app.layers import ENDS_OF_INDEX, MAX_INTERVALS, ends_of_index
from db.models import AnalysisResult, Checkpoint, Section, SectionResult, Survey, SurveyImage
from db.session import reading
from engine.change import (
    Change,
    Measured,
    section_change,
    why_not_comparable,
)
from engine.measurement_version import with_measurement_version

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
                "settings": with_measurement_version(row["settings"], row["settings_hash"]),
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


Runs = tuple[tuple[int, str], tuple[int, str]]


@st.cache_data(max_entries=20, show_spinner="Comparing the sections")
def change_table(first_id: int, second_id: int, runs: Runs, versions: tuple[str, str]) -> pd.DataFrame:
    """One line for each section that both surveys measured.

    Args:
        first_id: the earlier survey.
        second_id: the later one.
        runs: (checkpoint_id, settings_hash) of each.
        versions: of their data.

    Returns:
        `PLACE`; for `density` (m/m2), `area_pct` (%) and `index` (points) the columns first_, second_,
        difference_, low_, high_, real_ (True, False, or None where that cannot be said), NaN where unknown.
        Those of the index have no interval yet: `index_change_table`.
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
            select(*(getattr(Section, name) for name in PLACE), *_values(first), *_values(second))
            .join(first, run(first, first_id, runs[0]))
            .join(second, run(second, second_id, runs[1]))
            .order_by(Section.road, Section.from_m)
        ).all()
    values = [f"{side}_{measure}{end}" for side in ("first", "second") for measure, end in VALUES]
    table = pd.DataFrame(rows, columns=[*PLACE, *values]).astype(dict.fromkeys(values, "float64"))
    for measure in MEASURES:
        names = [f"{side}_{measure}{end}" for side in ("first", "second") for end in ENDS]
        ends = (table[name] if name in table else pd.Series(math.nan, table.index) for name in names)
        _add_changes(table, measure, [_change(*line) for line in zip(*ends, strict=True)])
    return table[[*PLACE, *(f"{column}_{measure}" for measure in MEASURES for column in COLUMNS)]]


@st.cache_data(max_entries=20, show_spinner="Working out the intervals of the index")
def index_change_table(first_id: int, second_id: int, runs: Runs, versions: tuple[str, str]) -> pd.DataFrame:
    """`change_table` with the intervals of the index, of the `MAX_INTERVALS` sections that differ most."""
    table: pd.DataFrame = change_table(first_id, second_id, runs, versions).copy()
    differs = table["difference_index"].abs().dropna()
    chosen = differs.nlargest(MAX_INTERVALS).index
    ids = [int(value) for value in table.loc[chosen, "id"]]
    with reading() as session:
        first, second = (
            _index_ends(session, survey_id, run, ids)
            for survey_id, run in zip((first_id, second_id), runs, strict=True)
        )
    unknown = (math.nan, math.nan)
    changes = [
        _change(
            line["first_index"], *first.get(line["id"], unknown),
            line["second_index"], *second.get(line["id"], unknown),
        )
        for line in table[["id", "first_index", "second_index"]].to_dict("records")
    ]  # fmt: skip
    _add_changes(table, "index", changes)
    return table


COLUMNS = ("first", "second", *CHANGE)
MEASURES = ("density", "area_pct", "index")
ENDS = ("", "_low", "_high")
VALUES = [*((measure, end) for measure in MEASURES[:2] for end in ENDS), ("index", "")]


def _values(of: Any) -> list[Any]:
    """Columns `VALUES`."""
    density = [getattr(of, f"crack_density_m_per_m2{end}") for end in ENDS]
    area = [getattr(of, f"crack_area_ratio{end}") * 100 for end in ENDS]
    # The two sides' columns have the same names.
    return [column.label(None) for column in (*density, *area, of.condition_index)]


def _change(
    first: float, first_low: float, first_high: float, second: float, second_low: float, second_high: float
) -> Change | None:
    """The change of values whose ends may be NaN; None where a value is."""
    if math.isnan(first) or math.isnan(second):
        return None
    before = Measured(first) if math.isnan(first_low) else Measured(first, first_low, first_high)
    after = Measured(second) if math.isnan(second_low) else Measured(second, second_low, second_high)
    return section_change(before, after)


def _add_changes(table: pd.DataFrame, measure: str, changes: list[Change | None]) -> None:
    for name in CHANGE:
        values = [change and getattr(change, name) for change in changes]
        kind = "object" if name == "real" else "float64"
        table[f"{name}_{measure}"] = pd.Series(values, table.index, dtype=kind)


def _index_ends(
    session: Session, survey_id: int, run: tuple[int, str], section_ids: list[int]
) -> dict[int, tuple[float, float]]:
    """Interval of the index by section, as every page has it."""
    rows = session.execute(
        select(SectionResult.section_id, *ENDS_OF_INDEX).where(
            SectionResult.survey_id == survey_id,
            SectionResult.checkpoint_id == run[0],
            SectionResult.settings_hash == run[1],
            SectionResult.section_id.in_(section_ids),
            SectionResult.condition_index.is_not(None),
        )
    )
    return {row.section_id: ends for row in rows if (ends := ends_of_index(row))}


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


def change_geojson(table: pd.DataFrame, about: Mapping[str, Any]) -> bytes:
    """The sections of `change_table` as GeoJSON lines with its columns, for any map.

    Args:
        table: as of `change_table`, under any names.
        about: members of the collection: formulas and standards, say.
    """
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
    return json.dumps({"type": "FeatureCollection", **about, "features": features}).encode()


def photo_pairs(
    section_id: int,
    first_id: int,
    second_id: int,
    runs: Runs,
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
