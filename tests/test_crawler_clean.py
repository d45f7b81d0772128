"""From a WARC to documents: every step counts what it removes, and the result never varies."""

import argparse
import gzip
import io
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crawler import choose, clean_command, cleaning, funnel, shards, similar, stages, steps, warc
from crawler.__main__ import main
from crawler.clean import clean, explain
from crawler.files import write_atomically
from crawler.steps import Settings, Verdict

ROOT = Path(__file__).resolve().parent.parent

DATE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

SUBJECTS = ["The baker", "Our teacher", "A sailor", "The old gardener", "My neighbour", "The judge"]
VERBS = ["has repaired", "will never sell", "talked about", "was proud of", "forgot", "painted"]
OBJECTS = [
    "the red boat",
    "a broken clock",
    "this garden wall",
    "the long letter",
    "an iron bridge",
]
ENDS = ["before the rain came", "in the spring", "with great care", "for a friend", "at the market"]


def story(number, sentences=14):
    """Return paragraphs of plain English, different for every number."""
    lines = []
    for i in range(sentences):
        k = number * 7 + i * 11 + number * i
        lines.append(
            f"{SUBJECTS[k % 6]} {VERBS[(k // 6 + i) % 6]} {OBJECTS[(k // 3 + number) % 5]} "
            f"{ENDS[(k + i // 2) % 5]}, and that was story {number} part {'i' * (i + 1)}."
        )
    return [" ".join(lines[i : i + 2]) for i in range(0, sentences, 2)]


def html(paragraphs, title="A story"):
    body = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    return f"<title>{title}</title><nav><a href=/>Home</a></nav><main>{body}</main>".encode()


GERMAN = [
    "Der Bäcker hat das rote Boot repariert, bevor der Regen kam, und alle haben sich gefreut.",
    "Niemand wusste, warum die Uhr am Rathaus stehen geblieben war, doch es störte auch keinen.",
] * 3

PAGES = {
    "https://stories.example/one": html(story(1), "One"),
    "https://stories.example/two": html([*story(2), "Write to jo@bloggs.name about this story."]),
    "https://stories.example/three": html(
        [*story(3), "A paragraph that many of our pages repeat."]
    ),
    "https://stories.example/four": html([*story(4), "A paragraph that many of our pages repeat."]),
    "https://stories.example/empty": b"<title>Empty</title>",
    "https://stories.example/german": html(GERMAN),
    "https://stories.example/copy": html(story(1), "One again"),
    "https://stories.example/repeats": html(story(2)[:3] + story(3)[:3]),
    "https://stories.example/short": html(["The baker has a boat.", "It is red and of great use."]),
    "https://stories.example/casino-poker": html(story(5)),
    "https://stories.example/near": html(
        [" ".join(story(4)) + " With one more sentence at the end."]
    ),
}


def write_warc(path, pages, headers=(("Content-Type", "text/html; charset=utf-8"),)):
    with open(path, "wb") as file:
        writer = warc.Writer(file)
        for url, body in pages.items():
            writer.write_response(url, body, headers, date=DATE)
    return path


def run_command(*flags):
    parser = argparse.ArgumentParser()
    clean_command.add_arguments(parser)
    args = parser.parse_args(["--workers", "1", *map(str, flags)])
    clean_command.run(args)
    return args


def text_of(path):
    """Return what is in a .gz; one without a document is empty."""
    return gzip.decompress(path.read_bytes()).decode("utf-8")


def run(*flags):
    args = run_command(*flags)
    with gzip.open(args.out, "rt", encoding="utf-8") as lines:
        documents = [json.loads(line) for line in lines]
    report = json.loads((args.out.parent / "clean.json").read_text(encoding="utf-8"))
    return documents, report


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return write_warc(tmp_path_factory.mktemp("crawl") / "pages.warc.gz", PAGES)


