"""The two faces of the page of priorities: by a plan, or by condition where there is none."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from app import plan_actions, plan_data, priorities_data, section_data
from app.components import priorities_rows as rows
from app.components.measures import Measure
from app.components.messages import empty_state, plain
from app.components.priorities_decisions import decision_list, decisions
from app.components.priorities_detail import choose_section, project_words, section_words, worst_photos
from app.components.priorities_filters import filtered, section_choice
from app.components.priorities_plan import answers_of, comments_of, first_ids, plan_head, wishes_note
from app.components.priorities_table import (
    chosen_line,
    condition_csv,
    condition_list,
    project_list,
    unplanned_csv,
    unplanned_list,
)
from app.components.section_table import download
from engine.project_table import projects_csv
from engine.vocabulary import WishKind

YEARS_AHEAD = 10
NO_PROJECTS = (
    "No project in this list",
    "Take a filter off. If none is set, the plan has no projects: see why with each section in the next tab.",
)
NO_SECTIONS = ("No section passes the filters", "Take one of them off.")


@dataclass(frozen=True)
class Chosen:
    """What the page shows of one survey.

    Attributes:
        survey: of `data.survey`; version: of its data.
        table: of `data.section_table` with `grade`.
        measure: by which the map is coloured and sections are ranked without a plan.
        wishes: of `plan_data.wishes`.
        show_map: draws the map of sections (ids; their ranks) and takes up a click on it.
    """

    survey: Mapping[str, Any]
    version: str
    table: pd.DataFrame
    measure: Measure
    wishes: Sequence[Mapping[str, Any]]
    show_map: Callable[[pd.Series, Mapping[int, int]], None]

    @property
    def survey_id(self) -> int:
        return int(self.survey["id"])

    def section(self, section_id: int) -> dict[Any, Any]:
        """A section's line."""
        return self.table[self.table["id"] == section_id].iloc[0].to_dict()

    def source(self, **more: str) -> dict[str, str]:
        """The last columns of a CSV: what it was made from."""
        analysis = section_data.shown_analysis(self.survey_id, self.version)
        return {"survey": str(self.survey["name"]), "checkpoint": str(analysis.get("checkpoint", "")), **more}


def plan_page(chosen: Chosen, listed: Mapping[str, Any]) -> None:
    """Projects, sections without one, and decisions; under them the chosen line.

    Args:
        listed: the plan's line of `plan_data.plans`.
    """
    plan_id = int(listed["id"])
    made, projects = priorities_data.plan_summary(plan_id), plan_data.project_table(plan_id)
    links = rows.project_links(projects, chosen.table)
    unplanned = rows.unplanned_rows(plan_data.section_plan(plan_id), chosen.table)
    planned = rows.planned_on(projects, {wish["section_key"] for wish in chosen.wishes})
    blind = chosen.table.loc[chosen.table["condition_index"].isna(), "section_key"]
    answers, open_ones = answers_of(chosen.wishes, planned, made, set(blind))
    bans_then = priorities_data.bans_at(int(chosen.survey["network_id"]), plan_data.read_at(made))
    open_ones += rows.withdrawn(chosen.wishes, projects, bans_then)
    firm = sum(wish["kind"] != WishKind.COMMENT for wish in chosen.wishes)
    # In a frame of their own: where a warning came or went, the map below it would go blank.
    with st.container():
        plan_head(listed, made, len(projects), len(unplanned))
        wishes_note(firm, open_ones, chosen.survey_id)
    sections, shown = filtered(chosen.table, projects, links, chosen.survey_id, chosen.version)
    left = unplanned[unplanned["id"].isin(sections["id"])]
    here = links[links["rank"].isin(shown["rank"])]
    # Of a section with two projects the first one counts.
    chosen.show_map(here["id"], dict(zip(here["id"][::-1], here["rank"][::-1], strict=True)))
    tabs = st.tabs(
        [
            f"Projects ({len(shown):,} of {len(projects):,})",
            f"Sections without a project ({len(left):,} of {len(unplanned):,})",
            f"Decisions ({len(chosen.wishes):,})",
        ]
    )
    currency = str(made["request"]["currency"])
    source = chosen.source(
        plan=str(listed["name"]), plan_made_at=f"{listed['created_at']:%Y-%m-%dT%H:%M:%SZ}"
    )
    with tabs[0]:
        decided = rows.project_decisions(shown, chosen.wishes, planned)
        _projects_tab(chosen, shown, first_ids(links), decided, currency, source)
    with tabs[1]:
        _unplanned_tab(chosen, left, source)
    with tabs[2]:
        _decisions_tab(chosen, answers)
    project, section_id = _chosen_project(chosen, projects, links, shown)
    if project is not None:
        _project_detail(chosen, made, project, section_id, links, answers)
    elif section_id is not None:
        reasons = unplanned.loc[unplanned["id"] == section_id, "reason"]
        known = (
            reasons.iloc[0] if len(reasons) else "This plan does not know the section: it was added since."
        )
        _section_detail(chosen, section_id, " · no project in this plan", known, made, answers)


