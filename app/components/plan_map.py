"""The map of a plan: its projects by year or by treatment, drawn without the internet."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import folium
import pandas as pd
import streamlit as st
from branca.element import MacroElement
from jinja2 import Template
from plotly.colors import sample_colorscale
from streamlit_folium import st_folium

from app.components.network_map import LEAFLET
from app.components.plan_charts import treatment_looks
from app.components.plan_money import money
from app.components.text import chainage, popup_text
from db.settings import get_settings

NOTHING = "#c3ccd5"
ALL_YEARS = "All years"
Lines = Mapping[str, list[list[float]]]


class _Map(folium.Map):
    """folium's map without its CDN: Leaflet alone, from this server."""

    default_js = [("leaflet", f"{LEAFLET}/leaflet.js")]  # noqa: RUF012 - folium's interface
    default_css = [  # noqa: RUF012
        ("leaflet_css", f"{LEAFLET}/leaflet.css"),
        ("pavescope_map_css", f"{LEAFLET}/network_map.css"),
    ]


class _Projects(MacroElement):
    """Draws a configuration, or brings the map up to it; no text of people's files becomes HTML."""

    _template = Template(
        """{% macro script(this, kwargs) %}
(function (map, config) {
  if (map.planLayers) map.planLayers.forEach((layer) => layer.remove());
  else {
    map.attributionControl.setPrefix(false);
    if (!config.basemap) map.getContainer().style.background = "#eef1f4";
    L.control.scale({ imperial: false, maxWidth: 160 }).addTo(map);
    /* The wheel scrolls the page until somebody has clicked into the map. */
    map.scrollWheelZoom.disable();
    map.on("click", () => map.scrollWheelZoom.enable());
    map.getContainer().addEventListener("mouseleave", () => map.scrollWheelZoom.disable());
  }
  const canvas = L.canvas({ padding: 0.3, tolerance: 6 });
  const group = L.layerGroup().addTo(map);
  const shape = (lines) => ({ type: "Feature", properties: {},
    geometry: { type: "MultiLineString", coordinates: lines } });
  const text = (parent, tag, words) => { L.DomUtil.create(tag, "", parent).textContent = words; };
  L.geoJSON(shape(config.rest), { renderer: canvas, interactive: false,
    style: { color: config.nothing, weight: 2 } }).addTo(group);
  for (const one of config.projects) {
    L.geoJSON(shape(one.lines), { renderer: canvas, interactive: false,
      style: { color: one.rank === config.selected ? "#d81b60" : "#2b3a48",
               weight: one.rank === config.selected ? 12 : 7.5 } }).addTo(group);
  }
  for (const one of config.projects) {
    const line = L.geoJSON(shape(one.lines), { renderer: canvas, style: { color: one.colour, weight: 5 } });
    line.bindTooltip(() => {
      const box = document.createElement("div");
      one.told.forEach((words, place) => text(box, place ? "div" : "strong", words));
      return box;
    }, { sticky: true });
    line.on("click", () => {
      const picked = { rank: one.rank, clicks: Date.now() };
      if (window.Streamlit) window.Streamlit.setComponentValue({ picked });
    });
    line.addTo(group);
  }
  const legend = L.control({ position: "bottomright" });
  legend.onAdd = () => {
    const box = L.DomUtil.create("div", "pavescope-box pavescope-legend");
    text(box, "strong", config.title);
    for (const row of config.legend) {
      const line = L.DomUtil.create("div", "", box);
      L.DomUtil.create("i", "", line).style.background = row.colour;
      text(line, "span", row.label);
    }
    return box;
  };
  legend.addTo(map);
  map.planLayers = [group, legend];
  document.body.dataset.mapReady = "yes";
})(window.map, {{ this.config }});
{% endmacro %}"""
    )

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._name = "PlanProjects"
        # It lands in a <script>: no tag may end it.
        self.config = json.dumps(config, allow_nan=False).replace("<", "\\u003c")


def year_colours(years: Sequence[int]) -> dict[int, str]:
    """From pale to dark as the years go, for colour-blind eyes and on grey prints too."""
    ends = [0.93 - 0.93 * place / max(1, len(years) - 1) for place in range(len(years))]
    colours = sample_colorscale("Viridis", ends, colortype="tuple")
    return {
        year: "#" + "".join(f"{round(255 * part):02x}" for part in colour)
        for year, colour in zip(years, colours, strict=True)
    }


