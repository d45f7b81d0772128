// The page's frame: one view at a time, named by the address: #chat, #compare, #tokenizer,
// #training.
//
// A view is a module NAME.js with `mount(root, context)`, which fills `root` and returns
// {show(), hide()}. It is loaded when its tab is first opened. `context` is the same for all:
//   api        get, post, stream: see api.js
//   models     what /v1/models lists; [] where there is none yet
//   problem    why they could not be listed, or null
//   findModels lists them anew; where there are others, the window gets the event "models"
//   suggestions  a promise of what to ask them, another one where there are other models: see
//              playground_suggestions.py
//   announce   says a sentence to who listens instead of looking

import * as api from "./api.js";
import { el, fill } from "./dom.js";

const tabs = [...document.querySelectorAll("[role=tab]")];
const names = tabs.map((tab) => tab.getAttribute("aria-controls"));
const views = {}; // name -> promise of what mount returned
const scrolled = {}; // name -> how far down the view was when it was left
let current = null;

const context = {
  api,
  models: [],
  problem: null,
  findModels,
  suggestions: Promise.resolve({}),
  announce,
};

let sentences = []; // said at the same moment, as by three answers that are stopped: all are heard
function announce(text) {
  const announcer = document.getElementById("announcer");
  announcer.textContent = ""; // or the same sentence twice would be said once
  if (!sentences.length) {
    setTimeout(() => {
      announcer.textContent = sentences.join(" ");
      sentences = [];
    }, 50);
  }
  sentences.push(text);
}

let questions = 0; // of findModels; an answer may be overtaken by that to a later one
let answered = 0;

async function findModels() {
  const number = ++questions;
  try {
    const { data } = await api.get("/v1/models");
    if (number < answered) return;
    answered = number;
    const others = told(data) !== told(context.models);
    context.models.splice(0, Infinity, ...data); // the same list: views hold it
    context.problem = null;
    if (!others) return;
    context.suggestions = api.get("/playground/api/suggestions").catch(() => ({}));
    window.dispatchEvent(new Event("models"));
  } catch (error) {
    if (number > answered) context.problem = error.message;
  }
}

// What is shown of models; a checkpoint of one that is being trained changes nothing of it.
const told = (models) => JSON.stringify(models.map(({ id, minigpt }) => [id, minigpt]));

async function show(name) {
  if (current === name) return;
  if (current) {
    scrolled[current] = window.scrollY;
    views[current]?.then((view) => view?.hide());
  }
  current = name;
  for (const tab of tabs) {
    const chosen = tab.getAttribute("aria-controls") === name;
    tab.setAttribute("aria-selected", chosen);
    tab.tabIndex = chosen ? 0 : -1; // Tab goes to the chosen one, arrow keys to the others
    document.getElementById(tab.getAttribute("aria-controls")).hidden = !chosen;
    if (chosen) document.title = `${tab.textContent} · minigpt`;
  }
  document.querySelector(".skip").setAttribute("href", `#${name}`);
  views[name] ??= mount(name);
  const view = await views[name];
  if (current !== name) return; // left again meanwhile
  window.scrollTo(0, scrolled[name] ?? 0);
  view?.show();
}

async function mount(name) {
  const root = document.getElementById(name);
  try {
    const module = await import(`./${name}.js`);
    fill(root); // it may say that this went wrong before
    return module.mount(root, context);
  } catch (error) {
    console.warn(error);
    views[name] = null; // it is loaded once more when the tab is opened again
    const again = () => {
      current = null;
      show(name).then(() => root.focus()); // the button is there no more
    };
    fill(
      root,
      el(
        "p",
        { class: "problem" },
        "This view could not be loaded. Is the server running? make chat starts it.",
        el("button", { type: "button", onclick: again }, "Try again"),
      ),
    );
    return null;
  }
}

const fromAddress = () =>
  names.includes(location.hash.slice(1)) ? location.hash.slice(1) : "chat";

for (const tab of tabs) {
  tab.addEventListener("keydown", (event) => {
    const i = tabs.indexOf(tab);
    const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) {
      if (event.key !== " ") return;
      event.preventDefault(); // or the page would scroll
      tab.click();
      return;
    }
    event.preventDefault();
    const next = tabs.at(to % tabs.length);
    next.focus();
    next.click();
  });
  // an address whose part after # is an element's id would make the browser scroll there
  tab.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a new window is wanted
    event.preventDefault();
    const name = tab.getAttribute("aria-controls");
    history.pushState(null, "", `#${name}`);
    show(name);
  });
}

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById(current).focus();
});

window.addEventListener("popstate", () => show(fromAddress()));

await findModels();
if (context.problem) announce(context.problem);
show(fromAddress());
// somebody comes back from the terminal, where `make train` may have made another model
window.addEventListener("focus", findModels);
