// What is known of one token: its probability, its rank, and what else could have stood there.

import { el } from "./dom.js";
import { alternatives, ordinal, percent, rank, shownOnALine, surprise } from "./tokens.js";

// What stands above it.
export const hint = () =>
  el(
    "p",
    { class: "soft small hint" },
    "Point at a token, or go through them with the arrow keys: what else could have stood there?",
  );

// What stands beneath the tokens for the one at place i; see tokenView for `onContinue`.
export function detailsOf(node, i, onContinue) {
  const token = node.tokens[i];
  const place = rank(token);
  const known = alternatives(token);
  const rest = 1 - known.reduce((sum, { logprob }) => sum + Math.exp(logprob), 0);
  const fact = (name, value) => el("div", {}, el("dt", {}, name), el("dd", {}, value));
  return [
    el(
      "dl",
      { class: "facts" },
      fact("Token", el("code", {}, shownOnALine(token.bytes))),
      fact("Probability", percent(Math.exp(token.logprob))),
      fact("Surprise", `${surprise(token).toFixed(1)} bits`),
      fact("Rank", rankOf(place, token.top.length)),
      fact("Id", String(token.id)),
    ),
    el(
      "p",
      { class: "small" },
      "What the model found likely here",
      onContinue ? "; choose one, and the answer goes on from there:" : ":",
    ),
    el(
      "ul",
      { class: "alternatives" },
      known.map((other) => alternative(other, node, i, onContinue)),
    ),
    el(
      "p",
      { class: "soft small" },
      rest > 0.00005 ? `All others together: ${percent(rest)}. ` : "",
      "These are the model's own probabilities. ",
      wasChosen(node, i) ? "This one was chosen by you." : aboutDrawing(node),
    ),
  ];
}

// A token that its reader chose, in a branch.
const wasChosen = (node, i) => !!node.chosenAt?.includes(i);

// At temperature 0 nothing is drawn.
function howItCame(node, i) {
  if (wasChosen(node, i)) return "chosen";
  return node.temperature === 0 ? "taken" : "drawn";
}

function rankOf(place, known) {
  if (place === null) return `after the ${known} likeliest`;
  return place === 1 ? "the likeliest" : `${ordinal(place)} likeliest`;
}

function aboutDrawing({ temperature, limited, penalised }) {
  const limits = limited ? " Top-k, top-p or min-p left the unlikeliest out." : "";
  const penalty = penalised ? " A repetition penalty made rarer what was there already." : "";
  if (temperature === 0) return `At temperature 0 the likeliest is always taken.${penalty}`;
  if (temperature === 1) return `At temperature 1 one is drawn with just these.${limits}${penalty}`;
  if (temperature == null) return limits + penalty;
  const effect =
    temperature < 1 ? "likelier, and the unlikely rarer" : "rarer, and the unlikely likelier";
  return (
    `Drawing at temperature ${temperature} makes the likely ${effect} than this.` + limits + penalty
  );
}

function alternative(other, node, i, onContinue) {
  const p = Math.exp(other.logprob);
  const bar = el("span", { class: "bar" }, el("span", { class: "share" }));
  bar.firstElementChild.style.width = `${100 * p}%`;
  const name = el("code", {}, shownOnALine(other.bytes));
  const content = [name, bar, el("span", { class: "number" }, percent(p))];
  if (other.id === node.tokens[i].id) {
    return el("li", { class: "drawn" }, content, el("span", { class: "mark" }, howItCame(node, i)));
  }
  if (!onContinue) return el("li", {}, content);
  return el(
    "li",
    {},
    el(
      "button",
      {
        type: "button",
        "data-key": `alternative-${other.id}`,
        onclick: () => onContinue(i, other),
        "aria-label": `${shownOnALine(other.bytes)}, ${percent(p)}: continue from here with it`,
      },
      content,
    ),
  );
}
