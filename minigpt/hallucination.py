"""Does the model know what it does not know? Facts it read, facts it did not, and inventions.

The names, and what is true of them, come from page_facts.py. A base model does not answer
questions, it continues documents; so each question comes after a few answered ones, one of which is
about a made-up name and is answered with "I do not know." An answer is

    right             its words and those of the true one overlap by half or more (F1)
    another name's    word for word what the pages say of another name
    something else    other words: a wrong answer or nonsense, which are not told apart
    does not know     it says so
    no words          empty, or signs only

About a made-up name, the second and the third are both made up.

Source: the overlap is SQuAD's F1, Rajpurkar et al. 2016, "SQuAD: 100,000+ Questions".
"""

import re
from collections import Counter

from minigpt.choices import Item, is_right, score_choices
from minigpt.corpus import one_line
from minigpt.page_facts import GROUPS, HELD_OUT, INVENTED, KINDS, TRAINING, gather
from minigpt.tables import interval, table, words

QUESTIONS = 12  # of each kind and group
SHOTS = 4
ANSWER_TOKENS = 32
CHOICES = 4
TITLE = "What it knows, and what it makes up"
ABSTAIN = "I do not know."
ABSTENTIONS = ("i do not know", "i dont know", "unknown", "there is no such", "no such")
RIGHT, ANOTHERS, ELSE, IGNORANT, EMPTY = VERDICTS = (
    "right", "another name's", "something else", "does not know", "no words"
)  # fmt: skip
QUESTION = {"page": "What is {}?", "function": "Where is {} from?"}


def ask(fact):
    """Return a fact as a question, with its answer still to come."""
    return f"Q: {QUESTION[fact.kind].format(fact.name)}\nA:"


