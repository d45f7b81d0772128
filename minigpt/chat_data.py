"""What fine-tuning learns from: conversations, written ones and ones made of the documents.

Writes a folder of JSON Lines of conversations (chat_format.py), each with a "source": the page
that a fact stands in, or the file that a conversation was copied from; several, with a space
between, where a conversation goes from one to another.

    train.jsonl          what is trained on
    val.jsonl            held out: conversations, phrasings, invented names
    questions.jsonl      the examination: questions about facts in phrasings never trained on; each
                         line says also of which "kind" the question is and what it "asks": a
                         trained fact (known), a fact about a name never trained on (held_out), an
                         invented name (invented), a trained fact by way of what was said before
                         (follow_up), who the assistant is, a greeting or thanks (small_talk)
    conversations.json   the report

Taught are the best-known names, as many as the model can learn. Not knowing is taught, too: of ten
questions three are about names that no document has (invented), or that one has, but of which no
fact is taught (untaught). Invented ones alone would teach the model to tell a likely name from an
unlikely one; of a likely name it would make something up.

This neither reads pages (facts.py) nor phrases questions (phrasings.py); small talk is written by
hand (small_talk.py).
"""

import json
import random
import time
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path

from bpe.files import atomic_write
from minigpt import phrasings
from minigpt.chat_format import conversation, read_conversations
from minigpt.facts import best_known, collect, full_name, read_documents
from minigpt.phrasings import FOLLOW_UPS, HELD_OUT, HELD_OUT_FOLLOW_UPS, TRAINED, Invented
from minigpt.small_talk import DATA, read_small_talk

OWN = DATA / "conversations.jsonl"
REPORT = "conversations.json"
HELD_OUT_FACTS = 0.05  # share of the facts that are never trained on
HELD_OUT_CONVERSATIONS = 20  # one written conversation in so many
UNKNOWN = 0.45  # questions about names not to be known for each one about a fact ...
UNTAUGHT = 0.4  # ... the share of them that a page has, but no fact that is taught
FOLLOWED = 0.6  # follow-ups for each question
CHAINED = 0.6  # share of the conversations that go on from another, where there is room ...
CHAINED_CHARACTERS = 240  # ... up to so many characters, about 100 tokens
WRITTEN = 0.06  # written conversations, repeated, for each one made of a fact
SMALL_TALK = 0.3  # the same for small talk: with less it is drowned by the questions about facts
TOLD = 12  # of the best-known names the report names so many
LONGEST_NAME = 30  # characters of a function's that is asked for


