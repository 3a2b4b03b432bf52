"""A network's sections as a table to edit, its sample units, and places by chainage."""

from typing import Any

import pandas as pd
import streamlit as st

from app import data, network_actions, network_data
from app.components.line_map import draw_lines
from app.components.messages import plain, show_error
from app.components.text import chainage, number
from app.identity import current_actor
from app.network_actions import CellEdit, SectionEditError
from engine.errors import EngineError
from engine.linear_reference import LONGEST_UNIT_M, SHORTEST_UNIT_M, RoadPosition, gaps_between
from engine.network_columns import DIRECTIONS, TEXT_LENGTHS
from engine.networks import SectionRecord

PAGE = 500
ALL_ROADS = "All roads"


def edit_sections(network_id: int) -> None:
    """The sections of a network, as many as fit, with their attributes to change."""
    turn = st.session_state.setdefault("sections-turn", 0)
    key = f"sections-{network_id}-{turn}"
    edited: dict[int, dict[str, Any]] = st.session_state.get(key, {}).get("edited_rows", {})
    if edited:
        st.session_state.pop("sections-saved", None)
    # It stays until the next change: the map above may draw the page anew at any moment.
    elif (saved := st.session_state.get("sections-saved")) is not None:
        st.success("Nothing was changed." if not saved else f"Saved: {saved:,} values changed.")
    table, first, count = _chosen_rows(network_id, locked=bool(edited))
    if table.empty:
        st.info("No section matches.")
        return
    # What the person sees stays until it is saved or discarded, whatever others save meanwhile.
    if edited:
        table = st.session_state[f"shown-{key}"]
    st.session_state[f"shown-{key}"] = table
    st.caption(
        f"Sections {first + 1:,} to {first + len(table):,} of {count:,}. Click twice into a cell to change "
        "it; copied cells of a spreadsheet can be pasted."
    )
    st.data_editor(
        table,
        key=key,
        hide_index=True,
        num_rows="fixed",
        disabled=["section_key", "road", "from_m", "to_m"],
        column_order=network_data.SHOWN,
        column_config=_columns(network_id),
        height=min(460, 40 + 35 * len(table)),
    )
    _save_or_discard(network_id, key, table)


