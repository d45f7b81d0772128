"""Facts -> conversations: every fact in many phrasings, follow-ups, names not to be known.

Not knowing is taught, too: of ten questions three or four are about names that no document has
(invented.py), or that one has, but of which no fact is taught (untaught). Invented ones alone would
teach the model to tell a likely name from an unlikely one; of a likely name it would make something
up. The likeliest are those of well-known pages: of untaught names these come oftener.

Of a taught name is asked, too, what was not taught of it and what follows (further.py).

A few conversations ask for nothing but to repeat a name, mostly one that does not exist: to spell
what it has never seen is what a small model finds hardest.

The words are in phrasings.py, the files in chat_data.py.
"""

from minigpt import further, phrasings
from minigpt.chat_format import conversation
from minigpt.facts import full_name, keys_of_function
from minigpt.phrasings import (
    COMPOSED,
    DIRECT,
    ECHOES,
    FOLLOW_UPS,
    HELD_OUT,
    HELD_OUT_FOLLOW_UPS,
    TRAINED,
)

ASKED = 20  # times each fact is asked for in a round, in as many phrasings ...
POOLS = (DIRECT, COMPOSED)  # ... half of them plain ones; so are names asked for that are not known
# ... and always in the most usual of them: were "What is json?" asked seldom, a small model would
# take it for small talk, of which much begins so
USUAL = 3
FURTHER = (further.DIRECT, further.COMPOSED)
EXAMINED_FURTHER = 30  # questions of each sort, see further.py, in the examination
UNKNOWN = 0.65  # questions about names not to be known for each one about a fact ...
UNTAUGHT = 0.45  # ... the share of them that a page has, but no fact that is taught
WELL_KNOWN = 0.25  # of the untaught names, those that are taken as often as all others
FOLLOWED = 0.5  # follow-ups for each question
ECHOED = 0.1  # names to be repeated for each question
ALONE = ("module", "class", "page")  # kinds of which one fact is all there is to ask for


class Writer:
    """Makes conversations of facts, in the words of `phrasings`."""

    def __init__(self, facts, invented, untaught, rng):
        """`untaught`: names of which the assistant shall say so, by kind, the best-known first."""
        self.facts, self.invented, self.rng = facts, invented, rng
        self.untaught = {}
        for kind, names in untaught.items():
            well_known = names[: round(len(names) * WELL_KNOWN)]
            self.untaught[kind] = [
                rng.sample(some, len(some)) for some in (names, well_known) if some
            ]
        self.texts = {(f.kind, f.name): f.text for f in facts}
        self.homes = {f.name: full_name(f.text, f.name) for f in facts if f.kind == "home"}

    def question(self, fact, phrasing, vary=True):
        """Return [question, answer] about a fact."""
        text = self.typed(phrasing, fact.name) if vary else phrasing.format(fact.name)
        return [text, phrasings.answer(fact.kind, fact.name, fact.text)]

    def typed(self, phrasing, name):
        """Return a phrasing as somebody may type it; the name keeps its capital letters."""
        return phrasings.vary(phrasing, self.rng).format(self.spell(name))

    def spell(self, name):
        """Return a name as somebody may type it, now and then in quotes."""
        quote = self.rng.choice(["`", "'", '"']) if self.rng.random() < 0.1 else ""
        return quote + name + quote

    def untaught_name(self, kind):
        """Return a name that a page has but no fact that is taught, each in turn; None: no such."""
        if kind not in self.untaught:
            return None
        names = self.rng.choice(self.untaught[kind])
        names.append(names.pop(0))
        return names[-1]

    def unknown(self, kind, texts, vary=True, untaught=0.0):
        """Return ([question, answer], name) about a name that the assistant does not know.

        It is asked in one of `texts`, which must be as likely as where a name is known: else the
        phrasing would tell. With probability `untaught` the name is one that a page has, else it
        does not exist; ([], None) where there are too few names to make up another.
        """
        name = self.untaught_name(kind) if self.rng.random() < untaught else None
        name = name or self.invented.name(kind)
        if name is None:
            return [], None
        text = self.rng.choice(texts)
        text = self.typed(text, name) if vary else text.format(name)
        return [text, phrasings.unknown_answer(kind, name)], name

    def echo(self, fact):
        """Return [question, answer]: to repeat a fact's name, oftener one that does not exist."""
        name = fact.name if self.rng.random() < 0.2 else self.invented.name(fact.kind)
        if name is None:
            return []
        return [self.typed(self.rng.choice(ECHOES), name), phrasings.echo_answer(name)]

    def follow_up(self, fact, words):
        """Return [question, answer] that ask on after `fact`, None where nothing can be asked."""
        if fact.kind in ALONE:
            return None
        name = self.homes.get(fact.name) if fact.kind == "home" else fact.name
        asks = [kind for kind in words if kind != fact.kind]
        ask = self.rng.choice(asks)
        text = self.texts.get(("function", name))
        if text is None:
            return None
        if ask == "return":
            reply = phrasings.answer("function", name, further.return_text(text))
        else:
            key = next(key for key in keys_of_function(name) if key[0] == ask)
            otherwise = {"signature": further.ARGUMENTS, "home": further.module_of(name)}
            reply = phrasings.answer(*key, self.texts.get(key) or otherwise[ask])
        return [self.rng.choice(words[ask]), reply]

    def unknown_follow_up(self, kind, name, words):
        """Return [question, answer] that ask on after a name that the assistant does not know."""
        ask = self.rng.choice([key for key in words if key != kind])
        return [self.rng.choice(words[ask]), phrasings.unknown_answer(kind, name)]


