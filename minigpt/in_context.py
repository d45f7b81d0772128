"""Does the model learn inside its prompt? Patterns by examples, with no weight changed.

A prompt shows pairs `a: b`, one a line, and then an `a` alone; the model has to prefer the right
`b` among four. There are none to eight examples: a model that only guesses stays at 25 %, one that
picks up the pattern rises with the examples. Beside that stands how often greedy decoding writes
exactly `b`.

    word pairs    one: ones                   a word and its plural
    copying       stone: stone                the word again
    counting      4: 5                        the next number
    look-up       stone: lamp ... stone:      which of the pairs above was it? (from one example on)

Source: Brown et al. 2020, "Language Models are Few-Shot Learners"; Olsson et al. 2022, "In-context
Learning and Induction Heads" (why copying comes first).
"""

import math

from minigpt.choices import Item, is_right, score_choices, sequence
from minigpt.tables import interval, lines, table, words

TITLE = "What it learns inside the prompt"
SHOTS = (0, 1, 2, 4, 8)
QUESTIONS = 32  # of each pattern and number of examples
CHOICES = 4
WORDS = """
    apple bird boat book bridge button candle chair clock cloud coat door farm field finger fire
    flower forest friend garden hand hat hill horse house island key king lake lamp letter line
    moon mountain name nail neck night number ocean page pen plant rain river road room school
    seed ship shop sign song spoon star stone stream street sun table tail teacher thing ticket
    town train tree valley village wall wheel wind window winter word year
""".split()  # noqa: SIM905


def word_pairs(rng, n):
    """Return n pairs of a word and its plural."""
    return [(word, word + "s") for word in rng.choice(WORDS, n, replace=False).tolist()]


def copying(rng, n):
    """Return n pairs of a word and itself."""
    return [(word, word) for word in rng.choice(WORDS, n, replace=False).tolist()]


def counting(rng, n):
    """Return n pairs of a number and the next one."""
    return [(str(i), str(i + 1)) for i in (rng.choice(98, n, replace=False) + 1).tolist()]


def look_up(rng, n):
    """Return n pairs of words that have nothing to do with each other."""
    drawn = rng.choice(WORDS, 2 * n, replace=False).tolist()
    return list(zip(drawn[:n], drawn[n:], strict=True))


PATTERNS = {
    "word pairs": word_pairs,
    "copying": copying,
    "counting": counting,
    "look-up": look_up,
}


def question(pattern, shots, rng):
    """Return (examples as text, Item) of a pattern with `shots` examples."""
    pairs = PATTERNS[pattern](rng, shots + CHOICES)
    shown, rest = pairs[:shots], pairs[shots:]
    if pattern == "look-up":  # the answer stands above, and so do other answers, if there is room
        asked = shown[int(rng.integers(shots))]
        others = [pair for pair in shown if pair != asked] + rest
    else:
        asked, *others = rest
    wrong = [b for _, b in others][: CHOICES - 1]
    gold = int(rng.integers(CHOICES))
    choices = [*wrong[:gold], asked[1], *wrong[gold:]]
    before = "".join(f"{a}: {b}\n" for a, b in shown)
    return before, Item(f"{asked[0]}:", tuple(choices), gold)


def ask(subject, rng, questions=QUESTIONS):
    """Return {(pattern, shots): [(chosen right, written right), ...]}, one for each question.

    Questions that are longer than the window are left out.
    """
    asked = [
        (pattern, shots, *question(pattern, shots, rng))
        for pattern in PATTERNS
        for shots in SHOTS
        if shots or pattern != "look-up"
        for _ in range(questions)
    ]
    asked = [
        (pattern, shots, before, item) for pattern, shots, before, item in asked
        if all(len(sequence(subject, before, item, c)[0]) <= subject.window for c in item.choices)
    ]  # fmt: skip
    befores, items = [before for *_, before, _ in asked], [item for *_, item in asked]
    scored = score_choices(subject, "in context", items, befores, greedy=True)
    found = {}
    for (pattern, shots, _, item), s in zip(asked, scored, strict=True):
        result = is_right(item, s), bool(s[item.gold].likeliest.all())
        found.setdefault((pattern, shots), []).append(result)
    return found


def section(subject, rng, questions=QUESTIONS):
    """Return the section of a report on learning inside the prompt."""
    rows, curves = [], {}
    for (pattern, shots), results in ask(subject, rng, questions).items():
        n = len(results)
        if n < questions / 2:
            continue  # the window is too small for so many examples
        right, written = (sum(column) for column in zip(*results, strict=True))
        rows.append([pattern, shots, n, right / n, interval(right, n), 1 / CHOICES, written / n])
        curves.setdefault(pattern, []).append([shots, right / n])
    if not rows:
        why = f"The window of {subject.window} tokens has no room for a question."
        return {"title": TITLE, "headline": None, "parts": [words(why)]}
    said = headline(curves, questions)
    curves["chance"] = [[SHOTS[0], 1 / CHOICES], [SHOTS[-1], 1 / CHOICES]]
    return {
        "title": TITLE,
        "headline": said,
        "parts": [
            words(
                "A prompt shows pairs `a: b` of a pattern, one a line, and then an `a` alone. The "
                "model chooses among four answers; 25% is chance. If the share rises with the "
                "number of examples, it learns from the prompt, with no weight changed. "
                "`written` is how often its likeliest continuation is the answer itself."
            ),
            table(
                "Right answers, by number of examples in the prompt",
                [("pattern", ""), ("examples", "d"), ("questions", ",d"), ("right", ".0%"),
                 ("95% interval", ""), ("chance", ".0%"), ("written", ".0%")],
                rows,
            ),
            lines("Right answers", "examples in the prompt", "share", curves),
        ],
    }  # fmt: skip


def headline(curves, questions):
    """Return in a sentence whether examples in the prompt help, {pattern: [[examples, share]]}."""
    few, many = mean_at(curves, min), mean_at(curves, max)
    # two standard errors of a difference of two shares, each at most 1/2 / sqrt(n)
    helps = many - few > 2 * math.sqrt(0.5 / (questions * len(curves)))
    return (
        f"Examples in the prompt {'help it' if helps else 'do not clearly help it'}: in lists such "
        f'as "boat: boats, hill:" it picks the right word of {CHOICES} in {few:.0%} of cases after '
        f"one example at most, and in {many:.0%} after {SHOTS[-1]}, or as many as there is room "
        f"for; guessing gives {1 / CHOICES:.0%}."
    )


def mean_at(curves, end):
    """Return the mean over the curves of the value at their first (min) or last (max) point."""
    values = [end(points)[1] for points in curves.values()]
    return sum(values) / len(values)
