// How the next token is drawn: the settings that go with every request, and the dialog that changes
// them. They are the server's and OpenAI's fields, by the same names, and kept in localStorage.

import { el, fill } from "./dom.js";
import * as storage from "./storage.js";

// name, label, least, most, step, default (null: not sent, the server does without it), and what
// it does.
const FIELDS = [
  [
    "temperature",
    "Temperature",
    0,
    2,
    0.05,
    0,
    "0 always takes the likeliest token; 1 draws as likely as the model finds it; above, the " +
      "unlikely comes more often.",
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
    "max_tokens",
    "Max tokens",
    1,
    2048,
    1,
    100,
    "The answer ends after this many tokens at the latest. An assistant writes at most half " +
      "its window.",
  ],
  [
    "seed",
    "Seed",
    0,
    Number.MAX_SAFE_INTEGER,
    1,
    null,
    "With the same number the same question gets the same answer. Empty: another one every time.",
  ],
];
const STORED = "minigpt.settings";
const DEFAULTS = Object.fromEntries(FIELDS.map(([name, , , , , value]) => [name, value]));

// The settings now: {temperature, top_p, top_k, min_p, max_tokens, seed}.
export const settings = { ...DEFAULTS };
try {
  const stored = JSON.parse(storage.read(STORED)) ?? {};
  for (const [name, , least, most, , value] of FIELDS) {
    const kept = stored[name];
    const valid = typeof kept === "number" && kept >= least && kept <= most;
    if (valid || (kept === null && value === null)) settings[name] = kept;
  }
} catch {
  // something else was stored there: the defaults stay
}

// Show the dialog; the browser itself says what is out of range, and does not let it through.
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
      placeholder: standard === null ? "off" : null,
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
    { method: "dialog", class: "settings" },
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

// Make the button that opens the dialog; it says what differs from the defaults.
export function settingsButton() {
  const label = el("span", { class: "values" });
  const button = el(
    "button",
    { type: "button", class: "quiet", onclick: showSettings },
    "Settings",
    label,
  );
  const describe = () => {
    const other = FIELDS.filter(
      ([name]) => name !== "temperature" && settings[name] !== DEFAULTS[name],
    );
    const all = [
      `temperature ${settings.temperature}`,
      ...other.map(([name, label]) => `${label.toLowerCase()} ${settings[name]}`),
    ];
    fill(label, `: ${all.join(", ")}`);
  };
  window.addEventListener("settings", describe);
  describe();
  return button;
}
