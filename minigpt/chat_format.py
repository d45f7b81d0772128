"""Conversations <-> ids: how a model sees who said what.

A conversation is a list of messages in OpenAI's form, {"role": ..., "content": ...}: perhaps one
from the system, then from the user and the assistant in turn. In a file it is a line of JSON Lines,
{"messages": [...]}; other keys of the line are ignored. A file may also use "developer", OpenAI's
newer name for the system, and give a content as a list of text parts. As ids a conversation is

    <|bos|> <|user_start|> ... <|user_end|> <|assistant_start|> ... <|assistant_end|> ...

where each <|...|> is one id of its own, a control token, and the contents are ordinary text:
whoever types "<|assistant_start|>" gets the ids of those characters, never the control token. The
mask says what is to be learned: the contents of the assistant's messages and the token that ends
them. So a model learns what to say and when to stop, not how to ask.

The same format in Jinja, for other programs, is in chat_template.py. The data are in chat_data.py,
the windows made of them in packing.py.

Source: OpenAI's chat format; the control tokens are named as in nanochat.
"""

import json

from bpe import Tokenizer

ROLES = ("system", "user", "assistant")
BOS = "<|bos|>"
START = {role: f"<|{role}_start|>" for role in ROLES}
END = {role: f"<|{role}_end|>" for role in ROLES}
CONTROL_TOKENS = (BOS, *(token for role in ROLES for token in (START[role], END[role])))


# ---- messages ------------------------------------------------------------------------------


def check_messages(messages):
    """Raise ValueError for anything but messages with contents, their roles in order."""
    if not isinstance(messages, list) or not messages:
        raise ValueError(f"messages is {shorten(messages)}; it must be a list of messages")
    first = 0
    for i, message in enumerate(messages):
        where = f"message {i + 1}"
        if not isinstance(message, dict) or not message.keys() >= {"role", "content"}:
            raise ValueError(f'{where} is {shorten(message)}; it must have "role" and "content"')
        role, content = message["role"], message["content"]
        if role not in ROLES:
            raise ValueError(f"{where}: role is {shorten(role)}; it must be one of {ROLES}")
        if i == 0 and role == "system":
            first = 1
        elif role != (expected := ("user", "assistant")[(i - first) % 2]):
            raise ValueError(
                f"{where}: role is {role!r}; it must be {expected!r}: after a message of the "
                f"system, or none, user and assistant take turns"
            )
        if not isinstance(content, str) or not content.strip():
            raise ValueError(f"{where}: content is {shorten(content)}; it must be text")


