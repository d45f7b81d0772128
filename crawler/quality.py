"""Is a text worth training on? The hand-written rules of Gopher, C4 and FineWeb.

These are thresholds on counts, not a trained classifier. `reject` names the first rule a text
breaks. The rules were made for prose on the web; documentation breaks most of them and is still
worth reading, so there are two profiles, and `PROFILES` is the one place where they differ.

Words are runs of letters and digits; each run of punctuation is a word too, as in the tokenizer
FineWeb used, and several rules depend on that.

Sources: Rae et al. 2021, "Gopher", appendix A1.1; Raffel et al. 2020, "T5" (C4), section 2.2;
Penedo et al. 2024, "FineWeb", section 3.6; the values are those of FineWeb's code (datatrove).
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice


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
    hashes: float | None = 0.1  # `#` for each word
    ellipses: float | None = 0.1
    bullet_lines: float | None = 0.9
    ellipsis_lines: float | None = 0.3
    words_with_letter: float = 0.8  # at least
    common_words: int = 2  # different ones of COMMON_WORDS, at least
    # C4
    drop_lines: bool = True  # take out single lines, see `drop_lines`
    curly_bracket: bool = True  # a page with `{` is code
    sentences: int = 5  # at least
    # FineWeb
    sentence_lines: float | None = 0.12  # share of lines that end like a sentence, at least
    short_lines: float | None = 0.67  # share of lines of up to 30 characters
    repeated_line_share: float | None = 0.01  # characters in repeated lines, stricter than Gopher
    newlines: float | None = 0.3  # line ends for each word
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
# what a line that is a sentence may end with: full stops of many scripts, and closing quotes
TERMINAL = tuple(".!?…。！？｡．؟۔։।॥።‼‽⁇⁈⁉\"'”’»)]")
SENTENCE_END = re.compile(r"""[.!?…。！？][\"'”’)\]]*(?=\s|$)""")
WORD = re.compile(r"\w+|[^\w\s]+")
CITATION = re.compile(r"\[(?:\d{1,3}|edit|citation needed)\]")
POLICY = re.compile(
    "terms of use|privacy policy|cookie policy|uses cookies|use of cookies|use cookies", re.I
)


def rules_of(profile: str) -> Rules:
    """Return the thresholds of a profile; raises ValueError for an unknown name."""
    if profile not in PROFILES:
        raise ValueError(f"profile is {profile!r}; it must be one of: {', '.join(PROFILES)}")
    return PROFILES[profile]


def drop_lines(text: str, profile: str = "web") -> str:
    """Take out lines that are no sentences but notices, and citation marks (C4).

    A line goes if it has fewer than three words, a word of over 1000 characters, names javascript,
    or states a policy.
    """
    if not rules_of(profile).drop_lines:
        return text
    kept = [
        line for line in CITATION.sub("", text).split("\n") if not line.strip() or _is_worded(line)
    ]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()


def _is_worded(line: str) -> bool:
    words = line.split()
    return (
        len(words) >= 3
        and max(map(len, words)) <= 1000
        and "javascript" not in line.lower()
        and not POLICY.search(line)
    )


def reject(text: str, profile: str = "web") -> str | None:
    """Return the name of the first rule that the text breaks, None if it breaks none.

    Raises ValueError for an unknown profile.
    """
    rules = rules_of(profile)
    words = WORD.findall(text)
    lines = [line for line in text.split("\n") if line.strip()]
    if not words:
        return "empty"
    for check in (
        _gopher_quality(rules, text, words, lines),
        _gopher_repetition(rules, text, words, lines),
        _c4(rules, text),
        _fineweb(rules, text, words, lines),
    ):
        for broken, reason in check:
            if broken:
                return reason
    return None


def _over(value: float, limit: float | None) -> bool:
    return limit is not None and value > limit


Check = Iterator[tuple[bool, str]]  # rules in order: (is it broken, its name)


