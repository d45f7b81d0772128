// The list of saved conversations: open, rename, delete with a way back, export, import.

import { isComposing } from "./composer.js";
import { mentions, newConversation, titleOf } from "./conversation.js";
import { el, fill, iconButton } from "./dom.js";
import * as saved from "./saved.js";

const TO_FILE = "Write all conversations to a file";
const FROM_FILE = "Add the conversations of such a file";
const SEARCHED_FROM = 8; // fewer are seen at a glance

// Make it: {element, render()}. `current()` gives the conversation that is open;
// `onOpen(conversation)` opens another.
export function makeSidebar({ announce, current, onOpen }) {
  const entries = el("ul", { class: "conversations" });
  const search = el("input", {
    type: "search",
    class: "search small",
    placeholder: "Search",
    "aria-label": "Search conversations",
    oninput: render,
    onchange: () => announce(`Found: ${entries.querySelectorAll(".open").length}.`),
  });
  const message = el("div");
  const file = el("input", {
    type: "file",
    accept: ".jsonl,.json",
    hidden: true,
    onchange: importFile,
  });
  const quiet = { type: "button", class: "quiet" };
  const element = el(
    "div",
    { class: "sidebar" },
    el(
      "button",
      { type: "button", class: "new", onclick: begin },
      "New conversation",
    ),
    search,
    message,
    entries,
    el(
      "p",
      { class: "buttons small" },
      el("button", { ...quiet, onclick: exportAll, title: TO_FILE }, "Export"),
      el("button", { ...quiet, onclick: () => file.click(), title: FROM_FILE }, "Import"),
      file,
    ),
    el("p", { class: "soft small" }, "Kept in this browser, on this machine."),
  );

  function render() {
    if (entries.querySelector("input")) return; // a title is being written
    const focused = entries.contains(document.activeElement) && document.activeElement.dataset.key;
    const all = saved.list();
    const text = search.value.trim().toLowerCase();
    search.hidden = all.length < SEARCHED_FROM && !text;
    const found = all.filter((conversation) => mentions(conversation, text));
    const none = all.length ? "No conversation says this." : "What you ask will be listed here.";
    fill(entries, found.length ? found.map(entry) : el("li", { class: "soft small none" }, none));
    if (focused) focus(focused);
  }

  function begin() {
    search.value = ""; // what is new would not be listed
    onOpen(newConversation());
  }

  // Save, or say that there is no room.
  function save(conversation) {
    if (saved.save(conversation)) return;
    fill(message, el("p", { class: "problem small" }, saved.NO_ROOM));
    announce(saved.NO_ROOM);
  }

  const focus = (key) => entries.querySelector(`[data-key="${key}"]`)?.focus();

  function entry(conversation) {
    const { id, title } = conversation;
    return el(
      "li",
      {},
      el(
        "button",
        {
          type: "button",
          class: "open",
          "data-key": id,
          onclick: () => onOpen(conversation),
          "aria-current": current().id === id && "true",
        },
        el("span", {}, title),
      ),
      iconButton(
        "edit",
        `Rename “${title}”`,
        (event) => rename(conversation, event.currentTarget.parentElement),
        { "data-key": `${id}-rename` },
      ),
      iconButton("remove", `Delete “${title}”`, () => remove(conversation), {
        "data-key": `${id}-remove`,
      }),
    );
  }

  function rename(conversation, item) {
    const input = el("input", { "aria-label": "New title", maxlength: 100 });
    input.value = conversation.title;
    let over = false;
    const done = (keep) => {
      if (over) return; // removing the input takes its focus, which calls this again
      over = true;
      if (keep) {
        conversation.title = input.value.trim() || titleOf(conversation);
        save(conversation);
      }
      const focused = document.activeElement === input;
      input.remove();
      render();
      if (focused) focus(conversation.id);
    };
    input.addEventListener("keydown", (event) => {
      if (!["Enter", "Escape"].includes(event.key) || isComposing(event)) return;
      event.preventDefault(); // or Enter would press the button that gets the focus
      done(event.key === "Enter");
    });
    input.addEventListener("blur", () => done(true));
    fill(item, input);
    input.focus();
    input.select();
  }

  function remove(conversation) {
    saved.remove(conversation.id);
    conversation.deleted = true; // an answer that still comes must not save it again
    for (const node of conversation.nodes) node.controller?.abort();
    if (current().id === conversation.id) onOpen(newConversation(), { quietly: true });
    render();
    const undo = el(
      "button",
      {
        type: "button",
        class: "link",
        onclick: () => {
          delete conversation.deleted;
          fill(message);
          save(conversation);
          onOpen(conversation);
        },
      },
      "Undo",
    );
    fill(
      message,
      el("p", { class: "undo small" }, el("span", {}, `Deleted “${conversation.title}”.`), undo),
    );
    announce(`Deleted ${conversation.title}. It can be undone.`);
    undo.focus();
  }

  function exportAll() {
    const text = saved.toLines(saved.list());
    if (!text)
      return fill(message, el("p", { class: "problem small" }, "There is nothing to export yet."));
    const url = URL.createObjectURL(new Blob([text], { type: "application/jsonl" }));
    const link = el("a", { href: url, download: "conversations.jsonl" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
    announce("Exported.");
  }

  async function importFile() {
    try {
      const conversations = saved.fromLines(await file.files[0].text());
      const full = conversations.findIndex((conversation) => !saved.save(conversation));
      const kept = full < 0 ? conversations.length : full;
      for (const { id } of conversations.slice(kept)) saved.remove(id);
      const missing = conversations.length - kept;
      search.value = ""; // what came would not all be listed
      const n = `${kept} conversation${kept === 1 ? "" : "s"}`;
      fill(
        message,
        el(
          "p",
          { class: "small" },
          `Imported ${n}.`,
          missing > 0 && ` There was no room for ${missing} more.`,
        ),
      );
      announce(`Imported ${n}.`);
    } catch (error) {
      fill(message, el("p", { class: "problem small" }, error.message));
      announce(error.message);
    }
    file.value = ""; // so that the same file can be chosen again
    render();
  }

  return { element, render };
}
