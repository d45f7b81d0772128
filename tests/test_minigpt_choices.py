"""Tasks: reading them, scoring them, and what guessing gives."""

import json
import math

import numpy as np
import pytest
from minigpt_examples import example_tokenizer, small_model

from minigpt.choices import (
    LENGTHS,
    Item,
    answer_all,
    centred,
    chance_of,
    examples,
    is_right,
    join,
    read_task,
    section,
    sequence,
)
from minigpt.parallel import Workers
from minigpt.subject import Scored, Subject

GOOD = {"query": "one", "choices": ["a", "b"], "gold": 1}
EXACT = {"context": "one", "continuation": "two"}


@pytest.fixture(scope="module")
def subject():
    with Workers(2) as workers:
        yield Subject(small_model(n_positions=32), example_tokenizer(), workers, quiet=True)


def write(path, *lines):
    path.write_text("".join((x if isinstance(x, str) else json.dumps(x)) + "\n" for x in lines))
    return path


def test_both_kinds_of_lines_are_read(tmp_path):
    assert (
        read_task(write(tmp_path / "a.jsonl", GOOD, "", GOOD)) == [Item("one", ("a", "b"), 1)] * 2
    )
    (item,) = read_task(write(tmp_path / "b.jsonl", EXACT))
    assert (item.query, item.answer, item.is_exact) == ("one", "two", True)


def test_a_byte_order_mark_is_no_harm(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(GOOD).encode())
    assert len(read_task(path)) == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "no valid JSON"),
        ("[1]", "a list; it must be an object"),
        ("{}", "neither choices nor continuation"),
        ({"query": "a", "choices": ["b", "c"]}, "gold is null; it must be the number"),
        (GOOD | {"gold": 2}, "gold is 2; .* from 0 to 1"),
        (GOOD | {"gold": True}, "gold is true"),
        (GOOD | {"gold": "1"}, 'gold is "1"'),
        (GOOD | {"query": None}, "query is null; it must be text"),
        (GOOD | {"choices": "ab"}, 'choices is "ab"; it must be a list of strings'),
        (GOOD | {"choices": ["a"]}, "must hold 2 at least, none empty"),
        (GOOD | {"choices": ["a", ""]}, "must hold 2 at least, none empty"),
        ({"context": 1, "continuation": "a"}, "context is 1; it must be text"),
        ({"context": "a", "continuation": ""}, "continuation is empty"),
        (EXACT, "multiple choice and exact match are mixed"),
        ("[" * 100_000, "no valid JSON"),
    ],
)
def test_a_malformed_line_is_named_by_file_and_number(tmp_path, line, message):
    path = write(tmp_path / "my.jsonl", GOOD, line)
    with pytest.raises(ValueError, match=rf"my.jsonl, line 2: .*{message}"):
        read_task(path)


def test_bytes_that_are_no_text_are_named(tmp_path):
    path = tmp_path / "my.jsonl"
    path.write_bytes(b'{"query": "\xff"}\n')
    with pytest.raises(ValueError, match=r"my.jsonl, line 1: byte 0xff is not UTF-8"):
        read_task(path)


def test_an_empty_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"a.jsonl is empty"):
        read_task(write(tmp_path / "a.jsonl", ""))


@pytest.mark.parametrize(
    ("query", "choice", "joined"),
    [
        ("a", "b", "a b"),
        ("a ", "b", "a b"),
        ("a", " b", "a b"),
        ("a\n", "b", "a\nb"),
        ("", "b", "b"),
    ],
)
def test_one_space_stands_between_query_and_choice(query, choice, joined):
    assert join(query, choice) == joined


def test_what_is_scored_is_the_choice_alone(subject):
    item = Item("the list", ("returns the", "is"), 0)
    for choice in item.choices:
        ids, n = sequence(subject, "", item, choice)
        assert ids[0] == subject.separator
        assert subject.decode(ids[1:]) == f"the list {choice}"
        assert subject.decode(ids[-n:]).strip() == choice


def test_losses_are_divided_as_asked():
    item = Item("q", ("a", "bbbb"), 0)
    short = Scored(np.array([3.0]), np.zeros(0, bool))
    long = Scored(np.array([2.0, 2.0]), np.zeros(0, bool))
    assert is_right(item, [short, long], "none")  # 3 < 4
    assert not is_right(item, [short, long], "tokens")  # 3 > 2
    assert not is_right(item, [short, long], "bytes")  # 3 > 1


