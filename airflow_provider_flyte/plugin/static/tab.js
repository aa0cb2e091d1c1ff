// The tab "Flyte" of a task instance. Whatever Flyte says is put on the page as text, by textContent and nothing else.

const SHORTEST = 2_000, LONGEST = 20_000, IN_TROUBLE = 60_000; // milliseconds between two requests
const SVG = "http://www.w3.org/2000/svg";
const KINDS = {
  SUCCEEDED: "good", RECOVERED: "good", FAILED: "bad", ABORTED: "bad", TIMED_OUT: "bad", RUNNING: "going",
  QUEUED: "waiting", WAITING_FOR_RESOURCES: "waiting", INITIALIZING: "waiting", PAUSED: "waiting",
};

const at = (id) => document.getElementById(id);

// Not URLSearchParams: Airflow 3.1 puts the ids in as they are, and the + of a run's id would become a space.
const TASK = /^\?dag_id=(.*?)&run_id=(.*?)&task_id=(.*?)&map_index=(.*)$/;
const decoded = (text) => { try { return decodeURIComponent(text); } catch { return text; } };
const [dagId, runId, taskId, mapIndex] = (TASK.exec(location.search) ?? []).slice(1).map(decoded);

let chosen = 0, timer, pause = SHORTEST, before = "";

function address(path, more = {}) {
  // {MAP_INDEX} stays as it is where nothing is mapped.
  const index = /^\d+$/.test(mapIndex) ? mapIndex : "-1";
  const query = new URLSearchParams({ dag_id: dagId, run_id: runId, task_id: taskId, map_index: index, ...more });
  return new URL(`${path}?${query}`, document.baseURI);
}

async function look() {
  clearTimeout(timer);
  if (document.hidden) return; // Nobody looks: visibilitychange asks again.
  const asked = chosen;
  let next = null;
  try {
    const answer = await fetch(address("api/run", { run: asked }), { headers: { Accept: "application/json" } });
    const told = await answer.json().catch(() => ({}));
    if (asked !== chosen) return;
    if (answer.ok) next = show(told);
    else refuse(answer.status, told.detail);
    if (!answer.ok && answer.status >= 500) next = IN_TROUBLE;
  } catch {
    say("Airflow's API server does not answer. The page asks again by itself.");
    next = IN_TROUBLE;
  }
  if (next !== null) timer = setTimeout(look, next);
}

function refuse(status, detail) {
  at("run").hidden = true;
  if (status === 401) say("You are not signed in to Airflow any more. Load the page again.");
  else if (status === 403) say("You may not read this task instance.");
  else say(typeof detail === "string" ? detail : `Airflow answered with ${status}.`);
}

function say(text) {
  if (at("message").textContent !== text) at("message").textContent = text;
  at("message").hidden = !text;
}

// Shows an answer, and returns in how many milliseconds to ask again; null: never.
function show(told) {
  const text = JSON.stringify(told);
  pause = text === before ? Math.min(pause * 1.5, LONGEST) : SHORTEST;
  before = text;
  if (!told.runs.length) {
    at("run").hidden = true;
    say(told.trouble || "This task instance has no Flyte run, or none yet. Tasks that launch Flyte runs or wait for them show them here.");
    return told.over ? null : LONGEST;
  }
  at("run").hidden = false;
  if (at("name").textContent !== told.name) forget(); // A retry has another run.
  at("name").textContent = told.name;
  at("where").textContent = `${told.project}, ${told.domain}`;
  at("try").textContent = told.try_number;
  link(told.url);
  several(told);
  const run = told.run;
  if (!run) {
    say(told.trouble);
    if (!at("phase").textContent) phase(at("phase"), "unknown");
    return IN_TROUBLE / 6;
  }
  say(told.trouble);
  phase(at("phase"), run.phase);
  at("task").textContent = run.task || "not known";
  at("started").textContent = time(run.started);
  at("ended").textContent = run.over ? time(run.ended) : "not yet";
  at("duration").textContent = duration(run.started, run.over ? run.ended : new Date().toISOString());
  at("failure").hidden = !run.error && !run.error_hidden;
  at("kind").textContent = run.error ? run.error.kind : "";
  fill(at("error"), run.error ? run.error.message || "Flyte gives no message." : "Only those who may read this task's log may read it.");
  attempts(run);
  at("abort").hidden = !told.abortable;
  at("log-part").hidden = !told.logs;
  at("failed-part").hidden = !told.logs;
  more("log", fillLog);
  more("failed", fillFailed);
  at("values-part").hidden = !told.values;
  more("values", fillValues);
  return run.over && told.over ? null : run.over ? LONGEST : pause;
}

