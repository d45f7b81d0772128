"""Facts -> questions and answers: in many phrasings, follow-ups, names not to be known.

Not knowing is taught, too: of ten questions about names, four are about names that no document has
(invented.py), or that one has, but of which no fact is taught (untaught). Invented ones alone would
teach the model to tell a likely name from an unlikely one; of a likely name it would make something
up. The likeliest are those of well-known pages: of the untaught names, these come oftener.

A taught name is also asked for what was not taught of it and for what follows (further.py).

A few conversations only ask to repeat a name, mostly one that does not exist: to spell what it has
never seen is what a small model finds hardest.

The words are in data/wordings.json, what is asked of other names behind one in other_names.py, how
often all is asked in chat_rounds.py, the examination in chat_questions.py, the files in
chat_data.py.
"""

from collections import Counter

from minigpt import as_typed, further, phrasings
from minigpt.chosen_wordings import one_of
from minigpt.facts import OF_PYTHON, OF_TERMS, full_name, keys_of_function
from minigpt.follow_ups import ASKED_ON, OF_FUNCTION
from minigpt.wordings import DIRECT, ECHOES

# Questions about names not to be known, for each one about a fact. There are more about modules and
# terms, since people ask for those of other libraries and programs in the same way, and about
# methods, since few of those that look alike are taught ...
UNKNOWN = {"module": 1.2, "term": 0.9, "method": 0.9}
UNKNOWN_OTHERS = 0.6
UNTAUGHT = 0.45  # ... the share of them that a page has, but no fact that is taught
WELL_KNOWN = 0.25  # share of the untaught names, the best-known, that every other is drawn from
LONGEST = 260  # characters of questions and answers put together, so that they have room
ARTICLES = 0.3  # of the built-in classes' names, where one fits: a list
CALLED = ("function", "class", "method", "signature", "home")
BRACKETS = 0.08  # of these: json.dumps()
LAST = 0.25  # of MODULE.NAME, where no other has that NAME: what sqrt does
LAST_OF_TERMS = 0.3  # of terms with dots, of which several may end so: what read_csv does
CAPITALS, LOUD = 0.08, 0.015  # of modules: JSON, Json; and of all that is asked: WHAT IS JSON
# Shares of the invented names that are strange, see invented.py: of modules, which other libraries
# are asked for like; of what is to be repeated; and of others, where a small model that has seen
# many takes any word it does not know for a name.
STRANGE_MODULES, STRANGE_ECHOES, STRANGE = 0.5, 0.3, 0.1
# kinds of names of which one fact says all, except how a term is called
ALONE = ("module", "class", "method", "page", "term", "call")


