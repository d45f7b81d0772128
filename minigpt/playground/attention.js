// Whom does a token look at? The attention of every head of a layer over a text.
//
// All heads are small pictures (attention_map.js), each with what it does on average
// (attention_measures.js); the chosen one is read in the text (attention_reading.js). The weights
// are the server's, POST /playground/api/attention: {tokens, first, n_layer, n_head, weights}.

import { el, fill } from "./dom.js";
import { attentionMap } from "./attention_map.js";
import { habit, measures, mostStriking } from "./attention_measures.js";
import { readHead } from "./attention_reading.js";

const NARROWEST = 7; // em: the picture of a head with the gap beside it
const shown = new WeakMap(); // root -> what it shows, so that a second call only moves on

// Fill `root` for the ids of a text; `selected`: the index in `ids` to read, the last if none.
// Called again for the same text, it keeps the layer and the head. Gives a promise of the first
// layer's picture.
export function showAttention(root, { api, model, ids, selected }) {
  const text = JSON.stringify([model, ids]);
  const before = shown.get(root);
  if (before?.text === text && root.contains(before.view)) return before.select(selected);
  const layers = el("div", { class: "layers", role: "group", "aria-label": "Layer" });
  const heads = el("div", { class: "heads" });
  const reading = el("div", { class: "reading" });
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const state = { layer: 0, head: 0, at: selected ?? ids.length - 1 };
  let chosen = false; // by the reader: until then each layer begins with its most striking head
  const answers = new Map(); // layer -> the server's answer, with `layer` and `heads`

  const view = el("div", { class: "attention-view" },
    el("p", {},
      "To guess the next token, every token looks back at those before it and takes over something " +
      "of what they mean: that is attention. Each head of a layer looks in its own way; the stronger " +
      "a square's colour, the more its row's token looks at its column's. By chance is what a head " +
      "would give that looks at all tokens alike. What stands in <|…|> marks where the text, a " +
      "question or an answer begins or ends."),
    problem, layers, heads, reading);
  fill(root, view);

  async function showLayer(layer) {
    state.layer = layer;
    try {
      if (!answers.has(layer)) {
        const answer = await api.post("/playground/api/attention", { model, ids, layer });
        answers.set(layer, { ...answer, layer, heads: headsOf(answer) });
      }
    } catch (error) {
      if (state.layer !== layer) return; // another was chosen meanwhile
      problem.textContent = error.message;
      problem.hidden = false;
      return;
    }
    if (state.layer !== layer) return;
    problem.hidden = true;
    draw(answers.get(layer));
  }

  function draw(answer) {
    drawLayers(answer.n_layer);
    const known = answer.tokens.map(({ id }) => id);
    const measured = answer.heads.map((weights) => measures(weights, known));
    if (!chosen) state.head = mostStriking(measured);
    fill(heads, answer.heads.map((weights, head) => {
      const note = habit(measured[head]);
      const button = el("button", { type: "button", class: "head" },
        attentionMap(weights, known.length),
        el("b", {}, `Head ${head + 1}`), el("span", { class: "soft" }, note));
      button.setAttribute("aria-pressed", String(head === state.head));
      button.addEventListener("click", () => chooseHead(answer, head));
      return button;
    }));
    arrange();
    drawReading(answer);
  }

  // As many columns as fit, but no more than rows that are equally full need: of six 3 + 3, not 5 + 1.
  function arrange() {
    const letter = parseFloat(getComputedStyle(heads).fontSize);
    const fit = Math.max(1, Math.floor(layers.clientWidth / (NARROWEST * letter)));
    const rows = Math.ceil(heads.children.length / fit);
    heads.style.setProperty("--columns", Math.max(1, Math.ceil(heads.children.length / rows)));
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
    chosen = true;
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

  new ResizeObserver(arrange).observe(layers); // as wide as the heads; its height stays
  shown.set(root, { text, view, select });
  return showLayer(0);
}

// The weights of each head as bytes, (T * T,).
function headsOf({ weights, tokens, n_head: count }) {
  const size = tokens.length ** 2;
  const bytes = Uint8Array.from(atob(weights), (c) => c.charCodeAt(0));
  return Array.from({ length: count }, (_, head) => bytes.subarray(head * size, (head + 1) * size));
}
