import json
import re

import pytest
from minigpt_examples import MODEL, TRAIN, example_tokenizer, make_example

from minigpt import summary
from minigpt.pretrain import pretrain

# As crawler, clean and bpe write them, but for what the summary does not look at.
EARLIER = {
    "crawl.json": {"stage": "crawl", "seconds": 61.04, "pages": 1234, "bytes": 5_600_000},
    "clean.json": {"stage": "clean", "seconds": 2.25, "documents": 999, "characters": 3_210_000},
    "tokenizer/training.json": {
        "stage": "tokenizer", "seconds": 1.0, "vocab_size": 2048, "bytes_per_token": 3.4567,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """The folder of a whole small road."""
    out = tmp_path_factory.mktemp("out")
    example = make_example(out)
    for name, report in EARLIER.items():
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text(json.dumps(report))
    pretrain(example.tokens, example.tokenizer, out / "base", MODEL, TRAIN, say=lambda text: None)
    return out


def lines_of(out, capsys):
    summary.run(out)
    return capsys.readouterr().out.splitlines()


def test_every_stage_has_a_line_with_its_time_and_what_it_made(out, capsys):
    lines = lines_of(out, capsys)
    for words in (
        ["crawl", "1 min 01 s", "1,234 pages, 5.6 MB", "crawl.json"],
        ["clean", "2.2 s", "999 documents, 3.21 M characters", "clean.json"],
        ["tokenizer", "1.0 s", "2,048 symbols, 3.46 bytes a token", "training.json"],
        ["tokens", "tokens to train on", "held out", "tokens.json"],
        ["pretrain", "0.01 M parameters, 0.00 M tokens", "tokens/s", "base/training.json"],
        ["total", "1 min 0"],
    ):
        (line,) = [line for line in lines if line.startswith(words[0] + " ")]
        assert all(word in line for word in words), line


def test_the_end_says_how_good_the_model_is_and_lets_it_write(out, capsys):
    text = "\n".join(lines_of(out, capsys))
    assert re.search(r"^validation loss 5\.\d+ █[▁-█]+ [45]\.\d+ nats", text, re.MULTILINE)
    report = json.loads((out / "base/training.json").read_text())
    assert f"= {report['bits_per_byte']:.3f} bits/byte" in text
    assert text.count("--- sample") == 3
    assert f"sample {out / 'base'} --prompt" in text
    assert lines_of(out, capsys) == text.splitlines()  # the samples, too, are the same again


def test_a_model_that_writes_bytes_that_are_no_text_can_be_shown(out, capsys, monkeypatch):
    half_a_pair = example_tokenizer().encode_bytes(b"\xed\xa0\x80")
    monkeypatch.setattr(summary, "generate", lambda *settings, **named: iter(half_a_pair))
    assert sum(line.endswith("|" + "\ufffd" * 3) for line in lines_of(out, capsys)) == 3


def test_stages_that_were_not_made_are_left_out(tmp_path, capsys):
    (tmp_path / "crawl.json").write_text(json.dumps(EARLIER["crawl.json"]))
    lines = lines_of(tmp_path, capsys)
    assert [line.split(" ")[0] for line in lines if line] == ["stage", "crawl", "total"]


def test_a_folder_without_reports_is_refused_with_the_cure(tmp_path):
    for folder in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(ValueError, match=r"no stage has left a report"):
            summary.run(folder)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"stage": "crawl", "seconds": 1}'])
def test_a_damaged_report_is_named(tmp_path, content):
    (tmp_path / "crawl.json").write_text(content)
    with pytest.raises(ValueError, match=r"crawl.json is not a whole report .*again"):
        summary.run(tmp_path)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (59.94, "59.9 s"), (59.97, "1 min 00 s"), (60, "1 min 00 s"),
     (119.7, "2 min 00 s"), (3725.4, "1 h 02 min"),
     (3599.6, "1 h 00 min"), (200_000.0, "2.3 days")],
)  # fmt: skip
def test_seconds_read_well(seconds, text):
    assert summary.format_seconds(seconds) == text
