// One quiet line where a model is talked to: it is still being trained, and how far that is. The
// server is asked every few seconds, as long as somebody looks. So a model that has just come is
// listed, too, without a reload.

import { el, fill } from "./dom.js";
import { soFar } from "./training_progress.js";

const EVERY_MS = 5000;

// Make it: {element, show(), hide()}. `asked()` gives the models that are talked to.
export function makeTrainingNote({ api, models, findModels, announce }, asked) {
  const element = el("p", { class: "soft small under number", hidden: true });
  let visible = false;
  let timer = null;
  let told = null; // the name of the run that is told of
  let before = ""; // which runs went on

  async function poll() {
    clearTimeout(timer);
    if (!visible) return;
    if (!document.hidden) {
      try {
        const runs = await api.get("/playground/api/runs");
        if (!visible) return; // left meanwhile
        await tell(runs.filter(({ running }) => running));
      } catch {
        element.hidden = true; // whoever asks a model is told that the server is gone
        return; // it may want a key: it is asked again when somebody comes back
      }
    }
    if (visible) timer = setTimeout(poll, EVERY_MS);
  }

  async function tell(running) {
    const names = JSON.stringify(running.map(({ name }) => name));
    if (names !== before || !models.length) await findModels();
    before = names;
    const isAsked = ({ name }) => asked().some(({ id }) => id === name);
    const run = running.find(isAsked) ?? running[0];
    element.hidden = !run;
    if (run) fill(element, sentence(run, isAsked(run)));
    if (told && !running.some(({ name }) => name === told)) {
      announce(`The training of ${told} has ended.`);
    }
    told = run?.name ?? null;
  }

  window.addEventListener("focus", poll);
  return {
    element,
    show() {
      visible = true;
      return poll();
    },
    hide() {
      visible = false;
      told = null; // its end is told once, where it is seen
      clearTimeout(timer);
    },
  };
}

function sentence(run, isAsked) {
  return isAsked
    ? `${run.name} is still being trained: ${soFar(run)}; answers get better.`
    : `${run.name} is being trained: ${soFar(run)}.`;
}
