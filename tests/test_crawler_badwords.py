"""A page goes for several bad words that make up a share of it, not for one."""

import pytest

from crawler import badwords

THREE = "badwordexample badwordsample badwordspecimen"


def test_three_different_words_reject_a_short_page():
    assert badwords.reject(f"Here: {THREE}!") == "bad words"
    assert badwords.reject(f"Here: {THREE.upper()}!") == "bad words"


def test_one_word_over_and_over_is_no_reason():
    assert badwords.reject("badwordexample " * 50) is None
    assert badwords.reject("badwordexample badwordsample") is None


def test_the_share_counts():
    assert badwords.reject(f"{THREE} {'word ' * 297}") == "bad words"
    assert badwords.reject(f"{THREE} {'word ' * 298}") is None


def test_words_are_whole_and_phrases_may_be_parted():
    assert badwords.reject("sussex cocksure", ["sex", "cocks"], at_least=1) is None
    assert badwords.reject("a red,\nflag", ["red flag"], at_least=1, share=0) == "bad words"


def test_a_single_word_is_enough_if_asked_so():
    assert badwords.reject("word " * 999 + "Badwordexample", at_least=1, share=0) == "bad words"


@pytest.mark.parametrize(
    "text",
    ["", "word", "Breast cancer, sexual health and sex education for adults in Sussex and Essex."],
)
def test_decent_text_passes(text):
    assert badwords.reject(text) is None


def test_a_file_of_the_user_is_read(tmp_path):
    file = tmp_path / "words.txt"
    file.write_text("\ufeff# mine\nFoo  # why\nred-flag\n\n", encoding="utf-8")
    assert badwords.load(file) == {"foo", "red flag"}


def test_a_list_without_words_is_refused(tmp_path):
    (tmp_path / "empty.txt").write_text("# nothing\n", encoding="utf-8")
    with pytest.raises(ValueError, match="has no words; give one a line"):
        badwords.load(tmp_path / "empty.txt")
    with pytest.raises(OSError):
        badwords.load(tmp_path / "missing.txt")
