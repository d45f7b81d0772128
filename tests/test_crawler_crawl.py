"""Whole crawls of small sites on this machine."""

import json
import threading
from pathlib import Path

import pytest
from local_site import LocalSite, page

from crawler.crawl import crawl
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
        assert names == {"pages.warc.gz", "crawl.json"}
        return Crawled(output, report, site.url, news)

    return run


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
    assert done.report["seeds"] == [site.url]
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


def test_retry_after_is_waited_for(run, monkeypatch):
    pauses = []
    give_back = "crawler.politeness.Turns.give_back"
    from crawler.politeness import Turns

    original = Turns.give_back

    def note(self, host, pause_s=None):
        pauses.append(pause_s)
        original(self, host, 0.0)

    monkeypatch.setattr(give_back, note)
    with LocalSite({"/": page("/a"), "/a": (429, {"Retry-After": "77"}, b"")}) as site:
        run(site, delay_s=0.0)
    assert pauses.count(77.0) == 3  # also after it was given up: other pages come next


def test_a_host_that_never_answers_is_given_up(run):
    def hang_up(handler):
        handler.close_connection = True

    routes = {"/": page(*(f"/{i}" for i in range(50))), **{f"/{i}": hang_up for i in range(50)}}
    with LocalSite(routes) as site:
        done = run(site)
        assert len(set(site.requests)) == 6
    assert done.report["errors"] == {"connection broken": 5, "host given up": 45}


def test_crawl_delay_is_honoured_and_announced(run, monkeypatch):
    delays = []
    from crawler.politeness import Turns

    original = Turns.give_back

    def note(self, host, pause_s=None):
        delays.append(host.delay_s)
        original(self, host, 0.0)

    monkeypatch.setattr(Turns, "give_back", note)
    with LocalSite({"/robots.txt": b"User-agent: *\nCrawl-delay: 30", "/": "x"}) as site:
        done = run(site)
    assert set(delays) == {30.0}
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
        {"timeout_s": 0.0},
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
