"""For every test file: the reasons of skipped tests at the end, a line each."""

from collections import Counter


def pytest_terminal_summary(terminalreporter):
    """Say what was skipped, once a reason (pytest's own -rs says it once a test)."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"skipped {count}: {reason}")
