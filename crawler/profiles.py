"""Thresholds of the quality rules, in two profiles: `web` for prose, `reference` for documentation.

The rules were made for prose on the web; documentation breaks most of them and is still worth
reading. This is the one place where the profiles differ; `quality.py` says how things are counted.

Sources: the values of `web` are those of FineWeb's code (datatrove), after Rae et al. 2021,
"Gopher", table A1, Raffel et al. 2020, "T5" (C4), and Penedo et al. 2024, "FineWeb", section 3.6.
"""

from dataclasses import dataclass, replace


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
    min_words_defining: int = 50  # of a text that defines one term
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
    wrapped_lines: bool = False  # of these: a sentence may end within a line, `NAME = 1` is no line
    short_lines: float | None = 0.67  # share of lines of up to 30 characters
    repeated_line_share: float | None = 0.01  # characters in repeated lines, stricter than Gopher
    newlines: float | None = 0.3  # line ends for each word and punctuation mark
    # language: if a text that defines one term seems to be in another one, its sentences decide,
    # where they have at least this share of its words
    sentence_words: float | None = None
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
        min_words_defining=6,
        max_words=None,
        mean_word_length=(2, 15),
        hashes=None,
        words_with_letter=0.3,
        common_words=1,
        drop_lines=False,
        curly_bracket=False,
        sentences=1,
        sentence_lines=0.02,
        wrapped_lines=True,
        short_lines=None,
        repeated_line_share=None,
        newlines=None,
        sentence_words=0.2,
        repeatable_characters=0,
        keep_numbers=True,
    ),
}


def rules_of(profile: str) -> Rules:
    """Return the thresholds of a profile; raises ValueError for an unknown name."""
    if profile not in PROFILES:
        raise ValueError(f"profile is {profile!r}; it must be one of: {', '.join(PROFILES)}")
    return PROFILES[profile]