// Parts that cost Flyte a call of their own are asked for while they are open.
async function more(name, fillIn) {
  if (!at(`${name}-part`).open || at(`${name}-part`).hidden) return;
  const asked = chosen;
  let told;
  try {
    const answer = await fetch(address(`api/${name}`, { run: asked }), { headers: { Accept: "application/json" } });
    told = answer.ok ? await answer.json() : null;
  } catch {
    told = null;
  }
  if (asked !== chosen) return;
  if (told) fillIn(told);
  else fill(at(`${name}-message`), "Airflow does not tell it. The page asks again by itself.");
}

function forget() {
  for (const name of ["log", "failed", "inputs", "outputs"]) at(name).replaceChildren();
  for (const name of ["log", "failed", "values"]) fill(at(`${name}-message`), "");
  delete at("failed").dataset.shown;
}

function fillLog(told) {
  const log = at("log"), text = told.lines.join("\n");
  const atEnd = log.hidden || log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
  const which = told.lines.length ? `The last ${told.lines.length} lines of attempt ${told.attempt}.` : "No lines.";
  fill(at("log-message"), `${which} ${told.trouble}`.trim());
  log.hidden = !text;
  fill(log, text);
  if (atEnd) log.scrollTop = log.scrollHeight;
}

function fillValues(told) {
  fill(at("values-message"), told.trouble);
  fill(at("inputs"), told.inputs || "none");
  fill(at("outputs"), told.outputs || "none");
}

function fillFailed(told) {
  const others = told.more ? `, and ${told.more} more` : "";
  fill(at("failed-message"), told.trouble || (told.actions.length ? `${told.actions.length} that failed first${others}.` : "None."));
  const text = JSON.stringify(told.actions);
  if (at("failed").dataset.shown === text) return;
  at("failed").dataset.shown = text;
  at("failed").replaceChildren(...told.actions.map((action) => {
    const item = document.createElement("li");
    item.textContent = action.task ? `${action.name} (${action.task}): ${action.why}` : `${action.name}: ${action.why}`;
    return item;
  }));
}

function askToAbort() {
  fill(at("abort-name"), at("name").textContent);
  fill(at("abort-message"), "");
  at("abort-yes").disabled = false;
  at("abort-dialog").showModal();
}

async function abort() {
  const reason = at("abort-reason").value.trim();
  if (!reason) {
    fill(at("abort-message"), "Give a reason in a few words.");
    at("abort-reason").focus();
    return;
  }
  at("abort-yes").disabled = true;
  let said;
  try {
    const answer = await fetch(address("api/abort", { run: chosen }), {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Flyte-Tab": "abort" },
      body: JSON.stringify({ name: at("abort-name").textContent, reason }),
    });
    const told = await answer.json().catch(() => ({}));
    said = answer.ok ? told.said : typeof told.detail === "string" ? told.detail : `Airflow answered with ${answer.status}.`;
  } catch {
    said = "Airflow's API server does not answer. Whether the run is aborted is not known: look at its phase.";
  }
  fill(at("abort-message"), said);
  before = "";
  look();
}

function fill(element, text) {
  // Unchanged text keeps its scroll position and selection.
  if (element.textContent !== text) element.textContent = text;
}

function phase(element, name) {
  element.textContent = name;
  element.className = `phase ${KINDS[name] ?? "other"}`;
}

function link(url) {
  const usable = /^https?:\/\//.test(url);
  at("console").hidden = !usable;
  if (usable) at("console").href = url;
}

function several(told) {
  at("several").hidden = told.runs.length < 2;
  at("total").textContent = told.total > told.runs.length ? `the first ${told.runs.length} of ${told.total}` : `of ${told.total}`;
  const select = at("chosen");
  if (select.options.length === told.runs.length && told.runs.every((name, i) => select.options[i].text === name)) return;
  select.replaceChildren(...told.runs.map((name, i) => new Option(name, i, false, i === chosen)));
}

