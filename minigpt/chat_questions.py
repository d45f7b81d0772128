"""The examination of an assistant: questions in phrasings that are never trained on.

    known        each fact that is taught                held_out     each that never was
    invented     names that do not exist                 follow_up    what is asked on of a function
    follow_on    ... of a module, class, method or term, and of a module named two questions before
    article      built-in classes as people ask for them: a list, a string
    another      a name behind another that it stands beside, by its end: dumps after json
    not_taught   of a taught name what was not taught    follows      ... and what follows

Small talk and questions about nothing that is taught are added in chat_data.py; what becomes of the
answers is in evaluate_chat.py.
"""

from minigpt import further, phrasings
from minigpt.chat_format import conversation
from minigpt.chat_writer import ALONE, end_of
from minigpt.follow_ups import OF_FUNCTION
from minigpt.other_names import KINDS, OtherNames
from minigpt.wordings import DIRECT, HELD_OUT, HELD_OUT_ANOTHER, HELD_OUT_FOLLOW_UPS

EXAMINED = 200  # follow-ups about functions
EXAMINED_ON = 60  # about modules, classes, ..., and as many about what was named before the last
WITH_ARTICLE = [text for text in HELD_OUT["class"] if phrasings.has_article(text)]
EXAMINED_ANOTHER = 100
EXAMINED_FURTHER = 30  # questions of each sort of further.py


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
        said, name = writer.unknown(kind, HELD_OUT[kind], vary=False)
        if name is not None:
            yield line("invented", kind, name, said, "invented")
    functions = [f for f in writer.facts if f.kind not in ALONE]
    for f in rng.sample(functions, min(len(functions), EXAMINED)):
        if more := writer.follow_up(f, HELD_OUT_FOLLOW_UPS, OF_FUNCTION, vary=False):
            said = writer.question(f, rng.choice(DIRECT[f.kind]), vary=False)
            yield line("follow_up", f.kind, f.name, said + more, f.source)
    others = [f for f in writer.facts if f.kind in ALONE]
    for f in rng.sample(others, min(len(others), EXAMINED_ON)):
        if more := writer.follow_up(f, HELD_OUT_FOLLOW_UPS, vary=False):
            said = writer.question(f, rng.choice(DIRECT[f.kind]), vary=False)
            yield line("follow_on", f.kind, f.name, said + more, f.source)
    back, n = ("module", "functions"), 0
    for f in rng.sample(functions, len(functions)):
        said = writer.question(f, rng.choice(DIRECT[f.kind]), vary=False)
        said += writer.follow_up(f, HELD_OUT_FOLLOW_UPS, back, vary=False) or []
        # asked on, and with the module before it: `with_module` leaves that out if all is too long
        if n < EXAMINED_ON and len(before := writer.with_module(f, said)) > len(said) > 2:
            n += 1
            yield line("follow_on", f.kind, f.name, before, f.source)
    for f in writer.facts:
        if f.kind == "class" and "." not in f.name:
            for name in (f.name, *phrasings.ALSO.get(f.name, ())):
                text = phrasings.put(name, rng.choice(WITH_ARTICLE))
                said = [text, phrasings.answer(f.kind, f.name, f.text)]
                yield line("article", f.kind, f.name, said, f.source)
    others = OtherNames(writer)
    pairs = [(f, others.neighbour(f)) for f in writer.facts if f.kind in KINDS]
    pairs = [(f, other) for f, other in pairs if other and end_of(other.name) != other.name]
    for f, other in rng.sample(pairs, min(len(pairs), EXAMINED_ANOTHER)):
        said = writer.question(f, rng.choice(DIRECT[f.kind]), vary=False)
        text = phrasings.put(end_of(other.name), rng.choice(HELD_OUT_ANOTHER))
        said += [text, phrasings.answer(other.kind, other.name, other.text)]
        yield line("another", other.kind, other.name, said, other.source)
    sorts = {}
    for one in further.further(writer.facts):
        sorts.setdefault((one.asks, one.kind, one.follows), []).append(one)
    for found in sorts.values():
        for one in rng.sample(found, min(len(found), EXAMINED_FURTHER)):
            text = phrasings.put(one.name, rng.choice(HELD_OUT[one.asks]))
            asks = "follows" if one.follows else "not_taught"
            yield line(asks, one.asks, one.name, [text, one.answer], "further")
