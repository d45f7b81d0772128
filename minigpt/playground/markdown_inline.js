// What stands within a line of Markdown: code, emphasis, links. See markdown.js for the rest.
//
// One pass over the pieces of the line. At most one emphasis of each kind is open at a time, so
// closing one never has to look back far; what is never closed is shown as it was written.

import { el } from "./dom.js";

// Each alternative reads on to the next character that it may not hold, and no two can begin at the
// same one; so the time is linear. A mark that opens nothing falls through and is text.
const PIECE = new RegExp(
  [
    /\\([!-/:-@[-`{-~])/, //                            1  escaped punctuation
    /(?<!`)(`+)([^`\n]+)\2(?!`)/, //                   2, 3  code between as many backticks
    /\[([^[\]\n]*)\]\(([^()\s]*)\)/, //                 4, 5  a link: its text and its address
    /(https?:\/\/[^\s<>"'`*|()[\]]*[^\s<>"'`*|()[\].,;:!?])/, //  6  an address by itself
    // of ***both*** the weaker mark is the outer one, so that the ends come in their order
    /((?<!\S)(?:\*(?=\*\*[^\s*])|_(?=__[^\s_]))|\*\*|__|~~|\*|_)/, //  7  a mark of emphasis
  ]
    .map((part) => part.source)
    .join("|"),
  "g",
);
const TAGS = { "**": "strong", __: "strong", "*": "em", _: "em", "~~": "del" };
const WORD = /[\p{L}\p{N}]/u;

// Give the nodes of a text that holds no blocks.
export function inline(text) {
  const open = [{ mark: null, nodes: [] }]; // the emphases around this place, the innermost last
  const put = (...nodes) => open.at(-1).nodes.push(...nodes);
  let end = 0;
  for (const piece of text.matchAll(PIECE)) {
    if (piece.index > end) put(text.slice(end, piece.index));
    end = piece.index + piece[0].length;
    const [whole, escaped, , code, label, address, bare, mark] = piece;
    if (escaped !== undefined) put(escaped);
    else if (code !== undefined) put(el("code", {}, code));
    else if (label !== undefined) put(link(address, label, whole));
    else if (bare !== undefined) put(link(bare, bare, whole));
    else emphasis(open, mark, text[piece.index - 1] ?? " ", text[end] ?? " ");
  }
  put(text.slice(end));
  while (open.length > 1) closeAsText(open);
  return open[0].nodes;
}

// A mark closes its emphasis, or begins one, or is text: 3 * 4, snake_case.
function emphasis(open, mark, before, after) {
  const place = open.findLastIndex((each) => each.mark === mark);
  const isEmpty = place === open.length - 1 && !open[place].nodes.length; // ****, as of a password
  const insideWord = mark.startsWith("_") && WORD.test(before) && WORD.test(after);
  if (place > 0 && before.trim() && !insideWord && !isEmpty) {
    while (open.length > place + 1) closeAsText(open);
    const { nodes } = open.pop();
    open.at(-1).nodes.push(el(TAGS[mark], {}, nodes));
  } else if (place < 0 && after.trim() && !insideWord) open.push({ mark, nodes: [] });
  else open.at(-1).nodes.push(mark);
}

function closeAsText(open) {
  const { mark, nodes } = open.pop();
  const parent = open.at(-1).nodes;
  parent.push(mark);
  for (const node of nodes) parent.push(node);
}

// Anything but http and https would let a text run scripts or open files: it stays text.
function link(address, label, whole) {
  let url;
  try {
    url = new URL(address);
  } catch {
    return whole;
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") return whole;
  return el(
    "a",
    { href: url.href, target: "_blank", rel: "noopener noreferrer", title: url.href },
    label || url.href,
  );
}
