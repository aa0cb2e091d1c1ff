// What a run waits for: its conditions, each with a form for the answer.

import { make } from "./page.js";

const HINTS = { int: "A whole number", float: "A number", str: "A text" };

export class Conditions {
  #list;
  #answer;
  #items = new Map(); // by all that is shown of each
  #made = 0;

  // list: the element that gets them. answer: sends one.
  constructor(list, answer) {
    this.#list = list;
    this.#answer = answer;
  }

  get empty() {
    return !this.#items.size;
  }

  forget() {
    this.#items.clear();
    this.#list.replaceChildren();
  }

  // Shows those that wait. Each that is unchanged keeps what somebody has typed, also where another one was answered, or
  // where it was not read just now.
  show(told) {
    const before = this.#items, may = told.may_answer, focused = document.activeElement;
    this.#items = new Map(told.conditions.map((each) => {
      const text = JSON.stringify([each, may]);
      return [text, before.get(text) ?? this.#item(each, `condition-${++this.#made}`, may)];
    }));
    for (const [text, item] of before) if (told.unread?.includes(JSON.parse(text)[0].action) ?? true) this.#items.set(text, item);
    if ([...before.keys()].join() === [...this.#items.keys()].join()) return;
    this.#list.replaceChildren(...this.#items.values());
    if (this.#list.contains(focused)) focused.focus(); // What is moved loses it.
  }

  #item(each, id, may) {
    const item = make("li", {}, make("strong", { id }, each.name), make("p", { className: "prompt" }, each.prompt || "It has no prompt."));
    if (each.description) item.append(make("p", { className: "prompt faint" }, each.description));
    if (!each.kind) item.append(make("p", {}, "It asks for a type that no answer can have."));
    else if (!may) item.append(make("p", { className: "faint" }, "Only those who may change this task instance may answer here."));
    else item.append(this.#form(each, id));
    return item;
  }

  #form(each, id) {
    const form = make("div", { className: "head" }), buttons = [];
    const send = async (value) => {
      for (const button of buttons) button.disabled = true;
      await this.#answer({ shown: each.shown, action: each.action, value });
      // One that was not taken may be given again.
      for (const button of buttons) button.disabled = false;
    };
    const add = (label, value) => {
      const button = make("button", { type: "button" }, label);
      button.setAttribute("aria-describedby", id);
      button.addEventListener("click", () => send(value()));
      buttons.push(button);
    };
    if (each.kind === "bool") {
      add("Approve", () => "true");
      add("Reject", () => "false");
    } else {
      const input = each.kind === "str" ? make("textarea", { rows: 2, maxLength: 10_000 }) : make("input", { inputMode: "decimal" });
      form.append(make("label", {}, `${HINTS[each.kind]} `, input));
      add("Send", () => input.value);
    }
    form.append(...buttons);
    return form;
  }
}
