"""Facts -> questions and answers, in many words; names that do not exist; follow-ups.

A small model learns a fact only where it is asked for it in several ways, and it has learned it
only if it knows it when asked in yet another. So each kind of question has phrasings to train on
and others, HELD_OUT, that are never trained on and serve to measure.

Every answer begins with the kind of thing and its name, "Module NAME: ...": the model has to read
the name and spell it before it says what it knows, and what it knows then follows the same few
ids however the question was phrased. For a name that does not exist the answer goes on
otherwise, "Module NAME? I do not know ...", so knowing and not knowing part at one place. So it
does for a name that exists but is not taught.

This is not the reading of pages (facts.py) nor the files (chat_data.py).
"""

import re

TRAINED = {
    "module": [
        "What is {}?", "What is {} for?", "What does {} do?", "Tell me about {}.",
        "What is the module {}?", "What does the module {} do?", "Can you explain {}?",
        "What can I do with {}?", "{}: what is it?", "Please describe {}.",
        "When do I need {}?", "Describe the module {} in a sentence.",
        "What is the use of the module {}?", "What purpose does {} serve?",
        "I have never heard of {}. What is it?", "My program imports {}. What does it give me?",
        "What is the {} module?", "What does the {} module do?", "Say in a few words what {} is.",
        "Explain {}.",
    ],
    "function": [
        "What does {} do?", "What is {}?", "Tell me about {}.", "What is {} for?",
        "What does the function {} do?", "Can you explain {}?", "{}: what does it do?",
        "Please describe {}.", "What happens when I call {}?", "What is the function {} for?",
        "Describe {} in a sentence.", "When do I need {}?",
        "What is the use of {}?", "What purpose does {} serve?",
        "I have never heard of {}. What is it?", "My program calls {}. What does that do?",
        "What does the {} function do?", "Explain {}.", "Say in a few words what {} is.",
        "Somebody told me to call the function {}. Why?",
    ],
    "signature": [
        "How do I call {}?", "What are the arguments of {}?", "Which arguments does {} take?",
        "What is the signature of {}?", "Show me how to call {}.", "How is {} called?",
        "What do I pass to {}?", "Give me the signature of {}.", "{}: which arguments?",
        "How do I write a call of {}?", "Which arguments do I give to {}?",
        "Tell me the arguments of {}.",
        "What goes between the brackets of {}?", "My call of {} fails. How is it written?",
        "How many arguments has {}, and which?", "Does {} take arguments?",
        "I forgot the arguments of {}.", "Write down a call of {}.",
        "What must I hand over to the function {}?", "The arguments of {}, in order?",
    ],
    "home": [
        "Which module has {}?", "Where is {}?", "In which module is {}?", "Where do I find {}?",
        "What module is {} in?", "From which module do I import {}?", "Where does {} live?",
        "I look for {}. Where is it?", "{}: which module?", "Which module do I need for {}?",
        "Tell me which module has {}.", "In what module can I find {}?",
        "What do I import to get {}?", "My program does not find {}. Which module is it in?",
        "Somebody mentioned {}. Where is it?", "To which module does {} belong?",
        "Which page tells me about {}?", "I forgot where {} is.", "Do you know where {} is?",
        "The function {} is in which module?",
    ],
    "page": [
        "What is {} about?", "Tell me about {}.", "What does the page {} say?", "What is {}?",
        "What do you know about {}?", "{}: what is it about?", "Please describe {}.",
        "Can you explain {}?", "What did you read about {}?", "Describe {} in a sentence.",
        "How does the page {} begin?", "What does {} mean?",
        "What is the use of {}?", "Why would anyone read {}?",
        "I have never heard of {}. What is it?", "Somebody mentioned {}. What is that?",
        "What kind of page is {}?", "Is {} of any use to me?", "Say in a few words what {} is.",
        "Somebody told me to read {}. Why?",
    ],
}  # fmt: skip

HELD_OUT = {
    "module": [
        "Could you tell me what {} is for?", "What is the purpose of the module {}?",
        "I want to know what {} does.", "Please explain the module {} to me.",
    ],
    "function": [
        "Could you tell me what {} does?", "What is the purpose of {}?",
        "I want to know what the function {} is for.", "Please explain the function {} to me.",
    ],
    "signature": [
        "What arguments do I pass when I call {}?", "Could you show me the signature of {}?",
        "With which arguments is {} called?", "Please tell me how to call {}.",
    ],
    "home": [
        "Could you tell me which module {} is in?", "Which module do I import for {}?",
        "I need {}. In which module is it?", "Where can I find {}?",
    ],
    "page": [
        "Could you tell me what {} is about?", "What is the page {} about?",
        "I want to know about {}.", "Please explain {} to me.",
    ],
}  # fmt: skip

