"""Small talk: who the assistant is, what it can do, greetings and thanks, in many words.

It is written by hand, in data/small_talk.jsonl; a line is one thing to say and what calls for it:

    {"answer": "My name is minigpt.", "asked": ["What is your name?", ...],
     "held_out": ["hey, you got a name", ...]}

What is "asked" is trained on, the most usual first and oftenest; what is "held_out" never is, it
serves to measure: as for facts (phrasings.py), to know an answer is to give it to words one has not
seen. Some of these are a single word away from others: there are few ways to say hello. An answer
that speaks of Python's library has another, "elsewhere", for a model that read other pages, and one
that speaks of pages has one "of_text", for a model that read a text and was taught nothing that it
says. One that says {parameters} is left out where it is not known how many the model has.

The other written conversations, data/conversations.jsonl, have one wording each.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from minigpt.amounts import in_words
from minigpt.as_typed import vary
from minigpt.chat_format import conversation
from minigpt.data_files import DATA

SIZE = "{parameters}"  # stands for a number in words
NAME = "small_talk.jsonl"
USUAL, N_USUAL = 3, 8  # times that a usual wording comes, and how many of each answer's are usual


@dataclass(frozen=True)
class SmallTalk:
    """Answers, and for each what is asked, in training and in the examination."""

    lines: tuple  # of dicts, see above
    source: str  # the file's name
    of_python: bool = True  # it may be said that a question is about Python

    @property
    def n_trained(self):
        """The number of wordings that are trained on."""
        return sum(len(line["asked"]) for line in self.lines)

    def conversations(self, n, rng):
        """Return `n` (messages, source), typed in several ways.

        All wordings come equally often, but usual ones, "Who are you?", USUAL times as often.
        """
        pairs = [
            (text, line["answer"])
            for line in self.lines
            for i, text in enumerate(line["asked"])
            for _ in range(USUAL if i < N_USUAL else 1)
        ]
        times, rest = divmod(n, len(pairs))
        return [
            (conversation(typed(text, rng, self.of_python), answer), self.source)
            for text, answer in pairs * times + rng.sample(pairs, rest)
        ]

    def questions(self):
        """Return the lines of the examination, see chat_data.py."""
        return [
            {
                "messages": conversation(text, line["answer"]),
                "asks": "small_talk",
                "kind": "small_talk",
                "name": line["answer"],
                "source": self.source,
            }
            for line in self.lines
            for text in line["held_out"]
        ]


def typed(text, rng, of_python=True):
    """Return a wording as somebody may type it."""
    if text.endswith("?"):
        return vary(text, rng, of_python)
    if rng.random() < 0.4:
        text = text.rstrip(".!") + rng.choice(("", "", "!", "."))
    return text.lower() if rng.random() < 0.3 else text


def read_small_talk(path=DATA / NAME, parameters=None, elsewhere=False, of_text=False):
    """Return the SmallTalk of a file; raise ValueError, naming the line, for what is none.

    `parameters` is how many the model has; None leaves out what tells that. `elsewhere`: it read
    other pages than those of Python's library; `of_text`: no pages, but text.
    """
    lines = []
    for number, text in enumerate(Path(path).read_text("utf-8").splitlines(), start=1):
        try:
            line = json.loads(text)
            other = line.pop("elsewhere", line["answer"])
            text_only = line.pop("of_text", other)
            texts = [line["answer"], other, text_only, *line["asked"], *line["held_out"]]
            whole = all(isinstance(t, str) and t.strip() for t in texts) and line["asked"]
        except (ValueError, TypeError, KeyError, AttributeError):
            whole = False
        if not whole:
            raise ValueError(
                f'{path}, line {number}: it must be {{"answer": text, "asked": [text, ...], '
                f'"held_out": [text, ...]}}, and may have "elsewhere": text, "of_text": text'
            )
        if elsewhere or of_text:
            line["answer"] = text_only if of_text else other
        if parameters is not None:
            line["answer"] = line["answer"].replace(SIZE, in_words(parameters))
        if SIZE not in line["answer"]:
            lines.append(line)
    return SmallTalk(tuple(lines), Path(path).name, of_python=not (elsewhere or of_text))
