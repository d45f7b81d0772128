"""Documents -> facts -> questions -> files."""

import json
import random
import re
from collections import Counter

import pytest
from chat_examples import page, pages, write_conversations, write_documents

from minigpt import phrasings
from minigpt.chat_data import OWN, make
from minigpt.chat_format import conversation, read_conversations
from minigpt.facts import Fact, best_known, collect, first_sentence, read_documents, summary_of
from minigpt.phrasings import (
    FOLLOW_UPS,
    HELD_OUT,
    HELD_OUT_FOLLOW_UPS,
    NOUN,
    TRAINED,
    Invented,
    declines,
)
from minigpt.small_talk import read_small_talk

# ---- facts ---------------------------------------------------------------------------------


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


def test_the_part_in_c_tells_what_a_module_is_that_says_nothing_of_itself():
    found, _ = collect([page("keys", "Classes"), page("_keys", "Tools for all keys.")])
    assert found == [Fact("module", "keys", "Tools for all keys.", "http://h/_keys.html")]


def test_classes_and_modules_without_a_sentence_are_names_without_text():
    record = page("keys", "Classes\n\nclass Key(builtins.object)")
    facts, _ = collect([record])
    assert {(f.kind, f.name, f.text) for f in facts} == {
        ("module", "keys", ""), ("function", "keys.Key", "")
    }  # fmt: skip


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


def test_many_arguments_are_not_asked_for_but_what_the_function_does():
    arguments = ", ".join(f"argument_{i}=None" for i in range(9))
    facts, _ = collect([page("keys", "Tools for keys of yours.", find=(arguments, "Find a key."))])
    assert {f.kind for f in facts} == {"module", "function", "home"}


def test_of_two_modules_that_say_the_same_of_a_function_the_better_known_has_it():
    facts = both(("Find one key.", "Find one key."), (1, 2))
    (home,) = [f for f in facts if f.kind == "home"]
    assert home.text == "locks"
    assert {f.name for f in facts if f.kind == "function"} == {"locks.find"}


def test_built_in_functions_are_asked_for_without_their_module():
    facts, _ = collect([page("builtins", "Built-in functions of all.", len=("obj", "Count it."))])
    assert {f.name for f in facts} == {"builtins", "len"}


def test_the_best_known_come_first_and_pages_share_the_places():
    """Square roots are 10, 3 and 1: as many of 14 places."""
    facts = [
        Fact("function", f"{page}.{i}", "text", page, in_degree)
        for page, in_degree in (("rare", 1), ("common", 100), ("some", 9))
        for i in range(10)
    ]
    ordered = best_known(facts, Counter({"common.7": 3, "common.4": 2}), random.Random(1))
    assert sorted(f.name for f in ordered) == sorted(f.name for f in facts)
    assert [f.name for f in ordered[:2]] == ["common.7", "common.4"]
    assert Counter(f.source for f in ordered[:14]) == {"common": 10, "some": 3, "rare": 1}


def test_pages_that_are_not_pydocs_give_their_title_and_first_sentence():
    record = {"title": "Gulls", "url": "u", "text": "Gulls\n\nGulls live by the sea. They cry.\n"}
    assert collect([record])[0] == [Fact("page", "Gulls", "Gulls live by the sea.", "u")]
    assert collect([{"text": "no title here at all."}])[0] == []


def test_a_line_that_is_no_document_is_named(tmp_path):
    path = tmp_path / "documents.jsonl"
    for line in ("{", "[]", "{}", '{"text": 1}', '"text"'):
        path.write_text('{"text": "a"}\n' + line + "\n")
        with pytest.raises(ValueError, match=r"documents.jsonl, line 2: no document"):
            read_documents(path)


# ---- questions -----------------------------------------------------------------------------


def test_every_kind_is_asked_for_in_many_phrasings_and_examined_in_others():
    for kind in TRAINED:
        assert len(set(TRAINED[kind])) == 20
        assert len(set(HELD_OUT[kind])) == 4
        assert all(text.count("{}") == 1 for text in TRAINED[kind] + HELD_OUT[kind])
    every = {text.lower() for kind in TRAINED for text in TRAINED[kind]}
    assert not every & {text.lower() for kind in HELD_OUT for text in HELD_OUT[kind]}
    for kind in FOLLOW_UPS:
        assert not set(FOLLOW_UPS[kind]) & set(HELD_OUT_FOLLOW_UPS[kind])


def test_an_answer_spells_the_name_and_only_then_knows_it_or_not():
    assert phrasings.answer("home", "find", "keys") == "Function find: it is in keys."
    assert phrasings.answer("module", "keys", "Tools.") == "Module keys: Tools."
    assert phrasings.unknown_answer("module", "kex") == "Module kex? I do not know that name."
    assert declines(phrasings.unknown_answer("home", "x"))
    assert not declines(phrasings.answer("home", "find", "keys"))
    assert "Return the key." in phrasings.return_answer("keys.find", "Return the key.")
    assert "does not say" in phrasings.return_answer("keys.find", "Find the key.")


