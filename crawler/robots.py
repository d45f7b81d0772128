"""What a site's robots.txt allows (RFC 9309), so that a crawler is a guest and not a burglar.

A file is a row of groups. A group is `User-agent` lines, then the `Allow` and `Disallow` rules for
these agents:

    User-agent: *
    Disallow: /private/         # no page whose path begins like this,
    Allow: /private/*.html$     # but these: `*` stands for anything, `$` for the end

All groups that name us count together; only if none does, the groups for `*` count. The longest
rule that matches decides, and of equally long ones `Allow`. `Crawl-delay` and `Sitemap` are not in
the RFC, but are common.

Where the RFC is silent this follows Google's parser, which sites are tested against: a line without
its colon, common misspellings, a line cut after 16,663 bytes, part of a byte-order mark, and an
`Allow` of `/a/index.html` that allows `/a/` as well.

Python's own `urllib.robotparser` follows the draft of 1996: the first match decides, and there are
no wildcards. `visit.py` asks the server for the file and says what its absence means.
"""

import itertools
import re

from crawler.urls import normalise_escapes, split

MAX_BYTES = 500 * 1024  # RFC 9309, 2.5: at least this much must be read; the rest may be ignored
MAX_LINE_BYTES = 8 * 2083 - 1  # Google's: eight times the longest address of a once common browser

# Escape all but what is plain in every address; `*` and `$` are dealt with separately.
_PATH_BYTE = re.compile(rb"%([0-9A-Fa-f]{2})|[^!&()*$+,./0-9:;=?@A-Z_a-z~-]")
_BYTE_ORDER_MARK = re.compile(b"\xef(?:\xbb\xbf?)?")
_PRODUCT = re.compile(r"[\w-]+")  # the RFC has only letters, but agents have digits and umlauts
_AFTER_PRODUCT = re.compile(r"\s*(?:$|[/(])|\s+v?\d")
_COMPATIBLE = re.compile(r"\bcompatible;\s*")  # Mozilla/5.0 (compatible; ExampleBot/2.1; ...)
_INDEX = re.compile(r"(.*/)index\.html?", re.S)
_MISSPELLED = {
    **dict.fromkeys(["useragent", "user agent"], "user-agent"),
    **dict.fromkeys(["dissallow", "dissalow", "disalow", "diasllow", "disallaw"], "disallow"),
    **dict.fromkeys(["site-map", "site map"], "sitemap"),
}


_Rule = tuple[int, bool, str]  # length of the path as written, is it an Allow, the pattern


class Robots:
    """A parsed robots.txt. It never raises: a line that is no rule says nothing.

    >>> robots = Robots("User-agent: *\\nDisallow: /drafts\\nAllow: /drafts/final")
    >>> [robots.allowed(path, "Bot/1.0") for path in ("/", "/drafts/1", "/drafts/final/1")]
    [True, False, True]

    `sitemaps` are the addresses on `Sitemap` lines, as written.
    """

    def __init__(self, content: str | bytes):
        data = _bytes(content) if isinstance(content, str) else content
        mark = _BYTE_ORDER_MARK.match(data)
        text = data[mark.end() if mark else 0 : MAX_BYTES].decode("utf-8", "surrogateescape")
        self.sitemaps: list[str] = []
        self._groups: dict[str, list[list[_Rule]]] = {}  # agent -> groups, shared between agents
        self._sorted: dict[str, list[_Rule]] = {}  # agent -> its rules, filled in when needed
        self._delays: dict[str, float] = {}
        group: list[_Rule] = []
        agents: list[str] = []  # those of this group that have no delay yet
        in_rules = False
        for line in re.split("\r\n|\r|\n", text):
            if len(line) > MAX_LINE_BYTES // 4:  # a character has four bytes at most
                line = _cut(line)
            field, value = _field_and_value(line.partition("#")[0])
            if field == "user-agent":
                if in_rules:
                    group, agents, in_rules = [], [], False
                agents.append(_agent_in_line(value))
                groups = self._groups.setdefault(agents[-1], [])
                if not groups or groups[-1] is not group:
                    groups.append(group)
            elif field in ("allow", "disallow"):
                in_rules = True
                group += _rules_in(value, field == "allow")
            elif field == "crawl-delay" and re.fullmatch(r"\d{1,6}(\.\d{1,6})?", value):
                for agent in agents:
                    self._delays.setdefault(agent, float(value))
                agents = []
            elif field == "sitemap":
                self.sitemaps.append(value)

    def allowed(self, url: str, user_agent: str) -> bool:
        """Say whether the agent may fetch `url`, an address or a path that begins with a slash.

        `user_agent` is a product token or a whole User-Agent header, `Bot/1.0 (+https://...)` or
        `Mozilla/5.0 (compatible; Bot/1.0)`. Two words without a version are no product: only the
        groups for `*` count for them. Raises ValueError if `url` is no web address.
        """
        parts = split(url, "http://localhost/" if url[:1] in ("/", "") else None)
        if parts.path == "/robots.txt":
            return True
        has_query = "?" in url.partition("#")[0]
        target = parts.path + (f"?{parts.query}" if has_query else "")
        target = _normalised(target).replace("*", "%2A").replace("$", "%24")
        for _, is_allow, pattern in self._rules(self._agent(user_agent)):
            if _matches(pattern, target):
                return is_allow
        return True

    def crawl_delay(self, user_agent: str) -> float | None:
        """Return the seconds the agent is asked to leave between two requests, if any are."""
        return self._delays.get(self._agent(user_agent))

    def _agent(self, user_agent: str) -> str:
        """Return the agent whose groups apply to this one: its own name, or `*`."""
        product = _product(user_agent)
        return product if product in self._groups else "*"

    def _rules(self, agent: str) -> list[_Rule]:
        """Return the rules of all groups of an agent, the longest first, Allow before Disallow."""
        if agent not in self._sorted:
            rules = itertools.chain.from_iterable(self._groups.get(agent, []))
            self._sorted[agent] = sorted(rules, reverse=True)
        return self._sorted[agent]


