"""Which copy stays: decisions that need all documents, made from a few bytes of each.

    exact         of documents with the same text, the one that most other pages link to stays
                  (`os`, not `posix`, which says the same); of equally linked ones the first
    paragraph     of equal paragraphs, the first in the same order of documents
    near copies   of documents that are almost the same, the longest (see `dedup.py`)

Memory holds, for each document, the digests of its address and its text, and its rank; one byte for
each paragraph; and for near copies its signature. The paragraphs' digests are read from the shards;
if there are more than PART of them, in as many passes as keep about PART in memory at a time.
"""

from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from crawler import dedup
from crawler.shards import Shard

PART = 2**24  # paragraphs


def first_copies(keys: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return, for each key, whether no equal key has a lower place: (N,), bool."""
    order = np.lexsort((places, keys))
    ordered = keys[order]
    is_first = np.zeros(len(keys), bool)
    is_first[order] = np.concatenate(([True], ordered[1:] != ordered[:-1]))[: len(keys)]
    return is_first


def equal_copies(shards: list[Shard]) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield by shard which documents stay, which paragraphs are first copies, and in-degrees.

    A document's in-degree is how many other pages link to it. Paragraphs of documents that do not
    stay are never first copies.
    """
    arrays = [shard.read_arrays("read", "url", "text", "n_paragraphs") for shard in shards]
    urls, texts, counts = (np.concatenate(column) for column in zip(*arrays, strict=True))
    ends = np.cumsum([len(url) for url, _, _ in arrays])
    linked = _in_degrees(shards, urls)
    ranks = _ranks(linked)
    stays = first_copies(texts, ranks)
    is_first = _first_paragraphs(shards, np.where(stays, ranks, -1), counts)
    paragraph_ends = np.concatenate(([0], np.cumsum(counts)))
    for start, end in zip(np.concatenate(([0], ends[:-1])), ends, strict=True):
        of_shard = is_first[paragraph_ends[start] : paragraph_ends[end]]
        yield stays[start:end], of_shard, linked[start:end]


def _in_degrees(shards: list[Shard], urls: np.ndarray) -> np.ndarray:
    """Return how many other pages link to each document: (N,)."""
    by_url = np.argsort(urls, kind="stable")
    ordered = urls[by_url]
    linked = np.zeros(len(urls) + 1, np.int64)  # the last for links that lead elsewhere
    for shard in shards:
        (links,) = shard.read_arrays("read", "links")
        at = np.searchsorted(ordered, links)
        hit = at < len(ordered)
        hit[hit] = ordered[at[hit]] == links[hit]
        np.add.at(linked, by_url[at[hit]], 1)
    return linked[:-1]


def _ranks(linked: np.ndarray) -> np.ndarray:
    """Return each document's place when those that most other pages link to come first."""
    ranks = np.empty(len(linked), np.int64)
    ranks[np.lexsort((np.arange(len(linked)), -linked))] = np.arange(len(linked))
    return ranks


def _first_paragraphs(shards: list[Shard], ranks: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return for each paragraph whether it is the first copy; documents of rank -1 have none."""
    is_first = np.zeros(counts.sum(), bool)
    n_parts = 1 + len(is_first) // PART
    for part in range(n_parts):
        keys, places, indices = [], [], []
        document = paragraph = 0
        for shard in shards:
            digests, n_paragraphs = shard.read_arrays("read", "paragraphs", "n_paragraphs")
            rank = np.repeat(ranks[document : document + len(n_paragraphs)], n_paragraphs)
            mine = np.flatnonzero((rank >= 0) & (digests % np.uint64(n_parts) == part))
            keys.append(digests[mine])
            places.append(rank[mine] << 32 | mine)  # in one document, the first comes first
            indices.append(mine + paragraph)
            document += len(n_paragraphs)
            paragraph += len(digests)
        first = first_copies(np.concatenate(keys), np.concatenate(places))
        is_first[np.concatenate(indices)[first]] = True
    return is_first


def near_copies(shards: list[Shard]) -> list[dict[int, tuple[int, int]]]:
    """Return for each shard {index of a document to drop: (shard, index) of what stands for it}."""
    counts = [shard.read_arrays("judged", "n_shingles")[0] for shard in shards]
    offsets = [np.concatenate(([0], np.cumsum(of_shard))) for of_shard in counts]
    starts = np.cumsum([0, *map(len, counts)]).tolist()
    sketches = dedup.Sketches(starts[-1])
    for shard, start, end in zip(shards, starts, starts[1:], strict=False):
        of_shard = shard.read_arrays("judged", "signatures", "fingerprints", "lengths")
        sketches.signatures[start:end], sketches.fingerprints[start:end] = of_shard[:2]
        sketches.lengths[start:end] = of_shard[2]

    def place(index: int) -> tuple[int, int]:
        number = bisect_right(starts, index) - 1
        return number, index - starts[number]

    @lru_cache(maxsize=256)
    def shingles_of(index: int) -> np.ndarray:
        number, at = place(index)
        start, end = offsets[number][at : at + 2].tolist()
        path = shards[number].path("judged.shingles")
        return np.fromfile(path, np.uint64, end - start, offset=8 * start)

    dropped: list[dict[int, tuple[int, int]]] = [{} for _ in shards]
    for index, best in dedup.stand_ins(sketches, shingles_of).items():
        number, at = place(index)
        dropped[number][at] = place(best)
    return dropped
