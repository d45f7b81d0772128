"""The frontier: breadth-first, each address once, and nothing lost by a kill."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.frontier import Frontier

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def frontier(tmp_path):
    frontier = Frontier(tmp_path / "f.sqlite")
    yield frontier
    frontier.close()


def add(frontier: Frontier, path: str, depth: int, host: str = "h", **options) -> bool:
    return frontier.add(f"http://{host}/{path}", host, depth, **options)


def visit_all(frontier: Frontier, host: str = "h") -> list[str]:
    paths = []
    while visit := frontier.next(host):
        paths.append(visit.url.rpartition("/")[2])
        frontier.finish(visit, "page")
    return paths


def test_visits_come_by_depth_and_then_by_discovery(frontier):
    for path, depth in [("c", 1), ("d", 2), ("a", 0), ("e", 2), ("b", 0), ("f", 1)]:
        assert add(frontier, path, depth)
    assert visit_all(frontier) == ["a", "b", "c", "f", "d", "e"]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 3)), max_size=30))
def test_any_order_of_discovery_gives_each_address_once_and_breadth_first(found):
    frontier = Frontier(":memory:")
    first = {}
    for name, depth in found:
        assert add(frontier, str(name), depth) is (name not in first)
        first.setdefault(name, depth)
    expected = sorted(first, key=lambda name: first[name])  # a stable sort: then by discovery
    assert visit_all(frontier) == [str(name) for name in expected]
    assert frontier.n_waiting == 0
    frontier.close()


def test_an_address_is_known_for_ever(frontier):
    assert not frontier.knows("http://h/a")
    assert add(frontier, "a", 0)
    assert frontier.knows("http://h/a")
    frontier.finish(frontier.next("h"), "error: timeout")
    assert not add(frontier, "a", 0)
    assert frontier.next("h") is None


def test_a_visit_is_repeated_until_it_has_an_outcome(frontier):
    add(frontier, "a", 0, n_hops=3)
    visit = frontier.next("h")
    assert (visit.url, visit.netloc, visit.depth, visit.n_hops) == ("http://h/a", "h", 0, 3)
    assert frontier.next("h") == visit
    frontier.finish(visit, "page")
    assert frontier.next("h") is None


def test_hosts_do_not_mix(frontier):
    add(frontier, "1", 5, host="b")
    add(frontier, "1", 0, host="a")
    add(frontier, "2", 1, host="b")
    assert frontier.waiting_hosts() == ["b", "a"]
    assert visit_all(frontier, "b") == ["2", "1"]
    assert frontier.waiting_hosts() == ["a"]


def test_counting(frontier):
    for path in "abcd":
        add(frontier, path, 0)
    add(frontier, "e", 0, outcome="skipped: excluded")
    add(frontier, "f", 0, host="other")
    frontier.finish(frontier.next("h"), "page", 10)
    frontier.finish(frontier.next("other"), "page", 5)
    frontier.finish(frontier.next("h"), "error: timeout")
    assert frontier.n_waiting == 2
    frontier.finish_host("h", "error: host given up")
    assert frontier.n_waiting == 0
    assert frontier.totals() == {"pages": 2, "bytes": 15, "hosts": 2}
    assert frontier.outcomes() == {
        "page": 2,
        "error: timeout": 1,
        "error: host given up": 2,
        "skipped: excluded": 1,
    }
    assert len(frontier.urls(depth=0)) == 6


def test_only_what_is_committed_lasts(tmp_path):
    frontier = Frontier(tmp_path / "f.sqlite")
    add(frontier, "a", 0)
    frontier.note("offset", 7)
    frontier.commit()
    add(frontier, "b", 0)
    frontier.note("offset", 9)
    frontier.finish(frontier.next("h"), "page")
    frontier.close()
    frontier = Frontier(tmp_path / "f.sqlite")
    assert frontier.n_waiting == 1
    assert frontier.noted("offset") == 7
    assert visit_all(frontier) == ["a"]
    frontier.close()


def test_notes_are_json(frontier):
    assert frontier.noted("settings") is None
    frontier.note("settings", {"seeds": ["http://h/"], "max_depth": None})
    assert frontier.noted("settings") == {"seeds": ["http://h/"], "max_depth": None}
    frontier.note("settings", 1)
    assert frontier.noted("settings") == 1


def test_clear_forgets_everything(frontier):
    add(frontier, "a", 0)
    frontier.note("x", 1)
    frontier.clear()
    assert (frontier.n_waiting, frontier.next("h"), frontier.noted("x")) == (0, None, None)
    assert add(frontier, "a", 0)


def test_the_file_survives_a_kill_at_any_moment(tmp_path):
    """A process commits without end and is killed: what it said it had committed is there."""
    path = tmp_path / "f.sqlite"
    program = (
        "import sys; from crawler.frontier import Frontier; f = Frontier(sys.argv[1])\n"
        "for i in range(10**6):\n"
        "    f.add(f'http://h/{i}', 'h', 0); f.commit(); print(i, flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, path], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    for _ in range(50):
        last = int(process.stdout.readline())
    process.kill()
    rest = process.stdout.read().split("\n")[:-1]
    process.wait()
    process.stdout.close()
    last = int(rest[-1]) if rest else last
    frontier = Frontier(path)
    assert frontier.n_waiting in (last + 1, last + 2)
    frontier.close()


def test_nobody_else_can_use_it_meanwhile(tmp_path):
    frontier = Frontier(tmp_path / "f.sqlite")
    with pytest.raises(ValueError, match="another crawl"):
        Frontier(tmp_path / "f.sqlite")
    frontier.close()
    Frontier(tmp_path / "f.sqlite").close()


def test_files_of_others_are_refused_and_left_alone(tmp_path):
    text = tmp_path / "text.sqlite"
    text.write_text(
        "This is no database, but somebody's notes, a hundred bytes of them or more. " * 9
    )
    theirs = tmp_path / "theirs.sqlite"
    with sqlite3.connect(theirs) as database:
        database.execute("CREATE TABLE urls (url TEXT)")
    database.close()
    for path in (text, theirs):
        before = path.read_bytes()
        with pytest.raises(ValueError, match=path.name):
            Frontier(path)
        assert path.read_bytes() == before


def test_a_place_that_cannot_be_written_raises(tmp_path):
    with pytest.raises(ValueError, match=r"missing.f\.sqlite"):
        Frontier(tmp_path / "missing" / "f.sqlite")


def test_what_failed_comes_after_everything_else(tmp_path):
    frontier = Frontier(tmp_path / "f.sqlite")
    for i in range(3):
        frontier.add(f"http://h/{i}", "h", depth=i)
    frontier.retry(frontier.next("h"), "error: timeout")
    assert [frontier.next("h").url, frontier.n_waiting] == ["http://h/1", 3]
    for _ in range(2):
        frontier.finish(frontier.next("h"), "page")
    visit = frontier.next("h")
    assert (visit.url, visit.n_tries) == ("http://h/0", 1)
    frontier.finish_host("h", "error: host given up")
    assert frontier.outcomes() == {"page": 2, "error: timeout": 1}
    frontier.close()


def test_what_is_under_way_is_not_handed_out_again(tmp_path):
    frontier = Frontier(tmp_path / "f.sqlite")
    for i in range(3):
        frontier.add(f"http://h/{i}", "h", 0)
    first = frontier.next("h")
    second = frontier.next("h", {first.id})
    assert [first.url, second.url] == ["http://h/0", "http://h/1"]
    frontier.finish_host("h", "error: host given up", {first.id, second.id})
    assert frontier.n_waiting == 2
    assert frontier.next("h", {first.id, second.id}) is None
    frontier.finish(first, "page")
    assert frontier.next("h") == second
    frontier.close()


def test_places_are_counted_and_what_is_not_committed_is_not(tmp_path):
    frontier = Frontier(tmp_path / "f.sqlite")
    assert [frontier.count_at("h/a"), frontier.count_at("h/a"), frontier.count_at("h/b")] == [
        1,
        2,
        1,
    ]
    frontier.commit()
    frontier.count_at("h/a")
    frontier.close()
    frontier = Frontier(tmp_path / "f.sqlite")
    assert frontier.count_at("h/a") == 3
    frontier.close()


def test_a_file_of_another_version_is_refused(tmp_path):
    Frontier(tmp_path / "f.sqlite").close()
    frontier = Frontier(tmp_path / "f.sqlite")
    frontier._db.execute("PRAGMA user_version = 1")
    frontier.commit()
    frontier.close()
    with pytest.raises(ValueError, match="another version"):
        Frontier(tmp_path / "f.sqlite")
