"""English is told from other languages, code is no obstacle, and a table can be trained anew."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler import language, language_train

# sentences of our own
ENGLISH = [
    "The children were late for school because the bus had broken down on the hill.",
    "She asked whether there would be enough bread for all of the guests.",
    "Water boils at a lower temperature on top of a mountain.",
    "Nobody knows who left the window open last night.",
]
CONSTANTS = ["EADDRNOTAVAIL", "EBADRQC", "EDOTDOT", "EHOSTUNREACH", "ELIBACC", "ENOANO", "EXDEV"]
OTHERS = {
    "de": "Die Kinder kamen zu spät in die Schule, weil der Bus liegen geblieben war.",
    "fr": "Personne ne sait qui a laissé la fenêtre ouverte pendant la nuit.",
    "es": "Los niños llegaron tarde a la escuela porque el autobús se había roto.",
    "nl": "Niemand weet wie het raam vannacht heeft laten openstaan.",
    "it": "I bambini arrivarono tardi a scuola perché l'autobus si era rotto.",
    "sv": "Ingen vet vem som lämnade fönstret öppet i natt.",
    "ru": "Никто не знает, кто оставил окно открытым прошлой ночью.",
    "el": "Κανείς δεν ξέρει ποιος άφησε το παράθυρο ανοιχτό χθες το βράδυ.",
    "ja": "昨夜、誰が窓を開けたままにしたのか誰も知りません。",
    "zh": "没有人知道昨晚是谁把窗户打开的。",
    "ar": "لا أحد يعرف من ترك النافذة مفتوحة الليلة الماضية.",
    "ko": "어젯밤에 누가 창문을 열어 두었는지 아무도 모른다.",
}


@pytest.mark.parametrize("sentence", ENGLISH)
def test_english_sentences_are_english(sentence):
    assert language.probability(sentence) >= 0.65
    assert language.detect(sentence) == "en"


@pytest.mark.parametrize("code, sentence", OTHERS.items())
def test_other_languages_are_themselves_and_not_english(code, sentence):
    assert language.probability(sentence) < 0.1
    assert language.detect(sentence) == code
    assert language.probability(sentence, code) > 0.5


def test_documentation_full_of_code_is_english():
    page = """insort_left(a, x, lo=0, hi=None, *, key=None)
        Insert item x in list a, and keep it sorted. If x is in a, go to the left of it.
        >>> insort_left(numbers, 3, key=lambda v: v.real)
        __all__ = ['insort_left', 'insort_right']  # 0x7f3a, 12, [1:2]"""
    assert language.probability(page) >= 0.65


def test_constants_say_nothing_unless_there_is_nothing_else():
    constants = "\n".join(f"{name} = {n}" for n, name in enumerate(CONSTANTS * 20))
    assert language.probability(constants) < 0.1
    for code, text in {"en": ENGLISH[0], **OTHERS}.items():
        page = f"errno\n\n{text}\n\nData\n\n{constants}"
        assert language.probability(page, code) > 0.5
    assert language.probability(f"  error.text = '{ENGLISH[0]}'") >= 0.65  # the only line


def test_what_looks_like_a_constant_within_a_line_counts():
    german = "Hier gilt x = Niemand weiß, wer gestern Abend das Fenster offen gelassen hat."
    assert language.probability(german, "de") >= 0.65
    assert language.probability(f"{ENGLISH[2]}\n" + f"{german}\n" * 5) < 0.1


def test_the_sentences_of_a_page_may_be_in_another_language_than_its_names():
    names = "pandas.DataFrame.columns\n\nDataFrame.columns"
    page = f"{names}\n    The column labels of the DataFrame.\n    x = 1"
    assert language.probability(page) < 0.65 < language.of_sentences(page)
    assert language.of_sentences(page) == (
        language.probability("The column labels of the DataFrame.")
    )
    assert language.of_sentences(names) == language.of_sentences("") == 0
    assert language.of_sentences(f"{page}\n{OTHERS['de']}") < 0.1
    assert language.of_sentences(f"{names}\n{OTHERS['de']}", "de") > 0.65


def test_sentences_count_only_where_they_are_enough_of_the_words():
    text = "numpy ndarray\n" * 7 + "All of this is ours."  # 14 and 5 words
    assert language.of_sentences(text, share=0.26) > 0.65
    assert language.of_sentences(text, share=0.27) == 0


def test_sentences_do_not_count_where_the_other_lines_are_in_another_language():
    for text in OTHERS.values():
        headings = text.rstrip(".。") + "\n"
        assert language.of_sentences(headings * 2 + ENGLISH[0]) == 0
    assert language.of_sentences(f"{ENGLISH[1].rstrip('.')}\n{ENGLISH[0]}") > 0.65


