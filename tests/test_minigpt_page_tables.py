"""The tables of a page -> the rows that have a name in one cell, and in another what it is."""

import time

import pytest

from minigpt.any_page import CALLED, PAGE, TABLED, Entry, entries, page_entry
from minigpt.facts import collect, page_facts
from minigpt.page_tables import of_cell, rows_of, told_rows

HEAD = "Field | Type | Description"
ROWS = "rope_ends | integer | How many ends there are\nrope_age | date | When it was made."


def told(text):
    """Return {name: text} of what the last paragraph tells, where that is a table."""
    paragraphs = text.split("\n\n")
    return {name: said for name, said, _ in told_rows(paragraphs, len(paragraphs) - 1)}


def tabled(text, page=""):
    return {e.name: (e.arguments, e.text) for e in entries(text, page) if e.stands == TABLED}


def test_the_head_of_a_table_says_which_cells_tell():
    both = {"rope_ends": "How many ends there are.", "rope_age": "When it was made."}
    assert told(f"{HEAD}\n\n{ROWS}") == told(f"{HEAD}\n{ROWS}") == both
    swapped = "Name | Meaning | Type\n\nrope_ends | How many ends there are | integer\nx | no"
    assert told(swapped) == {"rope_ends": "How many ends there are.", "x": ""}
    short = f"{HEAD}\n\nrope_ends | 1\nrope_age | date | When it was made, or cut | for how much"
    assert told(short) == {}


@pytest.mark.parametrize("head", ["Field | Type | Default", "Old way | Type | New way", "a | b"])
def test_a_head_that_does_not_say_so_has_no_cells_that_tell(head):
    assert told(f"{head}\n\n{ROWS}") == {}
    rows = ROWS.replace("integer | ", "").replace("date | ", "")
    assert told(rows) and not told(f"{head}\n\n{rows}")


def test_of_a_table_without_a_head_the_second_of_two_cells_tells():
    rows = "tie(rope) | Tie a rope to this one\nRope.end | The end of the rope"
    assert told(rows) == told(f"Of ropes.\n\n{rows}")
    assert told(rows) == {
        "tie(rope)": "Tie a rope to this one.", "Rope.end": "The end of the rope."
    }  # fmt: skip
    assert told("rope_a | The first end of it | 1\nrope_b | The other end of it | 2") == {}
    assert told("tie(rope) | Tie a rope to this one") == {}  # one row may be chance
    for values in (
        "a_rope | HEMP_ROPE, WIRE\nb_rope | WIRE, HEMP_ROPE",
        "rope_end | knot.ends.last\nrope_top | knot.ends.first",
        "tie(rope) | Tie a rope to this one\nRope.cut(end) | Cut it in two parts\nRope.end | 2",
        "rope_one | Hemp rope\nrope_two | Wire rope",
        *(
            f"rope_one | Ends {sign}hemp {sign}wire {sign}both\nrope_two | Tops {sign}one {sign}two"
            for sign in (".", ":", "=", "(", "-", "2")
        ),
    ):
        assert told(values) == {}, values


@pytest.mark.parametrize(
    "text",
    [
        "$ tie a | untie b\n$ tie it to the end | sort",
        " ends | rope of hemp\n------+-----\n    2 | one of them all",
        "rope ends  | all the ends there are\nrope tops  | all the tops there are",
        "a line without cells\nrope_ends | All the ends there are",
        "  | end\n  | a rope and its end",
        "",
    ],
)
def test_code_and_text_are_no_tables(text):
    assert not told(text)


def test_an_empty_cell_keeps_its_place():
    assert rows_of("a | | b\nc | d |") == [["a", "", "b"], ["c", "d", ""]]
    assert rows_of("a || b | c") == [["a || b", "c"]]


