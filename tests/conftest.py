"""For every test file: the longest first, no haste, Ctrl-C as usual, and what was skipped."""

import signal
from collections import Counter

from hypothesis import settings

# on a busy machine an example may take as long as it takes
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# started by a shell with &, pytest and all that it starts would be deaf to Ctrl-C
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

LONGEST = ("test_make.py", "test_playground_views.py", "test_make_interrupted.py")


def pytest_collection_modifyitems(items):
    """Begin with the longest files: at the end, other processes would have nothing to do."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


def pytest_terminal_summary(terminalreporter):
    """Say what was skipped, once a reason (pytest's own -rs says it once a test)."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"skipped {count}: {reason}")
