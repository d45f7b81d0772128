"""Documents -> facts: what a page says about a name, short enough for a small model to learn.

From pydoc's pages, which make train crawls when nothing else is asked for:

    module      its name and the sentence that says what it is, or else what it has
    class       of a module: the sentence that says what it is, or else how it is called
    function    of a module: what it does, how it is called, and which module it is in

From any other page: its title and its first sentence. A fact without text is a name of which the
page says nothing, or nothing short enough. Of a class only itself is told, not what its methods
are: of methods that classes share a cleaned page has but one, so a list would not be true.

Every fact says which page it stands in, and how many other pages link to that one, its in-degree:
the better known a page, the more link to it (150 to os, one to chunk), so that best_known puts
first what people ask for first.

This only reads; how facts become questions is in phrasings.py, how these become files in
chat_data.py.
"""

import gzip
import heapq
import json
import math
import re
from collections import Counter
from dataclasses import dataclass, replace

LONGEST = 88  # characters of a sentence: a window of the small models holds two such turns
LONGEST_OF_MODULE = 160  # what json or collections is takes so many
LONGEST_OF_CLASS = 110  # and what range is
MOST_ARGUMENTS = 40  # characters; print has more
SECTIONS = ("Classes", "Functions", "Data", "Modules", "Methods", "Author", "Version")
PYDOC_TITLE = re.compile(r"Pydoc: (?:built-in )?(?:module|package) (\S+)")
DEFINITION = re.compile(r"(\w+)(\(.*\))(?: -> .*)?")
CODE = re.compile(r"^\w+\(|^class |\w\(.*=|->|==|__|\\|\(built")  # a first "sentence" that is none
CLASS = re.compile(r"^(?:\w+ = )?class (\w+)\(\w[^\n]*\)$", re.MULTILINE)  # not one of an example
TELLING = re.compile(r"^(?!.*__).*-> .*\w \w")  # says what comes of a call
NO_CLASS = re.compile(r" = |(?:defined here|inherited from \w+)\.$")  # says nothing of a class
ALIAS = re.compile(r'"([\w.]+)" name is an alias for\s+this\s+module')  # os.path, for posixpath
NOTICE = re.compile(r"Copyright|SPDX-|Module Index :")
IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
CALLED = re.compile(r"(?<![\w.])[A-Za-z_]\w*\(")
DOTTED = re.compile(r"\b[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")


@dataclass(frozen=True)
class Fact:
    """One thing a page says: of which `kind`, about which name, in which words ("": in none)."""

    kind: str  # module, class, function, signature, home or page
    name: str
    text: str
    source: str  # the page's address
    in_degree: int = 0  # how many other pages link to it


def read_documents(path):
    """Return the records of documents.jsonl.gz; raise ValueError for others."""
    records = []
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                record = json.loads(line)
                _ = record["text"] + record.get("title", "") + record.get("url", "")
                if not 0 <= record.get("in_degree", 0) < math.inf:
                    raise ValueError(f"in_degree is {record['in_degree']}")
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise ValueError(
                    f"{path}, line {number}: no document ({error!r}); a line must be like "
                    '{"title": "heapq", "text": "...", "url": "...", "in_degree": 3}'
                ) from None
            records.append(record)
    if not records:
        raise ValueError(f"{path}: empty; it must hold documents, one a line")
    return records


def first_sentence(text, longest=LONGEST):
    """Return the first sentence of a paragraph on one line, "" where it is no good as a fact.

    Two words are one where a full stop says so.
    """
    text = re.sub(r" ?<https?:[^<>]*>", "", " ".join(text.split()))
    if match := re.match(r"(.*?[^.][.!?])(?= [A-Z`'\"(]|$)", text):
        text = match[1]
    words = re.findall(r"[A-Za-z]{2,}", text)
    prose = text[:1].isalpha() and len(words) >= 3 - text.endswith(".")
    if not prose or CODE.search(text) or NOTICE.match(text) or len(text) > longest:
        return ""
    if text in SECTIONS:
        return ""
    return text if text[-1] in ".!?" else text.rstrip(" :;,") + "."


def collect(records):
    """Return (facts, names) of documents: what they say, and in how many of them each name is.

    Names are identifiers, dotted ones as they are written, and each identifier of a module's page
    as MODULE.IDENTIFIER: os.getcwd is one where the page of os has getcwd. What is called stands
    there as "NAME(", too.
    """
    facts, names, modules, pages = [], Counter(), {}, []
    for record in records:
        words = set(IDENTIFIER.findall(record["text"]))
        found = words.union(DOTTED.findall(record["text"]), CALLED.findall(record["text"]))
        if match := PYDOC_TITLE.fullmatch(record.get("title", "")):
            for module in {match[1], called(match[1], record["text"])}:
                found |= {module, *(f"{module}.{word}" for word in words)}
            modules[match[1]] = record
        else:
            pages.append(record)
        names.update(found)
    for module, record in modules.items():
        facts += module_facts(module, record, modules.get(f"_{module}"))
    if not any(fact.text for fact in facts):  # of a site of another kind, or a mixed one
        facts += page_facts(pages)
    return only_once(facts), names


