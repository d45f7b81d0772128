"""The text of a page of any site -> what it is about, and the terms that it defines."""

import time

import pytest

from minigpt.any_page import (
    CALLED,
    LISTED,
    PAGE,
    SAID,
    Entry,
    entries,
    page_entry,
)
from minigpt.page_title import site_words, without_site
from minigpt.term_line import defined, is_term


def names_of(text, page=""):
    return [entry.name for entry in entries(text, page)]


def test_a_manual_page_has_a_line_that_names_it_and_says_what_it_is():
    text = "NAME\n\nknot-tie - tie a knot\n\nSYNOPSIS\n\nknot tie [<rope>]\n\nIt ties a knot."
    assert page_entry("knot-tie(1)", text) == Entry("knot-tie", "", "Tie a knot.", PAGE)
    assert page_entry("TIE ROPE", "TIE ROPE\n\nTIE ROPE — tie it") == (
        Entry("TIE ROPE", "", "Tie it.", PAGE)
    )
    assert page_entry("ropes — All about ropes", "It is long.").text == "All about ropes."
    assert page_entry("rope.ends: How they are kept", "").name == "rope.ends"
    preformatted = (
        "KNOT-TIE(1)\n\nNAME\n       knot-tie - tie a knot\n\nDESCRIPTION\n       It ties."
    )
    assert page_entry("knot-tie(1)", preformatted).text == "Tie a knot."
    # here it is the site that stands behind the page's name
    assert page_entry("All knots - The rope site", "") is None
    assert page_entry("Knots - The rope site", "Knots hold.").name == "Knots - The rope site"


def test_another_page_is_about_what_its_first_sentence_says_a_name_or_a_topic():
    text = "Tying\n\nSee also: knots.\n\nNew in version 2.\n\nA knot holds two ropes. It may slip."
    assert page_entry("How to tie", text) == (
        Entry("How to tie", "", "A knot holds two ropes.", PAGE, is_topic=True)
    )
    assert not page_entry("tie_rope", text).is_topic
    assert not page_entry("tying", text).is_topic and page_entry("Tying", text).is_topic
    for name in ("TIE", "TIE ROPE", "Rope_tie", "RopeEnd", "Rope.tie()"):
        assert not page_entry(name, text).is_topic, name
    assert page_entry("Tie it now.", "Tie it now.\n\n" + text).text == "A knot holds two ropes."
    for name in ("What is TIE?", "All about TIE."):
        assert page_entry(name, text).is_topic, name
    assert page_entry("Tying", "Tying\n\nKnots\n\nBends and hitches\n\nx = 1") is None
    defines = "bight\n    A bend in a rope. It holds.\n\n"
    assert page_entry("Words", defines) is None
    assert page_entry("Words", "Part II. Words\n\n2. Bend it.") is None
    assert page_entry("Words", defines + text).text == "A knot holds two ropes."
    assert page_entry("", text) is page_entry("T" * 61, text) is None
    assert page_entry("t_" * 23, text).is_topic  # too long to be asked for
    assert page_entry("t_" * 23 + " - Tie it", text).is_topic


@pytest.mark.parametrize(
    "title, is_a_name",
    [
        ("tie_rope", True),
        ("rope.Knot", True),
        ("RopeKnot", True),
        ("TIE ROPE", True),
        ("tie ends", True),
        ("Tying", False),
        ("How to use TIE_ROPE", False),
        ("Rope-Making Tools", False),
        ("how to tie all ropes", False),
    ],
)
def test_a_page_is_about_a_name_or_a_topic(title, is_a_name):
    assert page_entry(title, "Knots hold ropes.").is_topic != is_a_name


@pytest.mark.parametrize(
    "title",
    ["Index", "Table of Contents", "About this manual", "Rope 2.1 Release Notes", "Version 0.3",
     "What’s new in 2.1 (May 4)", "Changes in 3.1", "Changelog"],
)  # fmt: skip
def test_a_page_that_leads_to_others_or_says_what_is_new_is_about_nothing(title):
    assert page_entry(title, "Knots hold ropes.") is None


def test_a_title_that_begins_so_may_be_about_something():
    for title in ("Index of refraction", "Overview of knots", "Copyright and ropes", "index"):
        assert page_entry(title, "Knots hold ropes.").name == title


def test_a_page_may_begin_with_a_call_of_what_it_is_about():
    text = "Knot.tie(rope)\n    Tie a rope.\n\n    It holds."
    assert page_entry("knots.Knot.tie", text) == (
        Entry("knots.Knot.tie", "(rope)", "Tie a rope.", PAGE)
    )
    assert page_entry("knots.Knot.tie", text.replace("\n", " ¶\n", 1)).arguments == "(rope)"
    assert page_entry("Knots", text) is None  # that is a part of it
    for other in ("untie", "rope-tie", "rope_tie"):
        assert page_entry(other, "tie(rope)\n    Tie a rope.") is None
    assert page_entry("Knots", f"{text}\n\nOf knots there are many.").text == (
        "Of knots there are many."
    )


