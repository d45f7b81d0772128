// On a phone the list of conversations is a dialog; else it stands at the side.

import { el, fill } from "./dom.js";

// Make it of its content: {aside, button that opens the dialog, close()}.
export function makeDrawer(content) {
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
