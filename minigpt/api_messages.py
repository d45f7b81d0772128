"""Messages of a conversation, as OpenAI's clients send them, made those that a model has learnt.

More is allowed than in chat_format.check_messages: contents in parts, the role "developer", an
empty system message, several of them, an empty answer. Errors name the field, as
`messages[2].content`.

Source: OpenAI's API reference, "Create chat completion", messages.
"""

from minigpt.api_errors import invalid
from minigpt.chat_format import shorten


def read_messages(messages):
    """Return messages as chat_format has them; raise ApiError naming the field at fault."""
    if not isinstance(messages, list):
        message = f"messages is {shorten(messages)}; it must be a list"
        raise invalid("messages", message, "invalid_type")
    if not messages:
        raise invalid("messages", "messages is empty; it must hold a message at least")
    system, turns = [], []
    for i, message in enumerate(messages):
        where = f"messages[{i}]"
        role, content = read_message(message, where)
        if role == "system" and not turns:
            system += [content] if content.strip() else []  # nothing said is as good as no message
            continue
        expected = ("user", "assistant")[len(turns) % 2]
        if role != expected:
            raise invalid(
                f"{where}.role",
                f"{where}.role is {role!r}; it must be {expected!r}: after what the system "
                "says, if anything, user and assistant take turns",
            )
        if not content.strip():
            if role == "user":
                text = f"{where}.content is empty; it must say something"
                raise invalid(f"{where}.content", text)
            content = "..."  # the model has learnt no empty answers
        turns.append({"role": role, "content": content})
    if len(turns) % 2 == 0:
        text = "the last of messages is not the user's; the assistant answers to one"
        raise invalid("messages", text)
    if system:  # a model has learnt one message of the system's; frameworks send one for each part
        turns.insert(0, {"role": "system", "content": "\n\n".join(system)})
    return turns


def read_message(message, where):
    """Return (role, content) of a message."""
    if not isinstance(message, dict):
        text = f"{where} is {shorten(message)}; it must be an object"
        raise invalid(where, text, "invalid_type")
    for name in ("tool_calls", "function_call", "audio", "tool_call_id"):
        if message.get(name):
            text = f"{where}.{name} is not supported"
            raise invalid(f"{where}.{name}", text, "unsupported_parameter")
    role = read_role(message, where)
    return role, read_content(message.get("content"), f"{where}.content")


def read_role(message, where):
    """Return the role of a message."""
    role = message.get("role")
    if role == "developer":  # OpenAI's newer name
        return "system"
    if role not in ("system", "user", "assistant"):
        raise invalid(
            f"{where}.role",
            f"{where}.role is {shorten(role)}; it must be system, user or assistant",
        )
    return role


def read_content(content, where):
    """Return the text of a content: a text, or a list of parts {"type": "text", "text": ...}."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise invalid(where, f"{where} is {shorten(content)}; it must be text", "invalid_type")
    texts = []
    for i, part in enumerate(content):
        if not isinstance(part, dict) or part.get("type") != "text":
            kind = part.get("type") if isinstance(part, dict) else part
            raise invalid(
                f"{where}[{i}]", f'{where}[{i}] is {shorten(kind)}; it must be of type "text"'
            )
        if not isinstance(part.get("text"), str):
            raise invalid(f"{where}[{i}].text", f"{where}[{i}].text must be text", "invalid_type")
        texts.append(part["text"])
    return "\n".join(texts)
