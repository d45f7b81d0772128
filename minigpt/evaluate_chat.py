"""What does the assistant know, what does it make up, and does it repeat itself?

Asks the questions of chat_data.py's questions.jsonl, whose phrasings were never trained on, takes
the likeliest answer (temperature 0), and counts:

    exact              questions about facts answered in exactly the right words
    held out           the same for names that fine-tuning never saw (pretraining did), of how many
                       it says that it does not know them, and how many it names as they were asked
    follow-up          the same for questions that only what was said before makes clear, and
                       without what was said before: then nobody could know
    follow-on          the same for follow-ups about modules, classes, methods and terms, and for
                       those about a module that was named two questions before
    article            built-in classes asked for as people do: a list, a string
    another            a name asked for by its end alone, behind one that it stands beside
    invented declined  invented names of which it says that it does not know them; and how many of
                       them it names as they were asked: a small model may misspell them
    real declined      trained facts of which it says so too, or that it was not taught them
    not taught         of a taught name, what was not taught of it: says that it was not, in the
                       words for this or for anything (further.py)
    follows            and what follows, as the module of json.dumps: answered exactly
    small talk         who it is, greetings, thanks: answered as written (small_talk.py)
    general            about nothing that is taught: answered as written (general.py)
    own                the user's own conversations, as they are trained on: answered as written
    loops              replies that repeat themselves, see `loops`

The base model gets the same questions in a text of questions and answers that it continues. The
report, evaluation.json in the assistant's folder, holds all of these, some answers of each kind,
more of what went wrong, and the questions that nobody should be told to ask (unfit). Nothing here
measures how well other questions are answered.

Source for loops: Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration".
"""

import contextlib
import json
import time
from pathlib import Path

from bpe.mistakes import reason
from minigpt import checkpoint
from minigpt.chat_format import END, control_ids, render_prompt
from minigpt.chat_template import check_template
from minigpt.chat_verdicts import examples, mistakes, taught, unfit, verdict
from minigpt.distribution import Settings
from minigpt.further import says_not_taught
from minigpt.parallel import Workers
from minigpt.phrasings import declines
from minigpt.progress_bar import CountingBar
from minigpt.resume import EVALUATION
from minigpt.sample import Generation, write

MAX_NEW_TOKENS = 80  # the longest facts have some 70
LIKELIEST = Settings(temperature=0)
BATCH = 48  # questions answered at a time
TIMES = 3  # a loop: a stretch stands so often in a row ...
SHORTEST = 2  # ... and has at least so many tokens
BASE_QUESTIONS = 300  # up to twice as many are asked of the base model, which answers most alike


