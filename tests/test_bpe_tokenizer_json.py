"""tokenizer.json: what `tokenizers` makes of ours, what we make of others', and damaged ones."""

import json
import unicodedata

import pytest
import tokenizers
from bpe_examples import SAMPLE, SPECIALS
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import models, pre_tokenizers, processors, trainers

import bpe
from bpe import Tokenizer
from bpe.tokenizer_json import TEXT_ALONE, spell, unspell


def assigned_long_ago(char: str) -> bool:
    # `regex` and Oniguruma follow different versions of Unicode; both know what 3.2 had.
    return unicodedata.ucd_3_2_0.category(char) not in ("Cn", "Cs")


CHARACTERS = st.characters(exclude_categories=["Cs", "Cn"]).filter(assigned_long_ago)
WORDS = ["lamp", " lamp", "'s", "'S", "300", " ", "\n", "\r\n", "電灯", "😀", *SPECIALS, "<|"]
TEXT = st.text(CHARACTERS) | st.lists(st.sampled_from(WORDS) | CHARACTERS).map("".join)


@pytest.fixture(scope="module", params=["gpt4", "gpt2"])
def pair(request, tmp_path_factory):
    """A tokenizer, what `tokenizers` reads from its file, and the file."""
    ours = bpe.train([SAMPLE], 320, request.param, SPECIALS)
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    ours.save(path)
    return ours, tokenizers.Tokenizer.from_file(str(path)), path


@pytest.fixture(scope="module")
def good_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    bpe.train([SAMPLE], 320, special_tokens=SPECIALS).save(path)
    return path


@pytest.fixture
def good(good_file):
    """What a tokenizer.json holds."""
    return json.loads(good_file.read_text(encoding="utf-8"))


class TestTokenizerJson:
    @given(text=TEXT)
    def test_tokenizers_finds_the_same_ids(self, pair, text):
        ours, theirs, _ = pair
        theirs.encode_special_tokens = False
        assert theirs.encode(text).ids == ours.encode(text, allowed_special="all")
        theirs.encode_special_tokens = True
        assert theirs.encode(text).ids == ours.encode_ordinary(text)

    @given(text=TEXT)
    def test_tokenizers_decodes_to_the_same_text(self, pair, text):
        ours, theirs, _ = pair
        assert theirs.decode(ours.encode_ordinary(text), skip_special_tokens=False) == text

    def test_the_vocabulary_is_the_same(self, pair):
        ours, theirs, _ = pair
        assert theirs.get_vocab_size() == ours.n_vocab
        assert {text: theirs.token_to_id(text) for text in SPECIALS} == ours.special_tokens

    def test_tokenizers_would_write_the_same_file(self, pair):
        _, theirs, path = pair
        assert theirs.to_str(pretty=True) == path.read_text(encoding="utf-8")

    def test_saving_what_was_loaded_gives_the_same_file(self, pair, tmp_path):
        ours, _, path = pair
        loaded = Tokenizer.load(path)
        loaded.save(tmp_path / "again.json")
        assert (tmp_path / "again.json").read_bytes() == path.read_bytes()
        assert loaded.encode(SAMPLE, "all") == ours.encode(SAMPLE, "all")

    def test_a_file_trained_and_written_by_tokenizers_is_read(self, tmp_path):
        theirs = tokenizers.Tokenizer(models.BPE())
        theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=320, special_tokens=SPECIALS, initial_alphabet=alphabet, show_progress=False
        )
        theirs.train_from_iterator([SAMPLE], trainer)
        theirs.save(str(tmp_path / "theirs.json"))
        ours = Tokenizer.load(tmp_path / "theirs.json")
        assert ours.special_tokens == {text: id for id, text in enumerate(SPECIALS)}
        assert ours.encode(SAMPLE, "all") == theirs.encode(SAMPLE).ids
        assert ours.n_vocab == 320

        # Special tokens have the first ids here, which our own file keeps.
        ours.save(tmp_path / "ours.json")
        again = tokenizers.Tokenizer.from_file(str(tmp_path / "ours.json"))
        assert again.get_vocab() == theirs.get_vocab()
        assert again.encode(SAMPLE).ids == theirs.encode(SAMPLE).ids
        with pytest.raises(
            ValueError, match=r"numbers tokens from 0 without a gap; save as \.json"
        ):
            ours.save(tmp_path / "ours.tiktoken")

    def test_ignored_merges_are_read_and_written(self, good, tmp_path):
        good["model"]["ignore_merges"] = True
        first, second = good["model"]["merges"].pop()  # the last token: no merge makes it now
        word = unspell(first + second).decode()
        path = tmp_path / "tokenizer.json"
        path.write_text(json.dumps(good), encoding="utf-8")
        ours, theirs = Tokenizer.load(path), tokenizers.Tokenizer.from_file(str(path))
        assert word in ours.splitter.chunks(SAMPLE)
        assert ours.encode(word) == [316]
        assert ours.encode(SAMPLE, "all") == theirs.encode(SAMPLE).ids
        ours.save(tmp_path / "again.json")
        assert Tokenizer.load(tmp_path / "again.json").encode(word) == [316]

    def test_merges_may_be_written_in_the_older_way(self, good, good_file, tmp_path):
        good["model"]["merges"] = [" ".join(merge) for merge in good["model"]["merges"]]
        (tmp_path / "old.json").write_text(json.dumps(good), encoding="utf-8")
        assert Tokenizer.load(tmp_path / "old.json").merges == Tokenizer.load(good_file).merges

    def test_every_byte_has_a_spelling_of_its_own(self):
        every = bytes(range(256))
        assert unspell(spell(every)) == every
        assert set(spell(every)) == set(pre_tokenizers.ByteLevel.alphabet())
        assert spell(b" the\n") == "ĠtheĊ"

    def test_a_special_token_spelled_like_an_ordinary_one_is_refused(self, tmp_path):
        tokenizer = bpe.train(["ab ab ab"], 259, special_tokens=["Ġab"])
        with pytest.raises(ValueError, match="special token 'Ġab' is how b' ab' is spelled in th"):
            tokenizer.save(tmp_path / "tokenizer.json")


