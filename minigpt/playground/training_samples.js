// What the model wrote at a few steps of a run: the first and the last beside each other, and any
// between them by a slider.
//
// A sample is {step, text}; a fine-tuned model's has the prompt it answered, too.

import { el, fill } from "./dom.js";

const NONE_YET =
  "No sample is there yet: every few hundred steps of training the model writes a little.";
const NONE = "This run kept no samples.";
const OF_TEXTS =
  "Each time it begins with nothing. First come letters and pieces of words without order, then " +
  "words, then sentences; sense comes last, if at all.";
const OF_ANSWERS =
  "The same question is asked each time. The form of an answer is soon learned; whether it is " +
  "right may change from step to step.";

// Make the samples' part; update(samples, running) draws those of a run that is running or not.
export function samplesByStep() {
  const slider = el("input", { type: "range", min: "0", step: "1", id: "training-sample" });
  const chosen = card();
  const first = card();
  const last = card();
  const choice = el("div", { class: "controls wide" },
    el("label", { for: "training-sample" }, "In between"), slider);
  const body = el("div", {}, choice,
    el("div", { class: "beside" }, first.element, chosen.element, last.element));
  const about = el("p");
  const none = el("p", { class: "soft" });
  const element = el("section", { "aria-label": "Samples by step" },
    el("h3", {}, "What it wrote, step by step"),
    about, none, body);
  let samples = [];
  let untouched = true; // the middle one is shown until the reader chooses another

  function update(list, running) {
    samples = list;
    body.hidden = !samples.length;
    none.hidden = samples.length > 0;
    about.hidden = !samples.length;
    about.textContent = samples.some(({ prompt }) => prompt) ? OF_ANSWERS : OF_TEXTS;
    none.textContent = running ? NONE_YET : NONE;
    if (!samples.length) return;
    slider.max = String(samples.length - 1);
    if (untouched) slider.value = String(Math.floor((samples.length - 1) / 2));
    choice.hidden = chosen.element.hidden = samples.length < 3;
    first.show("First", samples[0]);
    last.show("Latest", samples.at(-1));
    last.element.hidden = samples.length < 2;
    choose();
  }

  function choose() {
    const sample = samples[Number(slider.value)];
    chosen.show("In between", sample);
    slider.setAttribute("aria-valuetext", `step ${sample.step.toLocaleString("en")}`);
  }

  slider.addEventListener("input", () => {
    untouched = false;
    choose();
  });
  return { element, update };
}

function card() {
  const element = el("article", { class: "sample" });
  function show(name, { step, prompt, text }) {
    fill(element,
      el("h4", {}, `${name}: step ${step.toLocaleString("en")}`),
      prompt && el("p", { class: "prompt" }, prompt),
      el("p", { class: "written" }, text));
  }
  return { element, show };
}
