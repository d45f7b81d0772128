"""The commands about conversations, from documents to an assistant's figures."""

import json
import os
import re
from pathlib import Path

import pytest
from chat_examples import SHORT, write_conversations, write_documents
from minigpt_examples import example_tokenizer, save_example_model

from minigpt import chat_commands
from minigpt.__main__ import main

FEW = ("--steps", "3", "--batch-size", "2", "--workers", "1", "--eval-windows", "2",
       "--sample-every", "0")  # fmt: skip


def fails(capsys, *arguments):
    """Run a command that must end with status 2; return its one line on stderr."""
    assert main(list(map(str, arguments))) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Documents, a base model with a window wide enough, conversations and an assistant."""
    folder = tmp_path_factory.mktemp("out")
    documents = write_documents(folder / "documents.jsonl")
    save_example_model(folder / "base", n_positions=96)
    made = ["conversations", documents, "-o", folder / "conversations", "--facts", 40]
    assert main(list(map(str, made))) == 0
    tuned = ["sft", folder / "base", "--conversations", folder / "conversations"]
    assert main([*map(str, tuned), "-o", str(folder / "chat"), *FEW]) == 0
    return folder


def test_documents_become_conversations_and_these_an_assistant(folder):
    report = json.loads((folder / "chat/training.json").read_text())
    assert report["stage"] == "sft"
    assert report["steps"] == 3
    assert json.loads((folder / "conversations/conversations.json").read_text())["facts"] == 38


def test_the_examination_prints_a_table(folder, capsys):
    words = ["evaluate-chat", folder / "chat", "--base", folder / "base"]
    assert main([*map(str, words), "--conversations", str(folder / "conversations")]) == 0
    said = capsys.readouterr().out
    assert re.search(
        r"38 facts, each taught in 20 of \d,\d{3} phrasings or more; examined in \d\d others or "
        "more, which were written apart", said
    )  # fmt: skip
    assert "invented names: says that it does not know" in said


def test_what_belongs_to_a_model_is_found_beside_it(folder, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # there is no out
    assert main(["evaluate-chat", str(folder / "chat")]) == 0
    said = capsys.readouterr().out
    assert re.search(r"38 facts, each taught in 20 of \d,\d{3} phrasings", said)
    other = tmp_path / "out-other"
    other.mkdir()
    save_example_model(other / "base", n_positions=96)
    os.symlink(folder / "conversations", other / "conversations")
    assert main(["sft", "out-other/base", *FEW]) == 0
    assert (other / "chat/training.json").exists()
    assert main(["sft", "out-other/base", "-o", "mine", *FEW]) == 0
    assert Path("mine/training.json").exists()
    (other / "tokenizer").mkdir()
    example_tokenizer().save(other / "tokenizer/tokenizer.json")
    capsys.readouterr()
    assert main(["show-chat", "out-other/conversations/train.jsonl"]) == 0
    assert "<|user_start|>" in capsys.readouterr().out


def test_what_is_not_beside_a_model_is_named_with_its_flag(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    save_example_model(tmp_path / "base", n_positions=96)
    talks = write_conversations(tmp_path / "talks.jsonl", *SHORT)
    assert fails(capsys, "sft", "base").startswith(
        "minigpt: out/conversations/train.jsonl: No such file or directory; `python -m minigpt conv"
    )
    for words, flag in (
        (["sft", "base"], "--conversations"),
        (["evaluate-chat", "base"], "--conversations"),
        (["show-chat", talks], "--tokenizer"),
        (["pretrain"], "--tokenizer"),
    ):
        assert fails(capsys, *words).endswith(f"as `make train` does; {flag} takes another")
    missing = fails(capsys, "show-chat", "x/conversations/train.jsonl")
    assert missing.endswith("as `make train` does; --tokenizer takes another")


def test_show_chat_prints_as_many_conversations_as_asked_for(tmp_path, capsys):
    example_tokenizer().save(tmp_path / "tokenizer.json")
    path = write_conversations(tmp_path / "c.jsonl", *SHORT)
    words = ["show-chat", path, "--tokenizer", tmp_path / "tokenizer.json", "--first", 2]
    assert main(list(map(str, words))) == 0
    said = capsys.readouterr().out
    assert said.count("of them learned") == 2
    assert "<|user_start|>" in said
    assert said.splitlines()[0].startswith("a row of tokens, below it their ids")
    assert f"{path}, line 2" in said


def test_the_best_known_names_end_with_dots_only_where_more_are_taught(capsys, monkeypatch):
    report = {"train": 1, "val": 1, "pieces": {}, "best_known": ["Owls", "Bats"]}
    monkeypatch.setattr("minigpt.chat_data.make", lambda *_, **__: report)
    monkeypatch.setattr("minigpt.chat_commands.pieces", lambda report: ())
    for n, said in ((2, "taught: Owls, Bats\n"), (3, "taught: Owls, Bats, ...\n")):
        report["facts"] = n
        assert main(["conversations"]) == 0
        assert capsys.readouterr().out.endswith(said)


def test_wordings_of_which_not_all_were_used_are_not_said_to_be(folder):
    report = json.loads((folder / "conversations/conversations.json").read_text())
    wordings = f"{report['small_talk']:,} wordings"
    assert f"of small talk, drawn from {wordings}" in chat_commands.pieces(report)


def test_bad_input_is_said_in_a_line(folder, tmp_path, capsys):
    out = ("-o", tmp_path / "x")
    (tmp_path / "bad.jsonl").write_text('{"messages": [{"role": "user", "content": ""}]}\n')
    line = fails(capsys, "conversations", "--chat", tmp_path / "bad.jsonl", *out)
    assert line.endswith('bad.jsonl, line 1: message 1: content is ""; it must be text')
    assert "facts is 0; it must be at least 1" in fails(capsys, "conversations", "--facts", 0)
    assert "rounds is 0" in fails(capsys, "conversations", "--rounds", 0)
    assert "No such file" in fails(capsys, "conversations", tmp_path / "none.jsonl", *out)
    missing = fails(capsys, "sft", tmp_path / "none", *out)
    assert "must be a model's folder" in missing
    capsys.readouterr()
    nothing = ("--conversations", tmp_path)
    assert "No such file" in fails(capsys, "evaluate-chat", folder / "chat", *nothing)
    assert "steps is 0" in fails(capsys, "sft", folder / "base", "--steps", 0, *out)
    (tmp_path / "empty.jsonl").touch()
    line = fails(capsys, "conversations", tmp_path / "empty.jsonl", *out)
    assert line.endswith("empty.jsonl: empty; it must hold documents, one a line")
    assert "first is 0" in fails(capsys, "show-chat", tmp_path / "bad.jsonl", "--first", 0)


@pytest.mark.parametrize("out", ["base", "other/../base"])
def test_an_assistant_does_not_take_the_place_of_its_own_base(folder, capsys, out):
    before = {path: path.read_bytes() for path in (folder / "base").iterdir()}
    line = fails(capsys, "sft", folder / "base", "-o", folder / out)
    assert "it must be another folder: choose another -o" in line
    assert {path: path.read_bytes() for path in (folder / "base").iterdir()} == before
