"""Byte-pair encoding in its simplest form: read this first.

Text is bytes (UTF-8), so 256 symbols are enough to write any text. But then the sequences are long,
and a model sees only so many symbols at a time and computes as much for each. Byte-pair encoding
makes the sequences shorter and the list of symbols longer: find the two symbols that stand side by
side most often, give that pair a symbol of its own, put it wherever the pair stands, and repeat. A
symbol's number is its id; the bytes that it stands for are its token.

A text is first cut into chunks, roughly words (by `split.py`: Splitter("gpt4").chunks(text)). No
pair reaches across a cut, so "dog." and "dog!" share "dog". Here are three chunks and the first two
merges:

    l o w      l o w e r      n e w
    lo w       lo w e r       n e w       (l, o) stands twice; so does (o, w), but l's id is lower
    low        low e r        n e w       (lo, w) stands twice

All that is learned is the list of pairs, in order. To encode a text, apply the merges to it in the
same order: "slow" becomes s, low.

This is for reading, not for use: it counts everything again for every merge. `train.py` learns the
same merges and `tokenizer.py` finds the same ids, fast; their tests take this module as the truth.

Sources: P. Gage, "A New Algorithm for Data Compression", 1994; R. Sennrich, B. Haddow, A. Birch,
"Neural Machine Translation of Rare Words with Subword Units", 2016; on bytes rather than
characters: A. Radford et al., "Language Models are Unsupervised Multitask Learners" (GPT-2), 2019.
"""

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

# The first 256 ids are the bytes. Any order would do; this is GPT-2's, which `tokenizers` and
# tiktoken kept: first the bytes that are visible characters in Latin-1 ("!" has id 0, "A" 32), then
# the rest.
VISIBLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
BYTE_ORDER = bytes(VISIBLE + [byte for byte in range(256) if byte not in VISIBLE])

Pair = tuple[int, int]


def count_pairs(sequences: Iterable[list[int]]) -> Counter[Pair]:
    """Count the pairs of neighbouring ids. In "aaa" the pair (a, a) counts twice."""
    counts = Counter()
    for ids in sequences:
        counts.update(pairwise(ids))
    return counts


def merge(ids: list[int], pair: Pair, new_id: int) -> list[int]:
    """Replace every `pair` by `new_id`, from left to right: "aaa" becomes (aa)a.

    >>> merge([64, 64, 64], pair=(64, 64), new_id=256)
    [256, 64]
    """
    merged = []
    for id in ids:
        if merged and (merged[-1], id) == pair:
            merged[-1] = new_id
        else:
            merged.append(id)
    return merged


def byte_ids(data: bytes) -> list[int]:
    """Give each byte its id."""
    return [BYTE_ORDER.index(byte) for byte in data]


def train(chunks: Iterable[bytes], num_merges: int) -> list[Pair]:
    """Learn up to `num_merges` merges, fewer if no pair is left.

    Merge number i, counted from 0, makes the id 256 + i.

    >>> merges = train([b"low", b"lower", b"new"], num_merges=2)
    >>> vocabulary(merges)[256:]
    [b'lo', b'low']
    """
    sequences = [byte_ids(chunk) for chunk in chunks]
    merges = []
    while len(merges) < num_merges and (counts := count_pairs(sequences)):
        # The highest count wins, and of equal counts the lowest pair of ids.
        pair = min(counts, key=lambda pair: (-counts[pair], pair))
        sequences = [merge(ids, pair, 256 + len(merges)) for ids in sequences]
        merges.append(pair)
    return merges


def encode(chunk: bytes, merges: list[Pair]) -> list[int]:
    """Encode one chunk: apply all merges to it, in the order in which they were learned.

    So a chunk becomes what `train` made of it.

    >>> merges = train([b"low", b"lower", b"new"], num_merges=2)
    >>> encode(b"slow", merges)  # s, low
    [82, 257]
    """
    ids = byte_ids(chunk)
    for i, pair in enumerate(merges):
        ids = merge(ids, pair, 256 + i)
    return ids


def vocabulary(merges: Iterable[Pair]) -> list[bytes]:
    """List the bytes that each id stands for: one byte, or those of the two ids it was made of."""
    tokens = [bytes([byte]) for byte in BYTE_ORDER]
    for first, second in merges:
        tokens.append(tokens[first] + tokens[second])
    return tokens


def decode(ids: Iterable[int], merges: list[Pair]) -> bytes:
    """Join the bytes that the ids stand for.

    Only all together are they text: a character of several bytes may be split between two tokens.

    >>> merges = train([b"low", b"lower", b"new"], num_merges=2)
    >>> decode([82, 257], merges)  # the way back
    b'slow'
    """
    tokens = vocabulary(merges)
    return b"".join(tokens[id] for id in ids)
