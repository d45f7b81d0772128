// The merges of a chunk of text, played step by step: how byte-pair encoding gets from bytes to
// tokens. Which merge comes next is said by the server (POST /playground/api/merges):
//
//   {chunks: [{text, steps: [{pieces, ids, at, rank, new_id}]}], left_out}
//
// A step is a state: its pieces, and the pair at, at + 1 that is merged next; the last one's `at`
// is null.

import { el, fill } from "./dom.js";
import { table } from "./table.js";
import { hue, spoken, write } from "./tokenizer_text.js";

const MOST_TEXT = 2000; // characters the server plays
const quoted = (piece) => `“${piece}”`;

// Make the player: {element, setTokenizers(names), setText(text), pause()}.
export function mergesPlayer({ api }) {
  const which = el("select", { id: "merges-tokenizer" });
  const chunkList = el("fieldset", { class: "chunks" });
  const sentence = el("p", { class: "step-sentence", "aria-live": "polite" });
  const row = el("ol", { class: "token-boxes merging", "aria-label": "The pieces at this step" });
  const play = el("button", { type: "button", class: "main" }, "Play");
  const back = el("button", { type: "button" }, "Back");
  const forward = el("button", { type: "button" }, "Step");
  const scrubber = el("input", { type: "range", min: "0", step: "1", id: "merges-step" });
  const speed = el("input", { type: "range", min: "-1", max: "3", step: "1", value: "0", id: "merges-speed" });
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const details = el("details", {}, el("summary", {}, "All steps as a table"));
  const stage = el("div", {}, sentence, row,
    el("div", { class: "controls" }, play, back, forward,
      el("label", { for: "merges-speed" }, "Speed"), speed),
    el("div", { class: "controls wide" }, el("label", { for: "merges-step" }, "Step"), scrubber),
    details);
  const element = el("section", { class: "merges", "aria-label": "Merges step by step" },
    el("h3", {}, "The merges, step by step"),
    el("p", {},
      "The text is first cut into chunks, mostly words with the space before them. In each chunk a " +
      "tokenizer starts from single bytes and joins two neighbours again and again, always the pair " +
      "that it learned first (the lowest rank), until no pair is left that it knows."),
    el("div", { class: "controls" }, el("label", { for: "merges-tokenizer" }, "Tokenizer"), which),
    chunkList, problem, stage);

  let text = "";
  let chunks = [];
  let steps = []; // of the chosen chunk
  let now = 0;
  let timer = null;
  let asked = 0; // the number of the newest question; older answers are thrown away

  async function ask() {
    if (!which.value) return;
    pause();
    const number = ++asked;
    try {
      const question = { text: [...text].slice(0, MOST_TEXT).join(""), tokenizer: which.value };
      const answer = await api.post("/playground/api/merges", question);
      if (number !== asked) return;
      problem.hidden = true;
      chunks = answer.chunks;
      drawChunks(answer.left_out);
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
      chunks = [];
    }
    stage.hidden = chunkList.hidden = chunks.length === 0;
  }

  function drawChunks(leftOut) {
    const first = Math.max(0, chunks.findIndex((chunk) => chunk.steps.length > 3));
    fill(chunkList, el("legend", {}, "Chunk to play"), chunks.map((chunk, i) => {
      const button = el("input", { type: "radio", name: "chunk", class: "for-ears",
        "aria-label": spoken(chunk.text) });
      button.checked = i === first;
      button.addEventListener("change", () => choose(i));
      return el("label", {}, button, write(el("span", {}), chunk.text));
    }), leftOut > 0 && el("span", { class: "soft" }, ` and ${leftOut} more`));
    if (chunks.length) choose(first);
  }

  function choose(i) {
    pause();
    steps = chunks[i].steps;
    scrubber.max = String(steps.length - 1);
    fill(details, details.firstChild, tableOf(steps));
    go(0);
  }

  // Show the state after `to` merges.
  function go(to) {
    now = Math.min(steps.length - 1, Math.max(0, to));
    const { pieces, ids, at } = steps[now];
    const made = now > 0 ? steps[now - 1].at : null; // where the last merge put its token
    fill(row, pieces.map((piece, i) => {
      const inPair = at !== null && (i === at || i === at + 1);
      const kind = `token-box${inPair ? " pair" : ""}${i === made ? " made" : ""}`;
      const box = el("li", { class: kind }, piece, el("small", {}, String(ids[i])));
      box.style.setProperty("--hue", hue(ids[i]));
      return box;
    }));
    sentence.textContent = told(steps, now);
    scrubber.value = String(now);
    scrubber.setAttribute("aria-valuetext", `${now} of ${steps.length - 1} merges done`);
    // aria-disabled, not disabled: a button that vanishes under the finger loses the focus
    back.setAttribute("aria-disabled", String(now === 0));
    forward.setAttribute("aria-disabled", String(now === steps.length - 1));
  }

  function start() {
    if (now === steps.length - 1) go(0);
    play.textContent = "Pause";
    sentence.setAttribute("aria-live", "off"); // or the sentences would pile up
    timer = setTimeout(tick, wait());
  }

  function tick() {
    go(now + 1);
    if (now === steps.length - 1) return pause();
    timer = setTimeout(tick, wait());
  }

  const wait = () => 1000 / 2 ** Number(speed.value);

  function pause() {
    clearTimeout(timer);
    timer = null;
    play.textContent = "Play";
    sentence.setAttribute("aria-live", "polite");
  }

  function jump(to) {
    pause();
    go(to);
  }

  speed.addEventListener("input", () =>
    speed.setAttribute("aria-valuetext", `${2 ** Number(speed.value)} steps a second`));
  speed.setAttribute("aria-valuetext", "1 steps a second");
  play.addEventListener("click", () => (timer ? pause() : start()));
  back.addEventListener("click", () => jump(now - 1));
  forward.addEventListener("click", () => jump(now + 1));
  scrubber.addEventListener("input", () => jump(Number(scrubber.value)));
  which.addEventListener("change", ask);

  return {
    element,
    pause,
    setTokenizers: (names) => fill(which, names.map((name) => el("option", { value: name }, name))),
    setText(newText) {
      if (newText === text) return;
      text = newText;
      ask();
    },
  };
}

function told(steps, i) {
  const { pieces, at, rank, new_id: id } = steps[i];
  const done = `Step ${i} of ${steps.length - 1}: `;
  if (at === null) {
    const size = pieces.length === 1 ? "1 token" : `${pieces.length} tokens`;
    return `${done}no pair is left that was learned. The chunk is ${size}.`;
  }
  return `${done}next, ${quoted(pieces[at])} and ${quoted(pieces[at + 1])} become ` +
    `${quoted(steps[i + 1].pieces[at])}, id ${id}: merge number ${(rank + 1).toLocaleString("en")} ` +
    `of those learned (rank ${rank.toLocaleString("en")}).`;
}

function tableOf(steps) {
  const rows = steps.slice(0, -1).map(({ pieces, at, rank, new_id: id }, i) => [
    String(i + 1), pieces.join(" "), `${pieces[at]} + ${pieces[at + 1]}`,
    steps[i + 1].pieces[at], String(id), rank.toLocaleString("en"),
  ]);
  return table("Each merge of this chunk", ["step", "pieces", "merged", "into", "id", "rank"], rows);
}
