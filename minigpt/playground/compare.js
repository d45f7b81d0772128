// Side by side: the same text to several models at once. How their answers differ is the first
// lesson: what pretraining gives, and what fine-tuning makes of it.

import { makeComposer } from "./composer.js";
import { newConversation } from "./conversation.js";
import { el, fill } from "./dom.js";
import { settingsButton } from "./settings.js";
import { makeThread } from "./thread.js";

export function mount(root, context) {
  const boxes = context.models.map((model, i) =>
    el("input", { type: "checkbox", id: `compare-${i}`, value: model.id, checked: i < 3 }),
  );
  const choice = el(
    "fieldset",
    { class: "choice" },
    el("legend", {}, "Models"),
    context.models.map((model, i) =>
      el("span", { class: "chip" }, boxes[i], el("label", { for: `compare-${i}` }, model.id)),
    ),
  );
  const columns = el("div", { class: "columns" });
  const hint = el("p", { class: "soft" });
  let threads = [];

  const composer = makeComposer({
    label: "The text for all",
    placeholder: "The same text for all of them",
    onSend: send,
    onStop: () => threads.forEach((thread) => thread.stop()),
    tools: [settingsButton()],
  });

  function send(text) {
    const chosen = context.models.filter((_, i) => boxes[i].checked);
    if (!chosen.length) {
      fill(
        hint,
        context.models.length ? "Choose a model first." : "There is no model yet: run make train.",
      );
      context.announce(hint.textContent);
      return false;
    }
    fill(hint, "Asked: ", el("q", {}, text));
    threads = [];
    fill(
      columns,
      chosen.map((model) => column(model)),
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
      el("div", { class: "ask" }, choice, composer.element, hint),
      columns,
    ),
  );
  fill(hint, "A base model goes on with a text; an assistant answers it. Ask both, and compare.");
  return { show() {}, hide() {} };
}
