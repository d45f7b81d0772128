"""Headings that define something come out as definitions do: a line, and what it says beneath."""

import time

import pytest

from crawler.definitions import MAX_SIGNATURE, SIGNATURE, is_definition
from crawler.extract import extract
from crawler.html_text import render
from crawler.html_tree import parse


def written(html):
    return render(parse(html).blocks)


def test_what_follows_a_signature_is_indented_up_to_the_next_heading_of_its_rank():
    page = """<h2>Boats</h2><p>All about boats.</p><h3><code>boat.load(cargo)</code></h3>
    <p>Takes cargo.</p><h4>Example</h4><pre>boat.load(3)\n\nboat.sail()</pre>
    <ul><li>Coal<li>Tea</ul>
    <h3>boat.sail([where]) -> bool</h3><p>Leaves.</p>
    <h3>Of what boats are made</h3><p>Of oak.</p>"""
    assert written(page) == "\n".join(
        [
            "Boats", "", "All about boats.", "",
            "boat.load(cargo)",
            "    Takes cargo.", "",
            "    Example", "",
            "    boat.load(3)",
            "",
            "    boat.sail()", "",
            "    - Coal",
            "    - Tea", "",
            "boat.sail([where]) -> bool",
            "    Leaves.", "",
            "Of what boats are made", "",
            "Of oak.",
        ]
    )  # fmt: skip


def test_definitions_stand_in_one_another_as_deep_as_their_headings():
    page = """<h3>class Boat(size)</h3><p>A boat.</p><h4>load(cargo)</h4><p>Takes it.</p>
    <h4>sail()</h4><p>Leaves.</p><h2>Ports</h2><p>Where boats are.</p>"""
    assert written(page) == (
        "class Boat(size)\n    A boat.\n\n    load(cargo)\n        Takes it.\n\n"
        "    sail()\n        Leaves.\n\nPorts\n\nWhere boats are."
    )


def test_a_heading_that_the_signature_says_again_is_left_out():
    page = """<ul><li><section><h3>load</h3><div>public void load(Cargo&nbsp;cargo,\n int n)</div>
    <div>Takes cargo.</div></section></li><li><section><h3>sail ()</h3><pre>void\nsail (void);</pre>
    <p>Leaves.</p></section></li><li><h3>size</h3><p>How large it is (in tons).</p></li></ul>"""
    assert written(page) == (
        "public void load(Cargo cargo, int n)\n    Takes cargo.\n\n"
        "void sail (void);\n    Leaves.\n\nsize\n\nHow large it is (in tons)."
    )


def test_a_sentence_with_a_remark_behind_its_first_word_is_no_signature():
    page = "<h3>Paris</h3><p>Paris (France), two million people</p><p>It has a harbour.</p>"
    assert written(page) == "Paris\n\nParis (France), two million people\n\nIt has a harbour."


def test_a_signature_that_is_a_term_of_a_list_is_not_indented_twice():
    page = "<h3>load</h3><dl><dt>load(cargo)<dd>Takes cargo.<dt>: sail (where)<dd>Leaves.</dl>"
    assert written(page) == ("load\n\nload(cargo)\n    Takes cargo.\n\nsail (where)\n    Leaves.")


def test_items_that_begin_with_a_heading_are_sections_and_others_are_items():
    page = """<ul><li><h3>Boats</h3><p>They float.</p></li><li>Take one.<h4>Note</h4><p>Or two.</p>
    </li></ul><ol><li><h4>Buy it</h4><p>At last.</p></ol>"""
    assert written(page) == (
        "Boats\n\nThey float.\n\n- Take one.\n\n  Note\n\n  Or two.\n1. Buy it\n\n  At last."
    )


@pytest.mark.parametrize(
    "heading",
    [
        "path.basename(path[, suffix])", "fs.open(path, flags[, mode], callback)", "new Foo([a])",
        "pub const fn map<U>(self, f: impl FnOnce(T) -> U) -> Option<U>", "gtk_button_new ()",
        "post_validation(config, key_name)", "class tkinter.Dialog(parent, title=None)",
    ],
)  # fmt: skip
def test_signatures_are_known(heading):
    assert SIGNATURE.fullmatch(heading)


