"""A crawl that is asked for again comes back, and a kill between any two steps loses neither."""

import functools
import itertools
import json
import os
import shutil
from pathlib import Path

import pytest
from local_site import LocalSite, page

from crawler.__main__ import main
from crawler.crawl import crawl
from crawler.fetch import Response
from crawler.pydoc_site import EXCLUDED
from crawler.settings import Settings
from crawler.state import State
from crawler.warc import read_pages

OLD, NEW, OTHER = ({"seeds": ["http://h/"], "max_pages": n} for n in (2, 3, 4))
FILES = {"pages.warc.gz", "crawl.json", "pages.warc.gz.previous", "crawl.json.previous"}


class Killed(BaseException):
    pass


@pytest.fixture
def output(tmp_path):
    return tmp_path / "pages.warc.gz"


def begun(output, settings, n_pages) -> State:
    """Return a crawl that has kept so many pages."""
    crawl = State(output, settings)
    for i in range(n_pages):
        url = f"http://h/{i}"
        crawl.frontier.add(url, "h", 0)
        headers = [("Content-Type", "text/html")]
        crawl.store(crawl.frontier.next("h"), Response(url, 200, "OK", headers, b"x" * i, "::1"))
    crawl.commit()
    return crawl


def crawled(output, settings) -> None:
    """Leave a finished crawl behind, of as many pages as it may have."""
    n_pages = settings["max_pages"]
    begun(output, settings, n_pages).finish({"pages": n_pages})


def asked(output, settings) -> State:
    """Return what asking for such a crawl once leaves, closed."""
    crawl = State(output, settings, once=True)
    if crawl.recalled:
        assert crawl.leave()["settings"] == settings
    elif crawl.finished_report:
        crawl.complete()
    crawl.close()
    return crawl


def held(output) -> list[tuple[int, int]]:
    """Return (pages, pages that the report tells) of the last crawl and of the previous one."""
    found = []
    for end in ("", ".previous"):
        archive, report = (output.with_name(name + end) for name in (output.name, "crawl.json"))
        if archive.exists():
            n_told = json.loads(report.read_text(encoding="utf-8"))["pages"]
            found.append((len(list(read_pages(archive))), n_told))
    return found


def names(output) -> set[str]:
    return {file.name for file in output.parent.iterdir()}


def test_a_crawl_that_is_asked_for_again_changes_places_with_the_last_one(output):
    crawled(output, OLD)
    crawled(output, NEW)
    assert held(output) == [(3, 3), (2, 2)]
    crawl = asked(output, OLD)
    assert crawl.news == (
        f"{output} and pages.warc.gz.previous change places: the crawl kept there is the one "
        "asked for"
    )
    assert held(output) == [(2, 2), (3, 3)]
    assert names(output) == FILES
    asked(output, NEW)
    assert held(output) == [(3, 3), (2, 2)]


def test_a_finished_crawl_is_not_made_twice_unless_it_is_asked_for_what_changed(output):
    crawled(output, OLD)
    before = output.read_bytes()
    assert asked(output, OLD).news.endswith("is of a crawl with these settings, and stays")
    assert (output.read_bytes(), names(output)) == (before, {"pages.warc.gz", "crawl.json"})
    crawl = State(output, OLD)
    assert crawl.recalled is None
    crawl.discard()


def test_a_crawl_that_comes_back_is_newer_than_what_was_made_of_the_other(output):
    crawled(output, OLD)
    crawled(output, NEW)
    for settings in (OLD, OLD):  # the second time it only stays
        for file in output.parent.iterdir():
            os.utime(file, (1, 1))
        asked(output, settings)
        assert output.stat().st_mtime > 1
        assert output.with_name("pages.warc.gz.previous").stat().st_mtime == 1


@pytest.mark.parametrize(("stopped_at", "stays"), [(7, True), (3, False)])
def test_what_was_stopped_after_both_crawls_stays_the_later(output, stopped_at, stays):
    crawled(output, OLD)
    crawled(output, NEW)
    stopped = output.with_name("pages.warc.gz.stopped")
    stopped.write_bytes(b"")
    for path, time in ((output, 5), (output.with_name(output.name + ".previous"), 1)):
        os.utime(path, (time, time))
    os.utime(stopped, (stopped_at, stopped_at))
    asked(output, OLD)
    assert (stopped.stat().st_mtime_ns >= output.stat().st_mtime_ns) == stays


