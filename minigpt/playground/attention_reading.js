// One head read in the text: pointing at a token, or the arrow keys, colour the tokens that it looks
// at, and list those it looks at most with their shares.

import { el, fill } from "./dom.js";
import { percent, strongest } from "./attention_measures.js";
import { spoken, write } from "./tokenizer_text.js";

const TOP = 6; // tokens looked at most, in numbers

// Make the elements for the head `state.head` of an answer; `state.at` is the place in the whole text
// of the token that is read, and follows the reader.
export function readHead({ tokens, heads, layer, first: cut }, state) {
  const size = tokens.length;
  const weights = heads[state.head];
  const sentence = el("p");
  const top = el("ol", { class: "looked-at" });
  const told = el("div", { "aria-live": "polite" }, sentence, top);
  const boxes = tokens.map(({ text }) =>
    el("span", { class: "token-box", role: "option", "aria-selected": "false",
      "aria-label": spoken(text) }, write(el("span", {}), text)));
  const list = el("div", { class: "token-boxes", role: "listbox",
    "aria-label": "The text. Arrow keys go from token to token." },
    boxes.map((box, t) => [box, tokens[t].text.includes("\n") && el("span", { class: "break" })]));
  const within = (t) => Math.min(size - 1, Math.max(0, t));

  function look(t) {
    state.at = t + cut;
    const most = Math.max(1, ...weights.subarray(t * size, t * size + t + 1));
    boxes.forEach((box, s) => {
      const weight = s <= t ? weights[t * size + s] : 0;
      box.style.setProperty("--weight", `${Math.round((100 * weight) / most)}%`);
      box.classList.toggle("later", s > t);
      box.setAttribute("aria-selected", String(s === t));
      box.tabIndex = s === t ? 0 : -1;
    });
    const found = strongest(weights, size, t, TOP);
    sentence.textContent = `In head ${state.head + 1} of layer ${layer + 1}, ` +
      `${spoken(tokens[t].text)} looks, to guess what comes after it, at the following ` +
      `(by chance ${percent(1 / (t + 1))} each):`;
    fill(top, found.map(({ at, weight }) => lookedAt(tokens[at].text, weight, t - at)));
  }

  const pointed = (event) => {
    const t = boxes.indexOf(event.target.closest(".token-box"));
    if (t >= 0 && t !== state.at - cut) look(t);
  };
  // not pointerover: that comes, too, when the page is scrolled beneath a pointer that rests
  list.addEventListener("pointermove", pointed);
  list.addEventListener("click", pointed); // a finger need not move
  list.addEventListener("keydown", (event) => {
    const t = state.at - cut;
    const to = { ArrowLeft: t - 1, ArrowRight: t + 1, Home: 0, End: size - 1 }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    look(within(to));
    boxes[within(to)].focus();
  });
  look(within(state.at - cut));
  const note = cut > 0 && el("p", { class: "soft" },
    `The text is long: these are its last ${size} tokens.`);
  return [note, list, told];
}

// A line of the list: a token's text, its share of the attention, and how far back it is.
function lookedAt(text, weight, back) {
  const where = back === 0 ? "itself" : back === 1 ? "the token before" : `${back} tokens before`;
  const amount = el("span", { class: "amount" });
  amount.style.width = `${100 * weight}%`;
  return el("li", {}, write(el("code", {}), text),
    el("span", { class: "track", "aria-hidden": "true" }, amount),
    el("span", { class: "number" }, percent(weight)),
    el("span", { class: "soft" }, where));
}
