// The chat: saved conversations at the side, the thread of one of them, and where to write.

import { makeComposer } from "./composer.js";
import { newConversation, path, titleOf } from "./conversation.js";
import { el, fill } from "./dom.js";
import { makeDrawer } from "./drawer.js";
import { rememberFocus } from "./focus.js";
import { makeNames } from "./names.js";
import { endsWithAnswer, nextQuestions } from "./next_questions.js";
import * as saved from "./saved.js";
import { settingsButton } from "./settings.js";
import { makeSidebar } from "./sidebar.js";
import * as storage from "./storage.js";
import { makeSystemPrompt } from "./system_prompt.js";
import { makeThread, nearEnd, toEnd } from "./thread.js";
import { makeTrainingNote } from "./training_note.js";
import { nothingToTalkTo, welcome } from "./welcome.js";

const LAST = "minigpt.last"; // the id of the conversation that was open
const SAVE_EVERY_MS = 5000; // an answer that is being written

export function mount(root, context) {
  let conversation = saved.load(storage.readOfTab(LAST)) ?? newConversation();
  let thread = null;

  const threads = new Map(); // conversation -> {thread, list}; those not seen go on writing
  const room = el("div", { class: "room" });
  const next = el("div", { class: "next", role: "group", "aria-label": "What to ask next" });
  const empty = el("div", { class: "empty" });
  const warning = el("div");
  const picker = el("select", {
    "aria-label": "Model",
    class: "picker",
    onchange: () => change(picker.value),
    onfocus: context.findModels,
  });
  let suggestions = {};
  const system = makeSystemPrompt(
    () => conversation,
    () => save(),
  );
  const settings = settingsButton(() => [model()].filter(Boolean));
  const names = makeNames(suggest);
  const composer = makeComposer({
    label: "Message",
    placeholder: "Ask something",
    draft: "minigpt.draft.chat",
    onSend: (text) => (model() ? void thread.say(text) : false),
    onStop: () => thread.stop(),
    tools: [picker, settings.button, system.button, names.button],
  });
  const sidebar = makeSidebar({
    announce: context.announce,
    current: () => conversation,
    onOpen: open,
  });

  const model = () => context.models.find((each) => each.id === picker.value);

  function change(name) {
    conversation.model = name;
    describe();
    save();
    training.show();
  }

  function open(other, { quietly = false } = {}) {
    conversation = other;
    picker.value = context.models.some((each) => each.id === other.model)
      ? other.model
      : picker.value;
    conversation.model ??= picker.value;
    storage.writeOfTab(LAST, conversation.id);
    if (!threads.has(other)) {
      const list = el("ol", { class: "thread" });
      const onChange = () => changed(other);
      threads.set(other, { list, thread: makeThread(list, other, { context, model, onChange }) });
    }
    thread = threads.get(other).thread;
    fill(room, threads.get(other).list);
    system.show();
    refresh();
    sidebar.render();
    if (quietly) return;
    drawer.close();
    composer.focus();
    if (path(conversation).length) toEnd(); // to what was said last
    else window.scrollTo(0, 0); // the welcome is read from its beginning
  }

  // Something was said, or an answer came to its end.
  function changed(which) {
    save(which);
    if (which === conversation && thread) refresh();
  }

  function refresh() {
    composer.setRunning(thread.running() !== null);
    describe();
  }

  // What may be asked next is beneath the last answer.
  function offerNext(taught) {
    const follow = nearEnd();
    const button = (text, onclick) => el("button", { type: "button", onclick }, text);
    const questions = nextQuestions(conversation, taught);
    fill(next, questions.map((text) => button(text, () => suggest(text))));
    // "Ask me about one by its name", it may have said: which are there?
    if (!questions.length && taught.length && endsWithAnswer(conversation)) {
      next.append(button("Names that it was taught", names.open));
    }
    if (follow && next.firstChild && root.offsetParent) toEnd();
  }

  function save(which = conversation) {
    if (path(which).length && !which.deleted) {
      which.title ||= titleOf(which);
      const fits = saved.save(which);
      if (which === conversation) storage.writeOfTab(LAST, which.id); // a copy has another one
      fill(warning, !fits && el("p", { class: "problem" }, saved.NO_ROOM));
    }
    sidebar.render();
  }

  function saveRunning() {
    for (const [each, { thread }] of threads) if (thread.running()) save(each);
  }

  // Another tab has written: show what it wrote, unless this one is at work on the same.
  function look() {
    const other = saved.load(conversation.id);
    const busy = thread.running() || room.querySelector("form");
    if (!other || other === conversation || busy) return sidebar.render();
    threads.delete(conversation);
    open(other, { quietly: true });
  }

  // What is seen where nothing was said yet: what can be expected of this model.
  function describe() {
    const chosen = model();
    settings.describe();
    system.offer(!chosen || chosen.minigpt.assistant);
    const taught = (chosen?.minigpt.assistant && suggestions.taught) || [];
    names.offer(taught);
    offerNext(taught);
    composer.input.placeholder =
      chosen && !chosen.minigpt.assistant ? "Begin a text; the model goes on" : "Ask something";
    empty.hidden = path(conversation).length > 0;
    if (empty.hidden) return;
    const restoreFocus = rememberFocus(empty);
    fill(
      empty,
      chosen ? welcome(chosen, suggestions, suggest, names.open) : nothingToTalkTo(context),
    );
    restoreFocus();
  }

  function suggest(text) {
    thread.say(text);
    composer.focus(); // the button that was pressed is there no more
  }

  const training = makeTrainingNote(context, () => [model()].filter(Boolean));
  const bottom = el(
    "div",
    { class: "bottom" },
    system.element,
    composer.element,
    training.element,
    el("p", { class: "soft small under" }, "A small model: what it says may be invented."),
  );
  // what must not lie behind it has to know its height; that is 0 while another view is seen
  const tellHeight = () =>
    document.documentElement.style.setProperty("--bottom", `${bottom.offsetHeight}px`);
  new ResizeObserver(tellHeight).observe(bottom);
  const drawer = makeDrawer(sidebar.element);
  fill(
    root,
    el(
      "div",
      { class: "chat" },
      drawer.aside,
      el(
        "div",
        { class: "talk" },
        el("div", { class: "phone-row" }, drawer.button),
        el("h2", { class: "for-ears" }, "Conversation"),
        empty,
        room,
        next,
        warning,
        bottom,
      ),
    ),
  );
  fillPicker(picker, context.models, conversation.model);
  open(conversation, { quietly: true });
  async function suggestAnew() {
    const asked = context.suggestions;
    const found = await asked;
    if (asked !== context.suggestions) return; // there are other models by now
    suggestions = found;
    describe();
  }

  suggestAnew();
  window.addEventListener("models", () => {
    fillPicker(picker, context.models, picker.value || conversation.model);
    describe();
    suggestAnew();
  });
  // what has come of an answer is kept however the page is left
  window.addEventListener("pagehide", saveRunning);
  setInterval(saveRunning, SAVE_EVERY_MS);
  window.addEventListener("forgotten", () => threads.forEach(({ thread }) => thread.update()));
  window.addEventListener("storage", ({ key }) => saved.changedElsewhere(key) && look());
  let first = true;
  return {
    show() {
      composer.fit();
      if (first && path(conversation).length) toEnd();
      first = false;
      training.show();
    },
    hide: training.hide,
  };
}

// List the models, with `chosen` as the chosen one if it is among them.
function fillPicker(picker, models, chosen) {
  // an assistant first: it is what a newcomer expects to find
  const sorted = [...models].sort((a, b) => b.minigpt.assistant - a.minigpt.assistant);
  fill(
    picker,
    sorted.map(({ id, minigpt }) =>
      // a phone has no room for more than is needed
      el(
        "option",
        { value: id },
        minigpt.assistant || /\bbase\b/.test(id) ? id : `${id} (base model)`,
      ),
    ),
  );
  picker.hidden = !models.length;
  picker.value = chosen;
  if (!picker.value) picker.selectedIndex = 0;
}
