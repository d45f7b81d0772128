"""The report of a whole run: what each stage did and cost, and what the model knows.

This reads the JSON reports that the stages left, `evaluation.json` among them, computes nothing
but the curve of sequence length, and writes, in the folder of the run,

    report.html      one page that asks nobody for anything: text, tables, pictures, no script
    report.md        the same as Markdown
    report/*.svg     its pictures

Where a stage left no report, its part is left out. The page's frame is report_page.html.
"""

import html
import json
import re
from pathlib import Path

from bpe.documents import documents
from bpe.files import atomic_write
from bpe.stats import head, measure
from minigpt.evaluate import RESULTS
from minigpt.pictures import STYLE, picture
from minigpt.summary import REPORTS, format_seconds, read
from minigpt.tables import bars, is_number, lines, show, table, to_text, words

PAGE, MARKDOWN, PICTURES = "report.html", "report.md", "report"
TEMPLATE = Path(__file__).with_name("report_page.html")
PRICE = 0.10  # dollars an hour: about what a rented machine of two cores costs
MEASURED_CHARS = 1_000_000  # of the documents, for the curve of sequence length


def write_report(out, price=PRICE, without=(), files=None):
    """Write the report of the folder `out`; return the path of its page.

    `price` is dollars an hour; stages in `without` are left out; `files` are the documents.
    Raises ValueError where there is nothing to report and for a price below 0.
    """
    out = Path(out)
    if not price >= 0:
        raise ValueError(f"price is {price}; it must be at least 0, in dollars an hour")
    reports = read_reports(out, without)
    if not reports:
        raise ValueError(
            f"no stage has left a report in {str(out)!r}; `make train OUT={out}` fills it"
        )
    sections = [cost_section(reports, price)]
    if "clean" in reports:
        sections.append(funnel_section(reports["clean"][0]))
    if "tokenizer" in reports:
        sections.append(vocabulary_section(out, reports["tokenizer"][0], files))
    if "pretrain" in reports:
        sections.append(curves_section(out / "base" / "metrics.jsonl"))
    if "evaluate" in reports:
        sections += reports["evaluate"][0]["sections"].values()
    title = title_of(reports)
    markdown = [f"# {title}", *headlines(sections)]
    markdown += [section_markdown(section, out) for section in sections]
    atomic_write(out / MARKDOWN, "\n\n".join(markdown) + "\n")
    atomic_write(out / PAGE, page(title, sections))
    return out / PAGE


def read_reports(out, without):
    """Return {stage: (report, one line of what it made)} of the stages that left one."""
    reports = {}
    for name in REPORTS:
        if (out / name).exists():
            report, made = read(out / name)
            reports[report["stage"]] = report, made
    path = out / RESULTS
    if path.exists():
        try:
            found = json.loads(path.read_text("utf-8"))
            made = f"{len(found['sections'])} examinations, {found['tokens']:,} tokens"
            float(found["seconds"])
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{path} is not a whole report ({error!r}); evaluate again") from None
        reports["evaluate"] = found, made
    return {stage: found for stage, found in reports.items() if stage not in without}


def title_of(reports):
    """Return a line that says which model this is about."""
    if "pretrain" not in reports:
        return "A run of minigpt"
    report = reports["pretrain"][0]
    return f"A language model of {report['parameters'] / 1e6:.1f} million parameters"


def headlines(sections):
    """Return the sentences that say each section's result."""
    return [section["headline"] for section in sections if section.get("headline")]


# ---- sections ---------------------------------------------------------------------------------


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
                f"your machine with `python -m minigpt report --price`."
            ),
            table(
                "Cost of every stage",
                [("stage", ""), ("time", ""), ("FLOPs", ".1e"), ("dollars", ".4f"), ("made", "")],
                rows,
            ),
        ],
    }


def funnel_section(clean):
    """Return what each step of the cleaning left."""
    steps = clean["steps"]
    rows = [["fetched", steps[0]["characters_in"]]] if steps else []
    rows += [[f"after {step['step']}", step["characters_out"]] for step in steps]
    table_rows = [
        [s["step"], s["documents_in"], s["documents_out"], s["characters_in"],
         s["characters_out"], ", ".join(f"{why} {n}" for why, n in s["reasons"].items())]
        for s in steps
    ]  # fmt: skip
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
    curves = {"validation": [], "training": []}
    try:
        for line in path.read_text("utf-8").splitlines():
            point = json.loads(line)
            curves["validation"].append([point["tokens"], point["val_loss"]])
            if point["train_loss"] is not None:
                curves["training"].append([point["tokens"], point["train_loss"]])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} is not a whole record of training ({error!r})") from None
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


# ---- Markdown and HTML ------------------------------------------------------------------------


def section_markdown(section, out):
    """Return a section as Markdown; its pictures become files."""
    texts = [f"## {section['title']}"]
    for i, part in enumerate(section["parts"]):
        if part["kind"] in ("lines", "bars"):
            path = Path(PICTURES) / f"{slug(section['title'])}-{i}.svg"
            atomic_write(out / path, picture(part, alone=True))
            texts.append(f"![{part['caption']}]({path.as_posix()})")
        else:
            texts.append(to_text(part))
    return "\n\n".join(texts)


def slug(title):
    """Return a title as part of an address."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def page(title, sections):
    """Return the page as HTML."""
    escaped = [html.escape(text) for text in headlines(sections)]
    body = ['<div class="short">', *(f"<p>{text}</p>" for text in escaped), "</div>", "<nav>"]
    for section in sections:
        name = section["title"]
        body.append(f'<a href="#{slug(name)}">{html.escape(name)}</a>')
    body.append("</nav>")
    for section in sections:
        body.append(f'<h2 id="{slug(section["title"])}">{html.escape(section["title"])}</h2>')
        body += map(part_html, section["parts"])
    values = {"title": html.escape(title), "body": "\n".join(body), "chart_style": STYLE}
    return re.sub(r"\{\{(\w+)\}\}", lambda m: values[m[1]], TEMPLATE.read_text("utf-8"))


def part_html(part):
    """Return a part as HTML."""
    if part["kind"] == "words":
        text = re.sub("`([^`]*)`", r"<code>\1</code>", html.escape(part["text"]))
        return f"<p>{text}</p>"
    caption = html.escape(part["caption"])
    if part["kind"] == "sample":
        text = html.escape(part["text"])
        return f"<figure><figcaption>{caption}</figcaption><pre>{text}</pre></figure>"
    if part["kind"] == "table":
        return table_html(caption, part["columns"], part["rows"])
    return f"<figure><figcaption>{caption}</figcaption>{picture(part)}</figure>"


def table_html(caption, columns, rows):
    """Return a table; a wide one scrolls by itself."""
    classes = [' class="number"' if is_number(format) else "" for _, format in columns]
    top = "".join(
        f"<th{c}>{html.escape(name)}</th>" for (name, _), c in zip(columns, classes, strict=True)
    )
    body = []
    for row in rows:
        cells = zip(row, columns, classes, strict=True)
        shown = (f"<td{c}>{html.escape(show(v, f))}</td>" for v, (_, f), c in cells)
        body.append(f"<tr>{''.join(shown)}</tr>")
    return (
        f'<div class="scroll"><table><caption>{caption}</caption><thead><tr>{top}</tr></thead>\n'
        f"<tbody>{chr(10).join(body)}</tbody></table></div>"
    )
