"""The archive and the frontier agree, wherever a crawl was cut off."""

import dataclasses
import json
import os
from types import SimpleNamespace

import pytest

from crawler import state
from crawler.earlier import read_record
from crawler.fetch import Response
from crawler.pydoc_site import EXCLUDED
from crawler.settings import Settings
from crawler.state import State, settings_of_interrupted
from crawler.warc import read_pages

SETTINGS = {"seeds": ["http://h/"], "max_pages": 9}


def response(url: str) -> Response:
    headers = [("Content-Type", "text/html"), ("Set-Cookie", "secret"), ("Content-Length", "9")]
    headers.append(("ETag", '"1"'))
    return Response(url, 200, "OK", headers, url.encode(), "127.0.0.1")


def store_next(crawl: State) -> None:
    visit = crawl.frontier.next("h")
    crawl.store(visit, response(visit.url))


def begun(output, n_urls: int = 4) -> State:
    crawl = State(output, SETTINGS)
    for i in range(n_urls):
        crawl.frontier.add(f"http://h/{i}", "h", 0)
    crawl.commit()
    return crawl


def kept(output) -> list[str]:
    return [page.url[-1] for page in read_pages(output)]


@pytest.fixture
def output(tmp_path):
    return tmp_path / "pages.warc.gz"


def test_finish_leaves_the_pages_and_the_report_only(output, tmp_path):
    crawl = begun(output, 2)
    store_next(crawl)
    store_next(crawl)
    crawl.finish({"pages": 2})
    assert kept(output) == ["0", "1"]
    assert {file.name for file in tmp_path.iterdir()} == {"pages.warc.gz", "crawl.json"}
    written = json.loads((tmp_path / "crawl.json").read_text(encoding="utf-8"))
    assert list(written) == ["stage", "seconds", "archive_bytes", "settings", "pages"]
    assert (written["stage"], written["pages"], written["settings"]) == ("crawl", 2, SETTINGS)
    assert written["archive_bytes"] == output.stat().st_size


def test_headers_that_are_secret_or_no_longer_true_are_not_kept(output):
    crawl = begun(output, 1)
    store_next(crawl)
    crawl.finish({})
    assert "secret" not in str(list(read_pages(output)))


def test_what_was_not_committed_is_cut_off_and_done_again(output):
    crawl = begun(output)
    store_next(crawl)
    crawl.commit()
    store_next(crawl)
    store_next(crawl)
    crawl._part.flush()  # on the disk, but not promised
    crawl.close()

    crawl = State(output, SETTINGS)
    assert crawl.resumed
    assert crawl.news == "going on after 1 page"
    while crawl.frontier.next("h"):
        store_next(crawl)
    crawl.finish({})
    assert kept(output) == ["0", "1", "2", "3"]


def test_a_file_torn_in_the_middle_of_a_record_is_cut_back(output):
    crawl = begun(output)
    store_next(crawl)
    crawl.commit()
    crawl.close()
    with open(crawl.part_path, "ab") as file:
        file.write(b"\x1f\x8b\x08half a record")
    crawl = State(output, SETTINGS)
    store_next(crawl)
    crawl.finish({})
    assert kept(output) == ["0", "1"]


def interrupted(output, n_pages: int, settings=SETTINGS, first: int = 0) -> None:
    """Leave a crawl behind that has kept so many pages, /first and those that follow."""
    crawl = State(output, settings)
    for i in range(first, first + 4):
        crawl.frontier.add(f"http://h/{i}", "h", 0)
    for _ in range(n_pages):
        store_next(crawl)
    crawl.commit()
    crawl.close()


@pytest.mark.parametrize("max_pages", [2, 10])
def test_a_crawl_goes_on_with_another_limit_that_it_has_not_passed(output, max_pages):
    interrupted(output, 2)
    crawl = State(output, {**SETTINGS, "max_pages": max_pages})
    assert crawl.resumed
    assert crawl.news == "going on after 2 pages"
    store_next(crawl)
    crawl.finish({})
    assert kept(output) == ["0", "1", "2"]
    report = json.loads(output.with_name("crawl.json").read_text(encoding="utf-8"))
    assert report["settings"]["max_pages"] == max_pages


