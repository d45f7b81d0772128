"""Rank files, `.tiktoken`: written, read, and damaged ones."""

import base64

import pytest
from bpe_examples import SAMPLE, SPECIALS

import bpe
from bpe import Tokenizer


@pytest.fixture(scope="module")
def good_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    bpe.train([SAMPLE], 320, special_tokens=SPECIALS).save(path)
    return path


@pytest.fixture
def path(good_file, tmp_path):
    path = tmp_path / "ranks.tiktoken"
    Tokenizer.load(good_file).save(path)
    return path


def test_a_line_is_the_token_and_its_rank(path):
    lines = path.read_bytes().splitlines()
    assert lines[0] == base64.b64encode(b"!") + b" 0"
    assert len(lines) == 317


def test_loading_gives_the_same_tokenizer(good_file, path, tmp_path):
    loaded = Tokenizer.load(path, "gpt4", special_tokens=SPECIALS)
    loaded.save(tmp_path / "tokenizer.json")
    assert (tmp_path / "tokenizer.json").read_bytes() == good_file.read_bytes()
    loaded.save(tmp_path / "again.tiktoken")
    assert (tmp_path / "again.tiktoken").read_bytes() == path.read_bytes()


def test_special_tokens_may_say_their_ids(path):
    assert Tokenizer.load(path).special_tokens == {}
    loaded = Tokenizer.load(path, special_tokens={"<|endoftext|>": 400})
    assert loaded.eot_token == 400


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:-3] + lines[-2:], "rank 314 is missing of 316; ranks must go up"),
        (lambda lines: [*lines, lines[7]], "line 318 has rank 7 a second time"),
        (lambda lines: [*lines, b"IQ=="], "line 318 is b'IQ=='; it must be base64, a space"),
        (lambda lines: [*lines, b"!!! 317"], "line 318 is b'!!! 317'"),
        (lambda lines: [*lines, b"IQ== x"], "line 318 is b'IQ== x'"),
        (lambda lines: [*lines, b"IQ== 317"], "ids 0 and 317 are both b'!'; keep one"),
        (lambda lines: [*lines, b" 317"], "token 317 is empty"),
        (
            lambda lines: [*lines, base64.b64encode(b"xyz") + b" 317"],
            "token 317 .* is 3 tokens",
        ),
        (lambda lines: lines[:200], "no token is byte 0x"),
        (lambda lines: [], "no token is byte 0x00"),
    ],
)
def test_a_damaged_file_is_refused(path, change, message):
    path.write_bytes(b"\n".join(change(path.read_bytes().splitlines())))
    with pytest.raises(ValueError, match=message) as caught:
        Tokenizer.load(path)
    assert str(path) in str(caught.value)


def test_a_line_cut_short_is_refused(path):
    content = path.read_bytes()
    for length in range(len(content) - 2, content.rindex(b"\n", 0, -1) + 1, -1):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"line 317|token 35"):
            Tokenizer.load(path)


def test_merges_in_another_order_than_their_tokens_are_not_written(tmp_path):
    tokens = dict(enumerate([*bpe.naive.vocabulary([]), b"ab", b"cd"]))
    a, b, c, d = bpe.naive.byte_ids(b"abcd")
    tokenizer = Tokenizer(tokens, [(c, d), (a, b)])
    with pytest.raises(ValueError, match=r"orders merges by what they make; save as \.json"):
        tokenizer.save(tmp_path / "ranks.tiktoken")
