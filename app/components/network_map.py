"""The map: folium draws the frame, the layers come by address, and Leaflet is served from here."""

import json
from collections.abc import Sequence
from typing import Any

import folium
import streamlit as st
from branca.element import MacroElement
from folium.elements import JSCSSMixin
from jinja2 import Template
from streamlit_folium import st_folium

from app.components.measures import AREA_SHARE as AREA_SHARE
from app.components.measures import DENSITY as DENSITY
from app.components.measures import INTERVAL as INTERVAL
from app.components.measures import NO_INTERVAL as NO_INTERVAL
from app.components.measures import WHOLE_PICTURE as WHOLE_PICTURE
from app.components.measures import Measure, measure_classes
from app.components.text import popup_text
from db.settings import get_settings

STATUSES = {
    "ok": {"colour": "#2c7fb8", "label": "ready"},
    "off_network": {"colour": "#d55e00", "label": "off the network"},
    "blurred": {"colour": "#f0e442", "label": "blurred"},
    "dark": {"colour": "#000000", "label": "dark"},
    "outside_track": {"colour": "#cc79a7", "label": "outside the track"},
}
PHOTOS_FROM_ZOOM = 15
LEAFLET = "/assets"


class _Layers(JSCSSMixin, MacroElement):
    """Hands a configuration to `static/network_map.js`, which draws it or brings the map up to it."""

    _template = Template(
        "{% macro script(this, kwargs) %}pavescopeMap(window.map, {{ this.config }});{% endmacro %}"
    )
    default_js = [("pavescope_map", f"{LEAFLET}/network_map.js")]  # noqa: RUF012 - folium's interface
    default_css = [("pavescope_map_css", f"{LEAFLET}/network_map.css")]  # noqa: RUF012

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._name = "PavescopeLayers"
        # It lands in a <script>: no tag may end it.
        self.config = json.dumps(config, allow_nan=False).replace("<", "\\u003c")


class _Map(folium.Map):
    """folium's map without its CDN: Leaflet alone, from this server."""

    default_js = [("leaflet", f"{LEAFLET}/leaflet.js")]  # noqa: RUF012
    default_css = [("leaflet_css", f"{LEAFLET}/leaflet.css")]  # noqa: RUF012


def draw_map(
    bounds: tuple[float, float, float, float],
    *,
    key: str,
    version: str = "",
    network_id: int | None = None,
    survey_id: int | None = None,
    measure: Measure | None = None,
    photo_measure: Measure | None = None,
    largest: float = 0.0,
    statuses: bool = False,
    only: Sequence[int] | None = None,
    selected: int | None = None,
    marker: tuple[float, float, str] | None = None,
    legend: bool = True,
    at_best: bool = False,
    photos_from_zoom: int = PHOTOS_FROM_ZOOM,
    height: int = 520,
) -> tuple[str, int] | None:
    """Draw the map.

    Args:
        bounds: west, south, east, north in degrees.
        key: names the map; as long as it stays, so do the place and the zoom that the user chose.
        version: of the data; where it changes, sections, photos and legend are loaded anew.
        network_id: draw its sections.
        survey_id: colour the sections by its results, and show its photos.
        measure: what to colour by; None draws the sections plainly.
        photo_measure: what the photos are told by, where that is not `measure`: they are drawn plainly then.
        largest: value that the colour scale must reach.
        statuses: colour photos by their preflight status, at every zoom.
        only: sections to draw in colour, the others faintly; None for all.
        selected: section to mark.
        marker: latitude, longitude and name of one place to mark.
        legend: whether to draw it.
        at_best: whether some classes are upper bounds, for want of severities; the legend says so.
        photos_from_zoom: the zoom at which single photos appear.
        height: in pixels.

    Returns:
        What was clicked, ("section" or "photo", id), or None.
    """
    chart, home = _empty_map(bounds, has_legend=legend and bool(measure or statuses))
    shown = measure or AREA_SHARE
    photo_measure = photo_measure or shown
    config = {
        "sections": network_id
        and f"/api/networks/{network_id}/sections.geojson"
        + (f"?survey={survey_id}&measure={measure.column}" if survey_id and measure else ""),
        "photos": survey_id and f"/api/surveys/{survey_id}/photos.geojson",
        "photos_from_zoom": 0 if statuses else photos_from_zoom,
        "classes": measure_classes(shown, largest),
        "worst_first": shown.large_is_good,
        "ends": _legend_ends(shown),
        "measure": _told(shown),
        "photo_measure": _told(photo_measure),
        "plain_photos": photo_measure != shown,
        "only": None if only is None else list(only),
        "legend_title": _legend_title(measure, statuses) if legend else "",
        "legend_source": _legend_source(measure, at_best) if measure and legend else "",
        "statuses": STATUSES if statuses else None,
        "faint": measure is None,
        "selected": selected,
        "basemap": bool(get_settings().basemap_tile_url),
        "home": {"label": _home_label(statuses, selected, marker), **home},
        "version": version,
    }
    if marker is not None:
        _mark(chart, *marker)
    # A feature group may change without the frame of the map being loaded anew.
    layers = folium.FeatureGroup()
    _Layers(config).add_to(layers)
    answer = st_folium(
        chart,
        key=key,
        height=height,
        use_container_width=True,
        returned_objects=[],
        feature_group_to_add=layers,
    )
    return _new_pick(key, answer)