def test_an_exact_match_must_be_exact():
    item = Item("q", ("ab",), 0)
    losses = np.array([9.0, 9.0])
    assert is_right(item, [Scored(losses, np.array([True, True]))])
    assert not is_right(item, [Scored(losses, np.array([True, False]))])


def test_greedy_scores_agree_with_greedy_writing(subject):
    prompt = [subject.separator, *subject.encode("the list")]
    (written,) = subject.write("", [prompt], 6, temperature=0)
    changed = [*written[:-1], (written[-1] + 1) % 256]
    sequences = [([*prompt, *written], len(written)), ([*prompt, *changed], len(changed))]
    same, other = subject.score("", sequences, greedy=True)
    assert same.likeliest.all()
    assert other.likeliest[:-1].all()
    assert not other.likeliest[-1]


def test_scores_do_not_depend_on_what_is_scored_beside_them(subject):
    texts = ["the", "the list returns a value", "a", "every object of the file and the index"]
    sequences = [([subject.separator, *subject.encode(t)], len(subject.encode(t))) for t in texts]
    together = subject.score("", sequences)
    with_logits = subject.score("", sequences, greedy=True)
    for sequence_, a, b in zip(sequences, together, with_logits, strict=True):
        (alone,) = subject.score("", [sequence_])
        np.testing.assert_allclose(a.losses, alone.losses, rtol=1e-4)
        np.testing.assert_allclose(b.losses, alone.losses, rtol=1e-4)


def test_what_is_longer_than_the_window_keeps_its_end(subject):
    ids = subject.encode("the list returns a value when every object is not called " * 9)
    (scored,) = subject.score("", [(ids, len(ids) - 1)])
    (end,) = subject.score("", [(ids[-subject.window - 1 :], subject.window)])
    np.testing.assert_allclose(scored.losses, end.losses)


def test_guessing_is_zero_and_perfection_one():
    assert centred(0.25, 0.25) == 0
    assert centred(1.0, 0.25) == 1
    assert math.isclose(centred(0.625, 0.25), 0.5)
    assert chance_of([Item("", ("a", "b"), 0), Item("", ("a", "b", "c", "d"), 0)]) == 0.375
    assert chance_of([Item("", ("a",), 0)]) == 0


def test_examples_are_others_with_their_answers():
    items = [Item(f"q{i}", (f"a{i}", "x"), 0) for i in range(5)]
    text = examples(items, 2, 3, np.random.default_rng(0))
    assert text.count("\n\n") == 3
    assert "q2" not in text
    assert examples(items[:1], 0, 3, np.random.default_rng(0)) == ""


def test_tasks_of_both_kinds_make_a_table(tmp_path, subject):
    files = [write(tmp_path / "mc.jsonl", *[GOOD] * 4), write(tmp_path / "lm.jsonl", EXACT, EXACT)]
    found = section(answer_all(subject, files, shots=1), shots=1)
    rows = {row[0]: row for row in found["parts"][1]["rows"]}
    assert rows["mc"][1:3] == ["multiple choice", 4]
    assert rows["mc"][5] == 0.5
    assert rows["lm"][1:4] == ["exact match", 2, 0.0]
    assert "mean centred" in found["headline"]


def test_files_of_one_name_are_two_tasks(tmp_path, subject):
    for folder in ("easy", "hard"):
        (tmp_path / folder).mkdir()
    files = [write(tmp_path / f"{folder}/arc.jsonl", GOOD) for folder in ("easy", "hard")]
    files.append(write(tmp_path / "piqa.jsonl", GOOD))
    names = [row[0] for row in section(answer_all(subject, files))["parts"][1]["rows"]]
    assert names == [str(tmp_path / "easy/arc"), str(tmp_path / "hard/arc"), "piqa"]


def test_the_loss_of_a_choice_is_divided_by_its_tokens_bytes_or_nothing():
    item = Item("q", ("ab", "€€"), 0)  # 2 bytes and 6
    scored = [Scored(np.full(n, nats), np.zeros(0, bool)) for n, nats in ((3, 1.0), (2, 2.4))]
    # a token 1.0 and 2.4, a byte 1.5 and 0.8, in all 3.0 and 4.8
    right = {length: is_right(item, scored, length) for length in LENGTHS}
    assert right == {"tokens": True, "bytes": False, "none": True}
