"""Behind a name other names are asked for: "And csv?", "dumps?", hardly more than the name.

    What is json?     Module json: JSON (JavaScript Object Notation) is a subset of ...
    and dumps?        Function json.dumps: Serialize ``obj`` to a JSON formatted ``str``.

Mostly one is asked for that stands beside the one before, and mostly by its end: what was said
before tells that json.dumps is meant, though pickle has a dumps, too. As everywhere, some of the
names are not to be known, in the same words, and of the same modules.

The words are in data/wordings.json, "another"; how often all this is asked is in chat_rounds.py.
"""

from minigpt import further, phrasings
from minigpt.chat_writer import LAST, LONGEST, UNKNOWN, UNKNOWN_OTHERS, UNTAUGHT, end_of
from minigpt.chosen_wordings import another_of
from minigpt.wordings import ANOTHER, DIRECT, FOLLOW_UPS

KINDS = ("module", "class", "function", "method", "term")  # of names that others are asked behind
BESIDE = 0.75  # share of the others that stand beside the name before, or in what it is about ...
BY_END = 0.8  # ... of these, that are asked for by their end
ON_AGAIN = 0.2  # of those that are known, that are asked on
MORE = 0.5  # share of those behind which one more is asked for
WITH_PLACE = 0.4  # of those asked for by their end: behind what they are in, json


class OtherNames:
    """What is asked behind the names of a Writer's facts."""

    def __init__(self, writer):
        self.writer, self.rng = writer, writer.rng
        self.of_kind = {kind: [f for f in writer.facts if f.kind == kind] for kind in KINDS}
        self.inside = {}  # what is taught of a module, a class or a package, and of that itself
        for f in writer.facts:
            if f.kind in KINDS and (place := further.place_of(f.name, f.kind)):
                self.inside.setdefault(place, []).append(f)
        self.around = {f.name: f for f in writer.facts if f.kind in ("module", "class")}
        for place, inside in self.inside.items():
            inside += [self.around[place]] if place in self.around else []

    def neighbour(self, fact):
        """Return a fact about another name: in what `fact` is about, beside it, or what it is in.

        None where there is none, and where it would be a name in a module that ends as a module is
        called: time of datetime.time.
        """
        place = further.place_of(fact.name, fact.kind)
        found = [
            others for inside in (self.inside.get(fact.name, []), self.inside.get(place, []))
            if (others := [f for f in inside if f != fact])
        ]  # fmt: skip
        other = self.rng.choice(self.rng.choice(found)) if found else None
        is_module = other and ("module", end_of(other.name)) in self.writer.texts
        return None if is_module and other.kind != "module" else other

    def behind(self, fact, said, beside=BESIDE):
        """Return `said`, questions and answers of which the last name is that of `fact`, and more.

        That is what is asked about other names behind it, as many as have room; `beside` is the
        share of those that stand beside it.
        """
        while fact:
            more, fact = self.another(fact, beside)
            if sum(map(len, said + more)) > LONGEST:
                break
            said = said + more
            if self.rng.random() >= MORE:
                break
        return said

    def by_its_end(self, fact):
        """Return questions and answers of which the last asks for `fact`, by its end.

        That is behind one that stands beside it, or what it is in; [] where there is none.
        """
        around = self.around.get(further.place_of(fact.name, fact.kind))
        before = around if around and self.rng.random() < WITH_PLACE else self.neighbour(fact)
        if before is None or "." not in fact.name:
            return []
        first = self.writer.question(before, self.rng.choice(DIRECT[before.kind]))
        text = another_of(ANOTHER, self.rng)
        last = self.writer.typed(text, end_of(fact.name), fact.kind)
        return [*first, last, phrasings.answer(fact.kind, fact.name, fact.text)]

    def another(self, fact, beside=BESIDE):
        """Return ([question, answer], other): about another name behind `fact`, that of `other`.

        It may be an unknown one, and `other` is `fact` then; a known one may be asked on, in four
        texts. ([], None) where there is none.
        """
        rng, text = self.rng, another_of(ANOTHER, self.rng)
        near = self.neighbour(fact) if rng.random() < beside else None
        other = near or rng.choice(self.of_kind[fact.kind])
        n = UNKNOWN.get(other.kind, UNKNOWN_OTHERS)
        if rng.random() < n / (1 + n):
            place = further.place_of(other.name, other.kind) if near else ""
            said, _ = self.writer.unknown(
                other.kind, [text], untaught=UNTAUGHT, like=other.name, place=place,
                by_end=max(LAST, beside * BY_END),
            )  # fmt: skip
            return said, fact
        if other == fact:
            return [], None
        said = self.writer.question(other, text)
        if near and rng.random() < BY_END:
            said[0] = self.writer.typed(text, end_of(other.name), other.kind)
        on = self.writer.follow_up(other, FOLLOW_UPS) if rng.random() < ON_AGAIN else None
        return said + (on or []), other
