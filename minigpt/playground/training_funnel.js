// The cleaning funnel: how many documents and characters each step of the cleaning let through,
// as bars, and why it kept out the others, on demand.
//
// A step is {step, documents_in, documents_out, characters_in, characters_out, reasons: {why: n}}.

import { el } from "./dom.js";
import { table } from "./table.js";

const MEANING = {
  url: "Is the address blocked, or was it read before?",
  extract: "The page's main text is taken out of the HTML.",
  language: "Is it in the wanted language?",
  exact: "Is there the same text already?",
  paragraph: "Paragraphs that another document has are dropped.",
  quality: "Does it look like written text, not like lists, menus or spam?",
  safety: "Is it pornography, by its words?",
  "near-duplicate": "Is there almost the same text already?",
  pii: "E-mail addresses, telephone numbers and the like are masked.",
};

const number = (n) => n.toLocaleString("en");
const percent = (part, whole) =>
  whole ? `${((100 * part) / whole).toFixed(part / whole < 0.1 ? 1 : 0)} %` : "–";

// Draw the funnel: `data` is {steps} or {missing: reason}.
export function funnel(data) {
  const section = el("section", { "aria-label": "The cleaning funnel" },
    el("h3", {}, "The cleaning funnel"));
  if (data.missing || !data.steps.length) {
    section.append(el("p", { class: "soft" }, data.missing ?? "No step of the cleaning is told."));
    return section;
  }
  const { steps } = data;
  const [first, last] = [steps[0], steps.at(-1)];
  section.append(
    el("p", {}, `Of ${number(first.documents_in)} crawled pages ${number(last.documents_out)} ` +
      `(${percent(last.documents_out, first.documents_in)}) are left to learn from, and of their ` +
      `${number(first.characters_in)} characters ${number(last.characters_out)} ` +
      `(${percent(last.characters_out, first.characters_in)}). Before the text is taken out of the ` +
      "pages, characters count the HTML, too. Of each bar the part in full colour is left; " +
      "the faint part is what the step took out."),
    el("ol", { class: "funnel" }, ...steps.map((step) => row(step, first))),
    el("details", {}, el("summary", {}, "The numbers as a table"), tableOf(steps)));
  return section;
}

function row(step, first) {
  const removed = step.documents_in - step.documents_out;
  const reasons = Object.entries(step.reasons ?? {}).sort(([, a], [, b]) => b - a);
  return el("li", {},
    el("div", { class: "step" }, el("b", {}, step.step), " ",
      el("span", { class: "soft" }, MEANING[step.step] ?? "")),
    bar("c0", "documents", step.documents_out, step.documents_in, first.documents_in),
    bar("c1", "characters", step.characters_out, step.characters_in, first.characters_in),
    reasons.length > 0 && el("details", {},
      el("summary", {}, `Why ${number(removed)} ${removed === 1 ? "was" : "were"} kept out`),
      el("ul", {}, ...reasons.map(([why, n]) => el("li", {}, `${why}: ${number(n)}`)))));
}

// A bar as long as what is left of the beginning; paler, what this step took.
function bar(kind, unit, out, into, whole) {
  const [left, taken] = [el("span", { class: "left" }), el("span", { class: "taken" })];
  left.style.width = `${(100 * out) / Math.max(1, whole)}%`;
  taken.style.width = `${(100 * (into - out)) / Math.max(1, whole)}%`;
  const label = out === into ? number(out) : `${number(into)} → ${number(out)}`;
  return el("div", { class: `amounts ${kind}` },
    el("div", { class: "track", "aria-hidden": "true" }, left, taken),
    el("span", { class: "soft" }, `${label} ${unit}`));
}

function tableOf(steps) {
  const heads = ["step", "documents in", "out", "characters in", "out", "kept out because"];
  const rows = steps.map((step) => [
    step.step, number(step.documents_in), number(step.documents_out), number(step.characters_in),
    number(step.characters_out),
    Object.entries(step.reasons ?? {}).map(([why, n]) => `${why} ${number(n)}`).join(", ") || "–",
  ]);
  return table("Documents and characters before and after each step", heads, rows);
}
