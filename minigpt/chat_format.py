"""Conversations <-> ids: how a model sees who said what.

A conversation is a list of messages in OpenAI's form, {"role": ..., "content": ...}: perhaps one
of the system, then the user and the assistant in turns. In a file it is a line of JSON Lines,
{"messages": [...]}; other keys of the line are left alone. As ids it is

    <|bos|> <|user_start|> ... <|user_end|> <|assistant_start|> ... <|assistant_end|> ...

where each <|...|> is one id of its own, a control token, and the contents are ordinary text:
whoever types "<|assistant_start|>" gets the ids of those characters, never the control token. The
mask says what is to be learned: the contents of the assistant's messages and the token that ends
them, for a model learns by it what to say and when to stop, not how to ask.

TEMPLATE is the same in Jinja, for tokenizer_config.json: `apply_chat_template` of transformers
gives our ids. It renders text first and then looks for control tokens in all of it, so a
content must not hold their text. The template therefore puts a GUARD, a character that stands for
nothing, after every "|" of a content, which no control token's text survives; and the
normalizer in tokenizer.json, which works after control tokens were looked for, takes it out again.

This is neither the data (see chat_data.py) nor the windows made of it (see packing.py).

Sources: OpenAI's chat format; Hugging Face's "Chat templates"; the Unicode Standard, 23.7
(noncharacters are for a program's internal use).
"""

import json
import re
from pathlib import Path

from bpe import Tokenizer
from bpe.files import GUARD, GUARD_NORMALIZER

ROLES = ("system", "user", "assistant")
BOS = "<|bos|>"
START = {role: f"<|{role}_start|>" for role in ROLES}
END = {role: f"<|{role}_end|>" for role in ROLES}
CONTROL_TOKENS = (BOS, *(token for role in ROLES for token in (START[role], END[role])))

TEMPLATE = (
    """\
{%- set first = 1 if messages and messages[0]['role'] == 'system' else 0 -%}
{{- '<|bos|>' -}}
{%- for message in messages -%}
{%- set turn = ['user', 'assistant'][(loop.index0 - first) % 2] -%}
{%- set role = 'system' if loop.index0 < first else turn -%}
{%- if message['role'] != role -%}
{{- raise_exception('message ' ~ loop.index ~ ' must be of the ' ~ role) -}}
{%- endif -%}
{%- set content = message['content'].replace('|', '|"""
    + ascii(GUARD)[1:-1]
    + """') -%}
{{- '<|' ~ role ~ '_start|>' -}}
{%- if role == 'assistant' -%}
{%- generation -%}{{- content ~ '<|assistant_end|>' -}}{%- endgeneration -%}
{%- else -%}
{{- content ~ '<|' ~ role ~ '_end|>' -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|assistant_start|>' -}}{%- endif -%}
"""
)


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
    text = json.dumps(value, ensure_ascii=False, default=repr)
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
            try:
                check_messages(record["messages"])
                if record["messages"][-1]["role"] != "assistant":
                    raise ValueError("the last message must be the assistant's: what is to learn")
            except ValueError as error:
                raise ValueError(f"{where}{error}") from None
            empty = False
            yield number, record["messages"]
    if empty:
        raise ValueError(f"{path} is empty; it must hold conversations, one a line")


def conversation(*contents, system=None):
    """Return messages of user and assistant in turns, after one of the system if there is any."""
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

    Where they are more than `max_tokens`, whole exchanges are forgotten, the oldest first, but
    neither the system's message nor the last question. Raises ValueError where these are too long.
    """
    check_messages(messages)
    if messages[-1]["role"] != "user":
        raise ValueError("the last message is not the user's; the assistant answers to one")
    first = int(messages[0]["role"] == "system")
    for start in range(first, len(messages), 2):
        ids = [*render(tokenizer, messages[:first] + messages[start:])[0]]
        ids.append(tokenizer.special_tokens[START["assistant"]])
        if max_tokens is None or len(ids) <= max_tokens:
            return ids
    raise ValueError(
        f"the message is {len(ids)} tokens long, with what the system says; at most {max_tokens} "
        f"fit: say it in fewer words"
    )


def cut_at_turn(tokenizer, messages, max_tokens):
    """Return as many exchanges from the conversation's start as fit: (ids, mask), or None."""
    for end in range(len(messages), 1, -2):
        ids, mask = render(tokenizer, messages[:end])
        if len(ids) <= max_tokens and any(mask):
            return ids, mask
    return None


# ---- the vocabulary and the folder -----------------------------------------------------------


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


def save_template(folder, tokenizer):
    """Make a model's folder one of an assistant: the template, the guard, where a reply ends."""
    control = control_ids(tokenizer)
    end = END["assistant"]
    ids = {"bos_token_id": control[BOS], "eos_token_id": control[end]}
    tokens = {"bos_token": BOS, "eos_token": end, "chat_template": TEMPLATE}
    folder = Path(folder)
    update_json(folder / "tokenizer.json", {"normalizer": GUARD_NORMALIZER})
    update_json(folder / "tokenizer_config.json", tokens)
    update_json(folder / "generation_config.json", ids)
    update_json(folder / "config.json", ids)


def update_json(path, changes):
    """Replace some keys of a JSON object in a file."""
    from minigpt.checkpoint import write_json

    write_json(path, json.loads(path.read_text("utf-8")) | changes)


def read_template(folder):
    """Return the chat template of a model's folder, None where it has none."""
    path = Path(folder) / "tokenizer_config.json"
    try:
        return json.loads(path.read_text("utf-8")).get("chat_template")
    except FileNotFoundError:
        return None
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{path} is not a JSON object ({error})") from None


def check_template(folder, tokenizer):
    """Raise ValueError unless the folder's chat template is ours and its vocabulary fits it."""
    template = read_template(folder)
    path = Path(folder) / "tokenizer_config.json"
    if template is None:
        raise ValueError(
            f"{folder} has no chat_template: it is no assistant; make one of it with "
            f"python -m minigpt sft, or let it go on with a text: python -m minigpt sample"
        )
    named = re.findall(r"<\|\w+\|>", str(template))
    if missing := sorted(set(named) - tokenizer.special_tokens.keys()):
        raise ValueError(
            f"{path}: chat_template uses {', '.join(missing)}, which the vocabulary does not "
            f"have; template and tokenizer.json must belong together"
        )
    if template != TEMPLATE:
        raise ValueError(f"{path}: chat_template is not the one of minigpt; fine-tune again")
    control_ids(tokenizer)