def test_what_is_included_decides_only_if_it_is_given():
    settings = Settings(("http://h/",))
    assert "include" not in settings.deciding()  # as in reports of crawls that knew of none
    narrower = dataclasses.replace(settings, include=("/docs/",)).deciding()
    assert narrower == settings.deciding() | {"include": ["/docs/"]}


@pytest.mark.parametrize("change", [{"max_pages": 1}, {"seeds": ["http://h/0"]}, {"exclude": "x"}])
def test_with_other_settings_what_was_fetched_is_asked_for_if_changed(output, change):
    interrupted(output, 2)
    with open(output.with_name("pages.warc.gz.part"), "ab") as file:
        file.write(b"not committed")
    crawl = State(output, SETTINGS | change)
    assert not crawl.resumed
    assert crawl.news == (
        "2 pages of an interrupted crawl with other settings, kept as pages.warc.gz.stopped: "
        "beginning anew; 2 pages of earlier crawls, asked for if changed"
    )
    assert crawl.frontier.next("h") is None
    record = crawl.frontier.earlier("http://h/1")
    assert read_record(output.parent, record)[1].body == b"http://h/1"
    assert crawl.frontier.earlier("http://h/2") is None
    crawl.finish({})
    assert kept(output) == []
    assert kept(output.with_name("pages.warc.gz.stopped")) == ["0", "1"]


def test_what_several_interrupted_crawls_fetched_is_kept_until_one_is_whole(output):
    stopped = output.with_name("pages.warc.gz.stopped")
    interrupted(output, 2)
    interrupted(output, 0, SETTINGS | {"max_depth": 3})
    interrupted(output, 1, SETTINGS | {"max_depth": 1}, first=4)
    interrupted(output, 0, SETTINGS | {"max_depth": 2})
    assert kept(stopped) == ["0", "1", "4"]
    State(output, SETTINGS | {"max_depth": 2}).finish({})
    os.utime(stopped, (1, 1))  # some time before
    interrupted(output, 1, SETTINGS, first=5)
    interrupted(output, 0, SETTINGS | {"max_depth": 1})
    assert kept(stopped) == ["5"]


def test_a_kill_after_they_were_kept_does_not_keep_them_twice(output, monkeypatch):
    interrupted(output, 2)
    for _ in range(2):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr("crawler.state.State._begin", raise_interrupt)
            State(output, SETTINGS | {"max_depth": 1})
    assert asked_about(output, max_depth=1)[:2] == ["stopped", "stopped"]
    assert kept(output.with_name("pages.warc.gz.stopped")) == ["0", "1"]


def test_a_crawl_that_fetched_nothing_loses_nothing_of_those_before_it(output):
    interrupted(output, 2)
    State(output, SETTINGS | {"max_depth": 3}).discard()
    interrupted(output, 1, SETTINGS | {"max_depth": 1}, first=4)
    interrupted(output, 0, SETTINGS | {"max_depth": 2})
    assert kept(output.with_name("pages.warc.gz.stopped")) == ["0", "1", "4"]


def test_of_two_earlier_archives_the_later_is_asked_about(output):
    crawled(output, 3)
    interrupted(output, 1)
    assert asked_about(output, max_depth=1) == ["stopped", "gz", "gz"]
    os.utime(output.with_name("pages.warc.gz.stopped"), (1, 1))
    assert asked_about(output, max_depth=2) == ["gz", "gz", "gz"]


def asked_about(output, **changes) -> list[str | None]:
    """Return the ends of the names of the archives which a crawl takes /0, /1 and /2 from."""
    crawl = State(output, SETTINGS | changes)
    records = [crawl.frontier.earlier(f"http://h/{i}") for i in range(3)]
    crawl.close()
    return [record and record.archive.rpartition(".")[2] for record in records]