def test_a_value_that_a_setting_has_is_no_argument():
    (entry,) = entries("rope_length (default: 3, at most 9)\n    The length of the rope.")
    assert (entry.name, entry.arguments) == ("rope_length", "")
    for call in ("(length)", "(default, length=2)"):
        assert defined(f"tie{call}") == ("tie", call, True)


def test_what_stands_beneath_a_term_says_what_it_is():
    text = """tie(rope, end=None)
    Tie a rope. It holds.

bight
    A bend in a rope.

always
    Do it each time.

not indented. A sentence of its own.

rope_length (integer)
    How long it is, in metres."""
    assert list(entries(text)) == [
        Entry("tie", "(rope, end=None)", "Tie a rope.", CALLED),
        Entry("bight", "", "A bend in a rope.", LISTED),
        Entry("rope_length", "", "How long it is, in metres.", LISTED),
    ]


def test_what_says_only_since_when_there_is_a_term_may_have_more_below():
    (entry,) = entries("tie(rope)\n    Changed in version 3.\n\n    Tie a rope to another one.")
    assert entry.text == "Tie a rope to another one."
    (entry,) = entries("tie(rope)\n    x = rope(1, 2)\n\n    This raises an error if it slips.")
    assert entry.text == ""  # what comes later is about something else


ADDED = "Added in: v1.2"
HISTORY = "History\n\n    Version | Changes\n    v1.3 | A rope may be cut."
OLD = "Stability: 0 - Deprecated: Use knots.bind() instead."
LIST = "- rope {Rope} which one\n    - [in] end: where. It may slip."


@pytest.mark.parametrize(
    "before, is_told",
    [
        ((ADDED,), True),
        ((ADDED, LIST), True),
        ((LIST,), True),
        ((LIST.replace("rope {", "[in] rope {"),), True),
        ((LIST, "- Returns: {Knot} The knot. It holds."), True),
        ((HISTORY, LIST), True),
        ((OLD, ADDED, HISTORY, LIST), True),
        ((ADDED, "Changed in version 2."), False),
        ((LIST.replace("rope", "hemp"),), False),
        ((ADDED, "x = rope(1, 2)"), False),
        ((ADDED, OLD, HISTORY, LIST, LIST), False),  # too far down
    ],
)
def test_before_what_tells_of_a_call_may_stand_its_history_and_its_arguments(before, is_told):
    text = "\n\n".join(f"    {paragraph}" for paragraph in before)
    text = f"tie(rope[, end])\n{text}\n\n    Tie a rope to another."
    (entry,) = entries(text)
    assert entry.text == ("Tie a rope to another." if is_told else "")
    (entry,) = entries(text.replace("    Tie", "Tie"))
    assert entry.text == ""


@pytest.mark.parametrize(
    "name, below, is_told",
    [
        ("ROPE_ENDS", "Default: 2", True),
        ("ROPE_ENDS", "Default: 2\n\n", True),
        ("rope.ends", "Added in: v1.2", True),
        ("rope.ends ¶", "New in version 1.2.", True),
        ("ROPE_ENDS", "Default:\n\n{'ends': 2}", True),
        ("rope.ends", "History\n\nVersion | Changes\nv1.3 | A rope may be cut.", True),
        ("rope.ends", "Stability: 2 - Stable\n\nAdded in: v1.2\n\n- <integer> Default: 2", True),
        ("ROPE_ENDS", "- <integer>", False),
        ("ROPE_ENDS", "See also: KNOTS", False),
        ("ROPE_ENDS", "Default: 2\n\nx = 3", False),
        ("ROPE_ENDS", "Default: 2\n\n    Tie it to an end.", False),
        ("ROPE_ENDS", "They are the ends.", False),
        ("ROPE_ENDS", "Ropes have two of them.", False),
        ("ROPE_ENDS", "Default:" + "\n\nAdded in: v1" * 4, False),
        ("ROPE_ENDS", "Default: " + "2" * 101, False),
        ("HEMP", "Default: 2", True),
        ("HEMP", "New in version 2.", False),
        ("MIT-License", "New in version 2.", False),
        ("Python-3.9", "New in version 2.", False),
        ("rope-ends", "New in version 2.", True),
        ("Ropes", "Default: 2", False),
        ("tie_rope and cut it", "Default: 2", False),
        ("rope.cut(end)", "Default: 2", False),
        ("ROPE_ENDS\nROPE_TOPS", "Default: 2", False),
    ],
)
def test_of_a_name_that_is_a_heading_its_default_or_its_history_stands_below(name, below, is_told):
    found = list(entries(f"{name}\n\n{below}\n\nHow many ends there are. Two."))
    said = [Entry(name.removesuffix(" ¶"), "", "How many ends there are.", LISTED)]
    assert found == (said if is_told else [])
    assert list(entries(f"{name}\n\n{below}")) == []


