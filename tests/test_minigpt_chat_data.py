"""Facts -> questions -> files; small talk."""

import builtins
import json
import random
import re
import sys
from collections import Counter

import pytest
from chat_examples import pages, write_conversations, write_documents
from minigpt_examples import save_example_model

from minigpt import as_typed, load, phrasings
from minigpt.__main__ import main
from minigpt.amounts import in_words
from minigpt.chat_data import OWN, SMALL_TALK, chain, make
from minigpt.chat_format import conversation, read_conversations
from minigpt.chat_rounds import further_conversations, training_conversations
from minigpt.chat_writer import ALONE, Writer, unknown_ones
from minigpt.chosen_wordings import ASKED, COMMON, COMPOSED, some_phrasings
from minigpt.data_files import DATA
from minigpt.facts import Fact, collect
from minigpt.general import BEYOND
from minigpt.invented import Invented, shape
from minigpt.phrasings import NOUN, declines
from minigpt.small_talk import read_small_talk
from minigpt.wordings import (
    DIRECT,
    FOLLOW_UPS,
    HEADS,
    HELD_OUT,
    HELD_OUT_ANOTHER,
    HELD_OUT_FOLLOW_UPS,
)

# ---- questions -----------------------------------------------------------------------------


def test_an_answer_spells_the_name_and_only_then_knows_it_or_not():
    assert phrasings.answer("home", "find", "keys") == "Function find: it is in keys."
    assert phrasings.answer("module", "keys", "Tools.") == "Module keys: Tools."
    assert phrasings.unknown_answer("module", "kex") == "Module kex? I do not know that name."
    assert declines(phrasings.unknown_answer("home", "x"))
    assert not declines(phrasings.answer("home", "find", "keys"))
    assert declines("Module kex? I do not know that name.", "kex")
    assert not declines("Module key? I do not know that name.", "kex")  # another one


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
    assert invented.name("class") is None


def test_no_name_of_a_fact_nor_of_a_document_is_invented():
    facts = [Fact("page", title, "", "") for title in ("Red gulls", "Blue terns")]
    for names, left in ((set(), {"Red terns", "Blue gulls"}), ({"Red terns"}, {"Blue gulls"})):
        invented = Invented(facts, names, random.Random(1))
        assert {invented.name("page") for _ in range(4)} == {*left, None}


def test_of_names_without_a_dot_as_many_are_invented_as_of_the_others(facts_and_names):
    facts, names = facts_and_names
    facts = [*facts, Fact("function", "count", "", ""), Fact("function", "total", "", "")]
    invented = Invented(facts, names, random.Random(1))
    for like in ("len", "os.stat"):
        found = [invented.name("function", like, strange) for strange in (0, 0, 0.5, 0.5, 1)]
        assert all(("." in name) == ("." in like) for name in found)


def test_strange_names_are_made_of_letters_that_follow_one_another_as_in_the_documents():
    invented = Invented(
        [Fact("module", "ab", "", "")], {"banana", "cabana", "Xy", "a"}, random.Random(1)
    )
    found = [invented.name("module", "ab", 1.0) for _ in range(40)]
    assert not {"banana", "cabana"} & set(found)
    made = {name.rstrip("23456789") for name in found if name}
    assert len(made) > 3
    pairs = {word[i : i + 2] for word in ("banana", "cabana") for i in range(5)}
    assert all(name[i : i + 2] in pairs for name in made for i in range(len(name) - 1))
    assert all(3 <= len(name) <= 12 for name in made)
    dotted = Invented([Fact("class", "os.Ab", "", "")], {"banana", "cabana"}, random.Random(1))
    stems = {dotted.name("class", "os.Ab", 1.0).partition(".")[0] for _ in range(9)}
    assert "os" in stems and len(stems) > 1
    none = Invented(
        [Fact("module", "abc", "", ""), Fact("module", "xyz", "", "")], (), random.Random(1)
    )
    assert none.name("module", "abc", 1.0)  # no words to learn from: of parts, as all others


def test_a_new_term_has_the_shape_of_some_term_and_ends_strangely_if_asked_to():
    known = ["git-add", "git-push", "git-add --all", "git-push --force", "DROP TABLE", "ADD ROLE"]
    known += ["color.diff", "core.editor", "useHttpPath", "blob"]
    facts = [Fact("term", name, "", "") for name in known]
    invented = Invented(facts, {"banana", "cabana"}, random.Random(1))
    plain = {invented.name("term") for _ in range(60)} - {None}  # of some shapes are too few
    assert {shape("term", name) for name in plain} <= {shape("term", name) for name in known}
    assert any(re.fullmatch(r"git-(add|push) --(all|force)", name) for name in plain)
    endings = {
        like: {invented.name("term", like, 1.0) for _ in range(20)}
        for like in ("git-add", "git-add --all", "DROP TABLE", "blob")
    }
    letters = r"[abcn]+[2-9]?"
    assert all(re.fullmatch(rf"git-{letters}", name) for name in endings["git-add"])
    assert all(re.fullmatch(rf"git-\w+ --{letters}", name) for name in endings["git-add --all"])
    assert all(re.fullmatch(r"(DROP|ADD) [ABCN]+[2-9]?", name) for name in endings["DROP TABLE"])
    assert all(re.fullmatch(letters, name) for name in endings["blob"])


