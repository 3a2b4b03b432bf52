"""Road networks: the list, a map, and the import of a GIS file."""

import secrets
from pathlib import Path

import streamlit as st

from app import actions, data
from app.components.choose import bounds_of, query_id
from app.components.messages import empty_state, plain, show_error
from app.components.network_map import draw_map
from app.identity import current_actor
from db.settings import get_settings
from engine.errors import EngineError

ENDINGS = ["geojson", "json", "gpkg", "zip"]


def import_file() -> None:
    with st.form("import-network", border=True):
        st.markdown("**Import a GIS file**")
        name = st.text_input("Name of the network", placeholder="State roads, district 4", max_chars=200)
        file = st.file_uploader(
            "Road sections: GeoJSON, GeoPackage, or a zipped shapefile",
            type=ENDINGS,
            help="Lines with an id and, where known, road, from_m, to_m, class, surface, lanes, lane "
            "width and AADT. "
            "Any coordinate system that the file names is converted.",
        )
        sent = st.form_submit_button("Import", type="primary", icon=":material/upload:")
    if not sent:
        return
    if not name.strip():
        st.warning("Give the network a name first.")
        return
    if file is None:
        st.warning("Choose a file first.")
        return
    folder = get_settings().uploads_dir
    folder.mkdir(parents=True, exist_ok=True)
    # The person's file name decides nothing but the type.
    ending = Path(file.name).suffix.lower().lstrip(".")
    path = folder / f"network-{secrets.token_hex(8)}.{ending if ending in ENDINGS else 'geojson'}"
    try:
        path.write_bytes(file.getvalue())
        with st.spinner("Reading the sections"):
            imported = actions.import_network(current_actor(), path, name, plain(file.name))
    except EngineError as problem:
        show_error(problem)
        return
    finally:
        path.unlink(missing_ok=True)
    st.session_state["imported-network"] = imported
    st.query_params["network"] = str(imported.network_id)
    st.rerun()


def report() -> None:
    imported = st.session_state.pop("imported-network", None)
    if imported is None:
        return
    st.success(f"{imported.sections:,} sections imported, {imported.length_km:,.1f} km.")
    if imported.problems:
        st.warning(f"{len(imported.problems):,} remarks on the file; what they name was left out or changed.")
        st.dataframe({"Remark": imported.problems}, height=200)


def draw() -> None:
    st.title("Road networks")
    networks = data.networks()
    listed, form = st.columns([3, 2])
    with form:
        import_file()
    with listed:
        report()
        if networks.empty:
            empty_state(
                "No road network yet",
                "Import the agency's sections from a GIS file. Photos are then placed on sections, and "
                "results rolled up.",
            )
            return
        chosen = st.dataframe(
            networks,
            hide_index=True,
            key="networks",
            on_select="rerun",
            selection_mode="single-row",
            column_order=["name", "sections", "length_km"],
            column_config={
                "name": st.column_config.TextColumn("Network", width="large"),
                "sections": st.column_config.NumberColumn("Sections", format="%,d"),
                "length_km": st.column_config.NumberColumn("Length (km)", format="%,.1f"),
            },
        )
    ids = [int(value) for value in networks["id"]]
    asked = query_id("network")
    network_id = asked if asked in ids else ids[0]
    if rows := chosen["selection"]["rows"]:
        network_id = ids[rows[0]]
    network = networks[networks["id"] == network_id]
    bounds = bounds_of(network)
    st.subheader(plain(network["name"].iloc[0]))
    if bounds:
        draw_map(bounds, key=f"network-only-{network_id}", network_id=network_id, height=430)


draw()