def loops(ids):
    """Tell whether a stretch of ids stands three times in a row."""
    ids = list(ids)
    for n in range(SHORTEST, len(ids) // TIMES + 1):
        for start in range(len(ids) - TIMES * n + 1):
            stretch = ids[start : start + n]
            if all(ids[start + k * n : start + (k + 1) * n] == stretch for k in range(1, TIMES)):
                return True
    return False


def read_questions(path):
    """Return the lines of questions.jsonl.

    Raises ValueError for a malformed one.
    """
    lines = []
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                question = json.loads(line.decode("utf-8"))
                _ = question["asks"], question["kind"], question["messages"][-1]["content"]
            except (ValueError, LookupError, TypeError, RecursionError) as error:
                raise ValueError(
                    f"{path}, line {number}: no question ({reason(error)}); make the file again "
                    "with python -m minigpt conversations"
                ) from None
            lines.append(question)
    return lines


# ---- asking --------------------------------------------------------------------------------


def answer_all(model, prompts, stop, workers, say, title):
    """Return the likeliest continuation of each prompt, lists of ids, up to one of `stop`.

    At most MAX_NEW_TOKENS each; where the window is full, it is moved along.
    """
    groups = [prompts[i : i + BATCH] for i in range(0, len(prompts), BATCH)]
    bar = CountingBar(len(prompts), title, "questions", say)

    def work(group):
        replies = write(Generation(model, group, MAX_NEW_TOKENS, LIKELIEST, stop))
        bar.update(len(group))
        return replies

    with bar:
        return [reply for replies in workers.map(work, groups) for reply in replies]


def ask_assistant(folder, questions, device, workers, say=print):
    """Return the replies (lists of ids) and the tokenizer of an assistant's folder."""
    model, tokenizer = checkpoint.load(folder, device)
    check_template(folder, tokenizer)
    T, stop = model.config.n_positions, (control_ids(tokenizer)[END["assistant"]],)
    prompts, asked = [], []
    for i, q in enumerate(questions):
        # a question that the window cannot hold gets no answer, which counts as wrong
        with contextlib.suppress(ValueError):
            prompts.append(render_prompt(tokenizer, q["messages"][:-1], T))
            asked.append(i)
    replies = [[] for _ in questions]
    title = "asking, follow-ups also by themselves"
    for i, reply in zip(asked, answer_all(model, prompts, stop, workers, say, title), strict=True):
        replies[i] = reply
    return replies, tokenizer


def ask_base(folder, questions, device, workers, say=print):
    """Return the replies of a base model to the last question of each, after two examples."""
    model, tokenizer = checkpoint.load(folder, device)
    examples = "".join(
        f"Question: {q['messages'][0]['content']}\nAnswer: {q['messages'][1]['content']}\n\n"
        for asks in ("held_out", "invented")
        for q in [q for q in questions if q["asks"] == asks][:1]
    )
    room = max(1, model.config.n_positions - MAX_NEW_TOKENS // 2)
    stop = {tokenizer.eot_token} | {i for i, token in tokenizer.tokens.items() if b"\n" in token}
    prompts = []
    for q in questions:
        text = f"Question: {q['messages'][-2]['content']}\nAnswer:"
        prompts.append([tokenizer.eot_token, *tokenizer.encode_ordinary(examples + text)][-room:])
    return answer_all(model, prompts, stop, workers, say, "asking the base model"), tokenizer


# ---- counting ------------------------------------------------------------------------------


def score(questions, replies, tokenizer):
    """Return the figures of replies (lists of ids) to questions; a share of nothing is None."""
    said = [tokenizer.decode(reply).strip() for reply in replies]
    right = [s == q["messages"][-1]["content"] for s, q in zip(said, questions, strict=True)]
    declined = [declines(s) for s in said]
    refused = [declines(s) or says_not_taught(s) for s in said]
    said_so = [verdict(q, s) == "right" for q, s in zip(questions, said, strict=True)]
    named = [declines(s, q.get("name", "")) for s, q in zip(said, questions, strict=True)]
    asks = [q["asks"] for q in questions]

    def share(values, which, kind=None):
        chosen = [
            v for v, a, q in zip(values, asks, questions, strict=True)
            if a == which and kind in (None, q["kind"])
        ]  # fmt: skip
        return round(sum(chosen) / len(chosen), 4) if chosen else None

    kinds = sorted({q["kind"] for q in questions if q["asks"] == "known"})
    return {
        "questions": {which: asks.count(which) for which in dict.fromkeys(asks)},
        "exact": share(right, "known"),
        "exact_by_kind": {kind: share(right, "known", kind) for kind in kinds},
        "held_out_exact": share(right, "held_out"),
        "held_out_declined": share(declined, "held_out"),
        "held_out_named": share(named, "held_out"),
        "follow_up_exact": share(right, "follow_up"),
        "follow_on_exact": share(right, "follow_on"),
        "article_exact": share(right, "article"),
        "another_exact": share(right, "another"),
        "invented_declined": share(declined, "invented"),
        "invented_named": share(named, "invented"),
        "real_declined": share(refused, "known"),
        "not_taught_said": share(said_so, "not_taught"),
        "follows_exact": share(right, "follows"),
        "small_talk_exact": share(right, "small_talk"),
        "general_exact": share(right, "general"),
        "own_exact": share(right, "own"),
        "loops": round(sum(map(loops, replies)) / len(replies), 4),
    }


def evaluate_chat(chat, conversations, base=None, device="cpu", say=print):
    """Examine the assistant in the folder `chat` and write its evaluation.json; return that.

    `conversations` is the folder that chat_data.make wrote. With the folder of a base model, its
    figures are in "base". Raises ValueError for bad input.
    """
    began = time.monotonic()
    questions = read_questions(Path(conversations) / "questions.jsonl")
    # the same follow-ups to somebody who did not hear what was said before
    alone = [
        q | {"messages": q["messages"][-2:], "asks": "follow_up"}
        for q in questions if q["asks"] == "follow_up"
    ]  # fmt: skip
    if not questions:
        report = {"stage": "evaluate chat", "seconds": 0.0, "questions": {}}
        checkpoint.write_json(Path(chat) / EVALUATION, report)
        return report
    with Workers() as workers:
        replies, tokenizer = ask_assistant(chat, questions + alone, device, workers, say)
        n = len(questions)
        report = {"stage": "evaluate chat", "seconds": None}
        report |= score(questions, replies[:n], tokenizer)
        unheard = score(alone, replies[n:], tokenizer) if alone else {"follow_up_exact": None}
        report["follow_up_exact_alone"] = unheard["follow_up_exact"]
        if base is not None:
            some = questions[:: max(1, len(questions) // BASE_QUESTIONS)]
            base_replies, base_tokenizer = ask_base(base, some, device, workers, say)
            report["base"] = score(some, base_replies, base_tokenizer)
    report["taught"] = taught(questions)
    report["examples"] = examples(questions, replies[:n], tokenizer)
    report["mistakes"] = mistakes(questions, replies[:n], tokenizer)
    report["unfit"] = unfit(questions, replies[:n], tokenizer)
    report["seconds"] = round(time.monotonic() - began, 3)
    checkpoint.write_json(Path(chat) / EVALUATION, report)
    return report