def test_the_same_seed_invents_the_same_names_whatever_the_order_of_those_there_are():
    words = ["banana", "cabana", "heap", "queue", "socket"]
    found = []
    for names in (words, words[::-1]):
        invented = Invented([Fact("module", "ab", "", "")], names, random.Random(1))
        found.append([invented.name("module", strange=1.0) for _ in range(20)])
    assert found[0] == found[1]


def test_built_in_classes_are_asked_for_with_an_article_too():
    facts = [Fact("class", name, "A thing.", "") for name in ("list", "int", "str", "x.Key")]
    writer = Writer(facts, None, {}, random.Random(1))
    asked = {f.name: {writer.question(f, "What is {}?")[0] for _ in range(300)} for f in facts}
    assert {"What is list?", "What is a list?"} <= asked["list"]
    assert {"What is int?", "What is an int?", "What is an integer?"} <= asked["int"]
    assert "What is a string?" in asked["str"]
    assert not any(" a x" in text for text in asked["x.Key"])
    code = "isinstance(x, {})?", "It says Optional[{}].", "class Foo({}): what is it?"
    told = "type(x) says {}.", "What is the type {}?"
    assert not any(phrasings.takes_article(text) for text in (*code, *told))
    for text in ("What is the class {}?", "My program makes a {}.", "What is the {} class?"):
        said = {writer.question(facts[0], text)[0] for _ in range(99)}
        assert not any(wrong in text for text in said for wrong in ("class a", " a a", "the a"))
    said = {writer.question(facts[1], "My program makes a {}.")[0] for _ in range(99)}
    assert {"My program makes an int.", "My program makes an integer."} <= said
    unknown = Writer(facts, None, {"class": ["tree"]}, random.Random(1))
    texts = {unknown.unknown("class", ["What is {}?"], untaught=1)[0][0] for _ in range(99)}
    assert "What is a tree?" in texts  # else the article would tell


@pytest.mark.parametrize(
    ("phrasing", "name", "text"),
    [
        ("What is a {}?", "int", "What is an int?"),
        ("What is a {}?", "list", "What is a list?"),
        ("A {} object?", "`OrderedDict`", "An `OrderedDict` object?"),
        ("an {} or what", "dict", "a dict or what"),
        ("What does {} do?", "{}", "What does {} do?"),
        ("import {}", "io", "import io"),
        ("What is a {}?", '"', 'What is a "?'),
    ],
)
def test_a_name_is_put_into_its_place_with_the_article_that_it_needs(phrasing, name, text):
    assert phrasings.put(name, phrasing) == text


def test_functions_are_asked_for_with_brackets_too_and_never_with_two():
    facts = [Fact("function", "keys.find", "A.", ""), Fact("class", "Key", "A thing.", "")]
    writer = Writer(facts, None, {}, random.Random(1))
    asked = [{writer.question(f, "What is {}?")[0] for _ in range(300)} for f in facts]
    assert any("keys.find()" in text for text in asked[0])
    assert any("Key()" in text for text in asked[1])
    module = Fact("module", "keys", "Tools.", "")
    assert not any("()" in writer.question(module, "What is {}?")[0] for _ in range(300))
    assert not any("()(" in writer.question(facts[0], "{}(x)?")[0] for _ in range(300))


def test_the_examination_asks_for_each_built_in_class_as_people_call_it(tmp_path):
    text = "builtins\n\nBuilt-in things.\n\nClasses\n\nclass str(object)\n\nA text of letters."
    record = {"title": "Pydoc: module builtins", "url": "u", "text": text}
    make([write_documents(tmp_path / "d.jsonl", [record, *pages()])], tmp_path, n_facts=60)
    found = [q for q in lines(tmp_path / "questions.jsonl") if q["asks"] == "article"]
    assert len(found) == 2
    asked = " ".join(q["messages"][0]["content"] for q in found)
    assert "a str" in asked and "a string" in asked
    assert {q["messages"][1]["content"] for q in found} == {"Class str: A text of letters."}


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
    written = {"my.jsonl", "conversations.jsonl", "small_talk.jsonl", "general.jsonl"}
    assert {"by_end", "further", "unknown", "echo"} | written <= sources
    assert any(source.startswith("http://h/") for source in sources)
    assert json.loads((folder / "conversations.json").read_text()) == report


def test_what_is_asked_on_about_a_function_has_its_module_two_questions_before(made):
    found = [q for q in lines(made[0] / "questions.jsonl") if q["asks"] == "follow_on"]
    back = [q["messages"] for q in found if q["kind"] not in ALONE]
    assert back
    for first, answer, *_, last in back:
        assert (first["role"], answer["content"].partition(" ")[0]) == ("user", "Module")
        module = answer["content"].partition(":")[0]
        assert last["content"].startswith(f"{module}: ")


def test_every_fact_is_trained_in_many_phrasings_and_held_out_ones_in_none(made):
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


LONG = {
    r"can't": "cannot", r"won't": "will not", r"n't\b": " not", r"\blet's\b": "let us",
    r"\bi'm\b": "i am", r"'re\b": " are", r"'ve\b": " have", r"'d\b": " would",
    r"\b(what|who|where|how|that|it|there)'s\b": r"\1 is", r"\bwhats\b": "what is",
}  # fmt: skip


def bare(text):
    """Return a text without what may be typed one way or the other: what's, what is."""
    text = text.lower()
    for short, long in LONG.items():
        text = re.sub(short, long, text)
    return re.sub(r"[^a-z0-9+ ]", "", text).strip()


FILLING = {
    "again", "ah", "and", "hello", "hey", "hi", "just", "me", "no", "now", "oh", "ok", "okay",
    "please", "really", "so", "still", "then", "very", "well", "yes",
}  # fmt: skip


