/* A photo with what was found on top of it: everything the reader moves is answered here, at once. */
export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".viewer");
  const stage = root.querySelector(".stage");
  const sheet = root.querySelector(".sheet");
  const find = (name) => root.querySelector(`[data-part="${name}"]`);
  const layers = { overlay: find("overlay"), probability: find("probability") };
  const slider = find("opacity");
  const kept = root.viewerState || { photo: null, layer: "overlay", opacity: 85 };
  root.viewerState = kept;
  const fresh = kept.photo !== data.version;
  kept.photo = data.version;
  if (fresh) Object.assign(kept, { scale: 1, x: 0, y: 0 });

  stage.style.aspectRatio = `${data.width} / ${data.height}`;
  stage.style.maxHeight = "74vh";
  const show = (image, kind, wanted) => {
    const address = wanted ? `${data.base}/${kind}?v=${data.version}` : "";
    if (image.dataset.address !== address) {
      image.dataset.address = address;
      if (address) image.src = address;
      else image.removeAttribute("src");
    }
  };
  show(find("original"), "original", true);

  const draw = () => {
    const has = { overlay: data.has_mask, probability: data.has_probability };
    if (kept.layer !== "none" && !has[kept.layer]) kept.layer = data.has_mask ? "overlay" : "none";
    for (const [name, image] of Object.entries(layers)) {
      const on = kept.layer === name;
      show(image, name, on && has[name]);
      image.style.display = on && has[name] ? "block" : "none";
      image.style.opacity = kept.opacity / 100;
    }
    root.querySelectorAll('input[type="radio"]').forEach((radio) => {
      radio.checked = radio.value === kept.layer;
      radio.disabled = radio.value !== "none" && !has[radio.value];
    });
    slider.value = kept.opacity;
    slider.disabled = kept.layer === "none";
    find("percent").textContent = `${kept.opacity} %`;
    find("key-mask").style.display = kept.layer === "overlay" ? "" : "none";
    find("key-probability").style.display = kept.layer === "probability" ? "" : "none";
    sheet.style.transform = `translate(${kept.x}px, ${kept.y}px) scale(${kept.scale})`;
    sheet.classList.toggle("near", kept.scale * stage.clientWidth > data.width * 2);
    find("zoom").textContent = `${kept.scale.toFixed(1)} ×`;
  };
  const zoom = (factor, cx, cy) => {
    const scale = Math.min(40, Math.max(1, kept.scale * factor));
    const real = scale / kept.scale;
    kept.x = Math.min(0, Math.max(stage.clientWidth * (1 - scale), cx - (cx - kept.x) * real));
    kept.y = Math.min(0, Math.max(stage.clientHeight * (1 - scale), cy - (cy - kept.y) * real));
    kept.scale = scale;
    draw();
  };
  const middle = (factor) => zoom(factor, stage.clientWidth / 2, stage.clientHeight / 2);

  slider.oninput = () => { kept.opacity = Number(slider.value); draw(); };
  root.querySelectorAll('input[type="radio"]').forEach((radio) => {
    radio.onchange = () => { kept.layer = radio.value; draw(); };
  });
  find("in").onclick = () => middle(1.6);
  find("out").onclick = () => middle(1 / 1.6);
  find("fit").onclick = () => { Object.assign(kept, { scale: 1, x: 0, y: 0 }); draw(); };
  stage.onwheel = (event) => {
    if (!event.ctrlKey && kept.scale === 1 && event.deltaY > 0) return; // let the page scroll
    event.preventDefault();
    const box = stage.getBoundingClientRect();
    zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, event.clientX - box.left, event.clientY - box.top);
  };
  stage.onpointerdown = (event) => {
    stage.setPointerCapture(event.pointerId);
    let [px, py] = [event.clientX, event.clientY];
    stage.onpointermove = (move) => {
      kept.x = Math.min(0, Math.max(stage.clientWidth * (1 - kept.scale), kept.x + move.clientX - px));
      kept.y = Math.min(0, Math.max(stage.clientHeight * (1 - kept.scale), kept.y + move.clientY - py));
      [px, py] = [move.clientX, move.clientY];
      draw();
    };
    stage.onpointerup = stage.onpointercancel = () => { stage.onpointermove = null; };
  };
  draw();
}