@pytest.mark.parametrize(
    "heading",
    [
        "Boats (old ones)", "Supported file(s)", "git-add(1)", "What is json.dumps() for?",
        "2.1. Use of reallocarray()", "Using print()", "Event: 'close'", "impl<T> Option<T>", "f(",
    ],
)  # fmt: skip
def test_other_headings_are_no_signatures(heading):
    assert not SIGNATURE.fullmatch(heading)


@pytest.mark.parametrize("piece", ["a(", "a ", "(", "()", "((a) ", "pub ", "a", "(a)"])
def test_a_hostile_heading_takes_no_time(piece):
    start = time.process_time()
    SIGNATURE.fullmatch(piece * (MAX_SIGNATURE // len(piece)))
    SIGNATURE.fullmatch("a(" + piece * (MAX_SIGNATURE // len(piece)))
    extract(f"<h2>{piece * 100_000}</h2><p>text</p>")
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    "piece",
    [
        "class ",
        "a.",
        "a: [",
        "a.b: a[",
        "a = ",
        "_",
        "Class A ",
        "a.b(",
        "a.b((",
        "a.b()",
        "a.b(a)(",
        "\n",
    ],
)
def test_a_hostile_signature_takes_no_time(piece):
    start = time.process_time()
    for n in (MAX_SIGNATURE // len(piece), 100_000):
        is_definition(f"{piece * n}\n    Tie it.")
        is_definition(f"a.b\n\n{piece * n}\n    Tie it.")
    assert time.process_time() - start < 2


def test_no_page_at_all_is_written_as_nothing():
    assert render([]) == ""


@pytest.mark.parametrize(
    "text, is_one",
    [
        ("knots.Knot.tie\n\ntie(rope, end=None)\n    Tie a rope.", True),
        ("knots.Knot.tie\n\nclass Knot.tie\n    Tie a rope. It holds.\n\nReturns", True),
        ("Knot.tie(rope)\n    Tie a rope.\n\nReturns\n    It.", True),  # its heading is elsewhere
        ("Knot.ends\n    How many ends it has.", True),
        ("Knot.tie(rope) = <a function>\n    Tie a rope.", True),
        ("Knot::ends\n    How many ends it has.", True),
        ("property Knot.ends: int = 2\n    How many ends it has.", True),
        ("knots.Knot\n\nfinal class Knot\n    A bend in a rope.", True),
        ("knots.tie\n\nfn tie<T>(rope: T) -> Knot\n    Tie a rope.", True),
        ("Home\n    Welcome to the site of all ropes.", False),
        ("Welcome\n\nWelcome home\n    This is the site of all ropes.", False),
        ("Home: all ropes\n    Welcome to the site of all ropes.", False),
        ("Rope.org: all of them\n    Welcome to the site of all ropes.", False),
        ("class action\n    All of them together.", False),
        ("knots.Knot\n\nKnot of a rope\n    A bend in a rope.", False),
        ("Ropes (old)\n    Welcome to the site of all ropes.", False),
        ("???\n\nfoo\n    Bar baz is here.", False),
        ("???\n\nfoo(bar)\n    Bar baz is here.", False),
        (f"tie({'a, ' * 200})\n    Tie a rope.", False),
        ("knots\n\ntie(rope)\n    Tie a rope.", False),
        ("knots.tie\n\nFunctions\n\ntie(rope)\n    Tie a rope.", False),
        ("knots.tie\n\nuntie(rope)\n    Tie a rope.", False),
        ("knots.tie\n\ntie(rope)\n    rope = Rope()\n    Tie a rope.", False),
        ("knots.tie\n\ntie(rope)\n    alias of bind", False),
        ("knots.tie\n\ntie(rope)\n        Tie a rope.", False),
        ("knots.tie\n\ntie(rope)\nTie a rope.", False),
        ("knots.tie\n\n", False),
        ("knots.tie", False),
        ("", False),
    ],
)
def test_a_short_text_defines_one_term_or_not(text, is_one):
    assert is_definition(text) == is_one
