// An answer's tokens with the lid off: each in a box that shows how much it surprised the model;
// beneath, what else could have stood in the place of the one that is pointed at or focused.
//
// Surprise is -log2 p, of the model's own p. It is seen in the colour, in the thickness of the line
// beneath (so that nobody needs the colour), and as a number in the details.
//
// attention.js and sources.js, where they are there, show more: of which earlier tokens the model
// took notice, and where the crawled pages say the same.

import { el, fill } from "./dom.js";
import { detailsOf, hint } from "./token_details.js";
import {
  STEPS,
  groupsOf,
  isControl,
  percent,
  shown,
  shownOnALine,
  step,
  surprise,
  textOf,
} from "./tokens.js";

const KEYS = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity };
const extras = {}; // name -> promise of the module, or of null where it is not there

function extra(name) {
  extras[name] ??= import(`./${name}.js`).catch(() => null);
  return extras[name];
}

// Make the view of a node's tokens: {element, update()}. `onContinue(i, alternative)` is called
// when somebody wants the answer to go on from token i with another one in its place; `at` is the
// place of the token that is looked at first, and `onKeep(i)` is called when it is another one.
export function tokenView(node, { api, onContinue, onKeep, at = null }) {
  const flow = el("div", {
    class: "tokens",
    role: "group",
    "aria-label":
      "Tokens of the answer. Arrow keys: the next one. Enter: what else could have stood there.",
  });
  const details = el("div", {
    class: "details",
    role: "group",
    "aria-label": "Details of a token",
    tabindex: onContinue ? null : 0, // it scrolls, and without a button nothing in it has the focus
  });
  const more = extrasOf(node, api, () => selected);
  const boxes = []; // a button for each token
  let selected = at; // the place of the token that is kept, or null
  let visible; // the place of the token whose details are seen: at first the first one's

  function update() {
    const all = groupsOf(node.tokens);
    let focused = -1;
    // the last group that is drawn may have got another token since
    const last = flow.children.length - 1;
    if (last >= 0 && boxes.length < all[last].start + all[last].tokens.length) {
      focused = boxes.indexOf(document.activeElement);
      flow.lastElementChild.remove();
      boxes.length = all[last].start;
    }
    for (const group of all.slice(flow.children.length)) flow.append(drawGroup(group));
    boxes[selected ?? 0].tabIndex = 0;
    if (focused >= all[last]?.start) boxes[focused].focus();
  }

  function drawGroup({ start, tokens }) {
    if (tokens.length === 1) return box(tokens[0], start);
    return el(
      "span",
      { class: "character" },
      el("span", { class: "whole" }, textOf(tokens)),
      el(
        "span",
        { class: "parts" },
        tokens.map((token, i) => box(token, start + i)),
      ),
    );
  }

  function box(token, i) {
    const bits = surprise(token);
    const p = percent(Math.exp(token.logprob));
    // not a <button>, which is never broken at the end of a line, as these must be
    const button = el(
      "span",
      {
        role: "button",
        tabindex: -1,
        "data-place": i,
        class: `token step-${step(bits)}${isControl(token) ? " control" : ""}`,
        "aria-label": `${shownOnALine(token.bytes)}, ${p}, ${bits.toFixed(1)} bits`,
      },
      (shown(token.bytes) || "∅").replaceAll("\n", "↵\n"),
    );
    boxes[i] = button;
    if (i === selected) button.classList.add("kept");
    if (i === visible) button.classList.add("seen");
    return button;
  }

  const placeOf = (event) => {
    const place = event.target.closest?.(".token")?.dataset.place;
    return place === undefined ? null : Number(place);
  };

  function show(i) {
    if (i === visible) return; // a button that is pressed just now must stay
    boxes[visible]?.classList.remove("seen");
    visible = i;
    boxes[i].classList.add("seen");
    details.style.setProperty("--least", `${details.offsetHeight}px`); // or what is beneath would jump
    fill(details, hint(), detailsOf(node, i, onContinue));
    details.scrollTop = 0;
  }

  // Scroll until the details, which may have grown, do not cover their token.
  function uncover(i) {
    const covered = boxes[i].getBoundingClientRect().bottom + 8 - details.getBoundingClientRect().top;
    if (covered > 0) window.scrollBy({ top: covered, behavior: "instant" });
  }

  function keep(i) {
    if (selected !== null) boxes[selected]?.classList.remove("kept");
    selected = i;
    boxes[i].classList.add("kept");
    onKeep(i);
    show(i);
    uncover(i);
    more.refresh();
  }

  flow.addEventListener("pointerover", (event) => placeOf(event) !== null && show(placeOf(event)));
  flow.addEventListener("pointerleave", () => show(selected ?? visible));
  flow.addEventListener("click", (event) => placeOf(event) !== null && keep(placeOf(event)));
  flow.addEventListener("focusin", (event) => {
    const i = placeOf(event);
    if (i === null) return;
    for (const button of boxes) button.tabIndex = -1; // one stop for Tab, the arrows do the rest
    boxes[i].tabIndex = 0;
    keep(i);
  });
  flow.addEventListener("keydown", (event) => {
    const i = placeOf(event);
    if (i === null) return;
    const into = event.key === "Enter" || event.key === " ";
    const by = KEYS[event.key];
    if (into) details.querySelector("button")?.focus();
    else if (by) boxes[Math.max(0, Math.min(boxes.length - 1, i + by))].focus();
    if (into || by) event.preventDefault();
  });

  details.addEventListener(
    "keydown",
    (event) => event.key === "Escape" && boxes[selected]?.focus(),
  );

  update();
  show(selected ?? 0);
  return {
    element: el("div", { class: "inspector" }, flow, legend(), details, more.element),
    update,
  };
}

