// The training view: the runs there are, and of the chosen one the curves (training_curves.js) and
// samples (training_samples.js), asked for again every two seconds while somebody looks; below, the
// cleaning funnel (training_funnel.js) of the text it learns from.

import { el, fill } from "./dom.js";
import { rememberFocus } from "./focus.js";
import { curves } from "./training_curves.js";
import { funnel } from "./training_funnel.js";
import { NEXT, duration, remaining, stepOf } from "./training_progress.js";
import { Run } from "./training_run.js";
import { samplesByStep } from "./training_samples.js";

const EVERY_MS = 2000;
const STAGES = { pretrain: "learns to write", sft: "learns to answer" };

export function mount(root, { api, announce }) {
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const list = el("fieldset", { class: "runs choices", hidden: true });
  const state = el("p", { class: "state" });
  const none = el("p", { class: "intro", hidden: true },
    "There is no run yet. In a terminal, ", el("code", {}, "make train"), " crawls, cleans and " +
    "trains a small model; its curves appear here by themselves, while it learns.");
  const picture = curves();
  const samples = samplesByStep();
  const shown = el("div", { hidden: true }, state, picture.element, samples.element);
  const cleaning = el("div");
  root.classList.add("training-view");
  root.append(el("h2", {}, "Training"), introduction(), problem, none, list, shown, cleaning);

  let runs = []; // what the server lists
  let run = null; // the Run that is shown
  let chosen = false; // by the reader: until then it is the one that is running
  let visible = false;
  let returned = false; // just now: what ended meanwhile was told where its reader was
  let timer = null;

  // Ask what is new, draw it, and ask again in a while, as long as somebody looks.
  async function poll() {
    let again = true;
    try {
      if (!document.hidden) {
        await ask();
        problem.hidden = true;
      }
    } catch (error) {
      again = !error.keyMissing; // else the dialog that asks for it would come back and back
      say(problem, error.message);
      problem.hidden = false;
      if (run && again) {
        say(state, "This is what the server told last; it is asked again every two seconds.");
      }
    }
    clearTimeout(timer);
    if (visible && again) timer = setTimeout(poll, EVERY_MS);
  }

  async function ask() {
    const before = JSON.stringify(runs.map(listed));
    runs = await api.get("/playground/api/runs");
    none.hidden = runs.length > 0;
    shown.hidden = list.hidden = runs.length === 0;
    const going = runs.find(({ running }) => running);
    const shownNow = runs.find(({ name }) => name === run?.name);
    if (!shownNow || (going && !chosen && !shownNow.running)) {
      const first = going ?? runs[0];
      run = first ? new Run(first.name) : null;
    }
    if (JSON.stringify(runs.map(listed)) !== before) drawList();
    if (run) await askRun(run);
  }

  async function askRun(asked) {
    const about = runs.find(({ name }) => name === asked.name);
    const wasRunning = asked.running;
    const changed = await asked.refresh(api, about);
    if (asked !== run) return; // another was chosen meanwhile
    if (changed.metrics) picture.update(run.metrics, about.vocab_size);
    if (changed.samples || changed.running) samples.update(run.samples, run.running);
    if (wasRunning && !run.running) {
      if (!returned) announce(`The run ${run.name} has ended.`);
    } else if (changed.look) announce(heard(changed.look));
    returned = false;
    state.classList.toggle("running", run.running);
    say(state, told(run, about));
  }

  function drawList() {
    const restoreFocus = rememberFocus(list);
    fill(list, el("legend", {}, "Runs"), runs.map(({ name, stage, running }) => {
      const button = el("input", { type: "radio", name: "run", value: name, "data-key": name });
      button.checked = name === run.name;
      button.addEventListener("change", () => {
        chosen = true;
        run = new Run(name);
        poll();
      });
      const note = `${STAGES[stage] ?? stage ?? ""}${running ? ", running" : ""}`;
      return el("label", {}, button, " ", name, " ", el("span", { class: "soft" }, note));
    }));
    restoreFocus();
  }

  async function showFunnel() {
    try {
      fill(cleaning, funnel(await api.get("/playground/api/funnel")));
    } catch {
      // The list of runs says that the server is gone; the funnel comes when the view is shown again.
    }
  }

  return {
    show() {
      visible = returned = true;
      poll();
      showFunnel();
    },
    hide() {
      visible = false;
      clearTimeout(timer);
    },
  };
}

const introduction = () =>
  el("p", { class: "intro" },
    "A model learns by guessing the next token of a text, again and again. The loss says how badly " +
    "it guesses: the lower, the better. What counts is the validation loss, on text that it never " +
    "trains on.");

const listed = ({ name, stage, running }) => [name, stage, running];

// How far a run is, in a sentence.
function told(run, about) {
  const { steps, seconds, seconds_left: left, stage } = about;
  const at = Math.max(about.step, run.metrics.at(-1)?.step ?? 0);
  const where = `${stepOf({ step: at, steps })}${seconds ? `, ${duration(seconds)}` : ""}.`;
  const still = left === null ? "" : ` ${remaining(left).replace(/^./, (c) => c.toUpperCase())}.`;
  const next = NEXT[stage] ? ` In make train ${NEXT[stage]}.` : "";
  if (run.running) return `Running: ${where}${still}${next}`;
  if (about.finished) return `Finished${at < steps ? " early" : ""}: ${where}`;
  const isSetAside = run.name.endsWith(".previous");
  return `Stopped: ${where} ${
    isSetAside ? "Another run took its place." : "The command that began it continues it."
  }`;
}

// What is read aloud of a run that goes on: not each new step.
const heard = ({ step, val_loss: loss }) =>
  `Step ${step.toLocaleString("en")}: validation loss ${loss.toFixed(2)}.`;

// Write a sentence that may be read aloud when it changes; so it is left alone where it does not.
function say(element, sentence) {
  if (element.textContent !== sentence) element.textContent = sentence;
}
