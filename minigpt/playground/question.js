// A person's message as it is seen, and the form that edits it.

import { leaves } from "./answer.js";
import { copyButton } from "./clipboard.js";
import { isComposing } from "./composer.js";
import { el, fill, iconButton } from "./dom.js";

const LONG = { characters: 1500, lines: 16 }; // what is longer is shown in part

// Make the view of a user's node: {elements, edit()}. {place, of}: among the versions beside it,
// `leaf(by)` goes to another of them; `edited(text)` is called with another text, false where
// nothing may be edited. `whole`: the Set of the nodes of which, if they are long, all is shown.
export function questionView(node, { place, of, announce, leaf, edited, whole }) {
  const box = el("div", { class: "question" });
  const pencil = iconButton("edit", "Edit message", edit, { "data-key": "edit" });

  function show() {
    const text = el("div", { class: "plain" }, node.content);
    fill(box, text, isLong(node.content) && foldButton(text, node, whole));
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

const isLong = (text) =>
  text.length > LONG.characters || text.split("\n").length > LONG.lines;

// Make the button that shows all of a node's text, and a part of it again.
function foldButton(text, node, whole) {
  const button = el("button", { type: "button", class: "link small", "data-key": "fold" });
  const update = () => {
    text.classList.toggle("folded", !whole.has(node));
    button.textContent = whole.has(node) ? "Show less" : "Show all";
    button.setAttribute("aria-expanded", whole.has(node));
  };
  button.addEventListener("click", () => {
    if (!whole.delete(node)) whole.add(node);
    update();
    button.scrollIntoView({ block: "nearest" }); // where it was, it may be no more
  });
  update();
  return button;
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
