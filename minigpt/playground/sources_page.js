// The cleaned text of a crawled page, as the model read it, in a dialog with a span marked.

import { el } from "./dom.js";
import { address } from "./sources.js";

// Show a page {url, title, text, start, end}; start and end are in code points.
export function showPage({ url, title, text, start, end }) {
  const characters = [...text];
  const part = (from, to) => characters.slice(from, to).join("");
  const mark = el("mark", { tabindex: "-1" }, part(start, end));
  const close = el("button", { type: "button" }, "Close");
  const dialog = el("dialog", { class: "page-text", "aria-label": `The text of ${title || url}` },
    el("header", {}, el("h2", {}, address(url, title)), close),
    el("p", { class: "soft" }, "As it was cleaned, which is how the model read it."),
    // it scrolls by itself, so the keyboard must reach it
    el("div", { class: "document", tabindex: "0", role: "region", "aria-label": "Text" },
      part(0, start), mark, part(end)));
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  mark.scrollIntoView({ block: "center" });
  mark.focus({ preventScroll: true });
}
