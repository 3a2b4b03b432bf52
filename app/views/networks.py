"""Road networks: the list, the import of a GIS file, and one network's map, sections, places and units."""

import streamlit as st

from app import data
from app.components.choose import bounds_of, query_id
from app.components.import_report import import_network
from app.components.messages import empty_state, plain
from app.components.network_editor import edit_sample_unit, edit_sections, find_places
from app.components.network_map import draw_map


def report() -> None:
    """What the last import did, once."""
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
    report()
    with st.expander("Import a GIS file", expanded=networks.empty, icon=":material/upload_file:"):
        import_network()
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
        # After an import the new network is shown, whichever row was chosen before.
        key=f"networks-{st.session_state.get('network-import-turn', 0)}",
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
    st.subheader(plain(network["name"].iloc[0]))
    on_map, sections, places, units = st.tabs(["Map", "Sections", "Find a place", "Sample units"])
    with on_map:
        if bounds := bounds_of(network):
            draw_map(bounds, key=f"network-only-{network_id}", network_id=network_id, height=430)
    with sections:
        edit_sections(network_id)
    with places:
        find_places(network_id)
    with units:
        edit_sample_unit(network_id)


draw()
