"""The text of one of pydoc's pages -> its parts: what the module is, its classes, its functions.

A page, once cleaned, is paragraphs with a blank line between them:

    keys

    Tools for all keys. And more about them.

    Classes

    class Key(builtins.object)

    Key(teeth, /)

    A key for one lock.

    Functions

    find(lock, /)
        Find the key of a lock.

What a method does is told on its own, never in a list of what a class has: of a method that several
classes share, a cleaned page keeps only one copy, so a list would not be true. What becomes of
these parts is in facts.py.
"""

import re
import textwrap

LONGEST = 88  # characters of a sentence: a window of the small models holds two such turns
LONGEST_TOLD = 160  # and of one that says what json is, or what functools.reduce does
SECTIONS = ("Classes", "Functions", "Data", "Modules", "Methods", "Author", "Version")
# "find(key)", and "md5 = openssl_md5(string)": what it is called here, and what elsewhere
DEFINITION = re.compile(r"(\w+)(?: = \w+)?(\(.*\))(?: -> .*| method of \w+ instance)?")
# a sentence that begins with a name has no capital: "... by repl. repl can be a function."
SENTENCE = re.compile(
    r"(.*?[^.][.!?])(?<!\be\.g\.)(?<!\bi\.e\.)(?<!a\.k\.a\.)(?<!\bvs\.)"
    r"(?= [A-Z`'\"(]|$|(?<!\betc\.) [a-z]\w* (?:can|is|may|must|should|defaults)\b)"
)
# a first "sentence" that is none: "find(key)", "class Key(object)", "Key(a=1)", "find -> key", ...
CODE = re.compile(r"^\w+\(|^class |\w\(.*=|->|==|__(?!next__)(?<!__next__)|\\|\(built")
UNDERLINE = re.compile(r"\n(?:==+|--+|\*\*+)\s*$")  # of a heading
# "class Key(object)" in a line of its own; in an example it ends with a colon
CLASS = re.compile(r"^(?:\w+ = )?class (\w+)(?:\(\w[^\n]*\))?$", re.MULTILINE)
# "dict() -> new empty dictionary" says what comes of a call, in more words than "-> dict"
TELLING = re.compile(r"^(?!.*__).*-> .*\w \w")
# "teeth = <member of Key>", "Methods defined here." say nothing of what they stand beneath
NOTHING = re.compile(r"^\w+ = |^Raises? \w+ (?:when|if) |(?:defined here|inherited from \w+)\.$")
# 'The "os.path" name is an alias for this module on Posix systems', on the page of posixpath
ALIAS = re.compile(r'"([\w.]+)" name is an alias for\s+this\s+module')
NOTICE = re.compile(r"Copyright|Adapted with permission|SPDX-|Module Index :|.*\$Id: ")


def first_sentence(text, longest=LONGEST):
    """Return the first sentence of a paragraph on one line, "" where it is no good as a fact.

    "Tools for keys. And more." -> "Tools for keys.", and "Tools for keys" gives the same. Two words
    are a sentence only with a full stop: "Temporary files." but not "Data descriptors". Code,
    copyright notices and what is longer than `longest` are no good.
    """
    text = UNDERLINE.sub("", text)
    text = re.sub(r" ?<https?:[^<>]*>", "", " ".join(text.split()))
    if match := SENTENCE.match(text):
        text = match[1]
    if len(text) > longest:  # checked first: CODE takes quadratic time
        return ""
    words = re.findall(r"[A-Za-z]{2,}", text)
    prose = text[:1].isalpha() and len(words) >= 3 - text.endswith(".")
    if not prose or CODE.search(text) or NOTICE.match(text):
        return ""
    return text if text[-1] in ".!?" else text.rstrip(" :;,") + "."


def called(module, text):
    """Return the name under which people know a module: os.path, where its page says so."""
    match = ALIAS.search(text)
    return match[1] if match else module


def summary_of(module, text):
    """Return the sentence of a module's page that says what it is, "" where there is none.

    It begins the paragraph after the heading, "MODULE", "MODULE (version 1.0)" or "MODULE | index",
    or the page where the heading was removed as a repeat; or it is a comment, "# Tools for keys".
    The module's own name before it is left out: "keys.py - Tools for keys" -> "Tools for keys."
    """
    heading = rf"{re.escape(module)}(?: \(version [^)]*\))?(?: \|.*)?\s*\n\n"
    opening = re.sub(rf"^{heading}", "", text).partition("\n\n")[0]
    if opening.startswith("# "):
        opening = opening.partition("\n#\n")[0].replace("\n#", "\n").removeprefix("# ")
    opening = re.sub(rf"^(Module )?{re.escape(module)}(\.py)? --? ", "", opening)
    return first_sentence(opening, LONGEST_TOLD)


