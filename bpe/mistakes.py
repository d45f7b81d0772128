"""A mistake at the command line, in one line with a cure.

What Python and the system say of a missing file or a mistyped flag is true and does not help.
"""

import argparse
import difflib
import os
from collections.abc import Mapping
from pathlib import Path

CURES = {
    FileNotFoundError: "give one that is there",
    IsADirectoryError: "it must be a file",
    FileExistsError: "it must be a folder, or not be there yet",
    NotADirectoryError: "what stands before the last / must be a folder",
    PermissionError: "it must be a place that you may read and write: give another, or chmod it",
}


def file_error(
    error: OSError,
    made_by: Mapping[str, str] | None = None,
    flags: Mapping[str, str] | None = None,
) -> str:
    """Say which file it was, what was wrong with it, and what to do.

    `made_by` has, for names or the last parts of paths, the commands that make such files; `flags`
    the flags by which others of them can be given.
    """
    if not error.filename:
        return str(error.strerror or error)
    cure = CURES.get(type(error), "")
    if isinstance(error, FileNotFoundError):
        path = Path(os.fsdecode(error.filename))
        commands = [made_by[end] for end in made_by or () if path.match(end)]
        cure = f"`{commands[0]}` makes it, as `make train` does" if commands else cure
        cure += "".join(f"; {flag} takes another" for end, flag in (flags or {}).items()
                        if path.match(end))  # fmt: skip
    return f"{error.filename}: {error.strerror}" + (f"; {cure}" if cure else "")


def unrecognized(parser: argparse.ArgumentParser, words: list[str]) -> str:
    """Say that a parser does not know these words, and which flag the first of them may mean."""
    flags = [flag for action in parser._actions for flag in action.option_strings]
    near = difflib.get_close_matches(words[0].partition("=")[0], flags, 1, cutoff=0.7)
    meant = f" (do you mean {near[0]}?)" if near else ""
    return f"unrecognized arguments: {' '.join(words)}{meant}"


def reason(error: Exception) -> str:
    """Say what was wrong in a file as Python shows it, but not with all of the file beside it."""
    return str(error) if isinstance(error, UnicodeError) else repr(error)
