"""Special tokens: symbols such as <|endoftext|> that ordinary text cannot spell.

They have ids of their own and take no part in merging. Their names are text all the same, and that
may stand in anybody's text; so whoever encodes says which names are taken as the symbols and which
are refused. This is not how the text between them is encoded (`plain.py`, `fast.py`).
"""

from collections.abc import Collection, Iterable

from bpe.split import special_tokens_regex, to_bytes


def check_special_tokens(texts: Iterable[str]) -> list[str]:
    """Check the texts of special tokens, and list them. One may contain another.

    Raises ValueError for one that is too short to be told from a byte, not Unicode, or there twice.
    """
    if isinstance(texts, str):
        raise ValueError(f"special_tokens is {texts!r}; it must be a list: write [{texts!r}]")
    texts, seen = list(texts), set()
    for text in texts:
        if not isinstance(text, str) or len(to_bytes(text)) < 2:
            rule = "be text of two bytes or more: write it like <|name|>"
        elif any("\ud800" <= char <= "\udfff" for char in text):
            rule = "be valid Unicode: leave the lone surrogate out"
        elif text in seen:
            rule = "stand in the list once: leave the second one out"
        else:
            seen.add(text)
            continue
        raise ValueError(f"special token is {text!r}; it must {rule}")
    return texts


def number_special_tokens(texts: Iterable[str], first_id: int) -> dict[str, int]:
    """Give special tokens the ids from `first_id` on. Raises as `check_special_tokens`."""
    return {text: first_id + i for i, text in enumerate(check_special_tokens(texts))}


def choose(
    known: Collection[str],
    allowed_special: str | Collection[str],
    disallowed_special: str | Collection[str],
) -> tuple[set[str], set[str]]:
    """Resolve the arguments of `Tokenizer.encode`: the special tokens to take, those to refuse."""
    allowed = _special_set(known, allowed_special, "allowed_special")
    disallowed = _special_set(known, disallowed_special, "disallowed_special")
    if disallowed_special == "all":
        disallowed -= allowed
    return allowed, disallowed


def _special_set(known: Collection[str], texts: str | Collection[str], name: str) -> set[str]:
    if texts == "all":
        return set(known)
    if isinstance(texts, str):
        raise ValueError(f"{name} is {texts!r}; it must be a set of str, or 'all'")
    texts = set(texts)
    if unknown := texts - set(known):
        raise ValueError(f"{name} holds {min(unknown)!r}; the special tokens are {[*known]}")
    return texts


def refuse(text: str, disallowed: Collection[str], offset: int = 0) -> None:
    """Raise ValueError where one of `disallowed` stands in `text`, itself at character `offset`."""
    if found := special_tokens_regex(disallowed).search(text):
        raise ValueError(
            f"text holds the special token {found[0]!r} at character {offset + found.start()}; "
            f"pass allowed_special={{{found[0]!r}}} to encode it as such, or disallowed_special=() "
            "to encode it as ordinary text"
        )


def split_special(text: str, allowed: Collection[str], disallowed: Collection[str]) -> list[str]:
    """Cut `text` at the special tokens `allowed`, which stand at odd places; raise as `refuse`."""
    refuse(text, disallowed)
    return special_tokens_regex(allowed).split(text)