def module_facts(module, record, accelerator=None):
    """Return the facts of a module's page: what it is, of each class one, of each function three.

    `accelerator` is the page of _MODULE, the part of a module that is in C (PEP 399): where a
    module says nothing of itself, that says what the module is.
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
    for function, arguments, description in functions(text):
        facts.append(Fact("home", function, module, source, in_degree))
        summary = first_sentence(description)
        if summary and not function.startswith("_"):
            name = full_name(module, function)
            facts.append(Fact("function", name, summary, source, in_degree))
            if len(arguments) <= MOST_ARGUMENTS:
                facts.append(Fact("signature", name, function + arguments, source, in_degree))
    for name, description in classes(text):
        said = "" if name.startswith("_") else description
        facts.append(Fact("class", full_name(module, name), said, source, in_degree))
    return facts


def called(module, text):
    """Return the name under which people know a module: os.path, where its page says so."""
    match = ALIAS.search(text)
    return match[1] if match else module


def full_name(module, function):
    """Return the name by which a function of a module is asked for: os.getcwd, but len."""
    return function if module == "builtins" else f"{module}.{function}"


def summary_of(module, text):
    """Return the sentence of a module's page that says what it is, "" where there is none.

    It begins the paragraph after the heading, "MODULE", "MODULE (version 1.0)" or "MODULE | index",
    or the page where the heading was removed as a repeat; or it is a comment.
    """
    heading = rf"{re.escape(module)}(?: \(version [^)]*\))?(?: \|.*)?\s*\n\n"
    opening = re.sub(rf"^{heading}", "", text).partition("\n\n")[0]
    if opening.startswith("# "):
        opening = opening.partition("\n#\n")[0].replace("\n#", "\n").removeprefix("# ")
    opening = re.sub(rf"^(Module )?{re.escape(module)}(\.py)? --? ", "", opening)
    return first_sentence(opening, LONGEST_OF_MODULE)


def contents(text):
    """Return a sentence on the first classes or functions of a page; "" where it has too few.

    On those of which it has more.
    """
    found = {"classes": classes(text), "functions": functions(text)}
    for plural, parts in found.items():
        names = dict.fromkeys(name for name, *_ in parts if not name.startswith("_"))
        found[plural] = list(names)
    plural = max(found, key=lambda plural: len(found[plural]))
    names = found[plural]
    more = " and others" if len(names) > 3 else ""
    return f"it has the {plural} {', '.join(names[:3])}{more}." if len(names) > 1 else ""


def classes(text):
    """Yield (name, what it is in a sentence, or "") of a page's classes.

    Beneath "class NAME(BASE)" stands how it is called, NAME(...), in one paragraph or more, before
    or instead of the sentence: dict() -> new empty dictionary.
    """
    parts = CLASS.split(text)
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        calls, said = [], ""
        for paragraph in body.strip("\n").split("\n\n"):
            rest = re.sub(rf"^(?:{name}\(.*\n(?: .*\n)*)+", "", paragraph + "\n")
            calls += re.findall(rf"^{name}\(.*", paragraph, re.MULTILINE)
            if rest:
                rest = re.sub(rf"(?s)\.\s+{name}\(.*", ".", rest)  # an example of a call
                said = first_sentence(rest, LONGEST_OF_CLASS)
                break
        if not said or NO_CLASS.search(said):
            calls = [call for call in calls if len(call) <= LONGEST and TELLING.search(call)]
            said = calls[0] if calls else ""
        yield name, said


def functions(text):
    """Yield (name, arguments, first paragraph of the description) of a page's functions."""
    _, _, section = text.partition("\nFunctions\n")
    for block in section.strip("\n").split("\n\n"):
        line, _, description = block.partition("\n")
        if line in SECTIONS:
            return
        match = DEFINITION.fullmatch(line)
        if match and description.startswith("    "):
            yield match[1], match[2], description


def page_facts(records):
    """Return of each page with a title its first sentence."""
    facts = []
    for record in records:
        title = " ".join(record.get("title", "").split())
        body = record["text"].removeprefix(title).strip()
        if 3 <= len(title) <= 60 and (sentence := first_sentence(body.partition("\n\n")[0])):
            address, in_degree = record.get("url", ""), record.get("in_degree", 0)
            facts.append(Fact("page", title, sentence, address, in_degree))
    return facts


def only_once(facts):
    """Keep the facts that are the only ones of their kind about a name.

    Where sqrt is cannot be told, for math has one and cmath another: that is not asked for, but
    what math.sqrt does. Where both say the same of it, it is one function, and the better known
    module its home: os has getcwd, and posix, too.
    """
    said = {fact.name: fact.text for fact in facts if fact.kind == "function"}
    texts, best = {}, {}
    for fact in facts:
        key, text = (fact.kind, fact.name), fact.text
        if fact.kind == "home":
            text = said.get(full_name(fact.text, fact.name), fact.text)
        texts.setdefault(key, set()).add(text)
        best[key] = max(best.get(key, fact), fact, key=lambda fact: fact.in_degree)
    unclear = {key for key, found in texts.items() if len(found) > 1}
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


def best_known(facts, names, rng):
    """Return facts, those of pages that many others link to first.

    Pages share the places by the square root of their in-degree d, so that builtins (500) has more
    of them than json (5), but not a hundred times as many: after k facts of a page its next one
    counts sqrt(d) / (k + 1), as in D'Hondt's method of dividing seats by votes. Of equal ones that
    comes first whose name is in most documents, `names` of collect, else whatever `rng` draws; of
    those that are called without their module, which are words of English, too, that is called.
    """

    def is_in(fact):
        is_bare = fact.kind in ("function", "class") and "." not in fact.name
        return names[f"{fact.name}("] if is_bare else names[fact.name]

    by_page = {}
    for fact in sorted(rng.sample(facts, len(facts)), key=lambda fact: -is_in(fact)):
        by_page.setdefault(fact.source, []).append(fact)
    queue = [
        (-(found[0].in_degree ** 0.5), i, 0, found) for i, found in enumerate(by_page.values())
    ]
    heapq.heapify(queue)
    ordered = []
    while queue:
        _, i, k, found = heapq.heappop(queue)
        ordered.append(found[k])
        if k + 1 < len(found):
            heapq.heappush(queue, (-(found[0].in_degree ** 0.5) / (k + 2), i, k + 1, found))
    return ordered
