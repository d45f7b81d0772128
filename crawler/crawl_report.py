"""What a crawl says of itself: the numbers of `crawl.json`.

    stage, seconds                  "crawl"; the time spent, also before an interruption
    archive_bytes                   length of the archive
    settings                        those that decided which pages are kept
    pages, bytes, hosts             pages kept, their size, the number of hosts they came from
    unchanged                       pages taken over from earlier crawls to the same file
    redirects, sitemaps, waiting    addresses that led elsewhere, that listed others, not visited
    errors, skipped                 reason -> number of addresses

The first four are added, and the file is written, in `state.py`.
"""

from typing import Any

from crawler.frontier import Frontier


def counts(frontier: Frontier, n_unchanged: int) -> dict[str, Any]:
    """Return the report's numbers."""
    outcomes = frontier.outcomes()
    return {
        **frontier.totals(),
        "unchanged": n_unchanged,
        "redirects": outcomes.get("redirect", 0),
        "sitemaps": outcomes.get("sitemap", 0),
        "waiting": frontier.n_waiting,
        "errors": reasons(outcomes, "error"),
        "skipped": reasons(outcomes, "skipped"),
    }


def reasons(outcomes: dict[str, int], kind: str) -> dict[str, int]:
    """Return reason -> count of the outcomes `error: ...` or `skipped: ...`."""
    start = f"{kind}: "
    return {o.removeprefix(start): n for o, n in outcomes.items() if o.startswith(start)}
