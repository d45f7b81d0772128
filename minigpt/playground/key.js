// The key of a server that is not on this machine (serve --host ... --api-key ...): asked for once,
// kept until the browser's tab is closed.

import { el } from "./dom.js";

const KEY = "minigpt.key"; // in sessionStorage, which this tab of the browser alone has
let key = null;
try {
  key = sessionStorage.getItem(KEY);
} catch {
  // where nothing may be kept, it is asked for once a page
}
let asking = null; // a promise while the dialog is open: several requests may be refused at once

// Give the headers that show the key, if there is one.
export const authorization = () => (key ? { Authorization: `Bearer ${key}` } : {});

// Ask for the key; give whether there is one now.
export function askForKey() {
  asking ??= new Promise((resolve) => {
    const input = el("input", {
      type: "password",
      id: "key",
      autocomplete: "off",
      required: true,
      pattern: "\\s*[!-~]+\\s*", // what a header can hold, and what the server lets a key be
      title: "A key is of ASCII characters, without blanks.",
    });
    const form = el(
      "form",
      { method: "dialog" },
      el("h2", { id: "key-title" }, "This server wants a key"),
      key && el("p", { class: "problem" }, "That key was refused."),
      el("p", {}, "It is what was given as --api-key, or in MINIGPT_API_KEY, when it was started."),
      el("label", { for: "key" }, "Key"),
      input,
      el(
        "p",
        { class: "buttons" },
        el("button", { value: "ok", class: "main" }, "Use it"),
        el("button", { type: "button", onclick: () => dialog.close() }, "Cancel"),
      ),
    );
    const dialog = el("dialog", { "aria-labelledby": "key-title" }, form);
    dialog.addEventListener("close", () => {
      if (dialog.returnValue === "ok") keep(input.value.trim());
      dialog.remove();
      asking = null;
      resolve(dialog.returnValue === "ok");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
  return asking;
}

function keep(text) {
  key = text;
  try {
    sessionStorage.setItem(KEY, key);
  } catch {
    // see above
  }
}
