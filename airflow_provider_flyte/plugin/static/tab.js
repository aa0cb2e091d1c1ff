// The tab "Flyte" of a task instance.

import { IN_TROUBLE, LONGEST, Pace, ask, at, bars, duration, fill, follow, link, make, open, phase, placed, refusal, say, time } from "./page.js";
import { Conditions } from "./conditions.js";
import { Tree } from "./tree.js";

const [dagId, runId, taskId, mapIndex] = placed("dag_id", "run_id", "task_id", "map_index");
const pace = new Pace();
const NOT_TOLD = "Airflow does not tell it. The page asks again by itself.";
let chosen = 0, ofTry = null, shown = "", over = false, toAbort = "", unfolded = false, look = () => {};

// Which task instance, and which of its runs. {MAP_INDEX} stays as it is where nothing is mapped.
const query = () => ({
  dag_id: dagId, run_id: runId, task_id: taskId, map_index: /^\d+$/.test(mapIndex) ? mapIndex : "-1", run: chosen, ...(ofTry === null ? {} : { try: ofTry }),
});
const choice = () => `${chosen} ${ofTry}`;

async function refresh() {
  const asked = choice(), answer = await ask("api/run", query());
  if (answer.stale || asked !== choice()) return null;
  if (answer.ok) return show(answer.told);
  if (answer.status) at("run").hidden = true;
  say(refusal(answer, "You may not read this task instance."));
  return answer.status >= 500 || answer.status === 0 ? IN_TROUBLE : null;
}

// Shows an answer, and returns in how many milliseconds to ask again; null: never.
function show(told) {
  const pause = pace.after(told);
  if (!told.runs.length) {
    at("run").hidden = true;
    say(told.trouble || "This task instance has no Flyte run, or none yet. Tasks that launch Flyte runs or wait for them show them here.");
    return told.over ? null : LONGEST;
  }
  at("run").hidden = false;
  if (shown !== told.shown) forget(); // A retry has another run.
  shown = told.shown;
  fill(at("name"), told.name);
  fill(at("where"), `${told.project}, ${told.domain}`);
  fill(at("try"), `${told.try_number}`);
  link(at("console"), told.url);
  several(told);
  tries(told);
  say(told.trouble);
  const run = told.run;
  if (!run) {
    if (!at("phase").textContent) phase(at("phase"), "unknown");
    return IN_TROUBLE / 6;
  }
  phase(at("phase"), run.phase);
  fill(at("task"), run.task || "not known");
  fill(at("started"), time(run.started));
  fill(at("ended"), run.over ? time(run.ended) : "not yet");
  fill(at("duration"), duration(run.started, run.over ? run.ended : new Date().toISOString()));
  at("failure").hidden = !run.error && !run.error_hidden;
  fill(at("kind"), run.error ? run.error.kind : "");
  fill(at("error"), run.error ? run.error.message || "Flyte gives no message." : "Only those who may read this task's log may read it.");
  attempts(run);
  at("abort").hidden = !told.abortable;
  conditions(run);
  const may = { actions: true, log: told.logs, failed: told.logs, values: told.values };
  for (const name of Object.keys(PARTS)) {
    at(`${name}-part`).hidden = !may[name];
    if (name === "failed" && !unfolded && ["FAILED", "TIMED_OUT"].includes(run.phase)) {
      // Whoever opens a failed run looks for this. Once: who folds it has seen it.
      unfolded = at("failed-part").open = true;
    }
    more(name);
  }
  return run.over && told.over ? null : run.over ? LONGEST : pause;
}

// -- parts that cost Flyte a call of their own: they are asked for while they are open

const tree = new Tree(at("actions"), () => more("actions"));
const PARTS = { actions: (told) => fill(at("actions-message"), tree.show(told)), log: fillLog, failed: fillFailed, values: fillValues };

async function more(name) {
  if (!at(`${name}-part`).open || at(`${name}-part`).hidden) return;
  const asked = choice(), which = name === "actions" ? tree.levels() : [];
  const answer = await ask(`api/${name}`, [...Object.entries(query()), ...which]);
  if (answer.stale || asked !== choice()) return;
  if (answer.ok) PARTS[name](answer.told);
  else fill(at(`${name}-message`), NOT_TOLD);
}

// -- what it waits for

const waiting = new Conditions(at("conditions"), async (given) => {
  fill(at("conditions-said"), await change("answer", given));
});

async function conditions(run) {
  over = run.over;
  if (over) {
    waiting.forget();
    fill(at("conditions-message"), "");
    at("conditions-part").hidden = !at("conditions-said").textContent;
    return;
  }
  const about = choice(), answer = await ask("api/conditions", query());
  if (answer.stale || over || about !== choice()) return;
  const told = answer.ok ? answer.told : { shown, conditions: [], unread: null, trouble: `What the run waits for is not known: ${NOT_TOLD}` };
  // Another run's than the one above: the next look shows both.
  if (told.shown !== shown) return waiting.forget();
  fill(at("conditions-message"), told.trouble);
  waiting.show(told);
  fill(at("conditions-title"), waiting.empty ? "Conditions" : "Waits for an answer");
  // What was said of the last answer stays.
  at("conditions-part").hidden = waiting.empty && !told.trouble && !at("conditions-said").textContent;
}

function forget() {
  tree.forget();
  waiting.forget();
  for (const name of ["said", "message"]) fill(at(`conditions-${name}`), "");
  at("conditions-part").hidden = true;
  for (const name of ["log", "failed", "inputs", "outputs"]) at(name).replaceChildren();
  for (const name of Object.keys(PARTS)) fill(at(`${name}-message`), "");
  delete at("failed").dataset.shown;
  if (unfolded) unfolded = at("failed-part").open = false;
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
  at("failed").replaceChildren(...told.actions.map((action) =>
    make("li", {}, action.task ? `${action.name} (${action.task}): ${action.why}` : `${action.name}: ${action.why}`)));
}

// -- several runs, attempts

function several(told) {
  at("several").hidden = told.runs.length < 2;
  fill(at("total"), told.total > told.runs.length ? `the first ${told.runs.length} of ${told.total}` : `of ${told.total}`);
  const select = at("chosen");
  if (select.options.length === told.runs.length && told.runs.every((name, i) => select.options[i].text === name)) return;
  select.replaceChildren(...told.runs.map((name, i) => new Option(name, i, false, i === chosen)));
}

function tries(told) {
  at("earlier").hidden = told.tries.length < 2;
  const select = at("of-try");
  if (told.tries.map(String).join() === [...select.options].map((each) => each.value).join()) return;
  // The last one is followed when it becomes another.
  select.replaceChildren(...told.tries.map((number, i) => new Option(i ? number : `${number} (the last)`, number, false, number === told.try_number)));
}

function attempts(run) {
  at("attempts-part").hidden = !run.attempts.length;
  at("left-out").hidden = !run.attempts_left_out;
  fill(at("left-out"), `The first ${run.attempts_left_out} attempts are left out.`);
  const text = JSON.stringify(run.attempts);
  if (at("attempts").dataset.shown === text && run.over) return;
  at("attempts").dataset.shown = text;
  at("attempts").replaceChildren(...run.attempts.map(attempt));
}

function attempt(one) {
  const words = one.phases.map((each) => `${each.phase} ${duration(each.started, each.ended)}`.trim()).join(", ");
  return make("li", {}, make("strong", {}, `Attempt ${one.number} `), phase(make("span"), one.phase), bars(one.phases),
    make("div", { className: "phases" }, words));
}

// -- buttons

function askToAbort() {
  toAbort = shown;
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
  fill(at("abort-message"), await change("abort", { shown: toAbort, reason }));
}

// Changes something in Flyte, and returns what is said of it.
async function change(what, body) {
  const headers = { "Content-Type": "application/json", "X-Flyte-Tab": what };
  const answer = await ask(`api/${what}`, query(), { method: "POST", headers, body: JSON.stringify(body) });
  pace.reset();
  look();
  if (answer.ok) return answer.told.said;
  if (!answer.status) return "Airflow's API server does not answer. Whether it is done is not known: look at the run's phase.";
  return refusal(answer, typeof answer.told.detail === "string" ? answer.told.detail : "You may not do this.");
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
  fill(at("copy"), done ? "Copied" : "Press Ctrl+C");
  setTimeout(() => fill(at("copy"), "Copy name"), 2_000);
}

at("copy").addEventListener("click", copy);
at("abort").addEventListener("click", askToAbort);
at("abort-yes").addEventListener("click", abort);
at("abort-no").addEventListener("click", () => at("abort-dialog").close());
for (const name of Object.keys(PARTS)) at(`${name}-part`).addEventListener("toggle", () => { if (at(`${name}-part`).open) look(); });
at("console").addEventListener("click", open);
function choose(run, number) {
  [chosen, ofTry] = [run, number];
  pace.reset();
  forget();
  look();
}

at("chosen").addEventListener("change", (event) => choose(Number(event.target.value), ofTry));
at("of-try").addEventListener("change", (event) => choose(0, event.target.selectedIndex ? Number(event.target.value) : null));
if (dagId === undefined) say("Open this page as a tab of a task instance in Airflow.");
else look = follow(refresh);
