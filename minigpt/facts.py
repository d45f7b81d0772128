"""Documents -> facts: what a page says about a name, short enough for a small model to learn.

From pydoc's pages, which make train crawls when nothing else is asked for:

    module      its name and the sentence that says what it is
    function    of a module: what it does, how it is called, and which module it is in

From any other page: its title and its first sentence. Every fact says which page it stands in.

This only reads; how facts become questions is in phrasings.py, how these become files in
chat_data.py.
"""

import gzip
import json
import re
from dataclasses import dataclass

LONGEST = 88  # characters of a sentence: a window of the small models holds two such turns
SECTIONS = ("Classes", "Functions", "Data", "Modules", "Methods", "Author", "Version")
PYDOC_TITLE = re.compile(r"Pydoc: (?:built-in )?(?:module|package) (\S+)")
DEFINITION = re.compile(r"(\w+)(\(.*\))(?: -> .*)?")
CODE = re.compile(r"^\w+\(|^class |\w\(.*=|->|==|__|\\|\(built")  # a first "sentence" that is none
IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")


@dataclass(frozen=True)
class Fact:
    """One thing a page says: of which `kind`, about which name, in which words."""

    kind: str  # module, function, signature, home or page
    name: str
    text: str
    source: str  # the page's address


def read_documents(path):
    """Return the records of documents.jsonl.gz; raise ValueError for others."""
    records = []
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                record = json.loads(line)
                _ = record["text"] + record.get("title", "") + record.get("url", "")
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise ValueError(
                    f"{path}, line {number}: no document ({error!r}); a line must be like "
                    '{"title": "heapq", "text": "...", "url": "..."}'
                ) from None
            records.append(record)
    if not records:
        raise ValueError(f"{path}: empty; it must hold documents, one a line")
    return records


def first_sentence(text):
    """Return the first sentence of a paragraph on one line, "" where it is no good as a fact."""
    text = " ".join(text.split())
    if match := re.match(r"(.*?[^.][.!?])(?= [A-Z`'\"(]|$)", text):
        text = match[1]
    words = re.findall(r"[A-Za-z]{2,}", text)
    prose = text[:1].isalpha() and len(words) >= 3 and not CODE.search(text)
    if not prose or len(text) > LONGEST or text in SECTIONS:
        return ""
    return text if text[-1] in ".!?" else text.rstrip(" :;,") + "."


def collect(records):
    """Return (facts, names) of documents: what they say, and every name that is in them.

    Names are identifiers, dotted ones as they are written, and each identifier of a module's page
    as MODULE.IDENTIFIER: os.getcwd is one where the page of os has getcwd.
    """
    facts, names, pages = [], set(), []
    for record in records:
        words = set(IDENTIFIER.findall(record["text"]))
        names |= words
        names.update(DOTTED.findall(record["text"]))
        if match := PYDOC_TITLE.fullmatch(record.get("title", "")):
            names |= {match[1], *(f"{match[1]}.{word}" for word in words)}
            facts += module_facts(match[1], record["text"], record.get("url", ""))
        else:
            pages.append(record)
    if not facts:  # of a site of another kind, or a mixed one
        facts = page_facts(pages)
    return only_once(facts), names


def module_facts(module, text, source):
    """Return the facts of a module's page: what it is, and of each function three."""
    paragraphs = text.split("\n\n")
    facts = []
    if paragraphs[0].strip() == module and len(paragraphs) > 1:
        opening = re.sub(rf"^(Module )?{re.escape(module)}(\.py)? --? ", "", paragraphs[1])
        if summary := first_sentence(opening):
            facts.append(Fact("module", module, summary, source))
    if module.startswith("_"):
        return facts
    for function, arguments, description in functions(text):
        facts.append(Fact("home", function, module, source))
        summary = first_sentence(description)
        if summary and not function.startswith("_") and len(arguments) <= 40:
            name = f"{module}.{function}"
            facts.append(Fact("function", name, summary, source))
            facts.append(Fact("signature", name, function + arguments, source))
    return facts


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
            facts.append(Fact("page", title, sentence, record.get("url", "")))
    return facts


def only_once(facts):
    """Keep the facts that are the only one of their kind about a name, functions whole.

    A function that two modules have cannot be told from its name; then none of its three facts
    is asked for.
    """
    texts = {}
    for fact in facts:
        texts.setdefault((fact.kind, fact.name), set()).add(fact.text)
    unclear = {key for key, found in texts.items() if len(found) > 1}
    kept = {}
    for fact in facts:
        bare = fact.name.rpartition(".")[2]
        if fact.kind in ("function", "signature") and ("home", bare) in unclear:
            continue
        if (fact.kind, fact.name) not in unclear:
            kept.setdefault((fact.kind, fact.name), fact)
    return list(kept.values())
