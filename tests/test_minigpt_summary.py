import json
import math
import os
import re
import shutil
import time

import pytest
from minigpt_examples import MODEL, TRAIN, example_tokenizer, make_example, save_example_model

from minigpt import info, run_lock, runs, summary
from minigpt.checkpoint import save_state
from minigpt.optim import AdamW
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
    for name, report in EARLIER.items():
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text(json.dumps(report))
    example = make_example(out)
    pretrain(example.tokens, example.tokenizer, out / "base", MODEL, TRAIN, say=lambda text: None)
    return out


def lines_of(out, capsys):
    summary.run(out)
    return capsys.readouterr().out.splitlines()


def test_every_stage_has_a_line_with_its_time_and_what_it_made(out, capsys):
    lines = lines_of(out, capsys)
    for words in (
        ["crawl", "1 min 01 s", "1,234 pages, 5.6 MB"],
        ["clean", "2.2 s", "999 documents, 3.21 M characters"],
        ["tokenizer", "1.0 s", "2,048 symbols, 3.46 bytes a token"],
        ["tokens", "tokens to train on", "held out"],
        ["pretrain", "0.01 M parameters, 0.00 M tokens", "tokens/s"],
        ["total", "1 min 0"],
    ):
        (line,) = [line for line in lines if line.startswith(words[0] + " ")]
        assert all(word in line for word in words), line
    (line,) = [line for line in lines if line.startswith(f"a report of each in {out}: ")]
    assert "crawl.json, clean.json, tokenizer/training.json, tokens/tokens.json, base" in line


def test_the_last_examination_counts_in_the_total(tmp_path, capsys):
    (tmp_path / "crawl.json").write_text(json.dumps(EARLIER["crawl.json"]))
    last = {
        "stage": "evaluate",
        "seconds": 30,
        "tokens": 1234,
        "sections": {"loss": {}, "chat": {}},
    }
    (tmp_path / "evaluation.json").write_text(json.dumps(last))
    lines = lines_of(tmp_path, capsys)
    (line,) = [line for line in lines if line.startswith("evaluate ")]
    assert "30.0 s" in line and "2 examinations, 1,234 tokens" in line
    assert [line.split() for line in lines if line.startswith("total")] == [
        ["total", "1", "min", "31", "s"]
    ]


def test_the_end_says_how_good_the_model_is_and_lets_it_write(out, capsys):
    text = "\n".join(lines_of(out, capsys))
    assert re.search(r"^validation loss 5\.\d+ █[▁-█]+ [45]\.\d+ nats", text, re.MULTILINE)
    report = json.loads((out / "base/training.json").read_text())
    assert f"= {report['bits_per_byte']:.3f} bits/byte" in text
    guessing = math.log(MODEL.vocab_size)
    assert f"(lower is better; guessing evenly: {guessing:.2f} nats)" in text
    assert text.count("--- sample") == 3
    assert f"A Hugging Face GPT-2 folder: {out / 'base'}, the model after the last step" in text
    assert f"{out / 'base/best'}: the one of the lowest validation loss" in text
    assert "the report's loss" not in text  # there is none
    assert f"sample {out / 'base'} --prompt" in text
    assert lines_of(out, capsys) == text.splitlines()  # the samples, too, are the same again


def test_the_loss_of_the_report_is_told_from_that_of_training(out, tmp_path, capsys):
    shutil.copytree(out, tmp_path / "out")
    report = {"stage": "evaluate", "seconds": 1, "tokens": 1, "sections": {}}
    (tmp_path / "out/evaluation.json").write_text(json.dumps(report))
    assert "the report's loss is of documents" in "\n".join(lines_of(tmp_path / "out", capsys))


def test_stages_of_earlier_settings_are_told_apart_while_others_are_made(out, tmp_path, capsys):
    """As `make train` with other settings goes on, one stage after the other is of those."""
    out = shutil.copytree(out, tmp_path / "out")
    chat = json.loads((out / "base/training.json").read_text()) | {"stage": "sft"}
    (out / "chat").mkdir()
    (out / "chat/training.json").write_text(json.dumps(chat))
    stages = ["crawl", "clean", "tokenizer", "tokens", "pretrain", "sft"]
    files = ["pages.warc.gz", "clean.json", "tokenizer/training.json", "tokens/tokens.json",
             "base/training.json", "chat/training.json"]  # fmt: skip

    def stages_told():
        text = "\n".join(lines_of(out, capsys))
        found = re.search(r"of earlier settings, and made anew by `make train`: (.*)", text)
        old = found[1].split(", ") if found else []
        shown = [name for name in stages if re.search(rf"^{name} ", text, re.MULTILINE)]
        assert ("--- sample 1" in text) == ("pretrain" in shown)
        return shown, old

    assert stages_told() == (stages, [])
    settings = ["crawl", "clean", "tokenizer", "pretrain", "sft"]
    (out / "settings").mkdir()
    for i, name in zip((0, 1, 2, 4, 5), settings, strict=True):  # asked for, and not finished
        (out / "settings" / name).touch()
        assert stages_told() == (stages[:i], stages[i:])
        (out / "settings" / name).unlink()
    for i, file in enumerate(files[:-1], 1):
        (out / file).touch()
        assert stages_told() == (stages[:i], stages[i:])
    (out / "base/training.json").unlink()  # a run goes on
    assert stages_told() == (stages[:4], ["sft"])
    (out / "base/training.json").write_text(json.dumps(chat | {"stage": "pretrain"}))
    (out / "chat/training.json").touch()
    assert stages_told() == (stages, [])


