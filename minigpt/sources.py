"""Where did it get that? Long spans of a text that stand word for word in the training documents.

The text is encoded, its spans are looked up in an index of the training text (ngrams.py), and the
longest that do not overlap are kept, each with the documents it stands in. What is found stands
there to the letter. That the model has it from there is likely, not certain: it may have read the
same in many places, and a text made of other words can say the same.

What counts as a span. Everybody writes "of the list and the"; a span must be so long and so
particular that it hardly came about by itself:

- SHORTEST tokens (what the index is sure to find) and FEWEST_WORDS whole words;
- 2 log2(N) bits of different tokens, for N tokens of training text. A token of share p has
  -log2(p) bits. Were tokens independent, log2(N) bits would be expected once in the text by
  chance; they are not: the rest of a sentence tells about half of what comes next (a small model's
  loss is around half of what the shares alone give), so twice as many are asked for. What a span
  repeats counts once.

Held-out documents are not looked at: the model never saw them. When and for whom the index is made
says library.py.
"""

import heapq
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np
import regex

from minigpt.ngrams import BLOCK, SHORTEST, NgramIndex

FEWEST_WORDS = 5
MOST_SPANS, MOST_PLACES = 20, 5
FOLLOWED = 1000  # places of one window: of a phrase that stands more often, the first ones
AROUND, MARKED = 100, 400  # characters of an excerpt: before and after the span, and of it
MOST_TITLE = 200
MOST_SHOWN = 100_000  # characters of a document
EDGES = regex.compile(r"(?w)\b")  # the word boundaries of Unicode Standard Annex 29
WORDS = regex.compile(r"\w+")


class Span(NamedTuple):
    """A part of a text: characters from `start` to `end`, and the ids it was found by."""

    start: int
    end: int
    ids: list


