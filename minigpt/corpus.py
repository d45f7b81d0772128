"""Which page every token came from: what evaluations need to know of the text.

`tokenize` (dataset.py) writes all documents in one row, each after a separator, and splits them
into training and held-out text. Here its rule is followed once more over the same files, so that
every place in the row has an address again: the document's `url`, or its file's name; and its
title, if it has one.

Nothing is written. The row of ids stays on disk, memory-mapped.
"""

import json
from collections import Counter
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np

from bpe.documents import documents, kind
from bpe.split import to_text
from minigpt.dataset import VAL_EVERY, fingerprint, load_tokens, read_report, split_documents


class Page(NamedTuple):
    """What is known of a document beside its text."""

    address: str  # its `url`, or where it stands
    title: str | None


class Part:
    """The training text or the held-out text: its ids, and where each document is."""

    def __init__(self, ids, tokenizer, pages=None):
        # as a plain array: still mapped from its file, but np.memmap takes its time over slices
        self.ids, self.tokenizer = np.asarray(ids), tokenizer
        self.starts = np.flatnonzero(self.ids == tokenizer.eot_token)  # (N,) of the separators
        self.ends = np.append(self.starts[1:], len(ids))
        pages = pages or [Page(f"document {i + 1}", None) for i in range(len(self.starts))]
        self.addresses = [page.address for page in pages]
        self.titles = [page.title for page in pages]  # None where there is none

    def __len__(self):
        return len(self.starts)

    def document(self, place):
        """Return the number of the document that the id at `place` belongs to."""
        return max(0, int(np.searchsorted(self.starts, place, side="right")) - 1)

    def document_ids(self, i):
        """Return the ids of document `i` as a list, its separator first."""
        return self.ids[self.starts[i] : self.ends[i]].tolist()

    def text(self, ids):
        """Return the text of ids; bytes that are no whole character show as U+FFFD."""
        return self.tokenizer.decode_bytes(list(ids)).decode("utf-8", "replace")

    def document_text(self, i):
        """Return the text of document `i`."""
        return self.text(self.document_ids(i)[1:])


class Corpus:
    """The training text `train` and the held-out text `val` of a folder that `tokenize` wrote."""

    def __init__(self, folder, tokenizer, files=()):
        """Open `folder`; `files` are the documents it was made from, for their addresses.

        Raises ValueError where the folder belongs to another tokenizer or to other documents.
        """
        report = read_report(folder)
        if report["tokenizer"] != fingerprint(tokenizer):
            raise ValueError(
                f"{folder} was written with another tokenizer than the model's; give the folder "
                f"the model was trained on with --tokens"
            )
        pages = pages_of(files) if files else {}
        parts = {
            part: Part(load_tokens(Path(folder) / f"{part}.npy"), tokenizer, pages.get(part))
            for part in ("train", "val")
        }
        for name, part in parts.items():
            if len(part.addresses) != len(part):
                raise ValueError(
                    f"{', '.join(map(str, files))}: {len(part.addresses)} documents for {name}, "
                    f"and {folder} has {len(part)}; give the files it was made from with "
                    f"--documents"
                )
        self.train, self.val = parts["train"], parts["val"]
        everything = Counter(host(a) for part in parts.values() for a in part.addresses)
        self.one_host = len(everything) == 1

    @property
    def is_cut(self):
        """Whether held-out text is the tail of every document, not documents of its own.

        So `tokenize` does with fewer than VAL_EVERY; else there are VAL_EVERY - 1 times as many
        documents to train on as are held out.
        """
        return len(self.train) < (VAL_EVERY - 1) * len(self.val)

    def source(self, address):
        """Return the group an address belongs to: its host, or of one host its first folder.

        A page's name up to its first dot counts as a folder: of pydoc's pages
        `xml.dom.minidom.html` belongs to `xml`.
        """
        path = urlsplit(address).path.strip("/")
        if host(address) and self.one_host and path:
            return path.partition("/")[0].partition(".")[0]
        return host(address) or address

    def name(self, address):
        """Return an address for a table: without its host if that is everybody's."""
        if not host(address):
            return one_line(address)
        parts = urlsplit(address)
        query = f"?{parts.query}" if parts.query else ""
        return one_line(("" if self.one_host else parts.netloc) + (parts.path or "/") + query)


def host(address):
    """Return the host of a url, "" for another address."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def pages_of(files):
    """Return {"train": Pages, "val": Pages} of the documents in `files`, in order."""
    files = list(map(Path, files))
    texts = (text for path in files for text in documents(path))
    parts = [(part, bool(text)) for part, text in split_documents(texts)]
    pages = [page for path in files for page in read_pages(path)]
    repeats = len(parts) // max(1, len(pages))  # few documents are cut in two, each
    found = {"train": [], "val": []}
    for i, (part, has_text) in enumerate(parts):
        if has_text:
            found[part].append(pages[i // repeats])
    return found


def read_pages(path):
    """Yield the Page of every document of a file."""
    lines, opener = kind(path)
    if not lines:
        yield Page(str(path), None)
        return
    with opener(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                record = json.loads(line.decode("utf-8-sig"))
                url, title = record.get("url"), record.get("title")
                yield Page(
                    url if isinstance(url, str) else f"{path}, line {number}",
                    title if isinstance(title, str) and title.strip() else None,
                )


def one_line(text, most=80):
    """Return the beginning of `text` in one line, for a table."""
    text = " ".join(to_text(text.encode("utf-8", "replace")).split())
    return text if len(text) <= most else text[: most - 1] + "…"
