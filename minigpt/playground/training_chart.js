// A picture of curves in SVG, with a line (the "crosshair") at the step that is read.
//
// It is only the picture: the numbers are told by the readout and the table beside it
// (training_curves.js), so the picture is one image to a screen reader, named by its sentence.

import { el } from "./dom.js";
import { nearest, scale, short } from "./training_scale.js";

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = { left: 46, right: 14, top: 10, bottom: 24 };

// Make an SVG element, as el does an HTML one.
function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Make a chart. `onStep(step)` is called with the step the pointer is at.
// draw({series: [{colour, points: [[step, value]]}], logX, label, unit}) draws it anew; `colour` is
// the number of one in training.css; cross(step) moves the crosshair.
export function chart({ title, height, onStep }) {
  const picture = svg("svg", { role: "img", class: "chart", height });
  const cross = svg("g", { class: "cross" });
  const unit = el("span", { class: "soft" });
  const element = el("figure", { class: "curves" },
    el("figcaption", {}, el("b", {}, title), " ", unit), picture);
  let width = 0; // in pixels, so that letters are as large on a phone as on a desk
  let data = { series: [] };
  let shown = null; // {series, steps, x, y} as drawn last
  let crossed = null; // the step where the crosshair is

  new ResizeObserver(([{ contentRect }]) => {
    width = contentRect.width;
    if (width) draw(data);
  }).observe(picture);

  function draw(newData) {
    data = newData;
    const { series, logX = false, label = title } = data;
    unit.textContent = data.unit ? `${data.unit}, by step` : "by step";
    if (!width) return;
    const drawn = series.filter(({ points }) => points.length);
    picture.setAttribute("aria-label", label);
    picture.replaceChildren();
    shown = null;
    if (!drawn.length) return;
    // every step of any curve, in order
    const xs = [...new Set(drawn.flatMap(({ points }) => points.map(([x]) => x)))].sort((a, b) => a - b);
    const ys = drawn.flatMap(({ points }) => points.map(([, y]) => y));
    const [low, high] = padded(Math.min(...ys), Math.max(...ys));
    const [left, right, bottom] = [MARGIN.left, width - MARGIN.right, height - MARGIN.bottom];
    const x = scale(xs[0], xs.at(-1), left, right, { log: logX, wanted: width / 110 });
    const y = scale(low, high, bottom, MARGIN.top, { wanted: height / 45 });
    shown = { series: drawn, steps: xs.map((step) => [step]), x, y };
    picture.append(grid(x, y, width, height), ...drawn.map((one) => curve(one, x, y)), cross);
    moveCross(crossed);
  }

  function moveCross(step) {
    crossed = step;
    cross.replaceChildren();
    if (!shown || step === null) return;
    const { series, steps, x, y } = shown;
    const at = x.place(steps[nearest(steps, step)][0]);
    cross.append(svg("path", { d: `M${at} ${MARGIN.top}V${height - MARGIN.bottom}` }));
    for (const { points, colour } of series) {
      const point = points[nearest(points, step)];
      if (point[0] !== step) continue;
      cross.append(svg("circle", {
        cx: x.place(point[0]), cy: y.place(point[1]), r: 5, class: `c${colour}`,
      }));
    }
  }

  picture.addEventListener("pointermove", (event) => {
    if (!shown) return;
    const at = event.clientX - picture.getBoundingClientRect().left;
    const places = shown.steps.map(([step]) => [shown.x.place(step), step]);
    onStep(places[nearest(places, at)][1]);
  });
  return { element, draw, cross: moveCross };
}

// A little air above and below, so that no curve runs along the edge.
function padded(low, high) {
  const air = (high - low || Math.abs(high) || 1) * 0.05;
  return [low >= 0 && low < air * 4 ? 0 : low - air, high + air];
}

function grid(x, y, width, height) {
  const group = svg("g", { class: "grid" });
  for (const tick of y.ticks) {
    const at = y.place(tick);
    group.append(
      svg("path", { d: `M${MARGIN.left} ${at}H${width - MARGIN.right}` }),
      svg("text", { x: MARGIN.left - 6, y: at + 4, "text-anchor": "end" }, short(tick)),
    );
  }
  for (const tick of x.ticks) {
    const at = x.place(tick);
    const anchor = at > width - 30 ? "end" : "middle";
    const name = Math.round(tick).toLocaleString("en");
    group.append(svg("text", { x: at, y: height - 6, "text-anchor": anchor }, name));
  }
  return group;
}

function curve({ points, colour }, x, y) {
  const places = points.map(([step, value]) => [x.place(step).toFixed(1), y.place(value).toFixed(1)]);
  const group = svg("g", { class: `curve c${colour}` });
  group.append(svg("path", { d: "M" + places.map((place) => place.join(" ")).join("L") }));
  if (places.length <= 40) {
    for (const [cx, cy] of places) group.append(svg("circle", { cx, cy, r: 3 }));
  }
  return group;
}
