"""Lists of domains and words that give away an address not worth reading, or harmful.

The scheme is FineWeb's (datatrove, `url_filter.py`): a blocked domain covers its subdomains; one
blocked word among the words of the address is enough; of *soft* words, which decent pages use too,
two different ones are needed. Where the rules come from:

    data/blocked_domains.txt   a domain a line; hosts files (`0.0.0.0 ads.example`) and the lines of
                               an Adblock list that block a domain (`||ads.example^`) do as well
    data/blocked_words.txt     a word a line; `~` marks a soft one

`#` begins a comment. What this is not: a judgement of the page's text, which nobody has read yet.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from crawler.hosts import canonical_host

DATA = Path(__file__).resolve().parent.parent / "data"
DOMAINS_FILE = DATA / "blocked_domains.txt"
WORDS_FILE = DATA / "blocked_words.txt"

_HOSTS_LINE = re.compile(r"(?:0\.0\.0\.0|127\.0\.0\.1|::1?)\s+(\S+)")
_ADBLOCK_LINE = re.compile(r"\|\|([^/^$*|]+)\^(?:\$(?:all|document|doc))?")
_DOMAIN = re.compile(r"[^\s/^$*|,:=@#]+\.[^\s/^$*|,:=@#]+")


class Rules(NamedTuple):
    """What is blocked; `load` reads it from files."""

    domains: frozenset[str]
    words: frozenset[str]
    soft_words: frozenset[str]

    def reason(self, host: str, address: str) -> str | None:
        """Return `domain:...`, `word:...` or `words:...+...` if the address is blocked."""
        while host:
            if host in self.domains:
                return f"domain:{host}"
            host = host.partition(".")[2]
        tokens = re.split("[^a-z0-9]+", address.lower())
        for token in tokens:
            if token in self.words:
                return f"word:{token}"
        soft = sorted(self.soft_words.intersection(tokens))
        return f"words:{'+'.join(soft)}" if len(soft) > 1 else None


def load(
    domain_files: Iterable[str | Path] = (DOMAINS_FILE,),
    word_files: Iterable[str | Path] = (WORDS_FILE,),
) -> Rules:
    """Read block lists; lines that say something else are passed over. Raises OSError."""
    domains = (_listed_domain(line) for file in domain_files for line in _lines(file))
    words = {line.lower() for file in word_files for line in _lines(file)}
    soft_words = {word for word in words if word.startswith("~")}
    return Rules(
        frozenset(domain for domain in domains if domain),
        frozenset(words - soft_words),
        frozenset(word.removeprefix("~") for word in soft_words),
    )


@lru_cache(maxsize=1)
def default_rules() -> Rules:
    """Return the rules in data/, read once."""
    return load()


def _lines(file: str | Path) -> list[str]:
    """Return the lines without comments and blanks."""
    text = Path(file).read_text(encoding="utf-8-sig", errors="replace")
    lines = (re.sub(r"(?:^|\s)#.*", "", line).strip() for line in text.splitlines())
    return [line for line in lines if line]


def _listed_domain(line: str) -> str | None:
    """Return the domain that a line blocks, or None if it means something else."""
    match = _HOSTS_LINE.fullmatch(line) or _ADBLOCK_LINE.fullmatch(line)
    name = match[1] if match else line
    if not _DOMAIN.fullmatch(name):
        return None
    try:
        return canonical_host(name)
    except ValueError:
        return None
