"""What fine-tuning learns from: conversations, written ones and ones made of the documents.

Writes a folder of JSON Lines of conversations (chat_format.py), each with a "source": the page with
the fact that is asked for, the file that a conversation was copied from, or what else it is about
("unknown", "echo", ...); several, with a space between, where conversations were put one behind
another.

    train.jsonl          what is trained on
    val.jsonl            held out: conversations, phrasings, invented names
    questions.jsonl      the examination: questions about facts in phrasings never trained on; each
                         line says also of which "kind" the question is and what it "asks": a
                         trained fact (known), a fact about a name never trained on (held_out), an
                         invented name (invented), a trained fact by way of what was said before
                         (follow_up, follow_on), a name behind another, by its end (another), of
                         a taught name what was not taught (not_taught) or what follows (follows), a
                         built-in class as people call it (article), who the assistant is, a
                         greeting or thanks (small_talk), something else altogether (general), what
                         the user's conversations have (own)
    conversations.json   the report

This neither reads pages (facts.py), nor says which facts are taught (best_known.py), nor asks
questions (chat_rounds.py, chat_questions.py); small talk and questions about nothing that is taught
are written by hand (small_talk.py, general.py), and the user's own conversations may come from
elsewhere (own_talks.py).
"""

import json
import random
import re
import time
from pathlib import Path

from bpe.files import atomic_write
from minigpt import own_talks
from minigpt.best_known import choose, read_first, told
from minigpt.chat_format import read_conversations
from minigpt.chat_questions import examination
from minigpt.chat_rounds import further_conversations, training_conversations
from minigpt.chat_writer import Writer
from minigpt.checkpoint import read_config
from minigpt.chosen_wordings import ASKED, COMPOSED
from minigpt.data_files import DATA
from minigpt.facts import OF_PYTHON, collect
from minigpt.general import read_general
from minigpt.invented import Invented
from minigpt.page_records import read_documents
from minigpt.small_talk import read_small_talk
from minigpt.wordings import DIRECT, HELD_OUT

OWN = DATA / "conversations.jsonl"
REPORT = "conversations.json"
# words of answers about Python's library, and about pages
PYTHON = re.compile(r"\b(?:Python|pydoc|documentation|modules?|functions?)\b")
PAGES = re.compile(r"\b(?:pages I|public pages|the page|its page|whose pages|crawled for me)\b")
WORD = re.compile(r"\w+")
HELD_OUT_CONVERSATIONS = 20  # one written conversation in so many
CHAINED = 0.6  # share of the conversations that go on from another, where there is room ...
CHAINED_CHARACTERS = 240  # ... up to so many characters, about 100 tokens, in a window of ...
CHAINED_WINDOW = 128  # ... so many tokens or fewer, and in a wider one proportionally more
WRITTEN = 0.06  # written conversations, repeated, for each one about a fact or an unknown name
SMALL_TALK = 0.4  # the same for small talk: with less it is drowned by the questions about facts
LEAST_TALK = 3  # small talk for each written one, where nothing is asked about facts
GENERAL = 0.18  # and for questions about nothing that is taught


def chain(conversations, rng, window=CHAINED_WINDOW):
    """Put half of the (messages, source) or more behind others, so that topics change in between.

    A conversation stays short enough for a `window` of so many tokens; one with a system message
    stays alone. The wider the window, the more are put together: otherwise no conversation would
    train the window's last positions.
    """
    wider = max(1, window / CHAINED_WINDOW)
    chained, n_last = [], 0  # of how many conversations the last is made
    for messages, source in conversations:
        last, last_source = chained[-1] if chained else ([], "")
        short = sum(len(m["content"]) for m in last + messages) <= wider * CHAINED_CHARACTERS
        roles = {m["role"] for m in last + messages}
        share = CHAINED if n_last < 2 else 1 - (1 - CHAINED) / wider  # once begun, it is filled
        if last and short and "system" not in roles and rng.random() < share:
            n_last += 1
            sources = dict.fromkeys([*last_source.split(" "), *source.split(" ")])
            chained[-1] = (last + messages, " ".join(sources))
        else:
            n_last = 1
            chained.append((messages, source))
    return chained


