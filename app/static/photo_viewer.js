/* A photo with what was found on top of it: everything the reader moves is answered here, at once. */
export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".viewer");
  const stage = root.querySelector(".stage");
  const sheet = root.querySelector(".sheet");
  const find = (name) => root.querySelector(`[data-part="${name}"]`);
  const svg = find("lines");
  const pictures = { overlay: find("overlay"), probability: find("probability") };
  const slider = find("opacity");
  const kept = root.viewerState || { photo: null, view: "photo", layer: "lines", opacity: 85, hidden: {}, grid: true, road: true };
  root.viewerState = kept;
  if (kept.photo !== data.version) Object.assign(kept, { photo: data.version, scale: 1, x: 0, y: 0 });
  // What a person chose stays chosen for the next photo, also where this one has no such view.
  const view = () => (kept.view === "ground" && data.ground ? "ground" : "photo");
  const size = () => data[view()];
  const fitted = () => Math.min(stage.clientWidth / size().width, stage.clientHeight / size().height);

  const has = () => ({
    lines: data.shapes.length > 0,
    overlay: data.has_mask,
    probability: data.has_probability,
    none: true,
  });
  const layer = () => {
    const can = has();
    if (can[kept.layer]) return kept.layer;
    return can.lines ? "lines" : can.overlay ? "overlay" : "none";
  };

  const show = (image, address) => {
    if ((image.dataset.address || "") === address) return;
    image.dataset.address = address;
    if (image === find("original")) find("lost").textContent = "";
    image.onerror = () => {
      if (image === find("original")) find("lost").textContent = "This picture cannot be shown: its stored file is missing or damaged. Restore the storage.";
    };
    if (address) image.src = address;
    else image.removeAttribute("src");
  };

  const SPACE = "http://www.w3.org/2000/svg";
  const line = (points, style, closed = false) => {
    const path = document.createElementNS(SPACE, "path");
    path.setAttribute("d", `M${points.map((point) => point.join(" ")).join("L")}${closed ? "Z" : ""}`);
    path.setAttribute("fill", "none");
    path.setAttribute("vector-effect", "non-scaling-stroke");
    for (const [name, value] of Object.entries(style)) path.setAttribute(name, value);
    return path;
  };
  const strokes = Object.fromEntries(data.legend.severities.map((row) => [row.severity, row]));
  const linesOf = (shape) => (view() === "ground" ? shape.ground_lines : shape.lines);
  const outlineOf = (shape) => (view() === "ground" ? shape.ground_outline : shape.outline);
  const shown = () => (layer() === "lines" ? data.shapes.filter((shape) => !kept.hidden[shape.kind] && !kept.hidden[`severity ${shape.severity}`]) : []);

  const drawGrid = () => {
    const unit = 1 / (fitted() * kept.scale || 1); // one screen pixel
    if (kept.road && view() === "photo" && data.road.length) {
      svg.append(line(data.road, { stroke: "#fff", "stroke-width": 1.6, "stroke-dasharray": "10 5", opacity: 0.85 }, true));
    }
    if (!kept.grid) return;
    const taken = []; // towards the horizon there is no room for every label
    for (const one of data.grid) {
      const points = one[view()];
      if (points.length < 2) continue;
      svg.append(line(points, { stroke: "#fff", "stroke-width": 0.8, opacity: 0.5 }));
      const [x, y] = points[0];
      if (taken.some(([u, v]) => Math.abs(u - x) < 34 * unit && Math.abs(v - y) < 14 * unit)) continue;
      taken.push([x, y]);
      const text = document.createElementNS(SPACE, "text");
      text.textContent = `${one.label} m`;
      text.setAttribute("x", x + 5 * unit);
      text.setAttribute("y", y - 4 * unit);
      text.setAttribute("font-size", 11 * unit);
      text.setAttribute("stroke-width", 2.6 * unit);
      svg.append(text);
    }
  };
  const drawShape = (shape, lit) => {
    const colour = data.colours[shape.kind];
    const { width, dash } = strokes[shape.severity];
    const wide = width * (lit ? 1.6 : 1);
    const outline = outlineOf(shape);
    if (outline.length > 2) {
      const area = line(outline, { stroke: colour, "stroke-width": wide, "stroke-dasharray": dash, fill: colour, "fill-opacity": lit ? 0.24 : 0.13 }, true);
      svg.append(line(outline, { stroke: "#10161c", "stroke-width": wide + 2, opacity: 0.55 }, true), area);
    }
    // Inside an outline the single cracks are thin: the outline carries the severity.
    const thin = outline.length > 2 ? 1.2 : wide;
    for (const points of linesOf(shape)) {
      if (points.length < 2) continue;
      svg.append(line(points, { stroke: "#10161c", "stroke-width": thin + 2, opacity: 0.45 }));
      svg.append(line(points, { stroke: colour, "stroke-width": thin, "stroke-dasharray": outline.length > 2 ? "" : dash, "data-kind": shape.kind, "data-severity": shape.severity || "" }));
    }
  };
  const drawLines = (lit = null, at = null) => {
    svg.setAttribute("viewBox", `-0.5 -0.5 ${size().width} ${size().height}`); // pixel centres are whole numbers
    svg.replaceChildren();
    drawGrid();
    const group = shown();
    for (const shape of group) if (shape !== lit) drawShape(shape, false);
    if (lit) drawShape(lit, true);
    if (at) {
      const dot = document.createElementNS(SPACE, "circle");
      dot.setAttribute("cx", at[0]);
      dot.setAttribute("cy", at[1]);
      dot.setAttribute("r", 5 / (fitted() * kept.scale));
      dot.setAttribute("class", "dot");
      dot.setAttribute("vector-effect", "non-scaling-stroke");
      svg.append(dot);
    }
  };

  const scaleBar = () => {
    const bar = find("scale");
    const metres = size().m_per_px;
    bar.style.display = metres ? "" : "none";
    if (!metres) return;
    const perScreen = metres / (fitted() * kept.scale);
    const longest = 170 * perScreen;
    const power = 10 ** Math.floor(Math.log10(longest));
    const length = [5, 2, 1].map((step) => step * power).find((step) => step <= longest);
    bar.querySelector("i").style.width = `${length / perScreen}px`;
    bar.querySelector("output").textContent = length >= 1 ? `${length} m` : length >= 0.01 ? `${Math.round(length * 100)} cm` : `${+(length * 1000).toPrecision(1)} mm`;
  };

  const legend = () => {
    const place = find("legend");
    place.replaceChildren();
    place.style.display = layer() === "lines" ? "" : "none";
    const chip = (key, text, count, style, dash) => {
      const button = document.createElement("button");
      button.setAttribute("aria-pressed", String(!kept.hidden[key]));
      button.title = kept.hidden[key] ? "Show" : "Hide";
      const sample = document.createElementNS(SPACE, "svg");
      sample.setAttribute("viewBox", "0 0 30 12");
      sample.append(line([[1, 6], [29, 6]], { ...style, "stroke-dasharray": dash }));
      button.append(sample, `${text} (${count})`);
      button.onclick = () => { kept.hidden[key] = !kept.hidden[key]; draw(); };
      place.append(button);
    };
    for (const row of data.legend.kinds) chip(row.kind, row.label, row.count, { stroke: row.colour, "stroke-width": 4 }, "");
    const graded = data.legend.severities.filter((row) => row.severity !== null);
    if (graded.length) {
      place.append(Object.assign(document.createElement("b"), { textContent: "Severity" }));
      for (const row of graded) chip(`severity ${row.severity}`, row.label, row.count, { stroke: "#3b4b59", "stroke-width": row.width }, row.dash);
    }
  };

  const move = () => {
    sheet.style.transform = `translate(${kept.x}px, ${kept.y}px) scale(${kept.scale})`;
    sheet.classList.toggle("near", fitted() * kept.scale > 2);
    find("zoom").textContent = `${kept.scale.toFixed(1)} ×`;
    scaleBar();
    drawLines();
  };
  const draw = () => {
    const { width, height } = size();
    stage.style.aspectRatio = `${width} / ${height}`;
    stage.style.maxHeight = "74vh";
    const now = layer();
    const can = has();
    const place = view() === "ground" ? `${data.base}/rectified` : data.base;
    show(find("original"), `${place}/original?v=${data.version}`);
    for (const [name, image] of Object.entries(pictures)) {
      show(image, now === name ? `${place}/${name}?v=${data.version}` : "");
      image.style.display = now === name ? "block" : "none";
      image.style.opacity = kept.opacity / 100;
    }
    svg.style.opacity = kept.opacity / 100;
    root.querySelectorAll('input[name="layer"]').forEach((radio) => {
      radio.checked = radio.value === now;
      radio.disabled = !can[radio.value];
    });
    root.querySelectorAll('input[name="view"]').forEach((radio) => {
      radio.checked = radio.value === view();
      radio.disabled = radio.value === "ground" && !data.ground;
      radio.parentElement.title = radio.disabled ? "Needs a camera profile or a GSD of the survey" : "";
    });
    slider.value = kept.opacity;
    slider.disabled = now === "none";
    find("grid").checked = kept.grid;
    find("grid").disabled = !data.grid.length;
    find("road").checked = kept.road;
    find("road-label").style.display = data.road.length && view() === "photo" ? "" : "none";
    find("percent").textContent = `${kept.opacity} %`;
    find("key-mask").style.display = now === "overlay" ? "" : "none";
    find("key-probability").style.display = now === "probability" ? "" : "none";
    find("tip").style.display = "none";
    legend();
    move();
    root.dataset.view = view();
  };
  const zoom = (factor, cx, cy) => {
    const scale = Math.min(40, Math.max(1, kept.scale * factor));
    const real = scale / kept.scale;
    kept.x = Math.min(0, Math.max(stage.clientWidth * (1 - scale), cx - (cx - kept.x) * real));
    kept.y = Math.min(0, Math.max(stage.clientHeight * (1 - scale), cy - (cy - kept.y) * real));
    kept.scale = scale;
    move();
  };
  const middle = (factor) => zoom(factor, stage.clientWidth / 2, stage.clientHeight / 2);
  const fit = () => Object.assign(kept, { scale: 1, x: 0, y: 0 });

  /* The branch nearest to the pointer, and the vertex of it that is nearest: widths are measured there. */
  const nearest = (x, y, reach) => {
    let best = null;
    for (const shape of shown()) {
      linesOf(shape).forEach((points, branch) => {
        for (let i = 0; i + 1 < points.length; i++) {
          const [ax, ay] = points[i];
          const [dx, dy] = [points[i + 1][0] - ax, points[i + 1][1] - ay];
          const along = Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy || 1)));
          const far = Math.hypot(x - ax - along * dx, y - ay - along * dy);
          if (far <= reach && (!best || far < best.far)) best = { far, shape, branch, vertex: along < 0.5 ? i : i + 1, points };
        }
      });
    }
    return best;
  };
  const tip = find("tip");
  const hover = (event) => {
    const box = stage.getBoundingClientRect();
    const [px, py] = [event.clientX - box.left, event.clientY - box.top];
    const unit = fitted() * kept.scale;
    const left = kept.x + (kept.scale * (stage.clientWidth - size().width * fitted())) / 2;
    const top = kept.y + (kept.scale * (stage.clientHeight - size().height * fitted())) / 2;
    const found = nearest((px - left) / unit - 0.5, (py - top) / unit - 0.5, 16 / unit);
    tip.style.display = found ? "block" : "none";
    if (!found) {
      if (root.lit) drawLines();
      root.lit = null;
      return;
    }
    root.lit = found.shape;
    drawLines(found.shape, found.points[found.vertex]);
    const width = (found.shape.widths[found.branch] || [])[found.vertex];
    const texts = [
      `${found.shape.title}${found.shape.grade ? `, ${found.shape.grade.toLowerCase().replace("gsd", "GSD")}` : ""}`,
      ...(width === null || width === undefined ? [] : [`Width here ${width.toFixed(1)} mm`]),
      ...found.shape.facts,
    ];
    tip.replaceChildren(...texts.map((text, i) => Object.assign(document.createElement(i ? "div" : "b"), { textContent: text })));
    const right = px + 16 + tip.offsetWidth > stage.clientWidth;
    tip.style.left = `${right ? px - 16 - tip.offsetWidth : px + 16}px`;
    tip.style.top = `${Math.min(py + 12, stage.clientHeight - tip.offsetHeight - 4)}px`;
  };

  // The page's own keys (left, right) must work after a click: a radio or slider that is held takes them.
  root.onpointerup = () => setTimeout(() => {
    const held = root.getRootNode().activeElement;
    if (held && root.contains(held)) held.blur();
  }, 60);
  slider.oninput = () => { kept.opacity = Number(slider.value); draw(); };
  root.querySelectorAll('input[name="layer"]').forEach((radio) => {
    radio.onchange = () => { kept.layer = radio.value; draw(); };
  });
  root.querySelectorAll('input[name="view"]').forEach((radio) => {
    radio.onchange = () => { kept.view = radio.value; fit(); draw(); };
  });
  find("grid").onchange = () => { kept.grid = find("grid").checked; draw(); };
  find("road").onchange = () => { kept.road = find("road").checked; draw(); };
  find("in").onclick = () => middle(1.6);
  find("out").onclick = () => middle(1 / 1.6);
  find("fit").onclick = () => { fit(); move(); };
  stage.onwheel = (event) => {
    if (!event.ctrlKey && kept.scale === 1 && event.deltaY > 0) return; // let the page scroll
    event.preventDefault();
    const box = stage.getBoundingClientRect();
    zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, event.clientX - box.left, event.clientY - box.top);
  };
  let dragged = null;
  stage.onpointerdown = (event) => {
    stage.setPointerCapture(event.pointerId);
    dragged = [event.clientX, event.clientY];
  };
  stage.onpointermove = (event) => {
    if (!dragged) return hover(event);
    kept.x = Math.min(0, Math.max(stage.clientWidth * (1 - kept.scale), kept.x + event.clientX - dragged[0]));
    kept.y = Math.min(0, Math.max(stage.clientHeight * (1 - kept.scale), kept.y + event.clientY - dragged[1]));
    dragged = [event.clientX, event.clientY];
    move();
  };
  stage.onpointerup = stage.onpointercancel = () => { dragged = null; };
  stage.onpointerleave = () => { tip.style.display = "none"; if (root.lit) drawLines(); root.lit = null; };
  // The size of texts and of the scale bar follows that of the window.
  const watch = new ResizeObserver(() => move());
  watch.observe(stage);
  draw();
  return () => watch.disconnect();
}
