// One tokenizer's view of a text: its tokens as boxes with their ids, and how many there are.
//
// The data is a panel as the server makes it: {name, symbols, tokens, special, groups}; a group is
// [text, id] for a token of whole characters, else [text, id, bytes, id, bytes, ...] for a
// character (or more) that only several tokens together spell.

import { el } from "./dom.js";
import { hex, hue, spoken, write } from "./tokenizer_text.js";

const number = (n) => n.toLocaleString("en");
const plural = (n, word) => `${number(n)} ${word}${n === 1 ? "" : "s"}`;

// Draw a panel. `onPoint(token or null)` is called when the pointer or the focus reaches a token;
// returns {element, tokens, mark(start, end)}, where mark highlights what overlaps these bytes.
export function drawPanel(panel, { characters, most, onPoint }) {
  const tokens = [];
  const box = el("div", {
    class: "token-boxes",
    role: "listbox",
    "aria-label": `Tokens of ${panel.name}. Arrow keys go from token to token.`,
  });
  for (const group of panel.groups) box.append(drawGroup(group, new Set(panel.special), tokens));
  tokens.forEach((token, i) => {
    token.place = `token ${number(i + 1)} of ${number(panel.tokens)}`;
    token.element.tabIndex = i === 0 ? 0 : -1;
    token.element.setAttribute("aria-label", describe(token));
  });
  followPointerAndKeys(box, tokens, onPoint);

  const bar = el("div", { class: "length-bar", "aria-hidden": "true" }, el("div", {}));
  bar.firstChild.style.width = `${(100 * panel.tokens) / Math.max(1, most)}%`;
  const ratio = panel.tokens ? (characters / panel.tokens).toFixed(2) : "0";
  const element = el(
    "section",
    { class: "panel", "aria-label": `Tokenizer ${panel.name}` },
    el("header", {},
      el("h3", {}, panel.name),
      el("span", { class: "soft" }, `vocabulary of ${number(panel.symbols)}`)),
    el("p", { class: "figures" },
      el("b", {}, number(panel.tokens)), panel.tokens === 1 ? " token" : " tokens",
      el("span", { class: "soft" }, `${ratio} characters per token`)),
    bar,
    tokens.length ? box : el("p", { class: "soft" }, "No text, no tokens."),
  );

  function mark(start, end) {
    for (const token of tokens) {
      token.element.classList.toggle("near", token.start < end && token.end > start);
    }
  }
  return { element, tokens, mark };
}

// Draw one group and add its tokens: {id, text or null, bytes, start, end (in bytes), element}.
function drawGroup([text, ...parts], special, tokens) {
  function token(id, bytes, shown, whole) {
    const start = tokens.length ? tokens.at(-1).end : 0;
    const element = el("span", { class: "token-box", role: "option", "aria-selected": "false" },
      shown, el("small", {}, String(id)));
    element.style.setProperty("--hue", hue(id));
    element.classList.toggle("special", special.has(id));
    const end = start + bytes.split(" ").length;
    tokens.push({ id, text: whole ? text : null, of: text, bytes, start, end, element });
    return element;
  }

  if (parts.length === 1) {
    const element = token(parts[0], hex(text), write(el("span", { class: "piece" }), text), true);
    // The line breaks after the box that holds the newline, as the text's own line does.
    return text.includes("\n") ? fragment(element, el("span", { class: "break" })) : element;
  }
  const row = el("span", { class: "spelling", role: "presentation" });
  for (let k = 0; k < parts.length; k += 2) {
    const bytes = parts[k + 1];
    row.append(token(parts[k], bytes, el("span", { class: "piece bytes" }, bytes), false));
  }
  const whole = write(el("span", { class: "whole", "aria-hidden": "true" }), text);
  return el("span", { class: "spelled", role: "presentation" }, whole, row);
}

function fragment(...children) {
  const together = document.createDocumentFragment();
  together.append(...children);
  return together;
}

// Say in a line what a token is.
export function describe({ id, text, of, bytes, place }) {
  const size = plural(bytes.split(" ").length, "byte");
  const what = text === null ? `part of ${spoken(of)}` : spoken(text);
  return `${what}, id ${id}, ${size}: ${bytes} (hex), ${place}`;
}

// One stop for the Tab key; inside, the arrow keys (a "roving tabindex", ARIA Authoring Practices).
function followPointerAndKeys(box, tokens, onPoint) {
  const of = (target) => tokens.find((token) => token.element === target.closest(".token-box"));

  function point(token) {
    for (const other of tokens) {
      other.element.setAttribute("aria-selected", String(other === token));
    }
    onPoint(token ?? null);
  }

  box.addEventListener("pointerover", (event) => point(of(event.target)));
  box.addEventListener("pointerleave", () => point(of(document.activeElement)));
  box.addEventListener("focusin", (event) => {
    const token = of(event.target);
    for (const other of tokens) other.element.tabIndex = other === token ? 0 : -1;
    point(token);
  });
  box.addEventListener("focusout", () => point(null));
  box.addEventListener("click", (event) => of(event.target)?.element.focus());
  box.addEventListener("keydown", (event) => {
    const at = tokens.indexOf(of(event.target));
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: tokens.length - 1 }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    tokens[Math.min(tokens.length - 1, Math.max(0, to))].element.focus();
  });
}