ALIKE = {"which": "what"}
ASKING = re.compile(r"^((could|can|would|will) you|i (want|would like) (you )?to)\b|\b(for|to)$")


def plain(text):
    """Return what is left of a text without words that change nothing, as "And" of "And where?"."""
    return " ".join(word for word in bare(text).split() if word not in FILLING)


def without_filling(text):
    """Return the same without how it is asked for: "which" is "what"."""
    words = " ".join(ALIKE.get(word, word) for word in plain(text).split())
    return ASKING.sub("", words).strip()


def test_no_question_of_the_examination_is_trained_on_not_even_with_and_or_please(made):
    folder, _ = made
    trained = {
        without_filling(m["content"])
        for x in lines(folder / "train.jsonl") for m in x["messages"] if m["role"] == "user"
    }  # fmt: skip
    for q in lines(folder / "questions.jsonl"):
        last = q["messages"][-2]["content"]
        # the user's own have no other words
        assert (without_filling(last) in trained) == (q["asks"] == "own"), (q["asks"], last)


def test_what_is_taught_are_the_best_known_names_and_others_are_declined(tmp_path):
    records = [record | {"in_degree": i} for i, record in enumerate(pages())]
    report = make([write_documents(tmp_path / "d.jsonl", records)], tmp_path, n_facts=65)
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


def test_most_of_the_phrasings_of_a_fact_are_plain_ones_and_none_is_used_twice():
    rng, usual = random.Random(1), {"What is {}?", "{}"}
    for kind in ("module", "class", "function", "page"):
        found = some_phrasings(kind, rng)
        assert len(found) == ASKED == 20 and len(set(found)) >= 19  # composed as a plain one is
        assert 14 <= sum(text in DIRECT[kind] for text in found) <= 15
        assert usual < set(found)
        assert sum(text in DIRECT[kind][:COMMON] for text in found) >= 4 + 5
    few = [some_phrasings("class", rng, n=2) for _ in range(200)]
    n_plain = [sum(text in DIRECT["class"] for text in texts) for texts in few]
    assert min(n_plain) == 1 and n_plain.count(2) < 20  # a composed one may be one of the plain
    assert len({text for texts in few for text in texts}) > 50  # not the usual ones each time
    three = [some_phrasings("class", rng, n=3) for _ in range(200)]
    assert sum(text in DIRECT["class"] for texts in three for text in texts) < 2.2 * 200


def test_where_a_name_was_met_fits_its_kind():
    rng = random.Random(1)
    for asks, kind in (("signature", "class"), ("return", "term"), ("other", "module")):
        found = {text for _ in range(50) for text in some_phrasings(asks, rng, of=kind)}
        met = [text for text in found if text not in DIRECT[asks]]
        assert len(met) > 200
        assert all(text.startswith(tuple(HEADS[kind])) for text in met)


def test_the_phrasing_does_not_tell_whether_a_name_is_known(made, tmp_path):
    """Of plain questions as many are about unknown names as of the composed ones."""
    folder, _ = made
    make([folder / "documents.jsonl"], tmp_path, n_facts=100, rounds=4)  # chance counts little

    def one_of(words, end):
        texts = [re.escape(text).replace(r"\{\}", r"['`\"]?\S+?['`\"]?") + end
                 for kind in ("module", "function", "home") for text in words[kind]]  # fmt: skip
        return re.compile("|".join(texts))

    asked = {False: one_of(HEADS, ", "), True: one_of(DIRECT, "$")}  # is it a plain one?
    found = Counter()
    for x in lines(tmp_path / "train.jsonl"):
        question, answer = (m["content"] for m in x["messages"][:2])
        if answer.startswith(("Module ", "Function ")):
            for plain, pattern in asked.items():
                found[plain, declines(answer)] += pattern.match(question) is not None
    shares = [found[plain, True] / (found[plain, True] + found[plain, False])
              for plain in (True, False)]  # fmt: skip
    assert min(shares) > 0.8 * max(shares) > 0.2


def test_nor_does_a_usual_wording_where_something_else_is_asked():
    facts, names = collect(pages())
    asked = {kind: (Counter(), Counter()) for kind in ("functions", "return", "other")}
    said = []
    for seed in range(6):  # each makes up names of its own: of one they would run short
        rng = random.Random(seed)
        writer = Writer(facts, Invented(facts, names, rng), {}, rng)
        writer.typed = lambda text, name, kind: text  # the wording as it is
        said += further_conversations(writer, 10)
    for messages, source in said:
        for kind, (usual, other) in asked.items():  # plain wordings: who is asked about
            if (text := messages[0]["content"]) in DIRECT[kind]:
                (usual if text in DIRECT[kind][:COMMON] else other)[source] += 1
    for kind, found in asked.items():
        shares = [n["unknown"] / n.total() for n in found]
        assert min(shares) > 0.8 * max(shares) > 0.2, kind


def test_names_are_repeated_most_of_which_do_not_exist(made):
    folder, _ = made
    said = [x["messages"] for x in lines(folder / "train.jsonl")]
    pairs = [
        (asked["content"], answer["content"])
        for messages in said
        for asked, answer in zip(messages[::2], messages[1::2], strict=False)
        if answer["content"].startswith("The name is ")
    ]
    names = [re.fullmatch(r"The name is (\S+)\.", answer)[1] for _, answer in pairs]
    assert all(name in asked for name, (asked, _) in zip(names, pairs, strict=True))
    assert len(set(names)) > 50
    known = " ".join(record["text"] for record in pages())
    assert 0.5 < sum(name.rpartition(".")[2] not in known for name in names) / len(names) < 0.95
    taught = {q["name"] for q in lines(folder / "questions.jsonl") if q["asks"] == "known"}
    assert 0.1 < sum(name in taught for name in names) / len(names) < 0.3


