// From numbers to places on a picture, and the round numbers ("ticks") along its edges.

// A scale from values low..high to places from..to, with about `wanted` ticks; `log` counts in
// powers: x and 10 x are as far apart wherever they stand.
export function scale(low, high, from, to, { wanted = 4, log = false } = {}) {
  const f = log ? Math.log : (value) => value;
  const [a, b] = [f(low), f(high)];
  const place = (value) => (b === a ? (from + to) / 2 : from + ((f(value) - a) / (b - a)) * (to - from));
  return { place, ticks: log ? logTicks(low, high) : ticks(low, high, wanted) };
}

// About `wanted` round numbers within low..high: multiples of 1, 2 or 5 times a power of ten.
export function ticks(low, high, wanted) {
  if (!(high > low)) return [low];
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.999);
  const found = [];
  for (let k = Math.ceil(low / step); k * step <= high + step * 1e-9; k++) found.push(k * step);
  return found;
}

// Powers of ten within low..high; where these are too few, 2 and 5 times them, too.
function logTicks(low, high) {
  const list = (factors) => {
    const found = [];
    for (let e = Math.floor(Math.log10(low)); 10 ** e <= high; e++) {
      found.push(...factors.map((m) => m * 10 ** e).filter((t) => t >= low && t <= high));
    }
    return found;
  };
  const tens = list([1]);
  return tens.length > 2 ? tens : list([1, 2, 5]);
}

// Write a number in the fewest letters that tell it from its neighbours.
export function short(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 0.001) return value.toExponential(1).replace(".0", "").replace("-", "−");
  if (size < 1) return String(Number(value.toPrecision(2)));
  if (size < 100) return String(Number(value.toPrecision(3)));
  return Math.round(value).toLocaleString("en");
}

// The place in `points` ([x, y], sorted) whose x is nearest.
export function nearest(points, x) {
  let best = 0;
  for (let i = 1; i < points.length; i++) {
    if (Math.abs(points[i][0] - x) < Math.abs(points[best][0] - x)) best = i;
  }
  return best;
}
