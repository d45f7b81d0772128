"""The text of one of pydoc's pages -> its parts."""

import pytest

from minigpt.pydoc_page import classes, first_sentence, functions, summary_of


@pytest.mark.parametrize(
    ("paragraph", "sentence"),
    [
        ("Tools for\nkeys. And more.", "Tools for keys."),
        ("Tools for keys", "Tools for keys."),
        ("Tools for e.g. keys of it", "Tools for e.g. keys of it."),
        ("Is it a key? Yes.", "Is it a key?"),
        ("class Key(builtins.object)", ""),
        ("find(key, /) of them", ""),
        ("# a comment of the file", ""),
        ("two words.", "two words."),
        ("two words", ""),
        ("Keys <https://h/keys> open locks.", "Keys open locks."),
        ("Copyright of the owner of all keys.", ""),
        ("Adapted with permission of the owner of keys.", ""),
        ("Tools for keys $Id: keys.py 3375 2008-02-13 $.", ""),
        ("Functions", ""),
        ("word " * 40, ""),
    ],
)
def test_the_first_sentence_is_prose_on_one_line_or_nothing(paragraph, sentence):
    assert first_sentence(paragraph) == sentence


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("keys\n\nTools for keys. And more.\n\nClasses", "Tools for keys."),
        ("keys (version 2.0)\n\nTools for keys.", "Tools for keys."),
        ("keys | index (built-in)\n\nTools for keys.", "Tools for keys."),
        ("Tools for keys.\n\nClasses", "Tools for keys."),  # the heading was removed as a repeat
        ("keys\n\n# Tools for\n# all keys.\n#\n# keys.py", "Tools for all keys."),
        ("keys\n\nkeys.py - Tools for keys", "Tools for keys."),
        ("keys\n\nClasses\n\nclass Key(builtins.object)", ""),
        ("keys\n\n" + "many words " * 14, "many words " * 13 + "many words."),
        ("keys\n\n" + "many words " * 20, ""),
    ],
)
def test_what_a_module_is_stands_beneath_its_heading(text, summary):
    assert summary_of("keys", text) == summary


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (f"Make a key{' for the locks' * 6}.", f"Make a key{' for the locks' * 6}."),
        ("Make n keys for locks.  key(1) is one.", "Make n keys for locks."),
        ("key() -> what __new__ gives back", ""),
        ("key() -> key", ""),
        (f"key({'a, ' * 30}b) -> a new key", ""),
    ],
)  # fmt: skip
def test_of_a_class_is_told_a_sentence_even_a_long_one_or_what_comes_of_a_short_call(body, said):
    assert list(classes(f"Classes\n\nclass key(object)\n\n{body}")) == [("key", said)]


def test_functions_have_a_description_and_end_where_the_next_heading_stands():
    text = """keys

Functions

find(key)
    Find a key.

bare(key)

turn(key)
not of it

Data

lock(key)
    Lock it.
"""
    assert list(functions(text)) == [("find", "(key)", "    Find a key.")]
