"""What to crawl, and how: one frozen dataclass, from which the command line takes its flags."""

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from crawler.urls import canonical

SCOPES = ("host", "domain", "any")
_ASCII = "".join(map(chr, range(0x80)))
MAX_WAIT_S = 1e6  # far below what operating systems can count


def _flag(default: Any, help: str, **argparse_options: Any) -> Any:
    """Return a field with what its flag needs."""
    return field(default=default, metadata={"help": help, **argparse_options})


@dataclass(frozen=True)
class Settings:
    """Settings of a crawl; raises ValueError for values that cannot be."""

    seeds: tuple[str, ...]
    max_pages: int = _flag(1000, "keep at most so many pages", type=int)
    max_depth: int | None = _flag(
        None, "follow at most so many links in a row from a seed (default: any number)", type=int
    )
    delay_s: float | None = _flag(
        None, "wait between two requests to a host (default: 1, and 0 on this machine)", type=float
    )
    scope: str = _flag("host", "how far from the seeds links may lead", choices=SCOPES)
    timeout_s: float = _flag(30.0, "give up on a request after so long", type=float)
    max_page_bytes: int = _flag(5 * 2**20, "leave out pages larger than this", type=int)
    n_workers: int = _flag(8, "ask so many hosts at the same time", type=int)
    n_per_host: int = _flag(1, "send so many requests to a host at the same time", type=int)
    max_queries: int = _flag(
        1000, "follow at most so many addresses that differ in what is after the ?", type=int
    )
    sitemaps: bool = _flag(True, "pass over the sitemaps that robots.txt names")
    # both are searched in canonical addresses: in ASCII, escaped, without what follows a #
    include: tuple[str, ...] = _flag(
        (),
        "follow only links to addresses in which this is found; may repeat (any of them)",
        metavar="REGEX",
    )
    exclude: tuple[str, ...] = _flag(
        (), "leave out addresses in which this is found; may repeat", metavar="REGEX"
    )
    blocklist: tuple[str, ...] = _flag(
        (), "a file of more blocked domains; may repeat", metavar="FILE"
    )
    contact: str | None = _flag(None, "an address for complaints, told to each site")
    # first pause after a failure, doubled with each that follows; None: 1, and 0.1 on this machine
    backoff_s: float | None = None

    def __post_init__(self):
        seeds = tuple(dict.fromkeys(canonical(seed) for seed in self.seeds))
        object.__setattr__(self, "seeds", seeds)
        if not seeds:
            raise ValueError("there is no address to begin with; give one, or --pydoc")
        if self.scope not in SCOPES:
            raise ValueError(f"scope is {self.scope!r}; it must be one of {', '.join(SCOPES)}")
        if self.contact and not re.fullmatch("[ -~]+", self.contact):
            raise ValueError(f"contact is {self.contact!r}; it must be one line of plain ASCII")
        for name, least in _LEAST.items():
            value = getattr(self, name)
            most = MAX_WAIT_S if name.endswith("_s") else value
            if value is not None and not least <= value <= most:
                flag = name.removeprefix("n_").removesuffix("_s")
                limit = f"at least {least}" if not value > most else f"at most {most:g}"
                raise ValueError(f"{flag} is {value}; it must be {limit}")
        for name in ("include", "exclude"):
            for pattern in getattr(self, name):
                _check_pattern(name, pattern)

    def deciding(self) -> dict[str, Any]:
        """Return, as JSON values, the settings on which it depends what pages are kept."""
        names = [
            "seeds",
            "max_pages",
            "max_depth",
            "scope",
            "max_page_bytes",
            "max_queries",
            "sitemaps",
            "exclude",
            "blocklist",
        ]
        if self.include:  # reports of crawls without it say nothing of it
            names.append("include")
        values = {name: getattr(self, name) for name in names}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


def _check_pattern(name: str, pattern: str) -> None:
    """Raise ValueError for what is no regular expression, or could be found in no address."""
    if not pattern:
        raise ValueError(f"{name} is empty, which is found in every address; give a pattern")
    if not pattern.isascii():
        raise ValueError(
            f"{name} is {pattern!r}; it must be ASCII, as addresses are when it is looked for: "
            f"write {quote(pattern, _ASCII, errors='replace')} in a path, xn--... in a host"
        )
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(
            f"{name} is {pattern!r}, no regular expression ({error}): write \\ before a "
            "character that is meant as it stands"
        ) from None


_LEAST = {
    "max_pages": 1,
    "max_depth": 0,
    "delay_s": 0,
    "timeout_s": 0.1,
    "max_page_bytes": 1,
    "n_workers": 1,
    "n_per_host": 1,
    "max_queries": 0,
}