def test_of_pages_without_a_version_it_is_not_said_that_they_are_asked_about(output, monkeypatch):
    monkeypatch.setattr("crawler.fetch.Response.page_headers", lambda page: page.headers[:1])
    interrupted(output, 2)
    crawl = State(output, SETTINGS | {"max_depth": 1})
    assert crawl.news.endswith("kept as pages.warc.gz.stopped: beginning anew")
    crawl.close()


def test_what_is_there_of_earlier_crawls_is_counted_together(output):
    assert crawled(output, 3) == ""
    assert crawled(output, 3) == "3 pages of the last crawl, asked for if changed"
    interrupted(output, 2, first=2)
    interrupted(output, 0, SETTINGS | {"max_depth": 1})
    assert crawled(output, 3) == "4 pages of earlier crawls, asked for if changed"


def test_a_crawl_that_goes_on_with_another_limit_keeps_the_archive_of_the_first(output):
    crawled(output, 3)
    interrupted(output, 1)
    State(output, SETTINGS | {"max_pages": 10}).finish({})
    assert kept(output.with_name("pages.warc.gz.previous")) == ["0", "1", "2"]


def test_pages_that_are_gone_begin_anew_and_say_so(output):
    crawl = begun(output)
    store_next(crawl)
    crawl.commit()
    crawl.close()
    crawl.part_path.write_bytes(b"")
    crawl = State(output, SETTINGS)
    assert not crawl.resumed
    assert "beginning anew" in crawl.news
    crawl.close()


def test_seconds_add_up_over_interruptions(output, monkeypatch):
    now = 1000.0
    monkeypatch.setattr(state, "time", SimpleNamespace(monotonic=lambda: now))
    crawl = begun(output)
    now += 10
    crawl.commit()
    now += 99  # lost: never committed
    crawl.close()
    now = 5.0  # another boot, another clock
    crawl = State(output, SETTINGS)
    now += 2.5
    assert crawl.seconds == 12.5
    assert crawl.finish({})["seconds"] == 12.5


def test_commits_are_made_now_and_then(output, monkeypatch):
    now = 1000.0
    monkeypatch.setattr(state, "time", SimpleNamespace(monotonic=lambda: now))
    synced = []
    monkeypatch.setattr(state.os, "fsync", synced.append)
    crawl = begun(output)
    n_before = len(synced)
    crawl.commit_if_due()
    assert len(synced) == n_before
    now += state.COMMIT_EVERY_S
    crawl.commit_if_due()
    assert len(synced) == n_before + 1
    crawl.close()


@pytest.mark.parametrize("step", ["replace", "write_report", "unlink"])
def test_a_kill_while_tidying_up_is_made_good_by_the_next_run(output, monkeypatch, step):
    class Killed(BaseException):
        pass

    def kill(*args, **options):
        raise Killed

    crawl = begun(output, 1)
    store_next(crawl)
    with monkeypatch.context() as patch:
        target = {"replace": os, "write_report": state, "unlink": type(output)}[step]
        patch.setattr(target, step, kill)
        with pytest.raises(Killed):
            crawl.finish({"pages": 1})
    crawl.close()

    crawl = State(output, SETTINGS)
    assert crawl.finished_report["pages"] == 1
    crawl.complete()
    assert kept(output) == ["0"]
    names = {file.name for file in output.parent.iterdir()}
    assert names == {"pages.warc.gz", "crawl.json"}


def test_an_earlier_output_stays_until_the_new_one_is_complete(output):
    output.write_bytes(b"earlier")
    crawl = begun(output, 1)
    store_next(crawl)
    crawl.commit()
    assert output.read_bytes() == b"earlier"
    crawl.finish({})
    assert kept(output) == ["0"]


