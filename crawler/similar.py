"""Which page is meant? Addresses in archives that hold a piece of text, or look like one."""

import difflib
from collections.abc import Iterable

from crawler.inputs import opened
from crawler.warc import read_pages


def holding(text: str, paths: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the addresses that hold `text`, the shortest first, and all others.

    Large and small letters count as the same. Archives are read as far as they can be.
    """
    found: dict[str, bool] = {}
    for path in paths:
        with opened(path) as file:
            for page in read_pages(file, lambda error: None):
                found[page.url] = text.casefold() in page.url.casefold()
    those = sorted((url for url in found if found[url]), key=lambda url: (len(url), url))
    return those, [url for url in found if not found[url]]


def nearest(text: str, others: list[str], n: int) -> list[str]:
    """Return at most `n` of the addresses, those first whose end is most like `text`.

    An end has as many parts between slashes as `text`, and an .html only if that has a dot, too.
    """
    text = text.casefold().strip("/")
    ending: dict[str, list[str]] = {}
    for url in others:
        parts = url.casefold().rstrip("/").split("/")
        end = "/".join(parts[-text.count("/") - 1 :])
        if "." not in text:
            end = end.removesuffix(".html").removesuffix(".htm")
        ending.setdefault(end, []).append(url)
    ends = difflib.get_close_matches(text, ending, n, cutoff=0.7)
    return [url for end in ends for url in ending[end]][:n]
