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

Held-out documents are not looked at: the model never saw them.

Memory: the index takes 2.7 bytes a token beside the ids, which stay on disk: 267 MB for 100 million
tokens; addresses and titles take some 200 bytes a document. While it is made, one byte a token
more. There is no file of it: it is made in a thread when it is first asked for, and once for all
models of one tokenizer.
"""

import heapq
import threading
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np
import regex

from minigpt.chat_format import CONTROL_TOKENS
from minigpt.corpus import Corpus
from minigpt.dataset import REPORT, fingerprint, read_report
from minigpt.ngrams import BLOCK, SHORTEST, STRIDE, NgramIndex

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
        edges = {m.start() for m in EDGES.finditer(text)} | {0, len(text)}
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
        words = text[start:end]
        start += len(words) - len(words.lstrip())
        end -= len(words) - len(words.rstrip())
        if len(WORDS.findall(words)) < FEWEST_WORDS:
            return None
        if self.bits[np.unique(ids)].sum() < self.least_bits:
            return None
        return Span(start, end, ids)

    # ---- from a span to its documents ----------------------------------------------------------

    def look_up(self, text):
        """Return the spans of `text` with their places, as the page takes them."""
        texts, found = {}, []
        for span in self.spans(text):
            words = text[span.start : span.end]
            places = self.index.occurrences(span.ids)
            documents = np.searchsorted(self.part.starts, places, side="right") - 1
            documents = np.unique(documents).tolist()
            for i in documents[:MOST_PLACES]:
                if i not in texts:
                    texts[i] = self.part.document_text(i)
            found.append(
                {
                    "start": span.start,
                    "end": span.end,
                    "text": words,
                    "words": len(WORDS.findall(words)),
                    "times": len(places),
                    "documents": len(documents),
                    "places": [
                        self._place(i, texts[i], words)
                        for i in documents[:MOST_PLACES]
                        if words in texts[i]
                    ],
                }
            )
        return sorted(found, key=lambda span: span["start"] - span["end"])

    def _place(self, i, text, words):
        start = text.index(words)
        end = start + len(words)
        first, last = max(0, start - AROUND), min(end, start + MARKED)
        return {
            **self.name(i),
            "excerpt": text[first : last + AROUND],
            "mark": [start - first, last - first],
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


def link(address):
    """Return an address that a page may link to, http or https, else None.

    It comes from the web: "javascript:..." is an address, too.
    """
    try:
        parts = urlsplit(address)
        return address if parts.scheme in ("http", "https") and parts.hostname else None
    except ValueError:
        return None


def plain(tokenizer):
    """Return `tokenizer` without the control tokens of conversations: what a base was made with."""
    special = {t: i for t, i in tokenizer.special_tokens.items() if t not in CONTROL_TOKENS}
    return type(tokenizer)(
        tokenizer.tokens, tokenizer.merges, tokenizer.splitter.pattern, special,
        tokenizer.ignore_merges,
    )  # fmt: skip


class Library:
    """The Sources of a folder of tokens: made in a thread when asked for, anew when it changed.

    Every answer is a dict: {"missing": reason} where there is nothing to look into, {"indexing":
    True, "share": 0 to 1} while it is made.
    """

    def __init__(self, folder, files=()):
        self.folder, self.files = folder and Path(folder), [Path(file) for file in files]
        self._lock, self._searching = threading.Lock(), threading.Lock()
        self._plain = {}  # id of a tokenizer -> (tokenizer, {fingerprint: what it is of})
        self._stamp, self._sources, self._problem = None, None, None
        self._thread, self._share = None, 0.0

    def look_up(self, text, tokenizer):
        """Return {"spans": [...]} of a text written with `tokenizer`."""
        sources = self.open(tokenizer)
        if isinstance(sources, dict):
            return sources
        with self._searching:  # one at a time: a search is all Python and would slow all others
            return {"spans": sources.look_up(text)}

    def page(self, document, start, end, tokenizers):
        """Return a document that was read with one of `tokenizers`.

        See Sources.page, also for what is raised.
        """
        answer = {"missing": "no model is loaded yet"}
        for tokenizer in tokenizers:
            answer = self.open(tokenizer)
            if isinstance(answer, Sources):
                return answer.page(document, start, end)
            if "indexing" in answer:
                break
        return answer

    def open(self, tokenizer):
        """Return Sources that fit `tokenizer`, or what there is instead of it."""
        try:
            report = read_report(self.folder)
            stamp = [report["tokenizer"], *map(look, [self.folder / REPORT, *self.files])]
        except (OSError, ValueError) as error:
            return {"missing": str(error)}
        fitting = self._fingerprints(tokenizer).get(report["tokenizer"])
        if fitting is None:
            return {
                "missing": f"{self.folder} was written with another tokenizer than this model's; "
                f"serve a model that was trained on it"
            }
        with self._lock:
            if self._thread is not None:
                return {"indexing": True, "share": round(self._share, 3)}
            if stamp != self._stamp:
                self._stamp, self._sources, self._problem, self._share = stamp, None, None, 0.0
                self._thread = threading.Thread(target=self._make, args=(fitting,), daemon=True)
                self._thread.start()
                return {"indexing": True, "share": 0.0}
            return self._sources or {"missing": self._problem}

    def wait(self, timeout_s=None):
        """Wait until nothing is being indexed."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)

    def _fingerprints(self, tokenizer):
        """Return {fingerprint: tokenizer}: of itself, and of itself without control tokens."""
        if id(tokenizer) not in self._plain:
            fitting = {fingerprint(t): t for t in (tokenizer, plain(tokenizer))}
            self._plain[id(tokenizer)] = tokenizer, fitting  # held, so that its id stays its own
        return self._plain[id(tokenizer)][1]

    def _make(self, tokenizer):
        try:
            part = Corpus(self.folder, tokenizer, self.files).train
            n_blocks = max(1, len(part.ids) // STRIDE // BLOCK)

            def progress(blocks):
                for i, block in enumerate(blocks):
                    self._share = min(0.1 + 0.9 * i / n_blocks, 0.99)
                    yield block

            self._sources = Sources(part, progress)
        except (OSError, ValueError, LookupError) as error:
            self._problem = str(error)
        finally:
            self._thread = None


def look(path):
    """Return what tells a file from one written later."""
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino
