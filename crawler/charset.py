"""Bytes -> characters: which encoding a page is in.

Not a statistical detector: it believes, in this order, a byte-order mark, zero bytes in every other
place (UTF-16 without a mark), the HTTP header, the page's <meta> or XML declaration, and then takes
UTF-8 if the bytes are valid UTF-8, else Windows-1252.

Sources: HTML Living Standard, section 13.2.3 (the order); Encoding Standard, section 4.2 (labels
do not mean what they say: the web's "iso-8859-1" is Windows-1252); XML 1.0, appendix F (UTF-16).
"""

import codecs
import re

META_CHARSET = re.compile(
    rb"""<(?:meta[^>]{0,200}?charset|\?xml[^>]{0,100}?encoding)\s*=\s*["']?\s*([\w.:-]{1,40})""",
    re.I,
)
BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# What the web means where it names an encoding (Encoding Standard, section 4.2); Python's names.
MEANT = {
    "ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874",
    "tis-620": "cp874", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932",
    "euc_kr": "cp949", "big5": "big5hkscs", "utf-16": "utf-16-le",
}  # fmt: skip
# Labels of that table which Python does not know. `_python_name` sees to x-cp1252, iso88591, ...
_MORE_LABELS = {
    "utf-8": "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 x-unicode20utf8",
    "utf-16-le": "csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff",
    "utf-16-be": "unicodefffe",
    "cp932": "windows-31j x-sjis",
    "euc_jp": "cseucpkdfmtjapanese x-euc-jp",
    "gb18030": "csgb2312 gb_2312 gb_2312-80 x-gbk",
    "big5hkscs": "cn-big5 x-x-big5",
    "cp949": "cseuckr csksc56011987 iso-ir-149 ks_c_5601-1989 ksc_5601 windows-949",
    "koi8-r": "koi koi8",
    "koi8-u": "koi8-ru",
    "cp874": "dos-874 windows-874",
    "mac-roman": "csmacintosh mac",
    "mac-cyrillic": "x-mac-ukrainian",
    "iso8859-6": "csiso88596e csiso88596i iso-8859-6-e iso-8859-6-i",
    "iso8859-7": "sun_eu_greek",
    "iso8859-8": "csiso88598e csiso88598i iso-8859-8-e iso-8859-8-i logical visual",
    "iso8859-15": "csisolatin9",
}
LABELS = {label: name for name, labels in _MORE_LABELS.items() for label in labels.split()}
COMMENT = re.compile(rb"<!--.*?-->", re.S)
KNOWN = re.compile(
    r"utf-8|utf-16-[lb]e|cp125\d|cp866|cp874|cp932|cp949|iso8859-\d+|koi8-[ru]|mac-(?:roman|cyrillic)|"
    r"gb18030|big5hkscs|euc_jp|iso2022_jp"
)


def decode(body: bytes, charset: str | None = None) -> str:
    """Decode a page: mark, zero bytes, then the HTTP header's charset, then <meta>, then a guess.

    The guess is UTF-8 if the bytes are valid UTF-8, else Windows-1252. Wrong bytes become U+FFFD.
    """
    for bom, encoding in BOMS:
        if body.startswith(bom):
            return body[len(bom) :].decode(encoding, "replace")
    if encoding := _utf16_by_zeros(body[:1024]) or _python_name(charset):
        return body.decode(encoding, "replace")
    found = META_CHARSET.search(COMMENT.sub(b"", body[:4096]))
    encoding = _python_name(found[1].decode("ascii", "replace")) if found else None
    if encoding and not encoding.startswith("utf-16"):  # the tag was readable: it is not UTF-16
        return body.decode(encoding, "replace")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body.decode("cp1252", "replace")


def _utf16_by_zeros(start: bytes) -> str | None:
    """Return which UTF-16 it is, if any: the ASCII letters of its tags have a zero beside them.

    No header can make them anything else: no other encoding of text puts zeros there.
    """
    if len(start) < 8:
        return None
    first, second = start[0::2].count(0), start[1::2].count(0)  # zeros in even and odd places
    many, few = len(start) / 6, len(start) / 40  # a third of them, a twentieth
    if second > many and first <= few:
        return "utf-16-le"
    return "utf-16-be" if first > many and second <= few else None


def _python_name(label: str | None) -> str | None:
    label = (label or "").strip("\"' \t").lower()
    label = LABELS.get(label) or label.removeprefix("x-").replace("iso8859", "iso8859-")
    try:
        name = codecs.lookup(label.replace("--", "-")).name
    except (LookupError, ValueError):  # ValueError: a NUL in the label
        return None
    name = MEANT.get(name, name)
    return name if KNOWN.fullmatch(name) else None
