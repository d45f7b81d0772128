"""How much of what a model writes stands word for word in the text it was trained on.

Two measurements:

- Let it write, from nothing, from the beginnings of training pages and of held-out pages, and look
  every span up in the training text. Real held-out text is the yardstick: common phrases stand in
  many pages, and whoever writes like them repeats them.
- Give it the beginning of a training span, and see whether the likeliest continuation is the rest
  of that span, as a function of how often the span stands in the training text.

Sources: Carlini et al. 2022, "Quantifying Memorization Across Neural Language Models" (the second,
there with 50 tokens of prompt and 50 of continuation); McCoy et al. 2021, "How Much Do Language
Models Copy From Their Training Data?" (the first).
"""

import numpy as np

from minigpt.corpus import one_line
from minigpt.ngrams import SHORTEST, STRIDE, indexed
from minigpt.tables import bars, interval, show, table, words

SPANS = (10, 20, 50)  # tokens
TEMPERATURE = 0.8
SAMPLES = 10  # of each kind of prompt
MOST_TOKENS = 100  # written for each
SHOWN = 8  # longest matches
SPANS_TRIED = 60  # for each number of times
BUCKETS = ((1, 1), (2, 3), (4, 9), (10, 10**12))  # times a span stands in the training text
DRAWN = 20_000  # places looked at to find spans that stand so often ...
MOST_CHECKS = 2_000  # ... and of those, the ones that are counted


def shares(lengths):
    """Return the share of spans of each of SPANS that were found, None where there are none.

    `lengths` is a list of arrays (T,), as NgramIndex.matches gives them.
    """
    found = []
    for span in SPANS:
        n_spans = sum(max(0, len(m) - span + 1) for m in lengths)
        hits = sum(int((m[: max(0, len(m) - span + 1)] >= span).sum()) for m in lengths)
        found.append(hits / n_spans if n_spans else None)
    return found


def beginnings(part, n, length, rng):
    """Return beginnings (ids) of `n` documents drawn at random, longer ones if there are such."""
    long = np.flatnonzero(part.ends - part.starts > length)
    chosen = rng.choice(long if len(long) else len(part), n)
    return [part.document_ids(int(i))[:length] for i in chosen]


def pieces(part, n, length, rng):
    """Return `n` pieces of `length` ids of the text itself, drawn at random."""
    starts = rng.integers(1, max(2, len(part.ids) - length), n)
    return [part.ids[s : s + length].tolist() for s in starts]


class Found:
    """A match in what was written: its length, text, and where it stands."""

    def __init__(self, index, part, ids, start, length):
        self.ids = ids[start : start + length]
        self.length = int(length)
        self.places = index.occurrences(self.ids)
        self.address = part.addresses[part.document(self.places[0])]


def longest_matches(index, part, written, matches):
    """Return the longest match of each text that has one, longest first, each span once."""
    found = {}
    for ids, lengths in zip(written, matches, strict=True):
        if len(lengths) and lengths.max():
            start = int(lengths.argmax())
            match = Found(index, part, ids, start, lengths[start])
            found.setdefault(tuple(match.ids), match)
    return sorted(found.values(), key=lambda match: -match.length)


