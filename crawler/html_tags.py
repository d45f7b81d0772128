"""What the tags of HTML do to lines and to open elements: tables for `html_tree.py`.

Not here: which elements are junk (`junk.py`).

Source: HTML Living Standard, sections 13.1.2.4 (implied end tags) and 15.3 (rendering), simplified.
"""

from crawler.junk import HEADINGS, names

# Elements that neither break a line nor get a node. Unknown elements do both, like div.
INLINE = names(
    "a abbr acronym b bdi bdo big blink cite code data del dfn em font i img ins kbd label mark "
    "nobr o output picture q rb rp rt rtc ruby s samp small source span strike strong sub sup "
    "time tt u var wbr html body link meta base head"
)
# of these, the ones whose tags say nothing: they are passed over
SILENT = INLINE - {"a", "base", "br", "meta"}
SILENT |= {f"/{name}" for name in INLINE - {"a"}}
VOID = names("area col embed hr input param track")

# An element whose start tag ends an open one of the same group, unless a boundary lies between.
IMPLIED_END = {
    "li": (frozenset({"li"}), frozenset({"ul", "ol", "menu"})),
    "dt": (frozenset({"dt", "dd"}), frozenset({"dl"})),
    "dd": (frozenset({"dt", "dd"}), frozenset({"dl"})),
    "tr": (frozenset({"tr", "caption", "colgroup"}), frozenset({"table"})),
    "td": (frozenset({"td", "th"}), frozenset({"table", "tr"})),
    "th": (frozenset({"td", "th"}), frozenset({"table", "tr"})),
    **{
        section: (frozenset({"thead", "tbody", "tfoot", "caption"}), frozenset({"table"}))
        for section in ("thead", "tbody", "tfoot")
    },
}
PREFORMATTED = frozenset({"pre", "listing"})
CODE_LINES = names("div ol ul li")  # each line of a pre may be one of these
DRAWINGS = frozenset({"svg", "math"})  # they stand in a line of text, and end neither it nor a p
# what these are in is a drawing no more: of the standard's list, the ones that pages have
ENDS_DRAWING = HEADINGS | names("blockquote dd div dl dt li ol p pre table ul")
CELL = frozenset({"td", "th", "table"})  # an end tag does not reach out of these, except:
CELL_ENDS = CELL | {"tr", "tbody", "thead", "tfoot"}
