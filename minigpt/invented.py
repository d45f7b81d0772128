"""Names that no page has, to teach and to examine not knowing.

Most are made of parts of names that exist: one unlike all others would give itself away by its
looks. Others, to teach with, are strange: letters that follow one another as they do in the words
of the documents, "nurpy". People ask for other libraries by name, and a small model that never had
to spell such a name takes it for something that it knows.
"""

import re
from collections import defaultdict

from minigpt.facts import OF_TERMS

FEWEST, MOST = 3, 12  # letters of a strange name
WORD = re.compile(rf"[a-z]{{{FEWEST},{MOST}}}")
# "os.", "path"; "git-rebase --", "abort"; "DROP ", "TABLE"; but "sqlite3_open" as a whole
LAST_PART = re.compile(r"(.*?)((?:[ .-]-*)?)([^ .-]*)")
DIGITS = 0.05  # share of the strange names that end with a digit
MOVED = 0.6  # of names with dots: their ends exist elsewhere, as shuffle of itertools.shuffle


class Invented:
    """Names that look like those of `facts`, or like words, and are none."""

    def __init__(self, facts, names, rng):
        """`names`: every name in the documents, see facts.collect; none is ever given out."""
        self.rng, self.names = rng, set(names)
        self.known = {f.name for f in facts}
        self.by_kind, self.alike = {}, {}
        for kind, name in ((fact.kind, fact.name) for fact in facts):
            self.by_kind.setdefault(kind, []).append(name)
            self.alike.setdefault((kind, shape(kind, name)), []).append(name)
        self.given = set()
        self.after = defaultdict(list)  # two letters -> those that follow, as often as they do
        for word in sorted(filter(WORD.fullmatch, self.names)):  # a set has another order each time
            for i, letter in enumerate(word + "."):
                self.after[f"..{word}"[i : i + 2]].append(letter)

    def name(self, kind, like=None, strange=0.0):
        """Return a new name of `kind`, None where there are too few to make up another.

        Where a name `like` is given, the new one has its shape, with a dot only if that has one: if
        most names without a dot were real, as len is, a model would take all of them for real. A
        new term always has the shape of some term. `strange` is how likely the name is strange;
        what stands before its dot is then strange, too, or known.
        """
        known = self.by_kind.get(kind, [])
        if known and kind in OF_TERMS:
            like = like or self.rng.choice(known)
        if like is not None and kind != "page":
            known = self.alike.get((kind, shape(kind, like)), [])
        if not known:
            return None
        for _ in range(1000):
            first, second = self.rng.choice(known), self.rng.choice(known)
            if kind == "page":
                name = mix(first.split(" "), second.split(" "), " ", self.rng)
            elif self.after and self.rng.random() < strange:
                name = self.strange_like(first)
            elif " " in first and " " in second:
                name = self.mixed(first, second, " ")
            elif "." in first and "." in second and self.rng.random() < MOVED:
                name = first.rpartition(".")[0] + "." + second.rpartition(".")[2]
            else:
                stem, dot, _ = first.rpartition(".")
                name = stem + dot + self.word(first.rpartition(".")[2], second.rpartition(".")[2])
            if self.is_new(name):
                self.given.add(name)
                return name
        return None

    def moved(self, name, place):
        """Return a new name moved to `place`, a module or class; as it is if that is impossible."""
        _, dot, end = name.rpartition(".")
        there = f"{place}.{end}" if dot and place else name
        if there == name or not self.is_new(there):
            return name
        self.given.add(there)
        return there

    def word(self, first, second):
        """Return a word made of the parts of two."""
        for joint in "_-":
            if joint in first.strip("_-") and joint in second.strip("_-"):
                return self.mixed(first, second, joint)
        cut, start = self.rng.randint(2, max(2, len(first) - 1)), self.rng.randint(1, 4)
        return first[:cut] + second[min(start, max(0, len(second) - 2)) :]

    def mixed(self, first, second, joint):
        """Return a name made of the parts of two, with a made-up last part if that name exists."""
        name = mix(first.split(joint), second.split(joint), joint, self.rng)
        if name in self.known or name in self.names:
            stem, _, last = first.rpartition(joint)
            name = stem + joint + self.word(last, second.rpartition(joint)[2])
        return name

    def strange_like(self, name):
        """Return a name whose last part is strange, and half the time what precedes its dot."""
        stem, joint, last = LAST_PART.fullmatch(name).groups()
        if joint == "." and self.rng.random() < 0.5:
            stem = self.strange()
        word = self.strange()
        return stem + joint + (word.upper() if last.isupper() else word)

    def strange(self):
        """Return a word of no language whose letters follow one another as in the documents."""
        word = ""
        while not word.endswith(".") or not FEWEST < len(word) <= MOST + 1:
            if word.endswith(".") or len(word) > MOST:
                word = ""
            word += self.rng.choice(self.after[f"..{word}"[-2:]])
        return word[:-1] + (self.rng.choice("23456789") if self.rng.random() < DIGITS else "")

    def is_new(self, name):
        """Tell whether no document has the name, and it was not given out yet."""
        return not (name in self.known or name in self.names or name in self.given or "__" in name)


def shape(kind, name):
    """Return what names of a kind that look alike have in common: dots, blanks and hyphens.

    Terms are of many sorts; theirs are underlines, too, and whether letters are small or capitals:
    DROP TABLE, git-add, GIT_DIR, core.editor, useHttpPath.
    """
    joints = "".join(joint for joint in ". -_" if joint in name)
    return (joints, name.islower(), name.isupper()) if kind in OF_TERMS else joints.rstrip("_")


def mix(first, second, between, rng):
    """Join the beginning of one list of parts and the end of another."""
    cut = rng.randint(1, max(1, len(first) - 1))
    start = rng.randint(min(1, len(second) - 1), len(second) - 1)
    return between.join(first[:cut] + second[start:])
