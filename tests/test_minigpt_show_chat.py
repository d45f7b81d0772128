"""A conversation in the terminal: ids, roles and mask."""

import re

from minigpt_examples import example_tokenizer

from minigpt.chat_format import conversation, render, with_control_tokens
from minigpt.show_chat import draw_conversation, legend

TOKENIZER = with_control_tokens(example_tokenizer())
MESSAGES = conversation("the <|bos|>\x1b[2J", "a value", system="key")


def test_every_message_has_its_role_its_tokens_and_its_ids():
    lines = draw_conversation(TOKENIZER, MESSAGES, colour=False).splitlines()
    roles = [line.split()[0] for line in lines[2:-1:2]]
    assert roles == ["system", "user", "assistant"]
    ids, mask = render(TOKENIZER, MESSAGES)
    drawn = " ".join(line for line in lines[1:-1:2]).split()
    assert [int(i.strip("[]")) for i in drawn] == ids
    assert [i.startswith("[") for i in drawn] == mask
    assert lines[-1] == f"{len(ids)} tokens, {sum(mask)} of them learned"


def test_nothing_a_user_typed_commands_the_terminal():
    assert "\x1b" not in draw_conversation(TOKENIZER, MESSAGES, colour=False)
    assert "\x1b[2J" not in draw_conversation(TOKENIZER, MESSAGES, colour=True)


def test_colours_tell_roles_control_tokens_and_what_is_learned_apart():
    drawn = draw_conversation(TOKENIZER, MESSAGES, colour=True)
    codes = dict(re.findall(r"\x1b\[([\d;]+)m(<\|\w+\|>)", drawn)[i][::-1] for i in range(7))
    assert codes["<|bos|>"] == "33;7"
    assert codes["<|user_start|>"] == "36;7"
    assert codes["<|assistant_start|>"] == "32;7"
    assert codes["<|assistant_end|>"] == "32;7;4"
    plain = re.sub(r"\x1b\[[\d;]*m", "", drawn)
    uncoloured = draw_conversation(TOKENIZER, MESSAGES, colour=False)
    assert plain == re.sub(r"\[([^\] ]+)\]", r"\1", uncoloured)


def test_the_legend_is_drawn_as_what_it_explains():
    drawn = legend(colour=True)
    codes = dict(re.findall(r"\x1b\[([\d;]+)m([\w ]+)", drawn)[i][::-1] for i in range(5))
    assert codes == {
        "system": "35", "user": "36", "assistant": "32", "control tokens": "33;7",
        "underlined": "32;4",
    }  # fmt: skip
    plain = legend(colour=False)
    assert "[brackets]" in plain and "\x1b" not in plain
