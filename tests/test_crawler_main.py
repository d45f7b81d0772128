"""The command line, and crawls that are killed, stopped and continued."""

import errno
import gzip
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from local_site import LocalSite, page

import crawler
from crawler.__main__ import main
from crawler.warc import read_pages

ROOT = Path(__file__).resolve().parent.parent
# The same command line, but with commits every so many seconds (the first argument).
PROGRAM = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "from crawler import state; state.COMMIT_EVERY_S = float(sys.argv.pop(1))\n"
    "from crawler.__main__ import main; sys.exit(main())\n"
)


def start(*arguments: object, commit_every_s: float = 0.0) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(commit_every_s), *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def chain(n_pages: int) -> dict[str, str]:
    """Return a site of a first page that links to many, each of which links to its neighbours."""
    routes = {f"/{i}": page(f"/{(i + 1) % n_pages}", f"/{i - 1}", "/") for i in range(n_pages)}
    return {"/": page(*routes), **routes}


def wait_for_requests(site: LocalSite, n_requests: int, process: subprocess.Popen) -> None:
    """Return once the site was asked so often, or the process has ended."""
    while len(site.requests) < n_requests and process.poll() is None:
        site.closing.wait(0.001)


@pytest.mark.parametrize("commit_every_s", [0.0, 0.05])
def test_a_crawl_killed_again_and_again_has_every_page_once(tmp_path, commit_every_s):
    output = tmp_path / "pages.warc.gz"
    with LocalSite(chain(120)) as site:
        n_killed = n_resumed = 0
        for n_more in [1, 7, 20, 33, 48, 10**6]:
            process = start("crawl", site.url, "-o", output, commit_every_s=commit_every_s)
            wait_for_requests(site, len(site.requests) + n_more, process)
            if n_more < 10**6:
                process.kill()
            n_resumed += "going on" in process.communicate()[1]
            n_killed += process.returncode == -signal.SIGKILL
    assert n_killed == 5
    assert n_resumed >= 3
    assert process.returncode == 0
    paths = ["/" + p.url.removeprefix(site.url) for p in read_pages(output)]
    assert len(paths) == len(set(paths))
    assert set(paths) == set(chain(120))
    assert {file.name for file in tmp_path.iterdir()} == {"pages.warc.gz", "crawl.json"}
    report = json.loads((tmp_path / "crawl.json").read_text(encoding="utf-8"))
    assert report["pages"] == 121


def test_check_says_whether_settings_can_work_and_crawls_nothing(tmp_path, capsys):
    output = tmp_path / "new" / "pages.warc.gz"
    with LocalSite(chain(3)) as site:
        assert main(["crawl", site.url, "--include", "/1", "-o", str(output), "--check"]) == 0
        assert main(["crawl", "--pydoc", "-o", str(output), "--check"]) == 0
        for flags, said in (
            ([site.url, "--include", "("], "include is '(', no regular expression"),
            ([site.url, "--blocklist", str(tmp_path / "none")], "none: No such file"),
            ([site.url, "--pydoc"], "both --pydoc and"),
            ([], "there is no address to begin with"),
        ):
            assert main(["crawl", *flags, "-o", str(output), "--check"]) == 2
            assert said in capsys.readouterr().err
        assert site.requests == []
    assert not output.parent.exists()


def test_ctrl_c_stops_at_once_and_the_same_command_goes_on(tmp_path):
    output = tmp_path / "pages.warc.gz"
    routes: dict = chain(30)
    routes["/20"] = lambda handler: site.closing.wait(30) and None  # still waiting when we stop
    with LocalSite(routes) as site:
        process = start("crawl", site.url, "-o", output)
        wait_for_requests(site, 22, process)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=10)
        assert process.returncode == 130
        assert "the same command goes on" in stderr
        assert "Traceback" not in stderr
        names = {file.name for file in tmp_path.iterdir()}
        assert names == {"pages.warc.gz.part", "pages.sqlite"}

        site.routes["/20"] = page("/")
        n_before = len(site.requests)
        process = start("crawl", site.url, "-o", output)
        _, stderr = process.communicate(timeout=30)
        assert process.returncode == 0
        assert "going on after" in stderr
        assert len(site.requests) - n_before < 31
    assert len({p.url for p in read_pages(output)}) == len(list(read_pages(output))) == 31


@pytest.mark.parametrize("n_before, name", [(0, "pages.warc.gz.part"), (2, "crawl.json")])
def test_a_full_disk_is_one_line_that_names_the_file_and_the_same_command_goes_on(
    tmp_path, monkeypatch, capsys, n_before, name
):
    n_synced, sync = 0, os.fsync

    def full(number):
        nonlocal n_synced
        n_synced += 1
        if n_synced > n_before:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(number)

    output = tmp_path / "pages.warc.gz"
    with LocalSite(chain(3)) as site:
        monkeypatch.setattr("crawler.state.COMMIT_EVERY_S", 1000)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            assert main(["crawl", site.url, "-o", str(output)]) == 2
        said = capsys.readouterr().err.splitlines()[-1]
        assert said == f"crawl: {tmp_path / name}: No space left on device; " + (
            "make room, and the same command goes on from here"
        )
        assert main(["crawl", site.url, "-o", str(output)]) == 0
    assert len(list(read_pages(output))) == 4