def _gopher_quality(rules: Rules, text: str, words: list[str], lines: list[str]) -> Check:
    spoken = [word for word in words if word[0].isalnum() or word[0] == "_"]
    yield len(spoken) < rules.min_words, "too few words"
    yield _over(len(spoken), rules.max_words), "too many words"
    mean_length = sum(map(len, spoken)) / max(1, len(spoken))
    shortest, longest = rules.mean_word_length
    yield mean_length < shortest, "words too short"
    yield mean_length > longest, "words too long"
    yield _over(text.count("#") / len(words), rules.hashes), "many hashes"
    ellipses = text.count("...") + text.count("…")
    yield _over(ellipses / len(words), rules.ellipses), "many ellipses"
    bullets = sum(line.lstrip().startswith(("•", "-")) for line in lines)
    yield _over(bullets / len(lines), rules.bullet_lines), "mostly bullet points"
    trailing = sum(line.rstrip().endswith(("...", "…")) for line in lines)
    yield _over(trailing / len(lines), rules.ellipsis_lines), "lines cut short"
    lettered = sum(any(map(str.isalpha, word)) for word in words)
    yield lettered < rules.words_with_letter * len(words), "few words with letters"
    yield len(COMMON_WORDS.intersection(words)) < rules.common_words, "no common words"


def _gopher_repetition(rules: Rules, text: str, words: list[str], lines: list[str]) -> Check:
    paragraphs = re.split(r"\n{2,}", text.strip())
    for name, parts, share, character_share in (
        ("paragraph", paragraphs, rules.repeated_paragraphs, rules.repeated_paragraph_characters),
        ("line", lines, rules.repeated_lines, rules.repeated_line_characters),
    ):
        repeats, characters = _repeats(parts)
        yield _over(repeats / len(parts), share), f"repeated {name}s"
        yield _over(characters / len(text), character_share), f"repeated {name} characters"
    for n, share in rules.top_ngrams:
        yield _top_ngram(words, n) > share * len(text), f"one {n}-gram too often"
    for n, share in rules.repeated_ngrams:
        yield _repeated_ngrams(words, n) > share * len(text), f"repeated {n}-grams"


def _c4(rules: Rules, text: str) -> Check:
    yield "lorem ipsum" in text.lower(), "lorem ipsum"
    yield rules.curly_bracket and "{" in text, "curly bracket"
    found = sum(1 for _ in islice(SENTENCE_END.finditer(text), rules.sentences))
    yield found < rules.sentences, "too few sentences"


def _fineweb(rules: Rules, text: str, words: list[str], lines: list[str]) -> Check:
    ended = sum(line.rstrip().endswith(TERMINAL) for line in lines) / len(lines)
    yield rules.sentence_lines is not None and ended < rules.sentence_lines, "few sentence lines"
    short = sum(len(line) <= 30 for line in lines) / len(lines)
    yield _over(short, rules.short_lines), "short lines"
    characters = _repeats(lines)[1]
    yield _over(characters / len(text), rules.repeated_line_share), "a repeated line"
    # FineWeb's extractor ends a paragraph with one line end where ours leaves a blank line
    yield _over((len(lines) - 1) / len(words), rules.newlines), "many line ends"


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


def _top_ngram(words: list[str], n: int) -> int:
    """Return the characters in all occurrences of the most frequent n-gram."""
    counts = Counter(zip(*(words[i:] for i in range(n)), strict=False))
    if not counts:
        return 0
    gram, times = counts.most_common(1)[0]
    return len(" ".join(gram)) * times if times > 1 else 0


def _repeated_ngrams(words: list[str], n: int) -> int:
    """Return the characters in n-grams said before, none counted twice."""
    seen: set[tuple[str, ...]] = set()
    characters = i = 0
    while i <= len(words) - n:
        gram = tuple(words[i : i + n])
        if gram in seen:
            characters += sum(map(len, gram))
            i += n
        else:
            seen.add(gram)
            i += 1
    return characters