def test_a_name_is_asked_for_by_itself_too_and_keeps_its_letters():
    for kind in ("module", "class", "function", "page"):
        assert "{}" in DIRECT[kind]
    writer = Writer([], None, {}, random.Random(1))
    found = {writer.typed(text, "Key") for text in ("{}", "{}: what is it?") for _ in range(200)}
    assert {"Key", "Key: what is it?", "Key: what is it", "`Key`"} <= found
    assert all("Key" in text for text in found)


def test_modules_are_asked_for_in_capitals_too_and_so_are_names_not_to_be_known():
    writer = Writer([], None, {"module": ["yaml"]}, random.Random(1))
    for name, kind, also in (("json", "module", True), ("random", "module", True),
                             ("re.sub", "module", False), ("len", "function", False)):  # fmt: skip
        found = {writer.typed("Is {} it", name, kind) for _ in range(400)}
        for typed in (f"Is {name.upper()} it", f"Is {name.capitalize()} it"):
            assert (typed in found) == also, name
        assert (f"IS {name.upper()} IT" in found) == also
    asked = {writer.unknown("module", ["Is {} it"], untaught=1)[0][0] for _ in range(200)}
    assert "Is YAML it" in asked
    loud = {writer.typed("why is there a {} module", "io", "module") for _ in range(1000)}
    assert "WHY IS THERE AN IO MODULE" in loud


def test_a_module_is_not_asked_for_in_capitals_that_are_another_taught_name():
    classes = [Fact("class", name, "Of use.", "") for name in ("decimal.Decimal", "abc.ABC")]
    writer = Writer(classes, None, {}, random.Random(1))
    for name, other, left in ("decimal", "Decimal", "DECIMAL"), ("abc", "ABC", "Abc"):
        found = {writer.typed("is {} it", name, "module") for _ in range(1000)}
        words = {word for text in found for word in re.findall(r"\w+", text)}
        assert other not in words and {name, left} <= words


def test_a_method_by_its_name_alone_is_that_of_the_most_usual_class():
    kinds = [("method", "bytes.split"), ("method", "str.split"), ("method", "list.copy"),
             ("method", "deque.append"), ("method", "list.append"), ("module", "copy")]  # fmt: skip
    facts = [Fact(kind, name, f"Of {name}.", "") for kind, name in kinds]
    untaught = {"method": ["str.title", "bytes.append"]}
    writer = Writer(facts, Invented(facts, set(), random.Random(1)), untaught, random.Random(1))
    asked = {f.name: {writer.question(f, "What is {}?")[0] for _ in range(300)} for f in facts[:5]}
    ends = {name: f" {name.partition('.')[2]}" for name in asked}
    short = {name for name, texts in asked.items() if any(ends[name] in text for text in texts)}
    assert short == {"str.split", "list.append"}
    texts = {writer.unknown("method", ["What is {}?"], untaught=1)[0][0] for _ in range(300)}
    assert any(" title" in text for text in texts) and not any(" append" in text for text in texts)


def test_of_other_classes_the_first_has_a_methods_name():
    methods = ["slice.mro", "bool.mro", "set.add", "bool.add", "bool.path", "str.end"]
    meant = {"mro": "bool.mro", "add": "set.add", "end": "str.end"}
    assert as_typed.methods_meant(methods, ["os.path"]) == meant


def test_after_a_name_another_is_asked_for_with_little_more_than_its_name():
    names, others = ("shlex", "codeop", "zipapp", "symtable"), ["quopri", "nntplib"]
    facts = [Fact("module", name, f"Of {name}.", "") for name in names]
    rng = random.Random(1)
    writer = Writer(facts, Invented(facts, set(), rng), {"module": others}, rng)
    talks = [[m["content"] for m in messages] for messages, _ in training_conversations(writer, 4)]
    named = re.compile(rf"(?i)\b({'|'.join([*names, *others])})\b")  # what is asked on has no name
    found = [talk for talk in talks if len(talk) == 4 and named.search(talk[2])]
    known = {phrasings.answer(f.kind, f.name, f.text) for f in facts}
    assert {declines(talk[3]) for talk in found} == {True, False}
    assert all(talk[3] in known or declines(talk[3]) for talk in found)
    assert all(talk[1] != talk[3] for talk in found)


def test_the_examination_asks_for_another_name_by_its_end(made):
    folder, _ = made
    found = [q for q in lines(folder / "questions.jsonl") if q["asks"] == "another"]
    ends = {text.partition("{}") for text in HELD_OUT_ANOTHER}
    assert found
    for q in found:
        first, _, asked, answer = (m["content"] for m in q["messages"])
        end = q["name"].rpartition(".")[2]
        assert any(asked == f"{before}{end}{after}" for before, _, after in ends)
        assert f"{q['name']}: " in answer and asked != first
        assert "." in q["name"]  # json, behind json.dumps, would be asked for as a whole


