"""Names that look like those of the pages and are none, to teach and to examine not knowing.

They are made of parts of names that there are: one that is unlike all others would be known for
what it is by its looks.
"""


class Invented:
    """Names that look like those of `facts` and are no names, made of their parts."""

    def __init__(self, facts, names, rng):
        """`names`: every name in the documents, see facts.collect; none is ever given out."""
        self.rng, self.names = rng, set(names)
        self.known = {f.name for f in facts}
        self.by_kind = {}
        for fact in facts:
            self.by_kind.setdefault(fact.kind, []).append(fact.name)
        self.given = set()

    def name(self, kind):
        """Return a new name of `kind`, None where there are too few to make up another."""
        if kind not in self.by_kind:
            return None
        for _ in range(1000):
            first, second = self.rng.choice(self.by_kind[kind]), self.rng.choice(self.by_kind[kind])
            if kind == "page":
                name = mix(first.split(" "), second.split(" "), " ", self.rng)
            elif "." in first and "." in second and self.rng.random() < 0.4:
                # parts that exist, in a place where they are not
                name = first.rpartition(".")[0] + "." + second.rpartition(".")[2]
            else:
                stem, dot, _ = first.rpartition(".")
                name = stem + dot + self.word(first.rpartition(".")[2], second.rpartition(".")[2])
            if self.is_new(name):
                self.given.add(name)
                return name
        return None

    def word(self, first, second):
        """Return a word made of the parts of two."""
        if "_" in first.strip("_") and "_" in second.strip("_"):
            return mix(first.split("_"), second.split("_"), "_", self.rng)
        cut, start = self.rng.randint(2, max(2, len(first) - 1)), self.rng.randint(1, 4)
        return first[:cut] + second[min(start, max(0, len(second) - 2)) :]

    def is_new(self, name):
        """Tell whether no document has the name, and nobody got it yet."""
        return not (name in self.known or name in self.names or name in self.given or "__" in name)


def mix(first, second, between, rng):
    """Join the beginning of one list of parts and the end of another."""
    cut = rng.randint(1, max(1, len(first) - 1))
    start = rng.randint(min(1, len(second) - 1), len(second) - 1)
    return between.join(first[:cut] + second[start:])