def map_config(
    made: Mapping[str, Any], projects: pd.DataFrame, lines: Lines, *, by_year: bool, year: int | None
) -> dict[str, Any]:
    """What is drawn.

    Args:
        made: of `app.plan_data.plan`; projects: its `project_table`; lines: its `section_lines`.
        by_year: colour by year, else by treatment.
        year: only the projects of that year; None: all.
    """
    currency = made["request"]["currency"]
    years = [int(line["year"]) for line in made["result"]["cost_by_year"]]
    of_year = year_colours(years)
    looks = {name: colour for name, (colour, _) in treatment_looks(made["result"]["treatments"]).items()}
    some = projects if year is None else projects[projects["year"] == year]
    drawn, covered = [], set()
    # The earlier project of a section that has two lies on top.
    for project in some.sort_values("year", ascending=False).to_dict("records"):
        keys = [key for key in project["section_keys"] if key in lines]
        covered.update(keys)
        drawn.append({
            "rank": project["rank"],
            "lines": [lines[key] for key in keys],
            "colour": of_year[project["year"]] if by_year else looks[project["treatment"]],
            "told": [
                f"{project['year']} · {project['treatment']}",
                f"{project['road']}, {chainage(project['from_m'])} to {chainage(project['to_m'])}",
                money(project["cost"], currency),
            ],
        })  # fmt: skip
    used = set(some["year" if by_year else "treatment"])
    named: list[tuple[Any, str]] = list(of_year.items()) if by_year else list(looks.items())
    legend = [{"label": str(name), "colour": colour} for name, colour in named if name in used]
    rest = "nothing planned" if year is None else f"nothing in {year}"
    return {
        "projects": drawn,
        "rest": [line for key, line in lines.items() if key not in covered],
        "nothing": NOTHING,
        "title": "Year" if by_year else "Treatment",
        "legend": [*legend, {"label": rest, "colour": NOTHING}],
        "basemap": bool(get_settings().basemap_tile_url),
        "selected": None,
    }


def plan_map(
    made: Mapping[str, Any], projects: pd.DataFrame, lines: Lines, selected: int | None
) -> int | None:
    """Draw the map with its choices; returns the rank of a project that was clicked just now."""
    if not lines:
        return None
    years = [int(line["year"]) for line in made["result"]["cost_by_year"]]
    key = f"plan-map-{made['id']}"
    first, second = st.columns([1, 3])
    by = first.segmented_control("Colour by", ["Year", "Treatment"], default="Year", key=f"{key}-by")
    shown = second.pills("Show", [ALL_YEARS, *map(str, years)], default=ALL_YEARS, key=f"{key}-year")
    config = map_config(
        made, projects, lines, by_year=by != "Treatment",
        year=None if shown in (None, ALL_YEARS) else int(shown),
    )  # fmt: skip
    group = folium.FeatureGroup()
    _Projects(config | {"selected": selected}).add_to(group)
    answer = st_folium(
        _empty_map(lines, config["basemap"]), key=key, height=460, use_container_width=True,
        returned_objects=[], feature_group_to_add=group,
    )  # fmt: skip
    picked = (answer or {}).get("picked")
    # A click counts once, though the component repeats it at every rerun.
    if not picked or st.session_state.get(f"picked-{key}") == picked["clicks"]:
        return None
    st.session_state[f"picked-{key}"] = picked["clicks"]
    return int(picked["rank"])


def _empty_map(lines: Lines, basemap: bool) -> _Map:
    points = [point for line in lines.values() for point in line]
    west, east = min(point[0] for point in points), max(point[0] for point in points)
    south, north = min(point[1] for point in points), max(point[1] for point in points)
    chart = _Map(
        location=[(south + north) / 2, (west + east) / 2], tiles=None, max_zoom=20,
        zoom_snap=1 if basemap else 0.25, keyboard=False,
    )  # fmt: skip
    if basemap:
        tiles = get_settings().basemap_tile_url
        folium.TileLayer(tiles, attr=popup_text("Base map of the agency"), max_zoom=20).add_to(chart)
    # Nothing of the network lies under the zoom buttons or the legend.
    chart.fit_bounds(
        [[south, west], [north, east]], padding_top_left=(52, 18), padding_bottom_right=(190, 18), max_zoom=17
    )
    return chart
