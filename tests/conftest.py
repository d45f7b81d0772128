"""For every test file: its turn, how many at once, no haste, Ctrl-C as usual, what was skipped.

And no litter: what programs leave behind when tests kill them is in pytest's own folder.
"""

import os
import signal
import socket
import tempfile
from collections import Counter
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import settings
from longest_files import COMPUTE, WAIT

# on a busy machine an example may take as long as it takes
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# started by a shell with &, pytest and all that it starts would be deaf to Ctrl-C
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# http.server asks for a name of its address, for which some Macs take 35 s
socket.getfqdn = str


@pytest.fixture(scope="session", autouse=True)
def place_for_litter(tmp_path_factory):
    """Have temporary files made where pytest makes its own, which it removes some runs later."""
    folder = tmp_path_factory.getbasetemp() / "t"  # short: names of sockets have a limit
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        patch.setattr(tempfile, "tempdir", None)  # it is looked for once
        yield


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """Run one file more than there are cores: while one waits for a browser, another computes."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None  # as xdist reads it
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count())
    return len(cores) + 1


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session):
    """Import a share of the test files first: what is compiled is found by the other processes.

    pytest rewrites every assertion; in a fresh clone all processes would do so with every file.
    """
    worker = getattr(session.config, "workerinput", None)
    if worker and session.config.args_source == pytest.Config.ArgsSource.TESTPATHS:
        files = sorted(Path(__file__).parent.glob("test_*.py"))
        for file in files[int(worker["workerid"][2:]) :: worker["workercount"]]:
            with suppress(Exception, pytest.skip.Exception):  # said when it is collected
                import_module(file.stem)


def pytest_collection_modifyitems(items):
    """Begin with what is long, some that compute and some that wait at any time; end with the rest.

    Both kinds are begun in the same proportion of their seconds. What is short comes last, so that
    all processes end together.
    """
    places = {}
    for seconds in (COMPUTE, WAIT):
        before, total = 0, sum(seconds.values())
        for name in sorted(seconds, key=seconds.get, reverse=True):
            places[name] = before / total
            before += seconds[name]
    items.sort(key=lambda item: places.get(item.path.name, 1))


def pytest_terminal_summary(terminalreporter):
    """Say what was skipped, once a reason (pytest's own -rs says it once a test)."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"skipped {count}: {reason}")
