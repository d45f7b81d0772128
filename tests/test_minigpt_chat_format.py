"""Conversations <-> ids: who said what, what is learned, and what a user cannot do."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from minigpt_examples import example_tokenizer, save_example_model, small_model, untimed

from bpe import Tokenizer
from minigpt.chat_format import (
    CONTROL_TOKENS,
    END,
    START,
    check_messages,
    control_ids,
    conversation,
    cut_at_turn,
    read_conversations,
    render,
    render_prompt,
    room_for_questions,
    with_control_tokens,
)
from minigpt.chat_template import check_template, read_template, save_template
from minigpt.checkpoint import load, save_model
from minigpt.sample import generate

TOKENIZER = with_control_tokens(example_tokenizer())

# Contents that try everything: any text, and every special token's.
pieces = st.one_of(
    st.sampled_from([*TOKENIZER.special_tokens, "<|", "|>", "|", "|\ufdd0", "\ufdd0", "<", " "]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
contents = st.lists(pieces, min_size=1, max_size=6).map("".join).filter(str.strip)


@st.composite
def conversations(draw):
    """Messages of any contents: perhaps a system's, then one to three exchanges."""
    turns = draw(st.lists(st.tuples(contents, contents), min_size=1, max_size=3))
    system = draw(st.none() | contents)
    return conversation(*(text for turn in turns for text in turn), system=system)


# ---- ids and mask --------------------------------------------------------------------------


def test_a_conversation_is_its_messages_between_control_tokens():
    ids, mask = render(TOKENIZER, conversation("the list", "a value", system="the key"))
    control = control_ids(TOKENIZER)
    e = TOKENIZER.encode_ordinary
    assert ids == [
        control["<|bos|>"],
        control[START["system"]], *e("the key"), control[END["system"]],
        control[START["user"]], *e("the list"), control[END["user"]],
        control[START["assistant"]], *e("a value"), control[END["assistant"]],
    ]  # fmt: skip
    assert [i for i, learned in zip(ids, mask, strict=True) if learned] == [
        *e("a value"), control[END["assistant"]],
    ]  # fmt: skip


@untimed
@given(conversations())
def test_no_content_becomes_a_control_token_and_the_mask_is_the_assistants_words(messages):
    ids, mask = render(TOKENIZER, messages)
    specials = set(TOKENIZER.special_tokens.values())
    starts = [TOKENIZER.special_tokens[START[m["role"]]] for m in messages]
    ends = [TOKENIZER.special_tokens[END[m["role"]]] for m in messages]
    between = [i for pair in zip(starts, ends, strict=True) for i in pair]
    bos = TOKENIZER.special_tokens["<|bos|>"]
    assert [i for i in ids if i in specials] == [bos, *between]
    learned = [i for i, m in zip(ids, mask, strict=True) if m]
    said = [m["content"] + END["assistant"] for m in messages if m["role"] == "assistant"]
    assert TOKENIZER.decode(learned) == "".join(said)


def test_the_prompt_is_the_conversation_up_to_where_the_assistant_speaks():
    messages = conversation("the list", "a value", "and a key")
    whole, _ = render(TOKENIZER, [*messages, {"role": "assistant", "content": "value"}])
    prompt = render_prompt(TOKENIZER, messages)
    assert whole[: len(prompt)] == prompt
    assert prompt[-1] == TOKENIZER.special_tokens[START["assistant"]]
    with pytest.raises(ValueError, match="not the user's"):
        render_prompt(TOKENIZER, messages[:2])


def test_a_long_prompt_forgets_whole_exchanges_but_not_the_system_or_the_question():
    messages = conversation("one", "two", "three", "four", "five", system="rule")
    short = conversation("three", "four", "five", system="rule")
    kept = render_prompt(TOKENIZER, short)
    assert render_prompt(TOKENIZER, messages, len(kept)) == kept
    last = render_prompt(TOKENIZER, conversation("five", system="rule"))
    assert render_prompt(TOKENIZER, messages, len(kept) - 1) == last
    with pytest.raises(ValueError, match=rf"{len(last)} tokens long.*at most {len(last) - 1} fit"):
        render_prompt(TOKENIZER, messages, len(last) - 1)
    with pytest.raises(ValueError, match=r"^the message is \d,\d{3} tokens long; at most 10 fit"):
        render_prompt(TOKENIZER, conversation("x " * 2000), 10)


@pytest.mark.parametrize(
    ("window", "most", "room"),
    [(128, None, 86), (128, 10, 118), (128, 42, 86), (128, 43, 86), (1024, 100, 924), (3, 9, 2)],
)
def test_a_third_of_the_window_is_the_answers_or_less_if_that_may_have_no_more(window, most, room):
    assert room_for_questions(window, most) == room