def crawled(output, n_pages, **changes):
    """Crawl to `output` with other settings; return what was said, and the settings."""
    settings = SETTINGS | changes
    crawl = State(output, settings)
    for i in range(n_pages):
        crawl.frontier.add(f"http://h/{i}", "h", 0)
        store_next(crawl)
    crawl.finish({"pages": n_pages})
    return crawl.news


def test_the_archive_of_another_crawl_is_kept_once(output):
    previous = output.with_name("pages.warc.gz.previous")
    assert crawled(output, 3) == ""
    assert "kept" not in crawled(output, 2)  # the same one again
    assert not previous.exists()
    said = crawled(output, 1, seeds=["http://other/"])
    assert said.endswith("with these settings: it will be kept as pages.warc.gz.previous")
    assert (kept(previous), kept(output)) == (["0", "1"], ["0"])
    lost = "in place of the one there, 2 pages of http://h/, which is lost then (another folder"
    assert lost in crawled(output, 4, max_pages=4)
    assert (kept(previous), kept(output)) == (["0"], ["0", "1", "2", "3"])


def test_a_crawl_of_pydoc_that_will_be_lost_is_called_so_and_an_unknown_one_unknown(output):
    exclude = [pattern for pattern, _ in EXCLUDED]
    crawled(output, 1, seeds=["http://127.0.0.1:43933/"], exclude=exclude)
    crawled(output, 1)
    assert "the one there, 1 page of pydoc, which is lost" in crawled(output, 1, max_depth=1)
    for report in ("[]", '{"settings": 3}', None):
        path = output.with_name("crawl.json.previous")
        path.unlink() if report is None else path.write_text(report)
        said = crawled(output, 1, max_depth=2 if report == "[]" else len(report or ""))
        assert "the one there, of which nothing is known, which" in said


def test_the_archive_of_a_crawl_of_which_nothing_is_known_is_kept(output):
    crawled(output, 2)
    for report in (None, "[]", '{"settings": 3}', "{"):
        report_path = output.with_name("crawl.json")
        report_path.unlink() if report is None else report_path.write_text(report)
        assert "it will be kept" in crawled(output, 1)


@pytest.mark.parametrize("stop", [1, 2])
def test_a_kill_between_the_two_renamings_loses_neither(output, monkeypatch, stop):
    crawled(output, 2)
    renamed = []

    def replace(source, target):
        renamed.append(target)
        if len(renamed) == stop:
            raise KeyboardInterrupt
        os.rename(source, target)

    crawl = State(output, SETTINGS | {"max_pages": 1})
    crawl.frontier.add("http://h/0", "h", 0)
    store_next(crawl)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("crawler.state.write_report", lambda *_: None)
        patch.setattr("crawler.state.os.replace", replace)
        crawl.finish({})
    crawl.close()
    State(output, SETTINGS | {"max_pages": 1}).complete()
    previous = output.with_name("pages.warc.gz.previous")
    assert (kept(previous), kept(output)) == (["0", "1"], ["0"])


def test_a_finished_crawl_that_was_killed_is_completed_before_another_begins(output, monkeypatch):
    crawl = begun(output, 2)
    store_next(crawl)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("crawler.state.write_report", raise_interrupt)
        crawl.finish({})
    crawl.close()
    assert "will be kept" in crawled(output, 2, seeds=["http://other/"])
    assert kept(output.with_name("pages.warc.gz.previous")) == ["0"]
    assert kept(output) == ["0", "1"]


def raise_interrupt(*_):
    raise KeyboardInterrupt


def test_what_is_noted_speaks_of_no_part_that_is_emptied(output, monkeypatch):
    crawl = begun(output)
    store_next(crawl)
    crawl.commit()
    crawl.close()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("crawler.state.Writer", raise_interrupt)  # the .part has just been opened
        State(output, SETTINGS | {"max_depth": 1})
    assert settings_of_interrupted(output)["max_depth"] == 1


