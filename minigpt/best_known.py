"""Facts -> those that are taught: about names that people ask for first, as many as are learned.

No page says which these are. For Python's library, data/first_asked.txt lists those that come
first; for its other names, and for other sites, the pages let one guess:

    modules    csv before encodings.cp856; of a package, the best-known parts
    built-in   functions, classes, methods: ValueError and list.append need no import
    others     functions and classes of well-known modules, with short names that are often called:
               what is used much is named briefly (Zipf's law of abbreviation)
    terms      of other sites: in many documents, of well-known pages, short

The more pages link to a module or use its names, the better known it is. A few facts, the least
known, are held out, to see what the model makes of a name that it has read but was never taught; of
all other names it is taught to say that it does not know them.

The facts come from facts.py, and so does `names`: how many documents have each name. What is asked
of the facts is in chat_writer.py.
"""

from bisect import bisect_right
from collections import Counter
from itertools import accumulate

from minigpt.as_typed import ends
from minigpt.data_files import DATA
from minigpt.facts import DOTTED, OF_PYTHON, OF_TERMS, keys_of
from minigpt.term_line import NAMELIKE

NAME = "first_asked.txt"

# Share of the facts that say what a module is, and of those about built-in names; the rest is about
# others. Where there are fewer of one sort, there are more of another.
MODULES, BUILT_IN = 0.2, 0.27
MOST_OF_A_MODULE = 6  # functions and classes of one that are taught
HELD_OUT_FACTS = 0.05  # share of the facts that are never trained on
HALVED = 12  # terms of a page before one that counts half as much
TOLD = 12  # best-known names that the report lists
LONGEST_NAME = 30  # characters of a function's or class's name that is asked for