def contents(text):
    """Return a sentence on the first classes or functions of a page, those of which it has more.

    "it has the functions dump, dumps, load and others."; "" where it has fewer than two of each.
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

    Beneath "class NAME(BASE)" may stand how it is called, before the sentence or instead of it:

        class Key(object)               class dict(object)

        Key(teeth, /)                   dict() -> new empty dictionary
                                        dict(mapping) -> new dictionary initialized from ...
        A key for one lock. It turns.
                                        Methods defined here:

    -> ("Key", "A key for one lock."), ("dict", "dict() -> new empty dictionary"). Calls are cut
    off until a paragraph has something left: that is the one with the sentence.
    """
    parts = CLASS.split(text)
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        said, _ = described(name, body.strip("\n").split("\n\n"), LONGEST_TOLD)
        yield name, said


def functions(text):
    """Yield (name, arguments, what it does in a sentence, or "") of a page's functions.

    Only its description says how a function in C is called:

        sleep(...)
            sleep(seconds)

            Delay execution for a given number of seconds.  The argument may be ...

    -> ("sleep", "(seconds)", "Delay execution for a given number of seconds."). Arguments are ""
    where they cannot be told: several such calls, or none.
    """
    _, _, section = text.partition("\nFunctions\n\n")  # else it is in the module's text
    for name, arguments, paragraphs in definitions(section):
        said, calls = described(name, paragraphs, LONGEST_TOLD)
        if arguments == "(...)":
            found = [re.match(r"(?:[A-Z]\.)?\w+(\([^()]*\))(?! *\w)", call) for call in calls]
            arguments = found[0][1] if len(found) == 1 and found[0] else ""
        yield name, arguments, said


def methods(text):
    """Yield (class, name, arguments, what it does in a sentence, or "") of the classes' methods.

    They are told as functions are, and without `self`. A class may have more than are found here:
    of a method that several classes share, a cleaned page keeps only one copy.
    """
    parts = CLASS.split(text.partition("\nFunctions\n\n")[0])
    for owner, body in zip(parts[1::2], parts[2::2], strict=True):
        for name, arguments, said in functions("\nFunctions\n\n" + body):
            yield owner, name, re.sub(r"^\(self(?:, /)?(?:, )?", "(", arguments), said


def definitions(section):
    """Yield (name, arguments, paragraphs of the description) of what a section defines."""
    found = []
    for block in section.strip("\n").split("\n\n"):
        line, _, description = block.partition("\n")
        match = DEFINITION.fullmatch(line)
        if line in SECTIONS:
            break
        if match:
            found.append((match[1], match[2], [description]))
        elif not block.startswith("    "):
            found.append(("", "", [""]))  # none; what is indented beneath is not the last's
        elif found:
            found[-1][2].append(block)
    for name, arguments, paragraphs in found:
        if paragraphs[0].startswith("    "):
            yield name, arguments, map(textwrap.dedent, paragraphs)


def described(name, paragraphs, longest=LONGEST):
    """Return (what a class or function is or does in a sentence, or "", its calls) of `paragraphs`.

    These stand beneath its definition. Calls are cut off, see classes, until something is left: the
    first sentence of that is what it does, else the first call that tells what comes of it.
    """
    calls, said = [], ""
    for paragraph in paragraphs:
        paragraph = re.sub(rf"^{name}\([^()\n]*\) --? ", "", paragraph)
        rest = re.sub(rf"^(?:(?:[A-Z]\.)?{name}\(.*\n(?: .*\n)*)+", "", paragraph + "\n")
        calls += re.findall(rf"^(?:[A-Z]\.)?{name}\(.*", paragraph, re.MULTILINE)
        if rest:
            is_cut = rest[0].islower() and rest != paragraph + "\n"  # goes on with the call
            rest = re.sub(rf"(?s)\.\s+{name}\(.*", ".", rest)  # an example of a call
            said = "" if is_cut else first_sentence(rest, longest)
            break
    if not said or NOTHING.search(said):
        telling = [
            call for call in calls
            if len(call) <= LONGEST and TELLING.search(call) and call.count("(") <= call.count(")")
        ]  # fmt: skip
        said = " ".join(telling[0].split()) if telling else ""
    return said, calls