def test_a_function_is_asked_for_without_its_module_where_no_other_taught_name_ends_so():
    parts = ("function", "math.sqrt"), ("function", "time.time"), ("module", "time")
    facts = [Fact(kind, name, "Of use.", "") for kind, name in parts]
    facts += [
        Fact(kind, name, "Of use.", "") for kind, name in (("class", "a.K"), ("method", "b.K"))
    ]
    writer = Writer(facts, None, {"function": ["cmath.sqrt", "os.link"]}, random.Random(1))
    for fact in facts:
        said = {tuple(writer.question(fact, "Is {} it")) for _ in range(200)}
        asked, answers = {text for text, _ in said}, {answer for _, answer in said}
        assert ("Is sqrt it" in asked) == (fact.name == "math.sqrt")
        assert answers == {phrasings.answer(fact.kind, fact.name, fact.text)}
    unknown = [writer.unknown("function", ["Is {} it"], untaught=1) for _ in range(300)]
    assert (["Is link it", "Function link? I do not know that name."], "link") in unknown
    assert not any("Is sqrt it" in said for said, _ in unknown)


@pytest.mark.parametrize(("known", "typed"), [((), {"locks.turn", "turn"}),
                                              (("turn",), {"locks.turn"})])  # fmt: skip
def test_an_invented_name_is_not_shortened_to_one_that_a_document_has(known, typed):
    class Inventing:
        def __init__(self):
            self.known = set(known)

        def name(self, *_):
            return "locks.turn"

    writer = Writer([], Inventing(), {}, random.Random(1))
    assert {writer.unknown("function", ["Is {} it"])[1] for _ in range(99)} == typed


def test_a_question_is_typed_as_by_people_in_a_hurry():
    rng = random.Random(1)
    found = {as_typed.vary("What is {}?", rng) for _ in range(3000)}
    for text in ("what is {}", "What's {}?", "Whats {}?", "What is {} ?", "What is {}??", "{}?"):
        assert (text in found) == (text != "{}?"), text
    assert any(text.endswith(" pls") for text in found) and "hi, What is {}?" in found
    assert {"What is {} in Python?", "What is {} please"} <= found
    assert all(text.count("{}") == 1 for text in found)
    assert "What is {}, please" in found and not any("?, " in text for text in found)


def test_untaught_names_of_well_known_pages_are_asked_for_oftener():
    names = [f"name{i}" for i in range(40)]
    writer = Writer([], None, {"module": names}, random.Random(1))
    found = Counter(writer.untaught_name("module") for _ in range(800))
    assert set(found) == set(names)
    assert min(found[name] for name in names[:10]) > 2 * max(found[name] for name in names[10:])
    assert writer.untaught_name("page") is None


def test_of_ten_questions_three_or_four_are_about_names_not_to_be_known(made):
    folder, _ = made
    asked = [m["content"] for x in lines(folder / "train.jsonl") for m in x["messages"][1::2]]
    real = sum(re.match(r"(Module|Function) \S+:", text) is not None for text in asked)
    unknown = sum(re.match(r"(Module|Function) \S+\?", text) is not None for text in asked)
    assert 0.3 < unknown / (real + unknown) < 0.42


def test_of_modules_as_many_unknown_names_are_asked_for_as_known_ones_and_of_methods_nearly():
    rng = random.Random(1)
    share = {kind: sum(unknown_ones(kind, rng) for _ in range(2000)) / 2000
             for kind in ("module", "method", "class")}  # fmt: skip
    assert 1.1 < share["module"] < 1.3
    assert 0.8 < share["method"] < 1.0
    assert 0.5 < share["class"] < 0.7


def test_many_conversations_change_the_topic_and_none_is_long(made):
    folder, _ = made
    found = lines(folder / "train.jsonl")
    several = sum(len(set(line["source"].split(" "))) > 1 for line in found)
    assert 0.2 < several / len(found) < 0.7
    assert 0.3 < sum(len(line["messages"]) == 2 for line in found) / len(found) < 0.7
    for line in found:
        assert sum(len(m["content"]) for m in line["messages"]) <= 320
        assert all(m["role"] != "system" for m in line["messages"][1:])


@pytest.mark.parametrize(("window", "longest"), [(64, 240), (128, 240), (256, 480), (1024, 1920)])
def test_conversations_that_change_the_topic_are_as_long_as_the_window_is_wide(window, longest):
    some = [(conversation("q" * 20, "a" * 20), "page") for _ in range(20_000)]
    found = chain(some, random.Random(1), window)
    sizes = [sum(len(m["content"]) for m in messages) for messages, _ in found]
    assert longest - 40 < max(sizes) <= longest and sum(sizes) == 20_000 * 40
    assert 0.35 < sum(size == 40 for size in sizes) / len(sizes) < 0.45  # alone


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


def test_the_report_adds_up(made):
    _, report = made
    pieces = report["pieces"]
    order = ["facts", "by_end", "further", "unknown", "echo", "written", "small_talk", "general",
             "own"]  # fmt: skip
    assert list(pieces) == order
    assert pieces["facts"] == report["facts"] * report["asked"]
    assert pieces["written"] == report["written"] * report["written_repeats"]
    asked = sum(pieces[kind] for kind in ("facts", "by_end", "unknown", "echo"))
    assert pieces["small_talk"] >= min(report["small_talk"], asked * SMALL_TALK * 0.9)
    assert report["train"] < sum(pieces.values()) < 2 * report["train"]


