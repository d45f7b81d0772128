"""The text of one of pydoc's pages -> its parts."""

import pytest

from minigpt.pydoc_page import classes, first_sentence, functions, methods, summary_of


@pytest.mark.parametrize(
    ("paragraph", "sentence"),
    [
        ("Tools for\nkeys. And more.", "Tools for keys."),
        ("Tools for keys", "Tools for keys."),
        ("Tools for e.g. keys of it", "Tools for e.g. keys of it."),
        ("Name a key, e.g. 'K'. Or none.", "Name a key, e.g. 'K'."),
        ("Name a key, i.e. it is given a name. And more.", "Name a key, i.e. it is given a name."),
        ("Name a key, a lock etc. that is here.", "Name a key, a lock etc. that is here."),
        ("Name keys, locks, etc. Or none.", "Name keys, locks, etc."),
        ("Weigh a key vs. it may be a lock. And more.", "Weigh a key vs. it may be a lock."),
        ("Tools for keys (a.k.a. Keys). And more.", "Tools for keys (a.k.a. Keys)."),
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
        ("The Keeper of Keys\n==================", "The Keeper of Keys."),
        ("Return the key made by repl. repl can be a key.", "Return the key made by repl."),
        ("Return the key made of repl. and more.", "Return the key made of repl. and more."),
        (
            "Give the keys one by one, as .__next__() does.",
            "Give the keys one by one, as .__next__() does.",
        ),
        ("Set __keys__ and __next__ of it.", ""),
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
        ("key(a) -> (a key of it, list of file", ""),
        ("key(a) -> a key of it, [0, 1).", "key(a) -> a key of it, [0, 1)."),
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
    assert list(functions(text)) == [("find", "(key)", "Find a key.")]


@pytest.mark.parametrize(
    ("block", "arguments", "said"),
    [
        ("find(...)\n    find(key)\n\n    Find a key.  And more.", "(key)", "Find a key."),
        ("find(...)\n    find([key]) -> key\n    Find a key.", "([key])", "Find a key."),
        ("find(...)\n    find(a) -> key\n    find(a, b) -> key\n\n    Find a key.", "",
         "Find a key."),
        ("find(...)\n    Find a key.", "", "Find a key."),
        ("find(...)\n    find() -> x in a lock,  of 2.", "()", "find() -> x in a lock, of 2."),
        ("find(a) method of Ring instance\n    Find a key.", "(a)", "Find a key."),
        ("find(a, /)\n    Find a key.\n\n    Find more.", "(a, /)", "Find a key."),
        ("find(a)\n    Raises KeyError when the key is not there.", "(a)", ""),
        ("find(a)\n    find(a)\n\nNot of it.\n\n    Find a key.", "(a)", ""),
    ],
)  # fmt: skip
def test_a_function_in_c_says_in_its_description_how_it_is_called(block, arguments, said):
    text = f"keys\n\nFunctions\n\n{block}\n\nturn(key)\n    Turn a key."
    first, *_, last = functions(text)
    assert (first, last) == (("find", arguments, said), ("turn", "(key)", "Turn a key."))


def test_methods_are_told_as_functions_are_and_without_self():
    text = """builtins

Classes

class ring(object)

ring() -> new empty ring

hang(self, key, /)
    Hang a key.

shake(self, /)
    Shake it.

class lock(object)

turn(...)
    L.turn(key) -> None

    Turn a key in L.

Data descriptors defined here:

teeth

Functions

find(key)
    Find a key.
"""
    assert list(methods(text)) == [
        ("ring", "hang", "(key, /)", "Hang a key."),
        ("ring", "shake", "()", "Shake it."),
        ("lock", "turn", "(key)", "Turn a key in L."),
    ]


def test_a_class_may_stand_there_without_what_it_is_made_from():
    text = "Classes\n\nclass Key\n\nThe base of all keys.\n\nclass Ring(Key)\n\nA ring of keys."
    assert list(classes(text)) == [("Key", "The base of all keys."), ("Ring", "A ring of keys.")]


def test_a_function_that_has_another_name_elsewhere_is_called_by_that_of_the_page():
    text = "x\n\nFunctions\n\nfind = fast_find(key, /)\n    Find the key of a lock."
    assert list(functions(text)) == [("find", "(key, /)", "Find the key of a lock.")]
