"""Amounts as a person reads them: bytes, seconds, and how many there are of something."""

WORDS = ((10**9, "billion"), (10**6, "million"), (10**3, "thousand"))


def format_bytes(n):
    """Return a number of bytes as a person reads it."""
    for unit in ("bytes", "kB", "MB", "GB", "TB", "PB"):
        if n < 999.5 or unit == "PB":
            break
        n /= 1000
    return f"{n:.0f} {unit}" if unit == "bytes" or n >= 99.5 else f"{n:.1f} {unit}"


def format_seconds(seconds):
    """Return seconds as a person reads them."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    if hours < 48:
        return f"{hours} h {minutes:02} min"
    days = hours / 24
    return f"{days:.1f} days" if days < 1000 else f"{days / 365:,.0f} years"


def in_words(n):
    """Return a large number as it is said, in two digits: 2.2 million, 460 thousand."""
    n = float(f"{n:.1e}")
    for size, word in WORDS:
        if n >= size:
            return f"{n / size:.2g} {word}" if n < 100 * size else f"{n / size:.0f} {word}"
    return f"{n:.0f}"


def count(n, what, many=None):
    """Return a number with what it counts: 1 document, 2,000 documents, 0 copies."""
    return f"{n:,} {what if n == 1 else many or what + 's'}"
