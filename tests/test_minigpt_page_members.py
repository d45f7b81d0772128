"""The classes of a page -> their methods and attributes, which stand beneath them."""

import time

import pytest

from crawler.extract import extract
from minigpt.any_page import CALLED, LISTED, Entry, entries
from minigpt.page_members import members

PAGE = """class knots.Knot(rope)
    A knot in a rope. It holds.

    property ends: int
        How many ends it has.

    tie(end=None)
        Added in: v1.2

        - end which one

        Tie it to an end.

        slip()
            Let it slip.

    Parameters:

        rope : Rope
            The rope of it.

How to untie knots is another matter."""


def names_of(text):
    return [name for name, *_ in members(text.split("\n\n"), 5)]


def test_members_are_told_by_the_name_of_their_class():
    assert list(entries(PAGE)) == [
        Entry("knots.Knot", "(rope)", "A knot in a rope.", CALLED),
        Entry("knots.Knot.ends", "", "How many ends it has.", LISTED),
        Entry("knots.Knot.tie", "(end=None)", "Tie it to an end.", CALLED),
    ]


def test_without_a_text_a_member_is_none():
    assert names_of(PAGE.replace("How many ends it has.", "x")) == names_of(PAGE)
    assert [e.name for e in entries(PAGE.replace("How many ends it has.", "x"))] == [
        "knots.Knot", "knots.Knot.tie"
    ]  # fmt: skip


@pytest.mark.parametrize("below", ["", "\n      Cut it.", "\n            Cut it."])
def test_beneath_a_member_is_what_it_does(below):
    assert names_of(f"class Knot\n    A knot.\n\n    cut(){below}") == []


def test_attributes_of_a_class_without_methods_may_be_other_names():
    assert names_of(PAGE) == ["knots.Knot.ends", "knots.Knot.tie"]
    assert names_of(PAGE.replace("tie(end=None)", "tie")) == []


def test_a_class_ends_where_the_next_line_stands_at_the_margin():
    below = "    cut()\n        Cut it."
    assert names_of(f"{PAGE}\n\n{below}") == names_of(PAGE)
    assert names_of(f"class Rope\n    A rope.\n\n{below}\n\n{PAGE}")[0] == "Rope.cut"
    assert names_of(f"class Rope\n    A rope.\n\nclass Knot\n    One.\n\n{below}") == ["Knot.cut"]
    two = f"class Rope\n    A rope.\n\n    top\n        Of it.\n\nclass Knot\n    One.\n\n{below}"
    assert names_of(two) == ["Knot.cut"]


SECTION = "{}<dl><dt>{}</dt><dd>The rope that is used for it.</dd></dl>"


@pytest.mark.parametrize(
    "heading, term, is_attribute",
    [
        ('<p class="rubric">Parameters</p>', "hemp : Rope", False),
        ("<h4>Parameters</h4>", "hemp : Rope", False),
        ("<h4>Parameters</h4><p>It takes one.</p>", "hemp", False),
        ("<p>Other parameters:</p>", "hemp", False),
        ("<p>Arguments</p>", "hemp", False),
        ("<p>Args:</p>", "hemp", False),
        ("<p>Returns:</p>", "hemp", False),
        ("<p>Return value</p>", "hemp", False),
        ("<p>Yields</p>", "hemp", False),
        ("<p>Raises</p>", "error", False),
        ("<p>See also</p>", "hemp", False),
        ("", "rope : Rope", False),  # the class takes it
        ("", "property rope", True),
        ("<p>Raises</p>", "property hemp", True),
        ("<p>Attributes</p>", "hemp : Rope", True),
        ("<p>Raises</p><dl><dt>error<dd>It slips.</dl><p>Attributes</p>", "hemp", True),
        ("<dl><dt>Parameters:<dd><dl><dt>rope<dd>One.</dl></dl>", "hemp", True),
        ("", "hemp", True),
    ],
)
def test_what_a_class_takes_or_raises_is_no_attribute_of_it(heading, term, is_attribute):
    section = SECTION.format(heading, term)
    name = term.removeprefix("property ").partition(" ")[0]
    page = """<h1>Knots</h1><dl><dt>class knots.Knot(rope, *, end=None)</dt><dd><p>A knot.</p>{}
    <dl><dt>tie(end)</dt><dd>Tie it to an end.</dd></dl>{}</dd></dl>"""
    attribute = [f"knots.Knot.{name}"] * is_attribute
    above = extract(page.format(section, ""), "http://a/").text
    assert names_of(above) == [*attribute, "knots.Knot.tie"], above
    if name != "rope":
        below = extract(page.format("", section), "http://a/").text
        assert names_of(below) == ["knots.Knot.tie", *attribute], below


