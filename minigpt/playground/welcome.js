// What is seen where nothing was said yet: what can be expected of a model, and what to try.

import { el } from "./dom.js";
import { nameButton } from "./names.js";

// What to try, and what it shows. `known`, `invented`, ... are what playground_suggestions.py found
// in the files the models were made from; where it found none, the line is left out.
const SUGGESTIONS = {
  assistant: ({ known, own, held_out, invented }) => [
    ["What can you do?", "The answer was written for it, to be learned."],
    [known, "It was taught the answer, though not in these words."],
    [own, "One of your own conversations."],
    [invented, "There is no such name: does it say so?"],
    [held_out, "It read of this, but was never taught the answer."],
    ["Why is the sky blue?", "Was there anything of this in its pages?"],
  ],
  base: ({ known, beginning }) => [
    [beginning, "The beginning of a sentence in its pages."],
    ["The first thing to know is", "A beginning that is in no page."],
    [known ?? "What can you do?", "A question; but it answers none."],
  ],
};
const MOST_SUGGESTED = 4;

// Give [text, what it shows] to try with an assistant or a base model.
export function suggested(kind, found) {
  return SUGGESTIONS[kind](found)
    .filter(([text]) => text)
    .slice(0, MOST_SUGGESTED);
}

// Make the list of them; `say(text)` is called for the one that is pressed.
export function suggestionList(suggestions, say) {
  const button = ([text, about]) =>
    el(
      "button",
      { type: "button", "data-key": text, onclick: () => say(text) },
      el("span", {}, text),
      el("span", { class: "soft small" }, about),
    );
  return el(
    "ul",
    { class: "suggestions" },
    suggestions.map((each) => el("li", {}, button(each))),
  );
}

const CANNOT =
  "It cannot reason, calculate or remember what is more than a few sentences back; and it " +
  "invents with confidence.";
const CAN = {
  assistant:
    "It can answer questions about some names in the pages it has read, briefly, and " +
    `sometimes says that it does not know. ${CANNOT}`,
  untaught:
    "It was taught small talk, and nothing of what its text says: that it can only go on with, " +
    `and its base model does so better. ${CANNOT}`,
  unknown: `It answers as the conversations do that it has learned from. ${CANNOT}`,
  base:
    "It has read pages and can go on with a text in their manner. It does not answer, and means " +
    "nothing by what it says.",
};

// Make a row of names to begin with, and a button that shows all that it was taught.
function taughtNames({ taught, begin }, say, showAll) {
  const some = begin.map((name) => taught.find((one) => one.name === name));
  const which = some.length ? "these names are: " : "some names are. ";
  return el(
    "p",
    { class: "taught" },
    el("span", { class: "soft small" }, `It was taught what ${which}`),
    some.map((one) => nameButton(one, say)),
    el(
      "button",
      { type: "button", class: "link small", "data-key": "names", onclick: showAll },
      `all names: ${taught.length.toLocaleString("en")}`,
    ),
  );
}

// Give what is shown for a model of /v1/models; `found` is what the server suggests, `say(text)` is
// called for a suggestion, `showNames()` for all names.
export function welcome({ id, minigpt }, found, say, showNames) {
  const millions = (minigpt.parameters / 1e6).toFixed(1);
  const size = `${millions} million numbers, its parameters, and sees ${minigpt.n_positions} ` +
    "tokens, pieces of words, at a time";
  // the server lists no names where it knows that no facts were taught, and nothing where it knows
  // nothing of the model
  const facts = found.taught?.length === 0 ? "untaught" : found.known ? "assistant" : "unknown";
  const can = CAN[minigpt.assistant ? facts : "base"];
  const suggestions = suggested(minigpt.assistant ? "assistant" : "base", found);
  return [
    el(
      "p",
      { class: "hello" },
      minigpt.assistant
        ? "Talk to a model that was made on this machine"
        : "Begin a text, and watch it go on",
    ),
    el("p", { class: "soft" }, el("b", {}, id), ` has learned ${size}. `, can),
    suggestionList(suggestions, say),
    minigpt.assistant && found.taught?.length > 0 && taughtNames(found, say, showNames),
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
        " (a quarter of an hour). If it runs already, the model appears here when its " +
          "pretraining has begun; the training view shows how far it is.",
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
