"""The report of a whole run: what each stage did and cost, and what the model knows.

This reads the JSON reports that the stages left, `evaluation.json` among them, and writes, in the
folder of the run,

    report.html      one page that needs no other file: text, tables, pictures, no script
    report.md        the same as Markdown
    report/*.svg     its pictures

Where a stage left no report, its part is left out. What is said of the stages is in
report_sections.py, the page's frame is report_page.html.
"""

import html
import math
import re
from pathlib import Path

from bpe.files import atomic_write
from minigpt.evaluate import RESULTS
from minigpt.pictures import STYLE, picture
from minigpt.report_assistant import assistant_section
from minigpt.report_sections import (
    cost_section,
    curves_section,
    funnel_section,
    vocabulary_section,
)
from minigpt.summary import REPORTS, read
from minigpt.tables import is_number, show, to_text

PAGE, MARKDOWN, PICTURES = "report.html", "report.md", "report"
TEMPLATE = Path(__file__).with_name("report_page.html")
PRICE = 0.10  # dollars an hour: about what a rented machine of two cores costs


def write_report(out, price=PRICE, without=(), files=None):
    """Write the report of the folder `out`; return the path of its page.

    `price` is dollars an hour; stages in `without` are left out; `files` are the documents.
    Raises ValueError where there is nothing to report and for a price below 0.
    """
    out = Path(out)
    if not 0 <= price < math.inf:
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
    if "evaluate chat" in reports:
        sections.append(assistant_section(reports["evaluate chat"][0]))
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
    if "evaluate" in reports:
        try:
            sections = reports["evaluate"][0]["sections"].values()
            _ = [section[key] for section in sections for key in ("title", "parts")]
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(
                f"{out / RESULTS} is not a whole report ({error!r}); evaluate again"
            ) from None
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
            texts.append(to_text(part, markdown=True))
    return "\n\n".join(texts)


def slug(title):
    """Return a title as part of an address."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def page(title, sections):
    """Return the whole report as one page: its headlines, a list of sections, the sections."""
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
    """Return a part, as tables.py makes them, as HTML: text escaped, figures drawn."""
    if part["kind"] == "words":
        text = re.sub("`([^`]*)`", r"<code>\1</code>", html.escape(part["text"]))
        return f"<p>{text}</p>"
    caption = html.escape(part["caption"])
    if part["kind"] == "sample":
        text = html.escape(part["text"])
        return f"<figure><figcaption>{caption}</figcaption><pre>{text}</pre></figure>"
    if part["kind"] == "folded":
        names = html.escape(", ".join(part["names"]))
        return f"<details><summary>{caption}</summary><p>{names}</p></details>"
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
