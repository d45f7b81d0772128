// Markdown -> elements: headings, paragraphs, lists, quotes, code, tables, emphasis, links.
//
// A text is cut into blocks (markdown_blocks.js), and only the blocks that changed are made anew: an
// answer that still comes keeps what was read, selected and focused above. HTML in it is text like
// any other; a link goes to http or https or is none. Time is linear in the length of the text: no
// expression looks twice at the same characters. (A subset: CommonMark 0.31, and tables as GitHub
// writes them.)

import { copyText } from "./clipboard.js";
import { el, fill } from "./dom.js";
import { cellsOf, cut, headingOf, outdent, withoutQuote } from "./markdown_blocks.js";
import { inline } from "./markdown_inline.js";

const DEEPEST = 6; // quotes and lists within each other; below, all is text

// Draw `text` in `root`, reusing the blocks that are there and did not change.
export function renderMarkdown(root, text) {
  const blocks = cut(text.replace(/\r\n?/g, "\n").split("\n"));
  const drawn = [...root.children];
  blocks.forEach((block, i) => {
    const key = `${block.kind} ${block.lines.join("\n")}`;
    if (drawn[i]?.source === key) return;
    const element = MAKE[block.kind](block, 0);
    element.source = key;
    if (drawn[i]) drawn[i].replaceWith(element);
    else root.append(element);
  });
  for (const old of drawn.slice(blocks.length)) old.remove();
}

const textOf = (lines) => inline(lines.map((line) => line.trim()).join("\n"));

const MAKE = {
  paragraph: ({ lines }) => el("p", {}, textOf(lines)),
  rule: () => el("hr"),
  heading({ lines: [line] }) {
    const { level, text } = headingOf(line);
    return el(`h${Math.min(6, 3 + level)}`, {}, inline(text)); // the page's own headings end at h3
  },
  quote({ lines }, depth) {
    const inner = lines.map(withoutQuote);
    const quote = el("blockquote");
    if (depth >= DEEPEST) return fill(quote, el("p", {}, inner.join("\n")));
    return fill(
      quote,
      cut(inner).map((block) => MAKE[block.kind](block, depth + 1)),
    );
  },
  code({ lines, language, indent }) {
    const inner = lines.slice(1).map((line) => outdent(line, indent));
    const code = el("code", {}, inner.join("\n"));
    const copy = el("button", { type: "button", class: "copy-code" }, "Copy");
    copy.addEventListener("click", async () => {
      fill(copy, (await copyText(code.textContent)) ? "Copied" : "Not allowed");
      setTimeout(() => fill(copy, "Copy"), 2000);
    });
    return el(
      "figure",
      { class: "code" },
      el("figcaption", {}, el("span", {}, language || "code"), copy),
      // focusable: it scrolls sideways
      el("pre", { tabindex: 0, role: "group", "aria-label": "Code" }, code),
    );
  },
  list({ items }, depth) {
    const inner = items.map(({ lines }) => (depth < DEEPEST ? cut(lines) : null));
    // with an empty line anywhere between its parts all of the list's texts are paragraphs
    const loose = items.some((item) => item.loose) || inner.some((blocks) => blocks?.loose);
    const list = el(items[0].number === null ? "ul" : "ol", { start: items[0].number });
    const draw = (block) =>
      block.kind === "paragraph" && !loose
        ? textOf(block.lines)
        : MAKE[block.kind](block, depth + 1);
    items.forEach(({ lines }, i) => {
      list.append(el("li", {}, inner[i]?.map(draw) ?? textOf(lines)));
    });
    // the marks stand where the text begins; set last, for it reads them all
    if (depth === 0) list.dir = "auto";
    return list;
  },
  table: ({ lines }) => makeTable(lines),
};

function makeTable([head, delimiter, ...rows]) {
  const sides = cellsOf(delimiter).map((cell) =>
    cell.endsWith(":") ? (cell.startsWith(":") ? "middle" : "end") : null,
  );
  const row = (line, tag) =>
    el(
      "tr",
      {},
      cellsOf(line).map((cell, i) => el(tag, { class: sides[i] }, inline(cell))),
    );
  const table = el(
    "table",
    {},
    el("thead", {}, row(head, "th")),
    el(
      "tbody",
      {},
      rows.map((line) => row(line, "td")),
    ),
  );
  return el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Table" }, table);
}
