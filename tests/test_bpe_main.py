"""The command line: what it prints, what it writes, and how it refuses."""

import gzip
import io
import json
import subprocess
import sys

import pytest

import bpe
from bpe import Tokenizer
from bpe.__main__ import main, text_size

TEXT = (
    "The tide comes in, the tide goes out; the tide's tide. Ebbe und Flut, und wieder Flut é\n" * 4
)


@pytest.fixture
def text_file(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return str(path)


@pytest.fixture
def trained(tmp_path):
    path = tmp_path / "tokenizer" / "tokenizer.json"
    bpe.train([TEXT], 290, special_tokens=["<|endoftext|>"]).save(path)
    return str(path)


def failure(argv, capfd) -> str:
    """Run a command that must end with exit status 2 and one line on stderr; return the line."""
    assert main(argv) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("bpe: ")
    assert err.count("\n") == 1
    return err


def test_train_writes_a_tokenizer_and_a_report(tmp_path, text_file, capsys):
    lines = tmp_path / "more.jsonl.gz"
    lines.write_bytes(gzip.compress(b'{"text": "tide"}\n{"text": "flood"}\n'))
    path = tmp_path / "out" / "tokenizer.json"
    argv = ["train", text_file, str(lines), "--vocab-size", "290", "-o", str(path)]
    assert main(argv) == 0
    out, err = capsys.readouterr()
    assert err == ""
    tokenizer = Tokenizer.load(path)
    report = json.loads((path.parent / "training.json").read_text(encoding="utf-8"))
    num_tokens = sum(len(tokenizer.encode(text)) for text in (TEXT, "tide", "flood"))
    num_bytes = len(TEXT.encode()) + 9
    assert report.pop("seconds") > 0
    assert report == {
        "stage": "tokenizer",
        "vocab_size": 290,
        "documents": 3,
        "bytes": num_bytes,
        "tokens": num_tokens,
        "bytes_per_token": round(num_bytes / num_tokens, 4),
    }
    assert list(tokenizer.special_tokens) == ["<|endoftext|>"]
    assert f"{path}: 290 symbols, {num_bytes / num_tokens:.2f} bytes per token" in out
    assert "longest ' wiede' ' Flut' ' tide'" in out


def test_a_token_longer_than_a_line_is_cut_where_it_is_shown(tmp_path, capsys):
    path = tmp_path / "blank.txt"
    path.write_text(" \n \n" * 1000)
    argv = ["train", str(path), "-o", str(tmp_path / "t.json"), "--vocab-size", "2048"]
    assert main([*argv, "--at-most"]) == 0
    out = capsys.readouterr().out
    assert len(out.split("longest ")[1]) < 5 * 70


def test_a_vocabulary_of_256_is_the_bytes_alone_with_special_tokens_on_top(tmp_path, text_file):
    path = tmp_path / "a.json"
    argv = ["train", text_file, "--vocab-size", "256", "-o", str(path)]
    assert main(argv) == 0
    tokenizer = Tokenizer.load(path)
    assert (tokenizer.n_vocab, tokenizer.eot_token, len(tokenizer.merges)) == (257, 256, 0)
    assert len(tokenizer.encode(TEXT)) == len(TEXT.encode())
    assert main([*argv, "--special", "<|a|>", "--special", "<|b|>"]) == 0
    assert Tokenizer.load(path).n_vocab == 258


def test_train_takes_a_pattern_special_tokens_and_another_format(tmp_path, text_file):
    path = tmp_path / "a.json"
    argv = ["train", text_file, "--pattern", "gpt2", "--vocab-size"]
    main([*argv, "270", "-o", str(path), "--special", "<|a|>", "--special", "<|b|>"])
    assert Tokenizer.load(path).special_tokens == {"<|a|>": 268, "<|b|>": 269}
    ranks = tmp_path / "a.tiktoken"
    main([*argv, "269", "-o", str(ranks)])
    assert Tokenizer.load(ranks, "gpt2").merges == Tokenizer.load(path).merges


def test_encode_prints_ids_and_pieces(trained, capsys):
    assert main(["encode", "--tokenizer", trained, " tide é€"]) == 0
    ids, pieces = capsys.readouterr().out.splitlines()
    assert [int(id) for id in ids.split()] == Tokenizer.load(trained).encode(" tide é€")
    assert pieces.startswith("' tide' ")
    assert pieces.endswith("b'\\xe2' b'\\x82' b'\\xac'")


def test_encode_takes_special_text_as_text_unless_told(trained, capsys):
    main(["encode", "--tokenizer", trained, "<|endoftext|>"])
    assert "289" not in capsys.readouterr().out.split()
    main(["encode", "--tokenizer", trained, "<|endoftext|>", "--allow-special"])
    assert capsys.readouterr().out == "289\n'<|endoftext|>'\n"


def test_decode_prints_the_bytes(trained, capfdbinary):
    ids = Tokenizer.load(trained).encode("tide é")
    assert main(["decode", "--tokenizer", trained, *map(str, ids)]) == 0
    assert capfdbinary.readouterr().out == "tide é\n".encode()
    assert main(["decode", "--tokenizer", trained, "255"]) == 0
    assert len(capfdbinary.readouterr().out) == 2


def type_in(monkeypatch, data: bytes) -> None:
    """Give `data` as standard input."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))


def test_what_encode_prints_of_a_file_or_of_standard_input_decode_turns_back(
    trained, text_file, capfdbinary, monkeypatch
):
    for words, data in ((["--file", text_file], b""), ([], TEXT.encode())):
        type_in(monkeypatch, data)
        assert main(["encode", "--tokenizer", trained, *words]) == 0
        type_in(monkeypatch, capfdbinary.readouterr().out)
        assert main(["decode", "--tokenizer", trained]) == 0
        assert capfdbinary.readouterr().out == f"{TEXT}\n".encode()


def test_line_ends_of_windows_are_encoded_as_they_are(trained, tmp_path, capfdbinary, monkeypatch):
    path = tmp_path / "windows.txt"
    path.write_bytes(b"the tide\r\ngoes out\r\n")
    assert main(["encode", "--tokenizer", trained, "--file", str(path)]) == 0
    type_in(monkeypatch, capfdbinary.readouterr().out)
    assert main(["decode", "--tokenizer", trained]) == 0
    assert capfdbinary.readouterr().out == path.read_bytes() + b"\n"


def test_input_that_is_no_text_or_no_ids_is_refused(trained, capfd, monkeypatch):
    type_in(monkeypatch, b"tid\xe9")
    message = "standard input: byte 0xe9 at offset 3 is not text; it must be UTF-8"
    assert message in failure(["encode", "--tokenizer", trained], capfd)
    message = "TEXT: byte 0xe9 at offset 3 is not text"  # so the system gives such an argument
    assert message in failure(["show", "--tokenizer", trained, "tid\udce9"], capfd)
    type_in(monkeypatch, b"64 tide\n")
    message = "id is 'tide'; it must be a whole number, as encode prints them"
    assert message in failure(["decode", "--tokenizer", trained], capfd)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--vocab-size", "200"], "vocab_size is 200; it must be at least 257, so that every byte"),
        (["--vocab-size", "50000"], "vocab_size is 50000, but this text gives at most "),
        (["--vocab-size", "300", "--special", ""], "special token is ''; it must be text of two"),
        (["--vocab-size", "300", "--pattern", "("], "pattern is '('; it must be gpt4, gpt2, gpt"),
        (["--vocab-size", "300", "--pattern", r"\w+"], r"pattern '\\w+' leaves out ' ' at charac"),
    ],
)
def test_bad_flags_are_one_line_and_exit_status_2(tmp_path, text_file, capfd, flags, message):
    path = tmp_path / "out" / "tokenizer.json"
    assert message in failure(["train", text_file, "-o", str(path), *flags], capfd)
    assert not path.exists()


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("none.txt", None, "none.txt: No such file or directory"),
        ("empty.txt", b"", "empty; a document must have text"),
        ("image.txt", b"\x89PNG\r\n", "byte 0x89 at offset 0 is not text"),
        ("short.txt.gz", gzip.compress(b"text", mtime=0)[:-4], "damaged or truncated gzip"),
        ("stub.gz", b"\x1f", "damaged or truncated gzip"),
        ("bad.jsonl", b"{}", "bad.jsonl, line 1"),
    ],
)
def test_bad_files_are_one_line_and_exit_status_2(tmp_path, capfd, name, data, message):
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    assert message in failure(["train", str(path), "--vocab-size", "300"], capfd)


def test_bad_ids_and_tokenizers_are_refused(trained, text_file, tmp_path, capfd):
    message = "id is 290; it must be at least 0 and below n_vocab, 290"
    assert message in failure(["decode", "--tokenizer", trained, "290"], capfd)
    assert "no valid JSON" in failure(["encode", "--tokenizer", text_file, "x"], capfd)
    assert "No such file" in failure(["encode", "--tokenizer", str(tmp_path / "x"), "x"], capfd)


def test_a_pipe_that_nobody_reads_ends_it_quietly(tmp_path, trained):
    (tmp_path / "text.txt").write_text("the cat and the hat\n" * 20_000)
    words = ["show", "--file", tmp_path / "text.txt", "--tokenizer", trained]
    command = [sys.executable, "-m", "bpe", *map(str, words)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        running.stdout.close()
        assert running.stderr.read() == ""
        assert running.wait(60) == 1


@pytest.mark.parametrize("argv", [[], ["train"], ["decode", "x"], ["train", "x"], ["sing"]])
def test_a_mistyped_command_is_exit_status_2(argv, capsys):
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("python -m bpe")
    assert said.endswith(" --help\n") and said.count("\n") == 1


def test_ctrl_c_is_exit_status_130(monkeypatch, trained, capfd):
    def interrupted(*_):
        raise KeyboardInterrupt

    for place in ("bpe.tokenizer.Tokenizer.load", "bpe.__main__.build_parser"):
        monkeypatch.setattr(place, interrupted)
        assert main(["encode", "--tokenizer", trained, "x"]) == 130
        assert capfd.readouterr().err == "bpe: interrupted\n"


@pytest.mark.parametrize("command", ["train", "encode", "decode", "show", "merges", "stats"])
def test_help_has_an_example(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert f"Example: python -m bpe {command} " in capsys.readouterr().out


def test_it_runs_as_a_module(trained):
    command = [sys.executable, "-m", "bpe", "encode", "--tokenizer", trained, " tide"]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    assert done.stdout.splitlines()[1] == "' tide'"


def test_text_size_looks_into_gzip(tmp_path, text_file):
    packed = tmp_path / "text.gz"
    packed.write_bytes(gzip.compress(TEXT.encode()))
    assert text_size(text_file) == text_size(str(packed)) == len(TEXT.encode())


def test_at_most_is_content_with_fewer_symbols(text_file, tmp_path):
    path = tmp_path / "tokenizer.json"
    assert main(["train", text_file, "--vocab-size", "9999", "--at-most", "-o", str(path)]) == 0
    report = json.loads((tmp_path / "training.json").read_text())
    assert report["vocab_size"] == Tokenizer.load(path).n_vocab < 9999
