"""Where did it get that? Long spans of a text that stand word for word in the training documents.

The text is encoded, its spans are looked up in an index of the training text (ngrams.py), and the
longest that do not overlap are kept, each with the documents it stands in. What is found stands
there to the letter. That the model has it from there is likely, not certain: it may have read the
same in many places, and a text made of other words can say the same.

What counts as a span. Everybody writes "of the list and the"; a span must be so long and so
particular that it hardly came about by chance. It must

- have FEWEST_WORDS whole words, and six tokens. An index of every second window of five tokens is
  sure to find six, for 4 bytes a token. (With ten tokens, the default of ngrams.py, many sentences
  that an assistant copies would be too short: "Set the action for the given signal.");
- stand in at most COMMON_SHARE of the documents: what stands in more says nothing about any;
- have 2 log2(N) bits of different tokens, for N tokens of training text. A token of share p has
  -log2(p) bits. If tokens were independent, log2(N) bits would be expected once in the text by
  chance. But the rest of a sentence tells about half of what comes next (a small model's loss is
  around half of what the shares alone give), so twice as many are asked for. What a span repeats
  counts once.

Held-out documents are not looked at: the model never saw them. Nor are the conversations that an
assistant was fine-tuned on: what it repeats of these has no page. library.py says when and for whom
the index is made.
"""

import heapq
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np
import regex

from minigpt.ngrams import BLOCK, NgramIndex
from minigpt.span_ends import neighbours, trim, widen, word_edges

WINDOW, STRIDE = 5, 2  # tokens
FEWEST_WORDS = 5
COMMON_SHARE = 0.25
MOST_SPANS, MOST_PLACES = 20, 5
MOST_TRIED = 100  # spans: to look up one that stands a million times takes some 50 ms
FOLLOWED = 200  # places of one window; a passage with one rarer window in it is found whole
AROUND, MARKED = 100, 400  # characters of an excerpt: before and after the span, and of it
MOST_TITLE = 200
MOST_SHOWN = 100_000  # characters of a document
WORDS = regex.compile(r"\w+")


class Span(NamedTuple):
    """A part of a text, and where its tokens stand in the documents."""

    start: int  # characters of the text
    end: int
    times: int
    documents: list  # their numbers


class Sources:
    """The training text `part` of a Corpus, indexed."""

    def __init__(self, part, progress=lambda blocks: blocks):
        self.part, self.tokenizer = part, part.tokenizer
        self.index = NgramIndex(part.ids, progress, WINDOW, STRIDE)
        counts = np.ones(self.tokenizer.n_vocab)
        for first in range(0, len(part.ids), BLOCK):
            counts += np.bincount(part.ids[first : first + BLOCK], minlength=len(counts))
        self.bits = np.log2(counts.sum() / counts)  # (V,)
        self.least_bits = 2 * np.log2(max(2, len(part.ids)))

    # ---- from a text to its spans --------------------------------------------------------------

    def spans(self, text):
        """Return the Spans of `text` that stand in the documents, longest first."""
        ids, offsets = self._encode(text)
        edges, spans, tried = word_edges(text), [], 0
        is_end = [offset in edges for offset in offsets]  # (T + 1,), may a span begin or end there?
        taken = np.zeros(len(ids), bool)
        heap = candidates(self.index.matches(ids, FOLLOWED)[0])
        while heap and len(spans) < MOST_SPANS and tried < MOST_TRIED:
            minus_length, first, last = heapq.heappop(heap)
            first, last = shrink(first, last, taken, is_end)
            if last - first < self.index.shortest:
                continue
            if last - first < -minus_length:  # shorter now: others may come before it
                heapq.heappush(heap, (first - last, first, last))
                continue
            start, end = trim(text, offsets[first], offsets[last])
            if self._is_particular(text[start:end], ids[first:last]):
                tried += 1
                times, documents = self._find(ids[first:last])
                if len(documents) <= max(MOST_PLACES, COMMON_SHARE * len(self.part)):
                    taken[first:last] = True
                    spans.append(Span(start, end, times, documents))
        return spans

    def _encode(self, text):
        """Return the ids of `text`, and at which character of it each begins and the last ends.

        A word has one id after a space and another after a line's end. The first word of `text` is
        encoded in the way that finds more.
        """
        ids, offsets = encode_with_offsets(self.tokenizer, text)
        if text[:1].strip():
            other, moved = encode_with_offsets(self.tokenizer, " " + text)
            n = 4 * self.index.shortest
            as_it_is, after_space = (self.index.matches(x[:n], FOLLOWED)[0] for x in (ids, other))
            if after_space.max(initial=0) > as_it_is.max(initial=0):
                return other, [max(0, offset - 1) for offset in moved]
        return ids, offsets

    def _is_particular(self, words, ids):
        """Tell whether a span has enough words, and hardly came about by chance."""
        if len(WORDS.findall(words)) < FEWEST_WORDS:
            return False
        return self.bits[np.unique(ids)].sum() >= self.least_bits

    def _find(self, ids):
        """Return how often a span stands in the documents, and the numbers of these."""
        places = self.index.occurrences(ids)
        documents = np.searchsorted(self.part.starts, places, side="right") - 1
        return len(places), np.unique(documents).tolist()

    # ---- from a span to its documents ----------------------------------------------------------

    def look_up(self, text):
        """Return the spans of `text` with their places, longest first, as the page takes them.

        A list of {"start", "end", "text", "words", "times", "documents": how many, "places"}.
        """
        text = text.encode("utf-8", "replace").decode("utf-8")  # lone surrogates: as many "?"
        spans, edges, texts, found = self.spans(text), word_edges(text), {}, []
        ends = [(span.start, span.end) for span in spans]
        for n, span in enumerate(spans):
            shown = span.documents[:MOST_PLACES]
            texts |= {i: self.part.document_text(i) for i in shown if i not in texts}
            if span.times == len(shown):  # else it would hold of some places and not of others
                room = neighbours(ends, n, len(text))
                ends[n] = widen(text, *ends[n], room, edges, [texts[i] for i in shown])
            start, end = ends[n]
            words = text[start:end]
            found.append(
                {
                    "start": start,
                    "end": end,
                    "text": words,
                    "words": len(WORDS.findall(words)),
                    "times": span.times,
                    "documents": len(span.documents),
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


def candidates(lengths):
    """Return the matches that lie in no other, as a heap of (-length, first, last + 1).

    `lengths` (T,) says how long the longest match from each token on is.
    """
    ends = np.arange(len(lengths)) + lengths
    before = np.concatenate([[0], ends[:-1]])
    firsts = np.flatnonzero((lengths > 0) & (ends > before))
    heap = [(-int(lengths[i]), int(i), int(ends[i])) for i in firsts]
    heapq.heapify(heap)
    return heap


def shrink(first, last, taken, is_end):
    """Return what is left of the tokens from `first` to before `last`: whole words not `taken`.

    What is taken is longer, so it covers a beginning or an end of this, never a middle.
    """
    while first < last and (taken[first] or not is_end[first]):
        first += 1
    while first < last and (taken[last - 1] or not is_end[last]):
        last -= 1
    return first, last


def encode_with_offsets(tokenizer, text):
    """Return ids, and at which character of `text` each begins, and at the end its length."""
    ids = tokenizer.encode_ordinary(text)
    return ids, [*tokenizer.decode_with_offsets(ids)[1], len(text)]


def link(address):
    """Return an address that a page may link to, http or https, else None.

    It comes from the web: "javascript:..." is an address, too.
    """
    try:
        parts = urlsplit(address)
        return address if parts.scheme in ("http", "https") and parts.hostname else None
    except ValueError:
        return None
