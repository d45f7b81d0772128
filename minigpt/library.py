"""The index of an out folder's training text, made when it is first asked for.

Reading documents and making the index takes seconds to a minute, so a thread does it, once for all
models of one tokenizer; until then the answer is how far it is. A model that was fine-tuned has
control tokens of conversations beyond its base's vocabulary. No text has them, and all other ids
are the same: it looks into the same index. When the files are written anew, so is the index.

Memory: the index takes 4 bytes a token beside the ids, which stay on disk: 400 MB for 100 million
tokens. Addresses and titles take some 300 bytes a document. While it is made, it takes one byte a
token more. There is no file of it.

What is found with it is said in sources.py.
"""

import threading
import weakref
from pathlib import Path

from bpe import Tokenizer
from minigpt.chat_format import CONTROL_TOKENS
from minigpt.corpus import Corpus
from minigpt.dataset import REPORT, fingerprint, read_report
from minigpt.ngrams import BLOCK
from minigpt.sources import STRIDE, Sources


class Library:
    """The Sources of a folder of tokens: made in a thread when asked for, anew when it changed.

    `files` are the documents it was made from; where none are given, documents.jsonl.gz beside the
    folder, once it is there, as `make train` has it.

    Every answer is a dict: {"missing": reason} where there is nothing to look into, {"indexing":
    True, "share": 0 to 1} while it is made.
    """

    def __init__(self, folder, files=()):
        self.folder, self.files = folder and Path(folder), [Path(file) for file in files]
        self._lock, self._searching = threading.Lock(), threading.Lock()
        self._fingerprints = weakref.WeakKeyDictionary()  # of tokenizers
        self._stamp, self._sources, self._problem = None, None, None
        self._thread, self._share = None, 0.0

    def look_up(self, text, tokenizer):
        """Return {"spans": [...]} of a text written with `tokenizer`."""
        sources = self.open(tokenizer)
        if isinstance(sources, dict):
            return sources
        with self._searching:  # one at a time: a search is all Python and would slow all others
            return {"spans": sources.look_up(text)}

    def page(self, document, start, end, tokenizers):
        """Return a document that was read with one of `tokenizers`.

        See Sources.page, also for what is raised.
        """
        answer = {"missing": "no model is loaded yet"}
        for tokenizer in tokenizers:
            answer = self.open(tokenizer)
            if not isinstance(answer, dict):
                return answer.page(document, start, end)
            if "indexing" in answer:
                break
        return answer

    def open(self, tokenizer):
        """Return Sources that fit `tokenizer`, or what there is instead of it."""
        try:
            report, files = read_report(self.folder), self._documents()
            stamp = [report["tokenizer"], files, *map(look, [self.folder / REPORT, *files])]
        except (OSError, ValueError) as error:
            return {"missing": str(error)}
        if report["tokenizer"] not in self._both_fingerprints(tokenizer):
            return {
                "missing": f"{self.folder} was written with another tokenizer than this model's; "
                f"serve a model that was trained on it"
            }
        with self._lock:
            if self._thread is not None:
                return {"indexing": True, "share": round(self._share, 3)}
            if stamp != self._stamp:
                self._stamp, self._sources, self._problem, self._share = stamp, None, None, 0.0
                self._thread = threading.Thread(
                    target=self._make, args=(tokenizer, report, files), daemon=True
                )
                self._thread.start()
                return {"indexing": True, "share": 0.0}
            return self._sources or {"missing": self._problem}

    def wait(self, timeout_s=None):
        """Wait until nothing is being indexed."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)

    def _documents(self):
        usual = self.folder.parent / "documents.jsonl.gz"
        return self.files or [usual] * usual.exists()

    def _both_fingerprints(self, tokenizer):
        """Return the fingerprints of `tokenizer` with and without control tokens."""
        if tokenizer not in self._fingerprints:
            both = fingerprint(tokenizer), fingerprint(plain(tokenizer))
            self._fingerprints[tokenizer] = both
        return self._fingerprints[tokenizer]

    def _make(self, tokenizer, report, files):
        try:
            if fingerprint(tokenizer) != report["tokenizer"]:
                tokenizer = plain(tokenizer)
            part = Corpus(self.folder, tokenizer, files).train
            n_blocks = max(1, len(part.ids) // STRIDE // BLOCK)

            def progress(blocks):
                for i, block in enumerate(blocks):
                    self._share = min(0.1 + 0.9 * i / n_blocks, 0.99)
                    yield block

            self._sources = Sources(part, progress)
        except Exception as error:  # whatever it is: in a thread nobody would hear of it
            self._problem = str(error) or type(error).__name__
        finally:
            self._thread = None


def look(path):
    """Return what tells a file from one written later; raise ValueError where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        raise ValueError(
            f"{path} does not exist; give the files the tokens were made from with --documents"
        ) from None
    return found.st_mtime_ns, found.st_size, found.st_ino


def plain(tokenizer):
    """Return `tokenizer` without the control tokens of conversations: what a base was made with."""
    special = {t: i for t, i in tokenizer.special_tokens.items() if t not in CONTROL_TOKENS}
    return Tokenizer(
        tokenizer.tokens, tokenizer.merges, tokenizer.splitter.pattern, special,
        tokenizer.ignore_merges,
    )  # fmt: skip