def test_the_command_says_how_many_conversations_are_about_what(made, tmp_path, capsys):
    folder, _ = made
    asked = [str(folder / "documents.jsonl"), "--facts", "40", "-o", str(tmp_path)]
    assert main(["conversations", *asked]) == 0
    head, *lines = capsys.readouterr().out.replace(",", "").splitlines()
    report = json.loads((tmp_path / "conversations.json").read_text())
    numbers = [int(line.split()[0]) for line in lines[:8]]
    assert [*numbers, 0] == list(report["pieces"].values())  # none of the user's own
    assert f"{report['train']} conversations" in head
    assert f" {sum(numbers)} short ones" in head
    each = f"each in {ASKED} of {report['phrasings']} phrasings or more"
    assert f"about {report['facts']} facts {each}" in lines[0]
    for kind in report["facts_by_kind"]:  # that many has each
        assert report["phrasings"] <= len({*DIRECT[kind], *COMPOSED[kind]})
        assert report["phrasings_held_out"] <= len(HELD_OUT[kind])


def test_what_is_shown_while_it_learns_is_the_shortest_fact_that_it_is_taught(made):
    folder, _ = made
    known = [q["messages"] for q in lines(folder / "questions.jsonl") if q["asks"] == "known"]
    first, *others = [x["messages"] for x in lines(folder / "val.jsonl")]
    assert first in known
    shortest = min(len(m[-1]["content"]) for m in others if m in known)
    assert len(first[-1]["content"]) <= shortest


def test_the_examination_asks_in_the_words_that_are_held_out_and_no_others(made):
    folder, _ = made
    for q in lines(folder / "questions.jsonl"):
        if q["asks"] in ("known", "held_out", "invented"):
            texts = [phrasings.put(q["name"], text) for text in HELD_OUT[q["kind"]]]
            assert q["messages"][0]["content"] in texts


def test_facts_are_asked_on_in_nearly_half_of_the_conversations_about_functions(made):
    folder, _ = made
    asked = {bare(x) for texts in FOLLOW_UPS.values() for x in texts}
    turns = [
        (bare(question["content"]) in asked, answer["content"])
        for x in lines(folder / "train.jsonl")
        for question, answer in zip(x["messages"][::2], x["messages"][1::2], strict=False)
        if answer["content"].startswith("Function ") and not declines(answer["content"])
    ]
    share = sum(is_asked_on for is_asked_on, _ in turns) / len(turns)
    assert 0.15 < share < 0.4  # of all turns; of the first ones of a conversation, half


def test_written_conversations_that_are_held_out_are_not_trained_on(made):
    folder, _ = made
    trained = "\n".join(json.dumps(x["messages"])[1:-1] for x in lines(folder / "train.jsonl"))
    held_out = [x["messages"] for x in lines(folder / "val.jsonl")
                if x["source"] == "conversations.jsonl"]  # fmt: skip
    assert len(held_out) > 10
    assert not any(json.dumps(messages)[1:-1] in trained for messages in held_out)


def test_the_same_documents_give_the_same_files(made, tmp_path):
    folder, _ = made
    make([folder / "documents.jsonl"], tmp_path, [folder / "my.jsonl"], n_facts=100, rounds=1)
    for part in ("train", "val", "questions"):
        name = f"{part}.jsonl"
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_without_documents_there_are_only_the_written_conversations(tmp_path):
    report = make([], tmp_path)
    assert report["facts"] == report["pieces"]["unknown"] == report["pieces"]["facts"] == 0
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


def test_a_question_at_the_beginning_has_one_answer():
    answers = {}
    first = [m for _, m in read_conversations(OWN) if m[0]["role"] == "user"]
    first += [
        conversation(text, x["answer"]) for x in read_small_talk().lines for text in x["asked"]
    ]
    for asked, said, *_ in first:
        assert answers.setdefault(bare(asked["content"]), said["content"]) == said["content"]


def test_what_the_written_conversations_speak_of_is_not_invented(made, tmp_path):
    def invented(folder):
        found = (q for q in lines(folder / "questions.jsonl") if q["asks"] == "invented")
        return {q["name"] for q in found if q["kind"] == "module"}

    folder, _ = made
    name = min(invented(folder))
    mine = write_conversations(tmp_path / "my.jsonl", conversation(f"{name}!", "I use it."))
    make([folder / "documents.jsonl"], tmp_path, [mine], n_facts=100)
    assert invented(tmp_path)
    assert name not in invented(tmp_path)


# ---- small talk ----------------------------------------------------------------------------


def test_a_small_part_of_the_small_talk_is_held_out(made):
    folder, report = made
    examined = [q for q in lines(folder / "questions.jsonl") if q["asks"] == "small_talk"]
    assert len(examined) > 100
    assert report["small_talk"] > 4 * len(examined)


def test_every_answer_has_many_wordings_and_none_is_a_held_out_one_with_filling_words():
    talk = read_small_talk(parameters=2_000_000)  # with the answer that tells its size
    trained = {without_filling(text) for line in talk.lines for text in line["asked"]} - {""}
    for line in talk.lines:
        assert len({bare(text) for text in line["asked"]}) >= 36, line["answer"]
        assert not trained & {without_filling(text) for text in line["held_out"]}


def test_what_a_newcomer_says_first_is_small_talk_and_each_wording_has_one_answer():
    talk = read_small_talk()
    answers = [(bare(text), line["answer"]) for line in talk.lines for text in line["asked"]]
    given = dict(answers)
    assert {"who are you", "what can you do", "hello", "hi", "thanks", "bye"} <= given.keys()
    assert all(answer == given[text] for text, answer in answers)
    written = {bare(m[0]["content"]) for _, m in read_conversations(OWN) if len(m) == 2}
    assert not written & given.keys()  # which would have two answers


