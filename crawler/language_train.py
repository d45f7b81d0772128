"""Make the table of `language.py` from labelled sentences, and measure it on others.

    python -m crawler.language_train sentences.tsv.gz -o data/language_ngrams.tsv.gz
    python -m crawler.language_train sentences.tsv.gz --score --language de --threshold 0.8

A line of the file is `language<TAB>sentence`. Every other sentence of each language is learnt from;
all figures are of the rest. The n-grams kept are those whose frequency in some language is furthest
from the mean of all. An n-gram that is rare in a language gets a probability near that mean
(Dirichlet smoothing), so that what was not seen in a small sample speaks against no language.

Sources: Zhai & Lafferty 2004, "A study of smoothing methods for language models" (Dirichlet prior).
"""

import argparse
import gzip
import io
import math
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote_from_bytes

from crawler import language
from crawler.files import write_atomically

N_GRAMS = 40_000  # n-grams kept
RARE = 3  # times; what is rarer in a language is an accident of the sample
PRIOR = 1000  # n-grams; so much does the mean of all languages count in each
NONE_GAIN = 0.4  # nats an n-gram by which `none` is likelier than that mean


def train(sentences: Iterable[tuple[str, str]]) -> bytes:
    """Return the table, compressed, computed from pairs of (language, sentence).

    Raises ValueError for fewer than two languages.
    """
    counts = _count_ngrams(sentences)
    if len(counts) < 2:
        raise ValueError(f"the sentences are in {len(counts)} language(s); at least 2 are needed")
    chosen = _most_telling(counts)
    totals = [sum(count[gram] for gram in chosen) for count in counts.values()]
    out = io.StringIO()
    print(*counts, language.NONE, file=out)
    for gram in chosen:
        seen = [count[gram] for count in counts.values()]
        mean = sum(n / total for n, total in zip(seen, totals, strict=True) if total) / len(counts)
        p = [(n + PRIOR * mean) / (total + PRIOR) for n, total in zip(seen, totals, strict=True)]
        p.append(sum(p) / len(p) * math.exp(NONE_GAIN))
        costs = bytes(max(0, min(255, round(-language.STEPS * math.log(x)))) for x in p)
        print(quote_from_bytes(gram), costs.hex(), sep="\t", file=out)
    return gzip.compress(out.getvalue().encode("ascii"), mtime=0)


def _count_ngrams(sentences: Iterable[tuple[str, str]]) -> dict[str, Counter[bytes]]:
    """Return how often each language has each n-gram; words are counted first, as they repeat."""
    words: dict[str, Counter[str]] = defaultdict(Counter)
    for code, sentence in sentences:
        words[code].update(language.WORD.findall(sentence.lower()))
    counts: dict[str, Counter[bytes]] = {}
    for code in sorted(words):
        counts[code] = Counter()
        for word, times in words[code].items():
            for gram in language.ngrams(word):
                counts[code][gram] += times
    return counts


def _most_telling(counts: dict[str, Counter[bytes]]) -> list[bytes]:
    """Choose n-grams by how far their frequency in each language is from the mean of all."""
    mean: Counter[bytes] = Counter()
    for count in counts.values():
        total = count.total()
        for gram, times in count.items():
            mean[gram] += times / total / len(counts)
    gain: Counter[bytes] = Counter()
    for count in counts.values():
        total = count.total()
        for gram, times in count.items():
            if times >= RARE:
                p = times / total
                gain[gram] += p * math.log(p / mean[gram])
    return sorted(sorted(gain, key=lambda gram: (-gain[gram], gram))[:N_GRAMS])


def read_sentences(path: str | Path) -> list[tuple[str, str]]:
    """Read `language<TAB>sentence` lines, gzip-compressed or not. Raises OSError, ValueError."""
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as lines:
        pairs = [tuple(line.rstrip("\n").split("\t", 1)) for line in lines if "\t" in line]
    if not pairs:
        raise ValueError(f"{path} has no lines of the form language<TAB>sentence")
    return pairs


def halves(pairs: list[tuple[str, str]]) -> tuple[list, list]:
    """Deal each language's sentences to two halves in turn."""
    seen: Counter[str] = Counter()
    parts: tuple[list, list] = ([], [])
    for pair in pairs:
        parts[seen[pair[0]] % 2].append(pair)
        seen[pair[0]] += 1
    return parts


def score(pairs: list[tuple[str, str]], wanted: str, threshold: float) -> str:
    """Return a line on how well sentences in a language are told from all others."""
    start = time.process_time()
    kept = Counter(code for code, text in pairs if language.probability(text, wanted) >= threshold)
    seconds = max(time.process_time() - start, 1e-9)
    right = sum(language.detect(text) == code for code, text in pairs)
    total = sum(code == wanted for code, _ in pairs)
    wrong = kept.total() - kept[wanted]
    share = f"{kept[wanted] / total:.3f} ({kept[wanted]}/{total})" if total else "not in the file"
    others = len(pairs) - total
    return (
        f"{wanted} at >= {threshold}: recall {share}, false positives {wrong / max(1, others):.5f} "
        f"({wrong}/{others}); {right / len(pairs):.3f} of all right; "
        f"{len(pairs) / seconds:,.0f} sentences/s"
    )


def main(argv: list[str] | None = None) -> int:
    """Train a table on every other sentence of each language and report on the rest."""
    parser = argparse.ArgumentParser(
        prog="python -m crawler.language_train",
        description=main.__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("sentences", help="file of lines language<TAB>sentence, may be .gz")
    add("-o", "--out", type=Path, default=language.TABLE, help="table to write")
    add("--score", action="store_true", help="only report on the table that is there")
    add("--language", default="en", help="language to report on")
    add("--threshold", type=float, default=0.65, metavar="P", help="probability to report at")
    args = parser.parse_args(argv)
    try:
        seen, unseen = halves(read_sentences(args.sentences))
        if not args.score:
            write_atomically(args.out, train(seen))
            print(f"{args.out}: {args.out.stat().st_size / 1e3:,.0f} kB")
        language.TABLE = args.out
        language.forget()
        print(score(unseen or seen, args.language, args.threshold))
    except (ValueError, OSError) as error:
        print(f"language_train: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
