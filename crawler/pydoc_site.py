"""The web site that every Python carries with it: pydoc, started for a crawl.

pydoc makes the page of a module by importing it, so some pages must not be asked for, and the
server runs where imports do no harm: without site-packages (`-I -S`: only the standard library is
served), in an empty folder, without a display or a browser.

It is `python -m pydoc -p PORT` but for its end: once asked for the page of `threading`, which it
imports anew, pydoc waits for its own thread for ever. So here the end of its standard input, which
comes even if we are killed, ends the process at once.
"""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue

_INHERITED = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")  # without them, no Python
START_S = 30.0  # how long the server may take to say that it is ready
STOP_S = 5.0
_FLAGS = ("-I", "-S", "-B", "-u", "-W", "ignore")  # -B: write no byte code anywhere
_PROGRAM = """
import os, pydoc, socket, sys
socket.getfqdn = str  # it would ask for a name of 127.0.0.1, for which some Macs take 35 s
pydoc.input = lambda prompt: sys.stdin.readline() or os._exit(0)
pydoc.browse(int(sys.argv[1]), open_browser=False, hostname="127.0.0.1")
"""

# Addresses not to ask for, each with its reason; the page of a module is called `xml.dom.html`.
EXCLUDED = (
    (r"/antigravity\.html$", "opens a browser when imported"),
    (r"/this\.html$", "prints when imported, and holds nothing but ciphered text"),
    (r"/__(?:phello|hello)__\b", "prints when imported; a test of frozen modules"),
    (r"[/.]__main__\.html$", "runs the program that it is: test runners, windows"),
    (r"/idlelib\b", "an editor; its modules open windows"),
    (r"/turtledemo\b", "demonstrations that draw in windows"),
    (r"[/.](?:tests?|idle_test)(?:\.|$)", "tests of the library, not documentation"),
    (r"/_(?:test\w+|ctypes_test|xxtestfuzz)\.html$", "test helpers of the interpreter"),
    (r"/_?xx\w*\.html$", "example modules"),
    (r"/_sysconfigdata", "how and where this very Python was built"),
    (r"/lib2to3\.fixes\b", "fifty pages of rewrite rules for Python 2"),
    (r"/(?:search|get|getfile|open)\?", "forms and raw files: the same pages again"),
    (r"/index\.html$", "the first page under another name"),
)


@contextmanager
def serve(port: int = 0) -> Iterator[str]:
    """Run the server and give its address, at `port` if that is free.

    Raises OSError with what pydoc said if it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="pydoc-") as folder:
        try:
            server, url = _start(folder, port)
        except OSError:
            if port == 0:
                raise
            server, url = _start(folder, 0)
        try:
            yield url
        finally:
            _stop(server)


def _start(folder: str, port: int) -> tuple[subprocess.Popen, str]:
    """Start the server and wait for its address."""
    # Not our own environment: pages show it (`environ` is a default argument in cgi), and what
    # is in it, passwords perhaps, would become training text. No display either.
    environment = {k: v for k, v in os.environ.items() if k in _INHERITED}
    server = subprocess.Popen(
        [sys.executable, *_FLAGS, "-c", _PROGRAM, str(port)],
        cwd=folder,
        env={**environment, "PATH": os.defpath, "BROWSER": "true", "HOME": folder},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # a Ctrl-C in the terminal is for the crawl
    )
    lines: SimpleQueue = SimpleQueue()
    threading.Thread(target=_read_lines, args=(server, lines), daemon=True).start()
    said = []
    try:
        while line := lines.get(timeout=START_S):
            if line.startswith("Server ready at "):
                return server, line.split()[-1]
            said.append(line.strip())
        problem = "; ".join(said[-3:]) or "it said nothing"
    except Empty:
        problem = f"it was not ready after {START_S:g} s"
    except BaseException:
        _stop(server)
        raise
    _stop(server)
    raise OSError(f"pydoc, the documentation server of {sys.executable}, did not start: {problem}")


def _read_lines(server: subprocess.Popen, lines: SimpleQueue) -> None:
    """Pass on what the server says, to the end: what modules print must not fill the pipe."""
    with server.stdout:
        for line in server.stdout:
            lines.put(line)
    lines.put("")


def _stop(server: subprocess.Popen) -> None:
    """End the server: ask by closing its input, then insist."""
    server.stdin.close()
    try:
        server.wait(STOP_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