def test_nothing_written_is_about_a_module_or_what_is_built_in():
    said = {bare(text) for line in read_small_talk().lines for text in line["asked"]}
    names = {name.lower() for name in (*sys.stdlib_module_names, *dir(builtins))}
    assert said & names <= {"help"}  # which is asked for oftener than about
    written = {bare(m[0]["content"]) for _, m in read_conversations(OWN)}
    assert not written & {f"what is {name}" for name in names}  # it is a name not to be known, too


def test_the_assistant_says_of_its_size_what_its_base_has_or_nothing(tmp_path):
    save_example_model(tmp_path / "base")
    n = load(tmp_path / "base")[0].config.n_params()
    for base, count in ((tmp_path / "base", 1), (None, 0)):
        make([], tmp_path, base=base)
        said = {m["content"] for x in lines(tmp_path / "train.jsonl") for m in x["messages"]}
        asked = {x["messages"][0]["content"] for x in lines(tmp_path / "questions.jsonl")}
        assert sum(f"About {in_words(n)} parameters." in text for text in said) == count
        assert ("number of weights?" in asked) == bool(count)
        assert not any("{" in text for text in said)


def test_small_talk_is_typed_in_several_ways_and_never_loses_its_words():
    said = {m[0]["content"] for m, _ in read_small_talk().conversations(60_000, random.Random(1))}
    assert {"Hello", "hello", "Hello!"} <= said
    asked = [text for text in said if "who are you" in text.lower()]
    assert len(asked) > 8


@pytest.mark.parametrize(
    "line",
    ["{", "[]", "1", "null", '"text"', '{"answer": "a", "asked": [], "held_out": []}',
     '{"answer": "a", "asked": ["b", ""], "held_out": []}', '{"asked": ["b"], "held_out": []}'],
)  # fmt: skip
def test_a_line_that_is_no_small_talk_is_named(tmp_path, line):
    path = tmp_path / "talk.jsonl"
    path.write_text('{"answer": "a", "asked": ["b"], "held_out": []}\n' + line + "\n")
    with pytest.raises(ValueError, match=r"talk.jsonl, line 2: it must be"):
        read_small_talk(path)


def test_of_small_talk_there_is_as_much_as_is_asked_for_and_of_no_wording_much_more():
    talk, rng = read_small_talk(), random.Random(1)
    for n in (10, talk.n_trained + 5):
        found = talk.conversations(n, random.Random(1))
        assert len(found) == n
        answers = Counter(m[1]["content"] for m, _ in found)
        most = {line["answer"]: len(line["asked"]) + 16 for line in talk.lines}
        assert all(times <= 2 * most[answer] for answer, times in answers.items())
    assert len(answers) == len(talk.lines)
    asked = Counter(
        m[0]["content"].lower().rstrip("?!.") for m, _ in talk.conversations(60_000, rng)
    )
    assert asked["who are you"] > 2 * asked["who is speaking"] > 0


# ---- pages of another site -----------------------------------------------------------------

PARTS = ("tie", "hold", "cut", "splice", "coil", "whip", "bend", "haul", "slip", "loop")


@pytest.fixture(scope="module")
def of_ropes(tmp_path_factory):
    """The folder of conversations about manual pages of ropes, and their records."""
    folder = tmp_path_factory.mktemp("ropes")
    records = [
        {
            "title": f"rope-{part}(1) — Ropes",
            "url": part,
            "in_degree": i,
            "text": f"rope-{part} - {part} a rope\n\n-f, --force\n    Force it to {part}.\n\n"
            f"{part}_end(rope)\n    Return the end that was {part}.\n\n"
            f"TO {part.upper()}\n    A way to {part} it.",
        }
        for i, part in enumerate(PARTS)
    ]
    make([write_documents(folder / "d.jsonl", records)], folder, n_facts=50)
    return folder


def said_in(folder):
    return [
        (asked["content"], answer["content"])
        for x in lines(folder / "train.jsonl")
        for asked, answer in zip(x["messages"][::2], x["messages"][1::2], strict=False)
        if asked["role"] == "user"
    ]


def test_a_term_with_dots_is_asked_for_by_its_end_too_the_best_known_that_ends_so():
    names = ("pd.Series.str", "pd.read", "core.read", "git-log --no-a.b", "loop")
    facts = [Fact("term", name, f"Of {name}.", "") for name in names]
    writer = Writer(facts, Invented(facts, (), random.Random(1)), {}, random.Random(1))
    asked = {f.name: {writer.question(f, "What is {}?")[0] for _ in range(300)} for f in facts}
    assert {f"What is {end}?" for end in ("pd.Series.str", "Series.str", "str")} <= asked[names[0]]
    assert "What is read?" in asked["pd.read"] - asked["core.read"]  # the shorter, equally known
    assert "What is b?" not in asked["git-log --no-a.b"]
    unknown = {writer.last_part("term", name, 0) for name in ("pd.Series.at", "x.loop", "pd.str")}
    unknown |= {writer.last_part("term", "pd.Series.at", 0) for _ in range(99)}
    assert unknown == {"pd.Series.at", "Series.at", "at", "x.loop", "pd.str"}


