"""Documents -> facts: what a page says about a name, short enough for a small model to learn.

From pydoc's pages, which `make train` crawls when nothing else is asked for:

    module      its name and the sentence that says what it is, or else what it has
    class       of a module: the sentence that says what it is, or else how it is called
    method      of a built-in class: what it does
    function    of a module: what it does, how it is called, and which module it is in

From pages of any other site:

    page        its title, and the sentence that says what it is about
    term        a name that a page is about or defines, and what it says that is
    call        how that is called, if it can be

A fact without text is a name of which the page says nothing, or nothing short enough.

This only reads. best_known.py chooses which facts are taught, chat_writer.py makes questions of
them, and chat_data.py makes files of these.
"""

import re
from collections import Counter
from dataclasses import dataclass, replace

from minigpt import any_page
from minigpt.as_typed import ends
from minigpt.page_title import site_words, without_site
from minigpt.pydoc_page import (
    called,
    classes,
    contents,
    functions,
    methods,
    summary_of,
)

MOST_ARGUMENTS = 40  # characters; print has more
PYDOC_TITLE = re.compile(r"Pydoc: (?:built-in )?(?:module|package) (\S+)")
IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
CALLED = re.compile(r"(?:(?<![\w.])|\.)[A-Za-z_]\w*\(")
# kinds of facts that only the pages of Python's library have
OF_PYTHON = {"module", "class", "method", "function", "home"}
OF_TERMS = {"term", "call"}  # kinds that have the names of terms
AS_KNOWN = 2  # a page with up to so many times fewer links is about as well known as another
DEEPEST = 4  # parts of a name, os.path.join has 3
HYPHENED = re.compile(r"(?<![\w-])(?:--[a-z]\w*(?:-\w+)*|[A-Za-z_]\w*(?:-\w+)+)")
DOTTED = re.compile(r"\b[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")


@dataclass(frozen=True)
class Fact:
    """One thing a page says: of which `kind`, about which name, in which words ("": in none)."""

    kind: str  # module, class, method, function, signature, home, page, term or call
    name: str
    text: str
    source: str  # the page's address
    in_degree: int = 0  # how many other pages link to it
    is_whole: bool = False  # the page is about nothing else


def collect(records):
    """Return (facts, names) of documents: what they say, and in how many of them each name is.

    Names are identifiers, dotted and hyphened ones (git-add, --force) as they are written, and each
    identifier of a module's page as MODULE.IDENTIFIER: os.getcwd is one where the page of os has
    getcwd. A name that is called also counts as "NAME(", or ".NAME(" after a dot. "MODULE." counts
    the documents, except those of its own package, that have some name in the module.
    """
    facts, names, modules, pages = [], Counter(), {}, []
    for record in records:
        words, dotted = (set(some.findall(record["text"])) for some in (IDENTIFIER, DOTTED))
        found, own = words.union(dotted, CALLED.findall(record["text"])), set()
        found.update(HYPHENED.findall(record["text"]))
        if match := PYDOC_TITLE.fullmatch(record.get("title", "")):
            for module in {match[1], called(match[1], record["text"])}:
                found |= {module, *(f"{module}.{word}" for word in words)}
                own.add(module.partition(".")[0])
            best = modules.setdefault(match[1], record)  # a topic may have the name of a module
            if record.get("in_degree", 0) > best.get("in_degree", 0):
                modules[match[1]] = record
        else:
            pages.append(record)
        names.update(found)
        names.update(modules_used(dotted, own))
    for module, record in modules.items():
        facts += module_facts(module, record, modules.get(f"_{module}"))
    if not any(fact.text for fact in facts):  # of a site of another kind, or a mixed one
        facts += page_facts(pages)
    return only_once(facts), names


def modules_used(dotted, own):
    """Return {"os.", "os.path."} of the dotted name os.path.join; none of the packages `own`."""
    parts = (name.split(".")[:DEEPEST] for name in dotted)
    return {
        ".".join(some[:i]) + "." for some in parts if some[0] not in own
        for i in range(1, len(some))
    }  # fmt: skip


def module_facts(module, record, accelerator=None):
    """Return the facts of a module's page: what it is, one for each class, three for each function.

    For the built-in classes there is one for each method, too.

    `accelerator` is the page of _MODULE, the part of a module that is in C (PEP 399). Where a
    module says nothing of itself, that page says what the module is: _struct for struct.
    """
    if any(part.startswith("_") for part in module.split(".")):
        return []
    text, source, in_degree = record["text"], record.get("url", ""), record.get("in_degree", 0)
    module, written = called(module, text), module
    what = Fact("module", module, summary_of(written, text), source, in_degree)
    if not what.text and accelerator:
        what = replace(
            what,
            text=summary_of(f"_{written}", accelerator["text"]),
            source=accelerator.get("url", ""),
        )
    if not what.text:
        what = replace(what, text=contents(text))
    facts = [what]
    for function, arguments, summary in functions(text):
        facts.append(Fact("home", function, module, source, in_degree))
        if summary and not function.startswith("_"):
            name = full_name(module, function)
            facts.append(Fact("function", name, summary, source, in_degree))
            if arguments and len(arguments) <= MOST_ARGUMENTS:
                facts.append(Fact("signature", name, function + arguments, source, in_degree))
    for name, description in classes(text):
        said = "" if name.startswith("_") else description
        facts.append(Fact("class", full_name(module, name), said, source, in_degree))
    for owner, name, _, said in methods(text) if module == "builtins" else ():
        if not name.startswith("_"):
            facts.append(Fact("method", f"{owner}.{name}", said, source, in_degree))
    return facts


