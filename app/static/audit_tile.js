/* One tile of an audit: large, with zoom, and the keys of the buttons beside it. The model's answer is asked
   for only when the page says so, which is after the blind answer is saved. */
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".audit");
  const find = (name) => root.querySelector(`[data-part="${name}"]`);
  const stage = find("stage");
  const sheet = find("sheet");
  const [width, height] = data.window;
  const [x, y, w, h] = data.box;
  const kept = root.kept || (root.kept = {});

  const lost = find("lost");
  const load = (image, address, what) => {
    if (image.dataset.address === address) return;
    image.dataset.address = address;
    lost.textContent = "";
    image.onerror = () => { lost.textContent = `${what} cannot be shown: its stored file is missing or damaged. Restore the storage, or leave this tile.`; };
    if (address) image.src = address;
    else image.removeAttribute("src");
  };
  load(find("photo"), `/api/audit/${data.tile}/photo`, "The photo");
  load(find("overlay"), data.shows_model ? `/api/audit/${data.tile}/overlay` : "", "What the model found");
  if (data.next) new Image().src = `/api/audit/${data.next}/photo`;

  stage.style.aspectRatio = `${width} / ${height}`;
  stage.style.width = `min(100%, calc(68vh * ${width / height}))`;
  Object.assign(find("frame").style, {
    left: `${(100 * x) / width}%`, top: `${(100 * y) / height}%`,
    width: `${(100 * w) / width}%`, height: `${(100 * h) / height}%`,
  });

  // x and y are in widths and heights of the stage, so that a window that changes size loses nothing.
  const clamp = (value, scale) => Math.min(0, Math.max(1 - scale, value));
  const place = (scale, cx, cy) => Object.assign(kept, {
    scale, x: clamp(0.5 - cx * scale, scale), y: clamp(0.5 - cy * scale, scale),
  });
  const onTile = () => place(
    Math.max(1, Math.min(0.88 / (w / width), 0.88 / (h / height))), (x + w / 2) / width, (y + h / 2) / height,
  );
  if (kept.tile !== data.tile) {
    onTile();
    Object.assign(kept, { tile: data.tile, hidden: false });
  }
  const draw = () => {
    sheet.style.transform = `translate(${100 * kept.x}%, ${100 * kept.y}%) scale(${kept.scale})`;
    find("frame").style.setProperty("--line", `${2 / kept.scale}px`);
    sheet.classList.toggle("near", kept.scale * stage.clientWidth > width * 6);
    find("overlay").style.display = data.shows_model && !kept.hidden ? "block" : "none";
    find("model").style.display = data.shows_model ? "" : "none";
    find("hide").textContent = kept.hidden ? "Show the model's cracks (H)" : "Hide the model's cracks (H)";
  };
  const zoom = (factor, cx = 0.5, cy = 0.5) => {
    const scale = Math.min(40, Math.max(1, kept.scale * factor));
    const real = scale / kept.scale;
    Object.assign(kept, { scale, x: clamp(cx - (cx - kept.x) * real, scale), y: clamp(cy - (cy - kept.y) * real, scale) });
    draw();
  };
  const around = () => {
    if (kept.scale > 1) place(1, 0.5, 0.5);
    else onTile();
    draw();
  };
  const hide = () => { kept.hidden = data.shows_model && !kept.hidden; draw(); };
  find("in").onclick = () => zoom(1.5);
  find("out").onclick = () => zoom(1 / 1.5);
  find("around").onclick = around;
  find("hide").onclick = hide;
  stage.onwheel = (event) => {
    event.preventDefault();
    const box = stage.getBoundingClientRect();
    zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  };
  stage.onpointerdown = (event) => {
    stage.setPointerCapture(event.pointerId);
    let [px, py] = [event.clientX, event.clientY];
    stage.onpointermove = (move) => {
      kept.x = clamp(kept.x + (move.clientX - px) / stage.clientWidth, kept.scale);
      kept.y = clamp(kept.y + (move.clientY - py) / stage.clientHeight, kept.scale);
      [px, py] = [move.clientX, move.clientY];
      draw();
    };
    stage.onpointerup = stage.onpointercancel = () => { stage.onpointermove = null; };
  };

  const here = { z: around, h: hide, "+": () => zoom(1.5), "-": () => zoom(1 / 1.5) };
  const press = (event) => {
    const key = event.key === "ArrowLeft" ? "b" : event.key.toLowerCase();
    const target = event.composedPath()[0];
    const typing = target.isContentEditable || /^(input|textarea|select)$/i.test(target.tagName || "");
    const ours = key in here || data.keys.includes(key);
    if (event.ctrlKey || event.metaKey || event.altKey || !ours) return;
    if (typing && !/^(checkbox|radio)$/.test(target.type)) return;
    // Streamlit has C and R for itself.
    event.stopImmediatePropagation();
    event.preventDefault();
    if (key in here) here[key]();
    else if (!event.repeat && kept.sent !== data.turn) {
      kept.sent = data.turn; // one answer a drawing: a second press must not judge the next tile
      root.removeAttribute("data-ready");
      setTriggerValue("pressed", { key, tile: data.tile, turn: data.turn });
    }
  };
  if (root.listener) window.removeEventListener("keydown", root.listener, true);
  root.listener = press;
  window.addEventListener("keydown", press, true);
  root.toggleAttribute("data-ready", kept.sent !== data.turn);
  draw();
  return () => window.removeEventListener("keydown", root.listener, true);
}