class Sources:
    """The training text `part` of a Corpus, indexed."""

    def __init__(self, part, progress=lambda blocks: blocks):
        self.part, self.tokenizer = part, part.tokenizer
        self.index = NgramIndex(part.ids, progress)
        counts = np.ones(self.tokenizer.n_vocab)
        for first in range(0, len(part.ids), BLOCK):
            counts += np.bincount(part.ids[first : first + BLOCK], minlength=len(counts))
        self.bits = np.log2(counts.sum() / counts)  # (V,)
        self.least_bits = 2 * np.log2(max(2, len(part.ids)))

    # ---- from a text to its spans --------------------------------------------------------------

    def spans(self, text):
        """Return the Spans of `text` that stand in the documents, longest first."""
        text = text.encode("utf-8", "replace").decode("utf-8")  # lone surrogates: as many "?"
        ids, offsets = self._encode(text)
        lengths, _ = self.index.matches(ids, FOLLOWED)
        edges = word_edges(text)
        ends = np.arange(len(ids)) + lengths
        # where a longer match than the one before begins: all others lie within these
        firsts = [i for i in np.flatnonzero(lengths) if i == 0 or ends[i] > ends[i - 1]]
        heap = [(-lengths[i], i, ends[i]) for i in firsts]
        heapq.heapify(heap)
        taken, found = np.zeros(len(ids) + 1, bool), []
        while heap and len(found) < MOST_SPANS:
            negative, start, end = map(int, heapq.heappop(heap))
            # what was taken is longer, so it is cut at its start or its end, never inside
            while start < end and (taken[start] or offsets[start] not in edges):
                start += 1
            while start < end and (taken[end - 1] or offsets[end] not in edges):
                end -= 1
            if end - start < -negative:
                if end - start >= SHORTEST:
                    heapq.heappush(heap, (start - end, start, end))
                continue
            span = self._span(text, ids[start:end], offsets[start], offsets[end])
            if span:
                taken[start:end] = True
                found.append(span)
        return found

    def _encode(self, text):
        """Return the ids of `text`, and at which character of it each begins and the last ends.

        In a document a word has another id after a space than after a line's end. The first word
        is taken as it finds more.
        """
        ids, offsets = encode_with_offsets(self.tokenizer, text)
        if text[:1].strip():
            other, moved = encode_with_offsets(self.tokenizer, " " + text)
            n = 4 * SHORTEST
            as_it_is, after_space = (self.index.matches(x[:n], FOLLOWED)[0] for x in (ids, other))
            if after_space.max(initial=0) > as_it_is.max(initial=0):
                return other, [max(0, offset - 1) for offset in moved]
        return ids, offsets

    def _span(self, text, ids, start, end):
        """Return the Span without white space around it, None where it says too little."""
        start, end = trim(text, start, end)
        if len(WORDS.findall(text[start:end])) < FEWEST_WORDS:
            return None
        if self.bits[np.unique(ids)].sum() < self.least_bits:
            return None
        return Span(start, end, ids)

    # ---- from a span to its documents ----------------------------------------------------------

    def look_up(self, text):
        """Return the spans of `text` with their places, longest first, as the page takes them.

        A list of {"start", "end", "text", "words", "times", "documents": how many, "places"}.
        """
        spans, edges, texts, found = self.spans(text), word_edges(text), {}, []
        taken = {(span.start, span.end) for span in spans}
        for span in spans:
            places = self.index.occurrences(span.ids)
            documents = np.unique(np.searchsorted(self.part.starts, places, "right") - 1).tolist()
            shown = documents[:MOST_PLACES]
            for i in shown:
                if i not in texts:
                    texts[i] = self.part.document_text(i)
            start, end = span.start, span.end
            if len(places) == len(shown):  # else it would hold of some places and not of others
                taken.remove((start, end))
                room = (
                    max((e for _, e in taken if e <= start), default=0),
                    min((s for s, _ in taken if s >= end), default=len(text)),
                )
                start, end = widen(text, start, end, room, edges, [texts[i] for i in shown])
                taken.add((start, end))
            words = text[start:end]
            found.append(
                {
                    "start": start,
                    "end": end,
                    "text": words,
                    "words": len(WORDS.findall(words)),
                    "times": len(places),
                    "documents": len(documents),
                    "places": [self._place(i, texts[i], words) for i in shown if words in texts[i]],
                }
            )
        return sorted(found, key=lambda span: span["start"] - span["end"])

    def _place(self, i, text, words):
        """Return where the span `words` first stands in document `i`, which has this `text`."""
        start = text.index(words)
        end = start + len(words)
        first, marked = max(0, start - AROUND), min(end, start + MARKED)
        return {
            **self.name(i),
            "excerpt": text[first : marked + AROUND],
            "mark": [start - first, marked - first],
            "document": i,
            "start": start,
            "end": end,
            "page": f"/playground/api/page?document={i}&start={start}&end={end}",
        }

    def name(self, i):
        """Return {"url", "title"} of document `i`; an address that is no link has url None."""
        address, title = self.part.addresses[i], self.part.titles[i]
        return {"url": link(address), "title": " ".join((title or address).split())[:MOST_TITLE]}

    def page(self, i, start, end):
        """Return the text of document `i` with where `start` and `end` lie in what is shown of it.

        Of a very long text a part around the span is shown; `first` says where in the whole it
        begins. Raises ValueError where there is no such document or span.
        """
        if not 0 <= i < len(self.part):
            raise ValueError(f"document is {i}; it must be from 0 to {len(self.part) - 1}")
        text = self.part.document_text(i)
        if not 0 <= start <= end <= len(text):
            raise ValueError(
                f"start is {start} and end {end}; they must be in this order from 0 to {len(text)}"
            )
        first = max(0, min(start - MOST_SHOWN // 2, len(text) - MOST_SHOWN))
        shown = text[first : first + MOST_SHOWN]
        end = min(end - first, len(shown))
        return {**self.name(i), "text": shown, "start": start - first, "end": end, "first": first}


def encode_with_offsets(tokenizer, text):
    """Return ids, and at which character of `text` each begins, and at the end its length."""
    ids = tokenizer.encode_ordinary(text)
    return ids, [*tokenizer.decode_with_offsets(ids)[1], len(text)]


def widen(text, start, end, room, edges, documents):
    """Return the span of `text` made longer by the words around it that all `documents` have too.

    A word at a line's start has other ids than after a space, so that equal ids may end where
    equal words go on. It stays within `room`, and ends at two of the `edges`.
    """
    words, (first, last) = text[start:end], room
    for document in documents:
        at = document.find(words)
        if at < 0:
            return start, end
        after = at + len(words)
        first = start - agreeing(text[first:start][::-1], document[:at][-start:][::-1])
        last = end + agreeing(text[end:last], document[after : after + len(text)])
    inside = [edge for edge in edges if first <= edge <= last]
    return trim(text, min(inside), max(inside))


def agreeing(a, b):
    """Return how many characters two texts begin with alike."""
    n = 0
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        n += 1
    return n


def trim(text, start, end):
    """Return a span of `text` without the white space at its ends."""
    words = text[start:end]
    return start + len(words) - len(words.lstrip()), end - len(words) + len(words.rstrip())


def word_edges(text):
    """Return the set of places in `text` where a word begins or ends, and its start and end."""
    return {m.start() for m in EDGES.finditer(text)} | {0, len(text)}


def link(address):
    """Return an address that a page may link to, http or https, else None.

    It comes from the web: "javascript:..." is an address, too.
    """
    try:
        parts = urlsplit(address)
        return address if parts.scheme in ("http", "https") and parts.hostname else None
    except ValueError:
        return None
