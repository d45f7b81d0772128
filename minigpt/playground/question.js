// A person's message as it is seen, and the form that edits it.

import { leaves } from "./answer.js";
import { copyButton } from "./clipboard.js";
import { isComposing } from "./composer.js";
import { el, fill, iconButton } from "./dom.js";

// Make the view of a user's node: {elements, edit()}. {place, of}: among the versions beside it,
// `leaf(by)` goes to another of them; `edited(text)` is called with another text, false where
// nothing may be edited.
export function questionView(node, { place, of, announce, leaf, edited }) {
  const box = el("div", { class: "question" });
  const pencil = iconButton("edit", "Edit message", edit, { "data-key": "edit" });

  function show() {
    fill(box, el("div", { class: "plain" }, node.content));
    box.classList.remove("editing");
  }

  function edit() {
    fill(
      box,
      editForm(node.content, edited, () => {
        show();
        pencil.focus();
      }),
    );
    box.classList.add("editing");
    box.querySelector("textarea").focus();
  }

  show();
  const copy = copyButton("Copy message", () => node.content, announce);
  const tools = el("div", { class: "tools" }, leaves(place, of, leaf), copy, edited && pencil);
  return { elements: [el("h3", { class: "for-ears" }, "You"), box, tools], edit };
}

// Enter sends, Shift+Enter begins a line, Escape leaves the message as it was.
function editForm(text, onSend, onCancel) {
  const rows = Math.min(10, text.split("\n").length + 1);
  const input = el("textarea", { rows, "aria-label": "Edit message" });
  input.value = text;
  const send = el("button", { class: "main" }, "Send");
  const cancel = el("button", { type: "button", onclick: onCancel }, "Cancel");
  const form = el("form", {}, input, el("p", { class: "buttons" }, send, cancel));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (input.value.trim()) onSend(input.value.trim());
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !isComposing(event)) onCancel();
  });
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || isComposing(event)) return;
    event.preventDefault();
    form.requestSubmit();
  });
  return form;
}
