"""Does the model know what it does not know? Facts it read, facts it did not, and inventions.

Facts are read off the pages themselves:

    page        a page's first line is a name, its next paragraph begins with a sentence about it
    function    `name(arguments)` at a line's start, on one page only: which page is it from?

Three groups of names are asked for: of training pages, of held-out pages (they exist, but the
model never read them) and made-up ones, recombined from halves of real ones and checked to stand
nowhere. A base model does not answer questions, it continues documents; so each question comes
after a few answered ones, one of which says that there is no such name. An answer is

    right       exact, or at least half of its words and the true one's are the same (F1)
    abstained   it writes nothing, or that it does not know
    wrong       else, of a real name; of a made-up name it is called made up

Sources: the overlap is SQuAD's F1, Rajpurkar et al. 2016, "SQuAD: 100,000+ Questions"; names that
do not exist, Ferrando et al. 2024, "Do I Know This Entity?".
"""

import re
from collections import Counter
from typing import NamedTuple

from minigpt.choices import Item, is_right, score_choices
from minigpt.corpus import one_line
from minigpt.tables import interval, table, words

QUESTIONS = 12  # of each kind and group
SHOTS = 4
ANSWER_TOKENS = 32
DOCUMENTS = 4000  # of each part that facts are looked for in, at most
CHOICES = 4
GROUPS = ("training pages", "held-out pages", "made-up names")
TITLE = "What it knows, and what it makes up"
ABSTAIN = "I do not know."
ABSTENTIONS = ("i do not know", "i dont know", "unknown", "there is no such", "no such")
QUESTION = {"page": "What is {}?", "function": "Where is {} from?"}

SENTENCE = re.compile(r"[A-Z][^\n]{14,110}?[.!](?=\s|$)")
FUNCTION = re.compile(r"^(?:async )?([a-z]\w{4,29})\([^\n]*\)$", re.MULTILINE)


class Fact(NamedTuple):
    """A name and what is to be said of it; `answer` is None for a made-up name."""

    kind: str
    name: str
    answer: str | None


def title_of(text):
    """Return the name at the top of a document, without what is in brackets; "" for none."""
    return text.partition("\n")[0].partition(" (")[0].strip()


def page_fact(text):
    """Return the Fact that a document begins with, or None."""
    name, rest = title_of(text), text.partition("\n")[2].strip()
    found = SENTENCE.match(" ".join(rest.partition("\n\n")[0].split()))
    if not 3 <= len(name) <= 40 or not found:
        return None
    return Fact("page", name, found[0])


def function_facts(texts):
    """Return a Fact for every function that is defined in one of the documents alone."""
    homes = {}
    for text in texts:
        for name in set(FUNCTION.findall(text)):
            homes.setdefault(name, set()).add(title_of(text))
    return [
        Fact("function", name, next(iter(titles)))
        for name, titles in homes.items()
        if len(titles) == 1 and 3 <= len(min(titles)) <= 40
    ]