def test_a_conversation_longer_than_the_window_is_cut_after_a_reply():
    messages = conversation("one", "two", "three", "four", system="rule")
    whole, half = render(TOKENIZER, messages), render(TOKENIZER, messages[:3])
    assert cut_at_turn(TOKENIZER, messages, len(whole[0])) == whole
    assert cut_at_turn(TOKENIZER, messages, len(whole[0]) - 1) == half
    assert cut_at_turn(TOKENIZER, messages, len(half[0]) - 1) is None


# ---- bad input -----------------------------------------------------------------------------


def user(content):
    return {"role": "user", "content": content}


def assistant(content):
    return {"role": "assistant", "content": content}


@pytest.mark.parametrize(
    ("messages", "complaint"),
    [
        ([], "must be a list of messages"),
        ("hello", "must be a list of messages"),
        (["hello"], 'message 1 is "hello"; it must have "role" and "content"'),
        ([{"role": "user"}], 'must have "role" and "content"'),
        ([{"role": "narrator", "content": "x"}], 'role is "narrator"; it must be one of'),
        ([{"role": ["user"], "content": "x"}], "role is .*; it must be one of"),
        ([assistant("x")], "message 1: role is 'assistant'; it must be 'user'"),
        ([user("x"), user("y")], "message 2: role is 'user'; it must be 'assistant'"),
        ([user("x"), {"role": "system", "content": "y"}], "message 2: role is 'system'"),
        ([user("")], 'content is ""; it must be text'),
        ([user(" \n")], "it must be text"),
        ([user(None)], "content is null; it must be text"),
        ([user(["x"])], "it must be text"),
    ],
)
def test_messages_that_are_none_are_refused_with_the_rule(messages, complaint):
    with pytest.raises(ValueError, match=complaint):
        check_messages(messages)


GOOD = json.dumps({"messages": conversation("a", "b"), "source": "kept"}).encode()


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"{", "no valid JSON"),
        (b"\xff", "no valid JSON"),
        (b"[1]", 'must be {"messages": [...]}'.replace("[", r"\[").replace("]", r"\]")),
        (b'{"text": "x"}', "must be {"),
        (json.dumps({"messages": [user("x")]}).encode(), "last message must be the assistant's"),
        (json.dumps({"messages": [user(""), assistant("x")]}).encode(), "message 1: content"),
        (b"[" * 100_000, "no valid JSON"),
    ],
)
def test_a_malformed_line_is_named_by_file_and_number(tmp_path, line, complaint):
    path = tmp_path / "my.jsonl"
    path.write_bytes(GOOD + b"\n\n" + line + b"\n")
    with pytest.raises(ValueError, match=rf"my.jsonl, line 3: .*{complaint}"):
        list(read_conversations(path))


def test_blank_lines_and_a_byte_order_mark_are_passed_over_and_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "my.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD + b"\n\n" + GOOD)
    assert list(read_conversations(path)) == [(n, conversation("a", "b")) for n in (1, 3)]
    path.write_bytes(b"\n")
    with pytest.raises(ValueError, match=r"my\.jsonl is empty"):
        list(read_conversations(path))


# ---- the vocabulary and the folder ---------------------------------------------------------


def test_control_tokens_are_added_after_the_last_id_and_only_once():
    base = example_tokenizer()
    assert TOKENIZER.n_vocab == base.n_vocab + len(CONTROL_TOKENS)
    assert control_ids(TOKENIZER)["<|bos|>"] == base.n_vocab
    assert TOKENIZER.encode_ordinary("the list") == base.encode_ordinary("the list")
    assert with_control_tokens(TOKENIZER) is TOKENIZER
    with pytest.raises(ValueError, match=r"has no <\|bos\|>, .*fine-tuned first"):
        control_ids(base)


def test_a_special_token_the_template_could_not_guard_is_refused():
    odd = Tokenizer.from_merges(example_tokenizer().merges, special_tokens=["[PAD]"])
    with pytest.raises(ValueError, match=r"'\[PAD\]'; it must hold a '\|'"):
        with_control_tokens(odd)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An assistant's folder, untrained."""
    folder = tmp_path_factory.mktemp("chat")
    save_model(folder, small_model(vocab_size=TOKENIZER.n_vocab), TOKENIZER)
    save_template(folder, TOKENIZER)
    return folder


