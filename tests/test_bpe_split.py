"""Cutting text into chunks, and text to bytes and back."""

import unicodedata

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st
from tiktoken_ext import openai_public
from tokenizers import Regex, pre_tokenizers

from bpe import split
from bpe.split import GPT2, GPT4, PATTERNS, Splitter, special_tokens_regex, to_bytes, to_text

# The patterns as tiktoken publishes them. `regex` reads them, Oniguruma would not.
PUBLISHED = {
    "gpt4": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+"
    r"| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    "gpt2": r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s",
}

with pytest.MonkeyPatch.context() as patch:  # without the ranks, which would be downloaded
    patch.setattr(openai_public, "load_tiktoken_bpe", lambda *args, **named: {})
    PUBLISHED["gpt4o"] = openai_public.o200k_base()["pat_str"]

# What the patterns tell apart, thickly sown: contractions, digits, line ends, white space, letters
# of several kinds, a combining accent, slashes, a lone surrogate.
MARKED = st.text(
    st.sampled_from("'sStTlLvVrReEſ1２½/ǅʰ \n\r\t\u00a0\u2028\x85a日é\u0301.,!\ud83d😀")
)
ANY_TEXT = MARKED | st.text(st.characters())


def assigned_long_ago(char: str) -> bool:
    # `regex` and Oniguruma follow different versions of Unicode; both know what 3.2 had.
    return unicodedata.ucd_3_2_0.category(char) not in ("Cn", "Cs")


VALID_TEXT = st.text(
    st.sampled_from("'sSdtlLvVrReE19 \n\r\t\u00a0\u2028\x85aßſ日é\u0301.,!½")
    | st.characters(exclude_categories=["Cs", "Cn"]).filter(assigned_long_ago)
)


@pytest.mark.parametrize("name", PATTERNS)
class TestNamedPatterns:
    @given(text=ANY_TEXT)
    def test_chunks_joined_are_the_text(self, name, text):
        chunks = Splitter(name).chunks(text)
        assert "".join(chunks) == text
        assert "" not in chunks

    @given(text=ANY_TEXT)
    def test_chunks_are_those_of_the_published_pattern(self, name, text):
        assert Splitter(name).chunks(text) == regex.findall(PUBLISHED[name], text)

    @given(text=VALID_TEXT)
    def test_oniguruma_reads_the_pattern_alike(self, name, text):
        splitter = Splitter(name)
        theirs = pre_tokenizers.Split(Regex(splitter.pattern), "isolated")
        assert [chunk for chunk, _ in theirs.pre_tokenize_str(text)] == splitter.chunks(text)

    @given(texts=st.lists(ANY_TEXT, max_size=8), size=st.integers(0, 8))
    def test_blocks_have_the_chunks_of_the_whole(self, name, texts, size):
        text = " ".join(texts)
        splitter = Splitter(name)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(split, "BLOCK_CHARS", size)
            blocks = list(splitter.blocks(text))
        assert "".join(blocks) == text
        chunks = [chunk for block in blocks for chunk in splitter.chunks(block)]
        assert chunks == splitter.chunks(text)


def test_blocks_of_long_text_are_short():
    blocks = list(Splitter("gpt4").blocks("some words \r\n" * 300_000))
    assert len(blocks) == 4
    assert max(map(len, blocks)) < split.BLOCK_CHARS + 100


@pytest.mark.parametrize(
    ("text", "chunks"),
    [
        ("it's DON'T we'll", ["it", "'s", " DON", "'T", " we", "'ll"]),
        ("(word) word", ["(word", ")", " word"]),
        ("1234567", ["123", "456", "7"]),
        ("end };\n\nx", ["end", " };\n\n", "x"]),
        ("a \n  \n  b", ["a", " \n  \n", " ", " b"]),
        ("a  \n  ", ["a", "  \n  "]),
        ("a   b", ["a", "  ", " b"]),
        ("a 1", ["a", " ", "1"]),
    ],
)
def test_each_alternative_of_gpt4(text, chunks):
    assert Splitter("gpt4").chunks(text) == chunks