def recombine(names, rng, n):
    """Return up to `n` names made of the first half of one and the second half of another."""
    made = []
    for _ in range(4 * n):
        if len(names) < 2:
            break
        first, second = (names[i] for i in rng.choice(len(names), 2, replace=False))
        made.append(first[: (len(first) + 1) // 2] + second[len(second) // 2 :])
    return [name for name in dict.fromkeys(made) if len(name) > 4][:n]


def absent(names, parts):
    """Return those of `names` that stand nowhere in the text, in whatever case."""
    left = list(names)
    for part in parts:
        for i in range(len(part)):
            text = part.document_text(i).lower()
            left = [name for name in left if name.lower() not in text]
    return left


def gather(corpus, rng):
    """Return {(kind, group): [Fact, ...]} in random order, names once."""
    facts, names = {}, set()
    for group, part in zip(GROUPS, (corpus.train, corpus.val), strict=False):
        chosen = sorted(rng.permutation(len(part))[:DOCUMENTS].tolist())
        texts = [part.document_text(i) for i in chosen]
        pages = [fact for fact in map(page_fact, texts) if fact]
        for kind, found in (("page", pages), ("function", function_facts(texts))):
            found = [found[i] for i in rng.permutation(len(found))]
            found = list({fact.name: fact for fact in found if fact.name not in names}.values())
            facts[kind, group] = found
            names |= {fact.name for fact in found}
    for kind in QUESTION:
        real = [fact.name for fact in facts[kind, GROUPS[0]]]
        made = absent(recombine(real, rng, 4 * QUESTIONS), (corpus.train, corpus.val))
        facts[kind, GROUPS[2]] = [Fact(kind, name, None) for name in made]
    return facts


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
    """Return the F1 of the words that two texts share."""
    a, b = Counter(normalise(answer)), Counter(normalise(truth))
    same = (a & b).total()
    return 2 * same / (a.total() + b.total()) if same else 0.0


def judge(answer, truth):
    """Return "right", "wrong", "abstained" or "made up"; `truth` is None for a made-up name."""
    said = " ".join(normalise(answer))
    if not said or said.startswith(ABSTENTIONS):
        return "abstained"
    if truth is None:
        return "made up"
    return "right" if overlap(answer, truth) >= 0.5 else "wrong"


def questions(facts):
    """Return [(group, Fact, facts shown before it)]: the shown are never asked for."""
    asked = []
    for kind in QUESTION:
        known, made = facts[kind, GROUPS[0]], facts[kind, GROUPS[2]]
        # next to last, so that it stays where the window has no room for all
        shown = [*known[: SHOTS - 2], *made[:1], *known[SHOTS - 2 : SHOTS - 1]]
        for group in GROUPS:
            skip = {GROUPS[0]: SHOTS - 1, GROUPS[1]: 0, GROUPS[2]: 1}[group]
            for fact in facts[kind, group][skip : skip + QUESTIONS]:
                asked.append((group, fact, shown))
    return asked


def recognition(subject, facts, rng):
    """Return rows: does it prefer the true answer to those of three others?"""
    rows = []
    for (kind, group), found in facts.items():
        if group == GROUPS[2] or len({fact.answer for fact in found}) < CHOICES:
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
    intro = words(
        "A question has an answer in the training pages, or in a held-out page that the model "
        "never read, or it is about a name that does not exist: two halves of real ones, found "
        f"nowhere. Each comes after up to {SHOTS} answered questions, one answered with "
        f"`{ABSTAIN}`. A model trained to continue text has no reason to abstain: it writes what "
        "an answer would look like."
    )
    if not asked:
        intro = words("These pages do not begin with a name and a sentence about it, so there is "
                      "nothing to ask for.")  # fmt: skip
        return {"title": TITLE, "headline": None, "parts": [intro]}
    prompts = [prompt(subject, fact, shown) for _, fact, shown in asked]
    n_new = min(ANSWER_TOKENS, subject.window // 4)
    newlines = subject.ids_with(b"\n")
    written = subject.write("answering", prompts, n_new, temperature=0, stop=newlines)
    answers = [subject.decode(ids).strip() for ids in written]
    counts, shown = {}, {}
    for (group, fact, _), answer in zip(asked, answers, strict=True):
        verdict = judge(answer, fact.answer)
        counts.setdefault((fact.kind, group), Counter())[verdict] += 1
        cell = [QUESTION[fact.kind].format(fact.name), one_line(answer, 70), verdict,
                one_line(fact.answer or "there is no such thing", 70)]  # fmt: skip
        shown.setdefault((fact.kind, group, verdict), cell)
    verdicts = ("right", "wrong", "abstained", "made up")
    rows = [
        [kind, group, n.total(), *(n[v] / n.total() if n[v] or applies(v, group) else None
                                   for v in verdicts)]
        for (kind, group), n in counts.items()
    ]  # fmt: skip
    parts = [
        intro,
        table(
            "Answers in its own words",
            [("question", ""), ("name from", ""), ("asked", ",d"), *((v, ".0%") for v in verdicts)],
            rows,
        ),
        table(
            "One of each kind",
            [("question", ""), ("it wrote", ""), ("judged", ""), ("the pages say", "")],
            list(shown.values()),
        ),
    ]
    parts += recognition_parts(recognition(subject, facts, rng))
    return {"title": TITLE, "headline": headline(counts), "parts": parts}


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
    """Return in a sentence how often it was right, and how often it made something up."""
    real = sum((n for (_, group), n in counts.items() if group == GROUPS[0]), Counter())
    made = sum((n for (_, group), n in counts.items() if group == GROUPS[2]), Counter())
    return (
        f"Of {real.total()} questions about its training pages it answered {real['right']} right; "
        f"of {made.total()} about names that do not exist it made up {made['made up']}."
    )


def applies(verdict, group):
    """Tell whether an answer about a name of this group can be judged so."""
    if group == GROUPS[2]:
        return verdict in ("abstained", "made up")
    return verdict != "made up"
