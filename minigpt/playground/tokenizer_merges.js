// How byte-pair encoding gets from bytes to tokens: the text cut into chunks, and the merges of a
// chosen one played (tokenizer_player.js). The server knows them, POST /playground/api/merges:
//
//   {chunks: [{text, steps}], left_out}     left_out: how many chunks more the text has

import { el, fill } from "./dom.js";
import { player } from "./tokenizer_player.js";
import { spoken, write } from "./tokenizer_text.js";

const MOST_TEXT = 2000; // characters the server plays

// Make the part: {element, setTokenizers(names), setText(text), pause()}.
export function merges(api) {
  const which = el("select", { id: "merges-tokenizer" });
  const chunkList = el("fieldset", { class: "chunks" });
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const stage = player();
  const element = el("section", { class: "merges", "aria-label": "Merges step by step" },
    el("h3", {}, "The merges, step by step"),
    el("p", {},
      "The text is first cut into chunks, mostly words with the space before them. In each chunk a " +
      "tokenizer starts from single bytes and joins two neighbours again and again, always the pair " +
      "that it learned first (the lowest rank), until no pair is left that it knows."),
    el("div", { class: "controls" }, el("label", { for: "merges-tokenizer" }, "Tokenizer"), which),
    chunkList, problem, stage.element);
  let text = null;
  let asked = 0; // the number of the newest question; older answers are thrown away

  async function ask() {
    if (!which.value) return;
    stage.pause();
    const number = ++asked;
    let chunks = [];
    try {
      const question = { text: [...text].slice(0, MOST_TEXT).join(""), tokenizer: which.value };
      const answer = await api.post("/playground/api/merges", question);
      if (number !== asked) return;
      problem.hidden = true;
      chunks = answer.chunks;
      drawChunks(chunks, answer.left_out);
    } catch (error) {
      if (number !== asked) return;
      problem.textContent = error.message;
      problem.hidden = false;
    }
    show(chunks.length > 0);
  }

  function drawChunks(chunks, leftOut) {
    const first = Math.max(0, chunks.findIndex((chunk) => chunk.steps.length > 3));
    fill(chunkList, el("legend", {}, "Chunk to play"), chunks.map((chunk, i) => {
      const button = el("input", {
        type: "radio", name: "chunk", class: "for-ears", "aria-label": spoken(chunk.text),
      });
      button.checked = i === first;
      button.addEventListener("change", () => stage.load(chunk.steps));
      return el("label", {}, button, write(el("span", {}), chunk.text));
    }), leftOut > 0 && el("span", { class: "soft" }, ` and ${leftOut} more`));
    if (chunks.length) stage.load(chunks[first].steps);
  }

  function show(shown) {
    stage.element.hidden = chunkList.hidden = !shown;
  }

  show(false);
  which.addEventListener("change", ask);
  return {
    element,
    pause: stage.pause,
    setTokenizers: (names) => fill(which, names.map((name) => el("option", { value: name }, name))),
    setText(newText) {
      if (newText === text) return;
      text = newText;
      ask();
    },
  };
}
