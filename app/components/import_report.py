"""Import of a road network: the file is checked and shown before anything is written."""

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st
from shapely.geometry import LineString

from app import network_actions
from app.components.line_map import draw_lines, drawable
from app.components.messages import plain, show_error
from app.identity import current_actor
from app.network_actions import ReadOptions
from db.settings import get_settings
from engine.centreline import LONGEST_CUT_M, SHORTEST_CUT_M
from engine.errors import EngineError
from engine.linear_reference import LONGEST_UNIT_M, SHORTEST_UNIT_M
from engine.network_columns import FIELDS, UNITS_M
from engine.networks import FindingKind

ENDINGS = ["geojson", "json", "gpkg", "zip"]
DONE = {
    FindingKind.REFUSED: "left out",
    FindingKind.CHANGED: "changed",
    FindingKind.NOTED: "to know",
}
CELL = 200
# So many findings are shown with all of their text; more can be scrolled and searched.
WRAPPED = 12


@dataclass(frozen=True)
class CheckReport:
    """What a page shows of a checked file; the sections themselves stay in the file."""

    features: int
    sections: int
    refused: int
    length_km: float
    roads: int
    findings: pd.DataFrame
    columns: dict[str, str | None]
    file_columns: tuple[str, ...]
    crs: str
    layer: str
    layers: tuple[str, ...]
    lines: list[LineString]
    every: int


@contextmanager
def _on_disk(content: bytes, name: str) -> Iterator[Path]:
    """The file for as long as it is read; the person's file name decides nothing but the type."""
    folder = get_settings().uploads_dir
    folder.mkdir(parents=True, exist_ok=True)
    ending = Path(name).suffix.lower().lstrip(".")
    path = folder / f"network-{secrets.token_hex(8)}.{ending if ending in ENDINGS else 'geojson'}"
    try:
        path.write_bytes(content)
        yield path
    finally:
        path.unlink(missing_ok=True)


@st.cache_data(max_entries=4, show_spinner="Checking the file ...")
def _checked(content_hash: str, name: str, options: dict[str, Any], _content: bytes) -> CheckReport:
    with _on_disk(_content, name) as path:
        read = network_actions.check_network(current_actor(), path, ReadOptions(**options), name)
    findings = pd.DataFrame(
        [(found.section or "whole file", DONE[found.kind], found.text) for found in read.findings],
        columns=["Section", "What was done", "What was found"],
    )
    lines, every = drawable([section.geometry for section in read.sections])
    return CheckReport(
        features=read.features,
        sections=len(read.sections),
        refused=sum(found.kind == FindingKind.REFUSED for found in read.findings),
        length_km=sum(section.length_m for section in read.sections) / 1000,
        roads=len({section.road for section in read.sections}),
        findings=findings,
        columns=read.columns,
        file_columns=read.file_columns,
        crs=read.crs,
        layer=read.layer,
        layers=read.layers,
        lines=lines,
        every=every,
    )


def import_network() -> None:
    """Choose a file, see what the import would do, map its columns, import it."""
    turn = st.session_state.setdefault("network-import-turn", 0)
    file = st.file_uploader(
        "Road sections or centrelines: GeoJSON, GeoPackage, or a zipped shapefile",
        type=ENDINGS,
        key=f"network-file-{turn}",
        help="Lines with an id and, where known, road, chainage, class, surface, lanes, lane width and AADT. "
        "Any coordinate system that the file names is converted. Nothing is saved before you import.",
    )
    if file is None:
        return
    content = file.getvalue()
    content_hash = hashlib.sha256(content).hexdigest()
    asked = f"network-options-{turn}-{content_hash}"
    options: dict[str, Any] = st.session_state.get(asked, {})
    try:
        report = _checked(content_hash, file.name, options, content)
    except EngineError as problem:
        show_error(problem)
        if options and st.button("Read the file as at first", icon=":material/undo:"):
            del st.session_state[asked]
            st.rerun()
        return
    _show(report, key=f"preview-{content_hash[:16]}-{hash(str(options))}")
    _ask_options(report, options, asked)
    _ask_import(report, options, content, file.name)


