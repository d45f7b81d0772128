"""Loss curves of runs: a line of blocks in the terminal, a picture as SVG or PNG.

The picture is drawn by matplotlib (`pip install 'minigpt[report]'`), which only this file and
`bpe stats --plot` use. The pictures of report.html are others, see pictures.py.
"""

import io
import math
from pathlib import Path

from bpe.files import atomic_write
from minigpt.pictures import short
from minigpt.resume import METRICS
from minigpt.runs import is_look, read_lines, thinned

BLOCKS = "▁▂▃▄▅▆▇█"
FORMATS = (".svg", ".png", ".pdf")
# keep apart for most kinds of colour blindness (Okabe and Ito 2008, "Color Universal Design")
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
MOST_POINTS = 1000  # of a curve: more cannot be told apart
SMALLEST = 1e-6  # nats a token: less is as good as nothing, and 0 has no logarithm
AXES = {"tokens": "tokens read", "step": "steps", "seconds": "seconds of training"}


def sparkline(values, width=40):
    """Return numbers as a line of blocks, the lowest ▁ and the highest █, "" for none.

    More than `width` are thinned out evenly; the first and the last stay.
    """
    values = [v for v in values if v is not None and math.isfinite(v)]
    if len(values) > width:
        last = len(values) - 1
        values = [values[round(i * last / (width - 1))] for i in range(width)]
    if not values:
        return ""
    low, high = min(values), max(values)
    scale = (len(BLOCKS) - 1) / (high - low) if high > low else 0
    return "".join(BLOCKS[round((v - low) * scale)] for v in values)


def loss_line(folder):
    """Return how the validation loss of a run went, in a line: 5.542 █▅▄▂▁ 1.762.

    The first block is of the model that only guesses, as the first number. Their heights are of
    the losses' logarithms: beside that first one the others would all look the same.
    """
    losses = [line["val_loss"] for line in read_lines(Path(folder) / METRICS) if is_look(line)]
    if not losses:
        return ""
    blocks = sparkline([math.log(max(loss, SMALLEST)) for loss in losses])
    return f"{losses[0]:.3f} {blocks} {losses[-1]:.3f}"


def read_curves(folder, x="tokens", bits=False):
    """Return (validation, training) of a run's folder, lists of (x, loss), in nats a token.

    With `bits` in bits a byte, which compares across tokenizers; the training loss, which is not
    known in these, is scaled as the validation loss at the look before. Raises ValueError for a
    folder without metrics.
    """
    lines = thinned(read_lines(Path(folder) / METRICS), MOST_POINTS)
    if not any(map(is_look, lines)):
        raise ValueError(f"{folder} holds no {METRICS}; it must be a run's folder, as out/base")
    found, scale = {"val_loss": [], "train_loss": []}, None if bits else 1.0
    for line in lines:
        if bits and line.get("val_loss"):
            scale = line["bits_per_byte"] / line["val_loss"]
        for name, points in found.items():
            if None not in (line.get(name), line.get(x), scale):
                points.append((line[x], line[name] * scale))
    return found["val_loss"], found["train_loss"]


def plot(folders, path, x="tokens", bits=False):
    """Draw the loss curves of runs into the file `path`; its ending says the format.

    Raises ValueError for another ending, a folder that is no run's, and without matplotlib.
    """
    path = Path(path)
    if path.suffix not in FORMATS:
        raise ValueError(f"{path} ends in {path.suffix!r}; it must be one of {', '.join(FORMATS)}")
    if x not in AXES:
        raise ValueError(f"x is {x!r}; it must be one of {', '.join(AXES)}")
    curves = {str(folder): read_curves(folder, x, bits) for folder in folders}
    figure = new_figure()
    axes = figure.add_subplot()
    for i, (name, (validation, training)) in enumerate(curves.items()):
        colour = COLOURS[i % len(COLOURS)]
        if training:
            axes.plot(*zip(*training, strict=True), color=colour, lw=1.2, ls=(0, (4, 2)), alpha=0.7)
        best = min(validation, key=lambda point: point[1])
        label = f"{name}: {best[1]:.3f} at {short(best[0])}"
        axes.plot(*zip(*validation, strict=True), color=colour, lw=2, label=label)
        axes.plot(*best, "o", color=colour, ms=6)
    axes.plot([], [], color="0.4", lw=2, marker="o", label="validation text, and its lowest")
    axes.plot([], [], color="0.4", lw=1.2, ls=(0, (4, 2)), label="training, a running mean")
    axes.set_yscale("log")  # else the first look, of a model that guesses, hides all others
    for ticks in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        ticks(lambda value, _: short(value))
    axes.set(xlabel=AXES[x], ylabel="loss in bits a byte" if bits else "loss in nats a token")
    axes.margins(x=0.04, y=0.08)
    axes.xaxis.set_major_formatter(lambda value, _: short(value))
    axes.grid(alpha=0.25, which="both")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    with io.BytesIO() as file:
        figure.savefig(file, format=path.suffix[1:], dpi=150, metadata=FIXED.get(path.suffix))
        atomic_write(path, file.getvalue())
    return path


# without a date the same curves give the same bytes
FIXED = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}


def new_figure():
    """Return an empty figure of matplotlib's; raise ValueError where that is not installed."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise ValueError(
            "a picture needs matplotlib, which is not installed: pip install matplotlib"
        ) from None
    matplotlib.rcParams["svg.hashsalt"] = "minigpt"  # ids in the file that do not change
    return Figure(figsize=(8, 5), layout="constrained")
