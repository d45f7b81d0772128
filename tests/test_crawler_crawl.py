"""Whole crawls of small sites on this machine."""

import gzip
import io
import json
import re
import threading
import time
from pathlib import Path

import pytest
from local_site import LocalSite, page

from crawler.crawl import crawl
from crawler.politeness import ROBOTS_LAST_S, Turns
from crawler.settings import Settings
from crawler.warc import read_pages

HTML = {"Content-Type": "text/html"}


class Crawled:
    """The result of a crawl: paths in the order in which they were kept, and the report."""

    def __init__(self, output: Path, report: dict, base: str, news: list[str]):
        self.pages = list(read_pages(output))
        self.paths = [page.url.removeprefix(base.rstrip("/")) for page in self.pages]
        self.report = report
        self.news = news


@pytest.fixture
def run(tmp_path):
    def run(site: LocalSite, *paths: str, **options) -> Crawled:
        seeds = tuple(site.url + path.lstrip("/") for path in paths or ("/",))
        news = []
        output = tmp_path / "out" / "pages.warc.gz"
        settings = Settings(**{"seeds": seeds, "backoff_s": 0.01, **options})
        report = crawl(settings, output, news.append)
        assert report == json.loads((output.parent / "crawl.json").read_text(encoding="utf-8"))
        names = {file.name for file in output.parent.iterdir()}
        others = {"pages.warc.gz.previous", "crawl.json.previous", "pages.warc.gz.stopped"}
        assert names - others == {"pages.warc.gz", "crawl.json"}
        return Crawled(output, report, site.url, news)

    return run


@pytest.fixture
def turns_given_back(monkeypatch):
    """Note (the host's delay, the pause) after each request, and make no pause at all."""
    noted = []
    original = Turns.give_back

    def note(self, host, pause_s=None):
        noted.append((host.delay_s, pause_s))
        original(self, host, 0.0)

    monkeypatch.setattr(Turns, "give_back", note)
    return noted


def test_every_page_is_kept_once_though_links_go_in_circles(run):
    routes = {
        "/": page("/a", "b.html", "/a#part", "./a"),
        "/a": page("/", "b.html"),
        "/b.html": page("/a", "/"),
    }
    with LocalSite(routes) as site:
        done = run(site)
        assert site.requests == ["/", "/a", "/b.html"]
    assert done.paths == ["/", "/a", "/b.html"]
    assert [p.body.decode() for p in done.pages] == [routes[path] for path in done.paths]
    assert done.report["pages"] == 3
    assert done.report["bytes"] == sum(len(body) for body in routes.values())
    assert done.report["hosts"] == 1
    assert done.report["errors"] == {}
    assert done.report["seconds"] > 0
    assert done.report["settings"]["seeds"] == [site.url]
    assert done.news == []


def tree(depth: int, path: str = "/") -> dict[str, str]:
    """Return a site in which every page has two children, `/`, `/0`, `/1`, `/00`, ..."""
    children = [f"{path}{i}" for i in (0, 1)] if depth else []
    routes = {path: page(*children)}
    for child in children:
        routes |= tree(depth - 1, child)
    return routes


def test_pages_are_visited_breadth_first(run):
    with LocalSite(tree(4)) as site:
        done = run(site)
    assert done.paths == sorted(tree(4), key=lambda path: (len(path), path))


def test_the_depth_is_limited(run):
    with LocalSite(tree(4)) as site:
        assert run(site, max_depth=0).paths == ["/"]
        done = run(site, max_depth=2)
    assert done.paths == ["/", "/0", "/1", "/00", "/01", "/10", "/11"]
    assert done.report["waiting"] == 0


def test_the_number_of_pages_is_limited_exactly(run):
    with LocalSite(tree(4)) as site:
        done = run(site, max_pages=5)
        assert len(site.requests) == 5
    assert done.paths == ["/", "/0", "/1", "/00", "/01"]
    assert done.report["waiting"] > 0


def test_the_limit_is_exact_with_many_hosts_too(run):
    with LocalSite(tree(3)) as one, LocalSite(tree(3)) as two:
        seeds = (one.url, two.url)
        done = run(one, seeds=seeds, max_pages=7)
        assert len(one.requests) + len(two.requests) == 7
    assert done.report["pages"] == 7


def test_dead_links_and_wrong_types_are_counted(run):
    routes = {
        "/": page("/gone", "/error", "/image", "/data.zip", "/pic.PNG", "/text", "/bare"),
        "/error": (500, HTML, b"x"),
        "/image": (200, {"Content-Type": "image/png"}, b"x"),
        "/text": (200, {"Content-Type": "text/plain"}, b'<a href="/no">'),
        "/bare": (200, {}, b"x"),
    }
    with LocalSite(routes) as site:
        done = run(site)
        assert not {"/data.zip", "/pic.PNG", "/no"} & set(site.requests)
    assert done.paths == ["/", "/text"]
    assert done.report["errors"] == {"http 404": 1, "http 500": 1}
    assert done.report["skipped"] == {"no text": 2, "no text by its name": 2}