def test_an_assistants_folder_loads_and_says_where_a_reply_ends(folder):
    _, tokenizer = load(folder)
    assert tokenizer.special_tokens == TOKENIZER.special_tokens
    check_template(folder, tokenizer)
    end = TOKENIZER.special_tokens[END["assistant"]]
    for name in ("generation_config.json", "config.json"):
        assert json.loads((folder / name).read_text())["eos_token_id"] == end


def test_a_base_model_and_a_template_that_does_not_fit_are_refused(folder, tmp_path):
    save_example_model(tmp_path)
    with pytest.raises(ValueError, match="has no chat_template: it is no assistant"):
        check_template(tmp_path, example_tokenizer())
    (tmp_path / "tokenizer_config.json").write_bytes(
        (folder / "tokenizer_config.json").read_bytes()
    )
    with pytest.raises(ValueError, match=r"uses <\|assistant_end\|>, .*does not have"):
        check_template(tmp_path, example_tokenizer())
    for text, complaint in (("{", "not a JSON object"), ("[]", "not a JSON object")):
        (tmp_path / "tokenizer_config.json").write_text(text)
        with pytest.raises(ValueError, match=complaint):
            check_template(tmp_path, TOKENIZER)
    (tmp_path / "tokenizer_config.json").write_text('{"chat_template": "{{ messages }}"}')
    with pytest.raises(ValueError, match="not the one of minigpt"):
        check_template(tmp_path, TOKENIZER)


def test_a_template_in_a_file_of_its_own_comes_first_as_in_transformers(folder, tmp_path):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "tokenizer_config.json").write_text("{}")
    assert read_template(tmp_path) is None
    (tmp_path / "chat_template.jinja").write_text(read_template(folder), encoding="utf-8")
    check_template(tmp_path, TOKENIZER)
    (tmp_path / "chat_template.jinja").write_text("{{ messages }}")
    with pytest.raises(ValueError, match=r"chat_template.jinja: .* not the one of minigpt"):
        check_template(tmp_path, TOKENIZER)


# ---- beside transformers -------------------------------------------------------------------


@pytest.fixture(scope="module")
def theirs(folder):
    transformers = pytest.importorskip("transformers")
    return transformers.AutoTokenizer.from_pretrained(folder)


@pytest.mark.peer
@untimed
@given(messages=conversations())
def test_transformers_gives_our_ids_and_our_mask_whatever_the_contents(theirs, messages):
    ids, mask = render(TOKENIZER, messages)
    found = theirs.apply_chat_template(
        messages, return_dict=True, return_assistant_tokens_mask=True
    )
    assert found["input_ids"] == ids
    assert np.array_equal(found["assistant_masks"], mask)
    prompt = render_prompt(TOKENIZER, messages[:-1])
    found = theirs.apply_chat_template(messages[:-1], add_generation_prompt=True, return_dict=True)
    assert found["input_ids"] == prompt


@pytest.mark.peer
def test_what_transformers_saves_again_is_still_an_assistant(folder, theirs, tmp_path):
    import transformers

    theirs.save_pretrained(tmp_path)
    transformers.AutoModelForCausalLM.from_pretrained(folder).save_pretrained(tmp_path)
    (model, tokenizer), (ours, _) = load(tmp_path), load(folder)
    check_template(tmp_path, tokenizer)
    assert tokenizer.encode("the <|bos|> list", "all") == TOKENIZER.encode(
        "the <|bos|> list", "all"
    )
    assert (model.params.flat == ours.params.flat).all()


@pytest.mark.peer
def test_transformers_answers_as_our_assistant_does(folder, theirs):
    """The folder as it is: their template, their weights, their generate; the likeliest ids."""
    import transformers

    model, tokenizer = load(folder)
    messages = [user("the list")]
    prompt = render_prompt(tokenizer, messages)
    ours = list(generate(model, prompt, 5, 0, stop=(tokenizer.special_tokens[END["assistant"]],)))
    their_model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    ids = theirs.apply_chat_template(
        messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    reply = their_model.generate(**ids, do_sample=False, max_new_tokens=5, pad_token_id=0)
    assert reply[0, len(prompt) :].tolist()[: len(ours)] == ours


@pytest.mark.peer
def test_transformers_decodes_our_ids_to_what_was_said(theirs):
    ids, _ = render(TOKENIZER, conversation("the <|bos|> list", "a|b"))
    assert theirs.decode(ids, skip_special_tokens=True) == "the <|bos|> lista|b"


@pytest.mark.peer
def test_the_template_refuses_roles_out_of_order(theirs):
    with pytest.raises(Exception, match="message 2 must be of the assistant"):
        theirs.apply_chat_template([user("a"), user("b")], tokenize=False)
