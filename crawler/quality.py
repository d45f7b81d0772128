"""Is a text worth training on? The hand-written rules of Gopher, C4 and FineWeb.

These are thresholds on counts, not a trained classifier. `reject` names the first rule a text
breaks, in FineWeb's order: Gopher's repetition, Gopher's quality, C4, FineWeb's own. C4 takes out
lines that are no sentences; what comes after it judges what is left, and `judge` returns that.

The rules were made for prose on the web; documentation breaks most of them and is still worth
reading, so there are two profiles, and `PROFILES` is the one place where they differ. Words include
punctuation marks, see `words.py`; several rules depend on that.

Sources: Rae et al. 2021, "Gopher", appendix A1.1; Raffel et al. 2020, "T5" (C4), section 2.2;
Penedo et al. 2024, "FineWeb", section 3.6; the values are those of FineWeb's code (datatrove).
"""

import re
import string
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from crawler.words import TERMINAL, WORD, sentences


@dataclass(frozen=True)
class Rules:
    """Thresholds; None switches a rule off. Shares are 0..1."""

    # Gopher, repetition
    repeated_lines: float | None = 0.30  # share of lines said before
    repeated_paragraphs: float | None = 0.30
    repeated_line_characters: float | None = 0.20  # share of characters in them
    repeated_paragraph_characters: float | None = 0.20
    # share of characters in the most frequent n-gram of words
    top_ngrams: tuple[tuple[int, float], ...] = ((2, 0.20), (3, 0.18), (4, 0.16))
    # share of characters in n-grams said before
    repeated_ngrams: tuple[tuple[int, float], ...] = (
        (5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10),
    )  # fmt: skip
    # Gopher, quality
    min_words: int = 50
    max_words: int | None = 100_000
    mean_word_length: tuple[float, float] = (3, 10)  # characters
    hashes: float | None = 0.1  # `#` for each word and punctuation mark
    ellipses: float | None = 0.1
    bullet_lines: float | None = 0.9
    ellipsis_lines: float | None = 0.3
    words_with_letter: float = 0.8  # share of words and punctuation marks, at least
    common_words: int = 2  # different ones of COMMON_WORDS, at least
    # C4
    drop_lines: bool = True  # take out notices, see `drop_lines`
    curly_bracket: bool = True  # a page with `{` is code
    sentences: int = 5  # at least; each line is one or more
    # FineWeb
    sentence_lines: float | None = 0.12  # share of lines that end like a sentence, at least
    short_lines: float | None = 0.67  # share of lines of up to 30 characters
    repeated_line_share: float | None = 0.01  # characters in repeated lines, stricter than Gopher
    newlines: float | None = 0.3  # line ends for each word and punctuation mark
    # duplicates, see dedup.py
    repeatable_characters: int = 60  # a shorter paragraph may be said again
    keep_numbers: bool = False  # texts that differ in numbers only are different


WEB = Rules()
PROFILES = {
    "web": WEB,
    # Documentation: names, signatures and examples instead of running text, and long pages. It has
    # to be language all the same: words, and some of those that hold English sentences together.
    "reference": replace(
        WEB,
        repeated_lines=0.6,
        repeated_paragraphs=0.6,
        repeated_line_characters=0.5,
        repeated_paragraph_characters=0.5,
        top_ngrams=(),
        repeated_ngrams=(),
        min_words=30,
        max_words=None,
        mean_word_length=(2, 15),
        hashes=None,
        words_with_letter=0.3,
        common_words=1,
        drop_lines=False,
        curly_bracket=False,
        sentences=1,
        sentence_lines=0.02,
        short_lines=None,
        repeated_line_share=None,
        newlines=None,
        repeatable_characters=0,
        keep_numbers=True,
    ),
}

COMMON_WORDS = frozenset(["the", "be", "to", "of", "and", "that", "have", "with"])
SYMBOLS = frozenset(string.punctuation + "—–”“„’´…►«»") | TERMINAL  # a word of these is none
CITATION = re.compile(r"\[(?:\d*|edit|citation needed)\]")
NOTICES = (
    "javascript", "terms of use", "privacy policy", "cookie policy", "uses cookies",
    "use of cookies", "use cookies",
)  # fmt: skip
MAX_WORD = 1000  # characters; a longer one is data


