"""Lists of domains and words that give away an address not worth reading, or harmful.

The scheme is FineWeb's (datatrove, `url_filter.py`): a blocked domain covers its subdomains; one
blocked word among the words of the address is enough; of *soft* words, which decent pages use too,
two different ones are needed; a *subword* may be anywhere. Where the rules come from:

    data/blocked_domains.txt   lines as in `listed`: plain domains, hosts files, Adblock lists
    data/blocked_words.txt     a word a line; `~` marks a soft one, `*` a subword

Files may be gzip-compressed (.gz). `#` and `!` begin a comment. Of an Adblock list only the rules
for whole domains count, and of these the ones that apply to a page itself: an option such as
`$third-party` or `$script` is about what other pages load. What this is not: a judgement of the
page's text, which nobody has read yet; nor a Public Suffix List: a few names that belong to many
(`co.uk`, `blogspot.com`) are never blocked as a whole.
"""

import gzip
import re
from collections.abc import Container, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from crawler.data_files import DATA
from crawler.domain_set import DomainSet
from crawler.hosts import canonical_host

DOMAINS_FILE = DATA / "blocked_domains.txt"
WORDS_FILE = DATA / "blocked_words.txt"

_HOSTS_LINE = re.compile(r"(?:0\.0\.0\.0|127\.0\.0\.1|::1?)\s+(.+)")
_ADBLOCK_LINE = re.compile(r"(@@)?\|\|(?:\*\.)?([^/^$*|]+)(?:\^\|?)?(?:\$([\w,~=|.-]+))?")
_PAGE_OPTIONS = frozenset(["all", "document", "doc", "important", "popup"])
_PLAIN = re.compile(r"(?:[a-z0-9_-]{1,63}\.)+[a-z][a-z0-9-]{1,62}")  # needs no canonical form
_DOMAIN = re.compile(r"[^\s/^$*|,:=@#]+\.[^\s/^$*|,:=@#]+")
_SUFFIX = re.compile(r"(?:ac|co|com|edu|go|gob|gov|ne|net|or|org)\.[a-z]{2}")
_HOSTERS = """
localhost.localdomain blogspot.com github.io gitlab.io herokuapp.com netlify.app pages.dev
tumblr.com vercel.app web.app weebly.com wixsite.com wordpress.com workers.dev
"""
SHARED = frozenset(_HOSTERS.split())


class Rules(NamedTuple):
    """What is blocked; `load` reads it from files."""

    domains: Container[str]
    words: frozenset[str]
    soft_words: frozenset[str]
    subwords: tuple[str, ...] = ()
    allowed: Container[str] = frozenset()  # domains never blocked, whatever else is said

    def reason(self, host: str, address: str) -> str | None:
        """Return `domain:...`, `word:...`, `words:...+...`, `subword:...`, or None."""
        found = self._listed_domain(host)
        if found:
            return f"domain:{found}"
        tokens = re.split("[^a-z0-9]+", address.lower())
        for token in tokens:
            if token in self.words:
                return f"word:{token}"
        soft = sorted(self.soft_words.intersection(tokens))
        if len(soft) > 1:
            return f"words:{'+'.join(soft)}"
        letters = "".join(tokens) if self.subwords else ""
        return next((f"subword:{word}" for word in self.subwords if word in letters), None)

    def _listed_domain(self, host: str) -> str | None:
        found = None
        while host:
            if host in self.allowed:
                return None
            if found is None and host in self.domains:
                found = host
            host = host.partition(".")[2]
        return found


def load(
    domain_files: Iterable[str | Path] = (DOMAINS_FILE,),
    word_files: Iterable[str | Path] = (WORDS_FILE,),
) -> Rules:
    """Read block lists; lines that say something else are passed over. Raises OSError."""
    allowed: set[str] = set()
    domains = DomainSet(_domains(domain_files, allowed))
    words = {line.lower() for file in word_files for line in _lines(file)}
    return Rules(
        domains,
        frozenset(word for word in words if word[0] not in "~*"),
        frozenset(word[1:] for word in words if word[0] == "~"),
        tuple(sorted(word[1:] for word in words if word[0] == "*" and len(word) > 1)),
        frozenset(allowed),
    )


@lru_cache(maxsize=1)
def default_rules() -> Rules:
    """Return the rules in data/, read once."""
    return load()


def _domains(files: Iterable[str | Path], allowed: set[str]) -> Iterator[str]:
    """Yield blocked domains; add those that an exception names to `allowed`."""
    for file in files:
        for line in _lines(file):
            if _PLAIN.fullmatch(line) and not _is_shared(line):
                yield line
                continue
            names, is_exception = listed(line)
            if is_exception:
                allowed.update(names)
            else:
                yield from names


def _lines(file: str | Path) -> Iterator[str]:
    """Yield the lines without comments and blanks, one at a time: lists are long."""
    opener = gzip.open if str(file).endswith(".gz") else open
    with opener(file, "rt", encoding="utf-8-sig", errors="replace") as lines:
        for line in lines:
            if "#" in line:
                line = re.sub(r"(?:^|\s)#.*", "", line)
            line = line.strip()
            if line and line[0] not in "![":
                yield line


def listed(line: str) -> tuple[list[str], bool]:
    """Return the domains that a line of a list is about, and whether it is an exception.

    Lines are `name`, `*.name` or `.name`, `0.0.0.0 name name` as in /etc/hosts, `||name^` with or
    without options, or `@@||name^`, the exception.
    """
    adblock = _ADBLOCK_LINE.fullmatch(line)
    hosts = _HOSTS_LINE.fullmatch(line)
    if adblock:
        options = adblock[3].lower().split(",") if adblock[3] else []
        names = [adblock[2]] if _PAGE_OPTIONS.issuperset(options) else []
    elif hosts:
        names = hosts[1].split()
    else:
        names = [line.removeprefix("*").removeprefix(".")]
    found = (_canonical(name) for name in names)
    return [name for name in found if name and not _is_shared(name)], bool(adblock and adblock[1])


def _canonical(name: str) -> str | None:
    if not _DOMAIN.fullmatch(name) or name == "0.0.0.0":
        return None
    try:
        return canonical_host(name)
    except ValueError:
        return None


def _is_shared(name: str) -> bool:
    """Say whether a name belongs to many, who must not all suffer for one."""
    return name in SHARED or _SUFFIX.fullmatch(name) is not None
