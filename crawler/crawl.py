"""Crawl: begin at some pages, follow every link, keep what is text. This is the loop.

Worker threads only fetch (`workers.py`). The main thread alone owns the queue and the archive, and
decides everything:

    a host is due -> its next address -> robots.txt, read first, allows it? -> a worker fetches it
    a worker is done -> the host is due again after its delay -> keep the page, queue its links

Who takes part:

    frontier   the addresses that wait, and what came of the others, on disk (`frontier.py`)
    visit      one of these addresses: how many links from a seed, how often it was tried
    intake     which links get into the frontier (`intake.py`), by the scope (`scope.py`)
    turns      when each host may be asked again (`politeness.py`); a Host, named by its netloc
               (a.org, a.org:8000), knows the robots.txt of its two origins, with http and https
    state      archive and frontier, which always agree, whatever kills the crawl (`state.py`)

Writes `pages.warc.gz` (see `warc.py`) and beside it `crawl.json` (see `crawl_report.py`), or
`NAME.warc.gz` and `NAME.crawl.json`.

The same command continues an interrupted crawl, even with another page limit, delay or number of
workers (see `state.py`).
"""

import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from crawler import urls
from crawler.connection import is_loopback, local_netlocs
from crawler.crawl_report import counts, reasons
from crawler.fetch import Fetcher, user_agent
from crawler.frontier import Visit
from crawler.intake import Intake
from crawler.politeness import MAX_CRAWL_DELAY_S, MAX_TRIES, Host, Turns
from crawler.scope import Scope
from crawler.settings import Settings
from crawler.sitemap import MAX_LEVELS
from crawler.state import State
from crawler.visit import RobotsResult, VisitResult
from crawler.workers import Workers

BAR_EVERY_S = 0.5
FIRST_LINE_S, RAREST_LINE_S = 10.0, 300.0  # without a terminal: first progress line, longest gap


def crawl(
    settings: Settings, output: str | Path, say: Callable[[str], None] = print, once: bool = False
) -> dict:
    """Crawl to the file `output` and return the report; `say` is called with each line of news.

    With `once`, a finished crawl that is kept there and had these settings is taken instead.
    Raises ValueError if not one page could be fetched, OSError if a file cannot be used, and
    KeyboardInterrupt, which says how to go on, if it was stopped.
    """
    scope = Scope(settings)
    state = State(output, settings.deciding(), once)
    if state.news:
        say(state.news)
    if state.recalled:  # by `once`
        return state.leave()
    if state.finished_report:  # killed while it tidied up
        return state.complete()
    try:
        loop = _Crawl(settings, scope, state, say)
        loop.run()
        numbers = counts(loop.frontier, loop.n_unchanged)
        if not numbers["pages"]:
            state.discard()
            met = ", ".join([*numbers["errors"], *numbers["skipped"]])
            met = met or "only redirects in a circle"
            raise ValueError(
                f"no page could be fetched from {' '.join(settings.seeds)}: {met}; check the "
                "address, the connection, and what the site's robots.txt and --exclude allow"
            )
        return state.finish(numbers)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"stopped; the same command goes on from here, {state.part_path.name} holds the pages"
        ) from None
    except sqlite3.Error as error:
        raise OSError(f"{state.frontier_path} cannot be written: {error}") from None
    except OSError as error:
        if error.errno and not error.filename:  # of writing, as of a full disk
            error.filename = str(state.part_path)
        raise
    finally:
        state.close()


