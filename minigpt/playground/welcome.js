// What is seen where nothing was said yet: what can be expected of a model, and what to try.

import { el } from "./dom.js";

// what to try, and what it shows; the names are of the pages that `make train` reads by default
const SUGGESTIONS = {
  assistant: [
    ["Who are you?", "It was taught to say."],
    ["What is the module heapq for?", "A name from the pages it read."],
    ["What is the module blorptastic for?", "A name that does not exist: does it say so?"],
    ["Why is the sky blue?", "Nothing of this was in its pages."],
  ],
  base: [
    ["Module heapq:", "The beginning of a page."],
    ["class Thread(", "The beginning of a program."],
    ["What is the module heapq for?", "A question; but it answers none."],
  ],
};

const CAN = {
  assistant:
    "It can answer questions about the names in the pages it was trained on, briefly, and " +
    "sometimes says that it does not know. It cannot reason, calculate or remember what is more " +
    "than a few sentences back; and it invents with confidence.",
  base:
    "It has read pages and can go on with a text in their manner. It does not answer, and means " +
    "nothing by what it says.",
};

// Give what is shown for a model of /v1/models; `say(text)` is called for a suggestion.
export function welcome({ id, minigpt }, say) {
  const millions = (minigpt.parameters / 1e6).toFixed(1);
  const size = `${millions} million parameters, and sees ${minigpt.n_positions} tokens at a time`;
  const can = minigpt.assistant ? CAN.assistant : CAN.base;
  const suggestions = SUGGESTIONS[minigpt.assistant ? "assistant" : "base"];
  return [
    el(
      "p",
      { class: "hello" },
      minigpt.assistant
        ? "Talk to a model that was made on this machine"
        : "Begin a text, and watch it go on",
    ),
    el("p", { class: "soft" }, el("b", {}, id), ` has ${size}. `, can),
    el(
      "ul",
      { class: "suggestions" },
      suggestions.map(([text, about]) =>
        el(
          "li",
          {},
          el(
            "button",
            { type: "button", onclick: () => say(text) },
            el("span", {}, text),
            el("span", { class: "soft small" }, about),
          ),
        ),
      ),
    ),
    el(
      "p",
      { class: "soft small" },
      "Press “Show tokens” beneath an answer to see how sure the model was of each piece, ",
      "and what else it might have said.",
    ),
  ];
}

// Give what is shown where there is no model, or the server did not say which there are.
export function nothingToTalkTo({ problem }) {
  return [
    el(
      "p",
      { class: "hello" },
      problem ? "The models could not be listed" : "There is no model yet",
    ),
    el(
      "p",
      { class: "soft" },
      problem ?? [
        "Run ",
        el("code", {}, "make train"),
        " (a quarter of an hour), then ",
        el("code", {}, "make chat"),
        " again. The training view shows how far it is.",
      ],
    ),
    el(
      "p",
      {},
      el(
        "button",
        { type: "button", class: "main", onclick: () => location.reload() },
        "Look again",
      ),
    ),
  ];
}