function legend() {
  const swatches = STEPS.map((least, i) =>
    el("span", { class: `token step-${i}` }, i === STEPS.length - 1 ? `${least}+` : String(least)),
  );
  const scale = "0: certain, 1: one of two, 2: one of four, 7: one of 128";
  return el(
    "p",
    { class: "legend small soft" },
    el("span", {}, "Surprise in bits:"),
    swatches,
    el("span", {}, scale),
  );
}

// The buttons that open attention and sources, and the room where they show themselves.
function extrasOf(node, api, selected) {
  const buttons = el("p", { class: "buttons" });
  const room = el("div", { class: "extra" });
  const element = el("div", { class: "extras", hidden: true }, buttons, room);
  let open = null; // the function that fills the room, while it is open

  function refresh() {
    if (open?.name === "attention") open.show();
  }

  // Bring into sight what is below the edge once it is drawn; the focus stays on its button.
  async function reveal(drawn) {
    const opened = open;
    await drawn;
    if (open !== opened) return; // closed again meanwhile
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    element.scrollIntoView({ block: "nearest", behavior: still ? "instant" : "smooth" });
  }

  async function add(name, label, exported, details) {
    const module = await extra(name);
    if (!module?.[exported]) return;
    const button = el("button", { type: "button", "aria-expanded": "false" }, label);
    const show = () => module[exported](room, { api, model: node.model, ...details() });
    button.addEventListener("click", () => {
      const closing = open?.name === name;
      for (const other of buttons.children) other.setAttribute("aria-expanded", "false");
      fill(room);
      open = closing ? null : { name, show };
      if (closing) return;
      button.setAttribute("aria-expanded", "true");
      reveal(show());
    });
    buttons.append(button);
    element.hidden = false;
  }

  const ids = () => [...(node.promptIds ?? []), ...node.tokens.map((token) => token.id)];
  const place = () => (node.promptIds?.length ?? 0) + (selected() ?? node.tokens.length - 1);
  add("attention", "Attention", "showAttention", () => ({ ids: ids(), selected: place() })).then(
    () => add("sources", "Where did it get that?", "showSources", () => ({ text: node.content })),
  );
  return { element, refresh };
}