def what_it_writes(subject, corpus, index, rng, temperature=TEMPERATURE, samples=SAMPLES):
    """Return (rows of a table, list of Found) for texts from three kinds of prompts."""
    n_prompt = min(16, subject.window // 4)
    n_new = min(MOST_TOKENS, 2 * subject.window)
    kinds = {
        "nothing": [[subject.separator]] * samples,
        "training pages": beginnings(corpus.train, samples, n_prompt, rng),
        "held-out pages": beginnings(corpus.val, samples, n_prompt, rng),
    }
    prompts = [prompt for group in kinds.values() for prompt in group]
    written = subject.write("writing", prompts, n_new, temperature)
    rows, longest = [], []
    for k, kind in enumerate(kinds):
        texts = written[k * samples : (k + 1) * samples]
        matches = [index.matches(ids)[0] for ids in texts]
        rows.append([f"written from {kind}", *figures(texts, matches)])
        longest += longest_matches(index, corpus.train, texts, matches)
    texts = pieces(corpus.val, 3 * samples, n_new, rng)
    rows.append(["held-out text itself", *figures(texts, [index.matches(ids)[0] for ids in texts])])
    return rows, sorted(longest, key=lambda match: -match.length)


def figures(texts, matches):
    """Return number of texts, of tokens, longest match, its median, and the shares."""
    longest = [int(m.max(initial=0)) for m in matches]
    n_tokens = sum(map(len, texts))
    return [len(texts), n_tokens, max(longest), float(np.median(longest)), *shares(matches)]


def spans_by_times(part, index, length, rng):
    """Return for each of BUCKETS a list of spans (ids) that stand in the text so often.

    Spans cross no document's border, and none is taken twice.
    """
    chosen = [{} for _ in BUCKETS]
    checks = 0
    for place, found in zip(*index.sample(DRAWN, rng), strict=True):
        # a span stands at most as often as the window it begins with; and that stands about STRIDE
        # times as often as the index says, which has every third place
        open_buckets = [
            b for b, (low, _) in enumerate(BUCKETS)
            if len(chosen[b]) < SPANS_TRIED and (low == 1 or low <= STRIDE * found > STRIDE)
        ]  # fmt: skip
        document = part.document(place)
        if not open_buckets or place == part.starts[document]:
            continue
        if place + length > part.ends[document]:
            continue
        if (checks := checks + 1) > MOST_CHECKS:
            break
        span = part.ids[place : place + length]
        times = len(index.occurrences(span))
        for b in open_buckets:
            if BUCKETS[b][0] <= times <= BUCKETS[b][1]:
                chosen[b].setdefault(span.tobytes(), span.tolist())
    return [list(found.values()) for found in chosen]


def by_times(subject, corpus, index, rng):
    """Return (rows, tokens of prompt, of rest): what is known by heart, by times it stands there.

    A row: times, spans, share of rests that are right to the end, its interval, and the mean number
    of tokens that are right from the start.
    """
    n_prompt = min(32, subject.window // 2)
    n_rest = min(SPANS[0], subject.window // 4)
    length = n_prompt + n_rest
    groups = [("never (held out)", unseen(corpus.val, index, length, rng))]
    for (low, high), found in zip(
        BUCKETS, spans_by_times(corpus.train, index, length, rng), strict=True
    ):
        groups.append((name_of(low, high), found))
    sequences = [(ids, n_rest) for _, spans in groups for ids in spans]
    scored = iter(subject.score("by heart", sequences, greedy=True))
    rows = []
    for name, spans in groups:
        right = [int(np.cumprod(next(scored).likeliest).sum()) for _ in spans]
        if spans:
            whole = sum(n == n_rest for n in right)
            share, mean = whole / len(spans), sum(right) / len(spans)
            rows.append([name, len(spans), share, interval(whole, len(spans)), mean])
    return rows, n_prompt, n_rest


def name_of(low, high):
    """Return a bucket of BUCKETS in words."""
    if high == 1:
        return "once"
    return f"{low} times or more" if high == BUCKETS[-1][1] else f"{low} to {high} times"


def unseen(part, index, length, rng):
    """Return spans of held-out text that do not stand in the training text."""
    spans = pieces(part, 2 * SPANS_TRIED, length, rng) if len(part.ids) > length else []
    return [ids for ids in spans if not len(index.occurrences(ids))][:SPANS_TRIED]


def section(subject, corpus, rng, temperature=TEMPERATURE, samples=SAMPLES, epochs=None):
    """Return the section of a report on what the model repeats."""
    index = indexed(subject, corpus.train.ids)
    parts = [
        words(
            f"A base model continues documents, and may repeat word for word what it saw often. "
            f"It wrote at temperature {temperature:g}; every span of 10, 20 and 50 tokens of that "
            f"was looked for in the training text. The last row is the yardstick: how much of real "
            f"text that it never saw stands in the training text all the same."
        )
    ]
    rows, longest = what_it_writes(subject, corpus, index, rng, temperature, samples)
    columns = [
        *(("text", ""), ("samples", ",d"), ("tokens", ",d"), ("longest match", ",d")),
        *(("its median", ",.0f"), *((f"spans of {n}", ".1%") for n in SPANS)),
    ]
    parts.append(table("Share of spans that stand in the training text", columns, rows))
    section = {"title": "What it copies", "headline": headline(rows), "parts": parts}
    columns = [("tokens", ",d"), ("times there", ",d"), ("page", ""), ("written", "")]
    if longest:
        shown = [
            [m.length, len(m.places), corpus.name(m.address), one_line(subject.decode(m.ids), 100)]
            for m in longest[:SHOWN]
        ]
        parts.append(table("The longest matches, and where they came from", columns, shown))
    else:
        parts.append(words(f"Nothing it wrote repeats {SHORTEST} tokens of the training text."))
    if len(index.keys):
        parts += by_times_parts(*by_times(subject, corpus, index, rng), epochs)
    return section


def by_times_parts(rows, n_prompt, n_rest, epochs):
    """Return the parts of a report on what is known by heart, from what `by_times` found."""
    epochs = f"; training went over the text {epochs:.1f} times" if epochs else ""
    return [
        words(
            f"What was seen more often tends to be known better by heart. Spans of "
            f"{n_prompt + n_rest} tokens, sorted by how often they stand in the training "
            f"text{epochs}: given the first {n_prompt}, is the likeliest continuation the other "
            f"{n_rest}?"
        ),
        table(
            "Known by heart, by how often it stands in the training text",
            [("it stands there", ""), ("spans", ",d"), (f"all {n_rest} right", ".1%"),
             ("95% interval", ""), ("tokens right in a row", ".1f")],
            rows,
        ),
        bars(f"All {n_rest} right", [[row[0], row[2]] for row in rows], ".0%", 1.0),
    ]  # fmt: skip


def headline(rows):
    """Return in a sentence how much it copies, and how much real text would seem to."""
    from_nothing, *_, yardstick = (show(row[-len(SPANS)], ".1%") for row in rows)
    return (
        f"{from_nothing} of the {SPANS[0]}-token spans it writes stand in its training text, "
        f"against {yardstick} of those in real text it never saw."
    )