@pytest.fixture(scope="module")
def facts_and_names():
    return collect(pages())


@pytest.mark.parametrize("kind", ["module", "function", "home"])
def test_invented_names_are_new_each_time_and_in_no_document(facts_and_names, kind):
    facts, names = facts_and_names
    invented = Invented(facts, names, random.Random(1))
    found = [invented.name(kind) for _ in range(60)]
    assert len(set(found)) == 60
    text = " ".join(record["text"] for record in pages())
    assert not any(re.search(rf"\b{re.escape(name)}\b", text) for name in found)
    real = {(f.kind, f.name) for f in facts}
    assert not any((kind, name) in real for name in found)


def test_where_there_are_too_few_names_none_is_invented():
    invented = Invented([Fact("module", "ab", "", "")], {"ab"}, random.Random(1))
    given = [invented.name("module") for _ in range(50)]
    assert given[-1] is None


# ---- files ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder and the report of conversations about the example's pages."""
    folder = tmp_path_factory.mktemp("made")
    documents = write_documents(folder / "documents.jsonl")
    mine = write_conversations(folder / "my.jsonl", conversation("Is it mine?", "It is yours."))
    return folder, make([documents], folder, [mine], n_facts=100, rounds=1)


def lines(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_every_file_holds_conversations_with_their_sources(made):
    folder, report = made
    for part in ("train", "val", "questions"):
        found = lines(folder / f"{part}.jsonl")
        assert len(found) == len(list(read_conversations(folder / f"{part}.jsonl"))) > 20
        assert report[part] == len(found)
        assert all(line["source"] for line in found)
    sources = {s for line in lines(folder / "train.jsonl") for s in line["source"].split(" ")}
    assert {"unknown", "my.jsonl", "conversations.jsonl", "small_talk.jsonl"} <= sources
    assert any(source.startswith("http://h/") for source in sources)
    assert json.loads((folder / "conversations.json").read_text()) == report


def test_every_fact_is_trained_in_every_phrasing_and_held_out_ones_in_none(made):
    folder, report = made
    answers = Counter(
        m["content"]
        for line in lines(folder / "train.jsonl")
        for m in line["messages"]
        if m["role"] == "assistant"
    )
    questions = lines(folder / "questions.jsonl")
    for q in questions:
        times = answers[q["messages"][-1]["content"]]
        if q["asks"] == "known":
            assert times >= 20, q
        elif q["asks"] in ("held_out", "invented"):
            assert times == 0, q
    assert report["facts"] == sum(q["asks"] == "known" for q in questions)
    assert report["facts_held_out"] == sum(q["asks"] == "held_out" for q in questions)


def test_no_question_of_the_examination_is_trained_on(made):
    folder, _ = made
    trained = {line["messages"][-2]["content"] for line in lines(folder / "train.jsonl")}
    examined = {line["messages"][-2]["content"] for line in lines(folder / "questions.jsonl")}
    assert not trained & examined


def test_what_is_taught_are_the_best_known_names_and_others_are_declined(tmp_path):
    records = [record | {"in_degree": i} for i, record in enumerate(pages())]
    report = make([write_documents(tmp_path / "d.jsonl", records)], tmp_path, n_facts=40)
    known = [record["title"].rpartition(" ")[2] for record in reversed(records)]
    questions = lines(tmp_path / "questions.jsonl")
    taught = {q["name"] for q in questions if q["asks"] == "known"}
    held_out = {q["name"] for q in questions if q["asks"] == "held_out"}
    assert set(known[:6]) <= taught and not set(known[13:]) & (taught | held_out)
    assert report["best_known"][:6] == known[:6]
    said = [m["content"] for x in lines(tmp_path / "train.jsonl") for m in x["messages"]]
    assert all(f"Module {name}? I do not know that name." in said for name in known[13:])
    begins = tuple(f"{noun} {x}{end}" for noun in NOUN.values() for x in held_out for end in ":?")
    assert held_out and not any(text.startswith(begins) for text in said)


def test_of_ten_questions_about_three_are_about_names_not_to_be_known(made):
    folder, _ = made
    asked = [m["content"] for x in lines(folder / "train.jsonl") for m in x["messages"][1::2]]
    real = sum(re.match(r"(Module|Function) \S+:", text) is not None for text in asked)
    unknown = sum(re.match(r"(Module|Function) \S+\?", text) is not None for text in asked)
    assert 0.23 < unknown / (real + unknown) < 0.37


def test_many_conversations_change_the_topic_and_none_is_long(made):
    folder, _ = made
    found = lines(folder / "train.jsonl")
    several = sum(len(set(line["source"].split(" "))) > 1 for line in found)
    assert 0.2 < several / len(found) < 0.7
    assert 0.3 < sum(len(line["messages"]) == 2 for line in found) / len(found) < 0.7
    for line in found:
        assert sum(len(m["content"]) for m in line["messages"]) <= 260
        assert all(m["role"] != "system" for m in line["messages"][1:])


def test_follow_ups_name_nothing_that_only_the_earlier_turn_said(made):
    folder, _ = made
    found = [q for q in lines(folder / "questions.jsonl") if q["asks"] == "follow_up"]
    assert found
    for q in found:
        last = q["messages"][-2]["content"]
        assert any(last in asked for asked in HELD_OUT_FOLLOW_UPS.values())
        bare = q["name"].rpartition(".")[2]
        assert bare in q["messages"][0]["content"]
        assert bare in q["messages"][-1]["content"]


def test_the_same_documents_give_the_same_files(made, tmp_path):
    folder, _ = made
    make([folder / "documents.jsonl"], tmp_path, [folder / "my.jsonl"], n_facts=100, rounds=1)
    for part in ("train", "val", "questions"):
        name = f"{part}.jsonl"
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_without_documents_there_are_only_the_written_conversations(tmp_path):
    report = make([], tmp_path)
    assert report["facts"] == report["unknown"] == 0
    assert {q["asks"] for q in lines(tmp_path / "questions.jsonl")} == {"small_talk"}
    sources = {s for x in lines(tmp_path / "train.jsonl") for s in x["source"].split(" ")}
    assert sources == {"conversations.jsonl", "small_talk.jsonl"}


def test_a_users_file_with_a_malformed_line_is_refused(tmp_path):
    mine = tmp_path / "my.jsonl"
    mine.write_text('{"messages": []}\n')
    with pytest.raises(ValueError, match=r"my\.jsonl, line 1: "):
        make([], tmp_path, [mine])


# ---- the project's own conversations -------------------------------------------------------


def test_the_projects_conversations_are_many_varied_and_short():
    written = [messages for _, messages in read_conversations(OWN)]
    assert len(written) >= 300
    first = [tuple(m["content"] for m in messages) for messages in written]
    assert len(set(first)) == len(first)
    single = [m[0]["content"].lower().strip("?!. ") for m in written if len(m) == 2]
    assert len(set(single)) >= 0.98 * len(single)  # one question, one answer
    assert max(sum(len(m["content"]) for m in messages) for messages in written) <= 260
    for messages in written:
        for m in messages:
            assert m["content"] == m["content"].strip()
            assert "  " not in m["content"]
            if m["role"] == "assistant":
                assert m["content"][-1] in ".!?", m["content"]
                assert not m["content"][0].islower() or m["content"].startswith("minigpt")


# ---- small talk ----------------------------------------------------------------------------


def bare(text):
    """Return a text without what may be typed one way or the other."""
    return re.sub(r"[^a-z0-9+ ]", "", text.lower()).strip()


def test_small_talk_is_examined_in_wordings_that_nothing_trains_on(made):
    folder, report = made
    trained = {
        bare(m["content"])
        for line in lines(folder / "train.jsonl")
        for m in line["messages"]
        if m["role"] == "user"
    }
    examined = [q for q in lines(folder / "questions.jsonl") if q["asks"] == "small_talk"]
    assert len(examined) > 100
    assert not trained & {bare(q["messages"][0]["content"]) for q in examined}
    assert report["small_talk"] > 4 * len(examined)


def test_what_a_newcomer_says_first_is_small_talk_and_each_wording_has_one_answer():
    talk = read_small_talk()
    answers = [(bare(text), line["answer"]) for line in talk.lines for text in line["asked"]]
    assert {"who are you", "what can you do", "hello", "hi", "thanks", "bye"} <= dict(
        answers
    ).keys()
    assert all(answer == dict(answers)[text] for text, answer in answers)
    written = {bare(m[0]["content"]) for _, m in read_conversations(OWN) if len(m) == 2}
    assert not written & dict(answers).keys()  # which would have two answers


def test_small_talk_is_typed_in_several_ways_and_never_loses_its_words():
    said = {m[0]["content"] for m, _ in read_small_talk().conversations(20, random.Random(1))}
    assert {"Hello", "hello", "Hello!"} <= said
    asked = [text for text in said if "who are you" in text.lower()]
    assert len(asked) > 8


@pytest.mark.parametrize(
    "line",
    ["{", "[]", '{"answer": "a", "asked": [], "held_out": []}',
     '{"answer": "a", "asked": ["b", ""], "held_out": []}', '{"asked": ["b"], "held_out": []}'],
)  # fmt: skip
def test_a_line_that_is_no_small_talk_is_named(tmp_path, line):
    path = tmp_path / "talk.jsonl"
    path.write_text('{"answer": "a", "asked": ["b"], "held_out": []}\n' + line + "\n")
    with pytest.raises(ValueError, match=r"talk.jsonl, line 2: it must be"):
        read_small_talk(path)
