"""Which questions of a task stand in the training text? They may be answered by heart.

A token of a question, its right answer included, is contaminated if it lies in a span of 10 tokens
or more that stands in the training text. A question counts as seen if four fifths of its tokens
are, as unseen if less than one fifth is. If the model is right only about the seen ones, the task
measures its memory. A question of fewer than 10 tokens is neither: whether it stands in the text is
not known.

A reworded question is not noticed, and a common phrase counts as if it were copied.

Source: Touvron et al. 2023, "Llama 2", appendix A.6 (there with up to 4 tokens that differ).
"""

import numpy as np

from minigpt.choices import join
from minigpt.ngrams import SHORTEST, indexed
from minigpt.tables import table, words

SEEN, UNSEEN = 0.8, 0.2
COLUMNS = [
    *(("task", ""), ("items", ",d"), ("contaminated tokens", ".1%")),
    *(("seen", ",d"), ("right of these", ".1%"), ("unseen", ",d"), ("right of these", ".1%")),
]


def contaminated(lengths):
    """Return the share of ids that lie in a match; `lengths` (T,) as NgramIndex.matches says."""
    i = np.arange(len(lengths))
    return float((i < np.maximum.accumulate(i + lengths)).mean()) if len(i) else 0.0


def shares(subject, index, items):
    """Return how much of each item stands in the indexed text: (N,), 0 to 1.

    NaN for an item that is shorter than what the index finds.
    """
    rows = [subject.encode(join(item.query, item.answer)) for item in items]
    return np.array(
        [
            contaminated(index.matches(ids)[0]) if len(ids) >= index.shortest else np.nan
            for ids in rows
        ]
    )


def row(name, right, share):
    """Return the values of COLUMNS for a task, of which items were `right` (N,) of bool."""
    told = share[~np.isnan(share)]
    found = [name, len(right), float(told.mean()) if len(told) else None]
    for group in (share >= SEEN, share < UNSEEN):
        found += [int(group.sum()), float(right[group].mean()) if group.any() else None]
    return found


def parts(subject, part, tasks):
    """Return the parts of a report on tasks, a list of (name, items, right (N,) of bool).

    `part` is the text that the model learned from (corpus.py).
    """
    index = indexed(subject, part.ids)
    rows = [row(name, right, shares(subject, index, items)) for name, items, right in tasks]
    return [
        words(
            f"Was it asked what it had read? A question counts as seen if {SEEN:.0%} of its "
            f"tokens, the right answer included, lie in spans of {SHORTEST} or more that stand "
            f"word for word in the training text, and as unseen if less than {UNSEEN:.0%} do; "
            f"one of fewer than {SHORTEST} tokens counts as neither. "
            f"Where it is right about what it has seen and not about the rest, the task measures "
            f"memory."
        ),
        table("Questions that stand in the training text", COLUMNS, rows),
    ]
