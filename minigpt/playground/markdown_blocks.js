// Markdown's lines -> blocks: {kind, lines}, of code also `language` and `indent`, of a list `items`.
// Nothing is drawn here, see markdown.js.
//
// A list's item is {number, lines}: its lines without the item's indentation, which are cut into
// blocks again. A line belongs to an item if it is indented as far as the text behind the mark, or
// if it goes on with a paragraph; so code, quotes and lists stand in items as they do elsewhere.
// (CommonMark 0.31, sections 4 and 5, without indented code, setext headings and HTML.)

// `s`: U+2028 is no end of a line here, and a `.` that stopped there would be tried at every place
const FENCE = /^( {0,3})(?:(```+)([^`]*)|(~~~+)(.*))$/s;
const HEADING = /^ {0,3}(#{1,6}) +(.*)$/s;
const RULE = /^ {0,3}(?:(?:\* *){3,}|(?:- *){3,}|(?:_ *){3,})$/;
const ITEM = /^( {0,3})([-*+]|(\d{1,9})[.)])([ \t]*)(.*)$/s;
const QUOTE = /^ {0,3}> ?/;

// Cut lines into blocks; the list has `loose` set where an empty line stands between two of them.
export function cut(lines) {
  const blocks = [];
  let i = 0;
  let gap = false; // since the block before
  const add = (end, block) => {
    blocks.loose ||= gap;
    gap = false;
    blocks.push({ lines: lines.slice(i, end), ...block });
    i = end;
  };
  const take = (kind, belongs) => {
    let end = i + 1;
    while (end < lines.length && belongs(lines[end], end)) end += 1;
    add(end, { kind });
  };
  while (i < lines.length) {
    const line = lines[i];
    if (!line.trim()) {
      gap = blocks.length > 0;
      i += 1;
    } else if (FENCE.test(line)) {
      const { fence, language, indent } = fenceOf(line);
      take("code", (other) => !closes(fence, other));
      Object.assign(blocks.at(-1), { language, indent });
      i += 1; // the closing fence; while the answer still comes there is none yet
    } else if (HEADING.test(line)) take("heading", () => false);
    else if (RULE.test(line)) take("rule", () => false);
    else if (QUOTE.test(line)) add(endOfQuote(lines, i), { kind: "quote" });
    else if (itemOf(line)) {
      const { items, end } = takeItems(lines, i);
      add(end, { kind: "list", items });
    } else if (beginsTable(lines, i)) take("table", (other) => other.includes("|"));
    else
      take(
        "paragraph",
        (other, at) => other.trim() && !interrupts(other) && !beginsTable(lines, at),
      );
  }
  return blocks;
}

// ---- quotes ----------------------------------------------------------------------------------

export const withoutQuote = (line) => line.replace(QUOTE, "");

function endOfQuote(lines, start) {
  let fence = null; // of the code that is open in the quote
  let end = start;
  for (; end < lines.length; end++) {
    const line = lines[end];
    const isMarked = QUOTE.test(line);
    if (!isMarked && (fence || !line.trim() || !goesOn(withoutQuote(lines[end - 1]), line))) break;
    fence = fenceAfter(fence, withoutQuote(line));
  }
  return end;
}

// ---- lists -----------------------------------------------------------------------------------

// Read the items of the list that begins at lines[start]: {items, end}.
function takeItems(lines, start) {
  const items = [];
  let end = start;
  let fence = null; // of the code that is open in the item
  for (let i = start; i < lines.length; i++) {
    const line = lines[i];
    const item = items.at(-1);
    const afterGap = end < i;
    if (!line.trim()) {
      item.lines.push("");
      continue;
    }
    const next = itemOf(line);
    if (item && indentOf(line) >= item.offset) item.lines.push(outdent(line, item.offset));
    else if (next && next.kind === (item ?? next).kind && !RULE.test(line)) {
      if (item) item.loose = afterGap;
      items.push(next);
      fence = null;
    } else if (!afterGap && !fence && goesOn(item.lines.at(-1), line)) item.lines.push(line);
    else break;
    fence = fenceAfter(fence, items.at(-1).lines.at(-1));
    end = i + 1;
  }
  return { items, end };
}

// Read a line as the first one of an item: {kind, number, offset, lines}, or null.
function itemOf(line) {
  const [, indent, mark, number, space, text] = ITEM.exec(line) ?? [];
  if (mark === undefined || (text && !space)) return null;
  // behind five blanks or more the text begins after the first one
  const blanks = text && space.length < 5 ? space.length : 1;
  return {
    kind: mark.at(-1),
    number: number === undefined ? null : Number(number),
    offset: indent.length + mark.length + blanks,
    lines: [text],
  };
}

// Whether a line without indentation or mark goes on with the paragraph that the line before ends.
const goesOn = (before, line) =>
  before.trim() &&
  !interrupts(line) &&
  !itemOf(line) &&
  !FENCE.test(before) &&
  !HEADING.test(before) &&
  !RULE.test(before);

// Columns of white space before a line's text; a tab leads to the next multiple of 4.
function indentOf(line) {
  let columns = 0;
  for (const letter of line) {
    if (letter === "\t") columns += 4 - (columns % 4);
    else if (letter === " ") columns += 1;
    else break;
  }
  return columns;
}

// Take at most so many columns of white space away.
export function outdent(line, columns) {
  let [i, at] = [0, 0];
  while (at < columns && (line[i] === " " || line[i] === "\t")) {
    at += line[i] === "\t" ? 4 - (at % 4) : 1;
    i += 1;
  }
  return " ".repeat(Math.max(0, at - columns)) + line.slice(i);
}

// ---- single lines ----------------------------------------------------------------------------

// Whether a line begins another block though a paragraph is open. A number in a text that happens
// to begin a line is no list, unless it is 1.
function interrupts(line) {
  const item = itemOf(line);
  const list = item && item.lines[0].trim() && (item.number ?? 1) === 1;
  return list || FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line);
}

function fenceOf(line) {
  const [, indent, ticks, afterTicks, waves, afterWaves] = FENCE.exec(line);
  return {
    fence: ticks ?? waves,
    language: (afterTicks ?? afterWaves).trim(),
    indent: indent.length,
  };
}

function closes(fence, line) {
  const text = line.trim();
  const only = !text.replaceAll(fence[0], "");
  return only && text.length >= fence.length && indentOf(line) < 4;
}

// The fence that is open after a line, or null.
function fenceAfter(fence, line) {
  if (fence) return closes(fence, line) ? null : fence;
  return FENCE.test(line) ? fenceOf(line).fence : null;
}

// Read a heading: {level, text}.
export function headingOf(line) {
  const [, marks, text] = HEADING.exec(line);
  return { level: marks.length, text: text.replace(/ #+ *$/, "") };
}

// ---- tables ----------------------------------------------------------------------------------

export const cellsOf = (line) =>
  line
    .trim()
    .replace(/^\|/, "")
    .replace(/\|$/, "")
    .split("|")
    .map((cell) => cell.trim());

const beginsTable = (lines, i) => lines[i].includes("|") && isDelimiter(lines[i + 1]);

const isDelimiter = (line) =>
  !!line?.includes("-") &&
  line.includes("|") &&
  cellsOf(line).every((cell) => /^:?-+:?$/.test(cell));