def shorten(value):
    """Return a value as JSON, cut to what fits in a message."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=repr)
    except RecursionError:  # it could be parsed, but only just
        text = "nested too deeply"
    return text if len(text) <= 60 else text[:57] + "..."


def read_conversations(path):
    """Yield (line number, messages) of a JSON Lines file; each must end with the assistant.

    Raises ValueError, naming file and line, for what is no conversation, and for an empty file.
    """
    empty = True
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            where = f"{path}, line {number}: "
            try:
                text = line.decode("utf-8").removeprefix("\ufeff" if number == 1 else "")
                if not text.strip():
                    continue
                record = json.loads(text)
            except (ValueError, RecursionError) as error:
                raise ValueError(f"{where}no valid JSON ({error}); mend or remove it") from None
            if not isinstance(record, dict) or "messages" not in record:
                raise ValueError(f'{where}{shorten(record)}; it must be {{"messages": [...]}}')
            messages = normalised(record["messages"])
            try:
                check_messages(messages)
                if messages[-1]["role"] != "assistant":
                    raise ValueError("the last message must be the assistant's: what is to learn")
            except ValueError as error:
                raise ValueError(f"{where}{error}") from None
            empty = False
            yield number, messages
    if empty:
        raise ValueError(f"{path} is empty; it must hold conversations, one a line")


def normalised(messages):
    """Return messages with "system" for "developer", and each list of text parts as one text.

    What is malformed stays as it is, for check_messages to report.
    """
    if not isinstance(messages, list):
        return messages
    found = []
    for message in messages:
        if isinstance(message, dict):
            content = message.get("content")
            if message.get("role") == "developer":
                message = message | {"role": "system"}
            is_text = isinstance(content, list) and all(
                isinstance(part, dict) and isinstance(part.get("text"), str) for part in content
            )
            if is_text:
                message = message | {"content": "".join(part["text"] for part in content)}
        found.append(message)
    return found


def conversation(*contents, system=None):
    """Return messages of user and assistant in turn, after one of the system if there is any."""
    # ROLES[1] and ROLES[2] in turn
    turns = [{"role": ROLES[1 + i % 2], "content": text} for i, text in enumerate(contents)]
    return [{"role": "system", "content": system}, *turns] if system else turns


# ---- messages -> ids -----------------------------------------------------------------------


def control_ids(tokenizer):
    """Return the id of every control token; raise ValueError where the vocabulary lacks one."""
    missing = [token for token in CONTROL_TOKENS if token not in tokenizer.special_tokens]
    if missing:
        raise ValueError(
            f"the vocabulary has no {', '.join(missing)}; a model that is to chat must be "
            f"fine-tuned first: python -m minigpt sft"
        )
    return {token: tokenizer.special_tokens[token] for token in CONTROL_TOKENS}


def with_control_tokens(tokenizer):
    """Return `tokenizer` with the control tokens it lacks added after its last id."""
    lacking = [token for token in CONTROL_TOKENS if token not in tokenizer.special_tokens]
    if unguarded := [token for token in tokenizer.special_tokens if "|" not in token]:
        raise ValueError(
            f"special token is {unguarded[0]!r}; it must hold a '|', so that the chat template "
            f"can tell it from a user's text"
        )
    if not lacking:
        return tokenizer
    added = {token: tokenizer.n_vocab + i for i, token in enumerate(lacking)}
    return Tokenizer(
        tokenizer.tokens, tokenizer.merges, tokenizer.splitter.pattern,
        tokenizer.special_tokens | added, tokenizer.ignore_merges,
    )  # fmt: skip


def render(tokenizer, messages):
    """Return (ids, mask): a conversation as ids, and for each whether it is to be learned.

    Raises ValueError as `check_messages` and `control_ids`.
    """
    check_messages(messages)
    control = control_ids(tokenizer)
    ids, mask = [control[BOS]], [False]
    for message in messages:
        role = message["role"]
        body = [*tokenizer.encode_ordinary(message["content"]), control[END[role]]]
        ids += [control[START[role]], *body]
        mask += [False] + [role == "assistant"] * len(body)
    return ids, mask


def render_prompt(tokenizer, messages, max_tokens=None):
    """Return the ids after which the assistant speaks; `messages` must end with the user's.

    If there are more than `max_tokens`, whole exchanges are forgotten, the oldest first, but never
    the system's message or the last question. Raises ValueError if these are too long.
    """
    check_messages(messages)
    if messages[-1]["role"] != "user":
        raise ValueError("the last message is not the user's; the assistant answers to one")
    first = int(messages[0]["role"] == "system")
    # each message, its start and its end; encoded once, as a conversation may be long
    n_tokens = [2 + len(tokenizer.encode_ordinary(m["content"])) for m in messages]
    total, start = 2 + sum(n_tokens), first  # <|bos|> and <|assistant_start|>
    while max_tokens is not None and total > max_tokens:
        if start == len(messages) - 1:
            both = " with what the system says" if first else ""
            raise ValueError(
                f"the message is {total:,} tokens long{both}; at most {max_tokens:,} fit, as the "
                f"window must hold the answer too: say it in fewer words"
            )
        total -= sum(n_tokens[start : start + 2])
        start += 2
    ids, _ = render(tokenizer, messages[:first] + messages[start:])
    return [*ids, tokenizer.special_tokens[START["assistant"]]]


def room_for_questions(window, max_new_tokens=None):
    """Return how many ids of a window the prompt may take: a third is kept for the answer.

    Less is kept if the answer may have no more than `max_new_tokens`.
    """
    return window - min(max_new_tokens or window, window // 3)


def cut_at_turn(tokenizer, messages, max_tokens):
    """Return as many exchanges from the conversation's start as fit: (ids, mask), or None."""
    for end in range(len(messages), 1, -2):
        ids, mask = render(tokenizer, messages[:end])
        if len(ids) <= max_tokens and any(mask):
            return ids, mask
    return None
