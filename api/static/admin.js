// The dashboard: asks for jobs, workers and processes once a second and updates rows in place, so that nothing a reader has
// selected or scrolled to is torn away. Text goes in as text, never as HTML. Addresses are relative: it may be under any prefix.

const POLL_MILLISECONDS = 1000;

const cell = (row, name) => row.querySelector(`[data-cell="${name}"]`);

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function makeRow(columns) {
  const row = document.createElement("tr");
  for (const name of columns) {
    const td = document.createElement("td");
    td.dataset.cell = name;
    row.append(td);
  }
  return row;
}

/** The end of a job's id, which is random: its beginning is the clock, and alike in all jobs of a minute. */
const shortId = (job) => job.id.slice(-8);

/** Make the rows of `body` those of `items`, in order, keeping the rows that are there already. */
function syncRows(body, items, make, fill) {
  const rows = new Map([...body.children].map((row) => [row.dataset.id, row]));
  items.forEach((item, place) => {
    const row = rows.get(item.id) ?? make(item);
    rows.delete(item.id);
    row.dataset.id = item.id;
    fill(row, item);
    if (body.children[place] !== row) body.insertBefore(row, body.children[place] ?? null);
  });
  for (const row of rows.values()) row.remove();
}

function makeJobRow(job) {
  const row = makeRow(["picture", "job", "state", "progress", "psnr", "bytes", "created"]);
  const id = document.createElement("code");
  id.textContent = shortId(job);
  id.title = job.id;
  const size = document.createElement("small");
  const owner = job.owner === "local" ? "" : `${job.owner} `;
  const asked = [job.profile, job.preset ?? (job.quality === null ? null : `quality ${job.quality}`), job.effort];
  size.textContent = ` ${owner}${job.width}×${job.height} ${asked.filter((word) => word !== null).join(" ")}`;
  cell(row, "job").append(id, size);
  const state = document.createElement("span");
  const reason = document.createElement("small");
  reason.className = "reason";
  cell(row, "state").append(state, reason);
  const bar = document.createElement("progress");
  bar.max = 1;
  const share = document.createElement("small");
  cell(row, "progress").append(bar, " ", share);
  for (const name of ["psnr", "bytes", "created"]) cell(row, name).className = "number";
  setText(cell(row, "created"), timeOf(job.created_at));
  return row;
}

function timeOf(text) {
  const when = new Date(text);
  return when.toDateString() === new Date().toDateString() ? when.toLocaleTimeString() : when.toLocaleString();
}

function fillJobRow(row, job) {
  const [state, reason] = cell(row, "state").children;
  setText(state, job.state);
  state.className = `state ${job.state}`;
  setText(reason, job.error ? job.error.message : "");
  const [bar, share] = cell(row, "progress").querySelectorAll("progress, small");
  bar.value = job.progress;
  setText(share, `${job.patches_done}/${job.patches_total} patches`);
  setText(cell(row, "psnr"), job.psnr === null ? "" : `${job.psnr.toFixed(2)} dB`);
  setText(cell(row, "bytes"), job.bytes === null ? "" : job.bytes.toLocaleString());
  if (job.state === "succeeded" && !cell(row, "picture").firstChild) {
    const link = document.createElement("a");
    link.href = `decode/${job.id}.png`;
    const picture = document.createElement("img");
    picture.className = "thumbnail";
    picture.loading = "lazy";
    picture.alt = `regrown picture of job ${shortId(job)}`;
    picture.src = link.href;
    link.append(picture);
    cell(row, "picture").append(link);
  }
}

function fillWorkerRow(row, worker) {
  setText(cell(row, "worker"), worker.id);
  setText(cell(row, "engine"), worker.engine);
  setText(cell(row, "device"), worker.device);
  setText(cell(row, "version"), worker.version);
  const bytes = worker.memory_bytes + (worker.device_memory_bytes ?? 0);
  setText(cell(row, "memory"), `${Math.round(bytes / 2 ** 20).toLocaleString()} MiB`);
  const speed = worker.patch_iterations_per_second;
  setText(cell(row, "speed"), speed === null ? "" : Math.round(speed).toLocaleString());
  setText(cell(row, "current"), worker.refused ?? worker.current ?? "idle");
}

function makeProcessRow() {
  const row = makeRow(["process", "state", "since", "restarts", "exit"]);
  cell(row, "state").append(document.createElement("span"));
  for (const name of ["since", "restarts"]) cell(row, name).className = "number";
  return row;
}

function fillProcessRow(row, process) {
  setText(cell(row, "process"), process.name);
  const state = cell(row, "state").firstChild;
  setText(state, process.state);
  state.className = `state ${process.state}`;
  setText(cell(row, "since"), timeOf(process.since));
  setText(cell(row, "restarts"), String(process.restarts));
  setText(cell(row, "exit"), process.last_exit ?? "");
}

function showProcesses(processes) {
  const rows = processes.map((process) => ({ ...process, id: process.name }));
  syncRows(document.getElementById("processes"), rows, makeProcessRow, fillProcessRow);
  const running = processes.filter((process) => process.state === "running").length;
  setText(document.getElementById("processes-count"), `${running} of ${processes.length} running`);
  document.getElementById("processes-section").hidden = processes.length === 0;
}

async function fetchJson(path) {
  const response = await fetch(path, { headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return response.json();
}

async function refresh() {
  const connection = document.getElementById("connection");
  try {
    const paths = ["jobs", "admin/workers", "admin/processes"];
    const [{ jobs }, { workers }, { processes }] = await Promise.all(paths.map(fetchJson));
    syncRows(document.getElementById("jobs"), jobs, makeJobRow, fillJobRow);
    const columns = ["worker", "engine", "device", "memory", "speed", "version", "current"];
    syncRows(document.getElementById("workers"), workers, () => makeRow(columns), fillWorkerRow);
    showProcesses(processes);
    setText(document.getElementById("jobs-count"), jobs.length ? `newest ${jobs.length}` : "");
    setText(document.getElementById("workers-count"), `${workers.length} alive`);
    document.getElementById("jobs-empty").hidden = jobs.length > 0;
    document.getElementById("workers-empty").hidden = workers.length > 0;
    setText(connection, "live");
    connection.className = "";
  } catch (error) {
    setText(connection, `not live: ${error.message}`);
    connection.className = "lost";
  }
  setTimeout(refresh, POLL_MILLISECONDS);
}

refresh();
