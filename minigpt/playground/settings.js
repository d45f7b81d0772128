// How the next token is drawn: the settings that go with every request, and the dialog that changes
// them. They are the server's, OpenAI's and vLLM's fields, by the same names, and kept in
// localStorage.

import { el, fill } from "./dom.js";
import * as storage from "./storage.js";

// Without a temperature of the reader's choice. A base model that always takes the likeliest token
// soon goes round in a circle; an assistant is asked for what it knows, which is the likeliest.
const TEMPERATURE = { assistant: 0, base: 0.8 };

// name, label, least, most, step, default (null: not sent, the server does without it), and what
// it does.
const FIELDS = [
  [
    "temperature",
    "Temperature",
    0,
    2,
    0.05,
    null,
    "0 always takes the likeliest token; 1 draws as likely as the model finds it; above, the " +
      "unlikely comes more often. Empty: 0 for an assistant, 0.8 for a base model, which would " +
      "repeat itself at 0.",
  ],
  [
    "top_p",
    "Top-p",
    0.01,
    1,
    0.01,
    null,
    "Draws only from the fewest likeliest tokens that hold this share of the probability. " +
      "Empty: from all.",
  ],
  [
    "top_k",
    "Top-k",
    1,
    100000,
    1,
    null,
    "Draws only from this many of the likeliest tokens. Empty: from all.",
  ],
  [
    "min_p",
    "Min-p",
    0,
    1,
    0.01,
    null,
    "Leaves out tokens less probable than this share of the likeliest one's probability. " +
      "Empty: none.",
  ],
  [
    "repetition_penalty",
    "Repetition penalty",
    1,
    2,
    0.05,
    null,
    "Above 1, tokens that were there already become less likely. Empty: none.",
  ],
  [
    "max_tokens",
    "Max tokens",
    1,
    2048,
    1,
    100,
    "The answer ends after this many tokens at the latest.",
  ],
  [
    "seed",
    "Seed",
    0,
    Number.MAX_SAFE_INTEGER,
    1,
    null,
    "With the same number the same draws. Empty: other ones every time. At temperature 0 nothing " +
      "is drawn.",
  ],
];
const STORED = "minigpt.settings";
const DEFAULTS = Object.fromEntries(FIELDS.map(([name, , , , , value]) => [name, value]));

const settings = { ...DEFAULTS }; // as the reader left them

function load() {
  try {
    const stored = JSON.parse(storage.read(STORED)) ?? {};
    for (const [name, , least, most, , value] of FIELDS) {
      const kept = stored[name];
      const valid = typeof kept === "number" && kept >= least && kept <= most;
      if (valid || (kept === null && value === null)) settings[name] = kept;
    }
  } catch {
    // something else was stored there: the settings stay
  }
}

load();
// another tab has changed them: or this one would write over it what it knew before
window.addEventListener("storage", ({ key }) => {
  if (key !== STORED) return;
  load();
  window.dispatchEvent(new Event("settings"));
});

// Give the settings for a model of /v1/models: {temperature, top_p, top_k, min_p,
// repetition_penalty, max_tokens, seed}, null where nothing is sent. No answer is asked for that is
// longer than the server (serve --max-tokens) writes.
export function settingsFor({ minigpt }) {
  const standard = TEMPERATURE[minigpt.assistant ? "assistant" : "base"];
  const max_tokens = Math.min(settings.max_tokens, minigpt.max_tokens ?? Infinity);
  return { ...settings, temperature: settings.temperature ?? standard, max_tokens };
}

// Show the dialog; the browser itself says what is out of range, and does not let it through. The
// step of a fraction is the arrow keys' alone: 0.333 is as good a temperature as 0.35.
export function showSettings() {
  const inputs = {};
  const rows = FIELDS.map(([name, label, least, most, step, standard, about]) => {
    inputs[name] = el("input", {
      type: "number",
      id: `setting-${name}`,
      min: least,
      max: most,
      step,
      name,
      value: settings[name],
      required: standard !== null,
      inputmode: "decimal",
      placeholder: standard !== null ? null : name === "temperature" ? "by model" : "off",
      "aria-describedby": `about-${name}`,
    });
    return el(
      "div",
      { class: "setting" },
      el("label", { for: `setting-${name}` }, label),
      inputs[name],
      el("p", { id: `about-${name}`, class: "soft small" }, about),
    );
  });
  const allInRange = () => {
    const fractions = FIELDS.filter(([, , , , step]) => step < 1);
    for (const [name] of fractions) inputs[name].step = "any";
    const valid = form.reportValidity();
    for (const [name, , , , step] of fractions) inputs[name].step = step;
    return valid;
  };
  const standard = el(
    "button",
    {
      type: "button",
      onclick: () => {
        for (const [name, input] of Object.entries(inputs)) input.value = DEFAULTS[name] ?? "";
      },
    },
    "Defaults",
  );
  const cancel = el("button", { type: "button", onclick: () => dialog.close() }, "Cancel");
  const form = el(
    "form",
    {
      method: "dialog",
      class: "settings",
      noValidate: true, // by itself it would ask for a multiple of the step
      onsubmit: (event) => allInRange() || event.preventDefault(),
    },
    el("h2", { id: "settings-title" }, "How the next token is drawn"),
    rows,
    el(
      "p",
      { class: "buttons" },
      el("button", { class: "main", value: "ok" }, "Save"),
      cancel,
      standard,
    ),
  );
  const dialog = el("dialog", { "aria-labelledby": "settings-title" }, form);
  dialog.addEventListener("close", () => {
    if (dialog.returnValue === "ok") {
      for (const [name, input] of Object.entries(inputs)) {
        settings[name] = input.value === "" ? null : input.valueAsNumber;
      }
      storage.write(STORED, JSON.stringify(settings));
      window.dispatchEvent(new Event("settings"));
    }
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal(); // the browser gives the focus back to what opened it
}

// Make {button, describe()}: it opens the dialog and says the temperature, and what else differs from
// the defaults. `models()` gives those that are asked.
export function settingsButton(models) {
  const label = el("span", { class: "values" });
  const button = el(
    "button",
    { type: "button", class: "quiet", onclick: showSettings },
    "Settings",
    label,
  );
  const describe = () => {
    const temperatures = new Set(models().map((model) => settingsFor(model).temperature));
    const other = FIELDS.filter(
      ([name]) => name !== "temperature" && settings[name] !== DEFAULTS[name],
    );
    const all = [
      temperatures.size && `temperature ${[...temperatures].sort().join(" and ")}`,
      ...other.map(([name, label]) => `${label.toLowerCase()} ${settings[name]}`),
    ].filter(Boolean);
    fill(label, all.length > 0 && `: ${all.join(", ")}`);
  };
  window.addEventListener("settings", describe);
  return { button, describe };
}
