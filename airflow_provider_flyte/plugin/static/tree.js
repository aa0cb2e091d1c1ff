// The child actions of a run: levels that unfold, a page of each at a time. Only what is open is asked for and shown.

import { duration, fill, kind, make, phase } from "./page.js";

const MOST_LEVELS = 20; // as many as one request may ask for
const ROOT = "a0";

export class Tree {
  #levels = new Map(); // by its key, what is open
  #element;
  #ask;

  // `ask` asks anew for `levels()`, and gives the answer to `show`.
  constructor(element, ask) {
    this.#element = element;
    this.#ask = ask;
    this.forget();
  }

  // Back to what is below the run itself, without anything in it.
  forget() {
    this.#levels.clear();
    const top = this.#open(ROOT, "", "Child actions");
    this.#element.replaceChildren(top.element, top.pages);
  }

  // What to ask for, as pairs of a query.
  levels() {
    return [...this.#levels.values()].flatMap((level) => [["parent", level.parent], ["group", level.group], ["first", level.first]]);
  }

  // Shows an answer, and returns what is to be said of it.
  show(told) {
    for (const each of told.levels) {
      const level = this.#levels.get(key(each.parent, each.group));
      if (level) this.#fill(level, each);
    }
    const more = told.left_out ? `, and ${told.left_out} more that are left out here` : "";
    return told.trouble || (told.total ? `${told.total} child actions${more}.` : "None.");
  }

  #open(parent, group, name) {
    const level = { parent, group, first: 0, rows: new Map(), element: make("ul", { className: "level", ariaLabel: name }), pages: make("p", { className: "pages", hidden: true }) };
    const step = (word, by) => {
      const button = make("button", { type: "button" }, word);
      button.addEventListener("click", () => { level.first = Math.max(0, level.first + by * level.step); this.#ask(); });
      return button;
    };
    [level.back, level.which, level.on] = [step("Previous", -1), make("span", { role: "status" }), step("Next", 1)];
    level.pages.append(level.back, " ", level.which, " ", level.on);
    this.#levels.set(key(parent, group), level);
    if (this.#levels.size > MOST_LEVELS) this.#close([...this.#levels.values()][1]);
    return level;
  }

  #close(level) {
    // With what is open inside of it.
    for (const [name, each] of [...this.#levels]) if (each === level || level.element.contains(each.element)) this.#levels.delete(name);
    level.button.setAttribute("aria-expanded", "false");
    level.element.remove();
    level.pages.remove();
  }

  #fill(level, told) {
    if (told.asked !== level.first) return; // Another page is asked for already.
    level.first = told.first;
    level.step = Math.max(1, told.items.length, level.step ?? 0);
    const last = told.first + told.items.length;
    level.pages.hidden = told.total === told.items.length;
    fill(level.which, `${told.first + 1} to ${last} of ${told.total}`);
    level.back.disabled = told.first === 0;
    level.on.disabled = last >= told.total;
    const focused = document.activeElement, rows = new Map();
    for (const item of told.items) {
      const name = item.group === undefined ? `action ${item.name}` : `group ${item.group}`;
      rows.set(name, this.#row(level, item, level.rows.get(name)));
    }
    const before = [...level.rows.keys()].join("\n"), now = [...rows.keys()].join("\n");
    for (const [name, row] of level.rows) if (!rows.has(name) && row.open) this.#close(row.open);
    level.rows = rows;
    if (before === now) return;
    level.element.replaceChildren(...[...rows.values()].map((row) => row.element));
    if (level.element.contains(focused)) focused.focus(); // What is moved loses it.
  }

  // A line for an action or a group; the one that was there before, where there was one.
  #row(level, item, row) {
    const folds = Object.keys(item.below).length > 0, name = item.group ?? item.task ?? "";
    if (!row || row.folds !== folds) {
      if (row?.open) this.#close(row.open);
      row = { folds, head: make(folds ? "button" : "span", { className: folds ? "fold" : "name" }), phase: make("span"), rest: make("span", { className: "phases" }) };
      row.element = make("li", {}, row.head, " ", row.phase, " ", row.rest);
      if (folds) {
        row.head.type = "button";
        row.head.setAttribute("aria-expanded", "false");
        row.head.addEventListener("click", () => this.#fold(level, item, row));
      }
    }
    fill(row.head, item.group === undefined ? [item.task, item.name].filter(Boolean).join(" ") : `${item.group} (group)`);
    if (item.phase) phase(row.phase, item.phase);
    row.phase.hidden = !item.phase;
    const took = duration(item.started, item.ended ?? (over(item) ? null : new Date().toISOString()));
    const below = Object.entries(item.below).map(([each, count]) => `${count} ${each}`).join(", ");
    const attempts = item.attempts > 1 ? `attempt ${item.attempts}` : "";
    fill(row.rest, [took, attempts, below && (item.phase ? `below: ${below}` : below)].filter(Boolean).join("; "));
    return row;
  }

  #fold(level, item, row) {
    const [parent, group] = item.group === undefined ? [item.name, ""] : [level.parent, item.group];
    const open = this.#levels.get(key(parent, group));
    row.open = null;
    if (open) {
      this.#close(open);
      return;
    }
    row.open = Object.assign(this.#open(parent, group, row.head.textContent), { button: row.head });
    row.head.setAttribute("aria-expanded", "true");
    row.element.append(row.open.element, row.open.pages);
    this.#ask();
  }
}

const key = (parent, group) => JSON.stringify([parent, group]);
const over = (item) => item.phase ? ["good", "bad"].includes(kind(item.phase)) : false;
