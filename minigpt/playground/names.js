// The names that an assistant was taught, in a dialog: those that belong together in a row, each a
// button that asks what it is. What is known of a name is said in playground_names.py.

import { isComposing } from "./composer.js";
import { el, fill } from "./dom.js";

const TOGETHER = "Names, and what belongs to them";
const ALONE = {
  module: "Other modules",
  class: "Other classes",
  function: "Other functions",
  method: "Other methods",
  page: "Pages",
  term: "Other terms",
};

// Give [heading, rows] of names: a row is a list of names, and begins with that to which the others
// belong. Those to which nothing belongs are rows of their own, by their kind.
export function grouped(names) {
  const byName = new Map(names.map((one) => [one.name, one]));
  const rows = new Map();
  for (const one of names) {
    let head = one;
    while (byName.has(head.parent)) head = byName.get(head.parent);
    if (!rows.has(head)) rows.set(head, []);
    rows.get(head).push(one);
  }
  const all = [...rows.values()];
  const alone = Object.entries(ALONE).map(([kind, heading]) => [
    heading,
    all.filter((row) => row.length === 1 && row[0].kind === kind),
  ]);
  const groups = [[TOGETHER, all.filter((row) => row.length > 1)], ...alone];
  return groups.filter(([, rows]) => rows.length);
}

// Make the button that asks what a name is; in the row of `head` its end is written.
export function nameButton({ name, ask }, say, head = name) {
  const shown = name === head ? name : name.slice(head.length).trim();
  const attributes = { type: "button", class: "name", "aria-label": name, title: ask };
  return el("button", { ...attributes, "data-key": name, onclick: () => say(ask) }, shown);
}

// Show the dialog; `say(question)` is called for the name that is pressed.
function showNames(names, say) {
  const buttons = []; // [name in small letters, button]
  const pressed = (question) => {
    dialog.close();
    say(question);
  };
  const drawRow = ([head, ...others]) => {
    const made = [head, ...others].map((one) => nameButton(one, pressed, head.name));
    made.forEach((button) => buttons.push([button.dataset.key.toLowerCase(), button]));
    return el("li", {}, made);
  };
  const sections = grouped(names).map(([heading, rows]) =>
    el("section", {}, el("h3", {}, heading), el("ul", {}, rows.map(drawRow))),
  );
  const count = el("p", { class: "soft small", role: "status" });
  const search = el("input", {
    type: "search",
    placeholder: "Search",
    "aria-label": "Search names",
    oninput: look,
    onkeydown: (event) => event.key === "Enter" && !isComposing(event) && pressMeant(),
  });

  function look() {
    const text = search.value.trim().toLowerCase();
    for (const [name, button] of buttons) button.hidden = !name.includes(text);
    const found = buttons.filter(([, button]) => !button.hidden).length;
    for (const row of dialog.querySelectorAll("li")) {
      row.hidden = !row.querySelector("button:not([hidden])");
      row.firstChild.hidden = false; // the others of the row are written without it
    }
    for (const each of sections) each.hidden = !each.querySelector("li:not([hidden])");
    const none = "It was taught no such name. Asked for it, it should say that it does not know.";
    fill(count, found ? `${found.toLocaleString("en")} ${found === 1 ? "name" : "names"}` : none);
  }

  // Enter takes the only name that is left, or the one that was written out.
  function pressMeant() {
    const text = search.value.trim().toLowerCase();
    const left = buttons.filter(([name]) => name.includes(text));
    const meant = left.length === 1 ? left : left.filter(([name]) => name === text);
    meant[0]?.[1].click();
  }

  const dialog = el(
    "dialog",
    { class: "names", "aria-labelledby": "names-title" },
    el(
      "header",
      {},
      el("h2", { id: "names-title" }, "What it was taught"),
      el("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, "Close"),
      el("p", { class: "soft small" }, "Press a name to ask what it is."),
      search,
      count,
    ),
    sections,
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  look();
  dialog.showModal(); // the browser gives the focus back to what opened it
  // on a phone the keyboard would hide the names
  if (!matchMedia("(pointer: coarse)").matches) search.focus();
}

// Make {button, offer(names)}: it opens the dialog, and is there where there are names.
export function makeNames(say) {
  let known = [];
  const label = el("span", { class: "values" });
  const open = () => showNames(known, say);
  const button = el("button", { type: "button", class: "quiet", onclick: open }, "Names", label);
  const offer = (names) => {
    known = names;
    button.hidden = !names.length;
    fill(label, `: ${names.length.toLocaleString("en")} taught`);
  };
  return { button, open, offer };
}
