"""A mistake at the command line, in one line with a cure.

What Python and the system say of a missing file or a mistyped flag is true and does not help.
"""

import argparse
import difflib
from collections.abc import Mapping

CURES = {
    IsADirectoryError: "it must be a file",
    FileExistsError: "it must be a folder, or not be there yet",
    NotADirectoryError: "what stands before the last / must be a folder",
    PermissionError: "it must be a place that you may read and write: give another, or chmod it",
}


def file_error(error: OSError, made_by: Mapping[str, str] | None = None) -> str:
    """Say which file it was, what was wrong with it, and what to do.

    `made_by` has, for the ends of names, the commands that make such files.
    """
    if not error.filename:
        return str(error.strerror or error)
    cure = CURES.get(type(error), "")
    if isinstance(error, FileNotFoundError):
        made_by = made_by or {}
        command = next((made_by[end] for end in made_by if str(error.filename).endswith(end)), "")
        cure = f"`{command}` makes it" if command else ""
    return f"{error.filename}: {error.strerror}" + (f"; {cure}" if cure else "")


def similar_flag(parser: argparse.ArgumentParser, word: str) -> str:
    """Return " (do you mean --this?)" for a mistyped flag, "" where none is like it."""
    flags = [flag for action in parser._actions for flag in action.option_strings]
    near = difflib.get_close_matches(word.partition("=")[0], flags, 1)
    return f" (do you mean {near[0]}?)" if near else ""