def _bytes(text: str) -> bytes:
    """Encode a text, with the bytes that `surrogateescape` hid in it, if any."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # other halves of surrogate pairs
        return text.encode("utf-8", "replace")


def _field_and_value(line: str) -> tuple[str, str]:
    """Split a line at its colon, or at the blank where somebody forgot the colon."""
    field, colon, value = line.partition(":")
    words = line.split()
    if not colon and len(words) == 2:
        field, value = words
    field = field.strip().lower()
    return _MISSPELLED.get(field, field), value.strip()


def _cut(line: str) -> str:
    """Return the beginning of a long line."""
    data = line.encode("utf-8", "surrogateescape")[:MAX_LINE_BYTES]
    return data.decode("utf-8", "surrogateescape")


def _rules_in(value: str, is_allow: bool) -> list[_Rule]:
    """Return the rule that a line states; an allowed index page stands for its folder as well."""
    if not value:
        return []
    path = _normalised(value)
    rules = [(len(path), is_allow, _pattern(path))]
    if is_allow and (match := _INDEX.fullmatch(value)):
        rules += _rules_in(match[1] + "$", True)
    return rules


def _agent_in_line(value: str) -> str:
    """Return whom a User-agent line means: `*`, or the product token that it begins with."""
    if re.match(r"\*(?!\S)", value):
        return "*"
    match = _PRODUCT.match(value)
    return match[0].lower() if match else ""


def _product(user_agent: str) -> str:
    """Return the product token, `minigpt` of `minigpt/1.0 (+https://...)`, in lower case, or `*`.

    A crawler that poses as a browser has its name after "compatible".
    """
    agent = user_agent.strip()
    posing = _COMPATIBLE.search(agent)
    match = _PRODUCT.match(agent, posing.end() if posing else 0)
    is_header = match and (posing or _AFTER_PRODUCT.match(agent, match.end()))
    return match[0].lower() if is_header else "*"


def _normalised(path: str) -> str:
    """Bring rule and address to the same escapes (RFC 9309, 2.2.2)."""
    path = path.encode("utf-8", "surrogateescape")
    return normalise_escapes(path, _PATH_BYTE)


def _pattern(path: str) -> str:
    """Return a rule with its literal dollar signs escaped, so that only a final one is special."""
    body, end = (path[:-1], "$") if path.endswith("$") else (path, "")
    return body.replace("$", "%24") + end


def _matches(pattern: str, target: str) -> bool:
    """Match a rule from the start of `target`, in time linear in both (no backtracking).

    Each piece between two stars takes the first place where it fits. That leaves the most room for
    the pieces after it, so no other place need be tried.
    """
    is_anchored = pattern.endswith("$")
    first, *pieces = pattern.removesuffix("$").split("*")
    if not target.startswith(first):
        return False
    at = len(first)
    last = pieces.pop() if is_anchored and pieces else None
    for piece in pieces:
        at = target.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    if last is not None:
        return len(target) - len(last) >= at and target.endswith(last)
    return at == len(target) if is_anchored else True
