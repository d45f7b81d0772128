"""Learn the merges of a byte-level BPE tokenizer, fast.

`naive.py` says what is learned: the same merges come out here. Two things make it fast. Text
repeats its words, so `count.py` first reduces it to its distinct chunks and how often each occurs.
And a merge touches few places, so the counts of pairs are corrected there instead of being taken
anew (`corpus.py`).

The text is cut in `split.py`, and encoded in `tokenizer.py`.
"""

from collections.abc import Iterable, Mapping
from numbers import Integral

from tqdm import tqdm

from bpe.corpus import Corpus
from bpe.count import Text, count_chunks
from bpe.naive import Pair
from bpe.special import check_special_tokens
from bpe.split import Splitter
from bpe.tokenizer import Tokenizer


def train(
    texts: Iterable[Text],
    vocab_size: int,
    pattern: str = "gpt4",
    special_tokens: Iterable[str] = (),
    **options,
) -> Tokenizer:
    """Learn a tokenizer of `vocab_size` symbols: 256 bytes, then merges, then special tokens.

    The pair with the highest count is merged; of equal counts, the lowest pair of ids. Where the
    text of a special token occurs in `texts`, it is left out and nothing is merged across it. A
    text may come in pieces, as an iterable of str, so that it need not fit in memory. Raises
    ValueError for a `vocab_size` below what bytes and special tokens take, or above what the texts
    can give. Options: those of `train_with_report`.
    """
    return train_with_report(texts, vocab_size, pattern, special_tokens, **options)[0]


def train_with_report(
    texts: Iterable[Text],
    vocab_size: int,
    pattern: str = "gpt4",
    special_tokens: Iterable[str] = (),
    *,
    processes: int | None = None,
    progress: bool = False,
    total_bytes: int | None = None,
    at_most: bool = False,
) -> tuple[Tokenizer, dict]:
    """Train, and report how many documents there were, and how many bytes and tokens in them.

    If there is much text, this many worker `processes` count it (default: one per core). With
    `progress`, bars are drawn on a terminal; `total_bytes` tells the first how much text there will
    be. With `at_most`, a text that cannot give `vocab_size` symbols gives as many as it can.
    """
    splitter = Splitter(pattern)
    special_texts = check_special_tokens(special_tokens)
    least = 256 + len(special_texts)
    _check_size(vocab_size, least)
    quiet = None if progress else True
    with tqdm(desc="counting", total=total_bytes, unit="B", unit_scale=True, disable=quiet) as bar:
        counts = count_chunks(texts, splitter, special_texts, processes, bar)
    if not counts.chunks:
        raise ValueError("the texts are empty; there must be text to learn from")
    with tqdm(desc="merging", total=vocab_size - least, unit=" merges", disable=quiet) as bar:
        merges, num_tokens = learn_merges(counts.chunks, vocab_size - least, bar)
    most = least + len(merges)
    if most < vocab_size and not at_most:
        raise ValueError(
            f"vocab_size is {vocab_size}, but this text gives at most {most} symbols; "
            f"ask for {most} or fewer, or bring more text"
        )
    report = {
        "vocab_size": most,
        "documents": counts.documents,
        "bytes": counts.bytes,
        "tokens": num_tokens,
        "bytes_per_token": round(counts.bytes / num_tokens, 4),
    }
    return Tokenizer.from_merges(merges, pattern, special_texts), report


def _check_size(vocab_size: int, least: int) -> None:
    """Raise ValueError unless `vocab_size` is a whole number of at least `least`."""
    if not isinstance(vocab_size, Integral):
        raise ValueError(f"vocab_size is {vocab_size!r}; it must be a whole number: write 32768")
    if vocab_size < least:
        holders = "every byte and special token" if least > 256 else "every byte"
        raise ValueError(
            f"vocab_size is {vocab_size}; it must be at least {least}, so that {holders} has an id"
        )


def learn_merges(
    chunks: Mapping[bytes, int], num_merges: int, bar: tqdm | None = None
) -> tuple[list[Pair], int]:
    """Learn up to `num_merges` merges, and count the tokens the text then has."""
    corpus = Corpus(list(chunks), list(chunks.values()))
    merges = []
    while learned := corpus.merge_next(num_merges - len(merges)):
        merges += learned
        if bar is not None:
            bar.update(len(learned))
    return merges, corpus.num_tokens()
