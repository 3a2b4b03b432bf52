"""Cached reads of the pages of sections: a section's roll-up, its photos' distresses, its trend."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.identity import current_actor
from app.layers import (
    ENDS_OF_INDEX,
    MEASURES,
    ends_of_index,
    index_ends,
    measures,
    shown_result,
    shown_section_result,
)
from db import rollup
from db.models import (
    AnalysisResult,
    Checkpoint,
    DistressQuantity,
    Network,
    SectionResult,
    Survey,
    SurveyImage,
)
from db.session import reading
from engine.change import why_not_comparable
from engine.linear_reference import sample_units
from engine.measurement_version import with_measurement_version

QUANTITIES = ("kind", "severity", "zone", "count", "length_m", "area_m2", "mean_width_mm")
# SQLite takes so many values in one statement.
CHUNK = 30_000


@st.cache_data(max_entries=50, show_spinner=False)
def index_intervals(survey_id: int, version: str, section_ids: tuple[int, ...]) -> pd.DataFrame:
    """condition_index_low and _high by section; of few sections, for they are made of large columns."""
    found: dict[int, tuple[float, float]] = {}
    with reading() as session:
        for start in range(0, len(section_ids), CHUNK):
            found |= index_ends(session, survey_id, section_ids[start : start + CHUNK])
    ends = ["condition_index_low", "condition_index_high"]
    return pd.DataFrame.from_dict(found, orient="index", columns=ends).astype("float64")


@st.cache_data(max_entries=10, show_spinner="Reading the distresses ...")
def distress_sections(survey_id: int, version: str) -> pd.DataFrame:
    """section_id, kind, severity: one line for each type and severity that a section has."""
    with reading() as session:
        rows = session.execute(
            select(SectionResult.section_id, SectionResult.quantities)
            .join(Survey, shown_section_result())
            .where(Survey.id == survey_id, SectionResult.images > 0)
        )
        found = {
            (section_id, quantity["kind"], quantity["severity"])
            for section_id, quantities in rows
            for quantity in quantities or ()
        }
    return pd.DataFrame(sorted(found), columns=["section_id", "kind", "severity"])


@st.cache_data(max_entries=50, show_spinner=False)
def shown_analysis(survey_id: int, version: str) -> Mapping[str, Any]:
    """`checkpoint`, its name, and `settings` of the shown analysis; empty where there is none."""
    with reading() as session:
        row = session.execute(
            select(Checkpoint.name.label("checkpoint"), AnalysisResult.settings)
            .join(Survey, Survey.shown_checkpoint_id == Checkpoint.id)
            .join(SurveyImage, SurveyImage.survey_id == Survey.id)
            .join(AnalysisResult, shown_result())
            .where(Survey.id == survey_id)
            .limit(1)
        ).one_or_none()
    return {} if row is None else {"checkpoint": row.checkpoint, "settings": row.settings}


@st.cache_data(max_entries=50, show_spinner=False)
def rolled_up(survey_id: int, section_id: int, version: str) -> Mapping[str, Any]:
    """`condition`, `quantities` and `units` of a section as the roll-up wrote them; empty without metres."""
    with reading() as session:
        row = session.execute(
            select(SectionResult.condition, SectionResult.quantities, SectionResult.units)
            .join(Survey, shown_section_result())
            .where(Survey.id == survey_id, SectionResult.section_id == section_id)
        ).one_or_none()
    return {
        "condition": (row and row.condition) or {},
        "quantities": (row and row.quantities) or [],
        "units": (row and row.units) or [],
    }


@st.cache_data(max_entries=50, show_spinner=False)
def photo_distresses(survey_id: int, section_id: int, version: str) -> pd.DataFrame:
    """id and chainage_m of a section's photos with `QUANTITIES`: one line for each type, severity, zone."""
    columns = [getattr(DistressQuantity, name) for name in QUANTITIES]
    with reading() as session:
        rows = session.execute(
            select(SurveyImage.id, SurveyImage.chainage_m, *columns)
            .join(Survey, Survey.id == SurveyImage.survey_id)
            .join(AnalysisResult, shown_result())
            .join(DistressQuantity, DistressQuantity.result_id == AnalysisResult.id)
            .where(SurveyImage.survey_id == survey_id, SurveyImage.section_id == section_id)
            .order_by(SurveyImage.chainage_m, SurveyImage.id)
        ).all()
    return pd.DataFrame(rows, columns=["id", "chainage_m", *QUANTITIES])