def rules_of(profile: str) -> Rules:
    """Return the thresholds of a profile; raises ValueError for an unknown name."""
    if profile not in PROFILES:
        raise ValueError(f"profile is {profile!r}; it must be one of: {', '.join(PROFILES)}")
    return PROFILES[profile]


def reject(text: str, profile: str = "web") -> str | None:
    """Return the name of the first rule that the text breaks, None if it breaks none.

    Raises ValueError for an unknown profile.
    """
    return judge(text, profile)[1]


def judge(text: str, profile: str = "web") -> tuple[str, str | None]:
    """Return the text without its dropped lines, and the first rule it breaks or None.

    Raises ValueError for an unknown profile.
    """
    rules = rules_of(profile)
    if not text.strip():
        return "", "empty"
    words = WORD.findall(text)
    reason = _first(_gopher_repetition(rules, text, words), _gopher_quality(rules, text, words))
    if reason:
        return text, reason
    kept = drop_lines(text, profile)
    same_words = words if kept == text else None
    return kept, _first(_c4(rules, kept), _fineweb(rules, kept, same_words))


def drop_lines(text: str, profile: str = "web") -> str:
    """Take out lines that are no sentences but notices, and citation marks (C4).

    A line goes if it has fewer than three words, a word of over 1000 characters, names javascript,
    or states a policy.
    """
    if not rules_of(profile).drop_lines:
        return text
    lower = text.lower()
    notices = [notice for notice in NOTICES if notice in lower]
    kept = (line for line in text.splitlines() if not line.strip() or _is_worded(line, notices))
    return re.sub(r"\n{3,}", "\n\n", CITATION.sub("", "\n".join(kept))).strip()


def _is_worded(line: str, notices: list[str]) -> bool:
    words = line.split()
    if len(words) < 3 or (len(line) > MAX_WORD and max(map(len, words)) > MAX_WORD):
        return False
    return not notices or not any(notice in line.lower() for notice in notices)


Check = Iterator[tuple[bool, str]]  # rules in order: (is it broken, its name)


def _first(*checks: Check) -> str | None:
    for check in checks:
        for broken, reason in check:
            if broken:
                return reason
    return None


def _over(value: float, limit: float | None) -> bool:
    return limit is not None and value > limit


def _gopher_repetition(rules: Rules, text: str, words: list[str]) -> Check:
    paragraphs = re.split(r"\n{2,}", text.strip())
    for name, parts, share, character_share in (
        ("paragraph", paragraphs, rules.repeated_paragraphs, rules.repeated_paragraph_characters),
        ("line", list(filter(None, text.split("\n"))), rules.repeated_lines, rules.repeated_line_characters),
    ):
        repeats, characters = _repeats(parts)
        yield _over(repeats / len(parts), share), f"repeated {name}s"
        yield _over(characters / len(text), character_share), f"repeated {name} characters"
    yield from _top_ngrams(rules, words, len(text))
    yield from _repeated_ngrams(rules, words, len(text))


def _gopher_quality(rules: Rules, text: str, words: list[str]) -> Check:
    counts = Counter(words)
    spoken = {word: n for word, n in counts.items() if word.isalnum() or not SYMBOLS >= set(word)}
    n_spoken = sum(spoken.values())
    yield n_spoken < rules.min_words, "too few words"
    yield _over(n_spoken, rules.max_words), "too many words"
    mean_length = sum(len(word) * n for word, n in spoken.items()) / max(1, n_spoken)
    shortest, longest = rules.mean_word_length
    yield mean_length < shortest, "words too short"
    yield mean_length > longest, "words too long"
    yield _over(text.count("#") / len(words), rules.hashes), "many hashes"
    ellipses = text.count("...") + text.count("…")
    yield _over(ellipses / len(words), rules.ellipses), "many ellipses"
    lines = text.splitlines()
    bullets = sum(line.lstrip().startswith(("•", "-")) for line in lines)
    yield _over(bullets / len(lines), rules.bullet_lines), "mostly bullet points"
    trailing = sum(line.rstrip().endswith(("...", "…")) for line in lines)
    yield _over(trailing / len(lines), rules.ellipsis_lines), "lines cut short"
    lettered = sum(n for w, n in spoken.items() if w.isalpha() or any(map(str.isalpha, w)))
    yield lettered / len(words) < rules.words_with_letter, "few words with letters"
    yield len(COMMON_WORDS & counts.keys()) < rules.common_words, "no common words"