def test_redirects_are_followed_within_the_site(run):
    routes = {
        "/": page("/old", "/away", "/loop", "/long0", "/mail"),
        "/old": (301, {"Location": "new#part"}, b""),
        "/new": page("/"),
        "/away": (302, {"Location": "http://other.example/"}, b""),
        "/loop": (302, {"Location": "/loop"}, b""),
        "/mail": (302, {"Location": "mailto:a@b.example"}, b""),
        **{f"/long{i}": (302, {"Location": f"/long{i + 1}"}, b"") for i in range(50)},
    }
    with LocalSite(routes) as site:
        done = run(site)
        assert "/long10" in site.requests and "/long11" not in site.requests
    assert done.paths == ["/", "/new"]
    assert done.report["errors"] == {"redirects without end": 2}
    assert done.report["skipped"] == {
        "redirect off the site": 1,
        "redirect to no web page": 1,
    }
    assert done.report["redirects"] == 11


def test_a_circle_of_redirects_ends(run):
    routes = {
        "/": page("/a"),
        "/a": (302, {"Location": "/b"}, b""),
        "/b": (302, {"Location": "/a"}, b""),
    }
    with LocalSite(routes) as site:
        assert run(site).paths == ["/"]


def test_links_off_the_host_are_not_followed(run):
    with LocalSite({"/": "other"}) as other:
        with LocalSite({"/": page(other.url, "http://example.invalid/", "/a"), "/a": "a"}) as site:
            assert run(site).paths == ["/", "/a"]
        assert other.n_connections == 0


def test_a_seed_that_has_moved_takes_the_crawl_along(run):
    routes: dict = {"/home": page("/a"), "/a": "a"}
    with LocalSite(routes) as new, LocalSite({}) as old:
        old.routes["/"] = (301, {"Location": new.url + "home"}, b"")
        done = run(old, seeds=(old.url, new.url + "missing"))
    assert [p.url for p in done.pages] == [new.url + "home", new.url + "a"]


def test_no_page_can_send_the_crawl_to_other_local_servers(run):
    with LocalSite({"/": "the router's settings"}) as router:
        with LocalSite({"/": page(router.url, router.url + "reboot")}) as site:
            done = run(site, scope="any")
        assert router.n_connections == 0
    assert done.paths == ["/"]
    assert done.report["errors"] == {"local address": 2}


def test_scope_any_goes_to_every_host(run):
    with LocalSite({"/": "b"}) as other, LocalSite({"/": page(other.url)}) as site:
        done = run(site, seeds=(site.url, other.url + "none"), scope="any")
    assert done.report["hosts"] == 2


def test_robots_txt_is_obeyed(run):
    routes = {
        "/robots.txt": (
            200,
            {"Content-Type": "text/plain"},
            b"User-agent: minigpt\nDisallow: /private\nUser-agent: *\nDisallow: /",
        ),
        "/": page("/private/a", "/public"),
        "/public": "p",
        "/private/a": "a",
    }
    with LocalSite(routes) as site:
        done = run(site)
        assert site.requests.count("/robots.txt") == 1
        assert site.requests[0] == "/robots.txt"
        assert "/private/a" not in site.requests
    assert done.paths == ["/", "/public"]
    assert done.report["skipped"] == {"robots.txt": 1}


@pytest.mark.parametrize(
    ("robots", "n_pages"),
    [
        ((404, {}, b"User-agent: *\nDisallow: /"), 1),
        ((403, {}, b""), 1),
        ((302, {"Location": "/rules"}, b""), 0),
        ((302, {"Location": "/robots.txt"}, b""), 1),
        ((503, {}, b""), 0),
        ((429, {}, b""), 0),
        ((500, {}, b""), 0),
    ],
)
def test_what_a_missing_robots_txt_means(run, robots, n_pages):
    routes = {"/robots.txt": robots, "/": "x", "/rules": b"User-agent: *\nDisallow: /"}
    with LocalSite(routes) as site:
        if n_pages:
            assert run(site).report["pages"] == n_pages
        else:
            with pytest.raises(ValueError, match=r"robots\.txt"):
                run(site)
            assert "/" not in site.requests


