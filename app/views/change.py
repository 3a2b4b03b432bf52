"""Two surveys of one network: what changed on its sections, and what their photos show of it."""

from typing import Any

import pandas as pd
import streamlit as st

from app import change_data, data
from app.components import change_view
from app.components.choose import bounds_of, query_id
from app.components.messages import empty_state, plain
from app.components.network_map import draw_map


def nothing_to_compare(surveys: pd.DataFrame) -> None:
    st.title("Change")
    if surveys.empty:
        what = "No survey with photos lies on a road network."
    else:
        what = "No network has two surveys with photos yet."
    empty_state(
        "Nothing to compare yet",
        f"Change is the difference between two surveys of one network. {what}",
    )
    st.page_link("views/new_survey.py", label="New survey", icon=":material/upload:")


def choose(surveys: pd.DataFrame) -> tuple[int, int]:
    """The earlier and the later survey, kept in the address; at first the two newest that are analysed."""
    shared = surveys[surveys["network_id"].duplicated(keep=False)].set_index("id")
    names, networks = shared["name"].to_dict(), shared["network_id"].to_dict()
    ids = [int(value) for value in shared.index]
    analysed = [survey for survey in ids if shared["analysed"].to_dict()[survey]] or ids
    left, right = st.columns(2)
    asked = query_id("second")
    start = asked if asked in ids else analysed[-1]
    second = int(right.selectbox("Later survey", ids, ids.index(start), names.__getitem__))
    others = [survey for survey in ids if survey != second and networks[survey] == networks[second]]
    before = [survey for survey in others if ids.index(survey) < ids.index(second)]
    asked = query_id("first")
    start = asked if asked in others else (before or others)[-1]
    first = int(left.selectbox("Earlier survey", others, others.index(start), names.__getitem__))
    st.query_params.update({"first": str(first), "second": str(second)})
    return first, second


def sections_map(table: pd.DataFrame, name: str, second_id: int, network_id: int, version: str) -> int | None:
    """The sections that really changed, coloured by the later survey; what was clicked."""
    bounds = bounds_of(table)
    if bounds is None:
        return None
    measure = change_view.MEASURES[name]
    real = [int(value) for value in table.loc[table[f"real_{name}"].eq(True), "id"]]
    picked = draw_map(
        bounds,
        key=f"change-{network_id}",
        version=f"{version}-{name}",
        network_id=network_id,
        survey_id=second_id,
        measure=measure,
        largest=float(table[f"second_{name}"].max()),
        only=real,
        height=360,
    )
    st.caption("In colour: sections that really changed, by their later value.")
    return picked[1] if picked and picked[0] == "section" else None


def chosen_section(table: pd.DataFrame, name: str, picked: int | None, row: int | None) -> int:
    """The section clicked last, on the map or in the table; at first the one that worsened most."""
    # A row stays selected: it counts when it is clicked, not at every drawing.
    clicked_row = row if row != st.session_state.get("change-row") else None
    st.session_state["change-row"] = row
    if (clicked := picked or clicked_row) is not None:
        st.session_state["change-section"] = clicked
    kept: int | None = st.session_state.get("change-section")
    ids = [int(value) for value in change_view.sorted_changes(table, name)["id"]]
    return kept if kept in ids else ids[0]


def compare(ids: tuple[int, int], names: tuple[str, str], network_id: int) -> None:
    """The comparison of two surveys, or why there is none."""
    versions = data.version_of(ids[0]), data.version_of(ids[1])
    pair = change_data.analysis_pair(*ids, versions)
    if pair.reason is not None or pair.first is None or pair.second is None:
        if not change_view.working(ids):
            standard = (pair.second or {}).get("settings", {}).get("severity_standard")
            change_view.refused(pair, names, ids, standard)
        return
    runs: Any = tuple((run["checkpoint_id"], run["settings_hash"]) for run in (pair.first, pair.second))
    table = change_data.change_table(*ids, runs, versions)
    st.caption(f"Both by checkpoint {plain(pair.second['checkpoint'])} with the same settings.")
    if table.empty:
        empty_state("No section in both", "No section of the network has photos of both surveys.")
        return
    name = change_view.choose_measure(table)
    if name == "index":
        table = change_data.index_change_table(*ids, runs, versions)
    change_view.summary(table, name)
    left, right = st.columns([2, 1], gap="medium")
    with left:
        chosen = change_view.section_changes(table, name, key=f"changes-{ids}-{name}")
        change_view.downloads(
            lambda: change_data.index_change_table(*ids, runs, versions), pair, names
        )  # fmt: skip
    with right:
        picked = sections_map(table, name, ids[1], network_id, versions[1])
    section = chosen_section(table, name, picked, chosen)
    line = table[table["id"] == section].iloc[0].to_dict()
    st.subheader(f"Before and after: {plain(line['road'])} · {plain(line['section_key'])}")
    pairs = change_data.photo_pairs(section, *ids, runs)
    change_view.photo_changes(pairs, runs, versions, names, key=f"pair-{ids}-{section}")


def draw() -> None:
    surveys = change_data.surveys()
    if surveys.empty or not surveys["network_id"].duplicated().any():
        nothing_to_compare(surveys)
        return
    st.title("Change")
    chosen = choose(surveys)
    by_id = surveys.set_index("id")
    names, networks = by_id["name"].to_dict(), by_id["network_id"].to_dict()
    compare(chosen, (names[chosen[0]], names[chosen[1]]), int(networks[chosen[1]]))


draw()