def make(documents, out, more=(), n_facts=900, rounds=1, seed=1337, own=OWN, base=None):
    """Write the folder `out` from files of documents (none: no facts) and return the report.

    `own` and `more` are files of conversations; those of `more` are the user's. `base` is the
    folder of the model that is to learn them, None where it is not known how large that is. Raises
    ValueError for malformed ones.
    """
    began = time.monotonic()
    rng = random.Random(seed)
    facts, names = collect([record for path in documents for record in read_documents(path)])
    trained, held_out, untaught = choose(facts, names, n_facts, rng, read_first())
    kinds = [f.kind for f in trained]
    elsewhere = not OF_PYTHON.intersection(kinds)
    written = read_written(own, elsewhere, of_text=not trained)
    users, users_held_out = own_talks.split(own_talks.read_own_talks(map(Path, more)), rng)
    invented = Invented(facts, {*names, *spoken_of(written + users + users_held_out)}, rng)
    writer = Writer(trained, invented, untaught, rng, names)
    model = read_config(Path(base) / "config.json") if base else None
    parameters = model.n_params() if model else None
    talk = read_small_talk(parameters=parameters, elsewhere=elsewhere, of_text=not trained)
    general = read_general(kinds=kinds)

    questions = list(examination(writer, held_out, len(trained) // 3)) if trained else []
    questions += talk.questions() + (general.questions() if trained else [])
    train = list(training_conversations(writer, rounds)) if trained else []
    n_asked = len(train)
    train += further_conversations(writer, rounds)
    val = [(q["messages"], q["source"]) for q in looked_at(questions, rng)]
    questions += own_talks.questions(users, rng)  # these are trained on: nothing for the loss
    kept = [pair for i, pair in enumerate(written) if i % HELD_OUT_CONVERSATIONS]
    val += written[::HELD_OUT_CONVERSATIONS] if len(written) > 1 else written
    val += users_held_out
    kept = kept or written
    by_hand, repeats = beside_facts(kept, talk, general, n_asked, rng)
    by_hand["own"], times = own_talks.copies(users, n_asked, rng, not elsewhere)
    pieces = count_pieces(train) | {kind: len(some) for kind, some in by_hand.items()}
    train += [pair for some in by_hand.values() for pair in some]
    rng.shuffle(train)
    train = chain(train, rng, model.n_positions if model else CHAINED_WINDOW)

    out = Path(out)
    write_lines(out / "train.jsonl", map(as_line, train))
    write_lines(out / "val.jsonl", map(as_line, val))
    write_lines(out / "questions.jsonl", questions)
    sorts = set(kinds) or {"module"}
    n_systems = sum(m[0]["role"] == "system" for m, _ in users)
    report = {
        "stage": "conversations",
        "seconds": round(time.monotonic() - began, 3),
        "train": len(train),
        "val": len(val),
        "questions": len(questions),
        "pieces": pieces,
        "written": len(kept),
        "small_talk": talk.n_trained,
        "written_repeats": repeats,
        "own": len(users),
        "own_repeats": times,
        "own_system": n_systems,
        "own_systems_differ": n_systems > 0 and own_talks.same_system(users) is None,
        "facts": len(trained),
        "facts_held_out": len(held_out),
        "facts_by_kind": {kind: kinds.count(kind) for kind in sorted(set(kinds))},
        "asked": ASKED * rounds,
        # the fewest that a fact of some kind has
        "phrasings": min(len({*DIRECT[kind], *COMPOSED[kind]}) for kind in sorts),
        "phrasings_held_out": min(len(HELD_OUT[kind]) for kind in sorts),
        "best_known": told(trained),
    }
    atomic_write(out / REPORT, json.dumps(report, indent=1) + "\n")
    return report


def read_written(path, elsewhere=False, of_text=False):
    """Return the (messages, source) of a file.

    `elsewhere` leaves out those on Python's library, `of_text` also those on pages.
    """
    untrue = [PYTHON] * (elsewhere or of_text) + [PAGES] * of_text
    return [
        (messages, Path(path).name) for _, messages in read_conversations(path)
        if not any(
            words.search(m["content"]) for words in untrue
            for m in messages if m["role"] == "assistant"
        )
    ]  # fmt: skip


def beside_facts(written, talk, general, n_asked, rng):
    """Return what is trained on beside `n_asked` questions about facts: {kind: conversations}.

    Also return how often each written conversation is among them, for the report.
    """
    repeats = max(1, round(n_asked * WRITTEN / max(1, len(written))))
    talked = max(round(n_asked * SMALL_TALK), min(talk.n_trained, LEAST_TALK * len(written)))
    conversations = {
        "written": written * repeats,
        "small_talk": talk.conversations(talked, rng),
        "general": general.conversations(round(n_asked * GENERAL), rng),
    }
    return conversations, repeats


def spoken_of(conversations):
    """Return the words of (messages, source) in lower case: what they speak of, numpy, exists."""
    return {w for m, _ in conversations for x in m for w in WORD.findall(x["content"].lower())}


def looked_at(questions, rng, n=200):
    """Return up to `n` of the questions, for the validation loss.

    The first is shown again and again while the model learns: a known fact, as short as any.
    """
    some = rng.sample(questions, min(n, len(questions)))
    shown = min(some, key=lambda q: (q["asks"] != "known", len(q["messages"][-1]["content"])))
    some.insert(0, some.pop(some.index(shown)))
    return some


def count_pieces(conversations):
    """Return how many (messages, source) of chat_rounds.py are of which sort, {"facts": ...}."""
    others = ("by_end", "further", "unknown", "echo")
    found = {kind: sum(source == kind for _, source in conversations) for kind in others}
    return {"facts": len(conversations) - sum(found.values()), **found}


def as_line(pair):
    """Return (messages, source) as the object of a line."""
    return {"messages": pair[0], "source": pair[1]}


def write_lines(path, objects):
    """Write objects as JSON Lines, in one piece."""
    lines = (json.dumps(x, ensure_ascii=False) + "\n" for x in objects)
    atomic_write(path, "".join(lines))
