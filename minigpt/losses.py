"""How well a model predicts text: by part, by page and by source.

Each document is cut into windows that overlap by half. So every token is predicted once and, except
for a document's first ones, from at least half a window of text before it.

Nats per token depend on the tokenizer; bits per byte compare across tokenizers: nats / (bytes
ln 2). Special tokens stand for no text and are not counted.
"""

import math
from typing import NamedTuple

from minigpt.corpus import one_line
from minigpt.tables import table, words
from minigpt.train import token_lengths

TOKENS = 32_768  # about so many at most are predicted of each part
WINDOWS = 4  # of a document at most, where there are many: a long one does not stand for all
SHOWN = 5  # pages at each end of the table
SOURCES = 10
COLUMNS = [("tokens", ",d"), ("nats/token", ".3f"), ("perplexity", ",.1f"), ("bits/byte", ".3f")]


class Loss(NamedTuple):
    """The sum of losses over some text; losses can be added up with `total`."""

    nats: float
    tokens: int
    bytes: int

    def figures(self):
        """Return the values of COLUMNS; None for text without tokens."""
        if not self.tokens:
            return [0, None, None, None]
        mean = self.nats / self.tokens
        bits = self.nats / (max(1, self.bytes) * math.log(2))
        return [self.tokens, mean, math.exp(min(mean, 700)), bits]


def total(losses):
    """Add losses up."""
    return Loss(*(sum(column) for column in zip(*losses, strict=True))) if losses else Loss(0, 0, 0)


def windows(ids, window):
    """Cut a document into (ids, number of last ids to predict): each is predicted once."""
    found, start, end = [], 1, min(len(ids), window + 1)
    while start < end:
        found.append((ids[max(0, end - window - 1) : end], end - start))
        start, end = end, min(len(ids), end + (window + 1) // 2)
    return found


def document_losses(subject, title, documents):
    """Return the Loss of each of `documents`, lists of ids that start with the separator."""
    lengths = token_lengths(subject.tokenizer)
    pieces = [
        (i, piece) for i, ids in enumerate(documents) for piece in windows(ids, subject.window)
    ]
    scored = subject.score(title, [piece for _, piece in pieces])
    parts = [[] for _ in documents]
    for (i, (ids, n)), result in zip(pieces, scored, strict=True):
        sizes = lengths[ids[-n:]]
        text = sizes > 0
        parts[i].append(Loss(float(result.losses[text].sum()), int(text.sum()), int(sizes.sum())))
    return [total(losses) for losses in parts]


def choose_documents(part, n_tokens, longest, rng):
    """Return numbers of documents, drawn at random until they have `n_tokens` ids."""
    chosen, have = [], 0
    for i in rng.permutation(len(part)):
        if have >= n_tokens:
            break
        chosen.append(int(i))
        have += min(longest, int(part.ends[i] - part.starts[i]))
    return sorted(chosen)


def section(subject, corpus, rng):
    """Return the section of a report on how well the text is predicted."""
    rows, by_part = [], {}
    longest = max(WINDOWS * subject.window, TOKENS // len(corpus.val))  # the same for both parts
    for name, part in (("held out", corpus.val), ("training", corpus.train)):
        chosen = choose_documents(part, TOKENS, longest, rng)
        documents = [part.document_ids(i)[:longest] for i in chosen]
        losses = document_losses(subject, f"loss, {name}", documents)
        by_part[name] = [(part.addresses[i], loss) for i, loss in zip(chosen, losses, strict=True)]
        rows.append([name, len(chosen), *total(losses).figures()])
    held_out = sorted(by_part["held out"], key=lambda pair: pair[1].figures()[3] or 0)
    bits = {
        name: total([loss for _, loss in pairs]).figures()[3] for name, pairs in by_part.items()
    }
    return {
        "title": "How well it predicts",
        "headline": f"Held-out text surprises the base model by {bits['held out'] or 0:.2f} bits a "
        f"byte, training text by {bits['training'] or 0:.2f}.",
        "parts": [
            *explanation(longest),
            table("Loss of text", [("text", ""), ("documents", ",d"), *COLUMNS], rows),
            table(
                "By source: the largest in held-out and training text",
                [("source", ""), ("text", ""), ("documents", ",d"), *COLUMNS],
                by_source(by_part, corpus),
            ),
            table(
                "By document: the best and the worst predicted held-out ones",
                [("document", ""), *COLUMNS],
                [[corpus.name(address), *loss.figures()] for address, loss in ends(held_out)],
            ),
        ],
    }


def explanation(longest):
    """Return what the figures mean, in words; of a document `longest` tokens are read."""
    return [
        words(
            "The loss is the model's surprise at the next token, in nats. Its exponential, the "
            "perplexity, is the number of equally likely tokens that would surprise as much: "
            "1 is certainty, the number of symbols is ignorance. Bits per byte is the same "
            "for each byte of text, so models with other tokenizers can be compared. "
            "Held-out text was not trained on. A gap of a few percent may be chance, for the "
            "pages are others; where training text is predicted far better, the model has "
            "learnt it by heart."
        ),
        words(
            "The validation loss while training is another figure, mostly a little higher: it "
            "is of windows cut anywhere in the held-out text, whose first tokens have hardly "
            "any text before them; here all but a document's first ones have half a window. "
            f"Of both texts about {TOKENS:,} tokens are read, if there are as many, and at "
            f"most {longest:,} of a document."
        ),
    ]


def by_source(by_part, corpus):
    """Return rows of the largest sources, those with both kinds of text first."""
    groups = {}
    for name, pairs in by_part.items():
        for address, loss in pairs:
            groups.setdefault(corpus.source(address), {}).setdefault(name, []).append(loss)

    def rank(source):
        parts = groups[source].values()
        return -len(parts), -sum(map(len, parts)), -sum(total(p).tokens for p in parts), source

    return [
        [one_line(source), name, len(losses), *total(losses).figures()]
        for source in sorted(groups, key=rank)[:SOURCES]
        for name, losses in groups[source].items()
    ]


def ends(items):
    """Return the first and the last few of a list, each once."""
    return items if len(items) <= 2 * SHOWN else items[:SHOWN] + items[-SHOWN:]
