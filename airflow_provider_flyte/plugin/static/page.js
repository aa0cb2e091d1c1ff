// What the pages share. Whatever comes from Flyte is put on a page as text, by textContent and nothing else.

export const SHORTEST = 2_000, LONGEST = 20_000, IN_TROUBLE = 60_000; // milliseconds between two requests
const SVG = "http://www.w3.org/2000/svg";
const KINDS = {
  SUCCEEDED: "good", RECOVERED: "good", FAILED: "bad", ABORTED: "bad", TIMED_OUT: "bad", RUNNING: "going",
  QUEUED: "waiting", WAITING_FOR_RESOURCES: "waiting", INITIALIZING: "waiting", PAUSED: "waiting",
};

export const kind = (phase) => KINDS[phase] ?? "other";

export const at = (id) => document.getElementById(id);

// An element with properties and children; strings among these become text.
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

export function fill(element, text) {
  // Unchanged text keeps its scroll position and selection.
  if (element.textContent !== text) element.textContent = text;
}

export function say(text) {
  fill(at("message"), text);
  at("message").hidden = !text;
}

// -- what the page is about, and asking for it

const decoded = (text) => { try { return decodeURIComponent(text); } catch { return text; } };

// The ids in the page's address, in this order; nothing where they are not there. Not URLSearchParams: Airflow 3.1
// puts the ids in as they are, and the + of a run's id would become a space.
export function placed(...names) {
  const parts = names.map((name, i) => `${name}=(.*${i < names.length - 1 ? "?" : ""})`);
  return (new RegExp(`^\\?${parts.join("&")}$`).exec(location.search) ?? []).slice(1).map(decoded);
}

let requests = 0;
const newest = new Map(); // by path, the request of the newest answer

// An answer of the API server: its status, 0 where there is none, and what it tells. It is stale where a later request of
// the same path was answered before: what it tells is over.
export async function ask(path, query, request = {}) {
  const mine = ++requests, answer = await answered(path, query, request), last = newest.get(path) ?? 0;
  if (answer.status) newest.set(path, Math.max(mine, last));
  return { ...answer, stale: mine < last };
}

async function answered(path, query, request) {
  const headers = { Accept: "application/json", ...request.headers };
  try {
    const answer = await fetch(new URL(`${path}?${new URLSearchParams(query)}`, document.baseURI), { ...request, headers });
    const told = await answer.json().catch(() => ({}));
    return { ok: answer.ok, status: answer.status, told };
  } catch {
    return { ok: false, status: 0, told: {} };
  }
}

// The words for an answer that is none.
export function refusal({ status, told }, forbidden) {
  if (status === 0) return "Airflow's API server does not answer. The page asks again by itself.";
  if (status === 401) return "You are not signed in to Airflow any more. Load the page again.";
  if (status === 403) return forbidden;
  return typeof told.detail === "string" ? told.detail : `Airflow answered with ${status}.`;
}

// Calls `look` now, and again after as many milliseconds as it returns; null: not again. Not while nobody looks.
// Returns what looks at once.
export function follow(look) {
  let timer, turn = 0;
  async function again() {
    clearTimeout(timer);
    if (document.hidden) return; // visibilitychange asks again.
    const mine = ++turn, next = await look();
    if (mine === turn && next !== null) timer = setTimeout(again, next);
  }
  document.addEventListener("visibilitychange", again);
  again();
  return again;
}

// How long to wait until the next request: longer, the longer nothing has changed.
export class Pace {
  #pause = SHORTEST;
  #before = "";

  after(told) {
    const text = JSON.stringify(told);
    this.#pause = text === this.#before ? Math.min(this.#pause * 1.5, LONGEST) : SHORTEST;
    this.#before = text;
    return this.#pause;
  }

  reset() {
    this.#before = "";
  }
}

// -- phases and times

export function phase(element, name) {
  fill(element, name);
  element.className = `phase ${kind(name)}`;
  return element;
}

export const time = (text) => text ? new Date(text).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" }) : "not known";

export function duration(from, to) {
  if (!from || !to) return "";
  const seconds = Math.max(0, Date.parse(to) - Date.parse(from)) / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60);
  return hours ? `${hours} h ${minutes % 60} min` : `${minutes} min ${Math.floor(seconds % 60)} s`;
}

// Phases side by side, as long as they took. The same has to stand in words beside them.
// span: the times, in milliseconds, at which the bars' ground begins and ends; by default those of the phases.
export function bars(phases, span = {}) {
  const known = phases.filter((each) => each.started).map((each) => ({
    kind: kind(each.phase), from: Date.parse(each.started), to: each.ended ? Date.parse(each.ended) : null,
  }));
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "bars");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("viewBox", "0 0 1000 10");
  const begin = span.begin ?? Math.min(...known.map((each) => each.from));
  const last = known.at(-1);
  if (last && last.to === null && last.kind !== "good" && last.kind !== "bad") last.to = Date.now();
  const end = span.end ?? Math.max(...known.map((each) => each.to ?? each.from));
  for (const each of known) {
    const width = Math.max(3, ((each.to ?? each.from) - each.from) / (end - begin || 1) * 1000);
    const x = Math.min((each.from - begin) / (end - begin || 1) * 1000, 1000 - width);
    const bar = document.createElementNS(SVG, "rect");
    bar.setAttribute("class", each.kind);
    bar.setAttribute("x", x);
    bar.setAttribute("width", width);
    bar.setAttribute("height", 10);
    svg.append(bar);
  }
  return svg;
}

// -- the page in Airflow's frame

// A link to somewhere else, which is not there where it is no web address.
export function link(element, url) {
  const usable = /^https?:\/\//.test(url);
  element.hidden = !usable;
  if (usable) element.href = url;
  return element;
}

// For a click on a link: Airflow's frame lets the page open no window; Airflow's own page may.
export function open(event) {
  if (parent === window) return;
  event.preventDefault();
  parent.open(event.currentTarget.href, "_blank", "noopener,noreferrer");
}

// For a click on a link to another page of Airflow, whose frame lets this page lead Airflow's nowhere: its own link may.
export function leave(event) {
  if (parent === window || event.ctrlKey || event.metaKey || event.shiftKey) return open(event);
  event.preventDefault();
  Object.assign(parent.document.createElement("a"), { href: event.currentTarget.href }).click();
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
