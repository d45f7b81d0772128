"""Tables as text, and the interval of a share."""

import pytest

from minigpt.tables import interval, lines, sample, show, table, to_text, words


def test_a_table_is_markdown_with_columns_of_one_width():
    part = table("Birds", [("name", ""), ("seen", ",d"), ("share", ".1%")],
                 [["a|b", 1234, 0.5], ["long name", 5, None]])  # fmt: skip
    assert to_text(part).splitlines() == [
        "**Birds**",
        "",
        "| name      |  seen | share |",
        "| --------- | ----: | ----: |",
        "| a\\|b      | 1,234 | 50.0% |",
        "| long name |     5 |     – |",
    ]


def test_line_breaks_do_not_break_a_table():
    assert to_text(table("t", [("a", "")], [["x\ny"]])).splitlines()[-1] == "| x y |"


def test_what_was_crawled_shows_as_it_is_in_markdown():
    part = table("t", [("a", "")], [["__init__ <script>`x`[y](z) a*b|c &lt; \\"]])
    assert to_text(part, markdown=True).splitlines()[-1] == (
        r"| \_\_init\_\_ \<script\>\`x\`\[y\](z) a\*b\|c \&lt; \\ |"
    )
    assert to_text(part).splitlines()[-1] == r"| __init__ <script>`x`[y](z) a*b\|c &lt; \ |"


def test_a_sample_that_holds_a_fence_gets_a_longer_one():
    assert to_text(sample("s", "```\nx")) == "s:\n\n````text\n```\nx\n````"


def test_words_are_one_paragraph_and_pictures_no_text():
    assert to_text(words("a\n   b")) == "a b"
    assert to_text(lines("c", "x", "y", {})) == ""


@pytest.mark.parametrize(
    ("value", "format", "text"),
    [(None, ".1%", "–"), (float("inf"), ".1f", "inf"), (0.25, ".0%", "25%"), ("x", "", "x")],
)
def test_values_are_shown(value, format, text):
    assert show(value, format) == text


@pytest.mark.parametrize(
    ("right", "n", "text"),
    # (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n), z = 1.96
    [(0, 10, "0% to 28%"), (5, 10, "24% to 76%"), (10, 10, "72% to 100%"), (0, 0, "–"),
     (250, 1000, "22% to 28%")],
)  # fmt: skip
def test_the_interval_is_wilsons(right, n, text):
    assert interval(right, n) == text
