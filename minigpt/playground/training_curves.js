// The curves of one run: the losses large, learning rate, gradient norm and speed small, all read
// at one step by the pointer or by a slider, told in a sentence and listed in a table.
//
// A line of metrics.jsonl: {step, tokens, train_loss, learning_rate, grad_norm, seconds,
// tokens_per_s} and, of a look at the validation text, {val_loss, bits_per_byte}; losses in nats per
// token, null where there is nothing to tell yet.

import { el, fill } from "./dom.js";
import { chart } from "./training_chart.js";
import { short } from "./training_scale.js";
import { table } from "./table.js";

const WORSE = 1.01; // times the best validation loss: so much higher is a rise, not noise

// Make the curves; update(metrics, number of symbols) draws them anew.
export function curves() {
  const unit = picker("Unit", { nats: "nats per token", bits: "bits per byte" });
  const logX = el("input", { type: "checkbox" });
  const slider = el("input", { type: "range", min: "0", step: "1", id: "training-step" });
  // not read aloud by itself: the slider says the same when it is moved
  const readout = el("output", { class: "readout", for: "training-step", "aria-live": "off" });
  const sentence = el("p", { class: "sentence" });
  const apart = el("span");
  const charts = CHARTS.map(({ title, height }) =>
    chart({ title, height, onStep: (step) => read(metrics.findIndex((line) => line.step === step)) }));
  const details = el("details", {}, el("summary", {}, "The numbers as a table"));
  const element = el("div", { class: "run-curves" },
    sentence,
    el("div", { class: "controls" },
      unit.element, el("label", {}, logX, " steps on a logarithmic scale")),
    el("p", { class: "keys" },
      el("span", { class: "c0" }, "validation: text it never trains on", apart),
      el("span", { class: "c1" }, "training")),
    charts[0].element,
    el("div", { class: "small-multiples" }, ...charts.slice(1).map((one) => one.element)),
    el("div", { class: "controls wide" },
      el("label", { for: "training-step" }, "Read at step"), slider),
    readout,
    details,
  );
  let metrics = [];
  let symbols = NaN; // of the vocabulary
  let last = true; // the newest step is read until the reader chooses another

  function update(lines, vocabSize) {
    metrics = lines;
    symbols = vocabSize ?? NaN;
    const looks = lines.filter(isLook).map((line) => line.step);
    const gaps = looks.slice(1).map((step, i) => step - looks[i]);
    const most = Math.max(...gaps); // of a long run's first steps, and of its last, it is less
    const sooner = gaps[0] < most ? ", at first sooner" : "";
    apart.textContent = gaps.length
      ? `, measured every ${most.toLocaleString("en")} steps${sooner}` : "";
    draw();
  }

  function draw() {
    const inBits = unit.value() === "bits";
    const rows = logX.checked ? metrics.filter((line) => line.step > 0) : metrics;
    CHARTS.forEach((one, k) => {
      const series = one.series(rows, inBits).map((points, i) => ({
        points: points.filter(([, value]) => Number.isFinite(value)),
        colour: one.colours[i],
      }));
      const label = k === 0 ? sentenceOf(metrics, symbols) : one.title;
      charts[k].draw({ series, logX: logX.checked, label, unit: one.unit(inBits) });
    });
    sentence.textContent = sentenceOf(metrics, symbols);
    slider.max = String(Math.max(0, metrics.length - 1));
    read(last ? metrics.length - 1 : Math.min(Number(slider.value), metrics.length - 1));
    drawTable();
  }

  // The table may be long, and few open it.
  function drawTable() {
    fill(details, details.firstChild, details.open && tableOf(metrics));
  }

  // Read the metrics' line i: move the crosshairs there and write its numbers.
  function read(i) {
    if (!metrics[i]) return;
    last = i === metrics.length - 1;
    slider.value = String(i);
    readout.textContent = told(metrics, i);
    slider.setAttribute("aria-valuetext", readout.textContent);
    for (const one of charts) one.cross(metrics[i].step);
  }

  unit.element.addEventListener("change", draw);
  logX.addEventListener("change", draw);
  details.addEventListener("toggle", drawTable);
  slider.addEventListener("input", () => read(Number(slider.value)));
  return { element, update };
}

const isLook = ({ val_loss: nats }) => Number.isFinite(nats);

// The training losses in bits per byte = nats per token / ln 2 * tokens per byte; how many tokens a
// byte has is known of the validation text, and taken to be the same in the training text.
function trainingInBits(lines) {
  let perToken = NaN; // of the look before
  return lines.map(({ step, train_loss: loss, val_loss: nats, bits_per_byte: bits }) => {
    if (nats) perToken = bits / nats;
    return [step, (loss ?? NaN) * perToken];
  });
}

