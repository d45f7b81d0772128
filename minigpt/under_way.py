"""What in a folder of stages is not finished: a line each, for who asks before all is done.

A stage that is finished has left a report, which summary.py tells. A report may be of an earlier
`make train`, with other settings: then what its stage reads has been made anew since.
"""

from pathlib import Path

from minigpt.amounts import format_seconds
from minigpt.resume import METRICS, REPORT
from minigpt.runs import LAST_LINES, describe, read_lines, run_folders

PAGES = "pages.warc.gz.part"  # of a crawl that is not finished
# a stage's report; what `make train` asked it for, and the reports of those whose work it reads
READS = {
    "crawl.json": ["settings/crawl"],
    "clean.json": ["settings/clean", "crawl.json"],
    "tokenizer/training.json": ["settings/tokenizer", "clean.json"],
    "tokens/tokens.json": ["tokenizer/training.json"],
    "base/training.json": ["settings/pretrain", "tokens/tokens.json"],
    "conversations/conversations.json": ["settings/conversations", "base/training.json"],
    "chat/training.json": ["settings/sft", "base/training.json",
                           "conversations/conversations.json"],
    "chat/evaluation.json": ["chat/training.json"],
    "evaluation.json": ["base/training.json"],
}  # fmt: skip
# pages that were kept come back dated anew, with the report of old
DATED_BY = {"crawl.json": "pages.warc.gz"}


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


def outdated(out, there):
    """List those of the reports `there` in `out` whose stages `make train` makes anew.

    What they read or were asked for is newer, or is made anew itself. A run that is not finished
    has no report.
    """
    base = "base/training.json"
    found = [base] if (out / "base").is_dir() and base not in there else []
    for report, sources in READS.items():  # in the order of the road
        if report in there and any(
            source in found or written(out, source) > written(out, report) for source in sources
        ):
            found.append(report)
    return [report for report in found if report in there]


def written(out, name):
    """Return when a report or what was asked for was written, 0 where there is none."""
    path = out / DATED_BY.get(name, name)
    return path.stat().st_mtime_ns if path.exists() else 0


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
