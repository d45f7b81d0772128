"""Which language is a text in? Naive Bayes over byte n-grams.

P(language | text) is proportional to P(language) * product of P(n-gram | language): all languages
are equally likely beforehand, and n-grams are taken as independent, which they are not. Every
letter is counted in 1 + 2 + ... + MAX_N n-grams, so the logarithm is divided by that number;
otherwise every answer would be 0.0 or 1.0. This is not a word list and knows no grammar.

A text is read as lower-case words with a blank on either side; digits and punctuation say nothing.

The table, `data/language_ngrams.tsv.gz`, is text: the language codes, then one line for each
n-gram: its bytes (percent-encoded), a tab, and for each language round(-12 ln P) as two hexadecimal
digits. In memory a row is one large integer with 32 bits a language, so that scoring a word is a
few additions of integers, each of which adds up all languages at once.

    python -m crawler.language train sentences.tsv.gz -o data/language_ngrams.tsv.gz

Sources: Cavnar & Trenkle 1994, "N-gram-based text categorization"; Lui & Baldwin 2012, "langid.py"
(naive Bayes over byte n-grams chosen by information gain).
"""

import argparse
import gzip
import io
import math
import re
import struct
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

from crawler.files import write_atomically

TABLE = Path(__file__).parent.parent / "data" / "language_ngrams.tsv.gz"
MAX_N = 5  # bytes
N_GRAMS = 17_000  # n-grams kept, beside the 256 single bytes
SMOOTHING = 0.5  # added to every count
STEPS = 12  # steps of cost per unit of -ln P
OVERLAP = MAX_N * (MAX_N + 1) // 2  # n-grams that count the same letter
WORD = re.compile(r"[^\W\d_]{1,30}")
MAX_WORDS = 50_000  # of one text; more would not change the answer


def probability(text: str, language: str = "en") -> float:
    """Return the probability that the text is in a language, 0..1; 0 if it has no words.

    Raises ValueError for a language the table does not know.
    """
    languages, _ = _table()
    if language not in languages:
        known = " ".join(languages)
        raise ValueError(f"language is {language!r}; it must be one of: {known}")
    costs = _costs(text)
    if not costs:
        return 0.0
    best = min(costs)
    weights = [math.exp((best - cost) / (STEPS * OVERLAP)) for cost in costs]
    return weights[languages.index(language)] / sum(weights)


def detect(text: str) -> str | None:
    """Return the most likely language, None if the text has no words."""
    costs = _costs(text)
    return _table()[0][costs.index(min(costs))] if costs else None


def _costs(text: str) -> tuple[int, ...]:
    words = WORD.findall(text.lower())[:MAX_WORDS]
    if not words:
        return ()
    languages = len(_table()[0])
    total = sum(map(_word_cost, words))
    return struct.unpack(f"<{languages}I", total.to_bytes(4 * languages, "little"))


@lru_cache(maxsize=50_000)  # a few words make up most of any text
def _word_cost(word: str) -> int:
    rows = _table()[1]
    return sum(rows.get(gram, 0) for gram in _ngrams(word))


def _ngrams(word: str) -> Iterator[bytes]:
    data = f" {word} ".encode("utf-8", "replace")
    for n in range(1, MAX_N + 1):
        for i in range(len(data) - n + 1):
            yield data[i : i + n]


@cache
def _table() -> tuple[list[str], dict[bytes, int]]:
    """Read the table: language codes, and the costs of each n-gram packed into one integer."""
    rows = {}
    with gzip.open(TABLE, "rt", encoding="ascii") as lines:
        languages = next(lines).split()
        lanes = bytearray(4 * len(languages))
        for line in lines:
            gram, costs = line.rstrip("\n").split("\t")
            lanes[::4] = bytes.fromhex(costs)
            rows[unquote_to_bytes(gram)] = int.from_bytes(lanes, "little")
    return languages, rows


# ---- training ----


def train(sentences: Iterable[tuple[str, str]]) -> bytes:
    """Return the table, compressed, computed from pairs of (language, sentence)."""
    words: dict[str, Counter[str]] = defaultdict(Counter)
    for language, sentence in sentences:
        words[language].update(WORD.findall(sentence.lower()))
    counts: dict[str, Counter[bytes]] = {}
    for language in sorted(words):
        counts[language] = Counter()
        for word, times in words[language].items():
            for gram in _ngrams(word):
                counts[language][gram] += times
    if len(counts) < 2:
        raise ValueError(f"the sentences are in {len(counts)} language(s); at least 2 are needed")
    chosen = sorted(_most_telling(counts))
    totals = [sum(c[gram] for gram in chosen) + SMOOTHING * len(chosen) for c in counts.values()]
    out = io.StringIO()
    print(*counts, file=out)
    for gram in chosen:
        costs = bytes(
            min(255, round(-STEPS * math.log((c[gram] + SMOOTHING) / total)))
            for c, total in zip(counts.values(), totals, strict=True)
        )
        print(quote_from_bytes(gram), costs.hex(), sep="\t", file=out)
    return gzip.compress(out.getvalue().encode("ascii"), mtime=0)


def _most_telling(counts: dict[str, Counter[bytes]]) -> set[bytes]:
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
            if times >= 3:  # rarer ones are accidents of the sample
                p = times / total
                gain[gram] += p * math.log(p / mean[gram])
    best = sorted(gain, key=lambda gram: (-gain[gram], gram))[:N_GRAMS]
    return {*best, *(bytes([value]) for value in range(256))}


def read_sentences(path: str) -> list[tuple[str, str]]:
    """Read `language<TAB>sentence` lines, gzip-compressed or not."""
    opener = gzip.open if path.endswith(".gz") else open
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


def main(argv: list[str] | None = None) -> int:
    """Train a table on every other sentence of each language and report on the rest."""
    parser = argparse.ArgumentParser(prog="python -m crawler.language", description=main.__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("train", help="write a table", description=main.__doc__)
    command.add_argument("sentences", help="file of lines language<TAB>sentence, may be .gz")
    command.add_argument("-o", "--out", type=Path, default=TABLE, help="default: %(default)s")
    args = parser.parse_args(argv)
    try:
        seen, unseen = halves(read_sentences(args.sentences))
        table = train(seen)
        write_atomically(args.out, table)
    except (ValueError, OSError) as error:
        print(f"language: {error}", file=sys.stderr)
        return 2
    right = sum(detect(sentence) == language for language, sentence in unseen)
    print(f"{args.out}: {len(table) / 1e3:.0f} kB; {right / len(unseen):.3f} of the others right")
    return 0


if __name__ == "__main__":
    sys.exit(main())