def test_a_report_beside_it_of_another_archive_makes_no_archive_the_same_crawl(output):
    other = output.with_name("other.warc.gz")
    crawled(output, 3)
    crawled(other, 1, seeds=["http://other/"])
    assert "will be kept" in crawled(output, 2, seeds=["http://other/"])
    output.write_bytes(b"of somebody else")
    assert "will be kept" in crawled(output, 1, seeds=["http://other/"])


def test_what_was_left_out_before_makes_it_another_crawl(output):
    crawled(output, 2, exclude=["/tag/"])
    assert "kept" not in crawled(output, 2, exclude=["/tag/"])
    assert "will be kept" in crawled(output, 1, exclude=["/t"])


def test_pydoc_at_another_port_is_the_same_crawl_and_another_server_is_not(output):
    pydoc = {"exclude": ["/own/", *(pattern for pattern, _ in EXCLUDED)]}
    crawled(output, 2, seeds=["http://127.0.0.1:1001/"], **pydoc)
    assert "kept" not in crawled(output, 2, seeds=["http://127.0.0.1:1002/"], **pydoc)
    assert "will be kept" in crawled(output, 2, seeds=["http://127.0.0.1:1002/other/"], **pydoc)
    assert "will be kept" in crawled(output, 2, seeds=["http://127.0.0.1:1001/"])
    assert "will be kept" in crawled(output, 2, seeds=["http://127.0.0.1:1002/"])


def test_discard_leaves_nothing_behind(tmp_path):
    crawl = begun(tmp_path / "new" / "pages.warc.gz")
    crawl.discard()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "old").mkdir()
    crawl = begun(tmp_path / "old" / "pages.warc.gz")
    crawl.discard()
    assert list((tmp_path / "old").iterdir()) == []


def test_settings_of_an_interrupted_crawl_can_be_asked(output):
    assert settings_of_interrupted(output) is None
    begun(output).close()
    assert settings_of_interrupted(output) == SETTINGS


def test_impossible_outputs_raise(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder.warc.gz").mkdir()
    for name in ["pages.txt", "folder.warc.gz", "file/pages.warc.gz"]:
        with pytest.raises((ValueError, OSError)):
            State(tmp_path / name, SETTINGS)
    assert {file.name for file in tmp_path.iterdir()} == {"file", "folder.warc.gz"}


def test_two_crawls_cannot_write_one_output(output):
    crawl = begun(output)
    with pytest.raises(ValueError, match="another crawl"):
        State(output, SETTINGS)
    crawl.close()


def test_a_damaged_frontier_is_an_oserror_that_names_it(output):
    crawl = begun(output, 300)
    crawl.close()
    damaged = bytearray(crawl.frontier_path.read_bytes())
    damaged[4096:] = b"\xff" * len(damaged[4096:])
    crawl.frontier_path.write_bytes(damaged)
    with pytest.raises((OSError, ValueError), match=r"pages\.sqlite"):
        State(output, SETTINGS)
    with pytest.raises((OSError, ValueError), match=r"pages\.sqlite"):
        settings_of_interrupted(output)


def test_no_other_crawl_begins_while_the_last_steps_are_taken(output, monkeypatch):
    crawl = begun(output, 1)
    store_next(crawl)
    replace = os.replace

    def try_another(source, target):
        with pytest.raises(ValueError, match="another crawl"):
            State(output, {**SETTINGS, "other": 1})
        replace(source, target)

    monkeypatch.setattr(os, "replace", try_another)
    crawl.finish({})
    assert kept(output) == ["0"]


def test_nothing_of_what_was_not_committed_is_left_behind(output):
    crawl = begun(output, 1)
    crawl.close()
    length = crawl.part_path.stat().st_size
    with open(crawl.part_path, "ab") as file:
        file.write(bytes(100_000))
    crawl = State(output, SETTINGS)
    crawl.close()
    assert crawl.part_path.stat().st_size == length > 0