def prompt(subject, fact, shown):
    """Return ids of a question after as many answered ones as the window has room for."""
    room = subject.window - min(ANSWER_TOKENS, subject.window // 4)
    for n in range(len(shown), -1, -1):
        answered = [f"{ask(f)} {f.answer or ABSTAIN}\n\n" for f in shown[len(shown) - n :]]
        ids = [subject.separator, *subject.encode("".join(answered) + ask(fact))]
        if len(ids) <= room:
            break
    return ids[-room:]


def normalise(text):
    """Return the words of an answer, in lower case and without punctuation."""
    return re.sub(r"[^\w\s.]", "", text.lower()).replace(". ", " ").strip(" .").split()


def overlap(answer, truth):
    """Return the F1 of the words that two texts share.

    >>> overlap("The heap queue!", "a heap")  # one word of three, which is one of two
    0.4
    """
    a, b = Counter(normalise(answer)), Counter(normalise(truth))
    same = (a & b).total()
    return 2 * same / (a.total() + b.total()) if same else 0.0


def judge(answer, truth, known=frozenset()):
    """Return one of VERDICTS; `truth` is None for a made-up name.

    `known` are the true answers to all questions of this kind: their words (`normalise`), joined.
    """
    said = " ".join(normalise(answer))
    if not said:
        return EMPTY
    if said.startswith(ABSTENTIONS):
        return IGNORANT
    if truth is not None and overlap(answer, truth) >= 0.5:
        return RIGHT
    return ANOTHERS if said in known else ELSE


def true_answers(facts, kind):
    """Return the true answers to all questions of a kind, as `judge` compares them."""
    found = (fact.answer for group in GROUPS for fact in facts[kind, group])
    return {" ".join(normalise(answer)) for answer in found if answer is not None}


def questions(facts):
    """Return [(group, Fact, facts shown before it)]; those shown are never asked for."""
    asked = []
    for kind in KINDS:
        known, made = facts[kind, TRAINING], facts[kind, INVENTED]
        # next to last, so that it stays where the window has no room for all
        shown = [*known[: SHOTS - 2], *made[:1], *known[SHOTS - 2 : SHOTS - 1]]
        for group in GROUPS:
            skip = {TRAINING: SHOTS - 1, HELD_OUT: 0, INVENTED: 1}[group]
            for fact in facts[kind, group][skip : skip + QUESTIONS]:
                asked.append((group, fact, shown))
    return asked


def recognition(subject, facts, rng):
    """Return rows: does it prefer the true answer to those of three others?"""
    rows = []
    for (kind, group), found in facts.items():
        if group == INVENTED or len({fact.answer for fact in found}) < CHOICES:
            continue
        items = []
        for fact in found[: 2 * QUESTIONS]:
            others = list({f.answer: None for f in found if f.answer != fact.answer})
            wrong = [others[i] for i in rng.permutation(len(others))[: CHOICES - 1]]
            gold = int(rng.integers(CHOICES))
            choices = (*wrong[:gold], fact.answer, *wrong[gold:])
            items.append(Item(ask(fact), choices, gold))
        scored = score_choices(subject, "recognising", items)
        right = sum(is_right(item, s) for item, s in zip(items, scored, strict=True))
        n = len(items)
        rows.append([kind, group, n, right / n, interval(right, n), 1 / CHOICES])
    return rows


def section(subject, corpus, rng):
    """Return the section of a report on what the model knows and what it makes up."""
    facts = gather(corpus, rng)
    asked = questions(facts)
    held_out = "" if corpus.is_cut else "in a held-out page that the model never read, "
    intro = words(
        f"A question has an answer in the training pages, {held_out}or it is about a name that "
        f"does not exist: two halves of real ones, found nowhere. Each comes after up to {SHOTS} "
        f"answered questions, one answered with `{ABSTAIN}` A model trained to continue text has "
        f"no reason to abstain: it writes what an answer would look like. An answer is another "
        f"name's if the pages say it so of that; something else may be a wrong answer or no sense "
        f"at all, which is not told apart. At most {QUESTIONS} names of each row are asked for."
    )
    if not asked:
        intro = words("Too few of these pages begin with a name and a sentence about it, so there "
                      "is nothing to ask for.")  # fmt: skip
        return {"title": TITLE, "headline": None, "parts": [intro]}
    counts, first = tally(facts, asked, answers(subject, asked))
    rows = [
        [kind, group, n.total(), *(None if (v, group) == (RIGHT, INVENTED) else n[v] / n.total()
                                   for v in VERDICTS)]
        for (kind, group), n in counts.items()
    ]  # fmt: skip
    parts = [
        intro,
        table(
            "Answers in its own words",
            [("question", ""), ("name from", ""), ("asked", ",d"), *((v, ".0%") for v in VERDICTS)],
            rows,
        ),
        table(
            "One of each kind",
            [("question", ""), ("it wrote", ""), ("judged", ""), ("the pages say", "")],
            first,
        ),
    ]
    parts += recognition_parts(recognition(subject, facts, rng))
    return {"title": TITLE, "headline": headline(counts), "parts": parts}


def answers(subject, asked):
    """Let the model answer what `questions` gave; return a text for each."""
    prompts = [prompt(subject, fact, shown) for _, fact, shown in asked]
    n_new = min(ANSWER_TOKENS, subject.window // 4)
    newlines = subject.ids_with(b"\n")
    written = subject.write("answering", prompts, n_new, temperature=0, stop=newlines)
    return [subject.decode(ids).strip() for ids in written]


def tally(facts, asked, answers):
    """Return {(kind, group): Counter of VERDICTS}, and a row of the first answer of each sort."""
    known = {kind: true_answers(facts, kind) for kind in KINDS}
    counts, first = {}, {}
    for (group, fact, _), answer in zip(asked, answers, strict=True):
        verdict = judge(answer, fact.answer, known[fact.kind])
        counts.setdefault((fact.kind, group), Counter())[verdict] += 1
        row = [QUESTION[fact.kind].format(fact.name), one_line(answer, 70), verdict,
               one_line(fact.answer or "there is no such thing", 70)]  # fmt: skip
        first.setdefault((fact.kind, group, verdict), row)
    return counts, list(first.values())


def recognition_parts(rows):
    """Return the parts of a report on answers recognised, none where nothing was asked."""
    if not rows:
        return []
    return [
        words(
            f"Recognising is easier than answering: here it only has to find the true answer more "
            f"likely than those to {CHOICES - 1} other questions, with no examples before."
        ),
        table(
            "Answers recognised",
            [("question", ""), ("name from", ""), ("asked", ",d"), ("right", ".0%"),
             ("95% interval", ""), ("chance", ".0%")],
            rows,
        ),
    ]  # fmt: skip


def headline(counts):
    """Return in a sentence how often it was right, and made something up; None if not asked."""
    real = sum((n for (_, group), n in counts.items() if group == TRAINING), Counter())
    made = sum((n for (_, group), n in counts.items() if group == INVENTED), Counter())
    if not real or not made:
        return None
    return (
        f"Of {real.total()} questions about its pages the base model answered {real[RIGHT]} right; "
        f"of {made.total()} about names that do not exist it answered "
        f"{made[ANOTHERS] + made[ELSE]} as if they did, and {made[IGNORANT]} with not knowing."
    )
