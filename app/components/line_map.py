"""A plain map of a few thousand lines that are not, or not yet, in the database."""

import math
from collections.abc import Sequence

import folium
import numpy as np
import shapely
from branca.element import MacroElement
from jinja2 import Template
from shapely.geometry import LineString
from streamlit_folium import st_folium

from app.components.text import popup_text
from db.settings import get_settings

LEAFLET = "/assets"
# Neighbours in turn, so that the eye sees where one section ends and the next begins.
COLOURS = ("#14568c", "#e08214")
MARKER_COLOUR = "#d81b60"
# The drawing travels with the page.
MAX_VERTICES = 20_000


class _Map(folium.Map):
    """folium's map without its CDN: Leaflet alone, from this server."""

    default_js = [("leaflet", f"{LEAFLET}/leaflet.js")]  # noqa: RUF012 - folium's interface
    default_css = [("leaflet_css", f"{LEAFLET}/leaflet.css")]  # noqa: RUF012


class _Plain(MacroElement):
    """Metric scale, the background of the other maps, no advertisement."""

    _template = Template(
        "{% macro script(this, kwargs) %}"
        "{{ this._parent.get_name() }}.attributionControl.setPrefix(false);"
        "{{ this._parent.get_name() }}.getContainer().style.background = '#eef1f4';"
        "L.control.scale({imperial: false, maxWidth: 160}).addTo({{ this._parent.get_name() }});"
        "{% endmacro %}"
    )


def drawable(lines: Sequence[LineString]) -> tuple[list[LineString], int]:
    """Lines simplified to less than a pixel of the whole, and every how many-th of them is kept."""
    array = np.asarray(lines, dtype=object)
    west, south, east, north = shapely.total_bounds(array)
    simple = shapely.simplify(array, max(east - west, north - south) / 2000, preserve_topology=False)
    every = max(1, math.ceil(int(shapely.get_num_coordinates(simple).sum()) / MAX_VERTICES))
    return simple[::every].tolist(), every


def draw_lines(
    lines: Sequence[LineString], *, key: str, height: int = 380, marker: tuple[float, float] | None = None
) -> None:
    """Draw lines in alternating colours.

    Args:
        lines: at least one, WGS84; see `drawable`.
        key: names the map; as long as it stays, so do the place and the zoom that the user chose.
        height: in pixels.
        marker: longitude and latitude of a place to mark.
    """
    basemap = get_settings().basemap_tile_url
    west, south, east, north = shapely.total_bounds(np.asarray(lines, dtype=object))
    chart = _Map(
        location=[(south + north) / 2, (west + east) / 2],
        tiles=None,
        max_zoom=20,
        prefer_canvas=True,
        keyboard=False,
    )
    if basemap:
        folium.TileLayer(basemap, attr=popup_text("Base map of the agency"), max_zoom=20).add_to(chart)
    for turn, colour in enumerate(COLOURS):
        coordinates = [
            [[round(x, 6), round(y, 6)] for x, y in line.coords] for line in lines[turn :: len(COLOURS)]
        ]
        if coordinates:
            shape = {"type": "MultiLineString", "coordinates": coordinates}
            folium.GeoJson(
                {"type": "Feature", "properties": {}, "geometry": shape},
                style_function=lambda _, colour=colour: {"color": colour, "weight": 3},
            ).add_to(chart)
    if marker is not None:
        longitude, latitude = marker
        folium.CircleMarker([latitude, longitude], radius=8, color=MARKER_COLOUR, weight=3, fill=True).add_to(
            chart
        )
    _Plain().add_to(chart)  # type: ignore[no-untyped-call]
    chart.fit_bounds([[south, west], [north, east]], padding=(18, 18), max_zoom=17)
    st_folium(chart, key=key, height=height, use_container_width=True, returned_objects=[])
