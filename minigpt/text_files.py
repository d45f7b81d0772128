"""What `make train TEXT=` cannot take, said before anything is made, with what helps.

Texts are read by bpe/documents.py: plain text as it is, and JSON Lines. Of other files the tags and
braces would be learnt, or they would be refused only when their turn comes.
"""

import shlex
from itertools import combinations, islice
from pathlib import Path

from bpe.documents import documents_in_pieces, kind, whole_gzip

# {ending: (what such a file is, what to do)}; {old} is the file, {new} its name without an ending
HTML = ("HTML", "python -m crawler extract {old} > {new}.txt; or crawl its site by SITE=")
BOOK = ("no plain text", "pandoc -t plain {old} -o {new}.txt")
PDF = ("a PDF", "pdftotext {old} {new}.txt")
PACKED = ("packed", "unpack it, unless by gzip")
ARCHIVE = ("an archive of pages", "give it by WARC=")
ARRAY = ("JSON", "write an object a line: jq -c '.[]' {old} > {new}-lines.jsonl")
LINES = ("JSON Lines under another name", "mv {old} {new}.jsonl")
REFUSED = {
    ".html": HTML, ".htm": HTML, ".xhtml": HTML, ".pdf": PDF, ".epub": BOOK, ".docx": BOOK,
    ".odt": BOOK, ".rtf": BOOK, ".zip": PACKED, ".bz2": PACKED, ".xz": PACKED, ".zst": PACKED,
    ".tgz": PACKED, ".warc": ARCHIVE, ".wet": ARCHIVE, ".json": LINES, ".ndjson": LINES,
}  # fmt: skip


def check_text(path):
    """Raise ValueError, with what to do, for a file that is neither text nor JSON Lines.

    Looks at its name and its beginning only. Raises OSError where it cannot be read.
    """
    path = Path(path)
    lines, opener = kind(path)
    with opener(path, "rb") as file:
        beginning = whole_gzip(path, file.read, 1000)
    found = REFUSED.get(Path(path.name.lower().removesuffix(".gz")).suffix)
    if beginning.startswith(b"%PDF-"):
        found = PDF
    is_array = beginning.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[")
    if is_array and (lines or found == LINES):
        found = ARRAY
    if found:
        raise ValueError(refusal(path, *found))
    for pieces in documents_in_pieces(path):
        list(islice(pieces, 2))  # two, for a short text ends where the second would begin
        return


def refusal(path, what, cure):
    """Return the line that says what a file is and what to do.

    >>> refusal(Path("my/book.pdf"), *PDF)
    'my/book.pdf is a PDF; TEXT= takes plain text and JSON Lines: pdftotext my/book.pdf my/book.txt'
    """
    first = ""
    if path.suffix.lower() == ".gz" and (what, cure) != ARCHIVE:
        first, plain = f"gunzip {shlex.quote(str(path))}, then ", path.with_suffix("")
    else:
        plain = path
    old, new = shlex.quote(str(plain)), shlex.quote(str(plain.with_suffix("")))
    cure = cure.format(old=old, new=new)
    return f"{path} is {what}; TEXT= takes plain text and JSON Lines: {first}{cure}"


def check_names(names):
    """Raise ValueError where make has taken a name with blanks in it for several names.

    >>> check_names(["README.md"])
    """
    if all(Path(name).exists() for name in names):
        return
    for first, last in combinations(range(len(names)), 2):
        name = " ".join(names[first : last + 1])
        if Path(name).exists():
            other = shlex.quote(str(Path(name).with_name(Path(name).name.replace(" ", "-"))))
            raise ValueError(
                f"{name!r} has blanks in its name, and make takes it for {last - first + 1} files; "
                f"give it another: mv {shlex.quote(name)} {other}"
            )
