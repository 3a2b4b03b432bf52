"""What the pages of plans read: a survey's plans, one plan, its projects and sections, wishes.

A plan never changes, so it is cached by its id and the time it was made: ids of deleted ones may come again.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import streamlit as st
from sqlalchemy import select

from app import data, layers
from app.adapt_data import JOB_COLUMNS
from app.identity import current_actor
from db import plan_queries, plan_store
from db.models import Job, Plan, Section, Survey
from db.session import reading
from engine.deterioration import Deterioration, fit_curves
from engine.errors import SettingsError
from engine.treatments import UNITS, Treatment
from engine.vocabulary import JobKind

PROJECT_COLUMNS = (
    "year", "treatment", "preventive", "road", "from_m", "to_m", "length_m", "area_m2", "cost",
    "mobilisation", "benefit", "benefit_cost", "equivalent_annual_cost", "cost_of_delay", "index_before",
    "index_after", "index_left_alone", "stays_percent", "same_year_percent", "fixed", "section_keys",
    "reason",
)  # fmt: skip
MAY_BE_EMPTY = ("benefit_cost", "cost_of_delay", "stays_percent", "same_year_percent")


def plans(survey_id: int) -> list[dict[str, Any]]:
    """The survey's plans, the newest first: see `db.plan_store.plans_of`."""
    with reading() as session:
        return plan_store.plans_of(session, current_actor().agency_id, survey_id)


def newest_plan_id(survey_id: int) -> int | None:
    """None where the survey has no plan of the agency's."""
    with reading() as session:
        return session.scalar(
            select(Plan.id)
            .where(Plan.agency_id == current_actor().agency_id, Plan.survey_id == survey_id)
            .order_by(Plan.created_at.desc(), Plan.id.desc())
            .limit(1)
        )


def plan(plan_id: int) -> dict[str, Any]:
    """One of the agency's plans: id, version, name, survey_id, network_id, checkpoint_id, settings_hash,
    created_at, request, result, scenarios; see `db.plan_models.Plan`.

    Raises:
        SettingsError: the agency has no such plan (any more).
    """
    return _plan(plan_id, plan_version(plan_id))


def plan_version(plan_id: int) -> str:
    """Tells a plan from a later one that was given the same id.

    Raises:
        SettingsError: as `plan`.
    """
    with reading() as session:
        made = session.scalar(
            select(Plan.created_at).where(Plan.id == plan_id, Plan.agency_id == current_actor().agency_id)
        )
    if made is None:
        raise SettingsError(f"There is no plan {plan_id}.", "See the list of plans on the page Plan.")
    return f"{plan_id}-{made.isoformat()}"


@st.cache_data(max_entries=10, show_spinner="Reading the plan ...")
def _plan(plan_id: int, version: str) -> dict[str, Any]:
    with reading() as session:
        row = session.get_one(Plan, plan_id)
        network_id = session.scalar(select(Survey.network_id).where(Survey.id == row.survey_id))
        names = ("id", "name", "survey_id", "checkpoint_id", "settings_hash", "created_at")
        kept = {name: getattr(row, name) for name in (*names, "request", "result", "scenarios")}
    return {**kept, "version": version, "network_id": network_id}


def read_at(made: Mapping[str, Any]) -> datetime:
    """When a plan read the sections, pins and bans that it was made from; decisions since are not in it.

    Args:
        made: of `plan`, or of `priorities_data.plan_summary`.
    """
    told = made["result"].get("read_at")
    at: datetime = made["created_at"] if told is None else datetime.fromisoformat(told)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def project_table(plan_id: int) -> pd.DataFrame:
    """One line for each project, in the order of the plan: by year, the best benefit-cost first.

    Columns: rank (from 1), sections (how many), and `PROJECT_COLUMNS`: money in the plan's currency,
    lengths in m, benefit in index points x km x years, benefit_cost for each 1,000 of money, section_keys a
    tuple of the agency's keys, stays_percent of the draws (NaN where the condition has no interval).

    Raises:
        SettingsError: as `plan`.
    """
    return _project_table(plan_id, plan_version(plan_id))


@st.cache_data(max_entries=10, show_spinner=False)
def _project_table(plan_id: int, version: str) -> pd.DataFrame:
    projects = _plan(plan_id, version)["result"]["projects"]
    table = pd.DataFrame(
        [{name: project.get(name) for name in PROJECT_COLUMNS} for project in projects],
        columns=list(PROJECT_COLUMNS),
    )
    table["section_keys"] = [tuple(project["section_ids"]) for project in projects]
    table.insert(0, "rank", range(1, len(table) + 1))
    table["sections"] = table["section_keys"].map(len).astype("int64")
    return table.astype(dict.fromkeys(MAY_BE_EMPTY, "float64") | {"year": "int64"})


def section_plan(plan_id: int) -> pd.DataFrame:
    """What the plan does to each section, by the agency's section key (the index, `section_key`).

    Columns: year and treatment (None: nothing is planned), cost (the section's part of its project by length,
    in the plan's currency), project (its rank in `project_table`), reason (why, or why not), later (second
    treatment of the section as "2031 Mill and overlay", else empty).

    Raises:
        SettingsError: as `plan`.
    """
    version = plan_version(plan_id)
    return _section_plan(plan_id, version, data.version_of(_plan(plan_id, version)["survey_id"]))


