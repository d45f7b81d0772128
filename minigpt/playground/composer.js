// Where a message is written: Enter sends, Shift+Enter begins a line, Escape stops an answer. While
// one is being written the button that sends is the one that stops, so the focus need not move.

import { el, iconButton, relabel } from "./dom.js";
import * as storage from "./storage.js";

// Whether a key belongs to a word that is being composed (Japanese, Chinese, ...), as Enter and
// Escape then do; Safari says so only by 229.
export const isComposing = (event) => event.isComposing || event.keyCode === 229;

// Make it: {element, input, fit(), focus(), setRunning(whether)}. `tools` stand beneath the text;
// under the key `draft` what is not sent yet outlives a reload. Such a draft is shown whole once
// `fit` was called where it is seen.
export function makeComposer({ label, placeholder, draft, onSend, onStop, tools = [] }) {
  let running = false;
  const input = el("textarea", { rows: 1, placeholder, "aria-label": label, enterkeyhint: "send" });
  const button = iconButton("send", "Send", null, { type: "submit", class: "icon send" });
  const element = el(
    "form",
    { class: "composer" },
    input,
    el("div", { class: "row" }, tools, button),
  );

  function send() {
    if (running) return onStop();
    const text = input.value.trim();
    if (!text) return input.focus();
    if (onSend(text) === false) return; // it says itself why not
    input.value = "";
    typed();
  }

  const fit = () => {
    input.style.height = "auto";
    input.style.height = `${Math.min(input.scrollHeight + 2, window.innerHeight / 3)}px`;
  };

  const typed = () => {
    storage.writeHere(draft, input.value);
    fit();
  };

  element.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  input.addEventListener("input", typed);
  input.addEventListener("keydown", (event) => {
    if (isComposing(event)) return;
    if (event.key === "Escape" && running) onStop();
    if (event.key !== "Enter" || event.shiftKey) return;
    event.preventDefault();
    if (!running) send();
  });

  function setRunning(whether) {
    running = whether;
    relabel(button, running ? "stop" : "send", running ? "Stop" : "Send");
  }

  // On a phone the keyboard would hide what is to be read: there the button gets the focus.
  const focus = () =>
    (matchMedia("(pointer: coarse)").matches ? button : input).focus({ preventScroll: true });

  input.value = storage.readHere(draft);
  return { element, input, fit, focus, setRunning };
}
