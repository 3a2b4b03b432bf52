/* A picture with lines on it; its numbered points are dragged, or moved by the arrow keys, and then reported. */
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".profile-picture");
  const find = (name) => root.querySelector(`[data-part="${name}"]`);
  const [stage, picture, svg, loupe] = ["stage", "picture", "lines", "loupe"].map(find);
  const { width, height } = data;
  stage.style.aspectRatio = `${width} / ${height}`;
  stage.style.width = `min(100%, calc(${data.tallest} * ${width / height}))`;
  picture.alt = data.alt;
  if (picture.dataset.address !== data.address) {
    picture.dataset.address = data.address;
    picture.onload = () => { find("lost").textContent = ""; };
    picture.onerror = () => { find("lost").textContent = "This picture cannot be shown."; };
    picture.src = data.address;
  }

  const SPACE = "http://www.w3.org/2000/svg";
  const make = (name, attributes) => {
    const element = document.createElementNS(SPACE, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const points = (data.points || []).map((point) => [...point]);
  const unit = () => width / (stage.clientWidth || width); // picture pixels in one screen pixel
  const outline = () => points.map((point) => point.join(",")).join(" ");
  let handles = [];
  let frame = null;
  let labels = [];

  const lineOf = (line) => {
    const style = {
      d: `M${line.points.map((point) => point.join(" ")).join("L")}${line.closed ? "Z" : ""}`,
      stroke: line.colour || "#fff", "stroke-width": line.width || 1, "stroke-dasharray": line.dash || "",
      fill: line.fill || "none", "vector-effect": "non-scaling-stroke", opacity: line.opacity || 1,
    };
    svg.append(make("path", style));
    if (!line.label) return;
    const [x, y] = line.points[0];
    const u = unit();
    // Towards the horizon there is no room for every label.
    if (labels.some(([a, b]) => Math.abs(a - x) < 34 * u && Math.abs(b - y) < 14 * u)) return;
    labels.push([x, y]);
    const text = make("text", { x: Math.min(x + 5 * u, width - 40 * u), y: Math.max(y - 4 * u, 12 * u), "font-size": 11 * u, "stroke-width": 2.6 * u });
    text.textContent = line.label;
    svg.append(text);
  };
  const put = (i) => {
    handles[i].setAttribute("transform", `translate(${points[i][0]} ${points[i][1]}) scale(${unit()})`);
    frame.setAttribute("points", outline());
  };
  const report = () => setTriggerValue("moved", points.map(([x, y]) => [Math.round(x * 10) / 10, Math.round(y * 10) / 10]));
  const clamp = (value, most) => Math.min(most - 1, Math.max(0, value));

  const magnify = (i) => {
    const box = stage.getBoundingClientRect();
    const [x, y] = points[i];
    const zoom = 4 * (stage.clientWidth / width);
    const [px, py] = [(x + 0.5) * (stage.clientWidth / width), (y + 0.5) * (stage.clientHeight / height)];
    Object.assign(loupe.style, {
      display: "block",
      left: `${px > box.width / 2 ? px - 175 : px + 35}px`,
      top: `${Math.min(Math.max(0, py - 70), box.height - 140)}px`,
      backgroundImage: `url("${data.address}")`,
      backgroundSize: `${width * zoom}px ${height * zoom}px`,
      backgroundPosition: `${70 - (x + 0.5) * zoom}px ${70 - (y + 0.5) * zoom}px`,
    });
  };
  const handle = (i) => {
    const group = make("g", { class: "handle", tabindex: 0, role: "button", "aria-label": `Point ${i + 1}` });
    group.append(make("circle", { r: 13, class: "reach" }), make("circle", { r: 8, class: "ring" }), make("circle", { r: 1.5, class: "pin" }));
    const number = make("text", { x: 12, y: -9, "font-size": 15, "stroke-width": 3 });
    number.textContent = i + 1;
    group.append(number);
    group.onpointerdown = (event) => {
      event.preventDefault();
      group.focus();
      group.setPointerCapture(event.pointerId);
      const [x0, y0, cx, cy] = [...points[i], event.clientX, event.clientY];
      let moved = false;
      group.onpointermove = (move) => {
        moved = true;
        points[i] = [clamp(x0 + (move.clientX - cx) * unit(), width), clamp(y0 + (move.clientY - cy) * unit(), height)];
        put(i);
        magnify(i);
      };
      group.onpointerup = group.onpointercancel = () => {
        group.onpointermove = group.onpointerup = null;
        loupe.style.display = "none";
        if (moved) report();
      };
    };
    group.onkeydown = (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      const far = event.shiftKey ? 10 : 1;
      points[i] = [clamp(points[i][0] + step[0] * far, width), clamp(points[i][1] + step[1] * far, height)];
      put(i);
      magnify(i);
      group.dataset.moved = "yes";
    };
    group.onkeyup = group.onblur = () => {
      loupe.style.display = "none";
      if (group.dataset.moved) { delete group.dataset.moved; report(); }
    };
    return group;
  };
  const draw = () => {
    svg.setAttribute("viewBox", `-0.5 -0.5 ${width} ${height}`); // pixel centres are whole numbers
    svg.replaceChildren();
    labels = [];
    for (const line of data.lines) if (line.points.length > 1) lineOf(line);
    handles = [];
    if (!points.length) return;
    frame = make("polygon", { class: "frame", "vector-effect": "non-scaling-stroke" });
    svg.append(frame);
    points.forEach((_, i) => { handles.push(handle(i)); svg.append(handles[i]); put(i); });
  };
  draw();
  const watch = new ResizeObserver(draw);
  watch.observe(stage);
  return () => watch.disconnect();
}