def choose(facts, names, n, rng):
    """Return (trained, held out, untaught) of facts and `names` as facts.collect gives them.

    About `n` facts are trained or held out, those of the best-known pages (facts.best_known): a
    third of them are modules where there are functions, which come with all their facts. Held out
    are modules and whole functions, of the lesser-known half of each. Untaught are all other names,
    {kind: names}.
    """
    by_name = {(f.kind, f.name): f for f in facts if f.text}
    alone = [f for f in by_name.values() if f.kind in ("module", "page")]
    alone = [[f] for f in best_known(alone, names, rng)]
    functions = []
    for f in best_known([f for f in by_name.values() if f.kind == "function"], names, rng):
        if len(f.name) <= LONGEST_NAME:
            functions.append([by_name[key] for key in keys_of_function(f.name) if key in by_name])
    ends = list(accumulate(map(len, functions), initial=0))
    alone = alone[: max(n // 3, n - ends[-1])]
    functions = functions[: bisect_right(ends, n - len(alone)) - 1]
    trained, held_out = [], []
    for groups in (alone, functions):
        lesser = range(len(groups) // 2, len(groups))
        out = set(rng.sample(lesser, round(len(groups) * HELD_OUT_FACTS)))
        trained += [f for i, group in enumerate(groups) if i not in out for f in group]
        held_out += [f for i, group in enumerate(groups) if i in out for f in group]
    chosen = {(f.kind, f.name) for f in trained + held_out}
    untaught = {}
    for f in facts:
        if (f.kind, f.name) not in chosen:
            untaught.setdefault(f.kind, []).append(f.name)
    return rng.sample(trained, len(trained)), held_out, untaught


def told(facts):
    """Return the names of the best-known modules or pages among facts; none if no link is known."""
    alone = [f for f in facts if f.kind in ("module", "page") and f.in_degree]
    return [f.name for f in sorted(alone, key=lambda f: -f.in_degree)[:TOLD]]


def keys_of_function(name):
    """Return the keys (kind, name) of the three facts about a function MODULE.NAME."""
    return ("function", name), ("signature", name), ("home", name.rpartition(".")[2])


def chain(conversations, rng):
    """Put about half of the (messages, source) behind others, so that topics change in between.

    A conversation stays short enough for a small window, and one with a system's message alone.
    """
    chained = []
    for messages, source in conversations:
        last, last_source = chained[-1] if chained else ([], "")
        short = sum(len(m["content"]) for m in last + messages) <= CHAINED_CHARACTERS
        roles = {m["role"] for m in last + messages}
        if last and short and "system" not in roles and rng.random() < CHAINED:
            sources = dict.fromkeys([*last_source.split(" "), *source.split(" ")])
            chained[-1] = (last + messages, " ".join(sources))
        else:
            chained.append((messages, source))
    return chained


class Writer:
    """Makes conversations of facts, in the words of `phrasings`."""

    def __init__(self, facts, invented, untaught, rng):
        """`untaught`: names of `choose`, by kind, of which the assistant shall say so."""
        self.facts, self.invented, self.rng = facts, invented, rng
        self.untaught = {kind: rng.sample(names, len(names)) for kind, names in untaught.items()}
        self.texts = {(f.kind, f.name): f.text for f in facts}
        self.homes = {f.name: full_name(f.text, f.name) for f in facts if f.kind == "home"}

    def question(self, fact, phrasing, vary=True):
        """Return [question, answer] about a fact."""
        text = phrasing.format(self.spell(fact.name) if vary else fact.name)
        text = phrasings.vary(text, self.rng) if vary else text
        return [text, phrasings.answer(fact.kind, fact.name, fact.text)]

    def spell(self, name):
        """Return a name as somebody may type it, now and then in quotes."""
        quote = self.rng.choice(["`", "'", '"']) if self.rng.random() < 0.1 else ""
        return quote + name + quote

    def untaught_name(self, kind):
        """Return a name that a page has but no fact that is taught, each in turn; None: no such."""
        names = self.untaught.get(kind)
        if names:
            names.append(names.pop(0))
        return names[-1] if names else None

    def unknown(self, kind, words, vary=True, untaught=0.0):
        """Return ([question, answer], name) about a name that the assistant does not know.

        With probability `untaught` a name that a page has, else one that does not exist; ([], None)
        where there are too few names to make up another.
        """
        name = self.untaught_name(kind) if self.rng.random() < untaught else None
        name = name or self.invented.name(kind)
        if name is None:
            return [], None
        text = self.rng.choice(words[kind]).format(self.spell(name) if vary else name)
        text = phrasings.vary(text, self.rng) if vary else text
        return [text, phrasings.unknown_answer(kind, name)], name

    def follow_up(self, fact, words):
        """Return [question, answer] that ask on after `fact`, None where nothing can be asked."""
        if fact.kind in ("module", "page"):
            return None
        name = self.homes.get(fact.name) if fact.kind == "home" else fact.name
        asks = [kind for kind in words if kind != fact.kind]
        ask = self.rng.choice(asks)
        text = self.texts.get(("function", name))
        if text is None:
            return None
        if ask == "return":
            reply = phrasings.return_answer(name, text)
        else:
            key = next(key for key in keys_of_function(name) if key[0] == ask)
            if key not in self.texts:
                return None
            reply = phrasings.answer(*key, self.texts[key])
        return [self.rng.choice(words[ask]), reply]

    def unknown_follow_up(self, kind, name, words):
        """Return [question, answer] that ask on after a name that the assistant does not know."""
        ask = self.rng.choice([key for key in words if key != kind])
        return [self.rng.choice(words[ask]), phrasings.unknown_answer(kind, name)]


def training_conversations(writer, rounds):
    """Yield (messages, source): every fact in every phrasing, `rounds` times, and what goes with
    it: follow-ups and unknown names."""
    rng = writer.rng
    for _ in range(rounds):
        orders = {f: rng.sample(TRAINED[f.kind], len(TRAINED[f.kind])) for f in writer.facts}
        for turn in range(len(TRAINED["module"])):
            for fact in rng.sample(writer.facts, len(writer.facts)):
                said = writer.question(fact, orders[fact][turn])
                if rng.random() < FOLLOWED and (more := writer.follow_up(fact, FOLLOW_UPS)):
                    said += more
                yield conversation(*said), fact.source
                if rng.random() < UNKNOWN:
                    kind = fact.kind
                    said, name = writer.unknown(kind, TRAINED, untaught=UNTAUGHT)
                    if name is None:
                        continue
                    if kind in ("function", "signature", "home") and rng.random() < FOLLOWED / 2:
                        said += writer.unknown_follow_up(kind, name, FOLLOW_UPS)
                    yield conversation(*said), "unknown"


def examination(writer, held_out, n_invented):
    """Yield the lines of questions.jsonl, in phrasings that are never trained on."""
    rng = writer.rng

    def line(asks, kind, name, said, source):
        messages = conversation(*said)
        return {"messages": messages, "asks": asks, "kind": kind, "name": name, "source": source}

    for asks, facts in (("known", writer.facts), ("held_out", held_out)):
        for f in facts:
            said = writer.question(f, rng.choice(HELD_OUT[f.kind]), vary=False)
            yield line(asks, f.kind, f.name, said, f.source)
    for i in range(n_invented):
        kind = writer.facts[i * len(writer.facts) // n_invented].kind
        said, name = writer.unknown(kind, HELD_OUT, vary=False)
        if name is not None:
            yield line("invented", kind, name, said, "invented")
    functions = [f for f in writer.facts if f.kind not in ("module", "page")]
    for f in rng.sample(functions, min(len(functions), 200)):
        if more := writer.follow_up(f, HELD_OUT_FOLLOW_UPS):
            said = writer.question(f, rng.choice(TRAINED[f.kind]), vary=False)
            yield line("follow_up", f.kind, f.name, said + more, f.source)


def make(documents, out, more=(), n_facts=900, rounds=1, seed=1337, own=OWN):
    """Write the folder `out` from files of documents (none: no facts) and return the report.

    `own` and `more` are files of conversations; those of `more` are the user's. Raises ValueError
    for malformed ones.
    """
    began = time.monotonic()
    rng = random.Random(seed)
    facts, names = collect([record for path in documents for record in read_documents(path)])
    trained, held_out, untaught = choose(facts, names, n_facts, rng)
    writer = Writer(trained, Invented(facts, names, rng), untaught, rng)
    talk = read_small_talk()

    questions = list(examination(writer, held_out, len(trained) // 3)) if trained else []
    questions += talk.questions()
    train = list(training_conversations(writer, rounds)) if trained else []
    val = [(q["messages"], q["source"]) for q in rng.sample(questions, min(200, len(questions)))]
    written = [(m, Path(p).name) for p in (own, *more) for _, m in read_conversations(p)]
    kept = [pair for i, pair in enumerate(written) if i % HELD_OUT_CONVERSATIONS]
    val += written[::HELD_OUT_CONVERSATIONS] if len(written) > 1 else written
    kept = kept or written
    n_unknown = sum(source == "unknown" for _, source in train)
    repeats = max(1, round(len(train) * WRITTEN / len(kept)))
    talked = max(1, round(len(train) * SMALL_TALK / talk.n_trained))
    train += kept * repeats
    train += talk.conversations(talked, rng)
    rng.shuffle(train)
    train = chain(train, rng)

    out = Path(out)
    write_lines(out / "train.jsonl", map(as_line, train))
    write_lines(out / "val.jsonl", map(as_line, val))
    write_lines(out / "questions.jsonl", questions)
    kinds = [f.kind for f in trained]
    report = {
        "stage": "conversations",
        "seconds": round(time.monotonic() - began, 3),
        "train": len(train),
        "val": len(val),
        "questions": len(questions),
        "written": len(written),
        "written_repeats": repeats,
        "small_talk": talk.n_trained,
        "small_talk_repeats": talked,
        "facts": len(trained),
        "facts_held_out": len(held_out),
        "facts_by_kind": {kind: kinds.count(kind) for kind in sorted(set(kinds))},
        "phrasings": len(TRAINED["module"]),
        "phrasings_held_out": len(HELD_OUT["module"]),
        "unknown": n_unknown,
        "best_known": told(trained),
    }
    atomic_write(out / REPORT, json.dumps(report, indent=1) + "\n")
    return report


def as_line(pair):
    """Return (messages, source) as the object of a line."""
    return {"messages": pair[0], "source": pair[1]}


def write_lines(path, objects):
    """Write objects as JSON Lines, in one piece."""
    lines = (json.dumps(x, ensure_ascii=False) + "\n" for x in objects)
    atomic_write(path, "".join(lines))
