"""The kinds of file that can be made of a survey, in plain words: what each holds and for whom."""

from dataclasses import dataclass

import streamlit as st

from app.export_actions import PAPERS
from engine.vocabulary import ExportFormat

CARDS_A_ROW = 3


@dataclass(frozen=True)
class Kind:
    """One kind of file; `needs_metres`: it cannot be made of results in pixels, or without a network."""

    title: str
    icon: str
    whom: str
    holds: str
    needs_network: bool = True
    needs_metres: bool = False


KINDS: dict[ExportFormat, Kind] = {
    ExportFormat.PDF: Kind(
        "Priority report (PDF)",
        ":material/picture_as_pdf:",
        "For the council and everybody who decides.",
        "A summary on one page, maps, the state of the network, the projects in their order with photo, "
        "cracks and cost, the plan by year, the method and its limits.",
        needs_network=False,
    ),
    ExportFormat.EXCEL: Kind(
        "Excel workbook",
        ":material/table_view:",
        "For the office: sorting, filtering and calculating.",
        "A sheet for each topic: sections, projects, years, scenarios, distresses, photos and sample units, "
        "with units in the headings.",
        needs_network=False,
    ),
    ExportFormat.CSV: Kind(
        "Plain tables (CSV)",
        ":material/csv:",
        "For other programs, databases and statistics.",
        "A zip of sections, projects, distresses and photos, and a README that explains each column.",
        needs_network=False,
    ),
    ExportFormat.GEOPACKAGE: Kind(
        "GeoPackage",
        ":material/layers:",
        "For the GIS department.",
        "Sections, photos, distresses and projects as layers of one file; QGIS shows them coloured.",
        needs_network=False,
    ),
    ExportFormat.SHAPEFILE: Kind(
        "Shapefile",
        ":material/polyline:",
        "For a GIS that does not read GeoPackage.",
        "A zip of the same layers. Its names are short by nature; a list says what each stands for.",
        needs_network=False,
    ),
    ExportFormat.GEOJSON: Kind(
        "GeoJSON",
        ":material/data_object:",
        "For maps on the web.",
        "The sections with their condition and what is planned for them.",
    ),
    ExportFormat.KML: Kind(
        "KML",
        ":material/public:",
        "For looking around in Google Earth.",
        "Sections coloured by condition, projects coloured by year, each with its figures.",
    ),
    ExportFormat.OVERLAYS: Kind(
        "Photos with cracks",
        ":material/photo_library:",
        "For whoever wants to see it with their own eyes.",
        "A zip of all photos with the cracks drawn in, and a list of where each was taken. It takes the "
        "longest, and is large.",
        needs_network=False,
    ),
    ExportFormat.INSPECTIONS: Kind(
        "Inspections (CSV)",
        ":material/fact_check:",
        "For import into PAVER, Cartegraph and the like.",
        "A zip of sample units with distress, severity and quantity after ASTM D6433, one line each. Match "
        "its columns to those of your system once.",
        needs_metres=True,
    ),
}


def why_not(kind: Kind, *, network: bool, metres: bool) -> str:
    """What keeps a kind of file from being made of the survey; empty where nothing does."""
    if (kind.needs_network or kind.needs_metres) and not network:
        return "Needs a survey over a road network."
    if kind.needs_metres and not metres:
        return "Needs results in metres: give the survey a camera profile or a GSD and analyse it again."
    return ""


def format_cards(busy: set[str], *, network: bool, metres: bool) -> tuple[ExportFormat, str] | None:
    """A card for each kind of file.

    Args:
        busy: kinds that are being made.
        network: whether the survey runs over a network; metres: whether it has results in metres.

    Returns:
        The kind that was asked for just now and its paper; None where none was.
    """
    asked = None
    kinds = list(KINDS.items())
    for first in range(0, len(kinds), CARDS_A_ROW):
        places = st.columns(CARDS_A_ROW)
        for place, (name, kind) in zip(places, kinds[first : first + CARDS_A_ROW], strict=False):
            with place, st.container(border=True, height="stretch", vertical_alignment="distribute"):
                paper = _card(name, kind, name in busy, why_not(kind, network=network, metres=metres))
            if paper:
                asked = name, paper
    return asked


def _card(name: ExportFormat, kind: Kind, making: bool, missing: str) -> str:
    """Draw one card; the paper where its button was pressed, else nothing."""
    with st.container():
        st.markdown(f"**{kind.icon} {kind.title}**  \n:small[{kind.whom}]")
        st.caption(kind.holds)
    paper = PAPERS[0]
    with st.container():
        if missing:
            st.caption(f":material/info: {missing}")
        if name == ExportFormat.PDF:
            paper = st.radio(
                "Paper", PAPERS, horizontal=True, key="report-paper", label_visibility="collapsed"
            )
        pressed = st.button(
            "Being made" if making else "Make",
            key=f"make-{name}",
            icon=":material/hourglass_top:" if making else ":material/play_arrow:",
            disabled=making or bool(missing),
            width="stretch",
            help=f"Make: {kind.title}",
        )
    return paper if pressed else ""
