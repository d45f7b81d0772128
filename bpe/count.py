"""Reduce texts to their distinct chunks and how often each stands in them.

That is all the trainer needs (`train.py`), and memory grows with the distinct chunks, not with the
text. Where there is much text, worker processes share the work. This is not the pattern that cuts
the text into chunks (`split.py`).
"""

import multiprocessing
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import chain, islice

from tqdm import tqdm

from bpe.split import Splitter, special_tokens_regex, to_bytes

BATCH_CHARS = 4_000_000  # what a worker counts at a time; less text than two of these needs none


@dataclass
class Counts:
    """What texts consist of, special tokens left out."""

    chunks: Counter[str] = field(default_factory=Counter)  # distinct chunk -> how often it stands
    documents: int = 0
    bytes: int = 0


def count_chunks(
    texts: Iterable[str],
    splitter: Splitter,
    special_texts: Iterable[str] = (),
    processes: int | None = None,
    bar: tqdm | None = None,
) -> Counts:
    """Count the distinct chunks of texts; where there is much text, in worker processes."""
    if isinstance(texts, str):
        raise ValueError("texts is one str; it must be several: put it into a list, [text]")
    counts = Counts()
    batches = _batches(texts, splitter, special_texts, counts)
    start = list(islice(batches, 2))
    batches = chain(start, batches)
    processes = processes or available_cores()
    if len(start) < 2 or processes == 1:
        counted = (count_batch(splitter, batch) for batch in batches)
    else:
        counted = _count_in_workers(splitter, batches, processes)
    for chunks, num_bytes in counted:
        counts.chunks.update(chunks)
        counts.bytes += num_bytes
        if bar is not None:
            bar.update(num_bytes)
    return counts


def _batches(
    texts: Iterable[str], splitter: Splitter, special_texts: Iterable[str], counts: Counts
) -> Iterator[list[str]]:
    """Gather about BATCH_CHARS of text at a time, in pieces whose chunks are those of the whole."""
    specials = special_tokens_regex(special_texts)
    batch, size = [], 0
    for text in texts:
        counts.documents += 1
        for part in specials.split(text)[::2]:
            for block in splitter.blocks(part):
                batch.append(block)
                size += len(block)
                if size >= BATCH_CHARS:
                    yield batch
                    batch, size = [], 0
    if batch:
        yield batch


def count_batch(splitter: Splitter, batch: list[str]) -> tuple[Counter[str], int]:
    """Count the chunks and the bytes of some text."""
    chunks = Counter()
    for block in batch:
        chunks.update(splitter.chunks(block))
    del chunks[""]  # from a pattern that matches nothing at all somewhere
    return chunks, sum(len(to_bytes(block)) for block in batch)


def _count_in_workers(
    splitter: Splitter, batches: Iterator[list[str]], processes: int
) -> Iterator[tuple[Counter[str], int]]:
    """Yield `count_batch` of each batch, in no fixed order, reading few batches ahead."""
    # On Linux a fork also serves scripts that do not guard their main part against being imported.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else None)
    pool = ProcessPoolExecutor(processes, context, initializer=_leave_interrupts_to_parent)
    try:
        running = set()
        for batch in batches:
            running.add(pool.submit(count_batch, splitter, batch))
            if len(running) > 2 * processes:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        yield from (future.result() for future in running)
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def available_cores() -> int:
    """Count the cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