def _chosen_rows(network_id: int, *, locked: bool) -> tuple[pd.DataFrame, int, int]:
    """The filtered page of sections, the number of its first, and how many there are in all."""
    roads = network_data.roads(network_id)
    road_cell, search_cell, page_cell = st.columns([2, 2, 1])
    hint = "Save or discard your changes first." if locked else None
    road = road_cell.selectbox(
        "Road", [ALL_ROADS, *roads], key=f"road-{network_id}", disabled=locked, help=hint
    )
    search = search_cell.text_input(
        "Section id holds", key=f"search-{network_id}", disabled=locked, help=hint
    ).strip()
    only = None if road == ALL_ROADS else road
    _, count = network_data.section_rows(network_id, road=only, search=search, limit=1)
    pages = max(1, -(-count // PAGE))
    page = 1
    if pages > 1:
        page = page_cell.number_input(
            f"Page (of {pages:,})", 1, pages, key=f"page-{network_id}-{road}-{search}", disabled=locked
        )
    first = (page - 1) * PAGE
    table, count = network_data.section_rows(network_id, road=only, search=search, limit=PAGE, offset=first)
    whole = dict.fromkeys(["lanes", "aadt"], "Int64")
    return table.astype({**whole, "lane_width_m": "Float64"}), first, count


def _columns(network_id: int) -> dict[str, Any]:
    directions = [*DIRECTIONS, *network_data.words_in_use(network_id, "direction")]
    text, whole = st.column_config.TextColumn, st.column_config.NumberColumn
    return {
        "section_key": text("Section"),
        "road": text("Road"),
        "from_m": whole("From (m)", format="%,.0f"),
        "to_m": whole("To (m)", format="%,.0f"),
        "functional_class": text("Class", max_chars=TEXT_LENGTHS["functional_class"]),
        "surface": text("Surface", max_chars=TEXT_LENGTHS["surface"]),
        "direction": st.column_config.SelectboxColumn(
            "Direction",
            options=list(dict.fromkeys(directions)),
            help="Of travel against the chainage: ascending, descending, or both.",
        ),
        "lane": text("Lane", max_chars=TEXT_LENGTHS["lane"], help="Where a section is one lane: which."),
        "lanes": whole("Lanes", help="1 to 30"),
        "lane_width_m": whole("Lane width (m)", format="%.2f", help="1 to 30"),
        "aadt": whole("AADT", format="%,d", help="Vehicles a day, 0 to 1,000,000"),
    }


def _save_or_discard(network_id: int, key: str, table: pd.DataFrame) -> None:
    edits = [
        CellEdit(int(table["id"].iloc[row]), column, _seen(table[column].iloc[row]), after)
        for row, cells in st.session_state[key]["edited_rows"].items()
        for column, after in cells.items()
    ]
    save, discard, _ = st.columns([1, 1, 2])
    count = "1 change" if len(edits) == 1 else f"{len(edits):,} changes"
    asked = save.button(
        f"Save {count}", type="primary", disabled=not edits, icon=":material/save:", width="stretch"
    )
    if discard.button("Discard and load anew", disabled=not edits, icon=":material/undo:", width="stretch"):
        st.session_state["sections-turn"] += 1
        st.rerun()
    if not asked:
        return
    try:
        saved = network_actions.edit_sections(current_actor(), network_id, edits)
    except SectionEditError as problem:
        show_error(problem)
        if len(problem.problems) > network_actions.SAID_PROBLEMS:
            st.dataframe({"Problem": problem.problems}, height=200)
        return
    except EngineError as problem:
        show_error(problem)
        return
    # The tables of surveys hold these attributes too.
    data.section_table.clear()
    st.session_state["sections-turn"] += 1
    st.session_state["sections-saved"] = saved
    st.rerun()


def _seen(value: Any) -> Any:
    """A cell of the shown table as the database has it."""
    if value is None or pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value


def edit_sample_unit(network_id: int) -> None:
    """The length of the sample units that sections are rated in."""
    facts = network_data.network_facts(current_actor().agency_id, network_id)
    if st.session_state.pop("unit-saved", False):
        job_id = st.session_state.pop("unit-job", None)
        rest = "" if job_id is None else f" Job {job_id} sums up the results by them, section by section."
        st.success(f"Sample units are {facts.sample_unit_m:g} m long now.{rest}")
    st.write(
        f"Each section is cut from its start into units of {facts.sample_unit_m:g} m; the last one takes the "
        "rest, half to one and a half of it. A change sums up all results of the network by the new units; "
        "photos are not analysed again."
    )
    with st.form(f"unit-{network_id}", border=False):
        cell, button, _ = st.columns([1, 1, 2], vertical_alignment="bottom")
        unit_m = cell.number_input(
            "Length of a sample unit (m)", SHORTEST_UNIT_M, LONGEST_UNIT_M, facts.sample_unit_m, step=10.0
        )
        if not button.form_submit_button("Save the length", icon=":material/save:", width="stretch"):
            return
    try:
        st.session_state["unit-job"] = network_actions.set_sample_unit(
            current_actor(), network_id, unit_m, facts.sample_unit_m
        )
    except EngineError as problem:
        show_error(problem)
        return
    st.session_state["unit-saved"] = True
    st.rerun()


def find_places(network_id: int) -> None:
    """Road and chainage to a position, a position to road and chainage, and what lies on a stretch."""
    roads = list(network_data.roads(network_id))
    if not roads:
        st.info("The network has no sections.")
        return
    by_chainage, by_position, by_stretch = st.columns(3)
    with by_chainage, st.form("by-chainage"):
        st.markdown("**Where is a chainage?**")
        road = st.selectbox("Road", roads)
        at_m = st.number_input("Chainage (m)", value=0.0, step=100.0)
        place_asked = st.form_submit_button("Find the position")
    with by_position, st.form("by-position"):
        st.markdown("**Which chainage is here?**")
        latitude = st.number_input("Latitude", -90.0, 90.0, value=None, format="%.6f")
        longitude = st.number_input("Longitude", -180.0, 180.0, value=None, format="%.6f")
        near_asked = st.form_submit_button("Find the chainage")
    with by_stretch, st.form("by-stretch"):
        st.markdown("**What lies between?**")
        along = st.selectbox("Road", roads)
        from_cell, to_cell = st.columns(2)
        from_m = from_cell.number_input("From (m)", value=0.0, step=100.0)
        to_m = to_cell.number_input("To (m)", value=1000.0, step=100.0)
        stretch_asked = st.form_submit_button("List the sections")
    try:
        if place_asked:
            _show_place(network_id, network_data.place_at(network_id, road, at_m))
        elif near_asked and latitude is not None and longitude is not None:
            place = network_data.place_near(network_id, longitude, latitude)
            if place is None:
                st.warning(f"No section lies within {network_data.SEARCH_M:.0f} m of that position.")
            else:
                _show_place(network_id, place)
        elif near_asked:
            st.warning("Give both latitude and longitude.")
        elif stretch_asked:
            _show_stretch(network_id, along, from_m, to_m)
    except EngineError as problem:
        show_error(problem)


def _show_place(network_id: int, place: RoadPosition) -> None:
    side = "right" if place.offset_m > 0 else "left"
    beside = (
        f", {number(abs(place.offset_m), 1, 'm')} to the {side} of rising chainage"
        if abs(place.offset_m) >= 0.05
        else ""
    )
    st.markdown(
        f"**{plain(place.road)}, {plain(chainage(place.chainage_m))}** "
        f"({plain(number(place.chainage_m, 2, 'm'))}){beside}  \n"
        f"Section {plain(place.section_key)}  \n"
        f"Latitude {place.latitude:.7f}, longitude {place.longitude:.7f}; "
        f"chainage rises towards {place.heading_deg:.0f}°"
    )
    near = network_data.stretch(network_id, place.road, place.chainage_m - 500, place.chainage_m + 500)
    draw_lines(
        [part.geometry for part in near],
        key=f"place-{network_id}-{place.longitude:.6f}-{place.latitude:.6f}",
        marker=(place.longitude, place.latitude),
    )


def _show_stretch(network_id: int, road: str, from_m: float, to_m: float) -> None:
    parts = network_data.stretch(network_id, road, from_m, to_m)
    rows = []
    for part in parts:
        section: SectionRecord = part.section
        rows.append(
            {
                "Section": section.section_key,
                "From (m)": part.from_m,
                "To (m)": part.to_m,
                "Length (m)": abs(part.to_m - part.from_m),
                "Direction": section.direction,
                "Lane": section.lane,
                "Surface": section.surface,
            }
        )
    for low, high in gaps_between(parts, from_m, to_m):
        st.warning(f"No section from {plain(number(low, 1, 'm'))} to {plain(number(high, 1, 'm'))}.")
    if rows:
        st.dataframe(pd.DataFrame(rows), hide_index=True)
        draw_lines([part.geometry for part in parts], key=f"stretch-{network_id}-{road}-{from_m}-{to_m}")
