"""Benchmark: near-duplicates in documents a second, beside datasketch where it is installed.

    python tests/bench_dedup.py                      both in turns, on generated documents
    python tests/bench_dedup.py --million            memory and time of a million documents
    python tests/bench_dedup.py --warc FILE.warc.gz  records a second, beside warcio

Times are those of the CPU, of one process. Documents are of 250 words on average, drawn from 20,000
with the frequencies of a language; one in ten is a copy of an earlier one with up to 20 words
changed. datasketch gets the same words: its usual recipe, `MinHash` of the 5-word shingles with 112
permutations and `MinHashLSH` at .8, without verification, so its pairs are neither all nor only
those wanted.
"""

import argparse
import itertools
import random
import resource
import statistics
import time
from pathlib import Path

from crawler import dedup, warc
from crawler.shingles import jaccard, normalise, shingles


class Documents:
    """Generated documents, made anew each time they are asked for: none is in memory."""

    def __init__(self, count: int, seed: int = 1):
        self.count = count
        self.seconds = 0.0  # spent on making them
        rng = random.Random(seed)
        self.words = [
            "".join(rng.choices("etaoinshrdlucm", k=rng.randint(2, 9))) for _ in range(20_000)
        ]
        self.weights = list(itertools.accumulate(1 / (rank + 3) for rank in range(20_000)))

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> str:
        if index >= self.count:
            raise IndexError
        start = time.process_time()
        text = self._made(index)
        self.seconds += time.process_time() - start
        return text

    def _made(self, index: int) -> str:
        rng = random.Random(index)
        if index % 10 == 9:
            words = self._made(rng.randrange(index) // 10 * 10).split()
            for _ in range(rng.choice((0, 1, 3, 6, 10, 20))):
                words[rng.randrange(len(words))] = f"edit{rng.randrange(1000)},"
        else:
            n_words = rng.randint(125, 375)
            words = rng.choices(self.words, cum_weights=self.weights, k=n_words)
            words[9::12] = [word + "." for word in words[9::12]]
        return " ".join(words)


def ours(texts: list[str]) -> set[tuple[int, int]]:
    """Find pairs with the project's own functions."""
    return set(dedup.near_duplicates(texts))


def theirs(texts: list[str]) -> set[tuple[int, int]]:
    """Find pairs with datasketch."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=0.8, num_perm=112)
    found = set()
    for number, text in enumerate(texts):
        words = normalise(text).split()
        sketch = MinHash(num_perm=112)
        sketch.update_batch(
            [" ".join(words[i : i + 5]).encode() for i in range(max(1, len(words) - 4))]
        )
        found.update((other, number) for other in index.query(sketch))
        index.insert(number, sketch)
    return found


def compare(count: int, rounds: int) -> None:
    """Print documents a second of both, and how many of the pairs they find."""
    texts = list(Documents(count))
    finders = {"ours": ours}
    try:
        import datasketch  # noqa: F401

        finders["datasketch"] = theirs
    except ImportError:
        print("datasketch is not installed: ours alone")
    seconds = {name: [] for name in finders}
    pairs = {}
    for _ in range(rounds):
        for name, find in finders.items():
            start = time.process_time()
            pairs[name] = find(texts)
            seconds[name].append(time.process_time() - start)
    candidates = set.union(*pairs.values())
    sets = {i: shingles(texts[i]) for pair in candidates for i in pair}
    similar = {(i, j) for i, j in candidates if jaccard(sets[i], sets[j]) >= 0.8}
    print(f"{count:,} documents, {len(similar):,} pairs with J >= .8 known to one or the other")
    for name in finders:
        speed = count / statistics.median(seconds[name])
        right = len(pairs[name] & similar)
        wrong = len(pairs[name] - similar)
        print(f"{name:<12}{speed:8,.0f} documents/s   {right:,} of these, {wrong} below")


def million(count: int) -> None:
    """Print time and peak memory of many documents, and what ten million would take."""
    texts = Documents(count)
    start = time.process_time()
    dropped = dedup.keep_one(texts)
    seconds = time.process_time() - start - texts.seconds
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # Linux counts in KiB
    print(f"{count:,} documents: {len(dropped):,} dropped, {count / seconds:,.0f} documents/s")
    print(f"peak memory {peak:.2f} GiB, {peak * 2**30 / count:,.0f} bytes a document")


def read_archive(path: Path, rounds: int) -> None:
    """Print records a second of our reader and of warcio."""
    readers = {"ours": lambda: sum(1 for _ in warc.read_records(path))}
    try:
        from warcio.archiveiterator import ArchiveIterator
    except ImportError:
        print("warcio is not installed: ours alone")
    else:

        def read_with_warcio() -> int:
            with open(path, "rb") as file:
                return sum(len(entry.raw_stream.read()) >= 0 for entry in ArchiveIterator(file))

        readers["warcio"] = read_with_warcio
    seconds = {name: [] for name in readers}
    for _ in range(rounds):
        for name, read in readers.items():
            start = time.process_time()
            count = read()
            seconds[name].append(time.process_time() - start)
    for name in readers:
        print(f"{name:<12}{count / statistics.median(seconds[name]):8,.0f} records/s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--documents", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--million", action="store_true", help="memory of a million documents")
    parser.add_argument("--warc", type=Path, help="read this archive instead")
    args = parser.parse_args()
    if args.warc:
        read_archive(args.warc, args.rounds)
    elif args.million:
        million(1_000_000)
    else:
        compare(args.documents, args.rounds)