@pytest.mark.parametrize(
    "line",
    ["Keyword arguments", "Optional parameter", "Params", "Argument:", "options", "Return values",
     "Return", "Yield", "Receives", "Throws", "Exceptions", "Error", "Warns", "Warning", "Related"],
)  # fmt: skip
def test_beneath_such_a_line_stand_no_attributes(line):
    page = (
        "class Knot\n    A knot.\n\n    {}\n\n    hemp\n        Of it.\n\n    cut()\n        Cut."
    )
    assert names_of(page.format(line)) == ["Knot.cut"]
    for other in ("Ropes", f"{line} of ropes", f"{line}\n        It is a list."):
        assert names_of(page.format(other))[-2:] == ["Knot.hemp", "Knot.cut"], other


def test_behind_a_method_may_stand_attributes_again():
    raises = SECTION.format("<p>Raises</p>", "error")
    page = extract(
        f"""<dl><dt>class Knot(rope)</dt><dd><p>A knot.</p>{raises}
        <dl><dt>tie(end)<dd>Tie it.<dt>end<dd>Of it.<dt>rope<dd>Of it.</dl></dd></dl>""",
        "http://a/",
    ).text
    assert names_of(page) == ["Knot.tie", "Knot.end", "Knot.rope"]


@pytest.mark.parametrize(
    "line, name",
    [
        ("tie(end)", "Knot.tie"),
        ("classmethod tie(end)", "Knot.tie"),
        ("abstract property ends", "Knot.ends"),
        ("ends: int = 2", "Knot.ends"),
        ("Note", None),
        ("Rope.tie(end)", None),
        ("of all its ends", None),
        ("t" * 41 + "()", None),
        (" tie(end)", None),
    ],
)
def test_a_member_is_called_or_has_a_name_in_small_letters(line, name):
    page = f"class Knot\n    A knot.\n\n    cut()\n        Cut it.\n\n    {line}\n        Of ropes."
    assert names_of(page)[1:] == ([name] if name else [])


@pytest.mark.parametrize(
    "line, is_class",
    [
        ("class Knot", True),
        ("final class knots.Knot(rope)", True),
        ("exception Knot", True),
        ("class Knot(Rope):", False),  # code
        ("Knot(rope)", False),
        ("class of all knots there may be", False),
        ("class " + "K" * 200, False),
    ],
)
def test_which_lines_are_classes(line, is_class):
    below = "\n\n    cut()\n        Cut it."
    assert bool(names_of(f"{line}\n    A knot.{below}")) == is_class
    assert not names_of(f"{line}\n        A knot.{below}")
    assert not names_of(f"class Knot{below}")


@pytest.mark.parametrize(
    "make",
    [
        lambda n: "class K\n    A.\n\n" + "    a()\n        b\n\n" * n,
        lambda n: "class K\n    A.\n\n" * n,
        lambda n: "class K\n    A.\n\n    a()\n        b" + "\n        b" * n,
        lambda n: "class " * n,
    ],
)
def test_hostile_pages_take_linear_time(make):
    def seconds(n):
        text, start = make(n), time.process_time()
        list(entries(text))
        return time.process_time() - start

    # a tenth takes a tenth of the time, and a hundredth if it is quadratic
    assert any(seconds(20_000) < 40 * seconds(2000) + 0.1 for _ in range(5))