def test_pydoc_can_be_stopped_and_continued_at_the_same_address(tmp_path):
    output = tmp_path / "pages.warc.gz"
    command = ["crawl", "--pydoc", "--max-pages", "60", "-o", output]
    process = start(*command)
    while process.poll() is None:  # until the first page is in the file
        part = tmp_path / "pages.warc.gz.part"
        if part.exists() and part.stat().st_size > 1000:
            process.send_signal(signal.SIGINT)
            break
    process.communicate()
    assert process.returncode == 130
    process = start(*command)
    _, stderr = process.communicate()
    assert process.returncode == 0, stderr
    assert "going on" in stderr
    pages = list(read_pages(output))
    assert len(pages) == len({p.url for p in pages}) == 60
    assert len({p.url.split("/")[2] for p in pages}) == 1


def test_pydoc_is_crawled(tmp_path, capsys):
    output = tmp_path / "out" / "pages.warc.gz"
    assert main(["crawl", "--pydoc", "--max-pages", "5", "-o", str(output)]) == 0
    assert "5 pages" in capsys.readouterr().err
    pages = list(read_pages(output))
    assert len(pages) == 5
    assert b"Index of Modules" in pages[0].body
    assert all(page.content_type == "text/html" for page in pages)


def test_the_flags_reach_the_crawl(tmp_path):
    output = tmp_path / "pages.warc.gz"
    blocked = tmp_path / "blocked.txt"
    blocked.write_text("bad.invalid\n")
    routes = {"/": page("/a", "/x1", "/y2", "/c"), "/a": page("/b"), "/b": "b"}
    with LocalSite({**routes, "/robots.txt": b"Sitemap: /s.xml"}) as site:
        flags = "--max-pages 9 --max-depth 1 --delay 0 --scope domain --timeout 5 --workers 2"
        flags += f" --max-page-bytes 9999 --exclude /x --exclude /y --blocklist {blocked}"
        flags += " --include /a --include /[xy]"
        flags += " --contact https://example.org/bot --per-host 2 --max-queries 5 --no-sitemaps"
        assert main(["crawl", site.url, "-o", str(output), *flags.split()]) == 0
        assert site.requests == ["/robots.txt", "/", "/a"]
        assert "+https://example.org/bot" in site.headers[0]["User-Agent"]
    report = json.loads((tmp_path / "crawl.json").read_text(encoding="utf-8"))
    limits = report["settings"]
    assert (limits["max_pages"], limits["max_depth"], limits["scope"]) == (9, 1, "domain")
    assert limits["include"] == ["/a", "/[xy]"]
    assert report["skipped"] == {"excluded": 2, "not included": 1}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["crawl"], "no address"),
        (["crawl", "ftp://example.org/"], "ftp"),
        (["crawl", "example.org"], "https://"),
        (["crawl", "http://127.0.0.1:1/"], "connection refused"),
        (["crawl", "http://127.0.0.1:1/", "--max-pages", "0"], "max_pages is 0"),
        (["crawl", "http://127.0.0.1:1/", "--exclude", "("], "regular expression"),
        (["crawl", "http://127.0.0.1:1/", "--include", "/docs/["], "include is '/docs/['"),
        (["crawl", "http://127.0.0.1:1/", "--include", ""], "include is empty"),
        (["crawl", "http://127.0.0.1:1/", "--include", "/für/"], "write /f%C3%BCr/ in a path"),
        (["crawl", "http://127.0.0.1:1/", "--include", "/\udcff"], "it must be ASCII"),
        (["crawl", "http://127.0.0.1:1/", "--include", "(" * 9999], "regular expression"),
        (["crawl", "http://127.0.0.1:1/", "--blocklist", "missing.txt"], "missing.txt"),
        (["crawl", "http://127.0.0.1:1/", "-o", "pages.txt"], ".warc.gz"),
        (["crawl", "http://127.0.0.1:1/", "-o", "file/pages.warc.gz"], "file"),
        (["crawl", "--pydoc", "http://127.0.0.1:1/"], "both"),
    ],
)
def test_mistakes_are_one_line_and_status_2(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("x")
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("crawl: ") and captured.err.count("\n") == 1
    assert message in captured.err
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("name", "cure"),
    [("x.warc.gz", "give one that is there"), ("pages.warc.gz", "`python -m crawler crawl URL`")],
)
def test_a_missing_archive_is_one_line_with_a_cure(tmp_path, capsys, name, cure):
    assert main(["clean", str(tmp_path / name)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"clean: {tmp_path}/{name}: No such file or directory; {cure}")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [[], ["fly"], ["crawl", "--depth"], ["crawl", "--max-pages", "many"], ["crawl", "--dealy=1"]],
)
def test_wrong_flags_are_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("python -m crawler")
    assert said.endswith(" --help\n") and said.count("\n") == 1
    assert ("do you mean --delay?" in said) == (arguments[-1:] == ["--dealy=1"])