class Writer:
    """Makes conversations of facts, in the words of `phrasings`."""

    def __init__(self, facts, invented, untaught, rng, names=()):
        """`untaught`: names that the assistant shall not know, by kind, the best-known first.

        `names` are all that the documents have.
        """
        self.facts, self.invented, self.rng = facts, invented, rng
        self.untaught = {}
        for kind, unknown in untaught.items():
            well_known = unknown[: round(len(unknown) * WELL_KNOWN)]
            self.untaught[kind] = [
                rng.sample(some, len(some)) for some in (unknown, well_known) if some
            ]
        self.texts = {(f.kind, f.name): f.text for f in facts}
        named = {f.name for f in facts if f.kind in further.NAMED}
        self.last = Counter(name.rpartition(".")[2] for name in named)
        self.last.update(f.name for f in facts if f.kind == "module")
        others = (f.name for f in facts if f.kind in ("function", "class", "module"))
        self.methods = as_typed.methods_meant([f.name for f in facts if f.kind == "method"], others)
        terms = [f for f in facts if f.kind in OF_TERMS]
        self.short = as_typed.abbreviations([f.name for f in terms], names)
        self.meant = {f.name: f.name for f in terms}  # by what follows a dot, too
        for f in sorted(terms, key=lambda f: (-f.in_degree, len(f.name), f.name)):
            for end in as_typed.ends(f.name):
                self.meant.setdefault(end, f.name)
        self.contents = further.contents(facts)
        self.of_python = any(f.kind in OF_PYTHON for f in facts)
        self.homes = {f.name: full_name(f.text, f.name) for f in facts if f.kind == "home"}

    def question(self, fact, phrasing, vary=True):
        """Return [question, answer] about a fact."""
        name = self.last_part(fact.kind, fact.name, 1) if vary else fact.name
        text = self.typed(phrasing, name, fact.kind) if vary else phrasings.put(name, phrasing)
        return [text, phrasings.answer(fact.kind, fact.name, fact.text)]

    def typed(self, phrasing, name, kind=""):
        """Return a phrasing as somebody may type it; the name keeps its letters.

        Only a module's name now and then has capitals, all or the first, unless one taught name
        ends like that: Decimal is a class. And a term may be typed as it is spoken.
        """
        takes, has = phrasings.takes_article(phrasing), phrasings.has_article(phrasing)
        article = kind == "class" and "." not in name and (takes or has)
        if article and self.rng.random() < ARTICLES:
            name = self.rng.choice([name, *phrasings.ALSO.get(name, ())])
            name = name if has else phrasings.with_article(name)
        else:
            if kind in OF_TERMS:
                name = as_typed.spoken(name, self.rng, self.invented.known)
            if kind in CALLED and "{}(" not in phrasing and self.rng.random() < BRACKETS:
                name += "()"
            name = self.spell(name)
        text = as_typed.vary(phrasing, self.rng, self.of_python)
        if kind == "module" and name.isalpha():
            draw = self.rng.random()
            if draw < LOUD and self.last[name.upper()] != 1:
                return phrasings.put(name, text).upper()
            if draw < CAPITALS:
                typed = self.rng.choice((name.upper(), name.capitalize()))
                name = name if self.last[typed] == 1 else typed
        return phrasings.put(name, text)

    def last_part(self, kind, name, n, share=0.0):
        """Return a name, now and then without its module, at least as often as `share`.

        It stays whole unless `n` taught names end like it: 1 if it is taught itself, else 0.
        """
        if kind in OF_TERMS:
            return self.end_of_term(name, n, share)
        last = name.rpartition(".")[2]
        if kind == "method":
            fits = self.methods.get(last) == name if n else not self.last[last]
        else:
            fits = kind in ("function", "class") and self.last[last] == n
        return last if fits and self.rng.random() < max(LAST, share) else name

    def end_of_term(self, name, n, share=0.0):
        """Return a term's name, now and then without what is before a dot, or with it abbreviated.

        An end that several have stands for the best known of them; `n` and `share` are as above.
        """
        stem, _, end = name.rpartition(".")
        if stem in self.short and self.rng.random() < LAST:
            return f"{self.short[stem]}.{end}"
        if not (shorter := as_typed.ends(name)) or self.rng.random() >= max(LAST_OF_TERMS, share):
            return name
        end = self.rng.choice(shorter)
        return end if self.meant.get(end) == (name if n else None) else name

    def spell(self, name):
        """Return a name as somebody may type it, now and then in quotes."""
        quote = self.rng.choice(["`", "'", '"']) if self.rng.random() < 0.1 else ""
        return quote + name + quote

    def untaught_name(self, kind):
        """Return a name that pages have but that is not taught, each in turn; None: no such."""
        if kind not in self.untaught:
            return None
        names = self.rng.choice(self.untaught[kind])
        names.append(names.pop(0))
        return names[-1]

    def unknown(self, kind, texts, vary=True, untaught=0.0, like=None, place="", by_end=0.0):
        """Return ([question, answer], name) about a name that the assistant does not know.

        It is asked in one of `texts`, which must be as likely as where a name is known, or the
        phrasing would give the answer away. With probability `untaught` the name is one that a page
        has; else it is invented (invented.py), with the shape of `like` or now and then strange, in
        `place`, a module or a class, if one is given. At least as often as `by_end`, it is typed
        without that. ([], None) where there are too few to make up another.
        """
        real = self.untaught_name(kind) if self.rng.random() < untaught else None
        strange = STRANGE_MODULES if kind == "module" else STRANGE
        name = real or self.invented.name(kind, like, strange if like else 0.0)
        if name is None:
            return [], None
        name = self.invented.moved(name, place) if place and not real else name
        short = self.last_part(kind, name, 0, by_end) if vary else name
        # an invented one may end as a real one does, perhaps as one that is held out
        name = short if real or short not in self.invented.known else name
        text = self.rng.choice(texts)
        text = self.typed(text, name, kind) if vary else phrasings.put(name, text)
        return [text, phrasings.unknown_answer(kind, name)], name

    def echo(self, fact):
        """Return [question, answer]: to repeat a fact's name, oftener one that does not exist."""
        is_real = self.rng.random() < 0.2
        name = fact.name if is_real else self.invented.name(fact.kind, strange=STRANGE_ECHOES)
        if name is None:
            return []
        return [self.typed(self.rng.choice(ECHOES), name), phrasings.echo_answer(name)]

    def follow_up(self, fact, words, asks=None, vary=True):
        """Return [question, answer] that follow up on `fact`, None where nothing can be asked.

        What is asked is one of `asks`, or else of ASKED_ON, in one of `words`.
        """
        kind = fact.kind if fact.kind in ALONE else "function"
        name = self.homes.get(fact.name) if fact.kind == "home" else fact.name
        asks = [ask for ask in asks or ASKED_ON[kind] if ask in words and ask != fact.kind]
        if not asks or (kind, name) not in self.texts:
            return None
        ask = self.rng.choice(asks)
        text = one_of(words[ask], self.rng)
        text = as_typed.vary(text, self.rng, self.of_python) if vary else text
        return [text, self.said_on(ask, kind, name)]

    def said_on(self, ask, kind, name):
        """Return what is answered to a follow-up that asks for `ask` of a name that is taught."""
        module = name if kind == "module" else further.module_of(name, kind)
        if ask in ("module", "functions"):
            text = self.texts.get(("module", module))
            if text is None:
                return phrasings.unknown_answer("module", module)
            said = text if ask == "module" else self.contents[module]
            return phrasings.answer("module", module, said)
        if kind == "function" and ask not in ("return", "other"):
            key = next(key for key in keys_of_function(name) if key[0] == ask)
            otherwise = {"signature": further.ARGUMENTS, "home": module}
            return phrasings.answer(*key, self.texts.get(key) or otherwise[ask])
        said = {
            "signature": self.texts.get(("call", name), further.ARGUMENTS),
            "methods": further.CONTENTS,
            "home": f"it is in {module}.",
            "return": further.return_text(self.texts[kind, name]),
            "other": further.OTHER,
            "elsewhere": further.OTHER,
        }
        return phrasings.answer(kind, name, said[ask])

    def unknown_follow_up(self, kind, name, words):
        """Return [question, answer] that follow up on a name that the assistant does not know."""
        asks = ASKED_ON[kind] if kind in ALONE else OF_FUNCTION
        ask = self.rng.choice([ask for ask in asks if ask not in (kind, "module")])
        text = as_typed.vary(one_of(words[ask], self.rng), self.rng, self.of_python)
        return [text, phrasings.unknown_answer(kind, name)]

    def with_module(self, fact, said):
        """Return `said`, questions and answers about a function, after one about its module.

        The one about the module is left out where it is not taught, or all would be too long.
        """
        name = self.homes.get(fact.name) if fact.kind == "home" else fact.name
        module = further.module_of(name or "")
        text = self.texts.get(("module", module))
        if name is None or text is None:
            return said
        asked = self.typed(self.rng.choice(DIRECT["module"]), module)
        longer = [asked, phrasings.answer("module", module, text), *said]
        return longer if sum(map(len, longer)) <= LONGEST else said


def end_of(name):
    """Return what follows the last dot of a word: dumps of json.dumps; but all of "Node.js 2."."""
    return (as_typed.ends(name) or [name])[-1]


def unknown_ones(kind, rng):
    """Return how many names not to be known follow one of a kind that is known: 0, 1 or 2."""
    n = UNKNOWN.get(kind, UNKNOWN_OTHERS)
    return int(n) + (rng.random() < n % 1)
