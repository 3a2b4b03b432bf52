/* Layers of the map: loaded by address, drawn on one canvas. No text of people's files becomes HTML here. */
"use strict";

/* The first call draws the layers; a later one, with a newer configuration, only replaces what it changes. */
window.pavescopeMap = function (map, config) {
  if (map.pavescopeUpdate) {
    map.pavescopeUpdate(config);
    return;
  }
  const canvas = L.canvas({ padding: 0.3, tolerance: 6 });
  const NO_DATA = "#8d99a6";

  const colourOf = (value) => {
    if (value === null || value === undefined) return NO_DATA;
    const found = config.classes.find((step) => value < step.below);
    return (found || config.classes[config.classes.length - 1]).colour;
  };
  const plain = (value, { digits }) =>
    value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const shown = (value, measure) =>
    value === null || value === undefined ? "no data" : `${plain(value, measure)} ${measure.unit}`.trimEnd();
  const withInterval = (p, measure) =>
    p.low === null || p.low === undefined || p.high === null || p.high === undefined
      ? shown(p.value, measure)
      : `${shown(p.value, measure)} (${plain(p.low, measure)} to ${plain(p.high, measure)})`;
  const chainage = (m) => {
    const whole = Math.round(m);
    return `km ${Math.floor(whole / 1000)}+${String(whole % 1000).padStart(3, "0")}`;
  };
  const lines = (...texts) => {
    const box = document.createElement("div");
    texts.forEach((text, place) => {
      const line = document.createElement(place ? "div" : "strong");
      line.textContent = text;
      box.appendChild(line);
    });
    return box;
  };
  const pick = (kind, id) => {
    if (window.Streamlit) window.Streamlit.setComponentValue({ picked: { kind, id, clicks: Date.now() } });
  };
  const failure = L.control({ position: "topright" });
  failure.onAdd = () => {
    const box = L.DomUtil.create("div", "pavescope-box");
    box.textContent = "The sections could not be loaded. Reload the page.";
    return box;
  };
  const load = async (address) => {
    const answer = await fetch(address, { credentials: "same-origin" });
    if (!answer.ok) throw new Error(`${answer.status}`);
    return answer.json();
  };

  map.attributionControl.setPrefix(false);
  if (!config.basemap) map.getContainer().style.background = "#eef1f4";
  L.control.scale({ imperial: false, maxWidth: 160 }).addTo(map);

  /* The wheel scrolls the page until somebody has clicked into the map. */
  map.scrollWheelZoom.disable();
  map.on("click", () => map.scrollWheelZoom.enable());
  map.getContainer().addEventListener("mouseleave", () => map.scrollWheelZoom.disable());

  /* The way back to the first view, and no way out far beyond it. */
  const home = L.control({ position: "topright" });
  home.onAdd = () => {
    const button = L.DomUtil.create("button", "pavescope-home");
    button.type = "button";
    button.textContent = config.home.label;
    L.DomEvent.disableClickPropagation(button);
    button.onclick = () => map.fitBounds(config.home.bounds, config.home.options);
    return button;
  };
  home.addTo(map);
  const limitZoom = () => {
    const { paddingTopLeft, paddingBottomRight, maxZoom } = config.home.options;
    const padding = L.point(paddingTopLeft).add(paddingBottomRight);
    const size = map.getSize();
    if (size.x <= padding.x || size.y <= padding.y) return;
    map.setMinZoom(Math.max(0, Math.min(maxZoom, map.getBoundsZoom(config.home.bounds, false, padding)) - 2));
  };
  map.on("resize", limitZoom);
  // At once: a limit set while the map still flies to its first view would stop it there.
  map.fitBounds(config.home.bounds, { ...config.home.options, animate: false });
  limitZoom();

  /* Sections: a dark casing keeps the pale end of the scale readable. */
  const sections = L.layerGroup().addTo(map);
  const drawSections = (collection) => {
    sections.clearLayers();
    const wide = collection.features.length > 3000 ? 3 : 6;
    if (config.only) {
      const only = new Set(config.only);
      const [kept, others] = [[], []];
      for (const feature of collection.features) (only.has(feature.properties.id) ? kept : others).push(feature);
      L.geoJSON({ type: "FeatureCollection", features: others }, {
        renderer: canvas, interactive: false, style: { color: "#c3ccd5", weight: 1.5 },
      }).addTo(sections);
      collection = { type: "FeatureCollection", features: kept };
    }
    if (!config.faint) {
      L.geoJSON(collection, {
        renderer: canvas,
        interactive: false,
        style: (f) => ({
          color: f.properties.id === config.selected ? "#d81b60" : "#2b3a48",
          weight: f.properties.id === config.selected ? wide + 7 : wide + 2.5,
        }),
      }).addTo(sections);
    }
    L.geoJSON(collection, {
      renderer: canvas,
      style: (f) => ({ color: config.faint ? "#5b6b7a" : colourOf(f.properties.value), weight: config.faint ? 3 : wide, opacity: 1 }),
      onEachFeature: (feature, layer) => {
        const p = feature.properties;
        layer.on("click", () => pick("section", p.id));
        layer.bindTooltip(
          () => lines(`${p.road} · ${p.key}`, `${chainage(p.from_m)} to ${chainage(p.to_m)}`,
            ...(config.faint ? [] : [`${config.measure.caption}: ${withInterval(p, config.measure)}`, `${p.images} photos`])),
          { sticky: true },
        );
      },
    }).addTo(sections);
    photos.eachLayer((dot) => dot.bringToFront());
  };

  /* Photos: only those in view, and only where single ones can be told apart. */
  const photos = L.layerGroup().addTo(map);
  let asked = 0;
  const drawPhotos = async () => {
    if (!config.photos) return;
    const turn = ++asked;
    if (map.getZoom() < config.photos_from_zoom) {
      photos.clearLayers();
      return;
    }
    const b = map.getBounds().pad(0.1);
    const box = [b.getWest(), b.getSouth(), b.getEast(), b.getNorth()].map((x) => x.toFixed(4)).join(",");
    let collection;
    try {
      collection = await load(`${config.photos}?bbox=${box}`);
    } catch (problem) {
      return;
    }
    if (turn !== asked) return;
    photos.clearLayers();
    // What needs a look lies on top.
    if (config.statuses) collection.features.sort((a, b) => (a.properties.status !== "ok") - (b.properties.status !== "ok"));
    for (const feature of collection.features) {
      const p = feature.properties;
      const [lng, lat] = feature.geometry.coordinates;
      const fill = config.statuses ? (config.statuses[p.status] || config.statuses.ok).colour : config.plain_photos ? "#ffffff" : colourOf(p.value);
      const many = p.count !== undefined;
      const dot = L.circleMarker([lat, lng], {
        renderer: canvas,
        radius: many ? Math.min(16, 4 + Math.log2(p.count)) : config.plain_photos ? 2.5 : config.statuses && p.status === "ok" ? 4 : 6,
        color: config.statuses && p.status === "ok" ? "#ffffff" : "#16222e",
        weight: config.statuses && p.status === "ok" ? 0.6 : 1,
        fillColor: many && config.statuses ? "#14568c" : fill,
        fillOpacity: 0.95,
      });
      const where = p.chainage_m === null || p.chainage_m === undefined ? "" : ` · ${chainage(p.chainage_m)}`;
      dot.bindTooltip(() =>
        many
          ? lines(`${p.count} photos`, `mean ${shown(p.value, config.photo_measure)}, without an interval`)
          : lines(`Photo${where}`, config.statuses
            ? (config.statuses[p.status] || config.statuses.ok).label
            : `${config.photo_measure.caption}: ${withInterval(p, config.photo_measure)}`));
      if (many) dot.on("click", () => map.setView([lat, lng], map.getZoom() + 2));
      else dot.on("click", () => pick("photo", p.id));
      photos.addLayer(dot);
    }
  };

  const legend = L.control({ position: "bottomright" });
  legend.onAdd = () => {
    const box = L.DomUtil.create("div", "pavescope-box pavescope-legend");
    const title = L.DomUtil.create("strong", "", box);
    title.textContent = config.legend_title;
    if (config.legend_source) {
      const source = L.DomUtil.create("div", "pavescope-source", box);
      source.textContent = config.legend_source;
    }
    const graded = config.worst_first ? [...config.classes].reverse() : config.classes;
    const rows = config.statuses ? Object.values(config.statuses) : [...graded, ...(config.faint ? [] : [{ colour: NO_DATA, label: "no data" }])];
    const [best, worst] = config.statuses || config.faint ? [] : config.ends;
    const word = (text) => { if (text) L.DomUtil.create("div", "pavescope-end", box).textContent = text; };
    word(best);
    for (const row of rows) {
      const line = L.DomUtil.create("div", "", box);
      L.DomUtil.create("i", "", line).style.background = row.colour;
      L.DomUtil.create("span", "", line).textContent = row.label;
      if (row === graded[graded.length - 1]) word(worst);
    }
    if (config.photos && config.photos_from_zoom > 0) {
      const hint = L.DomUtil.create("div", "pavescope-hint", box);
      hint.textContent = "Zoom in to see single photos";
    }
    return box;
  };

  let drawn = 0;
  const draw = async () => {
    const turn = ++drawn;
    if (config.sections) {
      try {
        const collection = await load(config.sections);
        if (turn !== drawn) return;
        drawSections(collection);
        failure.remove();
      } catch (problem) {
        failure.addTo(map);
      }
    }
    // With the sections, or its classes would not be those of the colours.
    legend.remove();
    if (config.legend_title) legend.addTo(map);
    await drawPhotos();
    document.body.dataset.mapReady = "yes";
  };
  map.pavescopeUpdate = (next) => {
    config = next;
    limitZoom();
    draw();
  };
  map.on("moveend", drawPhotos);
  draw();
};