@pytest.mark.parametrize("module", ["command", "clean_command"])
def test_ctrl_c_while_the_program_is_loaded_is_one_line(monkeypatch, capsys, module):
    class Interrupting:
        def find_spec(self, name, path=None, target=None):
            if name == f"crawler.{module}":
                raise KeyboardInterrupt

    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])
    monkeypatch.delitem(sys.modules, f"crawler.{module}", raising=False)
    monkeypatch.delattr(crawler, module, raising=False)
    assert main(["clean", "x.warc.gz"]) == 130
    assert capsys.readouterr().err == "\nclean: stopped\n"


def test_a_pipe_that_nobody_reads_is_no_traceback(tmp_path):
    program = "import sys; from crawler import command; sys.exit(command.run(['clean', '--help']))"
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdout.close()
    assert "Traceback" not in process.stderr.read()
    process.wait()


def test_help_names_the_commands_and_every_default(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    overview = capsys.readouterr().out
    assert "crawl" in overview and "clean" in overview
    with pytest.raises(SystemExit):
        main(["crawl", "--help"])
    text = capsys.readouterr().out
    for default in ["out/pages.warc.gz", "1000", "30.0", "5242880", "host", "8"]:
        assert f"(default: {default})" in text.replace("\n" + " " * 24, " ")


def test_ctrl_c_while_modules_are_loaded_is_one_line_too(monkeypatch, capsys):
    def interrupt(name):
        raise KeyboardInterrupt

    monkeypatch.setattr("crawler.command.importlib.import_module", interrupt)
    assert main(["crawl", "http://127.0.0.1:1/"]) == 130
    assert capsys.readouterr().err == "\ncrawl: stopped\n"


def test_two_runs_give_the_same_pages(tmp_path):
    outputs = [tmp_path / name / "pages.warc.gz" for name in "ab"]
    with LocalSite(chain(10)) as site:
        for output in outputs:
            assert main(["crawl", site.url, "-o", str(output)]) == 0
    one, two = ([(p.url, p.body) for p in read_pages(output)] for output in outputs)
    assert one == two
    assert gzip.decompress(outputs[0].read_bytes()).startswith(b"WARC/1.1\r\n")


STORY = "The baker has repaired the red boat before the rain came, and all were glad of it. " * 5


def test_extract_prints_what_files_say(tmp_path, capsys):
    files = [tmp_path / "a.html", tmp_path / "b.html"]
    for file in files:
        nav = "<nav><a href='/'>Home</a></nav>"
        file.write_bytes(f"<title>{file.stem}</title>{nav}<p>{STORY}é</p>".encode())
    assert main(["extract", *map(str, files)]) == 0
    assert capsys.readouterr().out == f"a\n\n{STORY}é\n\n\nb\n\n{STORY}é\n"
    url = "http://example.org/b"
    assert main(["extract", str(files[1]), "--json", "--url", url]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "file": str(files[1]),
        "title": "b",
        "text": f"{STORY}é",
        "links": ["http://example.org/"],
    }


def test_extract_writes_what_the_terminal_has_no_letter_for_as_python_would(tmp_path):
    file = tmp_path / "a.html"
    file.write_bytes("<p>caf\xe9 \u2014 \U0001f600".encode())
    done = subprocess.run(
        [sys.executable, "-m", "crawler", "extract", str(file)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "cp1252"},
        capture_output=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout.split()) == (0, [b"caf\xe9", b"\x97", b"\\U0001f600"])


@pytest.mark.parametrize("url", ["", "example.org", "ftp://example.org/"])
def test_extract_refuses_what_is_no_web_address(tmp_path, capsys, url):
    file = tmp_path / "a.html"
    file.write_bytes(b"<a href=b>x</a>")
    assert main(["extract", str(file), "--url", url]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "address" in shown.err


def test_extract_reads_standard_input(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"<p>a short one</p>")))
    assert main(["extract", "-"]) == 0
    assert capsys.readouterr().out == "a short one\n"


@pytest.mark.parametrize(
    ("data", "message"), [(None, "give one that is there"), (b"WARC/1.1\r\n", "must be HTML")]
)
def test_extract_refuses_in_one_line_what_is_no_page(tmp_path, capsys, data, message):
    file = tmp_path / "page.html"
    if data:
        file.write_bytes(data)
    assert main(["extract", str(file)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("extract: ")
    assert message in line