def test_what_the_assistant_answers_is_shown_too(tmp_path, capsys):
    path = tmp_path / "evaluation.json"
    known = {"asks": "known", "asked": ["What is a?", "And b?"], "said": "Function b: c."}
    unknown = {"asks": "invented", "asked": ["What is d?"], "said": "Function d? I do not know."}
    examples = [known | {"verdict": "wrong", "said": "x"}, known | {"verdict": "right"},
                unknown | {"verdict": "declined"}]  # fmt: skip
    report = {"stage": "evaluate chat", "seconds": 1.0, "questions": {}, "examples": examples}
    path.write_text(json.dumps(report))
    summary.print_answers(path)
    assert capsys.readouterr().out == (
        "\n--- answer 1: a fact ---\nAnd b?\nFunction b: c.\n"
        "\n--- answer 2: an invented name ---\nWhat is d?\nFunction d? I do not know.\n"
    )
    summary.print_answers(tmp_path / "nothing.json")
    assert capsys.readouterr().out == ""


def test_a_model_that_writes_bytes_that_are_no_text_can_be_shown(out, capsys, monkeypatch):
    half_a_pair = example_tokenizer().encode_bytes(b"\xed\xa0\x80")
    monkeypatch.setattr(summary, "generate", lambda *settings, **named: iter(half_a_pair))
    assert sum(line.endswith("|" + "\ufffd" * 3) for line in lines_of(out, capsys)) == 3


def test_stages_that_were_not_made_are_left_out(tmp_path, capsys):
    (tmp_path / "crawl.json").write_text(json.dumps(EARLIER["crawl.json"]))
    lines = lines_of(tmp_path, capsys)
    assert [line.split(" ")[0] for line in lines if line] == ["stage", "crawl", "total", "a"]
    assert lines[-1].endswith(": crawl.json")


def test_a_folder_without_reports_is_refused_with_the_cure(tmp_path):
    (tmp_path / "base").mkdir()
    for folder, what in ((tmp_path, "no stage has left a report in"), ("nothing", "no folder")):
        with pytest.raises(ValueError, match=rf"{what} .*; `make train OUT={folder}` fills it"):
            summary.run(folder)


def test_what_is_not_finished_is_told_beside_what_is(tmp_path, capsys):
    (tmp_path / "pages.warc.gz.part").write_bytes(bytes(1_230_000))
    unfinished_run(tmp_path / "chat")
    lines = lines_of(tmp_path, capsys)
    assert lines[-3:] == [
        "not finished:",
        "  crawl: not finished, 1.2 MB so far; the command that began it goes on with it",
        f"  {tmp_path / 'chat'}: pretrain, step 8 of 12, training loss 5.250; stopped, the same "
        "command goes on",
    ]
    (tmp_path / "crawl.json").write_text(json.dumps(EARLIER["crawl.json"]))
    assert any(line.startswith("crawl ") for line in lines_of(tmp_path, capsys))


def test_a_run_that_goes_on_says_how_much_is_left(tmp_path, capsys, monkeypatch):
    """4 steps of 10 s, as it made them of late, of which 20 s are gone since its last line."""
    monkeypatch.setattr(runs, "age_of", lambda path, now: 20.0)
    unfinished_run(tmp_path / "base")
    with run_lock.held(tmp_path / "base"):
        line = lines_of(tmp_path, capsys)[-1]
        said = "\n".join(info.describe(tmp_path / "base"))
    told = "pretrain, step 8 of 12, training loss 5.250, about 20.0 s left; running now"
    assert line.endswith(told)
    assert f"  not finished: {told}\n" in said


def test_a_record_alone_is_told_too(tmp_path, capsys):
    (tmp_path / "base").mkdir()
    (tmp_path / "base/metrics.jsonl").write_text('{"step": 8, "trai')
    assert "pretrain, step 0; stopped" in lines_of(tmp_path, capsys)[-1]


def unfinished_run(folder):
    """Write what a run leaves that was stopped after step 8 of 12, after 80 seconds."""
    model = save_example_model(folder)
    progress = {"step": 8, "run": {"train": {"steps": 12}}}
    save_state(folder, model, AdamW(model.params, TRAIN), progress)
    lines = [{"step": 2, "seconds": 20.0}, {"step": 8, "train_loss": 5.25, "seconds": 80.0}]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    old = time.time() - 1000
    os.utime(folder / "metrics.jsonl", (old, old))


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[]", "{}", '{"stage": "crawl", "seconds": 1}', "[" * 99999, "\ud800" * 9999,
        '{"stage": "crawl", "seconds": 1, "pages": 1, "bytes": 1' + "0" * 400 + "}",
    ],
)  # fmt: skip
def test_a_damaged_report_is_named(tmp_path, content):
    (tmp_path / "crawl.json").write_text(content, "utf-8", "surrogatepass")
    with pytest.raises(ValueError, match=r"crawl.json is not a whole report .*again") as said:
        summary.run(tmp_path)
    assert len(str(said.value)) < 500  # the file is not shown
