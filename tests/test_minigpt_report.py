"""The report of a run: one page, its Markdown twin, and what it cost."""

import json
import re
from html.parser import HTMLParser

import browser
import pytest
from minigpt_examples import MODEL, TRAIN, make_example

from minigpt.__main__ import main
from minigpt.evaluate import Settings, evaluate
from minigpt.pretrain import pretrain
from minigpt.report import write_report
from minigpt.report_sections import curves_section
from minigpt.tables import bars, folded, sample, table, words

REPORTS = {
    "crawl.json": {"stage": "crawl", "seconds": 3600, "pages": 1234, "bytes": 5_600_000},
    "clean.json": {
        "stage": "clean", "seconds": 60, "documents": 60, "characters": 900,
        "steps": [
            {"step": "url", "documents_in": 90, "documents_out": 80, "characters_in": 4000,
             "characters_out": 3000, "seconds": 1, "reasons": {"<blocked>": 10}, "examples": []},
            {"step": "extract", "documents_in": 80, "documents_out": 80, "characters_in": 3000,
             "characters_out": 1000, "seconds": 1, "reasons": {}, "examples": []},
        ],
    },
    "tokenizer/training.json": {
        "stage": "tokenizer", "seconds": 1.0, "vocab_size": 300, "bytes_per_token": 1.25,
    },
    "chat/evaluation.json": {
        "stage": "evaluate chat", "seconds": 30, "questions": {"known": 10}, "exact": 0.9,
        "invented_declined": None, "loops": 0.0,
        "examples": [
            {"asks": "known", "verdict": "wrong", "asked": ["<b>?"], "said": "`a|b` " + "_x" * 40},
        ],
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """The folder of a whole small run with its report."""
    out = tmp_path_factory.mktemp("out")
    example = make_example(out)
    for name, report in REPORTS.items():
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text(json.dumps(report))
    pretrain(example.tokens, example.tokenizer, out / "base", MODEL, TRAIN, say=lambda text: None)
    evaluate(Settings(str(out / "base"), documents=(str(example.documents),), samples=2))
    write_report(out, price=0.5, files=[example.documents])
    return out


class Page(HTMLParser):
    """What a page is made of: its tags, whether they are closed, and addresses."""

    EMPTY = ("meta", "path", "circle", "rect")

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.links, self.ids = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append(tag)
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.links += [attributes[name] for name in ("href", "src") if name in attributes]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page(out):
    return (out / "report.html").read_text("utf-8")


def test_the_page_is_whole_and_asks_nobody_for_anything(page):
    parsed = Page(page)
    assert parsed.open == []
    assert "script" not in parsed.tags
    assert all(link.startswith("#") and link[1:] in parsed.ids for link in parsed.links)
    assert "http" not in re.sub(r"http-equiv", "", page.replace("http://www.w3.org", ""))
    assert "default-src 'none'" in page


def test_every_section_stands_in_the_page_and_in_markdown(out, page):
    markdown = (out / "report.md").read_text("utf-8")
    for title in (
        "What it cost", "The cleaning funnel", "Sequence length against vocabulary", "Training",
        "How well it predicts", "What it copies", "What it knows, and what it makes up",
        "What it learns inside the prompt", "An assistant by prompt alone", "What it writes",
    ):  # fmt: skip
        assert f">{title}</h2>" in page
        assert f"## {title}\n" in markdown


def test_pictures_of_the_markdown_are_files(out, page):
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", (out / "report.md").read_text("utf-8"))
    assert len(pictures) == page.count("<svg") == len(set(pictures)) >= 4
    for path in pictures:
        assert (out / path).read_text("utf-8").startswith("<svg xmlns=")


def test_what_was_removed_is_told_and_escaped(page):
    assert "&lt;blocked&gt; 10" in page
    assert "<blocked>" not in page


def cells(out):
    """Rows of the table of costs in the Markdown, by stage."""
    text = (out / "report.md").read_text("utf-8").partition("**Cost of every stage**")[2]
    rows = [line.split("|")[1:-1] for line in text.split("\n\n")[1].splitlines()[2:]]
    return {row[0].strip(): [cell.strip() for cell in row] for row in rows}


def test_every_stage_has_its_time_flops_and_price(out):
    rows = cells(out)
    assert rows["crawl"][1:4] == ["1 h 00 min", "–", "0.5000"]
    assert rows["clean"][3] == "0.0083"  # a minute at half a dollar an hour
    training = json.loads((out / "base/training.json").read_text())
    assert rows["pretrain"][2] == f"{training['flops']:.1e}"
    evaluation = json.loads((out / "evaluation.json").read_text())
    assert rows["total"][2] == f"{training['flops'] + evaluation['flops']:.1e}"
    assert list(rows) == [
        "crawl", "clean", "tokenizer", "tokens", "pretrain", "evaluate chat", "evaluate", "total"
    ]  # fmt: skip


def test_the_command_takes_a_price_and_leaves_stages_out(out, capsys):
    assert main(["report", str(out), "--price", "2", "--without", "crawl", "evaluate"]) == 0
    assert capsys.readouterr().out.strip() == str(out / "report.html")
    rows = cells(out)
    assert "crawl" not in rows
    assert rows["clean"][3] == "0.0333"
    assert "What it copies" not in (out / "report.html").read_text("utf-8")
    write_report(out, price=0.5, files=[out / "documents.jsonl"])


@pytest.mark.parametrize("price", ["-1", "nan", "inf"])
def test_a_price_below_nothing_is_refused(out, capsys, price):
    assert main(["report", str(out), "--price", price]) == 2
    assert "it must be at least 0, in dollars an hour" in capsys.readouterr().err


def test_a_folder_without_reports_is_refused_with_the_cure(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 2
    assert "make train OUT=" in capsys.readouterr().err


EMPTY = '{"sections": {"loss": {}}, "tokens": 1, "seconds": 1}'


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"sections": {}, "tokens": 1}', EMPTY])
def test_a_damaged_evaluation_is_named(tmp_path, capsys, content):
    (tmp_path / "evaluation.json").write_text(content)
    assert main(["report", str(tmp_path)]) == 2
    assert "evaluation.json is not a whole report" in capsys.readouterr().err


@pytest.mark.parametrize("steps", [None, [{"step": "url"}], [[]]])
def test_a_damaged_report_of_the_cleaning_is_named(tmp_path, capsys, steps):
    (tmp_path / "clean.json").write_text(json.dumps(REPORTS["clean.json"] | {"steps": steps}))
    assert main(["report", str(tmp_path)]) == 2
    assert "clean.json is not a whole report" in capsys.readouterr().err


def test_names_of_pages_are_text_wherever_they_stand(tmp_path):
    name = "<script>alert(1)</script> __init__"
    parts = [table(name, [(name, "")], [[name]]), sample(name, name), words(name),
             bars(name, [[name, 1]], ",d"), folded(name, [name])]  # fmt: skip
    section = {"title": name, "headline": name, "parts": parts}
    results = {"stage": "evaluate", "seconds": 1, "tokens": 1, "sections": {"loss": section}}
    (tmp_path / "evaluation.json").write_text(json.dumps(results))
    page = write_report(tmp_path).read_text("utf-8")
    assert "script" not in Page(page).tags
    assert page.count("&lt;script&gt;") >= 11
    markdown = (tmp_path / "report.md").read_text("utf-8")
    assert r"| \<script\>alert(1)\</script\> \_\_init\_\_ |" in markdown
    assert "<summary>&lt;script&gt;alert(1)&lt;/script&gt; __init__</summary>" in markdown
    assert f"\n\n```text\n{name}\n```\n\n</details>" in markdown
    (svg,) = (tmp_path / "report").iterdir()
    assert "<script>" not in svg.read_text("utf-8")


def test_a_damaged_record_of_training_is_named(tmp_path, out, capsys):
    (tmp_path / "base").mkdir()
    (tmp_path / "base/training.json").write_text((out / "base/training.json").read_text())
    for damaged in (b"{", b"[]", b"[" * 99999, b"{}\n" * 5000 + b"\xff"):
        (tmp_path / "base/metrics.jsonl").write_bytes(damaged)
        assert main(["report", str(tmp_path)]) == 2
        said = capsys.readouterr().err
        assert "metrics.jsonl is not a whole record" in said
        assert len(said) < 500  # the file is not shown


def test_the_curve_of_a_long_run_is_no_longer_than_the_picture_is_wide(tmp_path):
    path = tmp_path / "metrics.jsonl"
    lines = [{"step": i, "tokens": i, "train_loss": i and 3.0} for i in range(5000)]
    for line in lines[::1000]:
        line["val_loss"] = 3.5
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    curves = curves_section(path)["parts"][1]["series"]
    assert [tokens for tokens, _ in curves["validation"]] == [0, 1000, 2000, 3000, 4000]
    assert 400 < len(curves["training"]) <= 505


@pytest.mark.skipif(browser.find() is None, reason="there is no Chromium here")
def test_a_browser_shows_it_on_a_phone_without_a_sideways_scroll(out):
    with browser.Browser(375, 800) as shown:
        shown.open(out / "report.html")
        assert shown.evaluate("document.documentElement.scrollWidth") == 375
        assert not [e for e in shown.events if e["method"] == "Log.entryAdded"]
        colour = "getComputedStyle(document.body).backgroundColor"
        light = shown.evaluate(colour)
        shown.resize(375, 800, dark=True)
        assert shown.evaluate(colour) != light
        letters = "document.querySelector('svg text').getBoundingClientRect().height"
        assert shown.evaluate(letters) >= 9  # pixels: can be read
