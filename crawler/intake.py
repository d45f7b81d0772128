"""What joins the queue: an address that is new, within the scope, worth a request, and no trap.

Links, redirects and sitemaps come in here. What is refused is noted with its reason, so that the
report can say what was left out and why.
"""

from crawler import traps, urls
from crawler.frontier import Frontier, Visit
from crawler.politeness import Turns
from crawler.scope import NOT_INCLUDED, Scope
from crawler.settings import Settings

MAX_HOPS = 10  # redirects in a row
MAX_SITEMAPS = 1000  # of one host
MAX_KNOWN = 2**16  # addresses in memory that need not be looked up
OFF_SITE = "skipped: redirect off the site"


class Intake:
    """Put addresses into `frontier`, and their hosts in line."""

    def __init__(self, settings: Settings, scope: Scope, frontier: Frontier, turns: Turns):
        self._settings = settings
        self._scope = scope
        self._frontier = frontier
        self._turns = turns
        self._known: set[str] = set()

    def follow_redirect(self, visit: Visit, target: str) -> str:
        """Queue the target at the same depth; a seed that has moved takes the scope with it."""
        target = traps.without_session(target)
        if target == visit.url or visit.n_hops >= MAX_HOPS:
            return "error: redirects without end"
        if visit.is_sitemap:
            self.add_sitemap(target, visit.url, visit.n_hops + 1)
            return "redirect"
        if visit.depth == 0:
            self._scope.widen(target)
            self._frontier.forget(target, f"skipped: {NOT_INCLUDED}")  # as what a page led to
            self._known.discard(target)
        return "redirect" if self.add(target, visit.depth, visit.n_hops + 1) else OFF_SITE

    def add(self, url: str, depth: int, n_hops: int = 0) -> bool:
        """Queue an address if it is new; return False if it is outside the scope."""
        url = traps.without_session(url)
        if url in self._known or self._frontier.knows(url):
            self._remember(url)
            return True
        if not self._scope.reaches(url):
            return False
        self._remember(url)
        netloc = urls.split(url).netloc
        refusal = self._scope.refusal(url, depth == 0) or (self._too_many(url) if depth else None)
        self._frontier.add(url, netloc, depth, n_hops, f"skipped: {refusal}" if refusal else None)
        if not refusal:
            self._turns.line_up(netloc)
        return True

    def add_sitemap(self, address: str, base: str, n_hops: int = 0) -> None:
        """Queue a sitemap within the scope, like a seed."""
        if not self._settings.sitemaps or self._settings.max_depth == 0:
            return
        try:
            url = urls.link(address, base)
        except ValueError:
            return
        if self._frontier.knows(url) or not self._scope.reaches(url):
            return
        netloc = urls.split(url).netloc
        if self._frontier.count_at(f"sitemaps of {netloc}") <= MAX_SITEMAPS:
            self._frontier.add(url, netloc, 0, n_hops, is_sitemap=True)
            self._turns.line_up(netloc)

    def _too_many(self, url: str) -> str | None:
        """Return why this is one address too many at its place, or None."""
        place = traps.place(url)
        if place is None:
            return None
        name, is_calendar = place
        if is_calendar:
            too_many = self._frontier.count_at(name) > traps.MAX_CALENDAR_PAGES
            return "trap: a calendar without end" if too_many else None
        too_many = self._frontier.count_at(name) > self._settings.max_queries
        return "trap: too many queries at one path" if too_many else None

    def _remember(self, url: str) -> None:
        """Note that an address is known, so that it need not be looked up."""
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        self._known.add(url)
