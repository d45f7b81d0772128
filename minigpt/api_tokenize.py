"""How many tokens is that? A text or a conversation cut as the model would get it.

    {"model", "prompt"}     vLLM's: a text, as /v1/completions gives it to the model
    {"model", "messages"}   vLLM's: a conversation, as /v1/chat/completions does
    {"model", "input"}      the text alone, with the bytes of each token

Each is answered with {"count", "max_model_len", "tokens"}: how many ids, how many the model's
window holds, and the ids. vLLM's two may ask for more, `return_token_strs`, and for less,
`"add_special_tokens": false` of a text and `"add_generation_prompt": false` of messages. To `input`
"data" is answered, too: {"id", "text", "bytes"} for each token.

Source: vLLM's documentation, "Tokenizer API".
"""

from bpe.tokenizer_json import spell
from minigpt.api_errors import invalid
from minigpt.api_fields import Fields, find_model
from minigpt.api_messages import read_messages
from minigpt.api_requests import check_assistant, prompt_ids
from minigpt.chat_format import render_prompt

MAX_INPUT = 100_000  # characters to cut into tokens, of some 35 bytes each in the answer
KINDS = {
    "input": set(),
    "prompt": {"add_special_tokens", "return_token_strs"},
    "messages": {"add_special_tokens", "add_generation_prompt", "return_token_strs"},
}


def tokens_of(body, models):
    """Return the answer to a body, a dict; raise ApiError naming the field at fault."""
    given = [kind for kind in KINDS if body.get(kind) is not None]
    if len(given) != 1:
        found = f"the body has {' and '.join(given)}" if given else "the body has no prompt"
        raise invalid("prompt", f"{found}; it must have one of {', '.join(KINDS)}")
    kind = given[0]
    fields = Fields(body, {"model", kind} | KINDS[kind])
    served = find_model(models, fields.required("model"))
    if kind == "input":
        ids = served.tokenizer.encode_ordinary(short_enough(fields.text(kind), kind))
        tokens = [(id, *served.text_of(id)) for id in ids]
        data = [{"id": id, "text": text, "bytes": data} for id, text, data in tokens]
        return {"object": "list", "data": data, **counted(ids, served)}
    ids = text_ids(fields, served) if kind == "prompt" else conversation_ids(fields, served)
    words = None
    if fields.boolean("return_token_strs"):
        words = [spell(token) for token in served.tokenizer.decode_tokens_bytes(ids)]
    return {**counted(ids, served), "token_strs": words}


def counted(ids, served):
    return {"count": len(ids), "max_model_len": served.model.config.n_positions, "tokens": ids}


def text_ids(fields, served):
    """Return the ids of `prompt`, by default after the separator that begins every document."""
    text = short_enough(fields.text("prompt"), "prompt")
    if fields.get("add_special_tokens") is None or fields.boolean("add_special_tokens"):
        return prompt_ids(text, served)
    return served.tokenizer.encode_ordinary(text)


def conversation_ids(fields, served):
    """Return the ids of all `messages`, by default with the token after which is answered."""
    check_assistant(served)
    if fields.boolean("add_special_tokens"):  # vLLM would begin twice
        raise invalid("add_special_tokens", "add_special_tokens is true; it must be false for "
                      "messages: the chat template has them already")  # fmt: skip
    messages = read_messages(fields.get("messages"))
    short_enough("".join(message["content"] for message in messages), "messages")
    ids = render_prompt(served.tokenizer, messages)
    begun = fields.get("add_generation_prompt") is None or fields.boolean("add_generation_prompt")
    return ids if begun else ids[:-1]


def short_enough(text, name):
    """Return a text; raise ApiError for one of more than MAX_INPUT characters."""
    if len(text) > MAX_INPUT:
        raise invalid(
            name, f"{name} has {len(text):,} characters; it must have at most {MAX_INPUT:,}: "
            "send a part"
        )  # fmt: skip
    return text
