"""Merge one chunk by the ranks of its pairs, and find the merges a list of tokens implies.

`naive.encode` tries every merge in turn. But only the pairs that occur in the chunk matter: merging
the one of lowest rank (the earliest learned), again and again, gives the same ids. Text is cut into
chunks in `split.py`; the ids of chunks are remembered in `plain.py` and `fast.py`.
"""

import base64
from collections.abc import Collection, Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise

from bpe.naive import Pair


def merge_by_rank(ids: list[int], ranks: Mapping[Pair, int], made: Sequence[int]) -> list[int]:
    """Merge the pair of lowest rank, leftmost first, until there is none, in O(n log n).

    `made[rank]` is the id that the merge of that rank makes. The heap holds (rank, position) of
    every pair seen. A merge makes some entries stale; these are skipped when they come up. `before`
    and `after` link the positions that are left; an id of -1 marks one swallowed by a merge.
    """
    ids = [*ids, -1]  # so that the last one has a neighbour too
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

    A token's bytes, merged by all earlier merges, come down to two tokens: the pair that made it.
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
    """Raise ValueError for the first byte that is not a token."""
    for byte in range(256):
        if bytes([byte]) not in tokens:
            raise ValueError(
                f"no token is byte 0x{byte:02x}; every byte must be one, so that any text can be "
                "encoded"
            )
