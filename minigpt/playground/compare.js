// Side by side: the same text to several models at once. How their answers differ is the first
// lesson: what pretraining gives, and what fine-tuning makes of it.

import { makeComposer } from "./composer.js";
import { newConversation } from "./conversation.js";
import { el, fill } from "./dom.js";
import { rememberFocus } from "./focus.js";
import { settingsButton } from "./settings.js";
import { makeThread } from "./thread.js";
import { makeTrainingNote } from "./training_note.js";
import { suggested, suggestionList } from "./welcome.js";

const NO_MODEL = "There is no model yet. Run make train: it then appears here.";
const FIRST_CHOSEN = 3; // more columns are not read beside each other

export function mount(root, context) {
  const choice = el("fieldset", { class: "choice" });
  const columns = el("div", { class: "columns" });
  const hint = el("p", { class: "soft" });
  const examples = el("div"); // until something was asked
  let threads = [];

  const boxes = () => [...choice.querySelectorAll("input")];
  const chosen = () => context.models.filter((_, i) => boxes()[i]?.checked);
  const settings = settingsButton(chosen);
  const training = makeTrainingNote(context, chosen);
  const composer = makeComposer({
    label: "The text for all",
    placeholder: "The same text for all of them",
    draft: "minigpt.draft.compare",
    onSend: send,
    onStop: () => threads.forEach((thread) => thread.stop()),
    tools: [settings.button],
  });

  // List the models; those that were there stay chosen or not.
  function drawChoice() {
    const before = new Map(boxes().map((box) => [box.value, box.checked]));
    const chips = context.models.map(({ id }, i) => {
      const checked = before.get(id) ?? i < FIRST_CHOSEN;
      const box = el("input", {
        type: "checkbox",
        id: `compare-${i}`,
        "data-key": id,
        value: id,
        checked,
        onchange: () => {
          settings.describe();
          training.show();
        },
      });
      return el("span", { class: "chip" }, box, el("label", { for: box.id }, id));
    });
    const restoreFocus = rememberFocus(choice);
    fill(choice, el("legend", {}, "Models"), chips);
    restoreFocus();
    choice.hidden = examples.hidden = !chips.length;
    if (!threads.length) {
      fill(
        hint,
        chips.length
          ? "A base model goes on with a text; an assistant answers it. Ask both, and compare."
          : NO_MODEL,
      );
    }
    settings.describe();
  }

  function send(text) {
    const asked = chosen();
    if (!asked.length) {
      fill(hint, context.models.length ? "Choose a model first." : NO_MODEL);
      context.announce(hint.textContent);
      return false;
    }
    fill(hint, "Asked: ", el("q", {}, text));
    fill(examples);
    threads = [];
    fill(
      columns,
      asked.map((model) => column(model)),
    );
    threads.forEach((thread) => thread.say(text));
    return true;
  }

  function column(model) {
    const { assistant, parameters, n_layer, n_head } = model.minigpt;
    const list = el("ol", { class: "thread" });
    const onChange = () => composer.setRunning(threads.some((thread) => thread.running()));
    threads.push(
      makeThread(list, newConversation(), { context, model: () => model, onChange, chat: false }),
    );
    return el(
      "section",
      { class: "column", "aria-label": model.id },
      el("h2", {}, model.id),
      el(
        "p",
        { class: "soft small number" },
        assistant ? "assistant" : "base model",
        ` · ${(parameters / 1e6).toFixed(1)} M parameters · ${n_layer} layers of ${n_head} heads`,
      ),
      list,
    );
  }

  fill(
    root,
    el(
      "div",
      { class: "compare" },
      el("div", { class: "ask" }, choice, composer.element, hint, training.element, examples),
      columns,
    ),
  );
  async function drawExamples() {
    const asked = context.suggestions;
    const found = await asked;
    if (threads.length || asked !== context.suggestions) return;
    const [question] = suggested("assistant", found).slice(found.known ? 1 : 0);
    const [beginning] = suggested("base", found);
    const ask = (text) => send(text) && composer.focus();
    const both = [
      [question[0], "A question: which of them answers it?"],
      [beginning[0], "The beginning of a text: which of them goes on with it?"],
    ];
    const restoreFocus = rememberFocus(examples);
    fill(examples, suggestionList(both, ask));
    restoreFocus();
  }

  drawChoice();
  drawExamples();
  window.addEventListener("models", () => {
    drawChoice();
    drawExamples();
  });
  return {
    show() {
      composer.fit();
      training.show();
    },
    hide: training.hide,
  };
}
