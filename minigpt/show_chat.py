"""See a conversation as the model sees it: every token and id, who says it, what is learned.

Draws for the terminal, a row of tokens and one of ids for each message. In colours each role has
its own, control tokens are reversed and what is learned is underlined; without colours what is
learned stands in brackets.

This is not the rendering (chat_format.py) nor the tokens of plain text (bpe/show.py).
"""

from bpe.show import visible
from minigpt.chat_format import BOS, START, control_ids, render

COLOURS = {"system": 35, "user": 36, "assistant": 32, "": 33}  # SGR codes (ECMA-48): foreground
REVERSED, UNDERLINED = 7, 4
LEARNED = "the assistant learns to say these"


def groups(tokenizer, messages):
    """Return [(role, [(token as text, id, learned, is a control token), ...]), ...]."""
    control = control_ids(tokenizer)
    names = {i: token for token, i in control.items()}
    starts = {control[token]: role for role, token in START.items()}
    found = []
    for i, learned in zip(*render(tokenizer, messages), strict=True):
        if i in starts or i == control[BOS]:
            found.append((starts.get(i, ""), []))
        text = names[i] if i in names else visible(tokenizer.decode_bytes([i]))
        found[-1][1].append((text, i, learned, i in names))
    return found


def legend(colour):
    """Return the line that says what is drawn how."""
    if not colour:
        return f"a row of tokens, below it their ids; in [brackets]: {LEARNED}"
    roles = ", ".join(paint(role, role, False, False, True) for role in COLOURS if role)
    control = paint("control tokens", "", False, True, True)
    learned = paint("underlined", "assistant", True, False, True)
    return f"a row of tokens, below it their ids: {roles}, {control}; {learned}: {LEARNED}"


def draw_conversation(tokenizer, messages, colour):
    """Return a conversation as text, two rows for each message; with `colour`, in colours."""
    lines = []
    for role, tokens in groups(tokenizer, messages):
        texts, ids = [], []
        for text, i, learned, is_control in tokens:
            texts.append(paint(text, role, learned, is_control, colour))
            ids.append(paint(str(i), role, learned, False, colour))
        lines += [f"{role:10}{' '.join(texts)}", f"{'':10}{' '.join(ids)}"]
    rendered = render(tokenizer, messages)[1]
    lines.append(f"{len(rendered)} tokens, {sum(rendered)} of them learned")
    return "\n".join(lines)


def paint(text, role, learned, is_control, colour):
    """Return a token or an id as it is shown."""
    if not colour:
        return f"[{text}]" if learned else text
    codes = [COLOURS[role], *[REVERSED] * is_control, *[UNDERLINED] * learned]
    return f"\x1b[{';'.join(map(str, codes))}m{text}\x1b[0m"
