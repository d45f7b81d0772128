"""The chat format in Jinja, and the folder of a model that chats.

TEMPLATE is what chat_format.render does, written for tokenizer_config.json: `apply_chat_template`
of transformers gives our ids. It renders text first and then looks for control tokens in all of
it, so a content must not hold their text. The template therefore puts a GUARD, a character that
stands for nothing, after every "|" of a content, which no control token's text survives; and the
normalizer in tokenizer.json, which works after control tokens were looked for, takes it out again.
{% generation %} marks what is learned, for their mask.

Sources: Hugging Face's "Chat templates"; the Unicode Standard, 23.7 (noncharacters are for a
program's internal use).
"""

import json
import re
from pathlib import Path

from bpe.tokenizer_json import GUARD, GUARD_NORMALIZER
from minigpt.chat_format import BOS, END, control_ids
from minigpt.checkpoint import write_json

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
    write_json(path, json.loads(path.read_text("utf-8")) | changes)


def template_path(folder):
    """Return the file of a model's folder that holds the template: transformers 5 makes its own."""
    alone = Path(folder) / "chat_template.jinja"
    return alone if alone.exists() else Path(folder) / "tokenizer_config.json"


def read_template(folder):
    """Return the chat template of a model's folder, None where it has none."""
    path = template_path(folder)
    try:
        text = path.read_text("utf-8")
        return text if path.suffix == ".jinja" else json.loads(text).get("chat_template")
    except FileNotFoundError:
        return None
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{path} is not a JSON object ({error})") from None


def check_template(folder, tokenizer):
    """Raise ValueError unless the folder's chat template is ours and its vocabulary fits it."""
    template, path = read_template(folder), template_path(folder)
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