class _Crawl:
    """The state of the loop that does not outlive it."""

    def __init__(self, settings: Settings, scope: Scope, state: State, say: Callable[[str], None]):
        self.settings = settings
        self.scope = scope
        self.state = state
        self.frontier = state.frontier
        self.say = say
        self.agent = user_agent(settings.contact)
        local = local_netlocs(settings.seeds)  # in private networks, only these are asked
        fetcher = Fetcher(self.agent, settings.timeout_s, settings.max_page_bytes, local)
        self.workers = Workers(fetcher, state.output.parent, settings.n_workers)
        self.turns = Turns(self._delay_s, settings.n_per_host)
        self.intake = Intake(settings, scope, self.frontier, self.turns)
        totals = self.frontier.totals()
        self.n_pages, self.n_bytes = totals["pages"], totals["bytes"]
        self.errors = Counter(reasons(self.frontier.outcomes(), "error"))
        self.n_unchanged = self.frontier.noted("unchanged") or 0
        self.began, self.next_line_s = self.turns.clock(), FIRST_LINE_S
        # when a crawl is continued, depth 0 also holds the addresses seeds were redirected to
        for seed in settings.seeds + tuple(self.frontier.urls(depth=0)):
            self.scope.widen(seed)
            self.intake.add(seed, depth=0)
        for netloc in self.frontier.waiting_hosts():
            self.turns.line_up(netloc)

    def run(self) -> None:
        """Go on until nothing waits or there are enough pages."""
        self.state.commit()
        with self.workers, tqdm(unit=" pages", initial=self.n_pages, disable=None) as bar:
            while self._start_jobs():
                self._handle_next_result()
                self.state.commit_if_due()
                self._show(bar)

    # ---- what to ask next -------------------------------------------------------------------

    def _may_start(self, n_to_store: int = 0) -> bool:
        """Say whether a worker is free and its page would not be one too many.

        Each running job may bring a page, and so may the `n_to_store` answers that have come.
        """
        n_free_pages = self.settings.max_pages - self.n_pages - n_to_store
        return self.workers.n_running < min(self.settings.n_workers, n_free_pages)

    def _start_jobs(self, n_to_store: int = 0) -> bool:
        """Give work to free workers while hosts are due; return whether there is more to do."""
        while self._may_start(n_to_store) and (host := self.turns.take()):
            job = self._next_job(host)
            if job is None:
                continue  # out of line, until a link or an answer gives a reason to ask again
            if isinstance(job, Visit):
                host.running.add(job.id)
                self.workers.ask(host, job, self.frontier.earlier(job.url))
            else:
                self.workers.ask(host, job)
            self.turns.begin(host)
        wants_more = self.frontier.n_waiting > 0 and self.n_pages < self.settings.max_pages
        return self.workers.n_running > 0 or wants_more

    def _next_job(self, host: Host) -> Visit | str | None:
        """Return the host's next address that robots.txt allows, or an origin to ask for that file.

        Addresses before it that robots.txt forbids are finished. None: there is nothing to ask now.
        """
        while visit := self.frontier.next(host.netloc, host.running):
            origin = urls.origin(visit.url)
            if host.must_read_robots(origin, self.turns.clock()):
                return None if host.n_running else origin  # robots.txt is asked for alone
            known = host.robots[origin]
            if known.robots.allowed(visit.url, self.agent):
                return visit
            if known.problem:
                self.frontier.finish(visit, f"error: {known.problem}")
                self.errors[known.problem] += 1
            else:
                self.frontier.finish(visit, "skipped: robots.txt")
        return None

    # ---- what came back ---------------------------------------------------------------------

    def _handle_next_result(self) -> None:
        """Wait for a worker, but not longer than until the next host is due."""
        due_s = self.turns.seconds_to_next() if self._may_start() else None
        wait_s = BAR_EVERY_S if due_s is None else min(due_s, BAR_EVERY_S)
        answer = self.workers.next_result(max(wait_s, 0.001))
        if answer is None:
            return
        host, result = answer
        pause_s = host.pause_after(result, self._backoff_s(host.netloc))
        if isinstance(result, RobotsResult):
            is_settled = self._heed(host, result)
            self.turns.give_back(host, host.delay_s if is_settled else pause_s)
        else:
            self.turns.give_back(host, pause_s)
            self._end_visit(host, result)

    def _end_visit(self, host: Host, result: VisitResult) -> None:
        """Settle a visit, give its host up if too many failed in a row, and line it up again."""
        self._start_jobs(n_to_store=1)  # the next page is on its way while this one is stored
        self._settle(host, result)
        host.running.remove(result.visit.id)
        if host.is_hopeless:
            self.frontier.finish_host(host.netloc, "error: host given up", host.running)
            self.errors = Counter(reasons(self.frontier.outcomes(), "error"))
        self.turns.line_up(host.netloc)

    def _heed(self, host: Host, result: RobotsResult) -> bool:
        """Remember what robots.txt says; return False if another try may tell more."""
        if not host.heed(result, self.turns.clock()):
            return False
        delay_s = result.robots.crawl_delay(self.agent) or 0.0
        if delay_s > max(host.delay_s, 5.0):
            kept = f"; it gets {MAX_CRAWL_DELAY_S:g} s" if delay_s > MAX_CRAWL_DELAY_S else ""
            self.say(f"{host.netloc} asks for {delay_s:g} s between two requests{kept}")
        host.delay_s = max(host.delay_s, min(delay_s, MAX_CRAWL_DELAY_S))
        for address in result.robots.sitemaps:
            self.intake.add_sitemap(address, result.origin)
        return True

    def _settle(self, host: Host, result: VisitResult) -> None:
        """Keep the page, queue its links, and note what came of the visit."""
        visit, outcome = result.visit, result.outcome
        if result.passes and visit.n_tries < MAX_TRIES - 1:  # n_tries does not count this one
            self.frontier.retry(visit, outcome)
            return
        if outcome == "page":
            self._keep(visit, result)
        else:
            if result.target:
                outcome = self.intake.follow_redirect(visit, result.target)
            self.frontier.finish(visit, outcome)
            self.errors.update(reasons({outcome: 1}, "error"))
        if self.settings.max_depth is None or visit.depth < self.settings.max_depth:
            for link in result.links:
                self.intake.add(link, visit.depth + 1)
            # a sitemap's n_hops is how many redirects and indexes led to it
            for address in result.sitemaps if visit.n_hops < MAX_LEVELS else ():
                self.intake.add_sitemap(address, visit.url, visit.n_hops + 1)

    def _keep(self, visit: Visit, result: VisitResult) -> None:
        if result.record is None:
            self.state.store(visit, result.response)
        else:
            self.state.store_record(visit, result.record, result.n_bytes)
            self.n_unchanged += 1
            self.frontier.note("unchanged", self.n_unchanged)
        self.n_pages += 1
        self.n_bytes += result.n_bytes

    def _delay_s(self, netloc: str) -> float:
        if self.settings.delay_s is not None:
            return self.settings.delay_s
        return 0.0 if is_loopback(f"http://{netloc}/") else 1.0

    def _backoff_s(self, netloc: str) -> float:
        if self.settings.backoff_s is not None:
            return self.settings.backoff_s
        return 0.1 if is_loopback(f"http://{netloc}/") else 1.0

    def _show(self, bar: tqdm) -> None:
        bar.total = min(self.settings.max_pages, self.n_pages + self.frontier.n_waiting)
        errors = ", ".join(f"{n} {reason}" for reason, n in self.errors.most_common(3))
        more = (
            f"{self.n_bytes / 1e6:.1f} MB, hosts: {len(self.turns)}, "
            f"waiting: {self.frontier.n_waiting}, errors: {errors or 'none'}"
        )
        bar.set_postfix_str(more, refresh=False)
        bar.update(self.n_pages - bar.n)
        elapsed = self.turns.clock() - self.began
        if bar.disable and elapsed >= self.next_line_s:  # a line for a log, ever more rarely
            self.next_line_s = elapsed + min(max(FIRST_LINE_S, 0.2 * elapsed), RAREST_LINE_S)
            self.say(f"{self.n_pages:,} pages, {more}")