# Questions that only what was said before makes clear, by what they ask for.
FOLLOW_UPS = {
    "signature": ["And how do I call it?", "How is it called?", "And its arguments?",
                  "Which arguments does it take?", "And how is it called?"],
    "function": ["And what does it do?", "What is it for?", "And what is it for?",
                 "What does it do?", "And what happens when I call it?"],
    "home": ["And which module is it in?", "Where is it?", "And where is it?",
             "In which module is it?", "And which module has it?"],
    "return": ["And what does it return?", "What does it return?", "And what do I get back?",
               "What comes back?", "And its result?"],
}  # fmt: skip
HELD_OUT_FOLLOW_UPS = {
    "signature": ["And which arguments does it take?", "And how do I write a call of it?"],
    "function": ["And can you explain what it does?", "What happens when I call it?"],
    "home": ["And in which module is it?", "And where do I find it?"],
    "return": ["And what do I get back from it?", "And what is returned?"],
}

NOUN = {"module": "Module", "function": "Function", "signature": "Function", "home": "Function",
        "page": "Page"}  # fmt: skip
UNKNOWN = "I do not know"  # how every answer about a name that does not exist goes on


def answer(kind, name, text):
    """Return what the assistant says about a name that it knows."""
    if kind == "home":
        text = f"it is in {text}."
    return f"{NOUN[kind]} {name}: {text}"


def unknown_answer(kind, name):
    """Return what the assistant says about a name that does not exist."""
    return f"{NOUN[kind]} {name}? {UNKNOWN} that name."


def return_answer(name, text):
    """Return what the assistant says to "what does it return?", where `text` says what it does."""
    if re.match(r"Returns? ", text):
        return answer("function", name, text)
    return f"Function {name}: its page does not say what it returns."


def declines(reply):
    """Tell whether a reply says that the assistant does not know."""
    return UNKNOWN in reply


OPENINGS = ("Hi! ", "Hello. ", "Please: ", "A question: ", "Sorry to ask: ", "I am new to this. ",
            "One more: ", "Quick question. ", "Good morning! ", "I wonder: ", "Now this: ",
            "For my work: ")  # fmt: skip
CLOSINGS = (" Thanks!", " Thank you.", " Be brief.", " I need it now.")


def vary(question, rng):
    """Return a question as a person in a hurry may type it."""
    draw = rng.random()
    if draw < 0.08 and question[-1] in "?.":
        question = question[:-1]
    elif draw < 0.16 and question[0].isupper():
        question = question[0].lower() + question[1:]
    elif draw < 0.28:
        question = rng.choice(OPENINGS) + question
    elif draw < 0.34:
        question += rng.choice(CLOSINGS)
    return question


# ---- names that do not exist -----------------------------------------------------------------


class Invented:
    """Names that look like those of `facts` and are no names, made of their parts."""

    def __init__(self, facts, names, rng):
        """`names`: every name in the documents, see facts.collect; none is ever given out."""
        self.rng, self.names = rng, set(names)
        self.known = {f.name for f in facts}
        self.by_kind = {}
        for fact in facts:
            self.by_kind.setdefault(fact.kind, []).append(fact.name)
        self.given = set()

    def name(self, kind):
        """Return a new name of `kind`, None where there are too few to make up another."""
        for _ in range(1000):
            first, second = self.rng.choice(self.by_kind[kind]), self.rng.choice(self.by_kind[kind])
            if kind == "page":
                name = mix(first.split(" "), second.split(" "), " ", self.rng)
            elif "." in first and "." in second and self.rng.random() < 0.4:
                # parts that exist, in a place where they are not
                name = first.rpartition(".")[0] + "." + second.rpartition(".")[2]
            else:
                stem, dot, _ = first.rpartition(".")
                name = stem + dot + self.word(first.rpartition(".")[2], second.rpartition(".")[2])
            if self.is_new(name):
                self.given.add(name)
                return name
        return None

    def word(self, first, second):
        """Return a word made of the parts of two."""
        if "_" in first.strip("_") and "_" in second.strip("_"):
            return mix(first.split("_"), second.split("_"), "_", self.rng)
        cut, start = self.rng.randint(2, max(2, len(first) - 1)), self.rng.randint(1, 4)
        return first[:cut] + second[min(start, max(0, len(second) - 2)) :]

    def is_new(self, name):
        """Tell whether no document has the name, and nobody got it yet."""
        return not (name in self.known or name in self.names or name in self.given or "__" in name)


def mix(first, second, between, rng):
    """Join the beginning of one list of parts and the end of another."""
    cut = rng.randint(1, max(1, len(first) - 1))
    start = rng.randint(min(1, len(second) - 1), len(second) - 1)
    return between.join(first[:cut] + second[start:])
