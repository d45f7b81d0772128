"""A mistake at the command line, in one line with a cure.

What Python and the system say of a missing file or a mistyped flag is true and does not help.
"""

import argparse
from collections.abc import Mapping
from typing import NoReturn

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


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """Say it, and exit with status 2."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")

    def parse_known_args(self, args=None, namespace=None):
        """Refuse what a command does not know in its own name, with the flag that may be meant."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown and self._subparsers is None:
            self.error(f"unrecognized arguments: {' '.join(unknown)}{self._similar(unknown[0])}")
        return found, unknown

    def _similar(self, word: str) -> str:
        import difflib  # not before it is needed: commands are to begin at once

        flags = [flag for action in self._actions for flag in action.option_strings]
        near = difflib.get_close_matches(word.partition("=")[0], flags, 1)
        return f" (do you mean {near[0]}?)" if near else ""
