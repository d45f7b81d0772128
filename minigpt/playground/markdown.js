// Markdown -> elements: headings, paragraphs, lists, quotes, code, tables, emphasis, links.
//
// A text is cut into blocks, and only the blocks that changed are made anew: an answer that still
// comes keeps what was read, selected and focused above. HTML in it is text like any other; a link
// goes to http or https or is none. Time is linear in the length of the text: no expression looks
// twice at the same characters. (A subset: CommonMark 0.31, and tables as GitHub writes them.)

import { copyText } from "./clipboard.js";
import { el, fill } from "./dom.js";
import { inline } from "./markdown_inline.js";

const DEEPEST = 6; // quotes and lists within each other; below, all are at the same depth

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

// ---- lines -> blocks: {kind, lines} ----------------------------------------------------------

// `s`: U+2028 is no end of a line here, and a `.` that stopped there would be tried at every place
const FENCE = /^ {0,3}(?:(```+)([^`]*)|(~~~+)(.*))$/s;
const HEADING = /^ {0,3}(#{1,6}) +(.*)$/s;
const RULE = /^ {0,3}(?:(?:\* *){3,}|(?:- *){3,}|(?:_ *){3,})$/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)]) +(.*)$/s;
const QUOTE = /^ {0,3}> ?/;

function cut(lines) {
  const blocks = [];
  let i = 0;
  const take = (kind, belongs, more = {}) => {
    const from = i;
    do i += 1;
    while (i < lines.length && belongs(lines[i]));
    blocks.push({ kind, lines: lines.slice(from, i), ...more });
  };
  while (i < lines.length) {
    const line = lines[i];
    if (!line.trim()) i += 1;
    else if (FENCE.test(line)) {
      const [, ticks, afterTicks, waves, afterWaves] = FENCE.exec(line);
      const [fence, language] = [ticks ?? waves, (afterTicks ?? afterWaves).trim()];
      const closes = (other) =>
        other.trim().startsWith(fence) &&
        !other.trim().slice(fence.length).replaceAll(fence[0], "");
      take("code", (other) => !closes(other), { language });
      i += 1; // the closing fence; while the answer still comes there is none yet
    } else if (HEADING.test(line)) take("heading", () => false);
    else if (RULE.test(line)) take("rule", () => false);
    else if (QUOTE.test(line)) take("quote", (other) => QUOTE.test(other));
    else if (ITEM.test(line)) take("list", (other) => ITEM.test(other) || /^ +\S/.test(other));
    else if (line.includes("|") && isDelimiter(lines[i + 1]))
      take("table", (other) => other.includes("|"));
    else take("paragraph", (other) => other.trim() && !beginsBlock(other));
  }
  return blocks;
}

const beginsBlock = (line) =>
  FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || ITEM.test(line);

// ---- blocks -> elements ----------------------------------------------------------------------

const MAKE = {
  paragraph: ({ lines }) => el("p", {}, inline(lines.map((line) => line.trim()).join("\n"))),
  rule: () => el("hr"),
  heading({ lines: [line] }) {
    const [, marks, text] = HEADING.exec(line);
    // the page's own headings end at h3
    return el(`h${Math.min(6, 3 + marks.length)}`, {}, inline(text.replace(/ #+ *$/, "")));
  },
  quote({ lines }, depth) {
    const inner = lines.map((line) => line.replace(QUOTE, ""));
    const quote = el("blockquote");
    if (depth >= DEEPEST) return fill(quote, el("p", {}, inner.join("\n")));
    return fill(
      quote,
      cut(inner).map((block) => MAKE[block.kind](block, depth + 1)),
    );
  },
  code({ lines, language }) {
    const code = el("code", {}, lines.slice(1).join("\n"));
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
  list: ({ lines }) => makeList(lines),
  table: ({ lines }) => makeTable(lines),
};

// A deeper indentation begins a list within the item; a line without a mark goes on with its item.
function makeList(lines) {
  const open = []; // the lists around this line: {indent, list, item}
  let outermost = null;
  for (const item of items(lines)) {
    while (open.length > 1 && item.indent < open.at(-1).indent) open.pop();
    const top = open.at(-1);
    if (!top || (item.indent > top.indent + 1 && open.length < DEEPEST)) {
      const list = el(item.number === null ? "ul" : "ol", { start: item.number });
      if (top) top.item.append(list);
      else outermost = list;
      open.push({ indent: item.indent, list });
    }
    const element = el("li", {}, inline(item.lines.join("\n")));
    open.at(-1).list.append(element);
    open.at(-1).item = element;
  }
  outermost.dir = "auto"; // the marks stand where the text begins; set last, for it reads them all
  return outermost;
}

function items(lines) {
  const found = [];
  for (const line of lines) {
    const item = ITEM.exec(line);
    if (item) {
      const number = /\d/.test(item[2]) ? parseInt(item[2], 10) : null;
      found.push({ indent: item[1].length, number, lines: [item[3]] });
    } else found.at(-1).lines.push(line.trim());
  }
  return found;
}

const cellsOf = (line) =>
  line
    .trim()
    .replace(/^\|/, "")
    .replace(/\|$/, "")
    .split("|")
    .map((cell) => cell.trim());
const isDelimiter = (line) =>
  !!line?.includes("-") &&
  line.includes("|") &&
  cellsOf(line).every((cell) => /^:?-+:?$/.test(cell));

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
