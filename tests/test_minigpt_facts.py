"""Documents -> facts."""

import gzip
import random
import time

import pytest
from chat_examples import page

from bpe.documents import documents
from minigpt.facts import Fact, collect
from minigpt.page_records import read_documents


def test_a_modules_page_says_what_it_is_and_of_each_function_three_things():
    facts, names = collect([page("keys", "Tools for all keys.", find=("key, /", "Find one key."))])
    url = "http://h/keys.html"
    assert facts == [
        Fact("module", "keys", "Tools for all keys.", url),
        Fact("home", "find", "keys", url),
        Fact("function", "keys.find", "Find one key.", url),
        Fact("signature", "keys.find", "find(key, /)", url),
    ]
    assert {"keys", "find", "keys.find", "Tools"} <= names.keys()


def test_the_part_in_c_tells_what_a_module_is_that_says_nothing_of_itself():
    found, _ = collect([page("keys", "Classes"), page("_keys", "Tools for all keys.")])
    assert found == [Fact("module", "keys", "Tools for all keys.", "http://h/_keys.html")]


def test_of_two_pages_with_the_name_of_a_module_the_better_linked_tells_what_it_is():
    pages = [page("keys", "Tools for all keys."), page("keys", "A topic of the manual.")]
    pages[0]["in_degree"], pages[1]["url"] = 3, "http://h/topic?key=keys"
    for some in (pages, pages[::-1]):
        assert [f.text for f in collect(some)[0]] == ["Tools for all keys."]