@pytest.mark.parametrize(
    ("text", "chunks"),
    [
        ("it's DON'T", ["it", "'s", " DON", "'", "T"]),
        ("(word) 1234", ["(", "word", ")", " 1234"]),
        ("a \n  b", ["a", " \n ", " b"]),
        ("a\n", ["a", "\n"]),
        ("a\n1", ["a", "\n", "1"]),
    ],
)
def test_each_alternative_of_gpt2(text, chunks):
    assert Splitter("gpt2").chunks(text) == chunks


@pytest.mark.parametrize(
    ("text", "chunks"),
    [
        ("CamelCase's DOGS", ["Camel", "Case's", " DOGS"]),
        ("JSONText 日本", ["JSONText", " 日本"]),
        ("E\u0301te\u0301", ["E\u0301te\u0301"]),
        ("12345 a://\n", ["123", "45", " a", "://\n"]),
        (" \n\n  x ", [" \n\n", " ", " x", " "]),
    ],
)
def test_each_alternative_of_gpt4o(text, chunks):
    assert Splitter("gpt4o").chunks(text) == chunks


def test_a_pattern_may_be_given_by_name_or_in_full():
    assert Splitter("gpt4").pattern == Splitter(GPT4).pattern == GPT4
    assert Splitter("gpt2").pattern == GPT2


def test_a_pattern_of_ones_own_may_have_groups():
    assert Splitter(r"(a)+|(?s:.)").chunks("aab\n") == ["aa", "b", "\n"]


def test_a_pattern_of_ones_own_is_not_cut_into_blocks(monkeypatch):
    monkeypatch.setattr(split, "BLOCK_CHARS", 1)
    assert list(Splitter(r"(?s:.+)").blocks("a b c")) == ["a b c"]


@pytest.mark.parametrize(
    ("pattern", "text", "place"),
    [("[a-z]+", "ab1c", "'1' at character 2"), ("[a-z]+", "ab\n", r"'\n' at character 2")],
)
def test_a_pattern_that_leaves_text_out_is_refused(pattern, text, place):
    with pytest.raises(ValueError, match=rf"leaves out {regex.escape(place)}; it must match every"):
        Splitter(pattern).chunks(text)


def test_a_pattern_that_does_not_compile_is_refused():
    with pytest.raises(ValueError, match=r"pattern is '\(a'; it must be gpt4, gpt2, gpt4o or a "):
        Splitter("(a")


def test_special_tokens_are_found_longest_first():
    find = special_tokens_regex(["<|a|>", "<|a|><|b|>", "|"])
    assert find.split("x<|a|><|b|>y<|a|>|") == ["x", "<|a|><|b|>", "y", "<|a|>", "", "|", ""]


def test_without_special_tokens_none_is_found():
    assert special_tokens_regex([]).split("any text") == ["any text"]


@given(ANY_TEXT)
def test_to_text_inverts_to_bytes(text):
    assert to_text(to_bytes(text)) == text


def test_surrogates_in_text_stay_apart():
    assert to_text(to_bytes("\ud83d\ude00")) == "\ud83d\ude00" != "😀"


@given(st.binary())
def test_any_bytes_give_text_and_what_is_invalid_is_replaced(data):
    text = to_text(data)
    if not split.SURROGATE_BYTES.search(data):
        assert text == data.decode("utf-8", "replace")


def test_surrogates_survive_beside_invalid_bytes():
    assert to_text(b"a\xff\xed\xa0\xbd\xed\xa0") == "a\ufffd\ud83d\ufffd\ufffd"


def test_what_finds_special_tokens_is_compiled_once():
    texts = [f"<|reserved_{i}|>" for i in range(2000)]
    assert special_tokens_regex(texts) is special_tokens_regex(reversed(texts))
    assert special_tokens_regex(texts).split("a<|reserved_17|>")[1] == "<|reserved_17|>"
