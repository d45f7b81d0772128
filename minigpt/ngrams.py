"""Where does this stand in the training text? An index over hundreds of millions of tokens.

Every third window of eight tokens is hashed; hash and window's number share one 64-bit integer,
the hash in the high bits, and the integers are sorted. Whatever ten tokens stand in the text, one
of those windows lies within them, so every match of ten tokens or more is found. What is found is
compared with the text itself: a collision of hashes costs a comparison and never a wrong answer.

An index of 100 million tokens takes 267 MB beside the tokens. It has no file: it is made in
seconds. A smaller window or stride finds shorter matches too, in more places and for more memory:
8 / stride bytes a token. A suffix array would find all, for 400 MB and minutes of building.

Source: what it is for, Lee et al. 2022, "Deduplicating Training Data Makes Language Models Better"
(there with a suffix array).
"""

import numpy as np

WINDOW, STRIDE = 8, 3
SHORTEST = WINDOW + STRIDE - 1  # tokens; every match as long as this is found
BLOCK = 1 << 20  # windows hashed at a time
FOLLOWED = 1 << 16  # places of one window that `matches` follows: beyond, it is the first ones
COMPARED = 1 << 16  # ids compared at a time
MULTIPLIER, MIXER = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)  # odd, irregular


def hash_windows(tokens, n, stride, window):
    """Hash `n` windows of `tokens`, each `stride` after the one before: -> (n,) uint64."""
    h = np.zeros(n, np.uint64)
    for j in range(window):
        h ^= tokens[j : j + (n - 1) * stride + 1 : stride].astype(np.uint64) + np.uint64(1)
        h *= MULTIPLIER  # wraps around at 2**64
        h ^= h >> np.uint64(29)
    h *= MIXER
    return h ^ (h >> np.uint64(32))


class NgramIndex:
    """Finds spans of ids in a row of ids, `tokens` (N,), all that have `shortest` ids or more."""

    def __init__(self, tokens, progress=lambda blocks: blocks, window=WINDOW, stride=STRIDE):
        self.tokens, self.window, self.stride = tokens, window, stride
        self.shortest = window + stride - 1
        n = max(0, (len(tokens) - window) // stride + 1)
        self.low_bits = np.uint64((1 << max(1, n.bit_length())) - 1)  # the window's number
        self.keys = np.empty(n, np.uint64)
        for first in progress(range(0, n, BLOCK)):
            m = min(BLOCK, n - first)
            part = np.asarray(tokens[first * stride : (first + m - 1) * stride + window])
            numbers = np.arange(first, first + m, dtype=np.uint64)
            hashes = hash_windows(part, m, stride, window)
            self.keys[first : first + m] = (hashes & ~self.low_bits) | numbers
        self.keys.sort()

    def ranges(self, hashes):
        """Return the part of the sorted keys (from, to) that each hash has: (M,), (M,)."""
        high = hashes & ~self.low_bits
        return np.searchsorted(self.keys, high), np.searchsorted(
            self.keys, high | self.low_bits, side="right"
        )

    def _windows(self, ids):
        """Yield (i, places): where in the text the window of `ids` at i may stand."""
        n = len(ids) - self.window + 1
        if n < 1:
            return
        ranges = self.ranges(hash_windows(ids, n, 1, self.window))
        for i, (first, last) in enumerate(zip(*ranges, strict=True)):
            if first < last:
                yield i, (self.keys[first:last] & self.low_bits).astype(np.int64) * self.stride

    def _agreeing(self, places, ids, step=1):
        """Return how many of `ids` stand in the text from each place on: (M,).

        With `step` -1 the text is read backward.
        """
        counts = np.zeros(len(places), np.int64)
        alive, k, n = np.arange(len(places)), 0, 2 * self.window
        while len(alive) and k < len(ids):
            n = max(1, min(2 * n, len(ids) - k, COMPARED // len(alive)))
            at = places[alive, None] + step * np.arange(k, k + n)  # (M, n)
            inside = (at >= 0) & (at < len(self.tokens))
            same = inside & (self.tokens[np.where(inside, at, 0)] == ids[k : k + n])
            agreeing = np.where(same.all(1), n, same.argmin(1))
            counts[alive] += agreeing
            alive, k = alive[agreeing == n], k + n
        return counts

    def matches(self, ids, followed=FOLLOWED):
        """Return for each of `ids` how many from it on stand together in the text, and where.

        Two arrays (T,): lengths, 0 where it is less than `shortest`, and places. Of a window that
        stands more than `followed` times only the first of the places found are followed: there,
        the lengths are what was found, not the longest there is.

        >>> index = NgramIndex(np.arange(100, 120), window=3, stride=2)
        >>> lengths, places = index.matches([7, 110, 111, 112, 113, 114, 7])
        >>> lengths.tolist(), int(places[1])  # 110 to 114 stand at 10
        ([0, 5, 4, 0, 0, 0, 0], 10)
        """
        ids = np.asarray(ids)
        T = len(ids)
        ends, places = np.zeros(T, np.int64), np.zeros(T, np.int64)  # of matches by their start
        # matches that have not ended: what place - i is in all of a match, and where it ends
        open_matches = np.zeros((2, 0), np.int64)
        for i, found in self._windows(ids):
            open_matches = open_matches[:, open_matches[1] >= i + self.window]
            found = found[:followed]
            found = found[~np.isin(found - i, open_matches[0])]
            right = self._agreeing(found, ids[i:])
            found, right = found[right >= self.window], right[right >= self.window]
            left = self._agreeing(found - 1, ids[:i][::-1], -1)
            open_matches = np.hstack([open_matches, [found - i, i + right]])
            longer = i + right > ends[i - left]
            start, end, place = (i - left)[longer], (i + right)[longer], (found - left)[longer]
            np.maximum.at(ends, start, end)
            best = np.flatnonzero(end == ends[start])[::-1]  # the first of equals is set last
            places[start[best]] = place[best]
        for i in range(1, T):  # inside of a match, too, the rest of it is a match
            if ends[i - 1] > max(i, ends[i]):
                ends[i], places[i] = ends[i - 1], places[i - 1] + 1
        lengths = np.maximum(ends - np.arange(T), 0)
        lengths[lengths < self.shortest] = 0
        return lengths, places

    def occurrences(self, ids):
        """Return all places of the span `ids`, of `shortest` ids at least, in order: (M,)."""
        ids = np.asarray(ids)
        assert len(ids) >= self.shortest, f"{len(ids)} ids; {self.shortest} are needed"
        found = []
        for i, places in self._windows(ids[: self.shortest]):
            places = places[places >= i] - i
            found.append(places[self._agreeing(places, ids) == len(ids)])
        return np.unique(np.concatenate(found)) if found else np.zeros(0, np.int64)

    def sample(self, n, rng):
        """Return `n` places drawn at random, and how often the index has the window there.

        Two arrays (n,). What stands often is drawn often, as when a page is opened somewhere.
        """
        drawn = self.keys[rng.integers(len(self.keys), size=n)]
        first, last = self.ranges(drawn)
        return (drawn & self.low_bits).astype(np.int64) * self.stride, last - first


def indexed(subject, ids):
    """Return an NgramIndex of `ids`; meanwhile `subject` (subject.py) shows a bar."""
    with subject.bar("indexing", None) as bar:

        def progress(blocks):
            for block in blocks:
                yield block
                bar.update()

        return NgramIndex(ids, progress)
