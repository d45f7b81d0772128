"""The trade-off between symbols and tokens: the figures, the table, the picture."""

import builtins
import random

import pytest

import bpe
from bpe import look, stats
from bpe.__main__ import main
from bpe.stats import Point

TEXTS = ["The tide comes in, the tide goes out; the tide's tide.\n" * 9, "Ebbe und Flut, é"]
NUM_BYTES = sum(len(text.encode()) for text in TEXTS)


def test_learned_points_are_what_training_and_encoding_give():
    num_bytes, points = stats.measure(TEXTS, 270, "gpt4")
    assert num_bytes == NUM_BYTES
    assert points[0] == Point(256, NUM_BYTES)
    tokenizer = bpe.train(TEXTS, 270)
    assert points[1:] == [Point(270, sum(map(len, tokenizer.encode_batch(TEXTS))))]


def test_the_symbols_double_until_nothing_is_left_to_merge():
    letters = random.Random(2)
    text = "".join(letters.choices("abcdefgh", k=5000))
    _, points = stats.measure([text], 1000, "gpt4")
    assert [point.symbols for point in points] == [256, 512, 1000]
    for point in points:
        tokenizer = bpe.train([text], point.symbols)
        assert point.tokens == len(tokenizer.encode(text))
    _, points = stats.measure([text], 100_000, "gpt4")
    *_, before, last = (point.symbols for point in points)
    assert before.bit_count() == 1
    assert before < last <= 2 * before
    assert points[-1].tokens == 1


def test_other_tokenizers_stand_beside():
    other = bpe.train(["Flut"], 258, "gpt2", special_tokens=["<|endoftext|>"])
    _, points = stats.measure(TEXTS, 256, "gpt4", [("other", other)])
    assert points[1] == Point(258, sum(map(len, other.encode_batch(TEXTS))), "other")


def test_only_so_many_characters_are_taken():
    assert stats.head(["abc", "", "def"], 6) == (["abc", "", "def"], False)
    assert stats.head(["abc", "def"], 5) == (["abc", "de"], True)
    assert stats.head(iter(["abc", "def"]), 3) == (["abc", ""], True)


def test_the_table_is_in_the_order_of_symbols():
    points = [Point(256, 1000), Point(512, 500), Point(400, 800, "theirs")]
    rows = stats.table(1000, points).splitlines()
    assert rows[0].split() == ["symbols", "tokens", "bytes/token", "saved"]
    assert rows[1].split() == ["256", "1,000", "1.00", "█" * 40]
    assert rows[2].split() == ["400", "800", "1.25", "█" * 32, "theirs"]
    assert rows[3].split() == ["512", "500", "2.00", "50%", "█" * 20]


@pytest.mark.parametrize(("ending", "begins"), [(".png", b"\x89PNG"), (".svg", b"<?xml")])
def test_a_picture_is_drawn(tmp_path, ending, begins):
    pytest.importorskip("matplotlib")
    path = tmp_path / f"picture{ending}"
    stats.plot(path, "title", 1000, [Point(256, 1000), Point(512, 500), Point(400, 800, "theirs")])
    assert path.read_bytes().startswith(begins)


class TestCommand:
    @pytest.fixture
    def file(self, tmp_path):
        path = tmp_path / "tide.txt"
        path.write_text("".join(TEXTS), encoding="utf-8")
        return str(path)

    def refusal(self, argv, capfd) -> str:
        assert main(["stats", *argv]) == 2
        out, err = capfd.readouterr()
        assert out == "" and err.startswith("bpe: ") and err.count("\n") == 1
        return err

    def test_it_prints_a_table(self, file, tmp_path, capsys):
        bpe.train(TEXTS, 280).save(tmp_path / "other.json")
        assert main(["stats", file, "--tokenizer", str(tmp_path / "other.json")]) == 0
        first, _, bytes_row, *_, last = capsys.readouterr().out.splitlines()
        assert first == f"{look.shorten(file)}: {NUM_BYTES:,} bytes"
        assert bytes_row.split()[:3] == ["256", f"{NUM_BYTES:,}", "1.00"]
        assert last.endswith("symbols every chunk is one token: there is nothing left to merge")

    def test_it_says_when_it_looked_at_a_part(self, file, capsys):
        main(["stats", file, "--max-chars", "50", "--max-vocab", "260"])
        out = capsys.readouterr().out
        assert "50 bytes, its first 50 characters (more with --max-chars)" in out
        assert "nothing left to merge" not in out

    def test_it_draws_a_picture(self, file, tmp_path, capsys):
        pytest.importorskip("matplotlib")
        picture = tmp_path / "picture.svg"
        main(["stats", file, "--max-vocab", "300", "--plot", str(picture)])
        assert "vocabulary" in picture.read_text(encoding="utf-8")
        assert capsys.readouterr().out.endswith(f"{picture}\n")

    def test_without_matplotlib_it_says_how_to_get_it(self, file, capfd, monkeypatch):
        def no_matplotlib(name, *rest):
            if name.startswith("matplotlib"):
                raise ImportError(name)
            return importing(name, *rest)

        importing = builtins.__import__
        monkeypatch.setattr(builtins, "__import__", no_matplotlib)
        message = self.refusal([file, "--plot", "a.png"], capfd)
        assert "--plot needs matplotlib, which is not installed: pip install matplotlib" in message

    @pytest.mark.parametrize(
        ("flags", "message"),
        [
            (["--max-vocab", "255"], "max_vocab is 255; it must be at least 256, so that every"),
            (["--max-chars", "0"], "--max-chars is 0; it must be at least 1"),
            (["--plot", "a.gif"], "--plot is a.gif; it must end in .png, .svg, .pdf"),
            (["--pattern", "("], "pattern is '('; it must be gpt4, gpt2, gpt4o or a"),
            (["--tokenizer", "none.json"], "none.json: No such file or directory"),
        ],
    )
    def test_bad_flags_are_refused(self, file, capfd, flags, message):
        assert message in self.refusal([file, *flags], capfd)

    def test_a_text_without_a_character_is_refused(self, tmp_path, capfd):
        (tmp_path / "empty.jsonl").write_text('{"text": ""}\n', encoding="utf-8")
        message = self.refusal([str(tmp_path / "empty.jsonl")], capfd)
        assert "the texts are empty; there must be text to measure" in message
