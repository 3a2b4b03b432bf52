"""The chosen line of the page of priorities: why, its numbers, its photos, and what people decided."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import data
from app.components.gallery import photo_strip
from app.components.measures import AREA_SHARE, DENSITY
from app.components.messages import plain
from app.components.plan_money import benefit_words, money, money_in_full, ratio_words, short_money
from app.components.priorities_table import choose_line
from app.components.text import chainage, number

PHOTOS = 6


def project_words(project: Mapping[Any, Any], made: Mapping[str, Any]) -> None:
    """A project of `plan_data.project_table` with its reason and numbers; `made` is its plan."""
    currency = str(made["request"]["currency"])
    st.subheader(f"#{project['rank']} · {plain(project['treatment'])} in {project['year']}")
    keys = project["section_keys"]
    name = keys[0] if len(keys) == 1 else f"{keys[0]} to {keys[-1]}, {len(keys)} sections"
    place = f"{chainage(project['from_m'])} to {chainage(project['to_m'])}"
    st.caption(
        f"{plain(project['road'])} · {plain(name)} · {place} · {number(project['length_m'], 0, 'm')} · "
        f"{number(project['area_m2'], 0, 'm²')}"
    )
    st.write(plain(project["reason"]))
    cells = [*st.columns(2), *st.columns(2)]
    _figure(
        cells[0], "Cost", short_money(project["cost"], currency),
        f"{money(project['equivalent_annual_cost'], currency)} a year",
        f"{plain(money_in_full(project['cost'], currency))} with mobilisation. Under it: equivalent annual "
        "cost over the treatment's life.",
    )  # fmt: skip
    _figure(
        cells[1], f"Benefit per 1,000 {plain(currency)}", ratio_words(project["benefit_cost"]),
        f"{benefit_words(project['benefit'])} in all",
        "Index points x km x years over doing nothing, weighted by traffic. "
        "The rank within a year goes by it.",
    )  # fmt: skip
    _figure(
        cells[2], "Condition index", f"{project['index_before']:.0f} → {project['index_after']:.0f}",
        f"left alone {project['index_left_alone']:.0f}",
        f"Just before and just after the treatment. Under it: at the end of {made['request']['years']} years "
        "if nothing is done.",
    )  # fmt: skip
    stays = project["stays_percent"]
    _figure(
        cells[3], "Stays in the plan", number(stays, 0, "%"),
        f"in the same year {number(project['same_year_percent'], 0, '%')}" if pd.notna(stays) else "",
        "How often, when the surveyed condition is drawn from its interval.",
    )  # fmt: skip


def _figure(place: DeltaGenerator, label: str, value: str, under: str, more: str) -> None:
    place.metric(
        label, value, delta=under or None, delta_color="off", delta_arrow="off", border=True,
        height="stretch", help=more,
    )  # fmt: skip


def section_words(section: Mapping[Any, Any], title: str, reason: str) -> None:
    """A section outside of any project, and why."""
    st.subheader(f"{plain(section['road'])} · {plain(section['section_key'])}{title}")
    place = f"{chainage(section['from_m'])} to {chainage(section['to_m'])}"
    st.caption(f"{place} · {number(section['length_m'], 0, 'm')}")
    st.write(plain(reason))


def choose_section(project: Mapping[Any, Any], sections: pd.DataFrame, section_id: int) -> int:
    """Which section of a project of several is looked at; `sections` are its lines of the section table."""
    if len(sections) < 2:
        return section_id
    ids = [int(value) for value in sections["id"]]
    keys = dict(zip(ids, sections["section_key"], strict=True))
    index = dict(zip(ids, sections["condition_index"], strict=True))
    chosen = st.selectbox(
        f"Section of this project ({len(ids)})",
        ids,
        index=ids.index(section_id),
        format_func=lambda each: f"{keys[each]} · condition index {number(index[each], 0)}",
    )
    if chosen != section_id:
        choose_line(chosen, int(project["rank"]))
        st.rerun()
    return section_id


def worst_photos(section: Mapping[Any, Any], survey_id: int, version: str) -> None:
    """The section's photos with most cracks, and the way to its page."""
    section_id = int(section["id"])
    there = {"survey": str(survey_id), "section": str(section_id)}
    photos = data.section_photos(survey_id, section_id, version)
    measure = DENSITY if data.measure_is_density(survey_id, version) else AREA_SHARE
    photos = photos[photos[measure.column].notna()]
    if photos.empty:
        st.write("No photo of this section has been analysed in this survey.")
    else:
        worst = photos.sort_values(measure.column, ascending=False, kind="stable").head(PHOTOS)
        st.caption(f"The photos with most cracks, {len(worst)} of {len(photos):,}, by {measure.name.lower()}")
        opened = photo_strip(worst, measure, key=f"priorities-{survey_id}-{section_id}")
        if opened is not None:
            st.switch_page("views/photo.py", query_params={"photo": str(opened)})
    st.page_link(
        "views/section.py", label=f"All of section {plain(section['section_key'])}",
        icon=":material/arrow_forward:", query_params=there,
    )  # fmt: skip