def test_a_table_beneath_a_heading_says_what_that_names():
    text = "TieRope Directive ¶\n\nDescription: | Tie a rope\nSyntax: | TieRope length\nStatus: | x"
    assert told(text) == {"TieRope": "Tie a rope."}
    assert told(text.replace("TieRope", "Tie")) == {"Tie": "Tie a rope."}
    in_brackets = text.replace("TieRope length", "<TieRope> ... </TieRope>")
    assert told(in_brackets.replace("TieRope D", "<TieRope> D")) == {"TieRope": "Tie a rope."}
    assert tabled(text.replace("TieRope", "Tie")) == {"Tie": ("", "Tie a rope.")}
    for other in ("Syntax: | TieRopes length", "Syntax: | Untie", "Status: | TieRope"):
        assert told(text.replace("Syntax: | TieRope length", other)) == {}, other
    assert told(text.replace("TieRope Directive", "How to tie: TieRope")) == {}
    assert told(text.partition("\n\n")[2]) == {}


def test_a_table_at_the_top_of_a_page_says_what_that_is():
    table = "Description: | Tie all ropes\nStatus: | x"
    below = "Ropes are tied by all."
    for text in (f"{table}\n\n{below}", f"Module mod_tie\n\nen | fr\n\n{table}\n\n{below}"):
        assert page_entry("mod_tie", text) == Entry("mod_tie", "", "Tie all ropes.", PAGE)
    of_another = f"Tie Directive\n\n{table}\nSyntax: | Tie length\n\n{below}"
    assert page_entry("mod_tie", of_another).text == below
    assert page_entry("mod_tie", f"{below}\n\n{table}").text == below
    assert page_entry("mod_tie", f"Status: | Tie all ropes\nStatus: | x\n\n{below}").text == below


@pytest.mark.parametrize(
    "heading, row, is_one",
    [
        ("TieRope Directive", "Syntax", True),
        ("TieRope command", "Usage", True),
        ("TieRope Option", "Synopsis", True),
        ("TieRope setting ¶", "Syntax", True),
        ("TieRope", "Syntax", True),
        ("TieRope manual", "Syntax", False),
        ("TieRope command", "Example", False),
        ("T" * 45, "Syntax", True),
        ("T" * 46, "Syntax", False),
    ],
)
def test_a_heading_says_of_which_sort_a_thing_is_and_a_row_how_it_is_written(heading, row, is_one):
    name = heading.partition(" ")[0]
    table = f"Description: | Tie a rope\n{row}: | {name} length"
    assert told(f"{heading}\n\n{table}") == ({name: "Tie a rope."} if is_one else {})


def test_a_heading_of_any_length_is_looked_for_once():
    table = "\n".join(["Description: | a", *["Syntax: | b"] * 10_000])

    def seconds(heading):
        start = time.process_time()
        assert told(f"{heading}\n\n{table}") == {}
        return time.process_time() - start

    # a hundred times as long if it is looked for in each row
    assert any(seconds("a" * 200_000) < 5 * seconds("a") + 0.1 for _ in range(3))


@pytest.mark.parametrize(
    "name, is_one",  # of a table with a head
    [("Monday-Friday", True), ("Jean-Paul", True), ("h@a.example", False), ("http://a.b/x", False)],
)
def test_days_people_and_addresses_are_no_names_of_a_table(name, is_one):
    ropes = [f"rope_{end}" for end in "abcdef"]
    rows = "\n".join(f"{cell} | What there is to say of it" for cell in [name, *ropes])
    assert list(tabled(rows)) == ropes
    assert list(tabled(f"Name | Description\n\n{rows}")) == [name] * is_one + ropes


@pytest.mark.parametrize(
    "cell, said",
    [
        ("a bend in a rope", "A bend in a rope."),
        ("bend/loop in a rope", "Bend/loop in a rope."),
        ("Ends of it.", "Ends of it."),
        ("A bend in it. It holds", "A bend in it."),
        ("rope_ends says how many", ""),
        ("rope", ""),
        ("Rope", ""),
        ("", ""),
        ("tie(rope, 2)", ""),
    ],
)
def test_a_cell_tells_without_a_capital_and_a_full_stop(cell, said):
    assert of_cell(cell) == said


