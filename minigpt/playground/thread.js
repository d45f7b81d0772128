// The messages of a conversation, drawn one beneath the other, and what is done with them: answer,
// answer again, stop, edit, leaf through versions, go on from another token.
//
// The chat shows one thread, the comparison one for each model (`chat` is false: nothing is edited,
// and the page does not scroll to what comes).

import { answerView } from "./answer.js";
import { MODEL_GONE } from "./api.js";
import { ask, branchAt, requestFor } from "./ask.js";
import { add, choose, horizon, messages, parentOf, path, siblings } from "./conversation.js";
import { el, fill } from "./dom.js";
import { rememberFocus } from "./focus.js";
import { questionView } from "./question.js";
import { settingsFor } from "./settings.js";
import { ordinal } from "./tokens.js";

// Make the thread of `conversation` in `root` (an ol). `model()` gives the model that answers;
// `onChange()` is called when something is to be saved or a button to be changed.
export function makeThread(root, conversation, { context, model, onChange, chat = true }) {
  const { api, announce } = context;
  const open = new Map(); // node whose tokens are shown -> the place of the one looked at, or null
  const whole = new Set(); // long questions of which all is shown
  let views = new Map(); // node -> its view
  const limit = el("p", { class: "limit soft small" }); // of what the model saw; see horizon
  let firstOfBase; // the first of the answers that are seen which a base model gave

  const modelOf = (node) => context.models.find((each) => each.id === node.model);

  function render() {
    const restoreFocus = rememberFocus(root);
    views = new Map();
    firstOfBase = path(conversation).find(({ prompt }) => prompt != null);
    fill(
      root,
      path(conversation).map((node) => el("li", { class: node.role }, draw(node))),
    );
    drawLimit();
    restoreFocus();
  }

  // A line where the conversation begins for the model: all that stands above it is forgotten.
  function drawLimit() {
    limit.remove();
    const found = horizon(conversation);
    if (!found) return;
    const size = modelOf({ model: found.model })?.minigpt.n_positions;
    const sees = size
      ? `: it sees ${size.toLocaleString("en")} tokens and keeps up to a third for the answer`
      : "";
    fill(limit, `At the last answer ${found.model} no longer saw what stands above${sees}.`);
    root.children[path(conversation).indexOf(found.node)]?.prepend(limit);
  }

  function draw(node) {
    const beside = siblings(conversation, node);
    const place = beside.indexOf(node);
    const leaf = (by) => {
      choose(conversation, beside[place + by]);
      changed();
      announce(`Version ${place + by + 1} of ${beside.length}.`);
    };
    if (node.role === "user") {
      const edited = (text) => say(text, parentOf(conversation, node));
      const view = { place, of: beside.length, announce, leaf, edited: chat && edited, whole };
      views.set(node, questionView(node, view));
      return views.get(node).elements;
    }
    const question = parentOf(conversation, node);
    const does = {
      leaf,
      again: () => answer(question),
      edit: chat && (() => views.get(question).edit()),
      continueFrom: (i, alternative) => continueFrom(node, i, alternative),
      keepToken: (i) => open.set(node, i),
      showTokens: (whether) => (whether ? open.set(node, null) : open.delete(node)),
    };
    const view = answerView(node, modelOf(node), {
      api,
      announce,
      place,
      of: beside.length,
      lesson: node === firstOfBase,
      open: open.has(node),
      at: open.get(node),
      does,
    });
    views.set(node, view);
    const name = node.model ?? "Assistant";
    return [el("h3", { class: "who small" }, name), view.element];
  }

  // Say something after `parent`, by default after the last message, and have it answered.
  function say(text, parent = path(conversation).at(-1) ?? null) {
    stop();
    return answer(add(conversation, parent, "user", text));
  }

  // Have a question answered, perhaps beside answers that it has.
  function answer(question) {
    stop();
    // one that broke off has not been said: the same may come again, whole
    const earlier = conversation.nodes.filter(
      ({ parent, finish }) => parent === question.id && finish !== "broken",
    ).length;
    const node = add(conversation, question, "assistant", "");
    if (!model())
      return fail(node, "There is no model to ask. Run make train, then choose it.");
    const drawn = settingsFor(model());
    // the same settings and the same seed would only say the same again
    if (earlier && drawn.temperature === 0) {
      drawn.temperature = 0.7;
      node.note = "Drawn at temperature 0.7, since 0 would say the same again. ";
    }
    if (earlier && drawn.seed !== null) drawn.seed += earlier;
    return run(node, requestFor(model(), messages(conversation, question), drawn));
  }

  function continueFrom(old, i, alternative) {
    stop();
    const answering = modelOf(old);
    const node = add(conversation, parentOf(conversation, old), "assistant", "");
    if (!answering) return fail(Object.assign(node, { model: old.model }), MODEL_GONE);
    const drawn = settingsFor(answering);
    const request = branchAt(node, old, i, alternative, answering, drawn);
    node.note = `Goes on from another token, the ${ordinal(i + 1)}. `;
    node.temperature = drawn.temperature;
    open.set(node, i);
    if (request) run(node, request);
    else changed();
    root.querySelector(".token.kept")?.focus(); // what was clicked is there no more
  }

  function fail(node, message) {
    Object.assign(node, { finish: "broken", problem: { message, retryable: true } });
    changed();
    announce(message);
  }

  function changed() {
    render();
    onChange();
  }

  async function run(node, request) {
    const controller = (node.controller = new AbortController());
    let scheduled = false;
    const draw = () => {
      scheduled = false;
      // offsetParent: another conversation, or another view, may be what is seen
      const follow = chat && views.has(node) && root.offsetParent && nearEnd();
      views.get(node)?.update();
      if (follow) toEnd();
    };
    // a screen is drawn sixty times a second at most, however fast tokens come
    const onProgress = () => {
      if (!scheduled) requestAnimationFrame(draw);
      scheduled = true;
    };
    const asked = ask(api, node, request, { onProgress, signal: controller.signal });
    changed();
    if (chat && !open.has(node)) toEnd();
    await asked;
    delete node.controller;
    drawLimit();
    if (node.problem?.modelGone) context.findModels();
    draw();
    onChange();
    announce(outcome(node));
  }

  function outcome(node) {
    if (node.problem) return node.problem.message;
    const text = node.content.trim() || "nothing";
    const stopped = node.finish === "stopped" ? ", stopped," : "";
    return `${node.model}${stopped} says: ${text.slice(0, 600)}`;
  }

  const running = () => conversation.nodes.find((node) => node.controller) ?? null;
  const stop = () => running()?.controller.abort();

  // Draw the answers again, of which something was forgotten.
  const update = () => views.forEach((view) => view.update?.());

  render();
  return { say, stop, running, update };
}

// The page is followed while it grows, unless its reader has gone up.
const end = () => document.documentElement.scrollHeight;
export const nearEnd = () => window.innerHeight + window.scrollY > end() - 120;
export const toEnd = () => window.scrollTo(0, end());