function attempts(run) {
  at("attempts-part").hidden = !run.attempts.length;
  at("left-out").hidden = !run.attempts_left_out;
  at("left-out").textContent = `The first ${run.attempts_left_out} attempts are left out.`;
  const text = JSON.stringify(run.attempts);
  if (at("attempts").dataset.shown === text && run.over) return;
  at("attempts").dataset.shown = text;
  at("attempts").replaceChildren(...run.attempts.map(attempt));
}

function attempt(one) {
  const item = document.createElement("li");
  const title = document.createElement("strong");
  title.textContent = `Attempt ${one.number} `;
  const state = document.createElement("span");
  phase(state, one.phase);
  const phases = document.createElement("div");
  phases.className = "phases";
  phases.textContent = one.phases.map((each) => `${each.phase} ${duration(each.started, each.ended)}`.trim()).join(", ");
  item.append(title, state, bars(one.phases), phases);
  return item;
}

// Phases side by side, as long as they took. The same stands in words below.
function bars(phases) {
  const known = phases.filter((each) => each.started).map((each) => ({
    kind: KINDS[each.phase] ?? "other", from: Date.parse(each.started), to: each.ended ? Date.parse(each.ended) : null,
  }));
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "bars");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("viewBox", "0 0 1000 10");
  const begin = Math.min(...known.map((each) => each.from));
  const last = known.at(-1);
  if (last && last.to === null && last.kind !== "good" && last.kind !== "bad") last.to = Date.now();
  const end = Math.max(...known.map((each) => each.to ?? each.from));
  for (const each of known) {
    const x = (each.from - begin) / (end - begin || 1) * 1000;
    const bar = document.createElementNS(SVG, "rect");
    bar.setAttribute("class", each.kind);
    bar.setAttribute("x", x);
    bar.setAttribute("width", Math.max(3, ((each.to ?? each.from) - each.from) / (end - begin || 1) * 1000));
    bar.setAttribute("height", 10);
    svg.append(bar);
  }
  return svg;
}

const time = (text) => text ? new Date(text).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" }) : "not known";

function duration(from, to) {
  if (!from || !to) return "";
  const seconds = Math.max(0, Date.parse(to) - Date.parse(from)) / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60);
  return hours ? `${hours} h ${minutes % 60} min` : `${minutes} min ${Math.floor(seconds % 60)} s`;
}

async function copy() {
  const name = at("name").textContent;
  let done = true;
  try {
    await navigator.clipboard.writeText(name);
  } catch {
    // Without TLS a browser has no clipboard for scripts; a selection can be copied by hand.
    getSelection().selectAllChildren(at("name"));
    done = document.execCommand("copy");
  }
  at("copy").textContent = done ? "Copied" : "Press Ctrl+C";
  setTimeout(() => { at("copy").textContent = "Copy name"; }, 2_000);
}

function open(event) {
  // Airflow's frame lets the page open no window; Airflow's own page may.
  if (parent === window) return;
  event.preventDefault();
  parent.open(at("console").href, "_blank", "noopener,noreferrer");
}

function theme() {
  let dark = matchMedia("(prefers-color-scheme: dark)").matches;
  try {
    const airflow = parent === window ? null : parent.document.documentElement;
    if (airflow) dark = airflow.classList.contains("dark");
  } catch { /* A page of somebody else's: the system's choice. */ }
  document.documentElement.classList.toggle("dark", dark);
}

theme();
try {
  if (parent !== window) new MutationObserver(theme).observe(parent.document.documentElement, { attributeFilter: ["class"] });
} catch { /* As above. */ }
at("copy").addEventListener("click", copy);
at("abort").addEventListener("click", askToAbort);
at("abort-yes").addEventListener("click", abort);
at("abort-no").addEventListener("click", () => at("abort-dialog").close());
for (const name of ["log-part", "failed-part", "values-part"]) at(name).addEventListener("toggle", () => { if (at(name).open) look(); });
at("console").addEventListener("click", open);
at("chosen").addEventListener("change", (event) => { chosen = Number(event.target.value); before = ""; forget(); look(); });
document.addEventListener("visibilitychange", look);
if (dagId === undefined) say("Open this page as a tab of a task instance in Airflow.");
else look();
