"""After one name, others are asked for: "And csv?", "dumps?", hardly more than the name.

    What is json?     Module json: JSON (JavaScript Object Notation) is a subset of ...
    and dumps?        Function json.dumps: Serialize ``obj`` to a JSON formatted ``str``.

Mostly it is a name that stands beside the one before, and mostly it is asked for by its end: what
was said before tells that json.dumps is meant, though pickle has a dumps, too. As everywhere, some
of the names are not to be known; they come in the same words, and from the same modules.

The words are in data/wordings.json, "another"; how often all this is asked is in chat_rounds.py.
"Behind" a name means: in a question that comes after it.
"""

from minigpt import further, phrasings
from minigpt.chat_writer import LONGEST, UNKNOWN, UNKNOWN_OTHERS, UNTAUGHT, end_of
from minigpt.chosen_wordings import another_of
from minigpt.wordings import ANOTHER, DIRECT, FOLLOW_UPS

KINDS = ("module", "class", "function", "method", "term")  # of names that others are asked behind
BESIDE = 0.75  # share of the others that stand beside the name before, or in what it is about ...
BY_END = 0.8  # ... of these, that are asked for by their end
ON_AGAIN = 0.4  # of those that are known, that have a follow-up
MORE = 0.5  # share of those behind which one more is asked for
LONGEST_ON = 320  # characters with a follow-up: of more, a window of 128 tokens has no room for it
WITH_PLACE = 0.4  # of those asked for by their end, that come behind what they are in, json


class OtherNames:
    """What is asked behind the names of a Writer's facts."""

    def __init__(self, writer):
        self.writer, self.rng = writer, writer.rng
        self.of_kind = {kind: [f for f in writer.facts if f.kind == kind] for kind in KINDS}
        self.inside = {}  # facts about what is in a module, a class or a package, and about that
        for f in writer.facts:
            place = further.place_of(f.name, f.kind)
            if f.kind in KINDS and place and not self.is_module(f):
                self.inside.setdefault(place, []).append(f)
        self.around = {f.name: f for f in writer.facts if f.kind in ("module", "class", "term")}
        for place, inside in self.inside.items():
            around = self.around.get(place)
            inside += [around] if around and not self.is_module(around) else []
        self.ends = {
            place: {end_of(f.name): f for f in reversed(inside)}
            for place, inside in self.inside.items()
        }

    def is_module(self, fact):
        """Tell whether a name, not a method's, ends in a module's name: datetime.time does."""
        end = end_of(fact.name)
        is_other = end != fact.name and fact.kind != "method"
        return is_other and ("module", end) in self.writer.texts

    def meant(self, fact, end):
        """Return the fact that `end` means behind `fact`, one in it or else beside it; or None."""
        for place in (fact.name, further.place_of(fact.name, fact.kind)):
            if end in self.ends.get(place, ()):
                return self.ends[place][end]
        return None

    def neighbour(self, fact):
        """Return a fact about another name: in what `fact` is about, beside it, or what it is in.

        None where there is none, and where its end would mean another: behind str, format means
        str.format. A name that ends in a module's name, datetime.time, is no neighbour.
        """
        places = fact.name, further.place_of(fact.name, fact.kind)
        found = [self.inside.get(place, []) for place in places]
        found = [inside for inside in found if any(f != fact for f in inside)]
        if not found:
            return None
        inside = self.rng.choice(found)
        other = next(f for f in self.rng.sample(inside, min(2, len(inside))) if f != fact)
        return other if self.meant(fact, end_of(other.name)) == other else None

    def behind(self, fact, said, beside=BESIDE):
        """Return `said`, questions and answers that end with the name of `fact`, and more of them.

        Those are about other names behind it, as many as have room; `beside` is the share of names
        that stand beside it.
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

        It comes behind a name that stands beside it, or behind what it is in; [] where there is
        none, and where its end would mean another there.
        """
        around = self.around.get(further.place_of(fact.name, fact.kind))
        before = around if around and self.rng.random() < WITH_PLACE else self.neighbour(fact)
        end = end_of(fact.name)
        if before is None or end == fact.name or self.meant(before, end) != fact:
            return []
        first = self.writer.question(before, self.rng.choice(DIRECT[before.kind]))
        text = another_of(ANOTHER, self.rng)
        last = self.writer.typed(text, end, fact.kind)
        said = [*first, last, phrasings.answer(fact.kind, fact.name, fact.text)]
        longer = said + self.asked_on(fact)
        return longer if sum(map(len, longer)) <= LONGEST_ON else said

    def another(self, fact, beside=BESIDE):
        """Return ([question, answer], other): about another name behind `fact`, that of `other`.

        The name may be unknown. Then `other` is `fact` if the name stands where `fact` does (or
        `beside` is 0), else None: after os.odd, nothing in json is asked for by its end. A known
        one may have a follow-up: four texts. ([], None) where there is none.
        """
        rng, text = self.rng, another_of(ANOTHER, self.rng)
        near = self.neighbour(fact) if rng.random() < beside else None
        other = near or rng.choice(self.of_kind[fact.kind])
        n = UNKNOWN.get(other.kind, UNKNOWN_OTHERS)
        if rng.random() < n / (1 + n):
            place = further.place_of(other.name, other.kind) if near else ""
            said, name = self.writer.unknown(
                other.kind, [text], untaught=UNTAUGHT, like=other.name, place=place,
                by_end=beside * BY_END,
            )  # fmt: skip
            is_there = name and place and name in (end_of(name), f"{place}.{end_of(name)}")
            return said, fact if is_there or beside == 0 else None
        means = self.meant(fact, end_of(other.name))
        if other == fact or (means not in (None, other) and end_of(other.name) == other.name):
            return [], None
        said = self.writer.question(other, text)
        if near and rng.random() < BY_END:
            said[0] = self.writer.typed(text, end_of(other.name), other.kind)
        elif means not in (None, other):  # by its end that would be asked for
            said[0] = self.writer.typed(text, other.name, other.kind)
        return said + self.asked_on(other), other

    def asked_on(self, fact):
        """Return [question, answer] that ask on after `fact`, now and then, else []."""
        is_asked = self.rng.random() < ON_AGAIN
        return (self.writer.follow_up(fact, FOLLOW_UPS) if is_asked else None) or []