@pytest.fixture(scope="module")
def cleaned(archive, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "documents.jsonl.gz"
    return run(archive, "-o", out, "--profile", "reference", "--workers", 1)


def test_documents_have_fineweb_fields_and_keep_the_order_of_the_crawl(cleaned):
    documents, _ = cleaned
    assert [document["url"].rpartition("/")[2] for document in documents] == [
        "one", "two", "three", "near"
    ]  # fmt: skip
    one = documents[0]
    fields = ["text", "id", "url", "date", "language", "language_score", "title", "in_degree"]
    assert list(one) == fields
    assert one["text"] == "\n\n".join(story(1))
    assert (one["date"], one["language"], one["title"]) == ("2026-01-02T03:04:05Z", "en", "One")
    assert one["language_score"] > 0.9
    assert len({document["id"] for document in documents}) == len(documents)


def test_every_step_removes_its_page_and_says_why(cleaned):
    reasons = {step["step"]: step["reasons"] for step in cleaned[1]["steps"]}
    assert list(reasons) == [
        "url", "extract", "language", "exact", "paragraph", "quality", "safety",
        "near-duplicate", "pii",
    ]  # fmt: skip
    assert list(reasons["url"].values()) == [1]
    assert reasons["extract"] == {"no text": 1}
    assert reasons["language"] == {"not en": 1}
    assert reasons["exact"] == {"same text as another document": 1}
    assert reasons["paragraph"] == {"only repeats other documents": 1}
    assert reasons["quality"] == {"too few words": 1}
    assert reasons["safety"] == {}
    assert reasons["near-duplicate"] == {"almost the same as another": 1}
    assert reasons["pii"] == {}


def test_the_funnel_adds_up(cleaned):
    documents, report = cleaned
    steps = report["steps"]
    for before, after in itertools.pairwise(steps):
        assert before["documents_out"] == after["documents_in"]
        assert before["characters_out"] == after["characters_in"]
    for step in steps:
        assert step["documents_in"] - step["documents_out"] == sum(step["reasons"].values())
        assert step["seconds"] >= 0
        assert len(step["examples"]) == min(3, sum(step["reasons"].values()))
    assert steps[0]["documents_in"] == len(PAGES)
    assert steps[0]["characters_in"] == sum(map(len, PAGES.values()))
    assert steps[-1]["documents_out"] == report["documents"] == len(documents)
    assert steps[-1]["characters_out"] == report["characters"]
    assert report["characters"] == sum(len(document["text"]) for document in documents)
    assert (report["stage"], report["profile"], report["problems"]) == ("clean", "reference", {})


def test_near_duplicates_are_found_between_other_documents(tmp_path):
    pages = {f"https://stories.example/{n}": html(story(n)) for n in range(1, 7)}
    pages["https://stories.example/5"] = html([" ".join(story(2)) + " One more sentence."])
    flags = "-o", tmp_path / "d.jsonl.gz", "--profile", "reference", "--workers", 1
    documents, report = run(write_warc(tmp_path / "w.warc.gz", pages), *flags)
    assert [document["url"][-1] for document in documents] == ["1", "3", "4", "5", "6"]
    reasons = {step["step"]: step["reasons"] for step in report["steps"]}
    assert reasons["near-duplicate"] == {"almost the same as another": 1}


def test_of_copies_the_page_that_others_link_to_stays(tmp_path):
    shared = ["A paragraph that stands on two of our pages, in the same words."]
    link = "<a href='/original#top'>the original</a> and <a href='/longer#end'>more</a>"
    pages = {
        "http://c.example/copy": html(story(1)),
        "http://c.example/shorter": html([*story(2), *shared]),
        "http://c.example/original": html(story(1)),
        "http://c.example/longer": html([*story(3), *shared]),
        "http://c.example/linking": html([*story(4), f"See {link}."]),
    }
    path = write_warc(tmp_path / "pages.warc.gz", pages)
    documents, _ = run(path, "-o", tmp_path / "d.gz", "--profile", "reference")
    assert [document["url"].rpartition("/")[2] for document in documents] == [
        "shorter", "original", "longer", "linking"
    ]  # fmt: skip
    assert [shared[0] in document["text"] for document in documents] == [False, False, True, False]
    assert [document["in_degree"] for document in documents] == [0, 1, 1, 0]


@pytest.mark.parametrize("url", ["http://c.example/%C3%BCb", "http://c.example/üb"])
def test_links_are_counted_however_they_are_spelled(tmp_path, url):
    links = "".join(
        f"<a href='{link}'>x</a>" for link in ("/üb", "HTTP://C.example:80/a/../%c3%bcb#1")
    )
    pages = {url: html([*story(1), links]), "http://c.example/2": html([*story(2), links])}
    path = write_warc(tmp_path / "pages.warc.gz", pages)
    documents, _ = run(path, "-o", tmp_path / "d.gz", "--profile", "reference")
    assert [document["in_degree"] for document in documents] == [1, 0]


def test_repeated_paragraphs_stay_once_and_personal_data_is_masked(cleaned):
    documents, report = cleaned
    text = "\n".join(document["text"] for document in documents)
    assert text.count("A paragraph that many of our pages repeat.") == 1
    assert "Write to <EMAIL> about this story." in text
    assert report["personal_data"] == {"email": 1}


def test_the_same_input_gives_the_same_bytes_with_one_process_or_two(archive, tmp_path):
    outs = [tmp_path / name / "documents.jsonl.gz" for name in ("a", "b", "c")]
    for out, workers in zip(outs, (1, 1, 2), strict=True):
        run(archive, "-o", out, "--profile", "reference", "--workers", workers)
    assert outs[0].read_bytes() == outs[1].read_bytes() == outs[2].read_bytes()
    assert sorted(path.name for path in outs[0].parent.iterdir()) == [
        "clean.json", "documents.jsonl.gz"
    ]  # fmt: skip


def test_several_files_are_one_crawl_and_an_address_counts_once(archive, tmp_path):
    other = write_warc(
        tmp_path / "more.warc.gz",
        {"https://stories.example/one": html(story(8)), "https://b.example/": html(story(9))},
    )
    documents, report = run(archive, other, "-o", tmp_path / "d.gz", "--profile", "reference")
    assert documents[-1]["url"] == "https://b.example/"
    assert report["steps"][0]["reasons"]["address read before"] == 1


def test_plain_text_and_wet_records_need_no_extraction(tmp_path):
    text = "\n\n".join(story(1))
    path = tmp_path / "pages.wet.gz"
    write_warc(path, {"http://t.example/a.txt": text.encode()}, [("Content-Type", "text/plain")])
    wet = "\n\n".join(story(2)).encode()
    head = (
        "WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: http://t.example/b\r\n"
        "WARC-Date: 2026-01-01T00:00:00Z\r\nContent-Type: text/plain\r\n"
        f"Content-Length: {len(wet)}\r\n\r\n"
    )
    with open(path, "ab") as file:
        file.write(gzip.compress(head.encode() + wet + b"\r\n\r\n"))
    documents, _ = run(path, "-o", tmp_path / "d.gz", "--profile", "reference")
    assert [document["text"] for document in documents] == [text, wet.decode()]


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_plain_text_may_have_the_line_ends_of_any_system(tmp_path, end):
    text = "\n\n".join(story(1))
    pages = {"http://t.example/a.txt": text.replace("\n", end).encode()}
    path = write_warc(tmp_path / "p.warc.gz", pages, [("Content-Type", "text/plain")])
    documents, _ = run(path, "-o", tmp_path / "d.gz", "--profile", "reference")
    assert documents[0]["text"] == text


PROSE = [
    "The old mill stands where the two rivers meet, and it has been empty for forty years.",
    "Last spring some neighbours decided to have it repaired, and asked for a sum of money.",
    "To everybody's surprise the council agreed within a month, and work began at once.",
    "Some people bring tools, others bring soup, and the children carry stones all day long.",
    "If all goes well, flour will be ground here again before the first snow of the winter.",
]


def test_web_profile_keeps_prose(tmp_path):
    path = write_warc(tmp_path / "p.warc", {"http://m.example/": html(PROSE)})
    documents, report = run(path, "-o", tmp_path / "d.gz", "--profile", "web")
    assert documents[0]["text"] == "\n\n".join(PROSE)
    assert report["profile"] == "web"


def test_short_pages_of_a_reference_are_judged_by_their_sentences(tmp_path):
    page = b"<h1>pandas.DataFrame.columns</h1><dl><dt>DataFrame.columns</dt><dd>%s</dd></dl>"
    english = b"All of the knots on this site may be tied by you at home, and at sea."
    russian, thai = (
        "".join(f"<h2>{heading}</h2>" for heading in headings.split(", ")).encode()
        for headings in (
            "Как завязать прямой узел, Новости и события клуба, Магазин верёвок и канатов",
            "วิธีผูกเงื่อน, ข่าวสารของสโมสร, ร้านขายเชือก",
        )
    )
    defining = page % b"The column labels of the DataFrame."
    pages = {
        "http://m.example/en": page % b"The column labels of the DataFrame.",
        "http://m.example/de": page % "Die Überschriften aller Spalten.".encode(),
        "http://m.example/no": page % b"DataFrame.columns, DataFrame.rows",
        "http://m.example/ru": russian * 3 + b"<p>%s</p>" % (english * 2),
        "http://m.example/th": thai * 3 + b"<p>%s</p>" % (english * 2),
        "http://m.example/of": defining + russian,
        "http://m.example/li": defining.replace(b"<dd>", b"<dt>"),  # no definition
    }
    path = write_warc(tmp_path / "p.warc", pages)
    documents, report = run(path, "-o", tmp_path / "d.gz", "--profile", "reference")
    assert [document["url"][-2:] for document in documents] == ["en"]
    assert 0.65 < documents[0]["language_score"] < 1
    reasons = [reason for step in report["steps"] for reason in step["reasons"].items()]
    assert reasons == [("not en", 6)]
    with pytest.raises(ValueError, match="language removed 7"):
        run(path, "-o", tmp_path / "w.gz", "--profile", "web")


def test_blocklists_of_the_user_are_added_to_the_projects(archive, tmp_path):
    blocked = tmp_path / "domains.txt"
    blocked.write_text("b.example\n", encoding="utf-8")
    path = write_warc(tmp_path / "p.warc.gz", {"http://www.b.example/": html(story(6))})
    flags = ("-o", tmp_path / "d.gz", "--profile", "reference", "--blocklist", blocked)
    documents, report = run(archive, path, *flags)
    assert len(documents) == 4
    assert report["steps"][0]["reasons"]["domain:b.example"] == 1


def test_funnel_table_shows_every_step_and_totals(archive, tmp_path, capsys):
    run(archive, "-o", tmp_path / "d.gz", "--profile", "reference")
    shown = capsys.readouterr().out
    assert "11 → 10" in shown
    assert "too few words" in shown
    assert "masked: 1 email" in shown
    assert "4 documents" in shown


def test_explain_tells_a_page_s_story(archive, tmp_path, capsys):
    flags = ("-o", tmp_path / "d.gz", "--profile", "reference", "--explain")
    run_command(archive, *flags, "https://stories.example/short")
    shown = capsys.readouterr().out
    assert "language        kept" in shown
    assert "quality         too few words" in shown
    assert "It is red and of great use." in shown
    with pytest.raises(ValueError, match="/none/at/all is not in these files"):
        run_command(archive, *flags, "https://elsewhere.example/none/at/all")
    assert not (tmp_path / "d.gz").exists()  # to look at a page writes nothing


def test_explain_takes_a_piece_of_one_page_s_address(archive, capsys):
    run_command(archive, "--profile", "reference", "--explain", "SHORT")
    shown = capsys.readouterr().out
    assert shown.startswith("https://stories.example/short\n")
    assert "quality         too few words" in shown


@pytest.mark.parametrize(
    "url", ["http://h.example/ünï/7", "http://h.example/a|b", "http://h.example"]
)
def test_explain_finds_addresses_as_another_s_crawl_has_written_them(tmp_path, capsys, url):
    archive = write_warc(tmp_path / "p.warc.gz", {url: html(story(1)), f"{url}0": html(story(2))})
    run_command(archive, "--profile", "reference", "--explain", url)
    shown = capsys.readouterr().out
    assert shown.startswith(f"{url}\nurl             kept")


def test_explain_means_the_address_that_ends_so(archive, tmp_path, capsys):
    pages = {f"http://h.example/{i}": html(story(i)) for i in (8, 80, 88)}
    archive = write_warc(tmp_path / "p.warc.gz", pages)
    run_command(archive, "--profile", "reference", "--explain", "/8")
    assert capsys.readouterr().out.startswith("http://h.example/8\n")
    run_command(archive, "--profile", "reference", "--explain", "8")  # not /88, which ends so, too
    assert capsys.readouterr().out.startswith("http://h.example/8\n")
    with pytest.raises(ValueError, match="'' is in 3 of the addresses"):
        run_command(archive, "--profile", "reference", "--explain", "")


def test_explain_lists_addresses_where_none_or_several_are_meant(archive):
    flags = ("--profile", "reference", "--explain")
    with pytest.raises(ValueError, match=r"'ea' is in 2 of the addresses") as caught:
        run_command(archive, *flags, "ea")
    assert str(caught.value).endswith(
        "https://stories.example/near, https://stories.example/repeats"
    )
    with pytest.raises(ValueError, match=r"is in 11 of the addresses.*, \.\.\.$"):
        run_command(archive, *flags, "stories")
    with pytest.raises(ValueError, match=r"shirt is not in .* https://stories.example/short"):
        run_command(archive, *flags, "https://stories.example/shirt")


@pytest.mark.parametrize(
    "text", ["/heaqp.html", "heaqp", "HEAPPQ", "libary/heapq", "/libary/heapq.htm"]
)
def test_a_mistyped_piece_of_an_address_finds_the_nearest_ends(text):
    base = "https://docs.example.org/library/"
    others = [f"{base}{name}.html" for name in ("json", "heapq", "bisect")] + [f"{base}re/"]
    assert similar.nearest(text, others, 5)[0] == f"{base}heapq.html"
    assert similar.nearest("/libary/re/", others, 5)[0] == f"{base}re/"


def test_a_mistyped_piece_of_an_address_is_answered_in_one_line(archive):
    with pytest.raises(ValueError, match=r"/shirt is not in .* https://stories\.example/short$"):
        run_command(archive, "--profile", "reference", "--explain", "/shirt")


def test_explain_of_standard_input_asks_for_the_whole_address(archive, monkeypatch):
    source = io.TextIOWrapper(io.BytesIO(archive.read_bytes()))
    monkeypatch.setattr(sys, "stdin", source)
    with pytest.raises(ValueError, match="give a page's whole address"):
        run_command("-", "--profile", "reference", "--explain", "short")


@pytest.mark.parametrize(
    "pages, flags, message",
    [
        ({"http://g.example/": html(GERMAN)}, (), "language removed 1 .*--min-language"),
        ({"http://s.example/": html(["The cat is here."])}, (), "quality removed 1 .*--profile"),
        ({"http://e.example/": b"<p>"}, (), "extract removed 1 .*no text"),
        ({}, (), "hold no pages"),
        ({"http://a.example/": html(story(1))}, ("--language", "xx"), "language is 'xx'"),
        ({"http://a.example/": html(story(1))}, ("--min-language", "65"), "0 to 1"),
        ({"http://a.example/": html(story(1))}, ("--workers", "0"), "at least 1"),
    ],
)
def test_nothing_left_names_the_step_and_the_setting(tmp_path, pages, flags, message):
    path = write_warc(tmp_path / "pages.warc.gz", pages)
    with pytest.raises(ValueError, match=message):
        run(path, "-o", tmp_path / "d.gz", *flags)
    assert not (tmp_path / "d.gz").exists()


def test_an_archive_cut_short_is_read_up_to_there_with_a_warning(archive, tmp_path, capsys):
    cut = tmp_path / "cut.warc.gz"
    cut.write_bytes(archive.read_bytes()[:-900])
    documents, report = run(cut, "-o", tmp_path / "d.gz", "--profile", "reference")
    assert documents[0]["url"].endswith("/one")
    assert report["problems"] == {"cut short": 1}
    assert "the gzip data is cut short" in report["problem_examples"][0]
    assert "clean: warning: " in capsys.readouterr().err


@pytest.mark.parametrize(
    "content", [b"", b"no archive at all\n", gzip.compress(b"nor is this", mtime=0)]
)
def test_a_file_that_is_no_warc_is_refused(tmp_path, content):
    path = tmp_path / "x.warc.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError):
        run(path, "-o", tmp_path / "d.gz")


def test_a_missing_file_and_an_unknown_profile_are_refused(archive, tmp_path):
    with pytest.raises(OSError):
        run(tmp_path / "none.warc.gz", "-o", tmp_path / "d.gz")
    with pytest.raises(SystemExit):
        run(archive, "--profile", "prose")


@pytest.mark.parametrize("flags", [["none.warc.gz"], [__file__]])
def test_the_command_line_says_what_is_wrong_in_one_line(tmp_path, capsys, flags):
    assert main(["clean", *flags, "-o", str(tmp_path / "d.gz")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("clean: ")
    assert error.count("\n") == 1


def test_help_shows_examples_and_defaults(capsys):
    with pytest.raises(SystemExit):
        main(["clean", "--help"])
    shown = capsys.readouterr().out
    assert "--explain /heapq.html" in shown
    assert "0.65" in shown


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "d.gz"
    write_atomically(path, b"old")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"


def test_examples_are_three_of_the_most_frequent_reasons():
    step = funnel.Step("quality")
    for i in range(20):
        step.removed(f"http://x/{i}", "text " * 100, 500, f"reason {min(i % 7, 4)}")
    reasons = [example["reason"] for example in step.chosen_examples()]
    assert reasons == ["reason 4", "reason 0", "reason 1"]
    assert len(step.examples[0]["text"]) == funnel.EXAMPLE_CHARACTERS
    assert sum(step.reasons.values()) == step.documents_in == 20
    alone = funnel.Step("url")
    for i in range(5):
        alone.removed(f"http://x/{i}", "", 0, "the only reason")
    assert len(alone.chosen_examples()) == 3


def test_counts_of_two_shards_are_those_of_one():
    whole, parts = funnel.Step("quality"), [funnel.Step("quality") for _ in range(3)]
    for i in range(30):
        for step in (whole, parts[i // 10]):
            step.removed(f"http://x/{i}", "text", 5, f"reason {i % 4}")
            step.passed(10, 7)
    together = funnel.Step("quality")
    for part in parts:
        together.add(part.as_json())
    assert together == whole


@pytest.mark.parametrize(("n", "said"), [(3, None), (4, "1 other reason"), (6, "3 other reasons")])
def test_reasons_in_the_table_add_up(n, said):
    step = funnel.Step("quality")
    for i in range(n):
        step.reasons[f"reason {i}"] = 10 - i
    lines = [line.split(maxsplit=1) for line in funnel.table([step]).splitlines()[2:]]
    assert -sum(int(count) for count, _ in lines) == sum(step.reasons.values())
    assert [reason for _, reason in lines[3:]] == ([said] if said else [])


def test_the_table_is_eighty_columns_wide_whatever_the_numbers():
    step = funnel.Step("near-duplicate", 123_456_789, 123_456_788, 10**12, 99_999, 12345.6)
    step.reasons["a reason that somebody has made very long indeed, " * 3] = 123_456_789
    step.removed("http://x.example/" + "long/" * 30, "text " * 100, 500, "another reason")
    lines = [*funnel.table([step]).splitlines(), *funnel.examples([step]).splitlines()]
    assert max(map(len, lines)) == funnel.WIDTH
    assert "123.46 M → 123.46 M" in lines[1]
    assert "1000.00 G → 99,999" in lines[1]
    assert lines[-1].strip().startswith("another reason; it began: text text")


# ---- any executor, killed at any moment ----


class Counting(ThreadPoolExecutor):
    """An executor that notes what it is asked for."""

    def __init__(self):
        super().__init__(2)
        self.asked = []

    def submit(self, function, /, *args, **kwargs) -> Future:
        self.asked.append(function.__name__)
        return super().submit(function, *args, **kwargs)


def test_any_executor_does_the_work_and_stays_open(archive, cleaned, tmp_path, monkeypatch):
    monkeypatch.setattr(cleaning, "SHARD_PAGES", 3)
    with Counting() as executor:
        out = tmp_path / "d.jsonl.gz"
        report = clean([archive], out, Settings("reference"), executor)
        assert executor.asked == ["read"] * 4 + ["judge"] * 4 + ["finish"] * 4
        assert executor.submit(int, 1).result() == 1
    documents = [json.loads(line) for line in text_of(out).splitlines()]
    assert documents == cleaned[0]
    for name in ("documents", "characters", "personal_data"):
        assert report[name] == cleaned[1][name]
    for ours, theirs in zip(report["steps"], cleaned[1]["steps"], strict=True):
        assert {**ours, "seconds": 0} == {**theirs, "seconds": 0}


def test_in_several_passes_the_same_paragraphs_stay(archive, cleaned, tmp_path, monkeypatch):
    monkeypatch.setattr(cleaning, "SHARD_PAGES", 3)
    monkeypatch.setattr(choose, "PART", 5)
    out = tmp_path / "d.jsonl.gz"
    clean([archive], out, Settings("reference"), workers=1)
    assert [json.loads(line) for line in text_of(out).splitlines()] == cleaned[0]


@pytest.mark.parametrize("n_tasks", [1, 3, 5, 6, 8, 10, 11])
def test_a_cleaning_that_fails_anywhere_goes_on_where_it_was(
    archive, cleaned, tmp_path, monkeypatch, n_tasks
):
    monkeypatch.setattr(cleaning, "SHARD_PAGES", 3)

    class Failing(cleaning.Inline):
        asked = 0

        def submit(self, function, /, *args, **kwargs):
            self.asked += 1
            if self.asked > self.limit:
                raise KeyboardInterrupt
            return super().submit(function, *args, **kwargs)

    first, second = Failing(), Failing()
    first.limit, second.limit = n_tasks, 100
    out = tmp_path / "d.jsonl.gz"
    with pytest.raises(KeyboardInterrupt):
        clean([archive], out, Settings("reference"), first)
    assert [path.name for path in tmp_path.iterdir()] == ["d.jsonl.gz.work"]
    report = clean([archive], out, Settings("reference"), second)
    assert second.asked == 12 - n_tasks
    assert report["goes_on"]
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["clean.json", "d.jsonl.gz"]
    documents = [json.loads(line) for line in text_of(out).splitlines()]
    assert documents == cleaned[0]
    for ours, theirs in zip(report["steps"], cleaned[1]["steps"], strict=True):
        assert {**ours, "seconds": 0} == {**theirs, "seconds": 0}


@pytest.mark.parametrize("name", ["bad_words", "blocklists"])
def test_what_was_begun_with_other_words_in_a_list_is_begun_anew(name, archive, tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("nothing.example\n")
    settings = Settings("reference", **{name: (str(words),) if name == "blocklists" else words})

    class Interrupted(cleaning.Inline):
        def submit(self, function, /, *args, **kwargs):
            raise KeyboardInterrupt

    for more, goes_on in (("", True), ("unheard.example\n", False)):
        with pytest.raises(KeyboardInterrupt):
            clean([archive], tmp_path / "d.gz", settings, Interrupted())
        if more:
            words.write_text(words.read_text() + more)
        assert clean([archive], tmp_path / "d.gz", settings, workers=1)["goes_on"] is goes_on


def test_what_was_begun_with_other_lists_of_the_projects_own_is_begun_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "DATA", tmp_path / "data")
    (tmp_path / "data").mkdir()
    (tmp_path / "work").mkdir()
    goes_on = []
    for name in ("x.txt", "x.txt", "x.jsonl", "x.gz"):
        (tmp_path / "data" / name).write_bytes(b"a word")
        goes_on.append(shards.prepare(tmp_path / "work", {}))
    assert goes_on == [False, True, True, False]


def test_a_list_that_is_missing_is_said_before_anything_is_written(archive, tmp_path):
    gone = Settings("reference", blocklists=(str(tmp_path / "none.txt"),))
    with pytest.raises(FileNotFoundError):
        clean([archive], tmp_path / "e.gz", gone, workers=1)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_one_is_in_may_be_the_output(archive, tmp_path, monkeypatch):
    (tmp_path / "here" / "below").mkdir(parents=True)
    for folder, out in (("here", "."), ("here/below", "..")):
        monkeypatch.chdir(tmp_path / folder)
        clean([archive], out, Settings("reference"), workers=1)
        made = [path.name for path in sorted((tmp_path / "here").iterdir())]
        assert made == ["00000.jsonl.gz", "below", "clean.json"]
        (tmp_path / "here" / "clean.json").unlink()
    assert [path.name for path in tmp_path.iterdir()] == ["here"]
    with pytest.raises(ValueError, match="the output is /; give a folder in it"):
        clean([archive], "/", Settings("reference"), workers=1)


def test_what_was_begun_with_other_settings_is_begun_anew(archive, tmp_path):
    out = tmp_path / "d.jsonl.gz"

    class Stopping(cleaning.Inline):
        def submit(self, function, /, *args, **kwargs):
            if function.__name__ == "judge":
                raise KeyboardInterrupt
            return super().submit(function, *args, **kwargs)

    with pytest.raises(KeyboardInterrupt):
        clean([archive], out, Settings("reference"), Stopping())
    with Counting() as executor:
        clean([archive], out, Settings("reference", min_language=0.5), executor)
        assert executor.asked == ["read", "judge", "finish"]


def many_stories(path, count):
    return write_warc(path, {f"https://m.example/{i}": html(story(i, 20)) for i in range(count)})


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "crawler", "clean", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(process, path):
    """Return once the path is there, or the process has ended."""
    while process.poll() is None and not path.exists():
        time.sleep(0.002)


def test_killed_with_9_its_workers_end_too_and_the_same_command_goes_on(tmp_path):
    archive = many_stories(tmp_path / "pages.warc.gz", 250)
    whole, out = tmp_path / "whole" / "d.jsonl.gz", tmp_path / "d.jsonl.gz"
    clean([archive], whole, Settings("reference"), workers=1)
    command = [archive, "-o", out, "--profile", "reference", "--workers", 2]
    process = start(*command)
    wait_for(process, tmp_path / "d.jsonl.gz.work" / "000001.read.json")
    os.kill(process.pid, signal.SIGKILL)
    _, stderr = process.communicate(timeout=30)  # at the end of its workers' standard error
    assert process.returncode == -signal.SIGKILL
    assert not out.exists()
    process = start(*command)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (0, "")
    assert out.read_bytes() == whole.read_bytes()
    assert max(map(len, stdout.splitlines()[:-1])) <= 80  # the last has a long path


def test_of_two_runs_with_one_output_the_second_is_refused(archive, tmp_path):
    out = tmp_path / "d.jsonl.gz"

    class Interrupted(cleaning.Inline):
        def submit(self, function, /, *args, **kwargs):
            with pytest.raises(ValueError, match="another run is working in it; wait for it"):
                clean([archive], out, Settings("reference", min_language=0.5), workers=1)
            return super().submit(function, *args, **kwargs)

    report = clean([archive], out, Settings("reference"), Interrupted())
    assert (report["documents"], report["goes_on"]) == (4, False)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["clean.json", "d.jsonl.gz"]


def test_ctrl_c_is_one_line_of_all_processes(tmp_path):
    archive = many_stories(tmp_path / "pages.warc.gz", 2000)
    out = tmp_path / "d.jsonl.gz"
    process = start(archive, "-o", out, "--profile", "reference", "--workers", 2)
    wait_for(process, tmp_path / "d.jsonl.gz.work" / "job.json")
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout) == (130, "")
    assert stderr == "\nclean: stopped; the same command goes on\n"


def test_a_worker_that_dies_is_one_line(archive, tmp_path, monkeypatch):
    class Dying(cleaning.Pool):
        def submit(self, function, /, *args, **kwargs):
            return super().submit(os._exit, 1)

    monkeypatch.setattr(cleaning, "Pool", Dying)
    with pytest.raises(OSError, match="a worker ended without a word"):
        clean([archive], tmp_path / "d.gz", workers=2)


def test_a_folder_that_is_in_the_way_is_left_alone(archive, tmp_path):
    work = tmp_path / "d.gz.work"
    work.mkdir()
    (work / "thesis.txt").write_text("all I have")
    with pytest.raises(ValueError, match="holds other files; move it away"):
        clean([archive], tmp_path / "d.gz", workers=1)
    assert (work / "thesis.txt").read_text() == "all I have"
    (work / "thesis.txt").unlink()
    (work / "job.json.123.tmp").write_text("{")  # killed at its first step
    assert clean([archive], tmp_path / "d.gz", Settings("reference"), workers=1)["documents"] == 4


@pytest.mark.parametrize("name", ["d.gz", "folder"])
def test_what_a_killed_run_had_begun_to_write_goes(name, archive, tmp_path):
    (tmp_path / "folder").mkdir()
    folder = tmp_path / "folder" if name == "folder" else tmp_path
    ours = {"d.gz": ["d.gz.7.tmp"], "folder": ["00003.jsonl.gz.7.tmp", "clean.json.8.tmp"]}[name]
    others = ["x.gz.7.tmp", "d.gz.tmp", "d.gz.7.tmp.gz", "00003.jsonl.gz.x.tmp", "clean.json.tmp"]
    for file in [*ours, *others, "clean.json.7.tmp"]:
        (folder / file).write_bytes(b"half")
    os.utime(folder / "clean.json.7.tmp", (1, 1))
    (tmp_path / "clean.json.9.tmp").write_bytes(b"of another run, which may still write it")
    clean([archive], tmp_path / name, Settings("reference"), workers=1)
    left = {path.name for path in folder.glob("*tmp*")}
    assert left == {*others} | ({"clean.json.9.tmp"} if name == "d.gz" else set())


def test_killed_while_it_removes_its_folder_the_next_run_begins_anew(archive, tmp_path):
    work = tmp_path / "d.gz.work"
    work.mkdir()
    (work / "job.json").write_text("{}")
    (work / "000000.read.json").write_text("{}")  # its documents are gone
    report = clean([archive], tmp_path / "d.gz", Settings("reference"), workers=1)
    assert (report["documents"], report["goes_on"]) == (4, False)
    assert not work.exists()


# ---- several archives, lists, standard input ----


def test_a_folder_gets_one_file_for_each_archive(archive, tmp_path):
    other = write_warc(tmp_path / "o.warc.gz", {"https://b.example/": html(story(9))})
    empty = write_warc(tmp_path / "e.warc.gz", {"https://e.example/": b"<p>"})
    out = tmp_path / "documents"
    clean([archive, empty, other], out, Settings("reference"), workers=1)
    counts = [text_of(path).count("\n") for path in sorted(out.glob("*.jsonl.gz"))]
    assert counts == [4, 0, 1]
    assert json.loads((out / "clean.json").read_bytes())["documents"] == 5
    of_somebody_else = {"notes.jsonl.gz", "20260101.jsonl.gz"}
    for name in of_somebody_else:
        (out / name).write_bytes(b"")
    clean([other], out, Settings("reference"), workers=1)
    left = {path.name for path in out.iterdir()}
    assert left == {"00000.jsonl.gz", "clean.json"} | of_somebody_else


def test_lists_of_paths_and_standard_input_are_read(archive, tmp_path, monkeypatch):
    listed = tmp_path / "warc.paths.gz"
    other = write_warc(tmp_path / "o.warc.gz", {"https://b.example/": html(story(9))})
    listed.write_bytes(gzip.compress(f"\ufeff{archive}\r\n# more\n\n{other.name}\n".encode()))
    ours, theirs = tmp_path / "a" / "d.gz", tmp_path / "b" / "d.gz"
    clean([archive, other], ours, Settings("reference"), workers=1)
    run_command("--paths", listed, "-o", theirs, "--profile", "reference")
    assert ours.read_bytes() == theirs.read_bytes()
    data = io.TextIOWrapper(io.BytesIO(archive.read_bytes() + other.read_bytes()))
    monkeypatch.setattr(sys, "stdin", data)
    run_command("-", "-o", tmp_path / "c" / "d.gz", "--profile", "reference")
    assert text_of(tmp_path / "c" / "d.gz") == text_of(ours)


def test_one_broken_archive_of_a_crawl_is_counted_and_the_others_are_read(archive, tmp_path):
    broken = tmp_path / "broken.warc.gz"
    broken.write_bytes(b"no archive at all\n")
    report = clean([broken, archive], tmp_path / "d.gz", Settings("reference"), workers=1)
    assert report["problems"] == {"no record": 1}
    assert report["documents"] == 4


def test_a_page_that_breaks_the_extractor_is_counted(archive, tmp_path, monkeypatch):
    def extract(text, url):
        raise RecursionError

    monkeypatch.setattr(steps, "extract", extract)
    with pytest.raises(ValueError, match="cannot be read: RecursionError"):
        clean([archive], tmp_path / "d.gz", workers=1)


def test_a_step_that_is_added_is_applied_counted_and_explained(archive, tmp_path, monkeypatch):
    def no_story_three(document, settings):
        return Verdict(document.text.upper(), "a third" if "story 3" in document.text else None)

    monkeypatch.setitem(steps.BY_ITSELF, "thirds", no_story_three)
    report = clean([archive], tmp_path / "d.gz", Settings("reference"), workers=1)
    step = report["steps"][7]
    assert (step["step"], step["reasons"]) == ("thirds", {"a third": 1})
    assert "THE BAKER" in text_of(tmp_path / "d.gz")
    story = explain("https://stories.example/three", [archive], Settings("reference"), workers=1)
    assert any(line.startswith("thirds          a third") for line in story)


def nothing_left(tmp_path, n_pages, profile):
    """Clean pages of which nothing is left; return what is said."""
    pages = {
        f"https://h.example/{i}": html([f"The cat is here, with {i} others."])
        for i in range(n_pages)
    }
    archive = write_warc(tmp_path / f"{n_pages}.warc.gz", pages)
    with pytest.raises(ValueError, match="no document is left") as caught:
        clean([archive], tmp_path / "d.jsonl.gz", Settings(profile), workers=1)
    return str(caught.value)


def test_what_the_steps_removed_adds_up_to_all_pages(tmp_path):
    same = html(["The cat is here."])
    archive = write_warc(tmp_path / "p.warc.gz", {f"https://h.example/{i}": same for i in range(2)})
    with pytest.raises(ValueError, match="no document is left of 2 pages: ") as caught:
        clean([archive], tmp_path / "d.jsonl.gz", workers=1)
    said = str(caught.value)
    assert re.findall(r"(\w+) removed (\d+) \(\D", said) == [("exact", "1"), ("quality", "1")]
    assert "; change --profile (reference" in said  # without the copy it would be the same


@pytest.mark.parametrize("crawled", [False, True])
@pytest.mark.parametrize("n_pages, profile", [(3, "web"), (3, "reference"), (30, "web")])
def test_advice_suits_the_number_of_pages_the_profile_and_the_crawl(
    tmp_path, n_pages, profile, crawled
):
    if crawled:  # here, and not an archive of somebody else's
        (tmp_path / f"{n_pages}.crawl.json").write_text("{}")
    said = nothing_left(tmp_path, n_pages, profile)
    assert ("crawl more pages" in said) == ("PAGES=N" in said) == (n_pages == 3 and crawled)
    assert said.endswith("give more archives (make train WARC=...)") == (
        n_pages == 3 and not crawled
    )
    assert ("change --profile" in said) == ("make: PROFILE=reference)" in said)
    assert ("change --profile" in said) == (profile == "web")


@pytest.mark.parametrize(
    "profile, n_short, told", [("web", 2, True), ("web", 1, False), ("reference", 2, False)]
)
def test_other_rules_are_named_where_those_for_prose_remove_most(
    tmp_path, capsys, profile, n_short, told
):
    pages = {"https://s.example/": html(PROSE)}
    for i in range(n_short):
        pages[f"https://s.example/short/{i}"] = html([f"The cat is here, with {i} others."])
    archive = write_warc(tmp_path / "p.warc.gz", pages)
    run_command(archive, "-o", tmp_path / "d.gz", "--profile", profile, "--workers", 1)
    said = capsys.readouterr().err
    assert ("removed 2 of 3 pages; if this is documentation, --profile reference" in said) == told
    assert told or "reference" not in said


def test_explain_names_the_copy_that_stays(archive):
    story = explain("https://stories.example/four", [archive], Settings("reference"), workers=1)
    assert any("like https://stories.example/near, which is longer" in line for line in story)


@pytest.mark.parametrize("name", ["german", "blocked", "none", "three"])
def test_explain_looks_at_other_pages_only_where_they_count(tmp_path, monkeypatch, name):
    urls = {
        "german": "https://stories.example/german", "blocked": "https://doubleclick.net/ad",
        "none": "https://stories.example/none", "three": "https://stories.example/three",
    }  # fmt: skip
    pages = {f"https://stories.example/{i}": html(story(i)) for i in range(5)}
    pages |= {urls["german"]: html(GERMAN), urls["blocked"]: html(story(6))}
    archive = write_warc(tmp_path / "p.warc.gz", pages | {urls["three"]: html(story(7))})
    read = []
    extract = steps.extract
    monkeypatch.setattr(steps, "extract", lambda text, url: read.append(url) or extract(text, url))
    told = explain(urls[name], [archive], Settings("reference"), workers=1)
    all_pages = cleaning.Cleaning([str(archive)], tmp_path / "w", Settings("reference"), urls[name])
    n_read = len(read)
    all_pages.run(workers=1)
    assert told == all_pages.book.story
    assert n_read == {"german": 1, "blocked": 0, "none": 0, "three": 1 + 7}[name]


def test_explain_tells_what_cleaning_does_and_judges_only_what_counts(
    archive, monkeypatch, tmp_path
):
    monkeypatch.setattr(cleaning, "SHARD_PAGES", 2)
    judged = []
    judge = stages.judge
    monkeypatch.setattr(stages, "judge", lambda *of: judged.append(of[0].number) or judge(*of))
    settings = Settings("reference")
    n_judged = {}
    for number, url in enumerate(PAGES):
        every = cleaning.Cleaning([str(archive)], tmp_path / f"{number}", settings, url)
        every.run(workers=1)
        judged.clear()
        assert explain(url, [archive], settings, workers=1) == every.book.story
        assert len(judged) == len(set(judged))
        n_judged[url.rpartition("/")[2]] = len(judged)
    fall = {"empty": 0, "german": 0, "casino-poker": 0, "copy": 1, "repeats": 1, "short": 1}
    assert n_judged == dict.fromkeys(n_judged, len(PAGES) // 2) | fall


# ---- the output is checked before the work ----


@pytest.mark.parametrize(
    "out, message",
    [
        ("folder.gz", "is a directory|it is a folder"),
        ("file", "it is a file"),
        ("file/d.jsonl.gz", "file"),
        ("d.jsonl", r"must end in .jsonl.gz"),
        ("pages.warc.gz", "both read and written"),
    ],
)
def test_an_output_that_cannot_be_is_refused_before_the_work(
    archive, tmp_path, monkeypatch, out, message
):
    (tmp_path / "folder.gz").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "pages.warc.gz").write_bytes(archive.read_bytes())
    monkeypatch.setattr(cleaning.Cleaning, "run", lambda *_: pytest.fail("it has begun"))
    with pytest.raises((ValueError, OSError), match=message):
        clean([tmp_path / "pages.warc.gz"], tmp_path / out, workers=1)


@pytest.mark.parametrize(
    "files, message",
    [
        (["-", "-"], "given twice"),
        (["@list"], "listed in"),
        (["@empty"], "list of paths"),
        (["@missing"], "missing"),
        (["missing.warc"], "missing.warc"),
        (["@bad.gz"], "no list of paths"),
    ],
)
def test_inputs_that_cannot_be_are_refused_before_the_work(tmp_path, monkeypatch, files, message):
    monkeypatch.chdir(tmp_path)
    Path("list").write_text("nowhere/x.warc.gz\n")
    Path("empty").write_text("# nothing\n")
    Path("bad.gz").write_bytes(b"\x1f\x8bnot gzip")
    with pytest.raises((ValueError, OSError), match=message):
        clean(files, tmp_path / "d.gz", workers=1)
    assert not (tmp_path / "d.gz.work").exists()


def test_nothing_to_read_is_one_line(capsys):
    assert main(["clean"]) == 2
    assert "nothing to read" in capsys.readouterr().err


def test_pages_of_bad_words_are_dropped_by_the_safety_step(tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("baker\noven\nbread # three of them\n")
    pages = {
        "http://w.example/bread": html(
            ["The baker took the bread out of the oven. " * 9, *story(1)]
        ),
        "http://w.example/other": html(story(2)),
    }
    path = write_warc(tmp_path / "pages.warc.gz", pages)
    flags = "-o", tmp_path / "d.gz", "--profile", "reference"
    documents, _ = run(path, *flags, "--bad-words", words)
    report = json.loads((tmp_path / "clean.json").read_text())
    assert [document["url"] for document in documents] == ["http://w.example/other"]
    assert {s["step"]: s["reasons"] for s in report["steps"]}["safety"] == {"bad words": 1}
    assert len(run(path, *flags)[0]) == 2


def test_a_list_of_bad_words_without_words_is_refused(tmp_path):
    (tmp_path / "words.txt").write_text("# none\n")
    with pytest.raises(ValueError, match="has no words; give one a line"):
        Settings(bad_words=str(tmp_path / "words.txt"))
