"""page_title.py: what of a title names the page."""

import pytest

from minigpt.page_title import site_words, without_site

TITLES = ["Knots — Rope manual 2.1", "Bends — Rope manual 2.1", "ends — tie them — Rope manual 2.1"]


def test_a_title_is_left_without_what_most_titles_have():
    words = site_words([*TITLES, "Rope manual 2.1"])
    assert words == {"Rope manual 2.1"}
    assert [without_site(title, words) for title in TITLES] == ["Knots", "Bends", "ends — tie them"]
    assert site_words(["Knots — tie them", "Bends"]) == set()
    before = site_words([f"Rope: knot {i}" for i in range(9)])
    assert before == {"Rope"} and without_site("Rope: knot 3", before) == "knot 3"


def test_a_title_is_left_without_the_manual_in_brackets_and_a_number_as_others_have():
    titles = [
        "1 Knots (rope)",
        "2.3 Bends (rope)",
        "A.1 Ends (rope)",
        "4 Ropes (rope)",
        "Index (rope)",
    ]
    words = site_words(titles)
    assert [without_site(title, words) for title in titles] == (
        ["Knots", "Bends", "Ends", "Ropes", "Index"]
    )
    few = site_words(["4 Ropes (all)", *TITLES])
    assert without_site("4 Ropes (all)", few) == "4 Ropes (all)"


def test_numbers_with_a_full_stop_are_left_out_where_others_have_none():
    titles = ["1 Knots", "2 Bends", "3.1. hemp", "Appendix B. Ends", "5.6. C Ropes"]
    words = site_words(titles)
    assert [without_site(title, words) for title in titles] == (
        ["Knots", "Bends", "hemp", "Ends", "C Ropes"]
    )


def test_a_letter_before_the_rest_is_a_number_only_where_others_have_numbers():
    titles = ["C Library", "C Types", "C Macros"]
    words = site_words(titles)
    assert [without_site(title, words) for title in titles] == titles


def test_a_number_may_be_a_title():
    assert without_site("1", site_words(["1", "1 Knots", "2 Bends", "3 Ends"])) == "1"


@pytest.mark.parametrize(
    "title, name",
    [
        ("9.4. Splices", "Splices"),
        ("Chapter 29. Keeping Rope Dry", "Keeping Rope Dry"),
        ("F.7. hemp", "hemp"),
        ("Ropes ¶", "Ropes"),
        ("Ropes #", "Ropes"),
        ("Ropes in C#", "Ropes in C#"),
        ("3 knots", "3 knots"),
        ("A knot", "A knot"),
        ("Knots | Ropes | All", "Knots"),
    ],
)
def test_a_title_is_left_without_its_number_and_the_sign_of_a_link(title, name):
    assert without_site(title, set()) == name
