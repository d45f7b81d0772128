"""Of equal paragraphs the first copy stays, with what it needs to be understood."""

from hypothesis import given
from hypothesis import strategies as st

from crawler.paragraphs import digest, digests, without_repeats


class Seen:
    """Documents one after the other: a paragraph is the first of its kind if none was before."""

    def __init__(self, shortest=0):
        self.shortest = shortest
        self.seen = set()

    def drop_repeats(self, text):
        is_first = []
        for key in digests(text):
            is_first.append(key not in self.seen)
            self.seen.add(key)
        return without_repeats(text, is_first, self.shortest)


def test_digest_hides_case_and_blanks_but_not_numbers():
    assert digest("A  b,\n1!") == digest("a b, 1!")
    assert digest("sha224") != digest("sha256")
    assert digest("\ud800") != digest("")  # half a character, from a page that lies


@given(st.text(st.sampled_from("ab \n"), max_size=40))
def test_a_text_without_repeats_stays_as_it_is_but_for_blank_lines(text):
    n_paragraphs = len(digests(text))
    kept = without_repeats(text, [True] * n_paragraphs)
    assert kept.split() == text.split()


def test_later_copies_of_a_paragraph_are_dropped():
    paragraphs = Seen()
    assert paragraphs.drop_repeats("One is here.\n\nTwo is here.") == "One is here.\n\nTwo is here."
    assert paragraphs.drop_repeats("two  is HERE.\n\nThree is here.") == "Three is here."
    assert paragraphs.drop_repeats("One is here.\n\nOne is here.") == ""


def test_an_announcement_stays_only_with_what_follows_it():
    paragraphs = Seen()
    first = "Functions\n\nMethods defined here:\n\nold(self)\n    Do the old thing."
    assert paragraphs.drop_repeats(first) == first
    again = "Methods inherited from Old:\n\nold(self)\n    Do the old thing."
    fresh = "Functions\n\nMethods defined here:\n\nnew(self)\n    Do the new thing."
    assert paragraphs.drop_repeats(f"{again}\n\n{fresh}\n\n{again}\n\nData") == f"{fresh}\n\nData"
    assert paragraphs.drop_repeats(f"{again}\n\nData") == ""
    paragraphs.drop_repeats("class Box(object)\n\nHolds what is put into it.")
    assert paragraphs.drop_repeats("class Box(object)\n\nHolds the same things.") == (
        "class Box(object)\n\nHolds the same things."
    )


def test_what_is_said_of_a_function_stays_under_its_name():
    paragraphs = Seen()
    paragraphs.drop_repeats("seek(pos)\n    Change the position.\n\n    The default is 0.")
    again = (
        "tell()\n    Say where.\n\nseek(pos)\n    Change the position.\n\n    Text files: only 0."
    )
    assert paragraphs.drop_repeats(again) == again
    assert paragraphs.drop_repeats(again) == ""


def test_short_paragraphs_may_be_said_again_where_the_profile_says_so():
    talk = "Is it he?\n\nYes.\n\nAre you sure?\n\nYes."
    assert Seen(shortest=60).drop_repeats(talk) == talk
    assert Seen().drop_repeats(talk) == "Is it he?\n\nYes.\n\nAre you sure?"
