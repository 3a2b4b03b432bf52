"""The filters of the page of priorities: which sections, and what of the plan."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import section_data
from app.components.measures import GRADES, INDEX
from app.components.section_table import NOT_GIVEN
from app.components.text import words
from engine.vocabulary import DistressType


def section_choice(
    places: Sequence[DeltaGenerator], table: pd.DataFrame, survey_id: int, version: str
) -> pd.DataFrame:
    """Draw the filters of road, class, condition and distress; the sections that pass all of them.

    Args:
        places: four, one for each filter.
        table: of `data.section_table` with `grade`.
    """
    passed = pd.Series(True, table.index)
    for place, (column, label) in zip(
        places, (("road", "Road"), ("functional_class", "Road class")), strict=False
    ):
        known = table[column].fillna(NOT_GIVEN)
        chosen = place.multiselect(
            label, sorted(known.unique(), key=str), key=f"priorities-{column}-{survey_id}", placeholder="All"
        )
        if chosen:
            passed &= known.isin(chosen)
    grades = places[2].multiselect(
        "Condition", [grade for grade in GRADES if grade in set(table["grade"])],
        key=f"priorities-grade-{survey_id}", format_func=str.capitalize, placeholder="All",
        help=f"As surveyed, by the condition index: {INDEX.standard}.",
    )  # fmt: skip
    if grades:
        passed &= table["grade"].isin(grades)
    found = section_data.distress_sections(survey_id, version)
    occurring = set(found["kind"])
    kinds = places[3].multiselect(
        "Distress",
        [kind for kind in DistressType if kind in occurring and kind != DistressType.CRACK],
        key=f"priorities-kind-{survey_id}", format_func=words, placeholder="All",
        help="Sections on which at least one of these types was found.",
    )  # fmt: skip
    if kinds:
        passed &= table["id"].isin(found.loc[found["kind"].isin(kinds), "section_id"])
    return table[passed]


def project_choice(places: Sequence[DeltaGenerator], projects: pd.DataFrame, survey_id: int) -> pd.DataFrame:
    """Draw the filters of year and treatment; the projects that pass both.

    Args:
        places: two, one for each filter.
        projects: of `plan_data.project_table`.
    """
    for place, (column, label) in zip(places, (("year", "Year"), ("treatment", "Treatment")), strict=True):
        chosen = place.multiselect(
            label,
            sorted(projects[column].unique()),
            key=f"priorities-{column}-{survey_id}",
            placeholder="All",
        )
        if chosen:
            projects = projects[projects[column].isin(chosen)]
    return projects


def filtered(
    table: pd.DataFrame, projects: pd.DataFrame, links: pd.DataFrame, survey_id: int, version: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw all filters of a plan; the sections, and the projects with at least one of them, that pass.

    Args:
        links: of `priorities_rows.project_links`.
    """
    cells = st.columns(6)
    sections = section_choice([cells[0], cells[1], cells[4], cells[5]], table, survey_id, version)
    projects = project_choice([cells[2], cells[3]], projects, survey_id)
    if len(sections) < len(table):
        ranks = links.loc[links["id"].isin(sections["id"]), "rank"]
        projects = projects[projects["rank"].isin(ranks)]
    return sections, projects