@st.cache_data(max_entries=10, show_spinner=False)
def _section_plan(plan_id: int, version: str, survey_version: str) -> pd.DataFrame:
    # The survey's version tells of edits of the network, too.
    made = _plan(plan_id, version)
    lengths = _lengths_m(made["network_id"])
    lines: dict[str, dict[str, Any]] = {}
    for project in _project_table(plan_id, version).to_dict("records"):
        keys = project["section_keys"]
        # A section may have left the network since.
        own = [lengths.get(key, 0.0) for key in keys]
        whole = sum(own)
        for key, length_m in zip(keys, own, strict=True):
            share = length_m / whole if whole else 1 / len(keys)
            if key in lines:
                lines[key]["later"] = f"{project['year']} {project['treatment']}"
                continue
            lines[key] = {
                "year": project["year"], "treatment": project["treatment"], "cost": project["cost"] * share,
                "project": project["rank"], "reason": project["reason"], "later": "",
            }  # fmt: skip
    for left in made["result"]["unplanned"]:
        empty = {"year": None, "treatment": None, "cost": None, "project": None}
        lines.setdefault(str(left["section_id"]), {**empty, "reason": left["reason"], "later": ""})
    table = pd.DataFrame.from_dict(
        lines, orient="index", columns=["year", "treatment", "cost", "project", "reason", "later"]
    ).rename_axis("section_key")
    return table.astype({"year": "Int64", "project": "Int64", "cost": "float64", "treatment": "object"})


def _lengths_m(network_id: int | None) -> dict[str, float]:
    with reading() as session:
        rows = session.execute(
            select(Section.section_key, Section.length_m).where(Section.network_id == network_id)
        )
        return {row.section_key: row.length_m for row in rows}


def wishes(network_id: int) -> list[dict[str, Any]]:
    """Pins, bans and comments of a network's sections, none of another agency's: see
    `db.plan_store.wishes_of`."""
    if not layers.has_network(current_actor().agency_id, network_id):
        return []
    with reading() as session:
        return plan_store.wishes_of(session, network_id)


def treatment_sets() -> list[dict[str, Any]]:
    """Ready sets and the agency's own: see `db.plan_store.treatment_sets`."""
    with reading() as session:
        return plan_store.treatment_sets(session, current_actor().agency_id)


def plan_jobs(survey_id: int) -> list[dict[str, Any]]:
    """The survey's jobs that plan, the newest first: as `data.jobs`, and `parameters`, `requested_by`."""
    statement = (
        select(*JOB_COLUMNS, Job.requested_by)
        .join(Survey, Survey.id == Job.survey_id)
        .where(
            Job.agency_id == current_actor().agency_id,
            Job.survey_id == survey_id,
            Job.kind == JobKind.MAKE_PLAN,
        )
        .order_by(Job.id.desc())
        .limit(20)
    )
    with reading() as session:
        return [dict(row) for row in session.execute(statement).mappings()]


def fitted_curves(survey_id: int) -> tuple[Deterioration, ...]:
    """Curves that the network's repeated surveys tell: see `engine.deterioration.fit_curves`."""
    return _fitted_curves(survey_id, data.version_of(survey_id))


@st.cache_data(max_entries=20, show_spinner=False)
def _fitted_curves(survey_id: int, version: str) -> tuple[Deterioration, ...]:
    with reading() as session:
        return fit_curves(plan_queries.repeated_surveys(session, survey_id))


def everything_cost(survey_id: int, treatments: Sequence[Treatment]) -> float:
    """About what it costs to treat every surveyed section once, each with the dearest treatment that suits
    its condition: the end of a slider, not a plan.

    Args:
        survey_id: the survey.
        treatments: those without a unit cost are left out.

    Returns:
        Money in the set's currency; 0 where nothing is measured or no treatment suits.
    """
    table = data.section_table(survey_id, data.version_of(survey_id))
    known = table[table["condition_index"].notna()]
    lanes = known["lanes"].astype("float64").fillna(plan_queries.ASSUMED_LANES)
    counted = {
        "area": known["length_m"] * lanes * plan_queries.ASSUMED_LANE_WIDTH_M,
        "length": known["length_m"],
        "crack": known["length_m"] * lanes,  # a crack along every lane
    }
    dearest = pd.Series(0.0, known.index)
    for treatment in treatments:
        if treatment.unit_cost is None:
            continue
        what, size = UNITS[treatment.unit]
        cost = counted[what] / size * treatment.unit_cost + treatment.mobilisation_cost
        suits = known["condition_index"].between(treatment.index_min, treatment.index_max)
        dearest = dearest.where(~suits | (dearest > cost), cost)
    return float(dearest.sum())


def section_lines(made: Mapping[str, Any]) -> dict[str, list[list[float]]]:
    """Simplified line of each section of a plan's network by its key: [longitude, latitude] pairs.

    Args:
        made: of `plan`.
    """
    if made["network_id"] is None:
        return {}
    version = data.version_of(made["survey_id"])
    features = layers.section_layer(made["network_id"], None, version)["features"]
    return {feature["properties"]["key"]: feature["geometry"]["coordinates"] for feature in features}
