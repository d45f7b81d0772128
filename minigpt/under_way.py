"""What in a folder of stages is not finished: a line each, for who asks before all is done.

A stage that is finished has left a report, which summary.py tells.
"""

from pathlib import Path

from minigpt.amounts import format_seconds
from minigpt.resume import METRICS, REPORT
from minigpt.runs import LAST_LINES, describe, read_lines, run_folders

PAGES = "pages.warc.gz.part"  # of a crawl that is not finished


def under_way(out):
    """Return the lines about the folder `out`; none where all is finished, or nothing begun."""
    out = Path(out)
    found = []
    if (out / PAGES).exists():
        size = (out / PAGES).stat().st_size / 1e6
        found.append(
            f"crawl: not finished, {size:.1f} MB so far; the command that began it goes on with it"
        )
    for folder in run_folders(out):
        if folder.suffix != ".previous" and not (folder / REPORT).exists():
            found.append(f"{folder}: {run_line(folder)}")
    return found


def run_line(folder):
    """Return how far the unfinished run in `folder` is, and whether it goes on now."""
    run = describe(folder)
    steps = f" of {run['steps']:,}" if run["steps"] else ""
    said = [f"{run['stage']}, step {run['step']:,}{steps}"]
    lines = read_lines(folder / METRICS, most=LAST_LINES)
    losses = [line["train_loss"] for line in lines if line.get("train_loss") is not None]
    if losses:
        said.append(f"training loss {losses[-1]:.3f}")
    if not run["running"]:
        return f"{', '.join(said)}; stopped, the same command goes on"
    if run["seconds_left"] is not None:
        said.append(f"about {format_seconds(run['seconds_left'])} left")
    return f"{', '.join(said)}; running now"
