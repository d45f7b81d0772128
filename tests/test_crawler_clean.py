"""From a WARC to documents: every step counts what it removes, and the result never varies."""

import argparse
import gzip
import itertools
import json
import os
from datetime import UTC, datetime

import pytest

from crawler import clean, funnel, warc
from crawler.__main__ import main
from crawler.files import write_atomically

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
    clean.add_arguments(parser)
    args = parser.parse_args([*map(str, flags)])
    clean.run(args)
    return args


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
    assert list(one) == ["text", "id", "url", "date", "language", "language_score", "title"]
    assert one["text"] == "\n\n".join(story(1))
    assert (one["date"], one["language"], one["title"]) == ("2026-01-02T03:04:05Z", "en", "One")
    assert one["language_score"] > 0.9
    assert len({document["id"] for document in documents}) == len(documents)


def test_every_step_removes_its_page_and_says_why(cleaned):
    reasons = {step["step"]: step["reasons"] for step in cleaned[1]["steps"]}
    assert list(reasons) == [
        "url", "extract", "language", "exact", "paragraph", "quality", "near-duplicate", "pii"
    ]  # fmt: skip
    assert list(reasons["url"].values()) == [1]
    assert reasons["extract"] == {"no text": 1}
    assert reasons["language"] == {"not en": 1}
    assert reasons["exact"] == {"same text as another document": 1}
    assert reasons["paragraph"] == {"only repeats other documents": 1}
    assert reasons["quality"] == {"too few words": 1}
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
        assert len(step["examples"]) == len(step["reasons"])
    assert steps[0]["documents_in"] == len(PAGES)
    assert steps[0]["characters_in"] == sum(map(len, PAGES.values()))
    assert steps[-1]["documents_out"] == report["documents"] == len(documents)
    assert steps[-1]["characters_out"] == report["characters"]
    assert report["characters"] == sum(len(document["text"]) for document in documents)
    assert (report["stage"], report["profile"], report["problems"]) == ("clean", "reference", [])


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


def test_web_profile_keeps_prose(tmp_path):
    prose = [
        "The old mill stands where the two rivers meet, and it has been empty for forty years.",
        "Last spring some neighbours decided to have it repaired, and asked for a sum of money.",
        "To everybody's surprise the council agreed within a month, and work began at once.",
        "Some people bring tools, others bring soup, and the children carry stones all day long.",
        "If all goes well, flour will be ground here again before the first snow of the winter.",
    ]
    path = write_warc(tmp_path / "p.warc", {"http://m.example/": html(prose)})
    documents, report = run(path, "-o", tmp_path / "d.gz", "--profile", "web")
    assert documents[0]["text"] == "\n\n".join(prose)
    assert report["profile"] == "web"


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
    run_command(archive, *flags, "https://stories.example/none")
    assert "is not in these files" in capsys.readouterr().out
    assert not (tmp_path / "d.gz").exists()  # to look at a page writes nothing


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
    assert "are used" in report["problems"][0]
    assert "clean: warning: " in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"no archive at all\n", gzip.compress(b"nor is this")])
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
    assert "--explain https://example.org/page" in shown
    assert "0.65" in shown


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "d.gz"
    write_atomically(path, b"old")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"


def test_examples_show_each_reason_once():
    step = funnel.Step("quality")
    for i in range(20):
        step.removed(f"http://x/{i}", "text " * 100, 500, f"reason {i % 7}")
    assert len(step.examples) == funnel.MAX_EXAMPLES
    assert len(step.examples[0]["text"]) == funnel.EXAMPLE_CHARACTERS
    assert sum(step.reasons.values()) == step.documents_in == 20