def test_the_previous_crawl_comes_back_where_the_last_one_was_removed(output):
    crawled(output, OLD)
    crawled(output, NEW)
    output.unlink()
    assert asked(output, OLD).news.endswith("is the crawl asked for, and is now pages.warc.gz")
    assert held(output) == [(2, 2)]
    assert names(output) == {"pages.warc.gz", "crawl.json"}


def test_only_a_crawl_of_exactly_these_settings_comes_back(output):
    crawled(output, OLD)
    crawled(output, NEW)
    assert asked(output, OTHER).recalled is None
    for report in ("[]", '{"settings": 3}', "{", '{"archive_bytes": 1}'):
        output.with_name("crawl.json.previous").write_text(report)
        assert asked(output, OLD).recalled is None
    output.with_name("crawl.json.previous").unlink()  # as where an earlier version kept it
    assert asked(output, OLD).recalled is None
    assert output.with_name("pages.warc.gz.previous").exists()


def test_a_previous_archive_that_is_no_longer_the_reports_does_not_come_back(output):
    crawled(output, OLD)
    crawled(output, NEW)
    output.with_name("pages.warc.gz.previous").write_bytes(b"of somebody else")
    assert asked(output, OLD).recalled is None


def test_an_archive_of_which_nothing_was_known_brings_no_report_of_another_along(output):
    crawled(output, OLD)
    crawled(output, NEW)
    output.with_name("crawl.json").unlink()
    crawled(output, OTHER)
    assert asked(output, OLD).recalled is None
    assert held(output)[0] == (4, 4)


def test_two_archives_in_one_folder_have_reports_of_their_own(output):
    other = output.with_name("other.warc.gz")
    for archive, settings in ((output, OLD), (other, NEW), (output, OTHER), (other, OLD)):
        crawled(archive, settings)
    assert held(output) == [(4, 4), (2, 2)]
    assert asked(output, OLD).recalled["pages"] == 2
    assert asked(other, NEW).recalled["pages"] == 3
    assert held(output) == [(2, 2), (4, 4)]
    assert names(output) == FILES | {
        name.replace("pages", "other").replace("crawl", "other.crawl") for name in FILES
    }


def test_reports_that_an_earlier_version_called_otherwise_are_found(tmp_path):
    output = tmp_path / "other.warc.gz"
    crawled(output, OLD)
    crawled(output, NEW)
    for ending in ("", ".previous"):
        (tmp_path / f"other.crawl.json{ending}").rename(tmp_path / f"crawl.json{ending}")
    assert asked(output, NEW).recalled["pages"] == 3
    assert asked(output, OLD).recalled["pages"] == 2
    assert asked(output, NEW).recalled["pages"] == 3


def test_a_report_of_another_archive_is_not_taken_for_an_earlier_version_s(output):
    crawled(output, OLD)
    other = output.with_name("other.warc.gz")
    other.write_bytes(b"of somebody else")
    assert asked(other, OLD).recalled is None
    assert asked(output, OLD).recalled["pages"] == 2


def test_pydoc_comes_back_from_any_port(output):
    pydoc = {"exclude": [pattern for pattern, _ in EXCLUDED]}
    crawled(output, OLD | pydoc | {"seeds": ["http://127.0.0.1:1001/"]})
    crawled(output, NEW)
    crawl = State(output, OLD | pydoc | {"seeds": ["http://127.0.0.1:1002/"]}, once=True)
    assert crawl.recalled["pages"] == 2
    crawl.close()


def test_an_interrupted_crawl_goes_on_after_another_one_came_back(output):
    crawled(output, OLD)
    crawled(output, NEW)
    begun(output, OTHER, 1).close()
    asked(output, OLD)
    asked(output, OLD)
    assert held(output) == [(2, 2), (3, 3)]
    crawl = State(output, OTHER, once=True)
    assert crawl.news == "going on after 1 page"
    crawl.finish({"pages": 1})
    assert held(output) == [(1, 1), (2, 2)]
    assert names(output) == FILES


