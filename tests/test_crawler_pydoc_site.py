"""The embedded site: it starts, serves the standard library, and ends for certain."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from crawler import pydoc_site

ROOT = Path(__file__).resolve().parent.parent


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read().decode("utf-8")


def is_served(url: str) -> bool:
    port = int(url.rstrip("/").rpartition(":")[2])
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until_gone(url: str) -> bool:
    """Look again and again, for ten seconds at most: another process is ending."""
    for _ in range(500):
        if not is_served(url):
            return True
        time.sleep(0.02)
    return False


def test_the_standard_library_is_served_and_nothing_else():
    with pydoc_site.serve() as url:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", url)
        index = read(url)
        assert 'href="json.html"' in index
        assert 'href="pytest.html"' not in index
        assert "JavaScript" in read(url + "json.html")
        assert 'name="-input"' in read(url + "builtins.html")  # which nobody has put away
    assert not is_served(url)


REFUSED = """
import socket
def getfqdn(name):
    raise TimeoutError("nobody knows")
socket.getfqdn = getfqdn
"""


def test_nobody_is_asked_for_a_name_of_this_machine(monkeypatch):
    monkeypatch.setattr(pydoc_site, "_PROGRAM", REFUSED + pydoc_site._PROGRAM)
    with pydoc_site.serve() as url:
        assert 'name="-getfqdn"' in read(url + "socket.html")  # the library's own


def test_the_pages_show_nothing_of_our_own_environment(monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_SHELL", "zebra-marker-42")
    with pydoc_site.serve() as url:
        for page in ("os.html", "cgi.html"):  # cgi has os.environ as a default argument
            assert "zebra-marker-42" not in read(url + page)


def test_it_ends_even_after_the_page_that_breaks_its_own_way_of_ending():
    with pydoc_site.serve() as url:
        assert "Thread" in read(url + "threading.html")
    assert not is_served(url)


def test_it_ends_when_the_crawl_is_killed():
    program = (
        "import sys, time; from crawler import pydoc_site\n"
        "with pydoc_site.serve() as url: print(url, flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    url = process.stdout.readline().strip()
    read(url + "threading.html")
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert wait_until_gone(url)


def test_a_port_can_be_asked_for_and_another_is_taken_if_it_is_in_use():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pydoc_site.serve(port) as url:
            assert url != f"http://127.0.0.1:{port}/"
    with pydoc_site.serve(port) as url:
        assert url == f"http://127.0.0.1:{port}/"


def test_a_python_without_pydoc_raises_what_it_said(monkeypatch):
    monkeypatch.setattr(pydoc_site, "_PROGRAM", "raise SystemExit('No module named pydoc')")
    with pytest.raises(OSError, match="did not start: No module named pydoc"), pydoc_site.serve():
        pass


def test_a_server_that_hangs_is_given_up_and_killed(monkeypatch):
    monkeypatch.setattr(pydoc_site, "_PROGRAM", "import time; time.sleep(60)")
    monkeypatch.setattr(pydoc_site, "START_S", 0.2)
    monkeypatch.setattr(pydoc_site, "STOP_S", 0.1)
    with pytest.raises(OSError, match="not ready"), pydoc_site.serve():
        pass


def test_modules_see_no_browser_and_no_display(monkeypatch):
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("BROWSER", "firefox")
    show = 'import os, sys; sys.exit(f\'{os.environ.get("DISPLAY")} {os.environ["BROWSER"]}\')'
    monkeypatch.setattr(pydoc_site, "_PROGRAM", show)
    with pytest.raises(OSError, match="None true"), pydoc_site.serve():
        pass
    assert os.environ["DISPLAY"] == ":0"


@pytest.mark.parametrize(
    "path",
    [
        *["antigravity.html", "this.html", "__hello__.html", "__phello__.spam.html"],
        *["idlelib.html", "idlelib.pyshell.html", "turtledemo.html", "turtledemo.clock.html"],
        *["test.html", "test.support.html", "unittest.test.html", "distutils.tests.test_core.html"],
        *["idlelib.idle_test.html", "_testcapi.html", "_ctypes_test.html", "_xxtestfuzz.html"],
        *["tkinter.__main__.html", "__main__.html", "xxlimited.html", "_xxsubinterpreters.html"],
        *["lib2to3.fixes.fix_print.html", "lib2to3.tests.html", "index.html"],
        *["search?key=json", "get?key=json", "getfile?key=json.py"],
        "_sysconfigdata__linux_x86_64-linux-gnu.html",
    ],
)
def test_pages_that_must_not_be_asked_for_are_excluded(path):
    url = f"http://127.0.0.1:8000/{path}"
    assert any(re.search(pattern, url) for pattern, _ in pydoc_site.EXCLUDED)


@pytest.mark.parametrize(
    "path",
    [
        *["", "topics.html", "keywords.html", "topic?key=FLOAT", "json.html", "xml.dom.html"],
        *["unittest.html", "unittest.mock.html", "doctest.html", "timeit.html", "turtle.html"],
        *["__future__.html", "builtins.html", "test_of_mine.html", "lib2to3.pgen2.html"],
    ],
)
def test_pages_that_are_worth_reading_are_not(path):
    url = f"http://127.0.0.1:8000/{path}"
    assert not any(re.search(pattern, url) for pattern, _ in pydoc_site.EXCLUDED)