def full_name(module, function):
    """Return the name by which a function of a module is asked for: os.getcwd, but len."""
    return function if module == "builtins" else f"{module}.{function}"


def keys_of_function(name):
    """Return the keys (kind, name) of the three facts about a function MODULE.NAME."""
    return ("function", name), ("signature", name), ("home", name.rpartition(".")[2])


def keys_of(fact):
    """Return the keys (kind, name) of a fact and of those that are taught with it."""
    if fact.kind == "function":
        return keys_of_function(fact.name)
    own = (fact.kind, fact.name)
    return (own, ("call", fact.name)) if fact.kind == "term" else (own,)


def host_of(record):
    """Return the host in a record's address, "" without one: "http://a.org/b" -> "a.org"."""
    return record.get("url", "").partition("://")[2].partition("/")[0]


def page_facts(records):
    """Return the facts of pages that are not pydoc's: what they are about, what they define."""
    titles, facts, found = {}, [], {}
    for record in records:
        titles.setdefault(host_of(record), []).append(record.get("title", ""))
    of_site = {host: site_words(some) for host, some in titles.items()}
    for record in records:
        source, in_degree = record.get("url", ""), record.get("in_degree", 0)
        title = without_site(record.get("title", ""), of_site[host_of(record)])
        page = any_page.page_entry(title, record["text"])
        if page and page.is_topic:
            facts.append(Fact("page", page.name, page.text, source, in_degree))
        named = [] if page is None or page.is_topic else [page]
        whole = named[0].name if named else ""
        for entry in [*named, *any_page.entries(record["text"], whole)]:
            is_whole = entry.stands == any_page.PAGE
            if not is_whole and whole.endswith(f".{entry.name}"):
                continue  # the page is about it: tie(rope) of knots.tie
            fact = Fact("term", entry.name, entry.text, source, in_degree, is_whole)
            found.setdefault(entry.name, []).append((entry, fact))
    topics = {fact.name for fact in facts}
    elsewhere = {
        end for name, some in found.items() for end in ends(name)
        if any(entry.text for entry, _ in some)
    }  # fmt: skip
    for name, some in found.items():
        if name in topics:
            continue  # what it is would have two answers
        if name in elsewhere and all(entry.stands == any_page.TABLED for entry, _ in some):
            continue  # an index has knots.Knot.tie as Knot.tie
        if " " in name and name.replace(" ", "-", 1) in found:
            continue  # the same, as it is typed: "git push" for git-push
        some = [pair for pair in some if pair[0].text] or some
        stands = min((entry.stands for entry, _ in some), key=any_page.STANDS.index)
        best = [(entry, fact) for entry, fact in some if entry.stands == stands]
        entry, fact = max(best, key=lambda pair: pair[1].in_degree)  # of equal ones the first
        # a thing of that name may stand on another page that is as well known, or in a list further
        # down, as "value (integer)" of one option and the next: which one is meant?
        in_lists = stands in (any_page.LISTED, any_page.TABLED) and " -" not in name
        facts += [fact] + [
            other for _, other in best
            if other is not fact and (in_lists or other.source != fact.source)
            and AS_KNOWN * other.in_degree >= fact.in_degree
        ]  # fmt: skip
        if entry.arguments and len(entry.arguments) <= MOST_ARGUMENTS:
            facts.append(replace(fact, kind="call", text=name + entry.arguments))
    return facts


def only_once(facts):
    """Keep the facts that are the only ones of their kind about a name.

    math.sqrt, cmath.sqrt     say different things: what each does is asked for, not where sqrt
                              is, for that has two answers
    os.getcwd, posix.getcwd   say the same: one function, whose home is the better known module,
                              and of posix.getcwd nothing is asked
    filter, fnmatch.filter    a class of builtins and a function: where filter is has two answers
    """
    said = {fact.name: fact.text for fact in facts if fact.kind == "function"}
    texts, best = {}, {}
    for fact in facts:
        key, text = (fact.kind, fact.name), fact.text
        if fact.kind == "home":
            text = said.get(full_name(fact.text, fact.name), fact.text)
        if text:  # an alias may stand there without a text
            texts.setdefault(key, set()).add(text)
        best[key] = max(best.get(key, fact), fact, key=lambda f: (bool(f.text), f.in_degree))
    unclear = {key for key, found in texts.items() if len(found) > 1}
    unclear |= {("home", name) for kind, name in best if kind == "class"}
    kept = {}
    for fact in facts:
        key = fact.kind, fact.name
        home = ("home", fact.name.rpartition(".")[2])
        is_elsewhere = (
            fact.kind in ("function", "signature")
            and home in best
            and home not in unclear
            and full_name(best[home].text, home[1]) != fact.name
        )
        if key not in unclear and not is_elsewhere:
            kept.setdefault(key, best[key])
    return list(kept.values())
