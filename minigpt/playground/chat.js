// The chat: saved conversations at the side, the thread of one of them, and where to write.

import { makeComposer } from "./composer.js";
import { newConversation, path, titleOf } from "./conversation.js";
import { el, fill } from "./dom.js";
import * as saved from "./saved.js";
import { settingsButton } from "./settings.js";
import { makeSidebar } from "./sidebar.js";
import { makeThread } from "./thread.js";

const LAST = "minigpt.last"; // the id of the conversation that was open
// what to try, and what it shows; the names are of the pages that `make train` reads by default
const SUGGESTIONS = {
  assistant: [
    ["Who are you?", "It was taught to say."],
    ["What is the module heapq for?", "A name from the pages it read."],
    ["What is the module blorptastic for?", "A name that does not exist: does it say so?"],
    ["Why is the sky blue?", "Nothing of this was in its pages."],
  ],
  base: [
    ["Module heapq:", "The beginning of a page."],
    ["class Thread(", "The beginning of a program."],
    ["What is the module heapq for?", "A question; but it answers none."],
  ],
};

export function mount(root, context) {
  let conversation = saved.load(localStorage.getItem(LAST)) ?? newConversation();
  let thread = null;

  const threads = new Map(); // conversation -> {thread, list}: an answer may go on in the background
  const room = el("div", { class: "room" });
  const empty = el("div", { class: "empty" });
  const warning = el("div");
  const picker = modelPicker(context, () => change(picker.value));
  const system = systemPrompt(
    () => conversation,
    () => save(),
  );
  const composer = makeComposer({
    label: "Message",
    placeholder: "Ask something",
    onSend: (text) => (model() ? void thread.say(text) : false),
    onStop: () => thread.stop(),
    tools: [picker, settingsButton(), system.button],
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
  }

  function open(other, { quietly = false } = {}) {
    conversation = other;
    picker.value = context.models.some((each) => each.id === other.model)
      ? other.model
      : picker.value;
    conversation.model ??= picker.value;
    localStorage.setItem(LAST, conversation.id);
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
    composer.input.focus();
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

  function save(which = conversation) {
    if (path(which).length && !which.deleted) {
      which.title ||= titleOf(which);
      const fits = saved.save(which);
      fill(
        warning,
        !fits &&
          el(
            "p",
            { class: "problem" },
            "The browser has no room left: this conversation is not saved. Export, then delete some.",
          ),
      );
    }
    sidebar.render();
  }

  // What is seen where nothing was said yet: what can be expected of this model.
  function describe() {
    const chosen = model();
    composer.input.placeholder =
      chosen && !chosen.minigpt.assistant ? "Begin a text; the model goes on" : "Ask something";
    empty.hidden = path(conversation).length > 0;
    if (!empty.hidden)
      fill(empty, chosen ? welcome(chosen, (text) => thread.say(text)) : nothingToTalkTo(context));
  }

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
        warning,
        el(
          "div",
          { class: "bottom" },
          system.element,
          composer.element,
          el("p", { class: "soft small under" }, "A small model: what it says may be invented."),
        ),
      ),
    ),
  );
  picker.value = conversation.model ?? picker.value;
  if (!picker.value) picker.selectedIndex = 0;
  open(conversation, { quietly: true });
  // an answer that is still coming when the page is left
  window.addEventListener("pagehide", () => thread.running() && save());
  let first = true;
  return {
    show() {
      if (first) window.scrollTo(0, document.documentElement.scrollHeight); // to what was said last
      first = false;
    },
    hide() {},
  };
}

function modelPicker({ models }, onchange) {
  // an assistant first: it is what a newcomer expects to find
  const sorted = [...models].sort((a, b) => b.minigpt.assistant - a.minigpt.assistant);
  return el(
    "select",
    { "aria-label": "Model", class: "picker", onchange, hidden: !models.length },
    sorted.map(({ id, minigpt }) =>
      el("option", { value: id }, minigpt.assistant ? id : `${id} (base model)`),
    ),
  );
}

