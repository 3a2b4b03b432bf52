/* Two halves with a divider between them: two checkpoints' cracks on one photo, or one place before and after.
   Each img is named like its address in the data; what has the class "cracks" can be hidden. */
export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".slider");
  const stage = root.querySelector(".stage");
  const find = (name) => root.querySelector(`[data-part="${name}"]`);
  const split = find("split");
  const cracks = find("cracks");
  const kept = root.sliderState || { photo: null, split: 50, cracks: true };
  root.sliderState = kept;
  if (kept.photo !== data.photo) Object.assign(kept, { photo: data.photo, scale: 1, x: 0, y: 0 });

  stage.style.aspectRatio = `${data.width} / ${data.height}`;
  for (const image of root.querySelectorAll("img")) {
    const address = data[image.dataset.part];
    if (image.dataset.address !== address) image.src = image.dataset.address = address;
  }
  for (const side of ["first", "second"]) {
    find(`${side}-name`).textContent = find(`${side}-name`).title = data[`${side}_name`];
  }

  const draw = () => {
    find("left").style.clipPath = `inset(0 ${100 - kept.split}% 0 0)`;
    find("right").style.clipPath = `inset(0 0 0 ${kept.split}%)`;
    find("divider").style.left = `${kept.split}%`;
    split.value = kept.split;
    cracks.checked = kept.cracks;
    root.querySelectorAll(".cracks").forEach((part) => { part.style.display = kept.cracks ? "" : "none"; });
    root.querySelectorAll(".sheet").forEach((sheet) => {
      sheet.style.transform = `translate(${kept.x}px, ${kept.y}px) scale(${kept.scale})`;
      sheet.classList.toggle("near", kept.scale * stage.clientWidth > data.width * 2);
    });
    stage.classList.toggle("zoomed", kept.scale > 1);
    find("zoom").textContent = `${kept.scale.toFixed(1)} ×`;
  };
  const within = (value, low, high) => Math.min(high, Math.max(low, value));
  const zoom = (factor, cx, cy) => {
    const scale = within(kept.scale * factor, 1, 40);
    const real = scale / kept.scale;
    kept.x = within(cx - (cx - kept.x) * real, stage.clientWidth * (1 - scale), 0);
    kept.y = within(cy - (cy - kept.y) * real, stage.clientHeight * (1 - scale), 0);
    kept.scale = scale;
    draw();
  };
  const middle = (factor) => zoom(factor, stage.clientWidth / 2, stage.clientHeight / 2);
  const divide = (event) => {
    const box = stage.getBoundingClientRect();
    kept.split = within(((event.clientX - box.left) / box.width) * 100, 0, 100);
    draw();
  };

  split.oninput = () => { kept.split = Number(split.value); draw(); };
  cracks.onchange = () => { kept.cracks = cracks.checked; draw(); };
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
    // A photo that is seen whole has nothing to be dragged: the divider follows the pointer at once.
    const divides = kept.scale === 1 || find("divider").contains(event.target);
    if (divides) divide(event);
    let [px, py] = [event.clientX, event.clientY];
    stage.onpointermove = (move) => {
      if (divides) return divide(move);
      kept.x = within(kept.x + move.clientX - px, stage.clientWidth * (1 - kept.scale), 0);
      kept.y = within(kept.y + move.clientY - py, stage.clientHeight * (1 - kept.scale), 0);
      [px, py] = [move.clientX, move.clientY];
      draw();
    };
    stage.onpointerup = stage.onpointercancel = () => { stage.onpointermove = null; };
  };
  draw();
}