def test_a_mixed_page_goes_to_the_larger_part():
    assert language.probability(" ".join([*ENGLISH, OTHERS["de"]])) > 0.9
    assert language.probability(" ".join([ENGLISH[3], *list(OTHERS.values())[:5]])) < 0.5


@pytest.mark.parametrize("text", ["", "   ", "12 + 34 = 46", "!?…"])
def test_text_without_words_is_in_no_language(text):
    assert language.probability(text) == 0.0
    assert language.detect(text) is None


def test_unknown_language_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'xx'; it must be one of: .* en "):
        language.probability("word", "xx")


@given(st.text())
def test_probability_is_one(text):
    assert 0 <= language.probability(text) <= 1


def test_probabilities_of_all_languages_leave_something_for_none():
    for text in ENGLISH:
        total = sum(language.probability(text, code) for code in language.languages())
        assert 0.9 < total < 1


@pytest.mark.parametrize("text", ["Zyx Qwrt Vbnm", "asdf qwer zxcv", "Xkcd Fgh Jklm 12"])
def test_names_of_nothing_are_in_no_language(text):
    assert all(language.probability(text, code) < 0.65 for code in language.languages())


def test_none_is_no_language():
    assert language.NONE not in language.languages()
    assert len(language.languages()) == 75
    with pytest.raises(ValueError, match="'none'; it must be one of"):
        language.probability("word", language.NONE)


@given(st.text())
def test_detected_is_a_language_or_nothing(text):
    assert language.detect(text) in {None, *language.languages()}


def test_packed_costs_equal_the_sum_over_ngrams():
    codes, rows = language._table()
    text = "Nobody knows 3 things."
    expected = [0] * len(codes)
    for word in ("nobody", "knows", "things"):
        for gram in language.ngrams(word):
            packed = rows.get(gram, 0)
            for i in range(len(codes)):
                expected[i] += packed >> (32 * i) & 0xFF
    assert list(language._costs(text)) == expected


def test_very_long_text_does_not_overflow():
    assert language.probability("the " * 300_000) > 0.9
    assert 0 <= language.probability("𐐀" * 300_000) <= 1
    most = 255 * sum(len(f" {'𐐀' * 30} ".encode()) + 1 - n for n in (3, 4, 5)) / 31
    assert most * language.MAX_CHARACTERS < 2**32


def test_table_is_small_and_text():
    assert language.TABLE.stat().st_size < 1_500_000
    with gzip.open(language.TABLE, "rt", encoding="ascii") as lines:
        assert "en" in next(lines).split()


def test_training_learns_a_new_pair_of_languages(tmp_path, capsys, monkeypatch):
    sentences = tmp_path / "made_up.tsv"
    words = "baba gaga dada baga gada " * 8
    lines = [f"aa\t{words}\nbb\t{words.translate({97: 105, 98: 120})}\n" for _ in range(40)]
    sentences.write_text("".join(lines), encoding="utf-8")
    table = tmp_path / "table.tsv.gz"
    monkeypatch.setattr(language, "TABLE", language.TABLE)  # restored afterwards
    try:
        flags = [str(sentences), "-o", str(table), "--language", "aa"]
        assert language_train.main(flags) == 0
        out = capsys.readouterr().out
        assert "recall 1.000 (20/20), false positives 0.00000 (0/20); 1.000 of all right" in out
        assert language.detect("gaga baba") == "aa"
        assert language.detect("xixi gidi") == "bb"
        first = table.read_bytes()
        assert language_train.main(flags) == 0
        assert table.read_bytes() == first
        assert language_train.main([*flags, "--score", "--threshold", "1"]) == 0
        assert "recall 0.000 (0/20)" in capsys.readouterr().out
        assert language_train.main([*flags[:3], "--score"]) == 2
        assert "it must be one of: aa bb" in capsys.readouterr().err
    finally:
        monkeypatch.undo()
        language.forget()


def test_halves_share_no_line_and_lose_none():
    pairs = [(code, str(i)) for i in range(7) for code in ("aa", "bb")]
    seen, unseen = language_train.halves(pairs)
    assert sorted(seen + unseen) == sorted(pairs)
    assert [code for code, _ in seen].count("aa") == 4
    assert [code for code, _ in unseen].count("bb") == 3


@pytest.mark.parametrize(
    "content, message",
    [
        ("", "no lines"),
        ("no tab here\n", "no lines"),
        ("aa\tonly one\naa\tlanguage\n", "at least 2"),
    ],
)
def test_training_on_nothing_useful_is_refused(tmp_path, capsys, content, message):
    path = tmp_path / "bad.tsv"
    path.write_text(content, encoding="utf-8")
    assert language_train.main([str(path), "-o", str(tmp_path / "table.gz")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "table.gz").exists()


def test_training_on_a_missing_file_is_refused(tmp_path, capsys):
    assert language_train.main([str(tmp_path / "none"), "-o", str(tmp_path / "t")]) == 2
    assert "language_train: " in capsys.readouterr().err
