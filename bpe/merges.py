"""Play the merges of a chunk of text one by one: how byte-pair encoding arrives at its tokens.

Each step takes, of all pairs side by side, the one learned first (the lowest rank), and of several
such the leftmost. A pair that stands twice takes two steps; `naive.merge` does both in one.

This is not how `tokenizer.py` encodes, only what it does.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from bpe.show import paint, visible
from bpe.split import to_bytes
from bpe.tokenizer import Tokenizer


class Step(NamedTuple):
    """The ids of a chunk, and which two of them are merged next."""

    ids: list[int]
    at: int | None  # the first of the two is ids[at]; None: nothing merges any more
    rank: int | None  # how many merges were learned before this one
    new_id: int | None  # what the two become


def merge_steps(tokenizer: Tokenizer, chunk: str | bytes) -> Iterator[Step]:
    """Yield the steps from the bytes of one chunk to its tokens; the last merges nothing."""
    data = chunk if isinstance(chunk, bytes) else to_bytes(chunk)
    ranks = tokenizer._ranks
    if tokenizer.ignore_merges and data in tokenizer._ids:
        ids = [tokenizer._ids[data]]
    else:
        ids = [tokenizer._byte_ids[byte] for byte in data]
    while known := [(ranks[pair], i) for i, pair in enumerate(pairwise(ids)) if pair in ranks]:
        rank, at = min(known)
        new_id = tokenizer._made[rank]
        yield Step(ids, at, rank, new_id)
        ids = [*ids[:at], new_id, *ids[at + 2 :]]
    yield Step(ids, None, None, None)


def draw_steps(tokenizer: Tokenizer, chunk: str, colour: bool) -> Iterator[str]:
    """Yield a line a step: the sequence with the pair about to be merged marked, and its token."""
    width = 0
    for ids, at, rank, new_id in merge_steps(tokenizer, chunk):
        pieces = [visible(token) for token in tokenizer.decode_tokens_bytes(ids)]
        if at is None:
            yield f" {' '.join(pieces)}  = {' '.join(map(str, ids))}"
            continue
        before = "".join(f" {piece}" for piece in pieces[:at])
        after = "".join(f"{piece} " for piece in pieces[at + 2 :])
        pair = f"{pieces[at]} {pieces[at + 1]}"
        pair = f" {pair} " if colour else f"[{pair}]"
        width = width or len(before + pair + after)  # the first line is the longest
        padding = " " * (width - len(before + pair + after))
        made = paint(visible(tokenizer.tokens[new_id]), 0, colour)
        yield f"{before}{paint(pair, 0, colour)}{after}{padding} rank {rank:,}: {made} ({new_id})"