def choose(facts, names, n, rng, first=()):
    """Return (trained, held out, untaught) of facts and `names` as facts.collect gives them.

    About `n` facts are trained or held out, a function always with all of its own; those about the
    names in `first` come before all others of their sort. Held out are modules and whole classes,
    methods and functions: of each sort, the least known that there is still room for. Untaught are
    all other names, {kind: names}, those of the best-known pages first, but no term that is, or
    seems, another spelling of a trained one. Where none of Python's library are trained, dotted
    names that the pages use and do not define are untaught, too.
    """
    by_name = {(f.kind, f.name): f for f in facts if f.text}
    drawn = rng.sample(list(by_name.values()), len(by_name))  # of equal ones any may come first
    sorts = []
    wanted = others(drawn, names, first) + terms(drawn, names)
    for ordered in (modules(drawn, names), built_in(drawn, names), wanted):
        keys = [keys_of(f) for f in sorted(ordered, key=lambda f: f.name not in first)]
        sorts.append([[by_name[key] for key in some if key in by_name] for some in keys])
    trained, held_out, left = [], [], n
    for i, share in enumerate((MODULES, BUILT_IN, 1)):
        after = sum(len(group) for groups in sorts[i + 1 :] for group in groups)
        groups = beginning(sorts[i], min(left, max(1 - i, round(n * share), left - after)))
        left -= sum(map(len, groups))
        kept = len(groups) - round(len(groups) * HELD_OUT_FACTS)
        trained += [f for group in groups[:kept] for f in group]
        held_out += [f for group in groups[kept:] for f in group]
    chosen = {(f.kind, f.name) for f in trained + held_out}
    taught, examined = spellings(trained), spellings(held_out)
    untaught = {}
    for f in sorted(facts, key=lambda f: -f.in_degree):
        if (f.kind, f.name) not in chosen and not (f.kind in OF_TERMS and is_other(f.name, taught)):
            untaught.setdefault(f.kind, []).append(f.name)
    if taught and not OF_PYTHON.intersection(f.kind for f in trained):
        some = used(names, taught.union(examined, *untaught.values()))
        untaught.setdefault("term", []).extend(some[: len(trained) // 2])
    untaught = {kind: some for kind, some in untaught.items() if some}
    return rng.sample(trained, len(trained)), held_out, untaught


def spellings(facts):
    """Return the names of the terms among facts, and what they end with: tie of rope.tie."""
    return {end for f in facts if f.kind in OF_TERMS for end in (f.name, *ends(f.name))}


def is_other(name, taught):
    """Tell whether a name is taught, or seems another spelling of one that is: pd.a of pandas.a."""
    return not taught.isdisjoint((name, name.partition(".")[2]))


def used(names, known):
    """Return dotted names that several documents have and that are not `known`, most used first.

    Pages use names of other libraries, too, which they do not define; people ask for those.
    """
    some = [name for name, n in names.items() if n > 1 and DOTTED.fullmatch(name)]
    return sorted((x for x in some if not is_other(x, known)), key=lambda x: (-names[x], x))


def read_first(path=DATA / NAME):
    """Return the names in a file of them, without its comments: a dict's keys, each once."""
    lines = path.read_text("utf-8").splitlines()
    return dict.fromkeys(name for line in lines for name in line.partition("#")[0].split())


def beginning(groups, n):
    """Return the first of `groups`, lists of facts, that together have at most `n` facts."""
    ends = list(accumulate(map(len, groups), initial=0))
    return groups[: bisect_right(ends, n) - 1]


def modules(facts, names):
    """Return the facts about modules and pages, the best-known first, of equal ones the fullest.

    Each part of a package counts half as much as the one before it: otherwise a package of a
    hundred parts, as encodings, would take the place of others.
    """
    n_facts, of_package, halved = Counter(f.source for f in facts), Counter(), {}

    def known(f):
        return renown(f.name if f.kind == "module" else "", f.in_degree, names)

    found = [f for f in facts if f.kind in ("module", "page")]
    for f in sorted(found, key=lambda f: (-known(f), -n_facts[f.source])):
        package, dot, _ = f.name.partition(".")
        is_part = bool(dot) and f.kind == "module"
        of_package[package] += is_part
        halved[f] = known(f) / 2 ** (of_package[package] if is_part else 0)
    return sorted(halved, key=lambda f: -halved[f])


def built_in(facts, names):
    """Return the facts about what needs no import, first those that most documents call.

    Methods come last, those first whose own name and whose class are best known.
    """

    def key(f):
        owner, _, name = f.name.rpartition(".")
        if owner:
            return 1, -names[f".{name}("] * names[owner]
        # ValueError is always the class, but set is a word of English, too
        return 0, -names[f"{name}(" if name.islower() else name]

    bare = [f for f in facts if f.kind in ("function", "class") and "." not in f.name]
    return sorted(bare + [f for f in facts if f.kind == "method"], key=key)


def others(facts, names, first=()):
    """Return the facts about functions and classes of modules, those that are likeliest asked for.

    Each module has at most MOST_OF_A_MODULE of them, and all whose names are in `first`.

    The score is the renown of the module, times the square root of how many documents call the
    name, over its characters. Where a built-in one has the name, too, open, calls are taken to be
    that one's; of a name that repeats its module's, random.random, the repeated part counts once.
    """
    some = [f for f in facts if f.kind in ("function", "class") and len(f.name) <= LONGEST_NAME]
    bare = {f.name for f in some if "." not in f.name}

    def score(f):
        module, _, name = f.name.rpartition(".")
        called = 1 if name in bare else names[f"{name}("] + names[f".{name}("]
        length = sum(map(len, {*f.name.split(".")}))
        return renown(module, f.in_degree, names) * called**0.5 / length

    ordered, of_module = [], Counter()
    for f in sorted((f for f in some if "." in f.name), key=lambda f: -score(f)):
        of_module[f.source] += 1
        if of_module[f.source] <= MOST_OF_A_MODULE or f.name in first:
            ordered.append(f)
    return ordered


def terms(facts, names):
    """Return the facts about terms, those that are likeliest asked for first.

    The score is how many documents have the rarest of the term's words (of plain words, the square
    root of that), plus the links to its page if that is about nothing else, over the square root of
    its characters. Other terms of a page count the less, the more come before them: there may be a
    hundred.
    """
    of_page, ordered = Counter(), {}

    def score(f):
        used = min(names[word] for word in f.name.split(" "))
        used = used if NAMELIKE.search(f.name) else used**0.5
        return (1 + used + f.in_degree * f.is_whole) / len(f.name) ** 0.5

    for f in sorted((f for f in facts if f.kind == "term"), key=lambda f: -score(f)):
        ordered[f] = score(f) / (1 if f.is_whole else 1 + of_page[f.source] / HALVED)
        of_page[f.source] += 1
    return sorted(ordered, key=lambda f: -ordered[f])


def renown(module, in_degree, names):
    """Return how well known a module or page is: links to it, and documents that use its names.

    Links to a part of a package do not count: they come mostly from its other parts.
    """
    return 1 + in_degree * ("." not in module) + names[f"{module}."]


def told(facts):
    """Return the names of the best-known modules and pages of facts; none if no link is known.

    Pages that are about a name come before those that are about a topic.
    """
    alone = [f for f in facts if (f.kind in ("module", "page") or f.is_whole) and f.in_degree]
    ordered = sorted(alone, key=lambda f: (f.kind == "page", -f.in_degree))
    return list(dict.fromkeys(f.name for f in ordered))[:TOLD]
