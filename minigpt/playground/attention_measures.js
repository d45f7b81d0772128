// What a head does, measured simply: to what kind of place its attention goes on average.
//
// `weights` are those of one head, (T, T) row by row as bytes: weights[t * T + s] / 255 is how much
// position t looks at position s <= t. No measure counts rows in which it could not fail: the first
// token can look at nothing but itself.

const KINDS = {
  self: "at itself",
  previous: "at the token before",
  first: "at the first token",
  same: "at the same token, earlier",
  induction: "at what followed the same token, earlier",
};
const MUCH = 0.4; // of the attention, on average: so much is a habit
const SOME = 0.2;

// Give the mean share of attention for each kind of place, where a text has such places:
// {self, previous, first, same, induction}, each 0..1 or null.
export function measures(weights, ids) {
  const size = ids.length;
  const at = (t, s) => weights[t * size + s] / 255;
  const sums = Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, { sum: 0, rows: 0 }]));
  const add = (kind, value) => {
    sums[kind].sum += value;
    sums[kind].rows += 1;
  };
  for (let t = 2; t < size; t++) {
    add("self", at(t, t));
    add("previous", at(t, t - 1));
    add("first", at(t, 0));
    const earlier = [];
    for (let s = 0; s < t - 1; s++) if (ids[s] === ids[t]) earlier.push(s);
    if (!earlier.length) continue;
    add("same", sum(earlier.map((s) => at(t, s))));
    add("induction", sum(earlier.map((s) => at(t, s + 1))));
  }
  return Object.fromEntries(
    Object.entries(sums).map(([kind, { sum, rows }]) => [kind, rows ? sum / rows : null]));
}

// Say in a few words what a head looks at most: "mostly at itself, 62 %".
export function habit(measured) {
  const [kind, share] = most(measured);
  if (share < SOME) return "spread over many tokens";
  return `${share >= MUCH ? "mostly" : "partly"} ${KINDS[kind]}, ${Math.round(100 * share)} %`;
}

// The place of the head whose habit is the most striking, among the measures of several.
export function mostStriking(all) {
  const shares = all.map((measured) => most(measured)[1]);
  return shares.indexOf(Math.max(...shares));
}

// The kind of place that is looked at most, and its share: [kind, share].
const most = (measured) =>
  Object.entries(measured)
    .map(([kind, share]) => [kind, share ?? 0])
    .reduce((best, each) => (each[1] > best[1] ? each : best));

// The positions that position t looks at most, largest first: [{at, weight}], weights 0..1.
export function strongest(weights, size, t, count) {
  return Array.from({ length: t + 1 }, (_, s) => ({ at: s, weight: weights[t * size + s] / 255 }))
    .sort((a, b) => b.weight - a.weight || b.at - a.at)
    .slice(0, count)
    .filter(({ weight }) => weight > 0);
}

const sum = (values) => values.reduce((a, b) => a + b, 0);
