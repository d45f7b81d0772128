"""The sections of a report on the stages of a run, from the small JSON reports that these left.

They are plain data, as tables.py makes them. The curve of sequence length alone is computed here,
from the documents. What the model knows, in evaluation.json, is made of such sections already.
"""

import json

from bpe.documents import documents
from bpe.mistakes import reason
from bpe.stats import head, measure
from minigpt.amounts import format_seconds
from minigpt.runs import is_look, thinned
from minigpt.tables import bars, lines, table, words

MOST_POINTS = 500  # of a curve, looks aside: as many as the picture has places for
MEASURED_CHARS = 1_000_000  # of the documents, for the curve of sequence length


def cost_section(reports, price):
    """Return what every stage cost."""
    rows, total = [], [0.0, 0]
    for stage, (report, made) in reports.items():
        seconds, flops = report["seconds"], report.get("flops")
        total = [total[0] + seconds, total[1] + (flops or 0)]
        rows.append([stage, format_seconds(seconds), flops, seconds / 3600 * price, made])
    rows.append(["total", format_seconds(total[0]), total[1] or None, total[0] / 3600 * price, ""])
    headline = (
        f"All stages together took {format_seconds(total[0])}; at {price:.2f} dollars an hour that "
        f"is {total[0] / 3600 * price:.4f} dollars."
    )
    return {
        "title": "What it cost",
        "headline": headline,
        "parts": [
            words(
                f"Time is by the clock. FLOPs are floating-point operations, counted from the "
                f"model's shape: 6 for each weight and token of training, 2 of reading or writing. "
                f"Money is time at {price:.2f} dollars an hour, an assumption: give the price of "
                f"your machine with `make report PRICE=0.25`, say."
            ),
            table(
                "Cost of every stage",
                [("stage", ""), ("time", ""), ("FLOPs", ".1e"), ("dollars", ".4f"), ("made", "")],
                rows,
            ),
        ],
    }


def funnel_section(clean):
    """Return what each step of the cleaning left; raise ValueError where that is not told."""
    try:
        steps = clean["steps"]
        rows = [["fetched", steps[0]["characters_in"]]] if steps else []
        rows += [[f"after {step['step']}", step["characters_out"]] for step in steps]
        table_rows = [
            [s["step"], s["documents_in"], s["documents_out"], s["characters_in"],
             s["characters_out"], ", ".join(f"{why} {n}" for why, n in s["reasons"].items())]
            for s in steps
        ]  # fmt: skip
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"clean.json is not a whole report ({error!r}); clean again") from None
    return {
        "title": "The cleaning funnel",
        "headline": None,
        "parts": [
            words(
                "From pages to text worth learning from. Until the text is extracted, characters "
                "are the bytes of the page. A paragraph that many pages share is kept once: what "
                "a model sees again and again it learns by heart."
            ),
            bars("Characters left after each step", rows, ",d"),
            table(
                "Each step",
                [("step", ""), ("documents in", ",d"), ("out", ",d"), ("characters in", ",d"),
                 ("out", ",d"), ("removed because", "")],
                table_rows,
            ),
        ],
    }  # fmt: skip


def vocabulary_section(out, tokenizer, files):
    """Return how the text gets shorter as symbols are added."""
    parts = [
        words(
            "A tokenizer starts from the 256 bytes and adds symbols for the most frequent pairs. "
            f"More symbols make the text shorter and the model's table of symbols larger. This "
            f"run has {tokenizer['vocab_size']:,} symbols, {tokenizer['bytes_per_token']:.2f} "
            f"bytes a token."
        )
    ]
    files = files or [path for path in (out / "documents.jsonl.gz",) if path.exists()]
    if files:
        texts, was_cut = head((t for path in files for t in documents(path)), MEASURED_CHARS)
        num_bytes, points = measure(texts, tokenizer["vocab_size"], "gpt4")
        of = f"the first {MEASURED_CHARS:,} characters" if was_cut else "the text"
        curve = [[p.symbols, p.tokens] for p in points]
        columns = [("symbols", ",d"), ("tokens", ",d"), ("bytes/token", ".2f")]
        rows = [[p.symbols, p.tokens, num_bytes / p.tokens] for p in points]
        parts += [
            lines(f"Tokens of {of}", "symbols", "tokens", {"tokens": curve}, log_x=True),
            table(f"Tokens of {of}", columns, rows),
        ]
    return {"title": "Sequence length against vocabulary", "headline": None, "parts": parts}


def curves_section(path):
    """Return the curves of the losses while training."""
    curves, points = {"validation": [], "training": []}, []
    try:
        for line in path.read_text("utf-8").splitlines():
            points.append(json.loads(line))
        for point in thinned(points, MOST_POINTS):
            if is_look(point):
                curves["validation"].append([point["tokens"], point["val_loss"]])
            if point["train_loss"] is not None:
                curves["training"].append([point["tokens"], point["train_loss"]])
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path} is not a whole record of training ({reason(error)})") from None
    return {
        "title": "Training",
        "headline": None,
        "parts": [
            words(
                "The loss, in nats for each token, as the model read more tokens. Validation text "
                "is held out. Where that curve rises while the other falls, the model learns its "
                "text by heart. The training loss is a running mean and so lags behind."
            ),
            lines("Loss while training", "tokens read", "nats/token", curves),
        ],
    }