// What the system says stands before the conversation, and the model was trained to heed it.
function systemPrompt(conversation, onChange) {
  const input = el("textarea", {
    id: "system",
    rows: 2,
    placeholder: "For instance: Answer in one word.",
  });
  const element = el(
    "div",
    { class: "system", hidden: true },
    el("label", { for: "system" }, "System prompt"),
    el(
      "p",
      { class: "soft small" },
      "Said to the model before the conversation. A model this small hardly heeds it.",
    ),
    input,
  );
  const label = el("span", { class: "values" });
  const button = el(
    "button",
    {
      type: "button",
      class: "quiet",
      "aria-expanded": "false",
      onclick: () => {
        element.hidden = !element.hidden;
        button.setAttribute("aria-expanded", !element.hidden);
        if (!element.hidden) input.focus();
      },
    },
    "System",
    label,
  );
  const name = () => fill(label, conversation().system.trim() ? " prompt: on" : " prompt");
  input.addEventListener("change", () => {
    conversation().system = input.value;
    name();
    onChange();
  });
  const show = () => {
    input.value = conversation().system;
    name();
  };
  return { element, button, show };
}

function welcome({ id, minigpt }, say) {
  const size = `${(minigpt.parameters / 1e6).toFixed(1)} million parameters, and sees ${minigpt.n_positions} tokens at a time`;
  const can = minigpt.assistant
    ? "It can answer questions about the names in the pages it was trained on, briefly, and sometimes says that it does not know. It cannot reason, calculate or remember what is more than a few sentences back; and it invents with confidence."
    : "It has read pages and can go on with a text in their manner. It does not answer, and means nothing by what it says.";
  const suggestions = SUGGESTIONS[minigpt.assistant ? "assistant" : "base"];
  return [
    el(
      "p",
      { class: "hello" },
      minigpt.assistant
        ? "Talk to a model that was made on this machine"
        : "Begin a text, and watch it go on",
    ),
    el("p", { class: "soft" }, el("b", {}, id), ` has ${size}. `, can),
    el(
      "ul",
      { class: "suggestions" },
      suggestions.map(([text, about]) =>
        el(
          "li",
          {},
          el(
            "button",
            { type: "button", onclick: () => say(text) },
            el("span", {}, text),
            el("span", { class: "soft small" }, about),
          ),
        ),
      ),
    ),
    el(
      "p",
      { class: "soft small" },
      "Press “Show tokens” beneath an answer to see how sure the model was of each piece, and what else it might have said.",
    ),
  ];
}

function nothingToTalkTo({ problem }) {
  return [
    el(
      "p",
      { class: "hello" },
      problem ? "The models could not be listed" : "There is no model yet",
    ),
    el(
      "p",
      { class: "soft" },
      problem ?? [
        "Run ",
        el("code", {}, "make train"),
        " (a quarter of an hour), then ",
        el("code", {}, "make chat"),
        " again. The training view shows how far it is.",
      ],
    ),
    el(
      "p",
      {},
      el(
        "button",
        { type: "button", class: "main", onclick: () => location.reload() },
        "Look again",
      ),
    ),
  ];
}

// On a phone the list of conversations is a dialog; else it stands at the side.
function makeDrawer(content) {
  const aside = el("aside", { "aria-label": "Saved conversations" }, content);
  const dialog = el("dialog", { class: "drawer", "aria-label": "Saved conversations" });
  const closing = el(
    "button",
    { type: "button", class: "quiet", onclick: () => dialog.close() },
    "Close",
  );
  const button = el(
    "button",
    {
      type: "button",
      class: "quiet",
      onclick: () => {
        fill(dialog, closing, content);
        document.body.append(dialog);
        dialog.showModal();
      },
    },
    "Conversations",
  );
  dialog.addEventListener("close", () => {
    aside.append(content);
    dialog.remove();
  });
  return { aside, button, close: () => dialog.open && dialog.close() };
}
