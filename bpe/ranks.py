"""Merge one chunk by the ranks of its pairs, and find the merges a list of tokens implies.

`naive.encode` tries every merge in turn. Only the pairs that stand in the chunk matter, though:
taking the one of lowest rank (the earliest learned), again and again, gives the same ids. This is
not the cutting into chunks nor the remembering of them (`split.py`, `tokenizer.py`).
"""

import base64
from collections.abc import Collection, Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise

from bpe.naive import Pair


def merge_by_rank(ids: list[int], ranks: Mapping[Pair, int], made: Sequence[int]) -> list[int]:
    """Merge the pair of lowest rank, leftmost first, until there is none, in O(n log n).

    `made[rank]` is the id that the merge of that rank makes. The heap holds (rank, position) of
    every pair seen; a merge leaves entries behind that are no longer true, skipped when they come
    up. `before` and `after` link the positions that are left; -1 marks one swallowed by a merge.
    """
    ids = [*ids, -1]  # the last one has a neighbour too
    before = [*range(-1, len(ids) - 1)]
    after = [*range(1, len(ids) + 1)]
    heap = [(ranks[pair], i) for i, pair in enumerate(pairwise(ids)) if pair in ranks]
    heapify(heap)
    while heap:
        rank, left = heappop(heap)
        right = after[left]
        if ranks.get((ids[left], ids[right])) != rank:
            continue
        ids[left], ids[right] = made[rank], -1
        after[left] = after[right]
        before[after[right]] = left
        for i in (before[left], left):
            if i >= 0 and (new := ranks.get((ids[i], ids[after[i]]))) is not None:
                heappush(heap, (new, i))
    return [id for id in ids if id >= 0]


def merges_from_ranks(tokens: Mapping[int, bytes]) -> list[Pair]:
    """Find the merges of a vocabulary that lists only what they make, lowest rank first.

    A token was made by the last merge when its own bytes are merged by all merges before it.
    Raises ValueError for a token that byte-pair encoding could not have made at its place.
    """
    ids = {token: id for id, token in tokens.items()}
    require_every_byte(ids)
    ranks, made, merges = {}, [], []
    for id, token in sorted(tokens.items()):
        if len(token) > 1:
            parts = merge_by_rank([ids[bytes([byte])] for byte in token], ranks, made)
            if len(parts) != 2:
                raise ValueError(
                    f"token {id} ({base64.b64encode(token).decode()}) is {len(parts)} tokens "
                    "before it; it must be two, so that one merge makes it: the file has lost a "
                    "line or its order"
                )
            pair = parts[0], parts[1]
            ranks[pair] = len(merges)
            merges.append(pair)
            made.append(id)
    return merges


def require_every_byte(tokens: Collection[bytes]) -> None:
    """Raise ValueError for the first byte that is no token."""
    for byte in range(256):
        if bytes([byte]) not in tokens:
            raise ValueError(
                f"no token is byte 0x{byte:02x}; every byte must be one, so that any text can be "
                "encoded"
            )