def _projects_tab(
    chosen: Chosen,
    shown: pd.DataFrame,
    first: Mapping[int, int],
    decided: Mapping[int, str],
    currency: str,
    source: Mapping[str, str],
) -> None:
    if shown.empty:
        empty_state(*NO_PROJECTS)
        return
    project_list(shown, first, decided, currency, key=f"projects-{chosen.survey_id}")
    download(
        f"Download as CSV ({len(shown):,} projects)",
        f"priorities-{chosen.survey_id}.csv",
        lambda: projects_csv(shown.to_dict("records"), currency, source, comments_of(chosen.wishes)),
        key="projects-csv",
    )


def _unplanned_tab(chosen: Chosen, left: pd.DataFrame, source: Mapping[str, str]) -> None:
    if left.empty:
        st.write("Every section that passes the filters has a project.")
        return
    st.caption("The worst first. Year and treatment do not narrow this list.")
    unplanned_list(
        left, rows.decisions_of(chosen.wishes, "pin not in this plan"), key=f"unplanned-{chosen.survey_id}"
    )
    download(
        f"Download as CSV ({len(left):,} sections)",
        f"without-project-{chosen.survey_id}.csv",
        lambda: unplanned_csv(left, comments_of(chosen.wishes), source),
        key="unplanned-csv",
    )


def _decisions_tab(chosen: Chosen, answers: Mapping[tuple[str, str], str]) -> None:
    if not chosen.wishes:
        st.write("Nobody pinned, forbade or commented anything yet. Choose a section in a list to do so.")
        return
    st.caption("Choose one to change or remove it below.")
    decision_list(chosen.wishes, answers, key=f"decisions-{chosen.survey_id}")


def _chosen_project(
    chosen: Chosen, projects: pd.DataFrame, links: pd.DataFrame, shown: pd.DataFrame
) -> tuple[dict[Any, Any] | None, int | None]:
    """The project of the address, else the first in the list; and the section that is looked at."""
    section_id, rank = chosen_line()
    if section_id is not None and section_id in chosen.table["id"].to_numpy():
        ranks = links.loc[links["id"] == section_id, "rank"].tolist()
        if not ranks:
            return None, section_id
        rank = rank if rank in ranks else ranks[0]
    else:
        known = rank is not None and 1 <= rank <= len(projects)
        rank = rank if known else (int(shown["rank"].iloc[0]) if len(shown) else None)
        section_id = None if rank is None else first_ids(links).get(rank)
    return (None if rank is None else projects[projects["rank"] == rank].iloc[0].to_dict()), section_id


