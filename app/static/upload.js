/* Sends files piece by piece and goes on where a lost connection or a full disk stopped it. */
export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".upload");
  const find = (name) => root.querySelector(`[data-part="${name}"]`);
  const bar = find("progress");
  const state = find("state");
  const resume = find("resume");
  // A rerun of the page calls this again: the transfer that runs must not notice.
  const job = root.job && root.job.token === data.token ? root.job : { token: data.token, files: [], running: false };
  root.job = job;

  const size = (n) => (n < 1e6 ? `${(n / 1e3).toFixed(0)} kB` : n < 1e9 ? `${(n / 1e6).toFixed(1)} MB` : `${(n / 1e9).toFixed(2)} GB`);
  const say = (text, bad = false) => {
    state.textContent = text;
    state.classList.toggle("bad", bad);
  };
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const total = () => job.files.reduce((sum, file) => sum + file.size, 0);
  const report = () => {
    const sent = job.files.reduce((sum, file) => sum + file.sent, 0);
    const ready = job.files.filter((file) => file.done).length;
    bar.classList.remove("hidden");
    bar.max = Math.max(1, total());
    bar.value = sent;
    const rate = job.moved / Math.max(0.5, (performance.now() - job.since) / 1000);
    const left = rate > 0 && sent < total() ? `, ${Math.ceil((total() - sent) / rate)} s left` : "";
    say(`${ready} of ${job.files.length} files, ${size(sent)} of ${size(total())}${left}`);
  };

  const known = async () => {
    const answer = await fetch(`/api/uploads/${job.token}`, { credentials: "same-origin" });
    if (!answer.ok) throw new Error("The server does not answer.");
    return (await answer.json()).files;
  };
  const put = async (file) => {
    let lost = 0;
    do {
      const piece = file.blob.slice(file.sent, file.sent + data.chunk_bytes);
      let answer;
      try {
        answer = await fetch(`/api/uploads/${job.token}/${file.number}?size=${file.size}&offset=${file.sent}`, {
          method: "PUT", body: piece, credentials: "same-origin",
          headers: { "X-File-Name": encodeURIComponent(file.path.toWellFormed ? file.path.toWellFormed() : file.path) },
        });
      } catch (problem) {
        lost += 1;
        if (lost > 6) throw new Error("The connection is lost. Check it and press Resume: what has arrived is kept.");
        say("The connection is interrupted, trying again …", true);
        await wait(500 * 2 ** lost);
        continue;
      }
      const said = await answer.json().catch(() => ({}));
      if (answer.status === 409) file.sent = said.received;
      else if (!answer.ok) throw new Error(`${said.error || "The server refused the upload."} ${said.remedy || ""}`);
      else {
        job.moved += said.received - file.sent;
        file.sent = said.received;
        lost = 0;
      }
      report();
    } while (file.sent < file.size || lost);
    file.done = true;
  };
  const run = async () => {
    if (job.running) return;
    job.running = true;
    Object.assign(job, { since: performance.now(), moved: 0 });
    resume.classList.add("hidden");
    try {
      for (const file of job.files) if (!file.done) await put(file);
      report();
      const count = job.files.length;
      say(`${count === 1 ? "The file has" : `All ${count} files have`} arrived (${size(total())}).`);
      setStateValue("uploaded", { token: job.token, files: job.files.length, bytes: total() });
    } catch (problem) {
      say(problem.message, true);
      resume.classList.remove("hidden");
    } finally {
      job.running = false;
    }
  };
  const add = async (chosen) => {
    if (!chosen.length) return;
    if (job.running) {
      say("Wait until the running upload has ended, then add more.", true);
      return;
    }
    let before;
    try {
      before = await known();
    } catch (problem) {
      say("The server does not answer. Reload the page.", true);
      return;
    }
    // The same file chosen again after a reload goes on from where it was.
    const taken = new Set(job.files.map((file) => file.number));
    let next = Math.max(-1, ...before.map((file) => file.number), ...taken) + 1;
    for (const { blob, path } of chosen) {
      const shown = path.split("/").pop();
      const old = before.find((f) => !taken.has(f.number) && f.size === blob.size && f.name.split("/").pop() === shown);
      const number = old ? old.number : next++;
      taken.add(number);
      job.files.push({ blob, path, number, size: blob.size, sent: old ? old.received : 0, done: Boolean(old) && old.received === blob.size });
    }
    setStateValue("uploaded", null);
    await run();
  };
  const walk = async (entry, found, prefix = "") => {
    if (entry.isFile) found.push({ blob: await new Promise((done, no) => entry.file(done, no)), path: prefix + entry.name });
    else {
      const reader = entry.createReader();
      for (;;) {
        const some = await new Promise((done, no) => reader.readEntries(done, no));
        if (!some.length) break;
        for (const child of some) await walk(child, found, `${prefix}${entry.name}/`);
      }
    }
  };

  const drop = find("drop");
  root.querySelectorAll('input[type="file"]').forEach((input) => {
    input.onchange = () => {
      const chosen = [...input.files].map((blob) => ({ blob, path: blob.webkitRelativePath || blob.name }));
      input.value = "";
      add(chosen);
    };
  });
  drop.ondragover = (event) => { event.preventDefault(); drop.classList.add("over"); };
  drop.ondragleave = () => drop.classList.remove("over");
  drop.ondrop = async (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry && item.webkitGetAsEntry()).filter(Boolean);
    const found = [];
    for (const entry of entries) await walk(entry, found);
    add(found);
  };
  resume.onclick = run;
  if (!job.files.length && data.arrived) say(data.arrived);
}
