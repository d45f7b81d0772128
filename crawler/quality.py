"""Is a text worth training on? The hand-written rules of Gopher, C4 and FineWeb.

These are thresholds on counts, not a trained classifier: menus, lists of keywords, generated pages
and cut-off teasers repeat themselves, lack words such as "the" and "of", or end no line with a full
stop. `reject` names the first rule a text breaks, in FineWeb's order: Gopher's repetition, Gopher's
quality, C4, FineWeb's own. C4 takes out lines that are no sentences; the rules after it judge what
is left, and `judge` returns that.

Words include punctuation marks, see `words.py`; several rules depend on that. The thresholds stand
in `profiles.py`.

Sources: Rae et al. 2021, "Gopher", appendix A1.1; Raffel et al. 2020, "T5" (C4), section 2.2;
Penedo et al. 2024, "FineWeb", section 3.6; the values are those of FineWeb's code (datatrove).
"""

import re
import string
from collections import Counter
from collections.abc import Iterator
from itertools import count

from crawler.definitions import is_definition
from crawler.profiles import PROFILES, Rules, rules_of
from crawler.words import DATA_LINE, TERMINAL, WORD, sentences

__all__ = ["PROFILES", "drop_lines", "judge", "reject", "rules_of"]

COMMON_WORDS = frozenset(["the", "be", "to", "of", "and", "that", "have", "with"])
SYMBOLS = frozenset(string.punctuation + "—–”“„’´…►«»") | TERMINAL  # of these alone: no word
CITATION = re.compile(r"\[(?:\d*|edit|citation needed)\]")
NOTICES = (
    "javascript", "terms of use", "privacy policy", "cookie policy", "uses cookies",
    "use of cookies", "use cookies",
)  # fmt: skip
MAX_WORD = 1000  # characters; a longer one is data


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


# rules in order: (is it broken, its name). None is computed once one is broken, so a rule may
# rely on those before it: on there being lines, for example.
Check = Iterator[tuple[bool, str]]


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
    lines = [line for line in text.split("\n") if line]
    repeats, characters = _repeats(paragraphs)
    share = characters / len(text)
    yield _over(repeats / len(paragraphs), rules.repeated_paragraphs), "repeated paragraphs"
    yield _over(share, rules.repeated_paragraph_characters), "repeated paragraph characters"
    repeats, characters = _repeats(lines)
    yield _over(repeats / len(lines), rules.repeated_lines), "repeated lines"
    share = characters / len(text)
    yield _over(share, rules.repeated_line_characters), "repeated line characters"
    yield from _top_ngrams(rules, words, len(text))
    yield from _repeated_ngrams(rules, words, len(text))


def _gopher_quality(rules: Rules, text: str, words: list[str]) -> Check:
    counts = Counter(words)
    # these are counted, but shares are of all `words`, punctuation marks included, as in FineWeb
    spoken = {word: n for word, n in counts.items() if word.isalnum() or not set(word) <= SYMBOLS}
    n_spoken = sum(spoken.values())
    least = rules.min_words_defining if is_definition(text) else rules.min_words
    yield n_spoken < least, "too few words"
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
    trailing = ellipses and sum(line.rstrip().endswith(("...", "…")) for line in lines)
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
    ended = _sentence_lines(lines, rules.wrapped_lines)
    yield rules.sentence_lines is not None and ended < rules.sentence_lines, "few sentence lines"
    short = sum(len(line) <= 30 for line in lines) / len(lines)
    yield _over(short, rules.short_lines), "short lines"
    share = _repeats(lines)[1] / sum(map(len, lines))
    yield _over(share, rules.repeated_line_share), "a repeated line"
    if rules.newlines is not None and len(lines) - 1 > rules.newlines * len(text.split()):
        # WORD never finds fewer words than `split`, so most texts pass without being cut again
        words = WORD.findall(text) if words is None else words
        yield (len(lines) - 1) / len(words) > rules.newlines, "many line ends"


def _sentence_lines(lines: list[str], are_wrapped: bool) -> float:
    """Return the share of lines at whose end a sentence ends; see Rules.wrapped_lines.

    >>> lines = ["ENOENT = 2", "It is not there.  Look", "for another"]
    >>> _sentence_lines(lines, are_wrapped=False), _sentence_lines(lines, are_wrapped=True)
    (0.0, 0.5)
    """
    if are_wrapped:
        lines = [line for line in lines if not DATA_LINE.match(line)]
    ended = (line[-1] in TERMINAL or (are_wrapped and sentences(line) > 1) for line in lines)
    return sum(ended) / max(1, len(lines))


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
    if not rules.top_ngrams:
        return
    # an n-gram is not more frequent than any of its words, so this is the most one word adds
    most = max((times * (len(word) + 1) for word, times in Counter(words).items()), default=0)
    for n, share in rules.top_ngrams:
        if n * most > share * n_characters:
            yield _top_ngram(words, n) / n_characters > share, f"one {n}-gram too often"


def _top_ngram(words: list[str], n: int) -> int:
    """Return the characters in all occurrences of the most frequent n-gram."""
    counts = Counter(_ngrams(words, n))
    if not counts:
        return 0
    gram, times = counts.most_common(1)[0]
    return len(" ".join(gram)) * times


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
    """Return the characters of all words that are part of an n-gram said before, each word once.

    >>> _covered_by_repeats("a b c x a b c".split(), 2)  # "a b" and "b c" are said before
    3
    """
    places: dict[tuple[str, ...], int] = {}
    firsts = map(places.setdefault, _ngrams(words, n), count())  # where each n-gram stood first
    characters = end = 0
    for i, first in enumerate(firsts):
        if first < i:
            characters += sum(map(len, words[max(i, end) : i + n]))
            end = i + n
    return characters


def _in_repeats(words: list[str], n: int) -> int:
    """Return the characters in n-grams said before; after one, the next begins where it ends.

    >>> _in_repeats("a b c x a b c".split(), 2)  # "a b"; "b c" begins within it
    2
    """
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
