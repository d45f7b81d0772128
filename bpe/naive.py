"""Byte-pair encoding in its simplest form: read this first.

Text is bytes, so 256 symbols can write any text down, but the sequences are long. Byte-pair
encoding makes them shorter and the list of symbols longer: find the two symbols that stand side
by side most often, give that pair a symbol of its own, put it wherever the pair stands, repeat.
What is learned is nothing but the list of pairs, in order; encoding a text replays it.

A text is first cut into chunks, roughly words (`split.py`), and no pair reaches across a cut.

This is not for use: it recounts everything for every merge. `train.py` learns the same merges
and `tokenizer.py` finds the same ids, fast; their tests take this module as the truth.

Sources: P. Gage, "A New Algorithm for Data Compression", 1994; R. Sennrich, B. Haddow, A. Birch,
"Neural Machine Translation of Rare Words with Subword Units", 2016; on bytes rather than
characters: A. Radford et al., "Language Models are Unsupervised Multitask Learners" (GPT-2), 2019.
"""

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

# The first 256 ids are the bytes, in the order GPT-2 gave them and `tokenizers` and tiktoken
# kept: first those that are a visible character in Latin-1 ("!" has id 0, "A" 32), then the rest.
VISIBLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
BYTE_ORDER = bytes(VISIBLE + [byte for byte in range(256) if byte not in VISIBLE])

Pair = tuple[int, int]


def count_pairs(sequences: Iterable[list[int]]) -> Counter[Pair]:
    """Count the pairs of neighbouring ids; in "aaa" the pair (a, a) stands twice."""
    counts = Counter()
    for ids in sequences:
        counts.update(pairwise(ids))
    return counts


def merge(ids: list[int], pair: Pair, new_id: int) -> list[int]:
    """Replace every `pair` by `new_id`, from left to right: "aaa" becomes (aa)a."""
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
    """Learn up to `num_merges` merges; merge number i makes id 256 + i."""
    sequences = [byte_ids(chunk) for chunk in chunks]
    merges = []
    while len(merges) < num_merges and (counts := count_pairs(sequences)):
        # The highest count wins; of equal counts, the lowest pair of ids.
        pair = min(counts, key=lambda pair: (-counts[pair], pair))
        sequences = [merge(ids, pair, 256 + len(merges)) for ids in sequences]
        merges.append(pair)
    return merges


def encode(chunk: bytes, merges: list[Pair]) -> list[int]:
    """Encode one chunk: do to it, in the same order, what training did to the text."""
    ids = byte_ids(chunk)
    for i, pair in enumerate(merges):
        ids = merge(ids, pair, 256 + i)
    return ids


def vocabulary(merges: Iterable[Pair]) -> list[bytes]:
    """List what each id stands for: a byte, or the two tokens it was merged from."""
    tokens = [bytes([byte]) for byte in BYTE_ORDER]
    for first, second in merges:
        tokens.append(tokens[first] + tokens[second])
    return tokens


def decode(ids: Iterable[int], merges: list[Pair]) -> bytes:
    """Join what the ids stand for."""
    tokens = vocabulary(merges)
    return b"".join(tokens[id] for id in ids)
