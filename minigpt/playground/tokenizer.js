// The tokenizer view: type a text and see what tokens several tokenizers make of it.
//
// Drawing one tokenizer's panel is tokenizer_panel.js's; the merges step by step are
// tokenizer_merges.js's. The tokens are the server's (POST /playground/api/tokenize).

import { el } from "./dom.js";
import { describe, drawPanel } from "./tokenizer_panel.js";
import { merges } from "./tokenizer_merges.js";

const EXAMPLE =
  "Tokenization cuts words into pieces: unbelievable!\n" +
  "    numbers 7, 42, 1984 and 31415926,\n" +
  "emoji 🦊 👍🏽, Ελληνικά, 日本語, naïve café.";
const LONGEST = 4000; // characters
const PAUSE_MS = 250; // of typing, before the server is asked
const CHOSEN_AT_FIRST = 3;

export function mount(root, { api }) {
  const text = el("textarea", {
    id: "tokenizer-text", rows: "4", maxlength: String(LONGEST), spellcheck: "false",
  });
  text.value = EXAMPLE;
  const full = el("p", { class: "soft small", role: "status" });
  const choice = el("fieldset", { class: "choices" });
  const panels = el("div", { class: "panels" });
  const detail = el("p", { class: "token-detail" }); // for the eye: each token's label says it, too
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const player = merges(api);
  root.classList.add("tokenizer-view");
  root.append(
    el("h2", {}, "Tokenizer"),
    el("p", { class: "intro" },
      "A language model reads no letters. A tokenizer cuts the text into tokens, pieces that were " +
      "frequent in the text it was made from, and the model sees only their numbers, the ids. " +
      "The same token has the same colour everywhere; · is a space, ↵ a new line, and a " +
      "character that no single token spells is shown with the bytes of its parts."),
    el("label", { for: "tokenizer-text" }, "Your text"),
    text,
    full,
    choice,
    problem,
    panels,
    detail,
    player.element,
  );

  let tokenizers = []; // [{name, n_vocab, about}]
  let asked = 0; // the number of the newest question; older answers and refusals are thrown away
  let timer = null;

  async function load() {
    await guarded(async (newest) => {
      tokenizers = await api.get("/playground/api/tokenizers");
      choice.replaceChildren(
        el("legend", {}, "Tokenizers beside each other"),
        el("p", { class: "soft small" }, STAGES),
        ...tokenizers.map(({ name, n_vocab: size, about }, i) => chooser(name, size, about, i)),
      );
      player.setTokenizers(tokenizers.map(({ name }) => name));
      await ask(newest);
    });
  }

  // Show the text as it is now.
  const refresh = () => (tokenizers.length ? guarded(ask) : load());

  function chooser(name, size, about, i) {
    const box = el("input", { type: "checkbox", value: name });
    box.checked = i < CHOSEN_AT_FIRST;
    box.addEventListener("change", refresh);
    const note = `vocabulary of ${size.toLocaleString("en")}`;
    return el("label", { title: about ?? "" }, box, " ", name, " ",
      el("span", { class: "soft" }, note));
  }

  async function ask(newest) {
    const chosen = [...choice.querySelectorAll("input:checked")].map((box) => box.value);
    const question = { text: text.value, tokenizers: chosen };
    const answer = chosen.length
      ? await api.post("/playground/api/tokenize", question)
      : { panels: [] };
    if (!newest()) return;
    draw(answer.panels, question.text);
    player.setText(question.text);
  }

  function draw(data, drawnText) {
    const characters = [...drawnText].length;
    const most = Math.max(0, ...data.map((panel) => panel.tokens));
    const drawn = data.map((panel) => {
      // What is pointed at in one panel is marked in the others: how they cut the same bytes.
      const onPoint = (token) => {
        detail.textContent = token ? `${panel.name}: ${describe(token)}` : HINT;
        detail.classList.toggle("told", token !== null);
        for (const other of drawn) {
          if (token && other !== self) other.mark(token.start, token.end);
          else other.mark(0, 0);
        }
      };
      const self = drawPanel(panel, { characters, most, onPoint });
      return self;
    });
    panels.replaceChildren(...drawn.map((panel) => panel.element));
    detail.classList.remove("told");
    detail.textContent = data.length ? HINT : tokenizers.length ? CHOOSE : NONE;
  }

  // Do what asks the server; `work` is told by `newest()` whether nothing was asked for since.
  async function guarded(work) {
    const number = ++asked;
    const newest = () => number === asked;
    try {
      await work(newest);
      if (newest()) problem.hidden = true;
    } catch (error) {
      if (!newest()) return;
      problem.textContent = error.message;
      problem.hidden = false;
    }
  }

  text.addEventListener("input", () => {
    full.textContent = text.value.length < LONGEST ? "" : FULL;
    clearTimeout(timer);
    timer = setTimeout(refresh, PAUSE_MS);
  });

  return {
    show() {
      if (!tokenizers.length) load();
    },
    hide() {
      player.pause();
    },
  };
}

const STAGES =
  "Each was learned by merges: the two neighbours that most often stand together become one " +
  "token, again and again. The fewer there were, the more tokens a text takes.";
const FULL = `There is room for ${LONGEST.toLocaleString("en")} characters; what is more is cut off.`;
const CHOOSE = "Choose a tokenizer above.";
const NONE = "There is no tokenizer yet; it comes with the first model (make train).";
const HINT = "Point at a token or tap it, or press Tab and the arrow keys, to see its id and bytes.";