def _show(report: CheckReport, key: str) -> None:
    st.markdown("**Check report**: nothing is saved yet.")
    figures = {
        "Lines in the file": f"{report.features:,}",
        "Sections to import": f"{report.sections:,}",
        "Left out": f"{report.refused:,}",
        "Roads": f"{report.roads:,}",
        "Length": f"{report.length_km:,.1f} km",
    }
    for column, (label, value) in zip(st.columns(len(figures)), figures.items(), strict=True):
        column.metric(label, value)
    system = plain(report.crs) if report.crs else "not stated; degrees were taken"
    st.caption(f"Layer {plain(report.layer)}. Coordinate system: {system}.")
    remarks, preview = st.columns([3, 2])
    with preview:
        draw_lines(report.lines, key=key, height=320)
        thinned = f" Every {report.every}th section is drawn." if report.every > 1 else ""
        st.caption(f"Sections in turn blue and orange.{thinned}")
    with remarks:
        if report.findings.empty:
            st.success("No remarks: every line becomes a section.")
        elif len(report.findings) <= WRAPPED:
            st.table(report.findings.map(plain).set_index("Section"))
        else:
            st.dataframe(
                report.findings,
                hide_index=True,
                column_config={
                    "Section": st.column_config.TextColumn(width=110),
                    "What was done": st.column_config.TextColumn(width=110),
                },
            )


def _ask_options(report: CheckReport, options: dict[str, Any], asked: str) -> None:
    found = sum(column is not None for column in report.columns.values())
    with (
        st.expander(
            f"Columns ({found} of {len(FIELDS)} found), unit of chainage, cutting", icon=":material/table:"
        ),
        st.form(f"form-{asked}", border=False),
    ):
        choices: list[str | None] = [None, *report.file_columns]
        cells = st.columns(4)
        columns = {}
        for place, (field, label) in enumerate(FIELDS.items()):
            columns[field] = cells[place % 4].selectbox(
                label,
                choices,
                index=choices.index(report.columns[field]),
                format_func=lambda name: "– none –" if name is None else name[:CELL],
            )
        units: list[str | None] = [None, *UNITS_M]
        unit = cells[3].selectbox(
            "Unit of chainage",
            units,
            index=units.index(options.get("chainage_unit")),
            format_func=lambda name: name or "from names and lengths",
        )
        layer_cell, cut_cell, _ = st.columns([1, 1, 2])
        layer = layer_cell.selectbox("Layer", report.layers, index=report.layers.index(report.layer))
        cut_m = cut_cell.number_input(
            "Cut centrelines every (m)",
            SHORTEST_CUT_M,
            LONGEST_CUT_M,
            value=options.get("cut_every_m"),
            placeholder="leave lines whole",
            help="From the start of each line; a rest shorter than half joins the piece before it.",
        )
        if st.form_submit_button("Check again", icon=":material/refresh:"):
            same_layer = layer == report.layer
            st.session_state[asked] = {
                # Another layer has other columns: they are looked for anew.
                "columns": columns if same_layer else {},
                "chainage_unit": unit,
                "layer": layer,
                "cut_every_m": cut_m,
            }
            st.rerun()


def _ask_import(report: CheckReport, options: dict[str, Any], content: bytes, file_name: str) -> None:
    with st.form("import-network", border=False):
        name_cell, unit_cell, button_cell = st.columns([3, 1, 1], vertical_alignment="bottom")
        name = name_cell.text_input(
            "Name of the network", placeholder="State roads, district 4", max_chars=200
        )
        unit_m = unit_cell.number_input(
            "Sample unit (m)",
            SHORTEST_UNIT_M,
            LONGEST_UNIT_M,
            100.0,
            step=10.0,
            help="Sections are rated in units of about this length.",
        )
        sent = button_cell.form_submit_button(
            f"Import {report.sections:,} sections", type="primary", icon=":material/upload:", width="stretch"
        )
    if not sent:
        return
    if not name.strip():
        st.warning("Give the network a name first.")
        return
    try:
        with st.spinner("Saving the sections"), _on_disk(content, file_name) as path:
            imported = network_actions.import_checked(
                current_actor(), path, name, ReadOptions(**options), file_name=file_name, sample_unit_m=unit_m
            )
    except EngineError as problem:
        show_error(problem)
        return
    st.session_state["imported-network"] = imported
    st.session_state["network-import-turn"] += 1
    st.query_params["network"] = str(imported.network_id)
    st.rerun()