def test_classes_and_modules_without_a_sentence_are_names_without_text():
    record = page("keys", "Classes\n\nclass Key(builtins.object)")
    facts, _ = collect([record])
    assert {(f.kind, f.name, f.text) for f in facts} == {
        ("module", "keys", ""), ("class", "keys.Key", "")
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("A key for one lock. It turns.", "A key for one lock."),
        ("Key(teeth, /)\n\nA key for one lock.", "A key for one lock."),
        ("Key() -> new key\nKey(old,\n    new) -> key\nMake a key of it.", "Make a key of it."),
        ("Make n keys for locks.  Key(1) is one.", "Make n keys for locks."),
        ("Key(a) -> key\nKey() -> new blank key\n\nMethods defined here:\n\nturn(self)",
         "Key() -> new blank key"),
        ("Methods inherited from Lock:\n\nturn(self)", ""),
        ("Key(teeth) - a key with all those\nof the given teeth that are whole.",
         "a key with all those of the given teeth that are whole."),
        ("teeth = <member 'teeth' of keys>", ""),
        ("open(self, lock)\n    Open a lock with the key.", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_of_a_class_is_told_what_it_is_or_else_how_it_is_called(body, text):
    record = page("keys", f"Tools for keys of yours.\n\nClasses\n\nclass Key(object)\n\n{body}")
    (fact,) = [f for f in collect([record])[0] if f.kind == "class"]
    assert (fact.name, fact.text) == ("keys.Key", text)


def test_a_private_class_is_a_name_without_text():
    record = page("keys", "Tools for keys.\n\nClasses\n\nclass _Key(object)\n\nA key for locks.")
    assert Fact("class", "keys._Key", "", "http://h/keys.html") in collect([record])[0]


def test_of_a_private_function_is_not_told_what_it_does():
    facts, _ = collect([page("keys", "Tools for keys.", _find=("key, /", "Find one key."))])
    assert {f.kind for f in facts} == {"module", "home"}


def test_a_class_in_an_example_is_none_of_the_page():
    text = "Tools for keys.\n\nClasses\n\nclass Key(object)\n\nLike\n\nclass C(object):\n    a = 1"
    assert [f.name for f in collect([page("keys", text)])[0] if f.kind == "class"] == ["keys.Key"]


def test_a_module_that_says_nothing_of_itself_is_told_by_what_it_has():
    names = ["Bit", "Key", "Lock", "Ward", "_Own"]
    for n, text in ((1, ""), (3, "it has the classes Bit, Key, Lock."),
                    (5, "it has the classes Bit, Key, Lock and others.")):  # fmt: skip
        classes = "\n\n".join(f"class {name}(object)" for name in names[:n])
        facts, _ = collect([page("keys", f"Classes\n\n{classes}")])
        assert facts[0] == Fact("module", "keys", text, "http://h/keys.html")


def test_a_module_with_another_name_is_known_by_that():
    summary = 'Tools for keys.\n\nThe "ring.keys" name is an alias for this\nmodule on some rings.'
    facts, names = collect([page("steelkeys", summary, find=("key, /", "Find one key."))])
    assert [(f.kind, f.name) for f in facts] == [
        ("module", "ring.keys"), ("home", "find"), ("function", "ring.keys.find"),
        ("signature", "ring.keys.find"),
    ]  # fmt: skip
    assert {"ring.keys.find", "steelkeys.find"} <= names.keys()  # neither is ever invented


def both(summaries, in_degrees):
    """Return the facts of the modules keys and locks, each with a function `find`."""
    return collect(
        page(name, f"Tools for {name} of yours.", find=("key", summary)) | {"in_degree": in_degree}
        for name, summary, in_degree in zip(("keys", "locks"), summaries, in_degrees, strict=True)
    )[0]


def test_where_a_function_of_two_modules_is_cannot_be_asked_but_what_each_does():
    facts = both(("Find one key.", "Find one lock."), (1, 2))
    assert {f.kind for f in facts} == {"module", "function", "signature"}
    assert {f.name: f.text for f in facts if f.kind == "function"} == {
        "keys.find": "Find one key.", "locks.find": "Find one lock."
    }  # fmt: skip


def test_where_a_function_is_cannot_be_asked_if_a_built_in_class_has_its_name():
    builtins = page("builtins", "Built-in things of all.") | {"text": "class find(object)"}
    facts, _ = collect([builtins, page("keys", "Tools for keys.", find=("key", "Find a key."))])
    assert [f.name for f in facts if f.kind == "function"] == ["keys.find"]
    assert not [f for f in facts if f.kind == "home"]


def test_functions_stand_beneath_their_heading_not_beneath_one_of_the_text():
    text = "keys\n\nTools for keys.\n\nFunctions\n---------\n\nfind()\n    Find one.\n\nClasses"
    record = page("keys", "", find=("key, /", "Find a key."))
    facts, _ = collect([record | {"text": text + record["text"].removeprefix("keys\n")}])
    assert [f.text for f in facts if f.kind == "signature"] == ["find(key, /)"]


def test_many_arguments_are_not_asked_for_but_what_the_function_does():
    arguments = ", ".join(f"argument_{i}=None" for i in range(9))
    facts, _ = collect([page("keys", "Tools for keys of yours.", find=(arguments, "Find a key."))])
    assert {f.kind for f in facts} == {"module", "function", "home"}


def test_of_two_modules_that_say_the_same_of_a_function_the_better_known_has_it():
    for in_degrees, better in (((1, 2), "locks"), ((2, 1), "keys")):
        facts = both(("Find one key.", "Find one key."), in_degrees)
        assert [f.text for f in facts if f.kind == "home"] == [better]
        assert {f.name for f in facts if f.kind == "function"} == {f"{better}.find"}


def test_built_in_functions_are_asked_for_without_their_module():
    facts, _ = collect([page("builtins", "Built-in functions of all.", len=("obj", "Count it."))])
    assert {f.name for f in facts} == {"builtins", "len"}


CLASS = "builtins\n\nBuilt-in things.\n\nClasses\n\nclass list(object)\n\nA row of things.\n\n"


def test_of_a_built_in_class_is_told_what_its_methods_do_and_of_others_it_is_not():
    body = CLASS + "append(self, object, /)\n    Append an object.\n\n_grow(self)\n    Grow it."
    found = {}
    for module in ("builtins", "keys"):
        record = page(module, "") | {"text": body.replace("builtins", module)}
        found[module] = [f for f in collect([record])[0] if f.kind == "method"]
    (fact,) = found["builtins"]
    assert (fact.name, fact.text) == ("list.append", "Append an object.")
    assert not found["keys"]


def test_an_alias_of_a_class_that_says_nothing_does_not_make_it_unclear():
    text = CLASS + "stack = class list(object)\n\nMethods defined here:"
    facts, _ = collect([page("builtins", "") | {"text": text}])
    assert [f.text for f in facts if f.kind == "class"] == ["A row of things."]


def test_how_many_documents_call_a_name_and_use_one_of_a_module():
    texts = ["ring.keys.find() and x.turn(a)", "turn(b), ring.lock", "ring and locks"]
    names = collect([{"text": text} for text in texts])[1]
    assert [names[x] for x in ("find(", ".find(", "turn(", ".turn(")] == [0, 1, 1, 1]
    assert [names[x] for x in ("ring.", "ring.keys.", "ring.keys.find.")] == [2, 1, 0]


def test_what_a_package_says_of_itself_does_not_make_it_known():
    own = page("ring.keys", "Tools as ring.keys.find and ring.lock, and os.path.")
    assert {name: n for name, n in collect([own])[1].items() if name[-1] == "."} == {"os.": 1}


def test_pages_that_are_not_pydocs_give_their_title_and_first_sentence():
    record = {"title": "Gulls", "url": "u", "text": "Gulls\n\nGulls live by the sea. They cry.\n"}
    assert collect([record])[0] == [Fact("page", "Gulls", "Gulls live by the sea.", "u")]
    assert collect([{"text": "no title here at all."}])[0] == []
    found, _ = collect([page("keys", "Classes"), record])  # of a page of pydoc that says nothing
    assert [f.name for f in found if f.text] == ["Gulls"]


def of_site(*pages):
    """Return the facts of pages (title, text, links to it) of a site that is not pydoc's."""
    records = [
        {"title": f"{title} — Ropes", "text": text, "url": title, "in_degree": n}
        for title, text, n in pages
    ]
    return [f for f in collect(records)[0] if f.text]


def test_a_page_of_another_site_gives_its_name_what_it_defines_and_how_that_is_called():
    tie = "knot-tie - tie a knot\n\n-f, --force\n    Tie it again.\n\nhold(rope)\n    Hold a rope."
    topic = "A rope has two ends. It may have more.\n\nbight\n    A bend in a rope."
    facts = of_site(("knot-tie(1)", tie, 4), ("Chapter 2. On Ropes", topic, 1), ("Empty", "x", 1))
    assert facts == [
        Fact("page", "On Ropes", "A rope has two ends.", "Chapter 2. On Ropes", 1),
        Fact("term", "knot-tie", "Tie a knot.", "knot-tie(1)", 4, is_whole=True),
        Fact("term", "knot-tie --force", "Tie it again.", "knot-tie(1)", 4),
        Fact("term", "hold", "Hold a rope.", "knot-tie(1)", 4),
        Fact("call", "hold", "hold(rope)", "knot-tie(1)", 4),
        Fact("term", "bight", "A bend in a rope.", "Chapter 2. On Ropes", 1),
    ]


def test_what_titles_have_in_common_is_of_a_site_where_these_are_of_one():
    def named(*urls):
        records = [
            {"title": f"Knot {i} — Ropes", "text": "A knot holds.", "url": url}
            for i, url in enumerate(urls)
        ]
        return {f.name for f in collect(records)[0]}

    assert named("http://a.org/1", "http://a.org/2", "http://a.org/3") == {
        "Knot 0", "Knot 1", "Knot 2"
    }  # fmt: skip
    others = named("http://a.org/1", "http://b.org/2", "http://c.org/3")
    assert others == {"Knot 0 — Ropes", "Knot 1 — Ropes", "Knot 2 — Ropes"}


def test_of_several_pages_that_speak_of_a_name_the_one_about_it_is_believed():
    def told(*pages):
        return [f.text for f in of_site(*pages) if f.name == "tie_off"]

    own, called = "tie_off - end a knot", "tie_off(rope)\n    End it with a hitch."
    listed, said = "tie_off\n    The end of it.", "The tie_off function ends a knot for good."
    ordered = [("tie_off", own, 1), ("A b", called, 1), ("C d", listed, 1), ("E f", said, 1)]
    for i, text in enumerate(["End a knot.", "End it with a hitch.", "The end of it.", said]):
        assert told(*reversed(ordered[i:]))[0] == text


def test_a_name_that_one_page_explains_and_another_only_calls_is_explained():
    called, said = "tie(rope)\n    x = 1", "The tie() function ties a rope."
    for pages in ([("A b", called, 9), ("C d", said, 1)], [("A b", called + "\n\n" + said, 1)]):
        assert [f.text for f in of_site(*pages) if f.name == "tie"] == [said]


def test_what_a_whole_page_is_about_is_no_term_of_another():
    page = ("Knots", "A knot holds two ropes.", 1)
    other = ("Words of sailors", "Knots\n    The knots of a ship are miles.", 9)
    facts = of_site(page, other, ("Empty", "x", 1))
    assert [(f.kind, f.name) for f in facts] == [("page", "Knots")]


def test_a_name_that_two_pages_explain_otherwise_is_that_of_the_much_better_known_or_unclear():
    def told(n, m, other="bight\n    A bay of the sea."):
        pages = ("A b", "bight\n    A bend in a rope.", n), ("C d", other, m)
        return [f.text for f in of_site(*pages) if f.name == "bight"]

    assert told(2, 3) == [] == told(0, 0)
    assert told(9, 1) == ["A bend in a rope."] and told(1, 9) == ["A bay of the sea."]
    assert told(2, 3, "bight\n    A bend in a rope.") == ["A bend in a rope."]


def test_a_word_that_one_page_explains_twice_and_otherwise_is_unclear_but_no_option():
    def told(name, text):
        return [f.text for f in of_site(("knot-tie", text, 1)) if f.name == name]

    size, again = "size\n    The size of the rope.", "size\n    The size of the knot."
    assert told("size", f"{size}\n\n{again}") == []
    assert told("size", f"{size}\n\n{size}") == ["The size of the rope."]
    option = (
        "knot-tie - tie a knot\n\n--all\n    Tie all of them.\n\n--all\n    Tie it all, and fast."
    )
    assert told("knot-tie --all", option) == ["Tie all of them."]
    call = "tie(rope)\n    Tie a rope.\n\ntie(rope, end)\n    Tie it to an end."  # overloaded
    assert told("tie", call) == ["Tie a rope.", "tie(rope)"]


def test_a_command_as_it_is_typed_is_no_term_beside_its_name():
    typed = "knot tie\n    A way to tie.\n\nknot cut\n    A way to cut."
    facts = of_site(("knot-tie(1)", "knot-tie - tie a knot\n\n" + typed, 1))
    assert [f.name for f in facts] == ["knot-tie", "knot cut"]


def test_a_name_that_is_called_but_not_explained_is_known_without_a_text():
    text = "tie(rope)\n    x = 1\n\nhold()\n    Hold a rope."
    facts, _ = collect([{"title": "Tie it", "text": text}])
    assert [(f.name, f.text) for f in facts if f.kind == "term"] == [
        ("tie", ""), ("hold", "Hold a rope.")
    ]  # fmt: skip


@pytest.mark.parametrize(
    "make",
    [
        lambda n: "a" * n,
        lambda n: "Tools of <http: " + "<http: " * n,
        lambda n: "keys\n\nClasses\n\nclass Key(object)\n\nKey(" + "-> a" * n,
        lambda n: "keys of yours. " + "a." * n + "a",
        lambda n: "Tools for " + "key(" * 20 * n,
        lambda n: "keys\n\nFunctions\n\nkey(...)\n" + "    key(a\n" * n,
    ],
)
def test_hostile_pages_take_linear_time(make):
    def seconds(n):
        record, start = page("keys", make(n)), time.process_time()
        assert collect([record])[0][0].name == "keys"
        return time.process_time() - start

    # a tenth takes a tenth of the time, and a hundredth if it is quadratic
    assert any(seconds(8000) < 40 * seconds(800) + 0.1 for _ in range(5))


def test_a_line_that_is_no_document_is_named(tmp_path):
    path = tmp_path / "documents.jsonl"
    for line in ("{", "[]", "{}", '{"text": 1}', '"text"', '{"text": "a", "in_degree": "many"}',
                 '{"text": "a", "in_degree": -1}', '{"text": "a", "in_degree": NaN}',
                 '{"text": "a", "in_degree": 1' + "0" * 400 + "}",
                 '{"text": null}', "[" * 99999, "\ud800"):  # fmt: skip
        path.write_text('{"text": "a"}\n' + line + "\n", "utf-8", "surrogatepass")
        with pytest.raises(ValueError, match=r"documents.jsonl, line 2: no document"):
            read_documents(path)


def test_what_is_no_text_to_the_tokenizer_is_none_here(tmp_path):
    path = tmp_path / "documents.jsonl"
    line = '\ufeff{"text": "a", "title": null, "url": null, "in_degree": null}'
    path.write_text(line + "\n\n \n", "utf-8")
    assert read_documents(path) == [{"text": "a"}]
    assert list(documents(path)) == ["a"]


@pytest.mark.parametrize("left", [5, 15, 60, -1])
def test_a_damaged_gzip_file_is_named(tmp_path, left):
    path = tmp_path / "documents.jsonl.gz"
    text = random.Random(0).randbytes(200).hex()
    path.write_bytes(gzip.compress(f'{{"text": "{text}"}}\n'.encode())[:left])
    with pytest.raises(ValueError, match=r"documents.jsonl.gz: damaged or truncated gzip"):
        read_documents(path)
