"""The title of a page -> without what names the site, and without its number.

"Knots — Rope manual 2.1", "Bends — Rope manual 2.1", ...   Knots, Bends: the rest most have
"9.4. Splices"                                              Splices
"2 Knots (rope)", "3 Bends (rope)", ...                     Knots, Bends, as GNU's manuals have it
"""

import re
from collections import Counter

OF_SITE = 0.3  # share of the titles that have what is not the page's name but the site's
FEWEST_TITLES = 3  # that have it
# the parts of a title; the last may be in brackets
BETWEEN = re.compile(r"(\s+(?:[-–—|·•»«:]|::)\s+|(?<=\w):\s+|\s+(?=\([^()]+\)$))")
NUMBER = re.compile(
    r"^(?:(?:Chapter|Appendix|Part|Section) )?(?:[A-Z]|[IVXLC]+|\d+)?(?:\.\d+)*\.\s+"
)
BARE_NUMBER = re.compile(r"^(?:[A-Z]|\d+)(?:\.\d+)*\.? (?=[A-Z])")
NUMBERED = " "  # no part of a title


def site_words(titles):
    """Return the parts of titles that name the site: "Knots — Rope manual" has "Rope manual".

    NUMBERED is among them where titles begin with numbers without a full stop: "9 Knots"; then "A
    Splices" has a number, too, but "C Library" beside "C Types" has not.
    """
    titles = [" ".join(title.split()) for title in titles]
    found = Counter(part for title in titles for part in set(BETWEEN.split(title)[::2]))
    found[NUMBERED] = sum(t[:1].isdigit() and bool(BARE_NUMBER.match(t)) for t in titles)
    most = max(FEWEST_TITLES, OF_SITE * len(titles))
    return {part for part, n in found.items() if n >= most}


def without_site(title, words):
    """Return a title without the site's `words`, a number before it and signs for links.

    "9.4. Knots — Rope manual" -> "Knots"; what follows a "|" is of the site in any case.
    """
    parts, kept = BETWEEN.split(" ".join(title.split()).partition(" | ")[0]), ""
    for between, part in zip(["", *parts[1::2]], parts[::2], strict=True):
        if part not in words:
            kept += (between if kept else "") + part
    kept = without_sign(kept)
    is_bare = NUMBERED in words and not NUMBER.match(kept)
    return (BARE_NUMBER if is_bare else NUMBER).sub("", kept)


def without_sign(heading):
    """Return a heading without the sign by which it links to itself: "Ropes ¶", but "C#"."""
    return heading.strip(" ¶§").removesuffix(" #").removeprefix("# ")