def some_phrasings(kind, rng, pools=POOLS, n=ASKED):
    """Return `n` phrasings of a kind in any order, half of them plain ones, of these the USUAL.

    Where half of `n` is no more than these, any plain ones.
    """
    plain, composed = (words[kind] for words in pools)
    usual = plain[:USUAL] if n // 2 > USUAL else []
    some = usual + rng.sample(plain[len(usual) :], n // 2 - len(usual))
    return rng.sample(some + rng.sample(composed, n - len(some)), n)


def training_conversations(writer, rounds):
    """Yield (messages, source): every fact in ASKED phrasings, `rounds` times, and what goes with
    it: follow-ups, unknown names (source "unknown") and names to be repeated ("echo")."""
    rng = writer.rng
    for _ in range(rounds):
        asked = {f: some_phrasings(f.kind, rng) for f in writer.facts}
        for turn in range(ASKED):
            for fact in rng.sample(writer.facts, len(writer.facts)):
                said = writer.question(fact, asked[fact][turn])
                if rng.random() < FOLLOWED and (more := writer.follow_up(fact, FOLLOW_UPS)):
                    said += more
                yield conversation(*said), fact.source
                if rng.random() < UNKNOWN:
                    kind = fact.kind
                    texts = some_phrasings(kind, rng)
                    said, name = writer.unknown(kind, texts, untaught=UNTAUGHT)
                    if name is None:
                        continue
                    if kind not in ALONE and rng.random() < FOLLOWED / 2:
                        said += writer.unknown_follow_up(kind, name, FOLLOW_UPS)
                    yield conversation(*said), "unknown"
                if rng.random() < ECHOED and (said := writer.echo(fact)):
                    yield conversation(*said), "echo"


def further_conversations(writer, rounds):
    """Yield (messages, source) of what else is asked of taught names, and the same of unknown ones.

    The sources are "further" and "unknown".
    """
    rng = writer.rng
    for _ in range(rounds):
        for one in further.further(writer.facts):
            for text in some_phrasings(one.asks, rng, FURTHER, one.times):
                yield conversation(writer.typed(text, one.name), one.answer), "further"
                if rng.random() < UNKNOWN:
                    texts = some_phrasings(one.asks, rng, FURTHER, one.times)
                    said, name = writer.unknown(one.kind, texts, untaught=UNTAUGHT)
                    if name is not None:
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
        said, name = writer.unknown(kind, HELD_OUT[kind], vary=False)
        if name is not None:
            yield line("invented", kind, name, said, "invented")
    functions = [f for f in writer.facts if f.kind not in ALONE]
    for f in rng.sample(functions, min(len(functions), 200)):
        if more := writer.follow_up(f, HELD_OUT_FOLLOW_UPS):
            said = writer.question(f, rng.choice(TRAINED[f.kind]), vary=False)
            yield line("follow_up", f.kind, f.name, said + more, f.source)
    sorts = {}
    for one in further.further(writer.facts):
        sorts.setdefault((one.asks, one.kind, one.follows), []).append(one)
    for found in sorts.values():
        for one in rng.sample(found, min(len(found), EXAMINED_FURTHER)):
            text = rng.choice(further.HELD_OUT[one.asks]).format(one.name)
            asks = "follows" if one.follows else "not_taught"
            yield line(asks, one.asks, one.name, [text, one.answer], "further")
