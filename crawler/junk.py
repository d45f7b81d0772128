"""How junk-like is an element, judging by its tag, role, class and id?

0 is content; the higher the level, the surer it is that what stands in the element is no main text:

    1 SOFT      words that often name junk, and often not: sidebar, related, author, tags
    2 HARD      words of menus and overlays; form
    3 ASIDE     aside, figcaption
    4 COMMENT   what readers wrote below
    5 CHROME    nav, footer, button, the site's header; words such as cookie, share, newsletter
    6 NOSCRIPT  what is there for readers without scripts
    7 NEVER     drawings, players, choices of a form: never text

Nothing is dropped here: `extract.py` chooses the level up to which it keeps a page's blocks.
`display: none` and `aria-hidden` say nothing: much text that scripts unfold begins hidden.

Source: the words are those that class names of the web use for such parts, as in Readability; which
of them are sure was counted on half of the pages of the article-extraction-benchmark and WCXB.
"""

import re
from functools import lru_cache


def names(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


SOFT, HARD, ASIDE, COMMENT, CHROME, NOSCRIPT, NEVER = 1, 2, 3, 4, 5, 6, 7
DROPPED = names("svg template iframe select datalist object canvas math audio video map")
TAG_LEVEL = {
    "form": HARD, "fieldset": HARD, "aside": ASIDE, "figcaption": ASIDE, "menu": ASIDE,
    "nav": CHROME, "footer": CHROME, "button": CHROME, "dialog": CHROME, "noscript": NOSCRIPT,
    **dict.fromkeys(DROPPED, NEVER),
}  # fmt: skip
JUNK_ROLES = names(
    "alert alertdialog banner button complementary contentinfo dialog menu menubar navigation "
    "search tablist toolbar tooltip"
)
SOFT_WORDS = names(
    "ad ads advert advertisement adverts also author authors badge badges bio byline caption "
    "carousel credit credits date disclaimer featured hidden info keywords latest legal license "
    "meta metadata more outbrain paywall popular pager pagination posted promo promoted promos "
    "promotion rail ranking rating read recent recirc recirculation recommend recommended "
    "recommendation recommendations related sidebar similar sponsor sponsored sponsors subscribe "
    "subscription taboola tag tags timestamp toc topics trending widget widgets"
)
HARD_WORDS = names(
    "addtoany banner drawer dropdown flyout foot hamburger login masthead megamenu menu "
    "nav navbar navigation newsfeed offcanvas overlay print register search "
    "skip submenu subnav toolbar tooltip topbar topnav"
)
COMMENT_WORDS = names("comment commentlist comments disqus reply replies respond")
CHROME_WORDS = names(
    "breadcrumb breadcrumbs colophon consent cookie cookies copyright docnav footer gdpr "
    "linenodiv linenos modal navfooter navheader newsletter popup share sharebar sharedaddy shares "
    "sharing signin signup social"
)
HEADINGS = names("h1 h2 h3 h4 h5 h6")
NEVER_JUDGED = names("p h1 body html article main pre td")
CONTENT_NAME = re.compile(
    r"(?:article|entry|post|page|main|story|body)[-_]?(?:body|content|text|main|inner)"
    r"|main[-_]?article|^content$|^main$",
    re.I,
)
NAMED_BY_ID = HEADINGS | names("dt dd section")
SECTION = re.compile(r"(?:sub)*sect(?:ion)?\d?$")
DEFINED_ID = re.compile(r"\w[.(]\w|\(\)")  # `Boat.load`, `load(int)`
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
NAMED = re.compile(r"""(?:^|[\s"'])(class|id|role)\s*=\s*("[^"]*"|'[^']*'|[^\s>]+)""", re.I)


@lru_cache(maxsize=20_000)  # a site repeats its start tags on every page
def judge(tag: str, attributes: str) -> tuple[int, str, bool]:
    """Return (junk level, class and id, whether marked as the main part) of a start tag."""
    found = {key.lower(): value.strip("\"'") for key, value in NAMED.findall(attributes)}
    # the id of a heading, a section or a definition repeats what it says: `cookies`, `re.search`
    its_id, its_class = found.get("id", ""), found.get("class", "")
    name = f"{its_class} {its_id}".strip()
    is_named = tag in NAMED_BY_ID or SECTION.match(its_class) or DEFINED_ID.search(its_id)
    judged = its_class if is_named else name
    role = found.get("role", "").lower()
    semantic = tag in ("article", "main") or role == "main"
    level = TAG_LEVEL.get(tag, 0)
    if role in JUNK_ROLES:
        level = max(level, CHROME)
    if judged and tag not in NEVER_JUDGED and not semantic:
        level = max(level, judge_name(judged))
    return level, name, semantic


@lru_cache(maxsize=20_000)
def judge_name(name: str) -> int:
    """Return the junk level that the words of class and id speak for."""
    if CONTENT_NAME.search(name):
        return 0
    words = {word.lower() for word in WORD.findall(name)}
    if words & COMMENT_WORDS:
        return COMMENT
    if words & CHROME_WORDS:
        return CHROME
    if words & HARD_WORDS:
        return HARD
    return SOFT if words & SOFT_WORDS else 0