def test_noindex_and_nofollow_are_obeyed(run):
    def with_header(value: str, body: str):
        return (200, {**HTML, "X-Robots-Tag": value}, body.encode())

    routes = {
        "/": page("/noindex", "/nofollow", "/header", "/none"),
        "/noindex": page("/a", head='<meta name="robots" content="noindex">'),
        "/nofollow": page("/b", head='<meta name="robots" content="nofollow">'),
        "/header": with_header("noindex", page("/c")),
        "/none": with_header("none", page("/d")),
        **dict.fromkeys(("/a", "/b", "/c", "/d"), "x"),
    }
    with LocalSite(routes) as site:
        done = run(site)
    assert done.paths == ["/", "/nofollow", "/a", "/c"]
    assert done.report["skipped"] == {"noindex": 3}


def test_links_are_followed_only_to_what_is_included(run):
    sitemap = "<urlset><url><loc>/docs/b</loc></url><url><loc>/blog/b</loc></url></urlset>"
    routes = {
        "/": page("/docs/a", "/DOCS/c", "/blog/a", "/a?q=/docs/", "/docs/old", "/docs/x/ü"),
        "/docs/a": page("/blog/c"),
        "/docs/b": "b",
        "/docs/old": (301, {"Location": "/blog/d"}, b""),
        "/docs/x/%C3%BC": "x",
        "/a?q=/docs/": "a",
        "/sitemap.xml": (200, {"Content-Type": "application/xml"}, sitemap.encode()),
        "/robots.txt": b"Sitemap: /sitemap.xml",
    }
    with LocalSite(routes) as site:
        done = run(site, include=("/docs/[ab]", "/docs/old", "%C3%BC$"), exclude=("/docs/b",))
    assert done.paths == ["/", "/docs/a", "/docs/x/%C3%BC"]  # the seed need not match
    # of links, of a sitemap, and where a redirect leads
    assert done.report["skipped"] == {"not included": 6, "excluded": 1}
    assert done.report["settings"]["include"] == ["/docs/[ab]", "/docs/old", "%C3%BC$"]


def test_where_a_seed_leads_need_not_be_included_even_if_a_page_led_there_before(run):
    routes = {
        "/a": page("/home", "/docs/"),
        "/b": (302, {"Location": "/home"}, b""),
        "/home": page("/elsewhere"),
        "/docs/": "d",
    }
    with LocalSite(routes) as site:
        done = run(site, "/a", "/b", include=("/docs/",))
    assert sorted(done.paths) == ["/a", "/docs/", "/home"]
    assert done.report["skipped"] == {"not included": 1}


def test_addresses_can_be_excluded_or_blocked(run, tmp_path):
    blocked = tmp_path / "blocked.txt"
    blocked.write_text("bad.invalid\n")
    routes = {"/": page("/tag/1", "/best-casino", "http://bad.invalid/", "/ok"), "/ok": "ok"}
    with LocalSite(routes) as site:
        done = run(site, exclude=("/tag/",), blocklist=(str(blocked),), scope="any")
        assert site.requests == ["/", "/ok"]
    assert done.report["skipped"] == {
        "excluded": 1,
        "blocked word:casino": 1,
        "blocked domain:bad.invalid": 1,
    }


def test_huge_pages_and_slow_servers_do_not_hold_up_the_crawl(run):
    def trickle(handler):
        for _ in range(500):  # 10 seconds
            if site.closing.wait(0.02):
                break
            handler.wfile.write(b"\n")

    routes = {
        "/": page("/huge", "/slow", "/a"),
        "/huge": "x" * 100_000,
        "/slow": trickle,
        "/a": "a",
    }
    with LocalSite(routes) as site:
        done = run(site, max_page_bytes=50_000, timeout_s=0.3)
    assert done.paths == ["/", "/a"]
    assert done.report["errors"] == {"timeout": 1, "too large": 1}


def test_bodies_and_charsets_are_kept_as_sent(run):
    body = '<a href="/ü">für</a>'.encode("iso-8859-1")
    headers = {"Content-Type": "text/html; charset=ISO-8859-1"}
    with LocalSite({"/": (200, headers, body), "/%C3%BC": "x"}) as site:
        done = run(site)
    assert done.paths == ["/", "/%C3%BC"]
    assert (done.pages[0].charset, done.pages[0].body) == ("iso-8859-1", body)


