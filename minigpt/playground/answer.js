// An answer as it is seen: its text or its tokens, how it came to be, and what can be done with it.

import { figures } from "./ask.js";
import { copyButton } from "./clipboard.js";
import { el, fill, iconButton } from "./dom.js";
import { tokenView } from "./inspector.js";
import { renderMarkdown } from "./markdown.js";
import { percent } from "./tokens.js";

const ENDS = {
  stopped: "stopped",
  broken: "broken off",
  length: "cut off at “max tokens” of the settings",
};

// Make the view of an assistant's node: {element, update()}. `model` is what /v1/models says of it,
// or undefined where it is no longer there. `does` holds what the buttons do: again(), leaf(by),
// continueFrom(i, alternative), showTokens(whether), keepToken(i), and edit(), which is false where
// the question cannot be edited. {place, of}: among the answers beside it.
// `lesson`: whether to say what a base model does, of the first answer that one gave.
// {open, at}: whether its tokens are shown, and the place of the one looked at.
export function answerView(node, model, { api, announce, place, of, lesson, open, at, does }) {
  const body = el("div", { class: open ? "body" : "body markdown" });
  const problem = el("div");
  const about = el("p", { class: "about small soft number" });
  let tokens = null; // the token view, while it is open

  const copy = copyButton("Copy answer", () => node.content, announce);
  const again = iconButton("again", "Answer again", does.again, { "data-key": "again" });
  const lid = el(
    "button",
    {
      type: "button",
      class: "quiet",
      "data-key": "tokens",
      "aria-pressed": String(open),
      onclick: () => showTokens(!open),
    },
    "Show tokens",
  );
  const tools = el("div", { class: "tools" }, leaves(place, of, does.leaf), copy, again, lid);

  function showTokens(whether) {
    open = whether;
    does.showTokens(open);
    lid.setAttribute("aria-pressed", open);
    tokens = null;
    fill(body);
    body.className = open ? "body" : "body markdown";
    update();
    if (open) element.scrollIntoView({ block: "nearest" });
  }

  function update() {
    const writing = !node.finish;
    body.setAttribute("aria-busy", writing);
    element.classList.toggle("writing", writing);
    const nothing = !writing && isNothing(node);
    copy.hidden = lid.hidden = nothing;
    if (nothing) fill(body);
    else if (open) drawTokens();
    else if (node.prompt != null) drawContinuation();
    else renderMarkdown(body, node.content);
    if (!writing && !node.content.trim() && !node.problem && (nothing || !open)) {
      fill(body, el("p", { class: "soft" }, "(It ended at once, without a word.)"));
    }
    fill(problem, node.problem && complaint(node.problem, does));
    fill(about, node.note && el("span", {}, node.note), summary(node));
  }

  // What a base model wrote begins where its prompt ends.
  function drawContinuation() {
    fill(
      body,
      el("p", { class: "plain" }, el("span", { class: "soft" }, node.prompt), node.content),
    );
  }

  function drawTokens() {
    if (!node.tokens?.length) {
      tokens = null;
      const reason = node.finish
        ? "Nothing is known of this answer's tokens: it was imported, or room had to be made."
        : "The first token is on its way.";
      fill(body, el("p", { class: "soft" }, reason), el("p", { class: "plain" }, node.content));
    } else if (tokens) tokens.update();
    else {
      // a branch begins where the model can be given all that came before
      const onContinue = model && node.promptIds ? does.continueFrom : null;
      tokens = tokenView(node, { api, onContinue, onKeep: does.keepToken, at });
      fill(body, tokens.element);
    }
  }

  const element = el(
    "div",
    { class: "answer" },
    lesson && baseModelNote(node.model),
    body,
    problem,
    about,
    tools,
  );
  update();
  return { element, update };
}

// The answers beside each other are leafed through: ‹ 2/3 ›. A button that leads nowhere stays,
// or the focus on it would be lost.
export function leaves(place, of, leaf) {
  if (of < 2) return null;
  const button = (icon, name, by, possible) =>
    iconButton(icon, name, () => possible && leaf(by), {
      "aria-disabled": !possible && "true",
      "data-key": name,
    });
  return el(
    "span",
    { class: "leaves", role: "group", "aria-label": "Versions" },
    button("before", "Earlier version", -1, place > 0),
    el("span", { class: "number small" }, `${place + 1}/${of}`),
    button("after", "Later version", 1, place < of - 1),
  );
}

function baseModelNote(name) {
  return el(
    "p",
    { class: "lesson small" },
    el("b", {}, name),
    " is a base model. It has learned to go on with a text, not to answer one: ",
    "it took your message for the beginning of a page, and wrote on.",
  );
}

function complaint({ message, retryable, refused }, { again, edit }) {
  const button = (name, onclick) =>
    el("button", { type: "button", onclick, "data-key": "retry" }, name);
  return el(
    "div",
    { class: "problem" },
    el("span", {}, message),
    refused ? edit && button("Edit", edit) : button(retryable ? "Try again" : "Ask again", again),
  );
}

// Whether nothing came of what was asked.
const isNothing = (node) => !node.content && !node.tokens?.length;

// One line; if it did not end by itself, how it did comes first:
// stopped · 42 tokens · on average 41 % sure · 88 tokens/s · done after 0.11 s
// How sure it was is the geometric mean of the tokens' probabilities, 2 ** -(mean surprise).
function summary(node) {
  const { n, meanSurprise, perSecond } = figures(node);
  const ended = !(node.problem && isNothing(node)) && ENDS[node.finish];
  const parts = [
    ended && el("b", {}, ended),
    n > 0 && `${n} token${n === 1 ? "" : "s"}`,
    n > 0 && `on average ${percent(2 ** -meanSurprise)} sure`,
    perSecond > 0 && `${perSecond.toFixed(0)} tokens/s`,
    node.firstMs > 0 && `first token after ${seconds(node.firstMs)}`,
    node.ms > 0 && `done after ${seconds(node.ms)}`,
  ].filter(Boolean);
  // a line is broken behind a dot, never within a figure
  const dot = (i) => i < parts.length - 1 && " ·";
  return parts.map((part, i) => [el("span", { class: "figure" }, part, dot(i)), " "]);
}

const seconds = (ms) => `${(ms / 1000).toFixed(ms < 995 ? 2 : 1)} s`;
