"""Reduce texts to their distinct chunks and how often each occurs in them.

That is all the trainer needs (`train.py`), and memory grows with the distinct chunks, not with the
text. The result is that of `Counter(splitter.chunks(text))`; `fast_count.py` finds it for the
patterns GPT4 and GPT2, and where there is much text, worker processes share the work.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import chain, islice

from tqdm import tqdm

from bpe.fast_count import FastCounter, Keyed
from bpe.split import Splitter, to_bytes
from bpe.stream import cut_stream

BATCH_CHARS = 250000  # what is counted at a time
BATCHES_FOR_WORKERS = 16  # less text than that is counted sooner than workers start
# where workers are not forked (macOS), each imports the script that started it
GUARD = '; a script that trains must do so beneath `if __name__ == "__main__":`'


Text = str | Iterable[str]  # whole, or in pieces cut anywhere


@dataclass
class Counts:
    """What texts consist of, special tokens left out."""

    chunks: dict[bytes, int] = field(default_factory=dict)  # distinct chunk -> how often it occurs
    documents: int = 0
    bytes: int = 0


def count_chunks(
    texts: Iterable[Text],
    splitter: Splitter,
    special_texts: Collection[str] = (),
    processes: int | None = None,
    bar: tqdm | None = None,
) -> Counts:
    """Count the distinct chunks of texts; where there is much text, in worker processes.

    Raises OSError if one of these is killed.
    """
    if isinstance(texts, str):
        raise ValueError("texts is one str; it must be several: put it into a list, [text]")
    counts, counter = Counts(), FastCounter()
    batches = _batches(texts, splitter, special_texts, counts)
    start = list(islice(batches, BATCHES_FOR_WORKERS))
    batches = chain(start, batches)
    processes = processes or available_cores()
    if len(start) < BATCHES_FOR_WORKERS or processes == 1:
        counted = (count_batch(splitter, batch) for batch in batches)
    else:
        counted = _count_in_workers(splitter, batches, processes)
    for result, num_bytes in counted:
        counter.add(*result)
        counts.bytes += num_bytes
        if bar is not None:
            bar.update(num_bytes)
    counts.chunks = counter.chunks()
    return counts


def _batches(
    texts: Iterable[Text], splitter: Splitter, special_texts: Collection[str], counts: Counts
) -> Iterator[list[str]]:
    """Gather about BATCH_CHARS of text at a time, in pieces whose chunks are those of the whole."""
    batch, size = [], 0
    for text in texts:
        counts.documents += 1
        if isinstance(text, str) and len(text) < BATCH_CHARS and not special_texts:
            parts = [(text, None)]  # most texts are short
        else:
            parts = cut_stream(text, special_texts, (), splitter.known)
        for part, _ in parts:
            batch.append(part)
            size += len(part)
            if size >= BATCH_CHARS:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch


def count_batch(splitter: Splitter, batch: list[str]) -> tuple[Keyed, int]:
    """Count the chunks of some text, as `FastCounter.result` gives them, and its bytes."""
    counter = FastCounter()
    if splitter.known:
        num_bytes = counter.add_texts(batch, splitter.pattern)
    else:
        for block in batch:
            counter.long.update(map(to_bytes, splitter.chunks(block)))
        del counter.long[b""]  # from a pattern that somewhere matches the empty string
        num_bytes = sum(len(to_bytes(block)) for block in batch)
    return counter.result(), num_bytes


def _count_in_workers(
    splitter: Splitter, batches: Iterator[list[str]], processes: int
) -> Iterator[tuple[Keyed, int]]:
    """Yield `count_batch` of each batch, in no fixed order, reading few batches ahead."""
    # On Linux, fork: it also works for scripts that do not guard their main part against import.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else None)
    pool = ProcessPoolExecutor(processes, context, initializer=_live_with_parent)
    try:
        running = set()
        for batch in batches:
            running.add(pool.submit(count_batch, splitter, batch))
            if len(running) > 2 * processes:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        yield from (future.result() for future in running)
    except BrokenExecutor:
        cure = "" if context.get_start_method() == "fork" else GUARD
        raise OSError(
            "a worker that counts ended without a word; if memory ran out, free some, or let "
            f"bpe.train do it with processes=1{cure}"
        ) from None
    finally:
        _shut_down(pool)


def _shut_down(pool: ProcessPoolExecutor) -> None:
    """Let the workers end, without Ctrl-C: a second one would leave all waiting for each other."""
    is_main = threading.current_thread() is threading.main_thread()  # the one Ctrl-C interrupts
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if is_main else None
    try:
        pool.shutdown(cancel_futures=True)
    finally:
        if is_main:
            signal.signal(signal.SIGINT, before)


def _live_with_parent() -> None:
    """Leave Ctrl-C to the parent, and end when it ends: an orphaned worker would wait for ever."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def wait() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def available_cores() -> int:
    """Count the cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
