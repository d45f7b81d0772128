"""The host in a web address, as a browser would read it: one spelling each for names and numbers.

`EXAMPLE.org.`, `ｅｘａｍｐｌｅ。org` and `example%2Eorg` are one host, and so are `127.1`,
`0x7f000001` and `127.0.0.1`; unless these are told apart from names, a link can lead to an address
that was meant to be refused.

Sources: WHATWG URL Standard, 3.5 (host parsing); RFC 3492 (Punycode); UTS 46; RFC 5893, 2 (names
written from right to left). Not the whole of UTS 46: letters are mapped by NFKC and lower case,
without its table of exceptions.
"""

import ipaddress
import re
import unicodedata
from urllib.parse import unquote_to_bytes

_FORBIDDEN = re.compile(r"[\x00-\x20#%/:<>?@\[\\\]^|\x7f]")  # WHATWG: forbidden domain code points
_NO_NAME = "has no usable host name; between dots stand 1 to 63 characters, 253 in all"
_IGNORED = re.compile("[\u00ad\u200b\u2060\ufeff\ufe00-\ufe0f]")  # UTS 46: status "ignored"


def canonical_host(name: str) -> str:
    """Return a host in canonical form: ASCII name, dotted IPv4, or IPv6 in brackets.

    Raises ValueError that ends the sentence "the address ...".
    """
    if name.startswith("["):
        return _ipv6(name)
    if "%" in name:
        name = unquote_to_bytes(name.encode("utf-8", "replace")).decode("utf-8", "replace")
    try:
        name = _mapped(name).removesuffix(".")
        if len(name) > 253:  # checked here as well, since Punycode takes time in the square of it
            raise ValueError(_NO_NAME)
        labels = [_unicode_label(label) for label in name.split(".")]
        if not name.isascii() or "xn--" in name.lower():
            _check_directions(labels)
        name = ".".join(map(_ascii_label, labels))
    except UnicodeError:
        raise ValueError("has a host name that no computer can have") from None
    if _FORBIDDEN.search(name):
        raise ValueError("has a character in its host name that cannot be there")
    if re.fullmatch("[0-9]+|0x[0-9a-f]*", labels[-1]):
        return _ipv4(labels)
    if len(name) > 253 or not all(0 < len(label) < 64 for label in name.split(".")):
        raise ValueError(_NO_NAME)
    return name


def _mapped(name: str) -> str:
    """Return the UTS 46 mapping of a name, nearly: NFKC, lower case, one kind of full stop."""
    if name.isascii():
        return name.lower()
    name = unicodedata.normalize("NFKC", _IGNORED.sub("", name)).lower()
    return unicodedata.normalize("NFKC", name).replace("\u3002", ".")


def _unicode_label(label: str) -> str:
    """Return a mapped label with its Punycode undone; raises UnicodeError."""
    if label.startswith("xn--"):
        text = label[4:].encode("ascii").decode("punycode")
        if text.isascii() or _mapped(text) != text:
            raise UnicodeError("nothing is encoded so")
        label = text
    if not label.isascii():
        categories = [unicodedata.category(char)[0] for char in label]
        if "\ufffd" in label or not {"C", "Z"}.isdisjoint(categories) or categories[0] == "M":
            raise UnicodeError("no controls, separators, or marks with nothing before them")
    return label


def _ascii_label(label: str) -> str:
    return label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii")


def _check_directions(labels: list[str]) -> None:
    """Raise UnicodeError where left-to-right and right-to-left mix (RFC 5893, section 2)."""
    directions = [[unicodedata.bidirectional(char) for char in label] for label in labels]
    if not any({"R", "AL", "AN"} & set(label) for label in directions):
        return
    for label in directions:
        ends = [kind for kind in label if kind != "NSM"][-1:]
        kinds = set(label) - {"ES", "CS", "ET", "ON", "BN", "NSM", "EN"}
        if label[:1] == ["L"]:
            is_right = kinds == {"L"} and ends[0] in ("L", "EN")
        else:
            is_right = label[:1] in (["R"], ["AL"]) and kinds <= {"R", "AL", "AN"}
            is_right &= ends[:1] != [] and ends[0] in ("R", "AL", "EN", "AN")
            is_right &= not {"EN", "AN"} <= set(label)
        if label and not is_right:
            raise UnicodeError("the directions of its letters cannot be told apart")


def _ipv4(labels: list[str]) -> str:
    """Read up to four numbers, the last of which fills the bytes that are left."""
    try:
        *heads, last = (_ipv4_number(label) for label in labels)
    except ValueError:
        heads, last = [], 2**32
    if len(heads) > 3 or any(n > 255 for n in heads) or last >= 256 ** (4 - len(heads)):
        raise ValueError("has an impossible IPv4 address")
    return str(ipaddress.IPv4Address(last + sum(n << 8 * (3 - i) for i, n in enumerate(heads))))


def _ipv4_number(label: str) -> int:
    if not re.fullmatch("0x[0-9a-f]{0,40}|[0-9]{1,40}", label):
        raise ValueError
    if label.startswith("0x"):
        return int(label[2:] or "0", 16)
    return int(label, 8 if label.startswith("0") else 10)


def _ipv6(name: str) -> str:
    if not name.endswith("]"):
        raise ValueError("has an impossible IPv6 address (it must end in a bracket)")
    try:
        address = ipaddress.IPv6Address(name[1:-1])
    except ValueError as error:
        raise ValueError(f"has an impossible IPv6 address ({error})") from None
    if address.scope_id:
        raise ValueError("names a network interface, which means nothing elsewhere")
    if address.ipv4_mapped:  # Python 3.13 writes these with dots, earlier ones and browsers do not
        low = int(address.ipv4_mapped)
        return f"[::ffff:{low >> 16:x}:{low & 0xFFFF:x}]"
    return f"[{address}]"
