"""Measure the trade-off of byte-pair encoding: more symbols, shorter sequences.

From 256 symbols, the bytes, the vocabulary grows, and the text becomes fewer tokens; usually each
doubling saves less than the one before. What is learned from a text is measured here on the same
text, which flatters it: vocabularies learned from something else stand beside it as single points.

This is not the learning (`train.py`).
"""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from bpe.corpus import Corpus
from bpe.count import count_chunks
from bpe.files import atomic_write
from bpe.split import Splitter
from bpe.tokenizer import Tokenizer

BAR_WIDTH = 40  # characters, for the most tokens


class Point(NamedTuple):
    """How many tokens a text is with so many symbols: a named tokenizer's, or learned from it."""

    symbols: int
    tokens: int
    name: str = ""


def head(texts: Iterable[str], max_chars: int) -> tuple[list[str], bool]:
    """Take texts up to `max_chars` characters in all, and tell whether that left some out."""
    taken = []
    for text in texts:
        if len(text) > max_chars:
            return [*taken, text[:max_chars]], True
        taken.append(text)
        max_chars -= len(text)
    return taken, False


def measure(
    texts: Sequence[str],
    max_vocab: int,
    pattern: str,
    tokenizers: Iterable[tuple[str, Tokenizer]] = (),
    progress: bool = False,
) -> tuple[int, list[Point]]:
    """Count the bytes of texts, and their tokens with 256, 512, ... learned symbols and by others.

    Ends before `max_vocab` where nothing is left to merge. Raises ValueError for a `max_vocab`
    below 256 and for texts without a character.
    """
    if max_vocab < 256:
        raise ValueError(
            f"max_vocab is {max_vocab}; it must be at least 256, so that every byte has an id"
        )
    counts = count_chunks(texts, Splitter(pattern))
    if not counts.chunks:
        raise ValueError("the texts are empty; there must be text to measure")
    with tqdm(
        desc="merging", total=max_vocab - 256, unit=" merges", disable=None if progress else True
    ) as bar:
        points = list(learn_points(counts.chunks, max_vocab, bar))
    for name, tokenizer in tokenizers:
        num_tokens = sum(len(tokenizer.encode_ordinary(text)) for text in texts)
        points.append(Point(tokenizer.n_vocab, num_tokens, name))
    return counts.bytes, points


def learn_points(chunks: Mapping[bytes, int], max_vocab: int, bar: tqdm) -> Iterator[Point]:
    """Learn merges, and yield a point at 256, 512, ... symbols and one at the end."""
    corpus, symbols, goal = Corpus(list(chunks), list(chunks.values())), 256, 256
    while symbols == goal and symbols < max_vocab:
        yield Point(symbols, corpus.num_tokens())
        goal = min(2 * symbols, max_vocab)
        while symbols < goal and (learned := corpus.merge_next(goal - symbols)):
            symbols += len(learned)
            bar.update(len(learned))
    yield Point(symbols, corpus.num_tokens())


def table(num_bytes: int, points: Iterable[Point]) -> str:
    """Draw the points as a table with a bar for each, in the order of their symbols."""
    points = sorted(points)
    most = max(point.tokens for point in points)
    lines = [f"{'symbols':>9} {'tokens':>13} {'bytes/token':>12} {'saved':>6}"]
    before = None  # the point learned before
    for point in points:
        saved = ""
        if not point.name:
            saved = f"{1 - point.tokens / before.tokens:.0%}" if before else ""
            before = point
        bar = "█" * round(BAR_WIDTH * point.tokens / most)
        ratio = num_bytes / point.tokens
        line = f"{point.symbols:>9,} {point.tokens:>13,} {ratio:>12.2f} {saved:>6}  {bar}"
        lines.append(f"{line}  {point.name}".rstrip())
    return "\n".join(lines)


def figure_class() -> type:
    """Import matplotlib's Figure; raise ValueError where it is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ValueError(
            "--plot needs matplotlib, which is not installed: pip install matplotlib"
        ) from None
    return Figure


def plot(path: Path, title: str, num_bytes: int, points: Sequence[Point]) -> None:
    """Draw the points as a picture, whose format the ending of `path` says."""
    figure = figure_class()(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    learned = sorted(point for point in points if not point.name)
    axes.plot(
        [p.symbols for p in learned], [p.tokens for p in learned], "o-", label="learned from it"
    )
    for point in points:
        if point.name:
            axes.plot(point.symbols, point.tokens, "D", label=point.name)
        axes.annotate(
            f"{num_bytes / point.tokens:.2f}", (point.symbols, point.tokens),
            xytext=(4, 6), textcoords="offset points", fontsize=8, color="0.35",
        )  # fmt: skip
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set(title=title, xlabel="symbols", ylabel="tokens")
    axes.margins(x=0.08)
    axes.set_ylim(0, 1.08 * max(point.tokens for point in points))
    axes.grid(alpha=0.3)
    axes.legend(title="numbers: bytes per token")
    with io.BytesIO() as file:
        figure.savefig(file, format=path.suffix[1:], dpi=150)
        atomic_write(path, file.getvalue())
