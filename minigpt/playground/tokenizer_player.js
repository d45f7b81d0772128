// Plays the merges of one chunk of text: play, pause, step, back, speed, and a slider to any step.
//
// A step is a state, {pieces, ids, at, rank, new_id}: the pair at, at + 1 is merged next; the last
// step's `at` is null. Where the steps come from is tokenizer_merges.js's business.

import { el, fill } from "./dom.js";
import { table } from "./table.js";
import { hue } from "./tokenizer_text.js";

// Make a player: {element, load(steps), pause()}.
export function player() {
  const sentence = el("p", { class: "step-sentence", "aria-live": "polite" });
  const row = el("ol", { class: "token-boxes merging", "aria-label": "The pieces at this step" });
  const play = el("button", { type: "button", class: "main" }, "Play");
  const back = el("button", { type: "button" }, "Back");
  const forward = el("button", { type: "button" }, "Step");
  const slider = el("input", { type: "range", min: "0", step: "1", id: "merges-step" });
  const speed = speedSlider();
  const details = el("details", {}, el("summary", {}, "All steps as a table"));
  const element = el("div", {}, sentence, row,
    el("div", { class: "controls" }, play, back, forward,
      el("label", {}, "Speed", speed.element)),
    el("div", { class: "controls wide" }, el("label", { for: "merges-step" }, "Step"), slider),
    details);

  let steps = [];
  let now = 0; // how many merges are done
  let timer = null;

  function load(newSteps) {
    steps = newSteps;
    slider.max = String(steps.length - 1);
    fill(details, details.firstChild, tableOf(steps));
    jump(0);
  }

  // Show the state after `to` merges.
  function go(to) {
    now = Math.min(steps.length - 1, Math.max(0, to));
    fill(row, pieces(steps, now));
    sentence.textContent = told(steps, now);
    slider.value = String(now);
    slider.setAttribute("aria-valuetext", `${now} of ${steps.length - 1} merges done`);
    // aria-disabled, not disabled: a button that vanishes under the finger loses the focus
    back.setAttribute("aria-disabled", String(now === 0));
    forward.setAttribute("aria-disabled", String(now === steps.length - 1));
  }

  function start() {
    if (now === steps.length - 1) go(0);
    play.textContent = "Pause";
    sentence.setAttribute("aria-live", "off"); // or the sentences would pile up
    timer = setTimeout(tick, speed.waitMs());
  }

  function tick() {
    go(now + 1);
    if (now === steps.length - 1) pause();
    else timer = setTimeout(tick, speed.waitMs());
  }

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

  play.addEventListener("click", () => (timer ? pause() : start()));
  back.addEventListener("click", () => jump(now - 1));
  forward.addEventListener("click", () => jump(now + 1));
  slider.addEventListener("input", () => jump(Number(slider.value)));
  return { element, load, pause };
}

// Half a merge to eight merges a second, each notch twice as fast.
function speedSlider() {
  const element = el("input", {
    type: "range", min: "-1", max: "3", step: "1", value: "0", id: "merges-speed",
  });
  const perSecond = () => 2 ** Number(element.value);
  const tell = () => element.setAttribute("aria-valuetext", `${perSecond()} merges a second`);
  element.addEventListener("input", tell);
  tell();
  return { element, waitMs: () => 1000 / perSecond() };
}

// The pieces of a state as boxes; the pair that is merged next and the token made last are marked.
function pieces(steps, now) {
  const { pieces, ids, at } = steps[now];
  const made = now > 0 ? steps[now - 1].at : null;
  return pieces.map((piece, i) => {
    const inPair = at !== null && (i === at || i === at + 1);
    const kind = `token-box${inPair ? " pair" : ""}${i === made ? " made" : ""}`;
    const box = el("li", { class: kind }, piece, el("small", {}, String(ids[i])));
    box.style.setProperty("--hue", hue(ids[i]));
    return box;
  });
}

// Say what happens next.
function told(steps, now) {
  const { pieces, at, rank, new_id: id } = steps[now];
  const done = `Step ${now} of ${steps.length - 1}: `;
  if (at === null) {
    const size = pieces.length === 1 ? "1 token" : `${pieces.length} tokens`;
    return `${done}no pair is left that was learned. The chunk is ${size}.`;
  }
  return `${done}next, “${pieces[at]}” and “${pieces[at + 1]}” become ` +
    `“${steps[now + 1].pieces[at]}”, id ${id}: merge number ${(rank + 1).toLocaleString("en")} ` +
    `of those learned (rank ${rank.toLocaleString("en")}).`;
}

function tableOf(steps) {
  const rows = steps.slice(0, -1).map(({ pieces, at, rank, new_id: id }, i) => [
    String(i + 1), pieces.join(" "), `${pieces[at]} + ${pieces[at + 1]}`,
    steps[i + 1].pieces[at], String(id), rank.toLocaleString("en"),
  ]);
  return table("Each merge of this chunk", ["step", "pieces", "merged", "into", "id", "rank"], rows);
}
