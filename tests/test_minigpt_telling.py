"""telling.py: which sentence of a paragraph tells what something is."""

from minigpt.telling import shortened, telling


def test_the_row_of_a_table_tells_nothing():
    assert telling("tie(rope) | Tie a rope.") == ""


def test_a_sentence_that_only_says_since_when_is_passed_over():
    assert telling("New in version 3: more. Part of the Stable ABI. Tie a rope. Hold it.") == (
        "Tie a rope."
    )
    assert telling("However, it slips. Tie it.") == ""
    assert telling("Kinds of rope:\n- hemp\n- wire") == "Kinds of rope."
    broken = ("To tie it, do one of:\n- a bend", "Knots are tied by:", "Only valid for wire.")
    assert not any(map(telling, broken))
    assert telling("This option is only valid for hemp. Wet the rope.") == "Wet the rope."
    assert telling("In addition, there is wire. Wet it.") == "Wet it."
    assert telling("This knot is only used by sailors.") == "This knot is only used by sailors."
    assert telling("and so on. Tie it.") == telling("Bends and hitches") == telling("") == ""


def test_a_long_sentence_is_left_without_remarks_and_without_its_end():
    assert shortened("Knots (all of them) hold.", 25) == "Knots (all of them) hold."
    assert shortened("Every knot (of hemp, at least) holds fast.", 30) == ""  # too little is left
    assert shortened("Every knot (of hemp, at least) holds two ropes.", 32) == (
        "Every knot holds two ropes."
    )
    assert shortened("Every knot holds two ropes or more; some slip and fall.", 40) == (
        "Every knot holds two ropes or more."
    )
    assert shortened("Every knot holds two ropes, unless it slips.", 40) == ""
