// Copying: a button for it, and the text alone.

import { iconButton, relabel } from "./dom.js";

const SHOWN_MS = 2000; // how long a button says that it has copied

// Make a button that copies what `text()` gives.
export function copyButton(name, text, announce) {
  const button = iconButton(
    "copy",
    name,
    async () => {
      const copied = await copyText(text());
      announce(copied ? "Copied." : "The browser does not allow copying.");
      relabel(button, copied ? "check" : "close", copied ? "Copied" : "Copying is not allowed");
      setTimeout(() => relabel(button, "copy", name), SHOWN_MS);
    },
    { "data-key": "copy" },
  );
  return button;
}

// Copy a text; give whether the browser allowed it.
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyByHand(text); // pages of other machines without https have no clipboard of their own
  }
}

function copyByHand(text) {
  const focused = document.activeElement;
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "for-ears";
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  focused?.focus();
  return copied;
}
