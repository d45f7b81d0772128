"""How fast the filters are, beside the libraries that do the same: documents a second, one core.

    python tests/bench_filters.py documents.jsonl [sentences.tsv]

The first file holds a text a line as JSON (`{"text": ...}`), or plain text, cut at blank lines into
pieces of some 5,000 characters; the second lines `language<TAB>sentence`. Both may be .gz. Measured
is process time, ours and the peer's in turns, the median of three rounds. A peer that is not
installed (datatrove, py3langid, presidio-analyzer) is left out.
"""

import gzip
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from crawler import badwords, blocklist, language, language_train, pii, quality

ROUNDS = 3
PIECE = 5_000  # characters
MAX_PEER = 300  # documents; peers are slow


def read_texts(path: str) -> list[str]:
    """Return the texts of a file. Raises OSError; ValueError if there are none."""
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as file:
        lines = file.read()
    if lines.startswith("{"):
        texts = [json.loads(line)["text"] for line in lines.split("\n") if line]
    else:
        texts, piece = [], ""
        for paragraph in lines.split("\n\n"):
            piece += paragraph + "\n\n"
            if len(piece) >= PIECE:
                texts.append(piece.strip())
                piece = ""
        texts.append(piece.strip())
    texts = [text for text in texts if text.strip()]
    if not texts:
        raise ValueError(
            f"{path} has no texts; give lines of JSON with the key text, or plain text"
        )
    return texts


def rate(work: Callable[[str], object], texts: list[str]) -> float:
    """Return how many texts a second of process time are worked through."""
    start = time.process_time()
    for text in texts:
        work(text)
    return len(texts) / max(time.process_time() - start, 1e-9)


def compare(name: str, ours: Callable, texts: list[str], peer: Callable | None = None) -> None:
    """Print a line with our rate and the peer's, in turns."""
    ours(texts[0])
    rates, peer_rates = [], []
    for _ in range(ROUNDS):
        rates.append(rate(ours, texts))
        if peer:
            peer_rates.append(rate(peer, texts[:MAX_PEER]))
    mine = statistics.median(rates)
    line = f"{name:24s} {mine:10,.0f}/s"
    if peer_rates:
        theirs = statistics.median(peer_rates)
        line += f"   peer {theirs:10,.0f}/s   ratio {mine / theirs:6.1f}"
    print(line, flush=True)


def fineweb_filters() -> Callable[[str], str | None] | None:
    """Return datatrove's FineWeb filters as one function from text to reason, None without it."""
    try:
        from datatrove.data import Document
        from datatrove.pipeline import filters
    except ImportError:
        return None
    steps = [
        filters.GopherRepetitionFilter(),
        filters.GopherQualityFilter(),
        filters.C4QualityFilter(filter_no_terminal_punct=False),
        filters.FineWebQualityFilter(),
    ]

    def judge(text: str) -> str | None:
        document = Document(text=text, id="")
        for step in steps:
            answer = step.filter(document)
            if answer is not True:
                return answer[1]
        return None

    return judge


def langid() -> Callable[[str], object] | None:
    """Return py3langid's classifier, None without it."""
    try:
        from py3langid import classify
    except ImportError:
        return None
    return classify


def presidio() -> Callable[[str], object] | None:
    """Return presidio's pattern recognisers for our kinds as one function, None without it."""
    try:
        from presidio_analyzer import predefined_recognizers as known
    except ImportError:
        return None
    names = ("PhoneRecognizer", "EmailRecognizer", "IpRecognizer", "UsSsnRecognizer",
             "CreditCardRecognizer")  # fmt: skip
    recognizers = [getattr(known, name)() for name in names]
    return lambda text: [r.analyze(text, r.supported_entities, None) for r in recognizers]


def main(argv: list[str]) -> int:
    """Print a line for each filter."""
    if not 1 <= len(argv) <= 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        texts = read_texts(argv[0])
        pairs = language_train.read_sentences(argv[1]) if len(argv) > 1 else []
    except (OSError, ValueError) as error:
        print(f"bench_filters: {error}", file=sys.stderr)
        return 2
    print(f"{len(texts):,} documents, {sum(map(len, texts)):,} characters")
    peer = fineweb_filters()
    compare("quality.reject", quality.reject, texts, peer)
    if peer:
        same = [(peer(text) is None) == (quality.reject(text) is None) for text in texts[:MAX_PEER]]
        print(f"{'':24s} same decision on {sum(same)} of {len(same)}")
    identify = langid()
    compare("language.probability", language.probability, texts, identify)
    compare("pii.mask", pii.mask, texts, presidio())
    compare("badwords.reject", badwords.reject, texts)
    address = "www.some-host.example.org/a/path?of=words"
    compare("blocklist", lambda _: blocklist.default_rules().reason("x.org", address), texts)
    if pairs:
        unseen = language_train.halves(pairs)[1]
        compare("  one sentence each", language.probability, [text for _, text in unseen], identify)
        print(f"{'':24s} {language_train.score(unseen, 'en', 0.65)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