const CHARTS = [
  {
    title: "Loss", height: 300, colours: [0, 1],
    unit: (inBits) => (inBits ? "bits per byte" : "nats per token"),
    series: (lines, inBits) => [
      lines.map((line) => [line.step, inBits ? line.bits_per_byte : line.val_loss ?? NaN]),
      inBits ? trainingInBits(lines) : lines.map((line) => [line.step, line.train_loss ?? NaN]),
    ],
  },
  {
    title: "Learning rate", height: 130, colours: [2], unit: () => "how far a step may go",
    series: (lines) => [lines.map((line) => [line.step, line.learning_rate ?? NaN])],
  },
  {
    title: "Gradient norm", height: 130, colours: [3], unit: () => "how steep the loss is",
    series: (lines) => [lines.map((line) => [line.step, line.grad_norm ?? NaN])],
  },
  {
    title: "Speed", height: 130, colours: [4], unit: () => "tokens/s",
    series: (lines) => [lines.map((line, i) => [line.step, speed(lines, i)])],
  },
];

// Tokens a second since the line before; earlier versions did not write them.
function speed(lines, i) {
  if (Number.isFinite(lines[i].tokens_per_s)) return lines[i].tokens_per_s;
  if (i === 0) return NaN;
  const seconds = lines[i].seconds - lines[i - 1].seconds;
  return seconds > 0 ? (lines[i].tokens - lines[i - 1].tokens) / seconds : NaN;
}

const write = (value) => (Number.isFinite(value) ? short(value) : "–");
const loss = (value) => (Number.isFinite(value) ? value.toFixed(3) : "–");

function told(lines, i) {
  const line = lines[i];
  const [validation, bits] = isLook(line)
    ? [`validation ${loss(line.val_loss)}, `, `${loss(line.bits_per_byte)} bits per byte; `]
    : ["", ""];
  return (
    `Step ${line.step.toLocaleString("en")}: ${validation}` +
    `training ${loss(line.train_loss)} nats per token; ${bits}` +
    `learning rate ${write(line.learning_rate)}; gradient norm ${write(line.grad_norm)}; ` +
    `${write(speed(lines, i))} tokens/s`
  );
}

// What one sees, in words. exp(loss) is the perplexity: as unsure as among so many equal choices.
// Random weights prefer some tokens for no reason: worse than guessing evenly among all `symbols`.
export function sentenceOf(metrics, symbols = NaN) {
  const lines = metrics.filter(isLook);
  if (!lines.length) return "No step has been measured yet.";
  const [first, last] = [lines[0], lines.at(-1)];
  const untrained = Math.exp(first.val_loss) > symbols
    ? ` More than its ${symbols.toLocaleString("en")} symbols at first: untrained, it takes some for ` +
      "likelier than others, without a reason." : "";
  const unsure = ({ val_loss }) => {
    const choices = Math.exp(val_loss);
    return choices < 10 ? choices.toFixed(1) : short(Math.round(choices));
  };
  if (lines.length === 1) {
    return `At step ${last.step.toLocaleString("en")} the validation loss is ` +
      `${last.val_loss.toFixed(2)}: unsure of the next token as among ${unsure(last)} equal choices.` +
      untrained;
  }
  const best = lines.reduce((a, b) => (b.val_loss < a.val_loss ? b : a));
  const way = last.val_loss < first.val_loss ? "fell" : "rose";
  const byHeart = last.train_loss < best.train_loss
    ? "; since then the model learns its training text by heart rather than the language" : "";
  const rise = last.val_loss > best.val_loss * WORSE
    ? ` It was lowest at step ${best.step.toLocaleString("en")}${byHeart}.` : "";
  return `In ${(last.step - first.step).toLocaleString("en")} steps the validation loss ${way} from ` +
    `${first.val_loss.toFixed(2)} to ${last.val_loss.toFixed(2)} nats per token: the model was ` +
    `unsure of the next token as among ${unsure(first)} equal choices, now as among ` +
    `${unsure(last)}.${rise}${untrained}`;
}

function tableOf(metrics) {
  const heads = ["step", "validation", "training", "bits per byte", "learning rate",
    "gradient norm", "tokens/s"];
  const rows = metrics.map((line, i) => isLook(line) && [
    line.step.toLocaleString("en"), loss(line.val_loss), loss(line.train_loss),
    loss(line.bits_per_byte), write(line.learning_rate), write(line.grad_norm),
    write(speed(metrics, i)),
  ]).filter(Boolean);
  return table("Every look at the validation text; losses in nats per token", heads, rows);
}

// A group of radio buttons in a row: {element, value()}.
function picker(name, choices) {
  const buttons = Object.entries(choices).map(([value, label], i) => {
    const button = el("input", { type: "radio", name: "training-unit", value });
    button.checked = i === 0;
    return el("label", {}, button, " ", label);
  });
  const legend = el("legend", { class: "for-ears" }, name);
  const element = el("fieldset", { class: "choices" }, legend, buttons);
  return { element, value: () => element.querySelector("input:checked").value };
}