def test_a_busy_server_is_asked_again_but_not_for_ever(run):
    tries = {"/": 0, "/busy": 0, "/dead": 0}

    def after(n_times: int, status: int, headers: dict[str, str], body: str):
        def answer(handler):
            tries[handler.path] += 1
            if tries[handler.path] <= n_times:
                return (status, headers, b"")
            return (200, HTML, body.encode())

        return answer

    routes = {
        "/": after(1, 429, {"Retry-After": "0"}, page("/busy", "/dead", "/a")),
        "/busy": after(2, 503, {}, "x"),
        "/dead": after(99, 503, {"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}, "x"),
        "/a": "a",
    }
    with LocalSite(routes) as site:
        done = run(site)
    assert tries == {"/": 2, "/busy": 3, "/dead": 3}
    assert done.paths == ["/", "/a", "/busy"]
    assert done.report["errors"] == {"http 503": 1}


def test_retry_after_is_waited_for(run, turns_given_back):
    with LocalSite({"/": page("/a"), "/a": (429, {"Retry-After": "77"}, b"")}) as site:
        run(site, delay_s=0.0)
    assert (
        turns_given_back.count((0.0, 77.0)) == 3
    )  # also after it was given up: other pages come next


def test_a_host_that_never_answers_is_given_up(run):
    def hang_up(handler):
        handler.close_connection = True

    routes = {"/": page(*(f"/{i}" for i in range(50))), **{f"/{i}": hang_up for i in range(50)}}
    with LocalSite(routes) as site:
        done = run(site)
        assert len(set(site.requests)) == 6
    assert done.report["errors"] == {"connection broken": 5, "host given up": 45}


def test_crawl_delay_is_honoured_and_announced(run, turns_given_back):
    with LocalSite({"/robots.txt": b"User-agent: *\nCrawl-delay: 30", "/": "x"}) as site:
        done = run(site)
    assert {delay_s for delay_s, _ in turns_given_back} == {30.0}
    assert len(done.news) == 1 and "30 s" in done.news[0]


def test_one_request_at_a_time_to_a_host_and_several_hosts_at_once(run):
    """Two hosts must be asked at the same time, or the barrier breaks; one host never twice."""
    barrier = threading.Barrier(2, timeout=10)
    running = {}
    most = []

    def meet(handler):
        netloc = handler.headers["Host"]
        running[netloc] = running.get(netloc, 0) + 1
        most.append(running[netloc])
        barrier.wait()
        running[netloc] -= 1
        return (200, HTML, b"x")

    routes = {"/": page("/1", "/2", "/3"), "/1": meet, "/2": meet, "/3": meet}
    with LocalSite(routes) as one, LocalSite(routes) as two:
        done = run(one, seeds=(one.url, two.url))
    assert done.report["pages"] == 8
    assert set(most) == {1}


def test_what_may_pass_is_tried_again_after_the_other_pages(run):
    tries = {}

    def fail_first(handler):
        tries[handler.path] = tries.get(handler.path, 0) + 1
        if tries[handler.path] == 1:
            return (502, HTML, b"")
        return (200, HTML, b"x")

    def fail_always(handler):
        tries[handler.path] = tries.get(handler.path, 0) + 1
        return (500, HTML, b"")

    def hang_up_first(handler):
        tries[handler.path] = tries.get(handler.path, 0) + 1
        handler.close_connection = tries[handler.path] == 1
        return None if handler.close_connection else (200, HTML, b"x")

    routes = {"/": page("/a", "/b", "/c", "/d", "/gone"), "/a": fail_first, "/b": fail_always}
    with LocalSite(routes | {"/c": hang_up_first, "/d": "x"}) as site:
        done = run(site)
        assert site.requests.count("/gone") == 1
    assert tries == {"/a": 2, "/b": 3, "/c": 2}
    assert done.paths == ["/", "/c", "/d", "/a"]  # /c at once: the connection was an old one
    assert done.report["errors"] == {"http 500": 1, "http 404": 1}


def test_pauses_after_failures_grow(run, turns_given_back):
    routes = {"/": page("/a", "/b"), "/a": (500, HTML, b""), "/b": (500, HTML, b"")}
    with LocalSite(routes) as site:
        run(site, backoff_s=1.0)
    assert [pause_s for _, pause_s in turns_given_back] == [
        0.0,
        0.0,
        1.0,
        2.0,
        4.0,
        8.0,
        16.0,
        32.0,
    ]


@pytest.mark.parametrize("n_failures", [1, 2, 3])
def test_robots_txt_that_cannot_be_read_is_asked_for_again(run, n_failures):
    tries = []

    def robots(handler):
        tries.append(handler.path)
        return (503 if len(tries) <= n_failures else 404, {}, b"")

    with LocalSite({"/robots.txt": robots, "/": "x"}) as site:
        if n_failures < 3:
            assert run(site).report["pages"] == 1
        else:
            with pytest.raises(ValueError, match=r"503 for robots\.txt"):
                run(site)
    assert len(tries) == min(n_failures + 1, 3)


def test_robots_txt_is_read_again_after_a_day_and_the_old_one_kept_if_that_fails(run, monkeypatch):
    answers = [(200, {}, b"User-agent: *\nDisallow: /b"), (500, {}, b""), (500, {}, b"")]
    answers += [(500, {}, b""), (200, {}, b"User-agent: *\nDisallow: /d")]
    days, begin = [], Turns.__init__

    def begin_at_another_time(turns, *args):
        begin(turns, *args, clock=lambda: time.monotonic() + ROBOTS_LAST_S * len(days))

    def a_day_later(handler):
        days.append(handler.path)
        return (200, HTML, b"x")

    monkeypatch.setattr(Turns, "__init__", begin_at_another_time)
    routes = {"/robots.txt": lambda handler: answers.pop(0), "/": page("/a", "/b", "/c", "/d")}
    with LocalSite(routes | {"/a": a_day_later, "/c": a_day_later}) as site:
        done = run(site)
    assert not answers
    assert done.paths == ["/", "/a", "/c"]
    assert done.report["skipped"] == {"robots.txt": 2}
    assert done.report["errors"] == {}


def test_a_long_crawl_delay_is_cut_and_said(run, turns_given_back):
    with LocalSite({"/robots.txt": b"User-agent: *\nCrawl-delay: 86400", "/": "x"}) as site:
        done = run(site)
    assert {delay_s for delay_s, _ in turns_given_back} == {60.0}
    assert "86400 s" in done.news[0] and "60 s" in done.news[0]


def test_several_requests_to_a_host_are_under_way_if_that_is_wanted(run):
    barrier = threading.Barrier(3, timeout=10)

    def meet(handler):
        barrier.wait()
        return (200, HTML, b"x")

    routes = {"/": page("/1", "/2", "/3"), "/1": meet, "/2": meet, "/3": meet}
    with LocalSite(routes) as site:
        done = run(site, n_per_host=3)
        assert site.requests.count("/") == 1
    assert sorted(done.paths) == ["/", "/1", "/2", "/3"]


def test_a_host_with_many_links_starves_no_other(run):
    many = {"/": page(*(f"/{i}" for i in range(300)))} | {f"/{i}": "x" for i in range(300)}
    few = {"/": page("/a"), "/a": page("/b"), "/b": page("/c"), "/c": "c"}
    with LocalSite(many) as one, LocalSite(few) as two:
        done = run(one, seeds=(one.url, two.url), max_pages=20, n_workers=1)
    assert {p.url for p in done.pages} >= {two.url + path for path in ("", "a", "b", "c")}


def test_sitemaps_that_robots_txt_names_are_read(run):
    index = "<sitemapindex><sitemap><loc>/pages.xml.gz</loc></sitemap></sitemapindex>"
    urlset = "<urlset><url><loc>/hidden</loc></url><url><loc>http://other.example/</loc></url>"
    routes = {
        "/robots.txt": b"Sitemap: /index.xml\nSitemap: http://b.example/s.xml\nSitemap: mailto:x",
        "/index.xml": (302, {"Location": "/index2.xml"}, b""),
        "/index2.xml": (200, {"Content-Type": "text/xml"}, index.encode()),
        "/pages.xml.gz": (200, {"Content-Type": "x/y"}, gzip.compress(urlset.encode())),
        "/": page("/a"),
        "/a": "a",
        "/hidden": "h",
    }
    with LocalSite(routes) as site:
        done = run(site)
        assert sorted(done.paths) == ["/", "/a", "/hidden"]
        assert done.report["sitemaps"] == 2
        assert run(site, sitemaps=False).report["pages"] == 2
        assert run(site, max_depth=0).report["pages"] == 1


def test_sessions_calendars_and_filters_end(run, monkeypatch):
    from crawler import traps

    monkeypatch.setattr(traps, "MAX_CALENDAR_PAGES", 5)

    def endless(handler):
        start, _, n = handler.path.rpartition("=")
        return (200, HTML, page(f"{start}={int(n) + 1}").encode())

    class Routes(dict):
        def get(self, path, default=None):
            if path.startswith(("/calendar", "/shop")):
                return endless
            if path.startswith("/deeper/"):
                return page("deeper/")
            return super().get(path.partition(";")[0], default)

    links = ["/calendar?month=1", "/shop?color=1", "/s;jsessionid=1", "/s;jsessionid=2"]
    routes = Routes({"/": page(*links, "/deeper/"), "/s": page("/s;jsessionid=3")})
    with LocalSite(routes) as site:
        done = run(site, max_queries=7)
        assert site.requests.count("/s") == 1
    assert len([path for path in done.paths if "calendar" in path]) == 5
    assert len([path for path in done.paths if "color" in path]) == 7
    assert done.report["skipped"] == {
        "trap: a calendar without end": 1,
        "trap: too many queries at one path": 1,
        "trap: a path that repeats itself": 1,
    }


def test_a_page_that_has_not_changed_is_not_sent_again(run):
    versions = {"/": "1", "/a": "1", "/b": "1"}
    bodies = {"/": page("/a", "/b", "/c"), "/a": page("/d"), "/b": "b"}

    def versioned(handler):
        tag = f'W/"{versions[handler.path]}"'
        headers = {**HTML, "ETag": tag}
        if handler.headers.get("If-None-Match") == tag:
            return (304, headers, b"")
        return (200, headers, bodies[handler.path].encode())

    dated = {**HTML, "Last-Modified": "Sun, 22 Nov 2026 10:00:00 GMT"}

    def c(handler):
        is_same = handler.headers.get("If-Modified-Since") == dated["Last-Modified"]
        return (304, dated, b"") if is_same else (200, dated, b"c")

    routes = {"/": versioned, "/a": versioned, "/b": versioned, "/c": c, "/d": "d"}
    with LocalSite(routes) as site:
        first = run(site)
        assert first.report["unchanged"] == 0
        versions["/b"], bodies["/b"] = "2", "new b"
        second = run(site)
        assert not any("If-None-Match" in h for h in site.headers[: len(routes)])
    assert second.report["unchanged"] == 3
    assert second.news == ["4 pages of the last crawl, asked for if changed"]
    assert second.report["bytes"] == first.report["bytes"] + len("new ")
    assert sorted(second.paths) == ["/", "/a", "/b", "/c", "/d"]
    dates = {page.url: page.date for page in first.pages}
    bodies = {p.url.removeprefix(site.url): p.body for p in second.pages}
    assert (bodies["b"], bodies["c"]) == (b"new b", b"c")
    assert all(p.date == dates[p.url] for p in second.pages if p.url.endswith(("/", "/a", "/c")))


def test_an_archive_with_records_taken_over_is_valid(run, tmp_path):
    archiveiterator = pytest.importorskip("warcio.archiveiterator")
    headers = {**HTML, "ETag": '"1"'}

    def versioned(handler):
        return (304 if "If-None-Match" in handler.headers else 200, headers, page("/b").encode())

    with LocalSite({"/": page("/a", "/b"), "/a": versioned, "/b": versioned}) as site:
        run(site)
        assert run(site).report["unchanged"] == 2
    with open(tmp_path / "out" / "pages.warc.gz", "rb") as file:
        records = archiveiterator.ArchiveIterator(file, check_digests="raise")
        kinds = [(record.rec_type, len(record.content_stream().read()) > 0) for record in records]
    assert kinds == [("warcinfo", True)] + [("response", True)] * 3


def test_an_earlier_archive_that_is_broken_is_fetched_anew(run, tmp_path):
    headers = {**HTML, "ETag": '"1"'}

    def versioned(handler):
        return (304 if "If-None-Match" in handler.headers else 200, headers, b"x")

    with LocalSite({"/": versioned}) as site:
        run(site)
        output = tmp_path / "out" / "pages.warc.gz"
        output.write_bytes(output.read_bytes()[:-20])
        assert run(site).report["unchanged"] == 0
        output.write_bytes(b"no archive at all")
        assert run(site).report["unchanged"] == 0
        assert run(site).report["unchanged"] == 1


def test_what_a_stopped_crawl_with_other_settings_fetched_is_not_sent_again(
    run, tmp_path, monkeypatch
):
    headers = {**HTML, "ETag": '"1"'}

    def versioned(handler):
        is_known = "If-None-Match" in handler.headers
        return (304 if is_known else 200, headers, b"" if is_known else page("/a", "/b").encode())

    def stop(one, bar):
        if one.n_pages == 2:
            raise KeyboardInterrupt

    with LocalSite(dict.fromkeys(["/", "/a", "/b"], versioned)) as site:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr("crawler.state.COMMIT_EVERY_S", 0)
            patch.setattr("crawler.crawl._Crawl._show", stop)
            run(site)
        done = run(site, max_depth=1)
    assert done.report["unchanged"] == 2
    assert done.paths == ["/", "/a", "/b"]
    assert b"/a" in done.pages[1].body


def test_a_304_that_nobody_asked_for_is_an_error(run):
    with LocalSite({"/": page("/a"), "/a": (304, HTML, b"")}) as site:
        assert run(site).report["errors"] == {"http 304": 1}


def test_servers_that_break_every_rule_are_counted_by_kind(run):
    def send(data: bytes):
        def answer(handler):
            handler.wfile.write(data)
            handler.close_connection = True

        return answer

    ok = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
    bomb = gzip.compress(bytes(10_000_000))
    packed = ok + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    chunked = ok + b"Transfer-Encoding: chunked\r\n\r\n"
    answers = {
        "/0.9": b"<html>no header</html>",
        "/bomb": packed % len(bomb) + bomb,
        "/truncated": packed % 30 + gzip.compress(b"abc" * 999)[:30],
        "/chunks": chunked + b"zz\r\nabc",
        "/endless": ok + b"\r\n" + bytes(200_000),
        "/huge": ok + b"Content-Length: 99999999999999999999\r\n\r\nabc",
        "/negative": ok + b"Content-Length: -5\r\n\r\nabc",
        "/two": ok + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "/headers": ok + b"X: y\r\n" * 20_000 + b"\r\n",
        "/continue": b"HTTP/1.1 100 Continue\r\n\r\n" * 99,
        "/hints": b"HTTP/1.1 103 Early Hints\r\n\r\n" + ok + b"Content-Length: 1\r\n\r\na",
        "/bare": b"HTTP/1.1 200\nContent-Type: text/html\n\nabc",
        "/cut": chunked + b"9\r\nabc",
        "/empty": b"",
    }
    routes = {"/": page(*answers, "/hang")} | {path: send(data) for path, data in answers.items()}
    routes["/hang"] = lambda handler: site.closing.wait(10) and None
    with LocalSite(routes) as site:
        done = run(site, timeout_s=0.3, max_page_bytes=100_000)
    assert done.paths == ["/", "/hints", "/bare"]
    assert done.report["errors"] == {
        "not HTTP": 2,
        "too large": 3,
        "bad coding": 1,
        "bad chunks": 1,
        "bad length": 2,
        "header too large": 1,
        "cut short": 1,
        "connection broken": 1,
        "timeout": 1,
    }


def test_what_is_no_text_but_says_so_is_left_out(run):
    bodies = {"/png": b"\x89PNG\r\n", "/pdf": b"%PDF-1.7", "/zip": b"PK\x03\x04"}
    routes = {"/": page(*bodies), **{path: (200, HTML, body) for path, body in bodies.items()}}
    with LocalSite(routes) as site:
        assert run(site).report["skipped"] == {"no text, though it says so": 3}


def test_a_page_of_no_type_is_kept_if_it_begins_with_a_tag(run):
    routes = {"/": page("/a", "/b", "/c"), "/a": (200, {}, b'<p>x <a href="/d">d</a>')}
    routes |= {"/b": (200, {}, b"{}"), "/c": (200, {"Content-Type": ""}, b"<html>"), "/d": "x"}
    with LocalSite(routes) as site:
        done = run(site)
    assert done.paths == ["/", "/a", "/c", "/d"]
    assert done.report["skipped"] == {"no text": 1}


def test_pages_about_files_are_fetched(run):
    paths = ["/wiki/Node.js", "/files/package.json", "/wiki/File:Map.png", "/a/blob/main/b.svg"]
    routes = {"/": page(*paths, "/photo.png"), **dict.fromkeys(paths, "x")}
    with LocalSite(routes) as site:
        assert run(site).paths == ["/", *paths]


def test_credentials_in_addresses_are_neither_followed_nor_sent_nor_kept(run, capsys):
    with LocalSite({"/a": "a", "/b": "b"}) as site:
        with_password = site.url.replace("http://", "http://user:secret@")
        site.routes["/"] = page(with_password + "a", "/b", "/moved", "/@a")
        site.routes["/moved"] = (302, {"Location": with_password + "a"}, b"")
        done = run(site, seeds=(with_password,))
        assert not any("Authorization" in headers for headers in site.headers)
        assert "/a" not in site.requests and "/@a" in site.requests
    assert done.paths == ["/", "/b"]
    assert done.report["skipped"] == {"redirect to no web page": 1}
    assert "secret" not in json.dumps(done.report) + capsys.readouterr().err
    assert not any(b"secret" in p.url.encode() for p in done.pages)


def test_a_sitemap_with_credentials_is_not_asked_for(run):
    with LocalSite({"/": "x"}) as site:
        with_password = site.url.replace("http://", "http://user:secret@")
        site.routes["/robots.txt"] = f"Sitemap: {with_password}a.xml\nSitemap: /b.xml".encode()
        run(site)
        assert "/b.xml" in site.requests and "/a.xml" not in site.requests


def test_the_live_line_tells_how_it_goes(tmp_path, capsys, monkeypatch):
    from crawler import crawl as module

    monkeypatch.setattr(module, "BAR_EVERY_S", 0.01)
    shown = []
    original = module.tqdm.set_postfix_str
    monkeypatch.setattr(
        module.tqdm,
        "set_postfix_str",
        lambda bar, text, **options: (shown.append(text), original(bar, text, **options)),
    )
    with LocalSite({"/": page("/a", "/gone", "/b"), "/a": "a", "/b": "b"}) as site:
        crawl(Settings((site.url,)), tmp_path / "pages.warc.gz", print)
    assert "hosts: 1, waiting: 0, errors: 1 http 404" in shown[-1]
    assert "MB" in shown[-1]


def test_the_default_delay_is_one_second_except_on_this_machine(tmp_path):
    from crawler.crawl import _Crawl
    from crawler.scope import Scope
    from crawler.state import State

    settings = Settings(("http://127.0.0.1/",))
    state = State(tmp_path / "p.warc.gz", settings.deciding())
    one = _Crawl(settings, Scope(settings), state, print)
    assert one._delay_s("example.org") == 1.0
    assert one._delay_s("localhost:8000") == 0.0
    state.close()


def test_a_seed_nobody_answers_raises_with_the_reason_and_leaves_nothing(tmp_path):
    with LocalSite({}) as site:
        pass  # closed again: nobody is there
    with pytest.raises(ValueError, match=f"{site.url}.*connection refused.*check"):
        crawl(Settings((site.url,)), tmp_path / "out" / "pages.warc.gz")
    assert list(tmp_path.iterdir()) == []


def test_a_site_without_any_page_raises_with_the_reasons(tmp_path):
    with (
        LocalSite({}) as site,
        pytest.raises(ValueError, match="http 404"),
    ):
        crawl(Settings((site.url,)), tmp_path / "pages.warc.gz")
    routes = {"/a": (302, {"Location": "/b"}, b""), "/b": (302, {"Location": "/a"}, b"")}
    with (
        LocalSite(routes) as site,
        pytest.raises(ValueError, match="only redirects"),
    ):
        crawl(Settings((site.url + "a",)), tmp_path / "pages.warc.gz")
    with pytest.raises(ValueError, match="word:casino"):
        crawl(Settings(("http://127.0.0.1:1/casino",)), tmp_path / "pages.warc.gz")
    assert list(tmp_path.iterdir()) == []


def test_unusable_files_raise_before_anything_is_asked(tmp_path):
    (tmp_path / "file").write_text("x")
    with LocalSite({"/": "x"}) as site:
        with pytest.raises(OSError):
            crawl(Settings((site.url,)), tmp_path / "file" / "pages.warc.gz")
        with pytest.raises(OSError):
            crawl(Settings((site.url,), blocklist=("missing.txt",)), tmp_path / "pages.warc.gz")
        assert site.n_connections == 0
    assert {file.name for file in tmp_path.iterdir()} == {"file"}


def test_a_defect_of_ours_costs_a_page_and_not_the_crawl(run, monkeypatch):
    from crawler import links

    original = links.find

    def fail_on_a(text, url):
        if url.endswith("/a"):
            raise RuntimeError
        return original(text, url)

    monkeypatch.setattr(links, "find", fail_on_a)
    with LocalSite({"/": page("/a", "/b"), "/a": "a", "/b": "b"}) as site:
        done = run(site)
    assert done.paths == ["/", "/b"]
    assert done.report["errors"] == {"internal RuntimeError": 1}


@pytest.mark.parametrize(
    "options",
    [
        {"seeds": ()},
        {"seeds": ("ftp://example.org/",)},
        {"seeds": ("example.org",)},
        {"max_pages": 0},
        {"max_depth": -1},
        {"delay_s": -1.0},
        {"delay_s": float("nan")},
        {"delay_s": float("inf")},
        {"timeout_s": 0.0},
        {"timeout_s": 1e12},
        {"max_page_bytes": 0},
        {"n_workers": 0},
        {"scope": "planet"},
        {"exclude": ("(",)},
        {"contact": "a\r\nCookie: b"},
    ],
)
def test_impossible_settings_raise(options):
    with pytest.raises(ValueError):
        Settings(**{"seeds": ("http://example.org/",), **options})


def test_seeds_are_canonical_and_each_once():
    settings = Settings(("HTTP://Example.org", "http://example.org/#top"))
    assert settings.seeds == ("http://example.org/",)


def test_a_log_is_told_how_far_the_crawl_is(run, monkeypatch):
    routes = {"/": page("/a", "/b"), "/a": page(), "/b": page()}
    with LocalSite(routes) as site:
        monkeypatch.setattr("sys.stderr", io.StringIO())  # no terminal, also with pytest -s
        assert not run(site).news  # too short for a line
        monkeypatch.setattr("crawler.crawl.FIRST_LINE_S", 0.0)
        monkeypatch.setattr("crawler.crawl.RAREST_LINE_S", 0.0)
        news = run(site, max_pages=2).news
    assert any(
        re.match(r"[12] pages, 0.0 MB, hosts: 1, waiting: \d, errors: none", x) for x in news
    )
