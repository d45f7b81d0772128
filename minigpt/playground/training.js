// The training view: the runs there are, and of the chosen one the curves (training_curves.js) and
// samples (training_samples.js), read again every two seconds while it is running; below, the
// cleaning funnel (training_funnel.js) of the text it learns from.

import { el, fill } from "./dom.js";
import { curves } from "./training_curves.js";
import { funnel } from "./training_funnel.js";
import { samplesByStep } from "./training_samples.js";

const EVERY_MS = 2000;

export function mount(root, { api, announce }) {
  const list = el("fieldset", { class: "runs choices" });
  const state = el("p", { class: "state", role: "status" });
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const none = el("p", { class: "intro", hidden: true },
    "There is no run yet. In a terminal, ", el("code", {}, "make train"), " crawls, cleans and " +
    "trains a small model; its curves appear here by themselves, while it learns.");
  const picture = curves();
  const samples = samplesByStep();
  const run = el("div", { hidden: true }, state, picture.element, samples.element);
  const cleaning = el("div");
  root.classList.add("training-view");
  root.append(
    el("h2", {}, "Training"),
    el("p", { class: "intro" },
      "A model learns by guessing the next token of a text, again and again. The loss says how " +
      "badly it guesses: the lower, the better. What counts is the validation loss, on text that " +
      "it never trains on."),
    problem, none, list, run, cleaning);

  let runs = [];
  let chosen = null; // the name of the run that is shown
  let lines = []; // its metrics
  let written = []; // its samples
  let timer = null;
  let visible = false;

  // Ask what is new, draw it, and ask again in a while, as long as somebody looks.
  async function poll() {
    clearTimeout(timer);
    try {
      await ask();
      problem.hidden = true;
    } catch (error) {
      say(problem, error.message);
      problem.hidden = false;
      if (chosen) say(state, "What is drawn is what the server told last; it is asked again every two seconds.");
    }
    clearTimeout(timer);
    if (visible) timer = setTimeout(poll, EVERY_MS);
  }

  async function ask() {
    const newRuns = await api.get("/playground/api/runs");
    const changed = JSON.stringify(newRuns.map(names)) !== JSON.stringify(runs.map(names));
    runs = newRuns;
    none.hidden = runs.length > 0;
    run.hidden = list.hidden = runs.length === 0;
    if (!runs.some(({ name }) => name === chosen)) {
      chosen = (runs.find(({ running }) => running) ?? runs[0])?.name ?? null;
      lines = written = [];
    }
    if (changed) drawList();
    if (chosen) await askRun(runs.find(({ name }) => name === chosen));
  }

  async function askRun(about) {
    if (about.step < lines.at(-1)?.step) lines = written = []; // went back to what was saved
    const last = lines.at(-1)?.step ?? -1;
    const known = lines.at(-2)?.step ?? -1; // the last step's sample may have come after its line
    const wasRunning = state.dataset.running === chosen;
    const finished = !about.running && !wasRunning && lines.length > 0;
    if (!finished) {
      const path = `/playground/api/runs/${encodeURIComponent(chosen)}?after=${known}`;
      const { metrics, samples: more, running } = await api.get(path);
      if (about.name !== chosen) return; // another was chosen meanwhile
      about.running = running;
      const isNew = (line) => line.step > last;
      const isUnseen = ({ step }) => !written.some((sample) => sample.step === step);
      if (last < 0 || metrics.some(isNew)) {
        lines = [...lines, ...metrics.filter(isNew)];
        picture.update(lines);
      }
      if (last < 0 || more.some(isUnseen)) {
        written = [...written, ...more.filter(isUnseen)];
        samples.update(written);
      }
    }
    tell(about, wasRunning);
  }

  function tell(about, wasRunning) {
    state.dataset.running = about.running ? about.name : "";
    const step = (lines.at(-1)?.step ?? about.step).toLocaleString("en");
    const of = about.steps ? ` of ${about.steps.toLocaleString("en")}` : "";
    const time = about.seconds ? `, ${duration(about.seconds)}` : "";
    const done = about.step >= about.steps;
    const where = `step ${step}${of}${time}.`;
    const ended = done ? `Finished: ${where}` : `Stopped: ${where} The command that began it continues it.`;
    say(state, about.running ? `Running: ${where} New steps appear by themselves.` : ended);
    if (wasRunning && !about.running) announce(`The run ${about.name} has ended.`);
  }

  function drawList() {
    fill(list, el("legend", {}, "Runs"), runs.map(({ name, stage, running }) => {
      const button = el("input", { type: "radio", name: "run", value: name });
      button.checked = name === chosen;
      button.addEventListener("change", () => choose(name));
      const note = `${STAGES[stage] ?? stage ?? ""}${running ? ", running" : ""}`;
      return el("label", {}, button, " ", name, " ", el("span", { class: "soft" }, note));
    }));
  }

  function choose(name) {
    chosen = name;
    lines = written = [];
    poll();
  }

  async function showFunnel() {
    try {
      fill(cleaning, funnel(await api.get("/playground/api/funnel")));
    } catch {
      // The run above says that the server is gone; the funnel comes when the view is shown again.
    }
  }

  return {
    show() {
      visible = true;
      poll();
      showFunnel();
    },
    hide() {
      visible = false;
      clearTimeout(timer);
    },
  };
}

const STAGES = { pretrain: "learns to write", sft: "learns to answer" };
const names = ({ name, stage, running }) => [name, stage, running];

// Write a sentence that is read aloud when it changes; so it is left alone where it does not.
function say(element, sentence) {
  if (element.textContent !== sentence) element.textContent = sentence;
}

// 3 min 20 s
function duration(seconds) {
  const [minutes, rest] = [Math.floor(seconds / 60), Math.round(seconds % 60)];
  if (minutes >= 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return minutes ? `${minutes} min ${rest} s` : `${rest} s`;
}