def test_the_names_of_a_table_are_those_that_look_like_names():
    cells = {
        "rope_ends": ("rope_ends", ""), "Rope.tie(end[, n])": ("Rope.tie", "(end[, n])"),
        "Rope.cut(end[, n, ...])": ("Rope.cut", ""), "DROP ROPE": ("DROP ROPE", ""),
        "-f, --force": ("git-tie --force", ""), "HEMP": ("HEMP", ""), "\\d": ("\\d", ""),
    }  # fmt: skip
    unlike = "bight", "How to tie-off", "v1.2", "2.1", "City/Town", "..", "...", "_", "ID", "A_b 2"
    for cell in unlike:
        cells[cell] = None
    rows = "\n".join(f"{cell} | What there is to say of it" for cell in cells)
    found = tabled(f"Name | Description\n\n{rows}", "git-tie")
    assert found == {
        name: (arguments, "What there is to say of it.")
        for name, arguments in filter(None, cells.values())
    }  # fmt: skip
    assert "git-tie --force" not in tabled(f"Name | Description\n\n{rows}")


def test_of_a_function_in_a_table_stands_what_it_gives_and_beneath_it_what_it_does():
    text = """bind ( text ) → integer

cost ( rope ) → integer

length ( text ) → integer

size ( text ) → integer

Number of characters in the text

length('rope') → 4

length(rope) → 4

cut ( text, n integer ) → text

Cuts a rope. It has two parts then.

cut('rope', 2) → ro

cut(2) → ro

All of these are fast.

tie ( a rope ) -> a knot

which ties it.

untied() -> a rope

Returns what was tied.

tied() -> rope

untie ( a rope ) -> a knot"""
    assert list(entries(text)) == [
        Entry("size", "(text)", "Number of characters in the text.", CALLED),
        Entry("length", "(text)", "Number of characters in the text.", CALLED),
        Entry("cut", "(text, n integer)", "Cuts a rope.", CALLED),
        Entry("untied", "", "Returns what was tied.", CALLED),
    ]


def record(name, text, in_degree=0):
    return {"title": name, "text": text, "url": f"http://a/{name}", "in_degree": in_degree}


def terms_of(*records):
    return {fact.name: fact.text for fact in page_facts(list(records)) if fact.kind == "term"}


def test_what_an_index_has_under_a_shorter_name_is_told_once():
    index = record("Index", "Rope.tie(end) | Tie a rope to this\nRope.cut(end) | Cut it in parts")
    page = record("knots.Rope.tie", "knots.Rope.tie(end)\n    Tie a rope.")
    assert terms_of(index, page) == {
        "knots.Rope.tie": "Tie a rope.", "Rope.cut": "Cut it in parts."
    }  # fmt: skip
    page["text"] += "\n\ncut(end)\n    Cut an end off."
    assert terms_of(index, page)["cut"] == "Cut an end off."  # that is no index
    unsaid = record("knots.Rope.tie", "knots.Rope.tie(end)\n    x = 1")
    assert terms_of(index, unsaid)["Rope.tie"] == "Tie a rope to this."


def test_a_name_that_two_tables_have_is_of_two_things():
    rows = "{} | The first end of it\nrope_{} | All that there is of it"
    one, other = (record(end, rows.format("rope_end", end)) for end in "ab")
    assert terms_of(one, other)["rope_end"] == "The first end of it."
    other["text"] = other["text"].replace("first", "last")
    facts, _ = collect([one, other])
    assert {fact.name for fact in facts if fact.kind == "term"} == {"rope_a", "rope_b"}
    both = record("ab", f"{one['text']}\n\nOr:\n\n{other['text']}")
    assert {fact.name for fact in collect([both])[0]} == {"rope_a", "rope_b"}
