// Elements, made in one line each. Text is always a text node, so nothing that a model or a person
// wrote can become an element; nothing in this folder uses innerHTML.
//
//   el("p", { class: "soft" }, "Hello, ", el("b", {}, name))
//   el("button", { type: "button", onclick: send, disabled: true }, "Send")

// Make an element. Attributes: a function is a listener ("onclick"), true an attribute without a
// value, false, null and undefined none at all. Children: elements, text, arrays of them, null.
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  fill(element, children);
  return element;
}

// Put children into an element instead of those that are there.
export function fill(element, ...children) {
  element.replaceChildren();
  for (const child of children.flat(Infinity)) {
    if (child != null && child !== false) element.append(child); // a string becomes a text node
  }
  return element;
}

// Make a button with a picture and a name that is read aloud and shown when pointed at.
export function iconButton(icon, name, onclick, attributes = {}) {
  const standard = { type: "button", class: "icon", title: name, "aria-label": name };
  return el("button", { ...standard, ...attributes, onclick }, picture(icon));
}

// Pictures are paths on a grid of 24, drawn as lines in the colour of the text.
const PATHS = {
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M8 8h8v8H8z",
  copy: "M9 9h10v11H9zM5 15V4h10",
  check: "M5 12.5l4.5 4.5L19 7.5",
  again: "M20 12a8 8 0 1 1-2.5-5.8M20 3v4.5h-4.5",
  edit: "M4 20l1-4L16.5 4.5l3 3L8 19zM14 7l3 3",
  before: "M14.5 6l-6 6 6 6",
  after: "M9.5 6l6 6-6 6",
  remove: "M5 7h14M10 7V4.5h4V7M7 7l1 13h8l1-13",
  close: "M6 6l12 12M18 6L6 18",
  list: "M4 6h16M4 12h16M4 18h10",
  plus: "M12 5v14M5 12h14",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M15 5v4M9 15v4",
};

function picture(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

// Give an icon button another picture and name, without losing the focus on it.
export function relabel(button, icon, name) {
  if (button.title === name) return;
  button.title = name;
  button.setAttribute("aria-label", name);
  fill(button, picture(icon));
}
