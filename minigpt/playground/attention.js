// Whom does a token look at? The attention of every head of a layer over a text.
//
// All heads are small pictures (attention_map.js), each with what it does on average
// (attention_measures.js); the chosen one is read in the text: pointing at a token colours the
// tokens that it looks at. The weights are the server's (POST /playground/api/attention).

import { el, fill } from "./dom.js";
import { attentionMap } from "./attention_map.js";
import { habit, measures, strongest } from "./attention_measures.js";
import { hue, spoken, write } from "./tokenizer_text.js";

const TOP = 6; // tokens looked at most, in numbers

const shown = new WeakMap(); // root -> what it shows, so that a second call only moves on

// Fill `root` for the ids of a text; `selected`: the index in `ids` to read, the last if none.
// Called again for the same text, it keeps the layer and the head.
export function showAttention(root, { api, model, ids, selected }) {
  const text = JSON.stringify([model, ids]);
  const before = shown.get(root);
  if (before?.text === text && root.contains(before.view)) return before.select(selected);
  const layers = el("div", { class: "layers", role: "group", "aria-label": "Layer" });
  const heads = el("div", { class: "heads" });
  const reading = el("div", { class: "reading" });
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const state = { layer: 0, head: 0, at: selected ?? ids.length - 1 };
  const answers = new Map(); // layer -> {tokens, n_layer, n_head, heads: [weights of each]}

  const view = el("div", { class: "attention-view" },
    el("p", {},
      "To guess the next token, every token looks back at those before it and takes over something " +
      "of what they mean: that is attention. Each head of a layer looks in its own way; the darker " +
      "a square, the more its row's token looks at its column's."),
    problem, layers, heads, reading);
  fill(root, view);

  async function showLayer(layer) {
    state.layer = layer;
    try {
      if (!answers.has(layer)) {
        answers.set(layer, unpacked(await api.post("/playground/api/attention", { model, ids, layer })));
      }
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
      return;
    }
    problem.hidden = true;
    if (state.layer === layer) draw(answers.get(layer)); // or another was chosen meanwhile
  }

  function draw(answer) {
    drawLayers(answer.n_layer);
    const known = answer.tokens.map(({ id }) => id);
    fill(heads, answer.heads.map((weights, head) => {
      const note = habit(measures(weights, known));
      const button = el("button", { type: "button", class: "head" },
        attentionMap(weights, known.length),
        el("b", {}, `Head ${head + 1}`), el("span", { class: "soft" }, note));
      button.setAttribute("aria-pressed", String(head === state.head));
      button.addEventListener("click", () => chooseHead(answer, head));
      return button;
    }));
    drawReading(answer);
  }

  function drawLayers(count) {
    if (layers.children.length) {
      [...layers.children].forEach((button, i) =>
        button.setAttribute("aria-pressed", String(i === state.layer)));
      return;
    }
    for (let layer = 0; layer < count; layer++) {
      const button = el("button", { type: "button" }, `Layer ${layer + 1}`);
      button.setAttribute("aria-pressed", String(layer === state.layer));
      button.addEventListener("click", () => showLayer(layer));
      layers.append(button);
    }
  }

  function chooseHead(answer, head) {
    state.head = head;
    [...heads.children].forEach((button, i) =>
      button.setAttribute("aria-pressed", String(i === head)));
    drawReading(answer);
  }

  function drawReading(answer) {
    fill(reading, readHead(answer, state));
  }

  function select(place) {
    state.at = place ?? ids.length - 1;
    if (answers.has(state.layer)) drawReading(answers.get(state.layer));
  }

  shown.set(root, { text, view, select });
  return showLayer(0);
}

// The text as tokens; pointing at one, or the arrow keys, show whom it looks at in this head.
function readHead({ tokens, heads, first: cut }, state) {
  const size = tokens.length;
  const weights = heads[state.head];
  const sentence = el("p", { "aria-live": "polite" });
  const top = el("ol", { class: "looked-at" });
  const boxes = tokens.map(({ id, text }) => {
    const box = el("span", { class: "token-box", role: "option", "aria-selected": "false",
      "aria-label": spoken(text) }, write(el("span", {}), text));
    box.style.setProperty("--hue", hue(id));
    return box;
  });
  const list = el("div", { class: "token-boxes", role: "listbox",
    "aria-label": "The text. Arrow keys go from token to token." },
    boxes.map((box, t) => [box, tokens[t].text.includes("\n") && el("span", { class: "break" })]));
  const at = (i) => Math.min(size - 1, Math.max(0, i));

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
    sentence.textContent = `In head ${state.head + 1} of layer ${state.layer + 1}, ` +
      `${spoken(tokens[t].text)} looks, to guess what comes after it, at:`;
    fill(top, found.map(({ at: s, weight }) => {
      const where = s === t ? "itself" : s === t - 1 ? "the token before" : `${t - s} tokens before`;
      const amount = el("span", { class: "amount", "aria-hidden": "true" });
      amount.style.width = `${100 * weight}%`;
      return el("li", {}, write(el("code", {}), tokens[s].text),
        el("span", { class: "track" }, amount),
        el("span", { class: "number" }, `${Math.round(100 * weight)} %`),
        el("span", { class: "soft" }, where));
    }));
  }

  list.addEventListener("pointerover", (event) => {
    const t = boxes.indexOf(event.target.closest(".token-box"));
    if (t >= 0) look(t);
  });
  list.addEventListener("keydown", (event) => {
    const t = state.at - cut;
    const to = { ArrowLeft: t - 1, ArrowRight: t + 1, Home: 0, End: size - 1 }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    look(at(to));
    boxes[at(to)].focus();
  });
  if (size) look(at(state.at - cut));
  const note = cut > 0 && el("p", { class: "soft" },
    `The text is long: these are its last ${size} tokens.`);
  return [note, list, sentence, top];
}

// The answer with its weights as bytes, one (T * T) array for each head.
function unpacked(answer) {
  const size = answer.tokens.length;
  const bytes = Uint8Array.from(atob(answer.weights), (c) => c.charCodeAt(0));
  const heads = Array.from({ length: answer.n_head }, (_, head) =>
    bytes.subarray(head * size * size, (head + 1) * size * size));
  return { ...answer, heads };
}
