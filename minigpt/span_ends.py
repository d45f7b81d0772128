"""Where a span of a text begins and ends: at whole words, and as far as all documents agree.

sources.py finds spans by their tokens, and calls this to make them end well. A span is a pair
(start, end) of characters.
"""

import regex

EDGES = regex.compile(r"(?w)\b")  # the word boundaries of Unicode Standard Annex 29


def neighbours(spans, n, length):
    """Return where the span before number `n` ends, and where the one after it starts.

    `spans` do not overlap; before the first a text of `length` characters begins, after the last it
    ends.

    >>> neighbours([(10, 20), (40, 50), (25, 30)], 2, length=60)
    (20, 40)
    >>> neighbours([(10, 20), (40, 50), (25, 30)], 1, length=60)
    (30, 60)
    """
    start, end = spans[n]
    before = [other_end for _, other_end in spans if other_end <= start]
    after = [other_start for other_start, _ in spans if other_start >= end]
    return max(before, default=0), min(after, default=length)


def widen(text, start, end, room, edges, documents):
    """Return the span of `text` made longer by the words around it that all `documents` have too.

    A word at a line's start has other ids than after a space, so that equal ids may end where
    equal words go on. It stays within `room`, and ends at two of the `edges`.

    >>> text, documents = "In one, two, three years", ["one, two, three", "one, two, ten"]
    >>> start, end = widen(text, 8, 11, (0, len(text)), word_edges(text), documents)
    >>> text[start:end]  # of "two" at 8 to 11
    'one, two,'
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
