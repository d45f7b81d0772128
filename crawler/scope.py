"""Which addresses a crawl follows: how far from its seeds, and what it leaves alone on the way."""

import re

from crawler import blocklist, traps
from crawler.settings import Settings
from crawler.urls import blocked, scope_key, split

# What the end of an address says about what is there: not worth a request. Left out are those under
# which pages are found, too: an article on Node.js, a view of package.json.
_NO_TEXT = re.compile(
    r"\.(?:7z|aac|apk|avi|bmp|bz2|deb|dmg|docx?|eot|epub|exe|flac|gif|gz|ico|iso|jar|jpe?g|m4[av]"
    r"|mkv|mov|mp[34]|mpe?g|msi|od[pst]|ogg|otf|pdf|png|pptx?|rar|rpm|svg|tar|tgz|tiff?|ttf|wav"
    r"|web[mp]|whl|wmv|woff2?|xlsx?|xz|zip|zst)$",
    re.I,
)
_PAGE_ABOUT_A_FILE = re.compile(r"/(?:wiki|blob)/|:[^/]*$")  # File:Map.png, /blob/main/logo.svg

NOT_INCLUDED = "not included"


class Scope:
    """The addresses reached from the seeds; raises OSError for a block list that cannot be read."""

    def __init__(self, settings: Settings):
        self._scope = settings.scope
        self._keys: set[str] = set()
        self._include = [re.compile(pattern) for pattern in settings.include]
        self._exclude = [re.compile(pattern) for pattern in settings.exclude]
        self._rules = blocklist.load((blocklist.DOMAINS_FILE, *settings.blocklist))

    def widen(self, seed: str) -> None:
        """Let the crawl go where `seed` is."""
        self._keys.add(scope_key(seed, self._scope))

    def reaches(self, url: str) -> bool:
        """Say whether `url` is on the seeds' host or domain, or that does not matter."""
        return scope_key(url, self._scope) in self._keys

    def refusal(self, url: str, is_seed: bool) -> str | None:
        """Return why an address is not worth asking for, or None; a seed need not be included."""
        if self._include and not is_seed and not _found(self._include, url):
            return NOT_INCLUDED
        if _found(self._exclude, url):
            return "excluded"
        parts = split(url)
        if _NO_TEXT.search(parts.path) and not _PAGE_ABOUT_A_FILE.search(parts.path):
            return "no text by its name"
        if trap := traps.refusal(parts):
            return trap
        reason = blocked(url, self._rules)
        return f"blocked {reason}" if reason else None


def _found(patterns: list[re.Pattern], url: str) -> bool:
    return any(pattern.search(url) for pattern in patterns)