def set_in(*keys_and_value):
    *keys, last, value = keys_and_value

    def change(content):
        for key in keys:
            content = content[key]
        content[last] = value

    return change


def delete_in(*keys):
    *keys, last = keys

    def change(content):
        for key in keys:
            content = content[key]
        del content[last]

    return change


SPLIT = ("pre_tokenizer", "pretokenizers", 0)
END = {"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}
WITH_END = {"type": "TemplateProcessing", "single": [*TEXT_ALONE, END]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (delete_in("model"), "'model' is missing; it must be a whole tokenizer.json"),
        (delete_in("model", "vocab", "Ġ"), "must join two tokens|no token has id 220"),
        (delete_in("model", "merges", 0), r"no merge makes token \d+, b'.*'; one must"),
        (set_in("model", "type", "WordPiece"), 'type is "WordPiece"; it must be "BPE"'),
        (set_in("model", "dropout", 0.1), "dropout is 0.1; it must be null"),
        (set_in("model", "end_of_word_suffix", "</w>"), 'end_of_word_suffix is "</w>"'),
        (set_in("model", "vocab", "Ġ", 5), "vocab gives two tokens one id"),
        (set_in("model", "vocab", "a b", 320), "token 'a b' holds ' ', which stands for no byte"),
        (set_in("model", "vocab", "ab", 999), "no token has id 3.*ids must go up without a gap"),
        (set_in("model", "vocab", "ab", "320"), "id is '320'; it must be a whole number"),
        (set_in("model", "vocab", "<|endoftext|>", 316), "has id 317, but 316 in the vocabulary"),
        (set_in("model", "merges", 0, ["a", "qq"]), r"merge \['a', 'qq'\] must join two tokens"),
        (set_in("model", "merges", 0, ["a"]), r"merge \['a'\] must join two tokens"),
        (set_in("model", "merges", 0, ["a", "q" * 5000]), r"merge \['a', 'q{73} must join two"),
        (set_in("model", "merges", 3), "not laid out as a tokenizer.json is"),
        (set_in("normalizer", {"type": "NFC"}), 'normalizer is {"type": "NFC"}; it must be null'),
        (set_in("model", "vocab", "ab", 1 << 40), "no token has id 3.*ids must go up"),
        (set_in("post_processor", {"type": "Bert"}), 'type is "Bert"; it must be "ByteLevel"'),
        (set_in("post_processor", WITH_END), r'single is .*"SpecialToken".*add tokens around'),
        (set_in("added_tokens", 0, "lstrip", True), "lstrip is true; it must be"),
        (set_in("added_tokens", 0, "content", "<|user|>"), "added_tokens hold a text twice"),
        (set_in("pre_tokenizer", {"type": "Whitespace"}), 'type is "Whitespace"; it must be "Byte'),
        (set_in("pre_tokenizer", None), "not laid out as a tokenizer.json is"),
        (set_in("pre_tokenizer", "pretokenizers", []), "not laid out as a tokenizer.json is"),
        (set_in("pre_tokenizer", "pretokenizers", 1, "add_prefix_space", True), "put the space in"),
        (set_in("pre_tokenizer", "pretokenizers", 1, "use_regex", True), "has 2 steps; the text m"),
        (set_in(*SPLIT, "behavior", "Removed"), 'behavior is "Removed"; it must be "Isolated"'),
        (set_in(*SPLIT, "pattern", "Regex", ["a"]), r"the pattern is \['a'\]"),
        (set_in(*SPLIT, "pattern", "Regex", "(a"), r"pattern is '\(a'; it must be"),
    ],
)
def test_a_tokenizer_json_that_cannot_be_followed_is_refused(good, tmp_path, change, message):
    change(good)
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(good), encoding="utf-8")
    with pytest.raises(ValueError, match=message) as caught:
        Tokenizer.load(path)
    assert str(path) in str(caught.value)


def test_a_template_that_adds_nothing_is_followed(pair, tmp_path):
    ours, _, path = pair
    theirs = tokenizers.Tokenizer.from_file(str(path))
    theirs.post_processor = processors.TemplateProcessing(single="$A", pair="$A $B:1")
    theirs.save(str(tmp_path / "tokenizer.json"))
    assert Tokenizer.load(tmp_path).encode("a kiln") == ours.encode("a kiln")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff{}", b"{}", b"[" * 100_000])
def test_what_is_no_tokenizer_json_is_refused(tmp_path, data):
    (tmp_path / "tokenizer.json").write_bytes(data)
    with pytest.raises(ValueError, match=r"tokenizer.json: .*(must be a whole|not laid out)"):
        Tokenizer.load(tmp_path / "tokenizer.json")


@given(st.data())
def test_a_truncated_tokenizer_json_is_refused(good_file, data):
    content = good_file.read_bytes()
    path = good_file.with_name("truncated.json")
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(ValueError, match="no valid JSON"):
        Tokenizer.load(path)


def test_a_tokenizer_json_says_its_own_pattern(good_file):
    with pytest.raises(ValueError, match="it says its own pattern and special tokens"):
        Tokenizer.load(good_file, pattern="gpt2")
