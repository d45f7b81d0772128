"""A mistake is told in one line: what it was, and what to do."""

import os

import pytest

from bpe.__main__ import Parser
from bpe.mistakes import file_error


def error_of(work, *words):
    with pytest.raises(OSError) as caught:
        work(*words)
    return caught.value


def test_a_missing_file_comes_with_the_command_that_makes_it(tmp_path):
    made_by = {"tokenizer.json": "bpe train", "talks/train.jsonl": "talks"}
    for missing, cure in (
        ("tokenizer.json", "`bpe train` makes it, as `make train` does"),
        ("my-tokenizer.json", "give one that is there"),
        ("talks/train.jsonl", "`talks` makes it, as `make train` does"),
        ("train.jsonl", "give one that is there"),
    ):
        said = file_error(error_of(open, tmp_path / missing), made_by)
        assert said == f"{tmp_path}/{missing}: No such file or directory; {cure}"
    error = error_of(open, tmp_path / "talks/train.jsonl")
    said = file_error(error, made_by, {"talks/*.jsonl": "--talks", "tokenizer.json": "--tokenizer"})
    assert said.endswith("`talks` makes it, as `make train` does; --talks takes another")


def test_files_and_folders_that_were_mistaken_for_each_other_come_with_the_rule(tmp_path):
    (tmp_path / "file").touch()
    for work, path, rule in (
        (open, tmp_path, "it must be a file"),
        (os.mkdir, tmp_path / "file", "it must be a folder, or not be there yet"),
        (open, tmp_path / "file" / "x", "what stands before the last / must be a folder"),
    ):
        assert file_error(error_of(work, path)).endswith(f"; {rule}")


def test_an_error_of_no_file_is_said_as_it_is():
    assert file_error(OSError("no room")) == "no room"


@pytest.fixture
def parser():
    parser = Parser(prog="tool")
    sample = parser.add_subparsers(required=True, metavar="COMMAND").add_parser("sample")
    sample.add_argument("--temperature")
    return parser


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--temprature=3"], "unrecognized arguments: --temprature=3 (do you mean --temperature?)"),
        (["--xyz"], "unrecognized arguments: --xyz"),
        (["--lr"], "unrecognized arguments: --lr"),  # a little like --help, which is not meant
        (["--temperature"], "argument --temperature: expected one argument"),
    ],
)
def test_a_mistyped_flag_is_answered_by_the_command_it_was_given_to(parser, capsys, words, said):
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(["sample", *words])
    assert caught.value.code == 2
    assert capsys.readouterr().err == f"tool sample: {said}; see tool sample --help\n"
