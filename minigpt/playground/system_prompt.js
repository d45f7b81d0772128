// The system prompt stands before the conversation; an assistant is trained to heed it. A base
// model gets none, so there it is not offered.

import { el, fill } from "./dom.js";

// Make where it is written: {element, the button that shows it, show(), offer(whether)}.
// `conversation()` gives the conversation it belongs to; `onChange()` is called when it is another
// one.
export function makeSystemPrompt(conversation, onChange) {
  const input = el("textarea", {
    id: "system",
    rows: 2,
    placeholder: "For instance: Answer in one word.",
  });
  const element = el(
    "div",
    { class: "system", hidden: true },
    el("label", { for: "system" }, "System prompt"),
    el(
      "p",
      { class: "soft small" },
      "Said to the model before the conversation. A model this small hardly heeds it.",
    ),
    input,
  );
  let isOpen = false;
  const label = el("span", { class: "values" });
  const button = el(
    "button",
    {
      type: "button",
      class: "quiet",
      "aria-expanded": "false",
      onclick: () => {
        isOpen = !isOpen;
        element.hidden = !isOpen;
        button.setAttribute("aria-expanded", isOpen);
        if (isOpen) input.focus();
      },
    },
    "System",
    label,
  );
  const name = () => fill(label, conversation().system.trim() ? " prompt: on" : " prompt");
  input.addEventListener("change", () => {
    conversation().system = input.value;
    name();
    onChange();
  });
  const show = () => {
    input.value = conversation().system;
    name();
  };
  const offer = (whether) => {
    button.hidden = !whether;
    element.hidden = !whether || !isOpen;
  };
  return { element, button, show, offer };
}
