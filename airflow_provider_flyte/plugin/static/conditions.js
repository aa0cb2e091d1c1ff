// What a run waits for: its conditions, each with a form for the answer.

import { make } from "./page.js";

const HINTS = { int: "A whole number", float: "A number", str: "A text" };

export class Conditions {
  #list;
  #answer;
  #shown = "";

  // list: the element that gets them. answer: sends one.
  constructor(list, answer) {
    this.#list = list;
    this.#answer = answer;
  }

  forget() {
    this.#shown = "";
    this.#list.replaceChildren();
  }

  // Shows those that wait. What is unchanged keeps what somebody has typed.
  show(told) {
    const text = JSON.stringify([told.conditions, told.may_answer]);
    if (text === this.#shown) return;
    this.#shown = text;
    this.#list.replaceChildren(...told.conditions.map((each, i) => this.#item(each, `condition-${i}`, told.may_answer)));
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
      await this.#answer({ action: each.action, value });
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
