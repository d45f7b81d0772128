// What a head does, measured simply: to what kind of place its attention goes on average, and how
// much would go there by chance, of a head that looks at all tokens alike: 1 / (t + 1) to each that
// position t sees.
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
const EXTENTS = [[0.4, "mostly"], [0.2, "partly"], [0.05, "a little"]]; // from this share on
const TIMES_CHANCE = 1.5; // and from so many times what chance gives: less is no habit

// Give the mean share of attention for each kind of place, where a text has such places, and what
// it would be by chance: {self, previous, first, same, induction}, each {share, chance} or null.
export function measures(weights, ids) {
  const size = ids.length;
  const sums = Object.fromEntries(
    Object.keys(KINDS).map((kind) => [kind, { share: 0, chance: 0, rows: 0 }]),
  );
  const add = (kind, t, places) => {
    sums[kind].share += sum(places.map((s) => weights[t * size + s] / 255));
    sums[kind].chance += places.length / (t + 1);
    sums[kind].rows += 1;
  };
  for (let t = 2; t < size; t++) {
    add("self", t, [t]);
    add("previous", t, [t - 1]);
    add("first", t, [0]);
    const earlier = [];
    for (let s = 0; s < t - 1; s++) if (ids[s] === ids[t]) earlier.push(s);
    if (!earlier.length) continue;
    add("same", t, earlier);
    add("induction", t, earlier.map((s) => s + 1));
  }
  const mean = ({ share, chance, rows }) => rows ? { share: share / rows, chance: chance / rows } : null;
  return Object.fromEntries(Object.entries(sums).map(([kind, each]) => [kind, mean(each)]));
}

// Say in a few words what a head looks at most: "mostly at itself, 62 % (by chance 4 %)".
export function habit(measured) {
  const [kind, { share, chance }] = most(measured);
  const [, extent] = EXTENTS.find(([least]) => share >= least) ?? [];
  if (!extent || share < TIMES_CHANCE * chance) return "spread over many tokens";
  return `${extent} ${KINDS[kind]}, ${percent(share)} (by chance ${percent(chance)})`;
}

// A share for a reader, whole from 1 % on.
export const percent = (share) =>
  `${share > 0 && share < 0.01 ? (100 * share).toFixed(1) : Math.round(100 * share)}\u00a0%`;

// The place of the head whose habit is the most striking, among the measures of several.
export function mostStriking(all) {
  const excesses = all.map((measured) => excess(most(measured)[1]));
  return excesses.indexOf(Math.max(...excesses));
}

const excess = ({ share, chance }) => share - chance;

// The kind of place that is looked at most beyond chance: [kind, {share, chance}].
const most = (measured) =>
  Object.entries(measured)
    .map(([kind, each]) => [kind, each ?? { share: 0, chance: 0 }])
    .reduce((best, each) => (excess(each[1]) > excess(best[1]) ? each : best));

// The positions that position t looks at most, largest first: [{at, weight}], weights 0..1.
export function strongest(weights, size, t, count) {
  return Array.from({ length: t + 1 }, (_, s) => ({ at: s, weight: weights[t * size + s] / 255 }))
    .sort((a, b) => b.weight - a.weight || b.at - a.at)
    .slice(0, count)
    .filter(({ weight }) => weight > 0);
}

const sum = (values) => values.reduce((a, b) => a + b, 0);
