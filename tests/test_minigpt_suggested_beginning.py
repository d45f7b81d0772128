"""What to ask a model whose text was trained on as it is, without documents."""

import json

import pytest

from bpe import train
from minigpt.dataset import tokenize
from minigpt.playground_suggestions import suggestions

SENTENCE = "Nobody counts paper lanterns before the ferry leaves its harbour."


def tokens_of(out, text):
    """Write the tokens of a text and their tokenizer, as `make train TEXT=` does."""
    (out / "some.txt").write_text(text, "utf-8")
    tokenizer = train([text], 257, special_tokens=["<|endoftext|>"])
    tokenizer.save(out / "tokenizer" / "tokenizer.json")
    tokenize([out / "some.txt"], tokenizer, out / "tokens")


@pytest.mark.parametrize(
    ("text", "beginning"),
    [
        (f"Ferries\n\n{SENTENCE}\n\n" * 40, "Nobody counts paper lanterns"),
        ("nobody counts paper lanterns today\n" * 40, "nobody counts paper lanterns"),
        ("Tide! " * 300, "Tide! Tide! Tide! Tide!"),
        ("潮" * 900 + "\n" + "灯" * 900, "灯" * 40),
        ("\n" * 400, None),
    ],
)
def test_of_a_text_that_was_trained_on_as_it_is_words_from_its_middle_are_suggested(
    tmp_path, text, beginning
):
    tokens_of(tmp_path, text)
    assert suggestions(tmp_path).get("beginning") == beginning


@pytest.mark.parametrize("damaged", ["tokens/train.npy", "tokenizer/tokenizer.json"])
def test_damaged_tokens_are_as_good_as_none(tmp_path, damaged):
    tokens_of(tmp_path, SENTENCE * 40)
    (tmp_path / damaged).write_bytes(b"{")
    assert suggestions(tmp_path) == {}


@pytest.mark.parametrize(
    ("asks", "names"),
    [
        (["small_talk"], []),
        (["small_talk", "own"], None),  # nobody knows what these tell of the text
    ],
)
def test_where_no_fact_was_taught_no_name_was(tmp_path, asks, names):
    path = tmp_path / "conversations" / "questions.jsonl"
    path.parent.mkdir()
    questions = [{"asks": a, "kind": a, "messages": [{"content": "Who?"}]} for a in asks]
    path.write_text("".join(json.dumps(q) + "\n" for q in questions))
    assert suggestions(tmp_path).get("taught") == names
