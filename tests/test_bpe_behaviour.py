"""What users of tiktoken, of minbpe and of CS336's first assignment rely on.

Our own tests of what their published suites hold a tokenizer to, where no other test of ours does.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bpe
from bpe import Tokenizer, naive

SAMPLE = (
    "The lighthouse keeper's log: 12 ships, 3 storms\n\n"
    "Der Leuchtturm steht seit 1887; der Wärter heißt Jörg. 两艘船！ 배 두 척! 😉\n"
    "    if ship.near(rocks):\n\t\tlamp.flash(2)\n"
) * 3
END = "<|endoftext|>"
TWICE = END + END  # one special token may contain another
ODD = [
    "[a-z]+",
    "(",
    "a|b",
    "\\",
    "^$",
    " ",
    "two words",
    "\n\n",
    "é😉",
    "(?i)x",
    ".*",
    "{2}",
    "]-[",
]
ODD = [text for text in ODD if len(text.encode()) > 1]  # a byte alone is an ordinary token
TOKENIZERS = {
    "gpt4": bpe.train([SAMPLE], 350, "gpt4", [END, TWICE]),
    "gpt2": bpe.train([SAMPLE], 350, "gpt2", [END, TWICE]),
    "odd": bpe.train([SAMPLE], 320, "gpt4", ODD),
}
each = pytest.mark.parametrize("tokenizer", TOKENIZERS.values(), ids=TOKENIZERS.keys())


@each
@pytest.mark.parametrize(
    "text",
    ["", "?", "s", "😉", "ship", "ship ", "ship  ", " ship", " ship ", " ship  ", "0" * 17,
     "two ships!!!? (배 두 척!) x21 ⛵", "Thé shïp's în, Skål 🙂", "两艘船！67890", " \x850",
     "ships\n \n", "ships\n  ", "\r\n\r\n", "\x00", "'rer 'S 'ſ", SAMPLE],
)  # fmt: skip
def test_texts_come_back(tokenizer, text):
    assert tokenizer.decode(tokenizer.encode(text, disallowed_special=())) == text
    assert tokenizer.decode(tokenizer.encode_ordinary(text)) == text


@each
@pytest.mark.parametrize("unit", ["^", "0", "a", "'s", " ", "\n", "\u0301", "世", "\t ", "a1"])
def test_repetition_comes_back(tokenizer, unit):
    for text in (unit * 10_000, " " + unit * 10_000, " " + unit * 10_000 + "\n"):
        assert tokenizer.decode(tokenizer.encode_ordinary(text)) == text


@each
@given(text=st.text() | st.lists(st.sampled_from([END, "<|", "|>", *ODD])).map("".join))
def test_with_nothing_disallowed_special_tokens_are_ordinary_text(tokenizer, text):
    assert tokenizer.encode(text, disallowed_special=()) == tokenizer.encode_ordinary(text)


@each
@given(data=st.binary())
def test_bytes_come_back(tokenizer, data):
    assert tokenizer.decode_bytes(tokenizer.encode_bytes(data)) == data


def test_a_lone_surrogate_is_no_replacement_character():
    """Unlike tiktoken, which makes U+FFFD of it, and one character of two of them."""
    tokenizer = TOKENIZERS["gpt4"]
    for text in ("\ud83d", "\ud83d\udc4d", "a\ud83db"):
        assert tokenizer.decode(tokenizer.encode(text)) == text
        assert tokenizer.encode(text) != tokenizer.encode(text.replace("\ud83d", "\ufffd"))
    assert tokenizer.encode("\ud83d\udc4d") != tokenizer.encode("👍")


class TestSpecialTokens:
    def test_one_in_another_is_found_longest_first(self):
        tokenizer = TOKENIZERS["gpt4"]
        end, twice = tokenizer.special_tokens[END], tokenizer.special_tokens[TWICE]
        ids = tokenizer.encode(f"Ship {TWICE} ahoy {END}{END}{END}", allowed_special="all")
        assert [id for id in ids if id >= end] == [twice, twice, end]
        assert tokenizer.decode(ids) == f"Ship {TWICE} ahoy {END}{END}{END}"
        ids = tokenizer.encode(TWICE, allowed_special={END}, disallowed_special=())
        assert ids == [end, end]

    def test_one_that_is_disallowed_may_hide_in_one_that_is_allowed(self):
        with pytest.raises(ValueError, match="text holds the special token"):
            TOKENIZERS["gpt4"].encode(TWICE, allowed_special={TWICE})

    @pytest.mark.parametrize("text", ODD)
    def test_any_character_may_stand_in_one(self, text):
        tokenizer = TOKENIZERS["odd"]
        id = tokenizer.special_tokens[text]
        ids = tokenizer.encode(f"x{text}y", allowed_special="all")
        assert ids == [*tokenizer.encode("x"), id, *tokenizer.encode("y")]
        assert id not in tokenizer.encode(f"x{text}y", disallowed_special=())
        with pytest.raises(ValueError, match="text holds the special token"):
            tokenizer.encode(f"x{text}y", disallowed_special={text})

    def test_odd_ones_are_saved_and_loaded(self, tmp_path):
        TOKENIZERS["odd"].save(tmp_path / "tokenizer.json")
        loaded = Tokenizer.load(tmp_path / "tokenizer.json")
        text = "x".join(ODD)
        assert loaded.special_tokens == TOKENIZERS["odd"].special_tokens
        assert loaded.encode(text, "all") == TOKENIZERS["odd"].encode(text, "all")

    def test_white_space_around_one_stays_ordinary(self):
        tokenizer = TOKENIZERS["gpt4"]
        end = tokenizer.special_tokens[END]
        for before, after in [("hi ", "\n\n"), ("", "\n\nhi"), ("  ", " "), ("\n\n", "")]:
            ids = tokenizer.encode(before + END + after, allowed_special="all")
            parts = [tokenizer.encode(before), [end], tokenizer.encode(after)]
            assert ids == [id for part in parts for id in part]

    def test_none_is_learned_from(self):
        tokens = bpe.train([SAMPLE + END * 99], 300, special_tokens=[END]).token_byte_values()
        assert not [token for token in tokens if b"<|" in token or b"endof" in token]

    def test_each_choice_of_allowed_finds_those(self):
        tokenizer = bpe.train([SAMPLE], 300, special_tokens=["<|a|>", "<|b|>", "<|c|>"])
        text = "<|a|> ship <|b|> ahoy <|c|>"
        a, b, c = tokenizer.special_tokens.values()
        for allowed, found in [
            ({"<|a|>"}, {a}), ({"<|b|>"}, {b}), ({"<|a|>", "<|c|>"}, {a, c}), ("all", {a, b, c}),
        ]:  # fmt: skip
            assert set(tokenizer.encode(text, allowed, disallowed_special=())) & {a, b, c} == found
        assert set(tokenizer.encode(text, "all", disallowed_special="all")) >= {a, b, c}
        for disallowed in ("all", {"<|a|>"}, {"<|b|>"}):
            with pytest.raises(ValueError, match=r"special token '<\|[ab]\|>' at character"):
                tokenizer.encode(text, disallowed_special=disallowed)


def test_wikipedias_example():
    """aaabdaaabac: Z = aa, Y = ab, X = ZY, and it is XdXac."""
    tokenizer = bpe.train(["aaabdaaabac"], 256 + 3)
    a, c, d = naive.byte_ids(b"acd")
    assert tokenizer.encode("aaabdaaabac") == [258, d, 258, a, c]
    assert tokenizer.decode_single_token_bytes(258) == b"aaab"


@pytest.mark.parametrize("special_tokens", [[], [END, "<|fim_prefix|>"]])
@pytest.mark.parametrize("name", ["tokenizer.json", "ranks.tiktoken"])
def test_what_is_saved_and_loaded_is_the_same(tmp_path, special_tokens, name):
    tokenizer = bpe.train([SAMPLE], 256 + 64, special_tokens=special_tokens)
    text = SAMPLE.join(special_tokens)
    ids = tokenizer.encode(text, "all")
    assert tokenizer.decode(ids) == text
    tokenizer.save(tmp_path / name)
    extra = {} if name.endswith(".json") else {"special_tokens": special_tokens}
    loaded = Tokenizer.load(tmp_path / name, **extra)
    assert loaded.encode(text, "all") == ids
    assert loaded.decode(ids) == text


@each
def test_every_token_is_what_its_bytes_encode_to(tokenizer):
    """Chunks as long as a token are that token, unless the pattern cuts them."""
    for id, token in tokenizer.tokens.items():
        ids = tokenizer.encode_bytes(token)
        assert tokenizer.decode_bytes(ids) == token
        if len(ids) == 1:
            assert ids == [id]
    whole = [id for id, token in tokenizer.tokens.items() if tokenizer.encode_bytes(token) == [id]]
    assert len(whole) > 0.9 * len(tokenizer.tokens)
