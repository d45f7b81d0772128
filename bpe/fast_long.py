"""Merge chunks that are too long to merge whole: a megabyte without a space, ten thousand dashes.

Such a chunk is cut into windows that overlap, each is merged by itself, and they are put together
where two neighbours have found the same token at the same place. This gives exactly the ids of the
whole chunk, for two reasons.

1. Where t1 ... tn are the tokens of a text, ti ... tj are those of their part of it: no merge of
   the whole crosses the ends of the part, and those inside it come in the same order.
2. Where any two neighbours in t1 ... tn are the tokens of the text of these two, t1 ... tn are the
   tokens of the whole. Else some merge of the whole would be the first to join bytes of two
   neighbours; before it nothing has crossed between them, so their own text would have it too.

Two neighbours in one window are right by the first; when all are, the whole is by the second; and
windows are put together at a token they share, so that each pair of neighbours is in one of them.
(H. van Antwerpen, A. Neubeck, "So many tokens, so little time", GitHub blog, 2024.)

Windows that share no token are rare, but for text that repeats itself. That is merged at all its
places at once instead.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from bpe.arrays import without_overlaps
from bpe.fast_ranks import NO_RANK

if TYPE_CHECKING:
    from bpe.fast_merge import Merger

WINDOW = 128  # bytes
SHARED = 3 / 8  # of a window, with the next one
# Up to this part of the windows, one that shares no token with the next is put down to chance.
RARELY = 1 / 16
# Of the tokens, so many pairs are merged faster all at once than one by one.
MANY = 1 / 64

Placed = dict[int, int]  # offset of a token in its chunk -> its id, ascending


def merge_long(chunks: Sequence[bytes], merger: "Merger", window: int = WINDOW) -> list[np.ndarray]:
    """Merge each chunk of more than a window; give the ids of each."""
    overlap = int(window * SHARED)
    starts = [range(0, len(chunk) - overlap, window - overlap) for chunk in chunks]
    pieces = [
        chunk[start : start + window]
        for chunk, row in zip(chunks, starts, strict=True)
        for start in row
    ]
    ids, counts = merger.merge_whole(pieces)
    ids = iter(np.split(ids, np.cumsum(counts)[:-1]))
    merged = []
    for chunk, row in zip(chunks, starts, strict=True):
        placed = [place(next(ids), start, merger.token_lengths) for start in row]
        joints = [first_shared(left, right) for left, right in pairwise(placed)]
        missing = joints.count(None)
        if not missing:
            merged.append(join(placed, joints))
        elif missing < RARELY * len(joints):
            merged += merge_long([chunk], merger, 8 * window)
        else:
            merged.append(merge_everywhere(chunk, merger))
    return merged


def place(ids: np.ndarray, start: int, token_lengths: np.ndarray) -> Placed:
    """Say at which offset each of the tokens stands, of which the first is at `start`."""
    lengths = token_lengths[ids]
    return dict(zip((start + np.cumsum(lengths) - lengths).tolist(), ids.tolist(), strict=True))


def first_shared(left: Placed, right: Placed) -> int | None:
    """Find the first offset at which both have the same token."""
    return next((offset for offset, id in right.items() if left.get(offset) == id), None)


def join(placed: Sequence[Placed], joints: Sequence[int]) -> np.ndarray:
    """Take from each window the tokens between the two joints it has with its neighbours."""
    ids = []
    for tokens, first, end in zip(placed, [0, *joints], [*joints, np.inf], strict=True):
        ids += [id for offset, id in tokens.items() if first <= offset < end]
    return np.array(ids, np.uint32)


def merge_everywhere(chunk: bytes, merger: "Merger") -> np.ndarray:
    """Merge the pair of lowest rank at all its places at once, as long as that is worth it."""
    ids = merger.byte_ids[np.frombuffer(chunk, np.uint8)]
    while merger.ordered:
        ranks = merger.ranks.get(ids[:-1], ids[1:])
        lowest = ranks.min(initial=NO_RANK)
        left = np.flatnonzero(ranks == lowest)
        if lowest == NO_RANK or len(left) < MANY * len(ids):
            break
        left = without_overlaps(left, left + 1)
        ids[left] = merger.made[lowest]
        ids = np.delete(ids, left + 1)
    return np.array(merger.merge_one_by_one(ids), np.uint32)
