// Text that hides nothing: white space and control characters get a mark, bytes are written in
// hexadecimal. Text is only ever put into the page as text, never as HTML.

import { el } from "./dom.js";

const MARKS = new Map([[" ", "·"], ["\t", "→"], ["\n", "↵"], ["\u00a0", "⍽"]]);

// White space, control characters, and what neither has a width nor shapes its neighbours.
const UNSEEN = /([\s\p{Cc}\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069])/u;

const code = (c) => "U+" + c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");

// Put text into an element. A mark is drawn by the style, so that it is never copied.
export function write(element, text) {
  // Accents and joiners belong to the letter before them; without one they are marked, too.
  const alone = /^[\p{Cf}\p{M}]+$/u.test(text);
  for (const part of alone ? text : text.split(UNSEEN)) {
    if (!alone && !UNSEEN.test(part)) {
      element.append(part);
      continue;
    }
    const mark = MARKS.get(part);
    element.append(el("i", { class: mark ? "space" : "unseen", "data-mark": mark ?? code(part) }, part));
  }
  return element;
}

// The UTF-8 bytes of a text: "E2 82 AC" of "€".
export function hex(text) {
  const bytes = new TextEncoder().encode(text);
  return Array.from(bytes, (byte) => byte.toString(16).toUpperCase().padStart(2, "0")).join(" ");
}

// A text in one line, as it is said aloud: a newline is "newline", not a pause.
export function spoken(text) {
  const names = { " ": "space", "\n": "newline", "\t": "tab" };
  if (text in names) return names[text];
  return "“" + text.replaceAll("\n", "↵").replaceAll("\t", "→") + "”";
}

// The hue of a token, in degrees: the same id has the same colour wherever it stands, and ids that
// follow each other differ much (steps by the golden angle).
export const hue = (id) => Math.round((id * 137.508) % 360);