def trend(survey_id: int, section_id: int) -> pd.DataFrame:
    """A section through all surveys of its network by date, one line each.

    Of a survey with several analyses the one of this survey's shown checkpoint and settings is taken, else of
    its checkpoint, else the shown one. `not_comparable` says why it cannot be compared with this survey's
    shown analysis; empty where it can.
    """
    agency_id = current_actor().agency_id
    with reading() as session:
        here = session.get_one(Survey, survey_id)
        rows = session.execute(
            select(
                Survey.id.label("survey_id"),
                Survey.name.label("survey"),
                Survey.surveyed_on,
                Survey.shown_checkpoint_id,
                Survey.shown_settings_hash,
                SectionResult.checkpoint_id,
                SectionResult.settings_hash,
                Checkpoint.name.label("checkpoint"),
                Checkpoint.content_hash,
                SectionResult.images,
                *measures(SectionResult),
                SectionResult.condition_index,
                SectionResult.hpms_cracking_percent,
                SectionResult.unified_crack_index,
                SectionResult.surveyed_share,
                *ENDS_OF_INDEX[:3],
            )
            .join(SectionResult, SectionResult.survey_id == Survey.id)
            .join(Checkpoint, Checkpoint.id == SectionResult.checkpoint_id)
            .where(SectionResult.section_id == section_id, Survey.agency_id == agency_id)
        )
        analysis = (here.shown_checkpoint_id, here.shown_settings_hash)
        best = _best_of_each([_with_ends(row) for row in rows], analysis)
        for row in best:
            settings = _settings(session, section_id, row) or {}
            row["settings"] = with_measurement_version(settings, row["settings_hash"])
    table = pd.DataFrame(best)
    if table.empty or survey_id not in set(table["survey_id"]):
        return pd.DataFrame()
    shown = next(row for row in best if row["survey_id"] == survey_id)
    table["not_comparable"] = [
        why_not_comparable(row["content_hash"], shown["content_hash"], row["settings"], shown["settings"])
        for row in best
    ]
    numbers = [*MEASURES, "condition_index", "condition_index_low", "condition_index_high"]
    numbers += ["hpms_cracking_percent", "unified_crack_index", "surveyed_share"]
    table["surveyed_on"] = pd.to_datetime(table["surveyed_on"])
    return table.astype(dict.fromkeys(numbers, "float64")).sort_values(
        ["surveyed_on", "survey_id"], ignore_index=True
    )


def _with_ends(row: Any) -> dict[str, Any]:
    low, high = (row.condition_index is not None and ends_of_index(row)) or (None, None)
    plain = {name: value for name, value in row._mapping.items() if name != "quantities"}
    return {**plain, "condition_index_low": low, "condition_index_high": high}


def _best_of_each(
    rows: Sequence[dict[str, Any]], analysis: tuple[int | None, str | None]
) -> list[dict[str, Any]]:
    """Of each survey's analyses the one that compares best with `analysis` (checkpoint, settings)."""
    best: dict[int, tuple[int, dict[str, Any]]] = {}
    for row in rows:
        run = row["checkpoint_id"], row["settings_hash"]
        same = run[0] == analysis[0]
        shown = run == (row["shown_checkpoint_id"], row["shown_settings_hash"])
        rank = 4 * (run == analysis) + 2 * same + shown
        if rank and (row["survey_id"] not in best or best[row["survey_id"]][0] < rank):
            best[row["survey_id"]] = rank, row
    return [row for _, row in best.values()]


def _settings(session: Session, section_id: int, run: Mapping[str, Any]) -> dict[str, Any] | None:
    """How the photos of a line of `trend` were analysed: they share their settings."""
    return session.scalar(
        select(AnalysisResult.settings)
        .join(SurveyImage, SurveyImage.id == AnalysisResult.image_id)
        .where(
            SurveyImage.section_id == section_id,
            SurveyImage.survey_id == run["survey_id"],
            AnalysisResult.checkpoint_id == run["checkpoint_id"],
            AnalysisResult.settings_hash == run["settings_hash"],
        )
        .limit(1)
    )


def section_neighbours(table: pd.DataFrame, section_id: int) -> tuple[int | None, int | None]:
    """The sections before and after on the same road; `table` as of `data.section_table`."""
    road = table[table["road"] == table.loc[section_id, "road"]].sort_values("from_m")
    ids = [int(value) for value in road["id"]]
    place = ids.index(section_id)
    return (ids[place - 1] if place else None), (ids[place + 1] if place + 1 < len(ids) else None)


@st.cache_data(max_entries=20, show_spinner=False)
def road_totals(survey_id: int, version: str) -> pd.DataFrame:
    """`db.rollup.road_totals` of the shown analysis, with the columns of `data.section_table`."""
    with reading() as session:
        return _totals(rollup.road_totals(session, survey_id, *_shown(session, survey_id)))


@st.cache_data(max_entries=20, show_spinner=False)
def network_totals(survey_id: int, version: str) -> dict[str, Any]:
    """The whole network as one line of `road_totals`."""
    with reading() as session:
        whole = rollup.network_totals(session, survey_id, *_shown(session, survey_id))
    return {str(name): value for name, value in _totals([whole]).iloc[0].items()}


def _shown(session: Session, survey_id: int) -> tuple[int, str]:
    survey = session.get_one(Survey, survey_id)
    return survey.shown_checkpoint_id or 0, survey.shown_settings_hash or ""


def _totals(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(rows)
    if table.empty:
        return table
    for end in ("", "_low", "_high"):
        table[f"crack_area_pct{end}"] = table.pop(f"crack_area_ratio{end}").astype("float64") * 100
    numbers = [name for name in table if name != "road"]
    return table.astype(dict.fromkeys(numbers, "float64"))


def unit_count(network_id: int, ends_m: tuple[float, float]) -> int:
    """Into how many sample units the network's settings cut a section."""
    with reading() as session:
        return len(sample_units(*ends_m, session.get_one(Network, network_id).sample_unit_m))