def test_a_finished_crawl_comes_back_before_an_interrupted_one_of_more_pages_goes_on(output):
    crawled(output, OLD)
    begun(output, NEW, 1).close()
    assert asked(output, OLD).recalled["pages"] == 2


# ---- killed -------------------------------------------------------------------------------------


def is_killed_at(n: int, monkeypatch, work) -> bool:
    """Call `work`, and kill it before the `n`th file that it renames, removes or dates."""
    count = itertools.count()

    def deadly(function):
        def call(*args, **options):
            if next(count) == n:
                raise Killed
            return function(*args, **options)

        return call

    with monkeypatch.context() as patch:
        for owner, name in ((os, "replace"), (os, "utime"), (Path, "unlink")):
            patch.setattr(owner, name, deadly(getattr(owner, name)))
        try:
            work()
        except Killed:
            return True
    return False


def kills(output, monkeypatch, work):
    """Yield after each kill that `work` can suffer, each time in a copy of the folder."""
    prepared = list(output.parent.iterdir())
    for n in itertools.count():
        here = output.parent / str(n) / output.name
        here.parent.mkdir()
        for file in prepared:
            shutil.copy2(file, here.parent)
        if not is_killed_at(n, monkeypatch, functools.partial(work, here)):
            assert n >= 3
            return
        yield here


@pytest.mark.parametrize("then", [OLD, NEW])
def test_a_kill_while_two_crawls_change_places_loses_neither(output, monkeypatch, then):
    crawled(output, OLD)
    crawled(output, NEW)
    for here in kills(output, monkeypatch, lambda here: asked(here, OLD)):
        assert asked(here, then).recalled
        assert held(here) == ([(2, 2), (3, 3)] if then == OLD else [(3, 3), (2, 2)])
        assert names(here) == FILES


def test_a_kill_while_the_previous_crawl_comes_back_alone_does_not_lose_it(output, monkeypatch):
    crawled(output, OLD)
    crawled(output, NEW)
    output.unlink()
    for here in kills(output, monkeypatch, lambda here: asked(here, OLD)):
        assert asked(here, OLD).recalled
        assert held(here) == [(2, 2)]


@pytest.mark.parametrize("then", [OLD, NEW])
def test_a_kill_while_a_crawl_is_set_aside_loses_neither(output, monkeypatch, then):
    crawled(output, OTHER)
    crawled(output, OLD)
    begun(output, NEW, 3).close()

    def finish(output):
        crawl = State(output, NEW)
        try:
            crawl.finish({"pages": 3})
        finally:
            crawl.close()  # as the system does for a killed one

    for here in kills(output, monkeypatch, finish):
        crawl = asked(here, then)
        assert crawl.recalled or crawl.finished_report
        assert held(here) == ([(2, 2), (3, 3)] if then == OLD else [(3, 3), (2, 2)])
        assert names(here) == FILES


# ---- from the command line ----------------------------------------------------------------------


def test_nothing_is_asked_of_a_site_for_a_crawl_that_comes_back(output, capsys):
    with LocalSite({"/": page("/a", "/b"), "/a": "a", "/b": "b"}) as site:
        two, three = (
            ["crawl", site.url, "--max-pages", str(n), "--once", "-o", str(output)] for n in (2, 3)
        )
        assert [main(words) for words in (two, three)] == [0, 0]
        n_asked = len(site.requests)
        assert [main(words) for words in (two, two, three)] == [0, 0, 0]
        assert len(site.requests) == n_asked
        said = capsys.readouterr().err
        assert said.count("change places") == 2
        assert said.count("and stays") == 1
        report = crawl(Settings((site.url,), 2), output, once=True)
        assert report["pages"] == 2
        assert crawl(Settings((site.url,), 2), output)["pages"] == 2  # what has changed
        assert len(site.requests) > n_asked
