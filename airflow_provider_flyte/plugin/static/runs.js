// The tabs "Flyte" of a DAG run and of a DAG: the runs of their tasks.

import { IN_TROUBLE, LONGEST, Pace, ask, at, bars, duration, fill, follow, leave, link, make, open, phase, placed, refusal, say, time } from "./page.js";

const ofDagRun = placed("dag_id", "run_id"), [dagId] = placed("dag_id"), isDagRun = ofDagRun.length > 0;
const where = isDagRun ? { dag_id: ofDagRun[0], run_id: ofDagRun[1] } : { dag_id: dagId };
const pace = new Pace(), shown = new Map(), pages = [0]; // where each page began, the one that is shown last
let look = () => {};

async function refresh() {
  const first = pages.at(-1), answer = await ask("api/runs", { ...where, first });
  if (answer.stale || first !== pages.at(-1)) return null;
  if (answer.ok) return show(answer.told);
  if (answer.status) at("list").hidden = true;
  say(refusal(answer, isDagRun ? "You may not read the task instances of this DAG run." : "You may not read the task instances of this DAG."));
  return answer.status >= 500 || answer.status === 0 ? IN_TROUBLE : null;
}

// Shows an answer, and returns in how many milliseconds to ask again; null: never.
function show(told) {
  const pause = pace.after(told), none = !told.rows.length && pages.length === 1;
  at("list").hidden = none;
  say(none ? noRuns(told) : told.troubles.join(" "));
  fill(at("summary"), summary(told.rows));
  const span = spans(told.rows), keys = told.rows.map((row) => JSON.stringify([row.run_id, row.task_id, row.map_index, row.name]));
  const rows = keys.map((key) => shown.get(key) ?? shown.set(key, newRow()).get(key));
  told.rows.forEach((row, i) => update(rows[i], row, span(row)));
  for (const key of [...shown.keys()]) if (!keys.includes(key)) shown.delete(key);
  // What stays where it is keeps the keyboard's focus.
  if (rows.some((row, i) => at("rows").children[i] !== row.line) || at("rows").children.length !== rows.length) {
    at("rows").replaceChildren(...rows.map((row) => row.line));
  }
  at("newer").hidden = pages.length === 1;
  at("earlier").hidden = told.following === null;
  at("earlier").value = told.following;
  fill(at("which"), isDagRun ? "" : `Of the ${told.dag_runs} DAG runs that were queued last. The runs of others are in the tabs of their DAG runs.`);
  if (told.over) return null;
  return told.troubles.length ? IN_TROUBLE / 6 : told.rows.every((row) => row.over) ? LONGEST : pause;
}

const noRuns = (told) => isDagRun ? "No task of this DAG run has a Flyte run, or none yet."
  : `No task of the ${told.dag_runs} DAG runs that were queued last has a Flyte run, or none yet.`;

const called = (row) => row.phase ?? (row.missing ? "not in Flyte" : "unknown");

function summary(rows) {
  const counts = new Map();
  for (const row of rows) counts.set(called(row), (counts.get(called(row)) ?? 0) + 1);
  return `On this page: ${[...counts].map(([name, count]) => `${count} ${name}`).join(", ") || "none"}.`;
}

// From when to when a run's bar could reach: in a DAG run all have one clock; runs of a DAG are days apart, and begin at the left.
function spans(rows) {
  const now = Date.now(), known = rows.filter((row) => row.started).map((row) => ({
    from: Date.parse(row.started), to: row.ended ? Date.parse(row.ended) : row.done ? Date.parse(row.started) : now,
  }));
  if (isDagRun) {
    const all = { begin: Math.min(...known.map((each) => each.from)), end: Math.max(...known.map((each) => each.to)) };
    return () => all;
  }
  const longest = Math.max(...known.map((each) => each.to - each.from));
  return (row) => ({ begin: Date.parse(row.started), end: Date.parse(row.started) + longest });
}

function newRow() {
  const row = {
    phase: make("span"), name: make("a", { target: "_blank", rel: "noopener noreferrer", title: "Open in Flyte console" }), plain: make("span"),
    more: make("div", { className: "faint" }), task: make("a"), state: make("div", { className: "faint" }), dagRun: make("div", { className: "faint" }), started: make("td"),
    took: make("div"), bar: make("div"),
  };
  row.name.addEventListener("click", open);
  row.task.addEventListener("click", leave);
  row.line = make("tr", {}, make("td", {}, row.phase),
    make("th", { scope: "row" }, make("code", {}, row.name, row.plain), row.more),
    make("td", {}, row.task, row.state, row.dagRun), row.started, make("td", { className: "took" }, row.took, row.bar));
  return row;
}

function update(line, row, span) {
  phase(line.phase, called(row));
  link(line.name, row.url);
  fill(line.name, row.name);
  fill(line.plain, line.name.hidden ? row.name : "");
  const about = row.name ? [row.task, `${row.project}, ${row.domain}`] : [row.trouble];
  if (row.left_out > 0) about.push(`and ${row.left_out} more of this task`);
  fill(line.more, about.filter(Boolean).join(" \u00b7 "));
  line.task.href = page(row);
  fill(line.task, row.map_index < 0 ? row.task_id : `${row.task_id} [${row.map_index}]`);
  fill(line.state, [row.state || "no state", row.try_number === null ? "" : `try ${row.try_number}`].filter(Boolean).join(", "));
  line.dagRun.hidden = isDagRun;
  fill(line.dagRun, row.run_id);
  fill(line.started, row.started ? time(row.started) : "");
  fill(line.took, duration(row.started, row.done ? row.ended : new Date().toISOString()));
  line.bar.replaceChildren(...(row.started ? [bars([{ phase: row.phase, started: row.started, ended: row.ended }], span)] : []));
}

// The task instance's page in Airflow, at its tab "Flyte".
function page(row) {
  const mapped = row.map_index < 0 ? "" : `/mapped/${row.map_index}`;
  const [dag, run, task] = [where.dag_id, row.run_id, row.task_id].map(encodeURIComponent);
  return new URL(`../dags/${dag}/runs/${run}/tasks/${task}${mapped}/plugin/flyte`, document.baseURI).href;
}

function turn() {
  pace.reset();
  look();
}

at("earlier").addEventListener("click", () => { pages.push(Number(at("earlier").value)); turn(); });
at("newer").addEventListener("click", () => { pages.pop(); turn(); });
if (where.dag_id === undefined) say("Open this page as a tab of a DAG or of a DAG run in Airflow.");
else look = follow(refresh);