def test_an_option_is_a_term_of_a_page_that_is_a_name():
    text = "-f, --force\n    Tie it again.\n\n--ends=<n>\n    So many ends. At most nine."
    assert names_of(text, "knot-tie") == ["knot-tie --force", "knot-tie --ends"]
    assert names_of(text) == []
    text = "-b <new-rope>\n    Tie a new rope.\n\n--[no-]wax\n    Wax it, or do not."
    text += "\n\n--no-[hemp|wire]\n    Without hemp, or without wire."
    assert names_of(text, "knot-tie") == ["knot-tie -b", "knot-tie --wax"]


def test_a_sentence_may_say_what_it_is_about():
    text = """The untie_all() function undoes every knot. It returns nothing.

The TIE ROPE statement ties a rope.

The rope is long.

The tie_rope function was added late.

The tie_rope function is not safe.

The end function ends it."""
    assert list(entries(text)) == [
        Entry("untie_all", "", "The untie_all() function undoes every knot.", SAID),
        Entry("TIE ROPE", "", "The TIE ROPE statement ties a rope.", SAID),
    ]


@pytest.mark.parametrize(
    "line, found",
    [
        ("class rope.Key(teeth, /)", ("rope.Key", "(teeth, /)", True)),
        ("static int *knot_find(const char *name);", ("knot_find", "(const char *name)", True)),
        ("knot_find (Knot *knot, int n)", ("knot_find", "(Knot *knot, int n)", True)),
        ("tie(rope) -> Knot", ("tie", "(rope)", True)),
        ("async def tie(rope, how=(1, 2)):", ("tie", "(rope, how=(1, 2))", True)),
        ("untie()", ("untie", "", True)),
        ("rope::Knot::tie(int n) const", ("rope::Knot::tie", "(int n)", True)),
        ("depth (integer)", ("depth", "", False)),
        ("int Rope_Ends", ("Rope_Ends", "", False)),
        ("rope.ends: int = 2", ("rope.ends", "", False)),
        ("knot-tie(1)", ("knot-tie", "", False)),
        ("class Knot", ("Knot", "", False)),
        ("class variable", ("class variable", "", False)),
        ("$ROPE_DIR", ("$ROPE_DIR", "", False)),
        ("help@example.org", None),
        ("http://a.org/x", None),
        ("@tie_rope", ("@tie_rope", "", False)),
        ("-v", None),
        ("(a)", None),
        ("A sentence that is much too long to be a term", None),
        ("it ends, so to say", None),
        ("t" * 46 + "(rope)", None),
        ("", None),
    ],
)
def test_a_line_is_a_term_and_how_it_is_called(line, found):
    assert defined(line) == found


def test_a_common_word_is_a_term_only_where_it_is_explained():
    assert is_term("rope_ends", "Two.") and is_term("TIE", "Ties.") and is_term("tie-off", "x")
    assert is_term("bight", "A bend.") and is_term("bight", "Where a bight is.")
    assert not is_term("always", "Do it each time.") and not is_term("at", "A place.")
    assert not is_term("rope.", "A rope.") and not is_term("r" * 46, "A rope.")


@pytest.mark.parametrize(
    "make",
    [
        lambda n: "a" * n,
        lambda n: "a(" * n,
        lambda n: "a * " * n + "(\n    b",
        lambda n: "a " * n + "\n    b",
        lambda n: " " * n + "a",
        lambda n: "tie" + "(" * n + "\n    Tie it.",
        lambda n: "tie()\n    Tie " + "(a " * n + ".",
        lambda n: "tie()\n    Tie it. " + "New in. " * n,
        lambda n: "The a" + " a" * n,
        lambda n: "The " + "A" * n + " AA" * n,
        lambda n: "tie()\n    a\n" * n,
        lambda n: "tie()\n    a\n\n" * n,
        lambda n: "a - " * n,
        lambda n: "a | b\n" * n,
        lambda n: "a |" * n + "\na | b",
        lambda n: "a | Tie it.\n\n" * n,
        lambda n: "a" * n + "\n\nDescription: | a\n" + "\n".join(["Syntax: | a"] * n),
        lambda n: "ab(b) -> c\n\n" * n,
        lambda n: "a(" + ")->" * n,
        lambda n: "A_B\n\nDefault:\n\n" * n,
    ],
)
def test_hostile_pages_take_linear_time(make):
    def seconds(n):
        text, start = make(n), time.process_time()
        page_entry("knots", text)
        page_entry(text[:1000], "")
        site_words([text] * 3)
        without_site(text, {"a"})
        list(entries(text, "a"))
        return time.process_time() - start

    # a tenth takes a tenth of the time, and a hundredth if it is quadratic
    assert any(seconds(20_000) < 40 * seconds(2000) + 0.1 for _ in range(5))
