"""The fast trainer against the naive one, and against Hugging Face `tokenizers`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

import bpe
from bpe import naive
from bpe.split import Splitter, to_bytes
from bpe.train import learn_merges, train_with_report

# Few letters make runs, ties and overlaps; the rest of Unicode makes tokens of part of a character.
CHUNK = st.text("ab", max_size=40) | st.text("abcde ", max_size=20) | st.text(st.characters())
SAMPLE = (
    "The kettle sang, the kettle sang and sang; nobody heard it. It's 1234 o'clock, they'd said!\n"
    "Später hörten sie den Kessel doch, und der Kessel sang.\n\n    return kettle[0] + kettle[1]\n"
    "やかんが歌う、やかんが歌う。 😀😀 aaaaaaaaaa aaaaa aaa\n"
) * 3


@given(st.dictionaries(CHUNK, st.integers(1, 1000), max_size=8), st.integers(0, 60))
def test_merges_are_those_of_the_naive_trainer(counts, num_merges):
    counts = {to_bytes(chunk): count for chunk, count in counts.items()}
    merges, num_tokens = learn_merges(counts, num_merges)
    # The naive trainer knows no counts: it sees small ones as repetition.
    small = {chunk: count % 7 + 1 for chunk, count in counts.items()}
    text = [chunk for chunk, count in small.items() for _ in range(count)]
    assert learn_merges(small, num_merges)[0] == naive.train(text, num_merges)
    lengths = [len(naive.encode(chunk, merges)) for chunk in counts]
    assert num_tokens == sum(n * count for n, count in zip(lengths, counts.values(), strict=True))


def test_training_text_is_learning_from_its_chunks():
    chunks = [to_bytes(chunk) for chunk in Splitter("gpt4").chunks(SAMPLE)]
    merges = naive.train(chunks, 60)
    assert bpe.train([SAMPLE], 256 + 60).merges == merges
    assert bpe.train([SAMPLE], 256 + 61, special_tokens=["<|end|>"]).merges == merges


@pytest.mark.parametrize("pattern", ["gpt4", "gpt2"])
def test_merges_are_those_of_tokenizers(pattern):
    theirs = Tokenizer(models.BPE())
    theirs.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(Splitter(pattern).pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=256 + 80, initial_alphabet=alphabet, show_progress=False
    )
    theirs.train_from_iterator([SAMPLE], trainer)
    ours = bpe.train([SAMPLE], 256 + 80, pattern)
    assert ours.encode_ordinary(SAMPLE) == theirs.encode(SAMPLE).ids
    assert theirs.get_vocab_size() == ours.n_vocab


def test_the_order_of_the_texts_does_not_matter():
    lines = SAMPLE.splitlines(keepends=True)
    assert bpe.train(lines, 300).merges == bpe.train(reversed(lines), 300).merges


def test_ids_are_bytes_then_merges_then_special_tokens():
    tokenizer = bpe.train([SAMPLE], 300, special_tokens=["<|a|>", "<|b|>"])
    assert tokenizer.n_vocab == 300
    assert tokenizer.special_tokens == {"<|a|>": 298, "<|b|>": 299}
    assert tokenizer.decode_single_token_bytes(0) == b"!"
    assert len(tokenizer.merges) == 42


def test_training_reports_what_it_saw():
    tokenizer, report = train_with_report([SAMPLE, "", SAMPLE], 300)
    assert report["vocab_size"] == 300
    assert report["documents"] == 3
    assert report["bytes"] == 2 * len(SAMPLE.encode())
    assert report["tokens"] == 2 * len(tokenizer.encode_ordinary(SAMPLE))
    assert report["bytes_per_token"] == pytest.approx(report["bytes"] / report["tokens"], abs=1e-4)


def test_nothing_is_learned_from_special_tokens():
    text = "<|end|>" * 50 + "ab"
    assert bpe.train([text], 258, special_tokens=["<|end|>"]).token_byte_values().count(b"ab") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"vocab_size": 200, "special_tokens": ["<|endoftext|>"]},
            "vocab_size is 200; it must be at least 257, so that every byte and special token has",
        ),
        ({"vocab_size": 300.5}, "vocab_size is 300.5; it must be a whole number"),
        ({"vocab_size": 255}, "vocab_size is 255; it must be at least 256, so that every byte has"),
        (
            {"vocab_size": 50_000},
            r"vocab_size is 50000, but this text gives at most (\d+) symbols; ask for \1 or fewer",
        ),
        ({"texts": []}, "the texts are empty; there must be text to learn from"),
        ({"texts": ["", ""]}, "the texts are empty"),
        ({"texts": [SAMPLE, None]}, "text is NoneType; it must be str"),
        ({"texts": [SAMPLE, b"bytes"]}, "text is bytes; it must be str"),
        ({"texts": "text"}, r"texts is one str; .* put it into a list"),
        ({"pattern": "gpt5("}, r"pattern is 'gpt5\('; it must be gpt4, gpt2, gpt4o or a"),
        ({"pattern": "[a-z]+"}, "leaves out 'T' at character 0"),
        ({"special_tokens": [""]}, "special token is ''; it must be text of two bytes or more"),
        ({"special_tokens": ["x"]}, "special token is 'x'; it must be text of two bytes or more"),
        ({"special_tokens": ["<a>", "<a>"]}, "special token is '<a>'; it must stand in the list"),
        ({"special_tokens": ["a\ud800"]}, "it must be valid Unicode"),
        ({"special_tokens": "<a>"}, r"special_tokens is '<a>'; it must be a list: write \['<a>'\]"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        bpe.train(**{"texts": [SAMPLE], "vocab_size": 300, **arguments})


def test_the_most_a_text_can_give_is_what_it_then_gives():
    text = "abcabcabd abd"
    with pytest.raises(ValueError, match="at most") as caught:
        bpe.train([text], 1000)
    most = int(str(caught.value).split("ask for ")[1].split()[0])
    assert bpe.train([text], most).n_vocab == most