def _c4(rules: Rules, text: str) -> Check:
    yield "lorem ipsum" in text.lower(), "lorem ipsum"
    yield rules.curly_bracket and "{" in text, "curly bracket"
    found = 0
    for line in text.splitlines():
        if found < rules.sentences and line.strip():
            found += sentences(line.strip())
    yield found < rules.sentences, "too few sentences"


def _fineweb(rules: Rules, text: str, words: list[str] | None) -> Check:
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    yield not lines, "empty"
    ended = sum(line[-1] in TERMINAL for line in lines) / len(lines)
    yield rules.sentence_lines is not None and ended < rules.sentence_lines, "few sentence lines"
    short = sum(len(line) <= 30 for line in lines) / len(lines)
    yield _over(short, rules.short_lines), "short lines"
    share = _repeats(lines)[1] / sum(map(len, lines))
    yield _over(share, rules.repeated_line_share), "a repeated line"
    if rules.newlines is not None and len(lines) - 1 > rules.newlines * len(text.split()):
        words = WORD.findall(text) if words is None else words  # more than what blanks part
        yield (len(lines) - 1) / len(words) > rules.newlines, "many line ends"


def _repeats(parts: list[str]) -> tuple[int, int]:
    """Return how many parts were said before, and their characters."""
    seen: set[str] = set()
    repeats = characters = 0
    for part in parts:
        if part in seen:
            repeats += 1
            characters += len(part)
        seen.add(part)
    return repeats, characters


# ---- n-grams of words ----


def _ngrams(words: list[str], n: int) -> Iterator[tuple[str, ...]]:
    return zip(*(words[i:] for i in range(n)), strict=False)


def _top_ngrams(rules: Rules, words: list[str], n_characters: int) -> Check:
    longest = max(map(len, words), default=0)
    times = n_characters  # of the most frequent shorter n-gram
    for n, share in rules.top_ngrams:
        if times * (n * (longest + 1) - 1) <= share * n_characters:
            continue  # a longer n-gram is not more frequent, and it cannot be long enough
        characters, times = _top_ngram(words, n)
        yield characters / n_characters > share, f"one {n}-gram too often"


def _top_ngram(words: list[str], n: int) -> tuple[int, int]:
    """Return the characters in all occurrences of the most frequent n-gram, and their number."""
    counts = Counter(_ngrams(words, n))
    if not counts:
        return 0, 0
    gram, times = counts.most_common(1)[0]
    return len(" ".join(gram)) * times, times


def _repeated_ngrams(rules: Rules, words: list[str], n_characters: int) -> Check:
    if not rules.repeated_ngrams:
        return
    shortest = min(n for n, _ in rules.repeated_ngrams)
    limit = min(share for _, share in rules.repeated_ngrams) * n_characters
    if _covered_by_repeats(words, shortest) <= limit:
        return  # longer n-grams said twice are made of shorter ones
    for n, share in rules.repeated_ngrams:
        yield _in_repeats(words, n) / n_characters > share, f"repeated {n}-grams"


def _covered_by_repeats(words: list[str], n: int) -> int:
    """Return the characters of all words that are part of an n-gram said before."""
    grams = list(_ngrams(words, n))
    places = range(len(grams))
    first = dict(zip(reversed(grams), reversed(places), strict=True))
    characters = end = 0
    for i in sorted(set(places).difference(first.values())):
        characters += sum(map(len, words[max(i, end) : i + n]))
        end = i + n
    return characters


def _in_repeats(words: list[str], n: int) -> int:
    """Return the characters in n-grams said before; after one, the next begins where it ends."""
    seen: set[tuple[str, ...]] = set()
    characters = end = 0
    for i, gram in enumerate(_ngrams(words, n)):
        if i < end:
            continue
        if gram in seen:
            characters += sum(map(len, gram))
            end = i + n
        else:
            seen.add(gram)
    return characters