def _mark(chart: "_Map", latitude: float, longitude: float, name: str) -> None:
    folium.CircleMarker(
        [latitude, longitude], radius=8, color="#d81b60", weight=3, fill=True, tooltip=popup_text(name)
    ).add_to(chart)


def _empty_map(
    bounds: tuple[float, float, float, float], *, has_legend: bool
) -> tuple["_Map", dict[str, Any]]:
    """A map that shows the bounds, and how a button comes back to them."""
    west, south, east, north = bounds
    basemap = get_settings().basemap_tile_url
    chart = _Map(
        location=[(south + north) / 2, (west + east) / 2],
        tiles=None,
        zoom_start=12,
        max_zoom=20,
        # Lines fill the frame at any zoom; tiles are sharp at whole ones only.
        zoom_snap=1 if basemap else 0.25,
        # It would focus the map at the press of the button, and a scrolled page would jump away under it.
        keyboard=False,
    )
    # Nothing of the network lies under the zoom buttons or the legend.
    corners, before, after, closest = (
        [[south, west], [north, east]],
        (52, 18),
        (210 if has_legend else 18, 18),
        17,
    )
    chart.fit_bounds(corners, padding_top_left=before, padding_bottom_right=after, max_zoom=closest)
    if basemap:
        folium.TileLayer(basemap, attr=popup_text("Base map of the agency"), max_zoom=20).add_to(chart)
    options = {"paddingTopLeft": before, "paddingBottomRight": after, "maxZoom": closest}
    return chart, {"bounds": corners, "options": options}


def _told(measure: Measure) -> dict[str, Any]:
    return {"caption": measure.caption, "unit": measure.unit, "digits": measure.digits}


def _legend_ends(measure: Measure) -> list[str]:
    """Words at the pale and the dark end of the legend; classes of a standard have words of their own."""
    return [] if measure.good_fair_poor else ["fewer cracks", "more cracks"]


def _legend_title(measure: Measure | None, statuses: bool) -> str:
    if measure is None:
        return "Photos" if statuses else ""
    return f"{measure.caption}, {measure.unit}" if measure.unit else measure.caption


def _legend_source(measure: Measure, at_best: bool) -> str:
    return (
        f"{measure.standard}. Classes at best: part of the cracking has no severity"
        if at_best
        else measure.standard
    )


def _home_label(statuses: bool, selected: int | None, marker: object) -> str:
    if marker is not None:
        return "Back to the photo"
    if selected is not None:
        return "Back to the section"
    return "All photos" if statuses else "Whole network"


def _new_pick(key: str, answer: dict[str, Any] | None) -> tuple[str, int] | None:
    """A click counts once, though the component repeats it at every rerun."""
    picked = (answer or {}).get("picked")
    if not picked or st.session_state.get(f"picked-{key}") == picked["clicks"]:
        return None
    st.session_state[f"picked-{key}"] = picked["clicks"]
    return str(picked["kind"]), int(picked["id"])
