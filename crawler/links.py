"""Find the links of an HTML page, and what its author wants crawlers to leave alone.

One regular expression walks over comments, scripts and tags, in time linear in the page: each of
its alternatives, once begun, also ends at the end of the page, so nothing is ever read twice. It
builds no tree; where the page's text is wanted there is `extract.py`.
"""

import re
from typing import NamedTuple

from crawler.html_chars import unescape_attribute
from crawler.urls import link

# a quote begins a value only behind its `=`: in `<a href="x"">` or `title=don't` it is a character
_ATTRIBUTES = r"""[^>=]*+(?:=\s*+(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^>\s"'][^>\s]*+)?+[^>=]*+)*+"""
_TAG = re.compile(
    r"<!--(?:-?>|[^-]*+(?:-(?!-!?>)[^-]*+)*+(?:--!?>|\Z))"
    r"|<(?P<raw>script|style|textarea|title|noframes|xmp)(?=[\s/>])"
    r"[^<]*+(?:<(?!/(?P=raw)(?:[\s/>]|\Z))[^<]*+)*+"
    rf"|<(?P<tag>[a-z][^\s/>]*+)(?P<attributes>{_ATTRIBUTES})(?:(?P<end>>)|\Z)",
    re.I,
)
_TAGS = frozenset(["a", "area", "base", "frame", "iframe", "meta"])
_ATTRIBUTE = re.compile(r"""([^\s"'>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>][^\s>]*)))?""")
_REFRESH = re.compile(r"\s*+[\d.]++\s*+[;,]\s*+(?:url\s*+=\s*+)?[\"']?([^\"']+)", re.I)
_WITH_VALUE = re.compile(r"(?<![\w-])(?:max-[\w-]++|unavailable_after)\s*+:[^,]*")
_FOR_AGENT = re.compile(r"\s*([a-z*][\w-]*)\s*:")


class Links(NamedTuple):
    """Addresses in the order of the page, each once, in canonical form; and the author's wishes."""

    urls: list[str]
    noindex: bool
    nofollow: bool


def find(text: str, url: str) -> Links:
    """Return the links of the page at `url`; those marked `rel=nofollow` are left out.

    Frames and `meta refresh` count as links, style sheets and images do not. What is no web address
    is passed over.
    """
    base, found, directives = None, {}, []
    for match in _TAG.finditer(text):
        tag = (match["tag"] or "").lower()
        if tag not in _TAGS or not match["end"]:
            continue
        attributes = _attributes(match["attributes"])
        target = None
        if tag in ("a", "area"):
            if "nofollow" not in attributes.get("rel", "").lower().split():
                target = attributes.get("href")
        elif tag in ("frame", "iframe"):
            target = attributes.get("src")
        elif tag == "base":
            if base is None and "href" in attributes:  # the first one counts
                base = _absolute(attributes["href"], url)
        elif attributes.get("http-equiv", "").lower() == "refresh":
            refresh = _REFRESH.match(attributes.get("content", ""))
            target = refresh[1] if refresh else None
        elif attributes.get("name", "").lower() in ("robots", "minigpt"):
            directives.append(attributes.get("content", ""))
        if target is not None and "<" not in target:  # else nobody closed the quotes
            found[target] = None
    noindex, nofollow = wishes(*directives)
    urls = {} if nofollow else dict.fromkeys(_absolute(target, base or url) for target in found)
    urls.pop(None, None)
    return Links(list(urls), noindex, nofollow)


def wishes(*lines: str) -> tuple[bool, bool]:
    """Return (noindex, nofollow) of robots meta tags or X-Robots-Tag header lines.

    A line may name whom it means, `otherbot: noindex`; what is not for us or everybody is ignored.
    """
    words = set()
    for line in lines:
        line = _WITH_VALUE.sub("", line.lower())
        is_for_us = True
        for part in line.split(","):
            if match := _FOR_AGENT.match(part):
                is_for_us = match[1] in ("robots", "minigpt", "*")
            if is_for_us:
                words.update(re.split(r"[\s:]+", part))
    return bool(words & {"noindex", "none"}), bool(words & {"nofollow", "none"})


def _attributes(text: str) -> dict[str, str]:
    """Return the attributes of a tag, the first of each name."""
    attributes = {}
    for name, double, single, bare in _ATTRIBUTE.findall(text):
        attributes.setdefault(name.lower(), unescape_attribute(double or single or bare))
    return attributes


def _absolute(target: str, base: str) -> str | None:
    try:
        return link(target, base)
    except ValueError:
        return None
