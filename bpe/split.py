"""Cut text into chunks before byte-pair encoding, and change text to bytes and back.

Without cuts "dog", "dog." and " dog!" would each become symbols of their own. A pattern cuts the
text into chunks, roughly words with the space before them, and no token reaches across a cut.
Each pattern is a list of alternatives; at every place in the text the first that matches is taken.
They are written so that `regex` and the Oniguruma engine inside `tokenizers` read them the same
way: `\\s++(?![\\s\\S])` rather than `\\s++$`, since Oniguruma's `$` also matches at a line's end.

Merging is elsewhere (`naive.py`, `tokenizer.py`); nothing here knows about ids.

Sources: the patterns are those of GPT-2, GPT-4 and GPT-4o (`r50k_base`, `cl100k_base`,
`o200k_base`) as published with tiktoken. Regular expressions: Unicode Technical Standard 18
(`\\p{L}`: letters, `\\p{N}`: digits and other numbers, `\\p{M}`: accents and other marks), by the
version of Unicode that the installed `regex` knows. Another library's engine may take a very new
letter for punctuation and cut it differently. A `+` after a quantifier makes it possessive: it
gives nothing back.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache

import regex

GPT4 = "|".join(
    [
        r"'(?i:[sdmt]|ll|ve|re)",  # the end of a contraction: it's, DON'T, we'll, I've, they're
        r"[^\r\n\p{L}\p{N}]?+\p{L}++",  # letters, with a space or punctuation mark in front: " dog"
        r"\p{N}{1,3}",  # at most three digits, so that numbers share their parts: 123|456|7
        r" ?[^\s\p{L}\p{N}]++[\r\n]*+",  # punctuation, with the line ends that follow it: "};\n"
        r"\s++(?![\s\S])",  # white space up to the end of the text
        r"\s*[\r\n]",  # white space up to its last line end, indentation not included
        r"\s+(?!\S)",  # white space except its last character, left for the next word
        r"\s",  # that last character, where the next word does not take it
    ]
)

GPT2 = "|".join(
    [
        r"'(?:[sdmt]|ll|ve|re)",  # the end of a contraction, in lower case only
        r" ?\p{L}++",  # letters, with one space in front
        r" ?\p{N}++",  # digits, however many
        r" ?[^\s\p{L}\p{N}]++",  # punctuation
        r"\s+(?!\S)",  # white space except its last character, or up to the end of the text
        r"\s",  # that last character
    ]
)

# A word is any number of capitals, then small letters: CamelCase is two words. Letters that are
# neither, and accents that are characters of their own, may be in either part.
CAPITALS, SMALL = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
CONTRACTION = r"(?i:'[sdmt]|'ll|'ve|'re)?"
GPT4O = "|".join(
    [
        rf"[^\r\n\p{{L}}\p{{N}}]?{CAPITALS}*{SMALL}+{CONTRACTION}",  # a word: " Dog's"
        rf"[^\r\n\p{{L}}\p{{N}}]?{CAPITALS}+{SMALL}*{CONTRACTION}",  # one in capitals: " DOG"
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",  # punctuation, with the line ends or slashes that follow it
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ]
)

PATTERNS = {"gpt4": GPT4, "gpt2": GPT2, "gpt4o": GPT4O}

# Where text may be cut so that the pieces have the chunks of the whole. In GPT4 and GPT2 no
# alternative goes on from a letter or a digit to anything else, nor from punctuation to white space
# other than a line end; and none looks at what is before a chunk.
SAFE_CUT = r"[\p{L}\p{N}](?=[^\p{L}\p{N}])|[^\s\p{L}\p{N}](?=[^\S\r\n])"
FIRST_SAFE_CUT, LAST_SAFE_CUT = regex.compile(SAFE_CUT), regex.compile(f"(?r){SAFE_CUT}")
BLOCK_CHARS = 1_000_000  # a list of chunks takes over ten times the memory of its text


class Splitter:
    """Cuts text into chunks by a pattern: one of PATTERNS by name, or a regular expression."""

    def __init__(self, pattern: str):
        """Compile `pattern`; raise ValueError if it is not a regular expression."""
        self.pattern = PATTERNS.get(pattern, pattern)
        self.known = self.pattern in (GPT4, GPT2)  # SAFE_CUT and fast_split.py are for these two
        try:
            self._regex = regex.compile(self.pattern)
        except regex.error as error:
            raise ValueError(
                f"pattern is {pattern!r}; it must be {', '.join(PATTERNS)} or a regular expression "
                f"({error}): write \\( for a bracket that is meant as a character"
            ) from None

    def chunks(self, text: str) -> list[str]:
        """Cut `text` into chunks; raise ValueError if the pattern leaves something out.

        >>> Splitter("gpt4").chunks("It's 1234 dogs;  no more")
        ['It', "'s", ' ', '123', '4', ' dogs', ';', ' ', ' no', ' more']
        """
        if self.known:
            return self._regex.findall(text)
        matches = list(self._regex.finditer(text))
        end = 0
        for start, stop in [*(match.span() for match in matches), (len(text), len(text))]:
            if start != end:
                raise ValueError(
                    f"pattern {self.pattern!r} leaves out {text[end:start][:20]!r} at character "
                    rf"{end}; it must match every character: end it with |[\s\S]"
                )
            end = stop
        return [match[0] for match in matches]

    def blocks(self, text: str, chars: int | None = None) -> Iterator[str]:
        """Cut `text` into pieces of about `chars` (BLOCK_CHARS) that have the chunks of the whole.

        With a pattern other than GPT4 and GPT2 it stays in one piece. So does text that has no safe
        cut: only letters, only white space, only punctuation.
        """
        start, chars = 0, chars or BLOCK_CHARS
        while self.known and (cut := FIRST_SAFE_CUT.search(text, start + chars)):
            yield text[start : cut.end()]
            start = cut.end()
        yield text[start:]


def special_tokens_regex(special_texts: Iterable[str]) -> regex.Pattern:
    """Compile a pattern that finds special tokens.

    Its `.split` puts them at odd places and the text between them at even ones. Where several
    match, the longest is taken. Without special tokens it finds nothing.
    """
    return _special_tokens_regex(frozenset(special_texts))


@lru_cache(maxsize=64)  # for some hundred tokens it takes longer than encoding a short text
def _special_tokens_regex(special_texts: frozenset[str]) -> regex.Pattern:
    longest_first = sorted(special_texts, key=len, reverse=True)
    nothing = r"\A(?!)"  # given up at once; (?!) alone would be tried at every character
    return regex.compile(f"({'|'.join(map(regex.escape, longest_first)) or nothing})")


def to_bytes(text: str) -> bytes:
    """Write any str as UTF-8; a lone surrogate gets the three bytes its number would have."""
    return text.encode("utf-8", "surrogatepass")


def to_text(data: bytes, errors: str = "replace") -> str:
    """Read bytes as UTF-8, the exact inverse of `to_bytes`.

    Invalid bytes are handled as in `bytes.decode`: "replace" (by U+FFFD), "ignore", "strict".
    """
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        if errors == "strict":
            raise
        # Some of it is invalid, but surrogates elsewhere in it must still come back.
        parts = SURROGATE_BYTES.split(data)
        parts[::2] = [part.decode("utf-8", errors) for part in parts[::2]]
        parts[1::2] = [part.decode("utf-8", "surrogatepass") for part in parts[1::2]]
        return "".join(parts)


# U+D800 to U+DFFF as `to_bytes` writes them. ED can only begin a character in UTF-8 (RFC 3629,
# section 4), so this never cuts a valid one in two.
SURROGATE_BYTES = regex.compile(rb"(\xed[\xa0-\xbf][\x80-\xbf])")