def _project_detail(
    chosen: Chosen,
    made: Mapping[str, Any],
    project: Mapping[Any, Any],
    section_id: int | None,
    links: pd.DataFrame,
    answers: Mapping[tuple[str, str], str],
) -> None:
    st.divider()
    left, right = st.columns([3, 2], gap="large")
    with left:
        project_words(project, made)
        if section_id is None:
            st.write("Its sections are no longer in the network.")
            return
        ids = links.loc[links["rank"] == project["rank"], "id"]
        choose_section(project, chosen.table.set_index("id", drop=False).loc[ids], section_id)
        worst_photos(chosen.section(section_id), chosen.survey_id, chosen.version)
    with right:
        _decide(chosen, section_id, made, answers)


def _section_detail(
    chosen: Chosen,
    section_id: int,
    title: str,
    reason: str,
    made: Mapping[str, Any] | None,
    answers: Mapping[tuple[str, str], str],
) -> None:
    st.divider()
    left, right = st.columns([3, 2], gap="large")
    with left:
        section_words(chosen.section(section_id), title, reason)
        worst_photos(chosen.section(section_id), chosen.survey_id, chosen.version)
    with right:
        _decide(chosen, section_id, made, answers)


def _decide(
    chosen: Chosen,
    section_id: int,
    made: Mapping[str, Any] | None,
    answers: Mapping[tuple[str, str], str],
) -> None:
    section = chosen.section(section_id)
    st.subheader(f"Decisions on {plain(section['section_key'])}")
    own = [wish for wish in chosen.wishes if wish["section_id"] == section_id]
    if made is not None:
        treatments, years = made["result"]["treatments"], list(rows.plan_years(made))
    else:
        sets = plan_data.treatment_sets()
        treatments = list(dict.fromkeys(each.name for one in sets for each in one["treatments"]))
        years = [plan_actions.next_year() + ahead for ahead in range(YEARS_AHEAD)]
    said = {kind: answer for (key, kind), answer in answers.items() if key == section["section_key"]}
    decisions(section, own, said, treatments, years)
    if made is None:
        st.caption("The first plan will honour pins and bans.")
    else:
        st.caption("A plan never changes: what you decide here counts when the plan is made again.")


def condition_page(chosen: Chosen) -> None:
    """Surveyed sections by condition and traffic, and decisions; under them the chosen line."""
    cells = st.columns(4)
    sections = section_choice(cells, chosen.table, chosen.survey_id, chosen.version)
    ranked = rows.condition_rows(chosen.table, chosen.measure)
    shown = ranked[ranked["id"].isin(sections["id"])]
    chosen.show_map(shown["id"], {})
    lists, decided = st.tabs(
        [f"Sections ({len(shown):,} of {len(ranked):,})", f"Decisions ({len(chosen.wishes):,})"]
    )
    with lists:
        if shown.empty:
            empty_state(*NO_SECTIONS)
        else:
            _condition_tab(chosen, shown)
    with decided:
        _decisions_tab(chosen, {})
    section_id, _ = chosen_line()
    if section_id not in chosen.table["id"].to_numpy():
        section_id = int(shown["id"].iloc[0]) if len(shown) else None
    if section_id is None:
        return
    line = ranked[ranked["id"] == section_id].to_dict("records")
    title = f" · #{line[0]['rank']} by condition" if line else " · not surveyed"
    reason = (
        rows.condition_reason(line[0], chosen.measure)
        if line
        else "No analysed photo lies on this section, so nobody knows its condition."
    )
    _section_detail(chosen, section_id, title, reason, None, {})


def _condition_tab(chosen: Chosen, shown: pd.DataFrame) -> None:
    formula = rows.URGENCY[chosen.measure.column]
    st.caption(
        f"Order: {formula}; where nobody counted, the median of the road class, else of the network. "
        "Sections without results are not in it."
    )
    decided = rows.decisions_of(chosen.wishes)
    condition_list(shown, chosen.measure, decided, key=f"condition-{chosen.survey_id}")
    download(
        f"Download as CSV ({len(shown):,} sections)",
        f"by-condition-{chosen.survey_id}.csv",
        lambda: condition_csv(shown, chosen.measure, comments_of(chosen.wishes), chosen.source()),
        key="condition-csv",
    )