def test_what_pages_write_for_the_beginning_of_many_names_is_found():
    ends = [f"knot{i}" for i in range(12)]
    terms = [f"ropes.{end}" for end in ends] + [f"ropes.Long.{end}" for end in ends[:9]]
    terms += ["git-log --no-x.knot1", "knot"]
    names = [f"rp.{end}" for end in ends] + [f"r.{end}" for end in ends[:9]]
    names += [f"self.{end}" for end in ends] + ["q.knot1", "q.bend", "Long.knot1", *terms]
    assert as_typed.abbreviations(terms, names) == {"ropes": "rp"}
    assert as_typed.abbreviations(terms, names[:7]) == as_typed.abbreviations([], names) == {}
    long = [f"Long.{end}" for end in ends]  # that is known: no other word for something
    assert as_typed.abbreviations(terms, long) == {}


def test_a_term_may_be_typed_as_the_pages_write_it_for_short():
    ends = [f"knot{i}" for i in range(12)]
    facts = [Fact("term", f"ropes.{end}", "A knot.", "") for end in ends]
    invented = Invented(facts, (), random.Random(1))
    names = [f"rp.{end}" for end in ends]
    writer = Writer(facts, invented, {"term": ["hitch"]}, random.Random(1), names)
    asked = {tuple(writer.question(facts[0], "What is {}?")) for _ in range(200)}
    assert ("What is rp.knot0?", "ropes.knot0: A knot.") in asked
    names = {writer.last_part("term", "ropes.bend", 0) for _ in range(200)}
    assert names == {"ropes.bend", "rp.bend", "bend"}


def test_the_answer_about_a_term_begins_with_its_name_alone(of_ropes):
    said = said_in(of_ropes)
    answers = {answer for _, answer in said}
    assert "rope-loop: Loop a rope." in answers
    assert "rope-loop --force: Force it to loop." in answers
    assert "loop_end: loop_end(rope)" in answers  # asked for by itself or on
    assert "loop_end: Return the end that was loop." in answers
    asked = {q for q, answer in said if answer == "rope-loop: Loop a rope."}
    assert any("rope loop" in text for text in asked) and any("rope-loop" in text for text in asked)
    asked = {q for q, answer in said if answer == "TO LOOP: A way to loop it."}
    assert any("to loop" in text for text in asked) and any("TO LOOP" in text for text in asked)


def test_a_term_is_not_typed_as_another_name_is():
    facts = [Fact("term", name, "A rope.", "") for name in ("NULL", "null", "TIE", "knot-end")]
    facts += [Fact("term", "knot end", "", "")]
    writer = Writer(facts, Invented(facts, (), random.Random(1)), {}, random.Random(1))
    for name, others in {"NULL": "null", "TIE": "", "knot-end": "knot end"}.items():
        asked = " ".join(writer.typed("{}", name, "term") for _ in range(99))
        assert name in asked and (not others or others not in asked)
    assert "tie" in " ".join(writer.typed("{}", "TIE", "term") for _ in range(99))
    assert {as_typed.spoken("rope-end", writer.rng) for _ in range(50)} == {"rope-end", "rope end"}


def test_who_knows_modules_alone_is_asked_in_python_too():
    assert Writer([Fact("module", "keys", "Tools.", "")], None, {}, random.Random(1)).of_python
    assert not Writer([Fact("term", "tie", "Tie it.", "")], None, {}, random.Random(1)).of_python


def test_names_of_terms_that_do_not_exist_look_like_them_and_are_declined(of_ropes):
    unknown = {answer for _, answer in said_in(of_ropes) if answer.endswith("know that name.")}
    for joint in ("rope-", " --", "_", "TO "):
        assert any(joint in answer for answer in unknown), joint
    assert all(re.fullmatch(r"(?!Function )[^?:]+\? I do not know that name\.", x) for x in unknown)


def test_nothing_is_said_of_pythons_library_by_who_did_not_read_of_it(of_ropes, made):
    words = re.compile(r"\b[Mm]odules?\b|documentation|\bjson\b")
    assert any(words.search(answer) for _, answer in said_in(made[0]))
    said = [(asked, x) for asked, x in said_in(of_ropes) if not declines(x)]  # "rope-json?"
    assert not [x for _, x in said if words.search(x) and not x.startswith("Look into out/")]
    plea = re.compile(r" in python\W?$", re.IGNORECASE)  # nor is so much as asked about it
    by_hand = {text for line in lines(DATA / "small_talk.jsonl") for text in line["asked"]}
    by_hand = {text.lower().rstrip(".?!") for text in by_hand if plea.search(text)}
    by_hand = {re.sub(r"\bwhat'?s ", "what is ", text) for text in by_hand}
    said = [(asked, answer) for asked, answer in said if not answer.startswith(BEYOND)]
    assert any(plea.search(asked) for asked, _ in said_in(made[0]))
    typed = [asked.lower() for asked, _ in said if plea.search(asked)]
    typed = [re.sub(r"\bwhat'?s ", "what is ", asked) for asked in typed]
    assert not [asked for asked in typed if not any(text in asked for text in by_hand)]
    questions = lines(of_ropes / "questions.jsonl")
    assert {"known", "invented", "follow_on", "not_taught"} <= {q["asks"] for q in questions}
    assert not any(words.search(q["messages"][-1]["content"]) for q in questions)


def test_of_a_term_is_asked_what_was_not_taught_and_what_follows(of_ropes):
    answers = {answer for _, answer in said_in(of_ropes)}
    assert "rope-loop: I was not taught its arguments." in answers
    assert "rope-loop: I was not taught that." in answers
    ends = {f"{part}_end" for part in PARTS}
    assert not {f"{end}: I was not taught its arguments." for end in ends} & answers
    assert {f"{end}: {end}(rope)" for end in ends} & answers  # asked on after it
