"""Facts -> those that are taught: of the best-known pages, as many as a small model can learn.

The better known a page, the more others link to it, its in-degree: 150 link to os, one to chunk.
People ask for os first. Some facts are held out, to see what the model makes of a name that it has
read and was never taught; of all other names it is taught to say that it does not know them.

The facts come from facts.py; what is asked of them is in chat_writer.py.
"""

import heapq
from bisect import bisect_right
from itertools import accumulate

from minigpt.facts import keys_of_function

HELD_OUT_FACTS = 0.05  # share of the facts that are never trained on
TOLD = 12  # of the best-known names the report names so many
LONGEST_NAME = 30  # characters of a function's or class's that is asked for


def choose(facts, names, n, rng):
    """Return (trained, held out, untaught) of facts and `names` as facts.collect gives them.

    About `n` facts are trained or held out, those of the best-known pages (best_known): a
    third of them are modules where there are classes and functions, which come with all their
    facts. Held out are modules and whole classes and functions, of the lesser-known half of each.
    Untaught are all other names, {kind: names}, those of the best-known pages first.
    """
    by_name = {(f.kind, f.name): f for f in facts if f.text}
    alone = [f for f in by_name.values() if f.kind in ("module", "page")]
    alone = [[f] for f in best_known(alone, names, rng)]
    inside = []
    found = [f for f in by_name.values() if f.kind in ("function", "class")]
    for f in best_known(found, names, rng):
        if len(f.name) <= LONGEST_NAME:
            keys = keys_of_function(f.name) if f.kind == "function" else [(f.kind, f.name)]
            inside.append([by_name[key] for key in keys if key in by_name])
    ends = list(accumulate(map(len, inside), initial=0))
    alone = alone[: max(n // 3, n - ends[-1], 1)]
    inside = inside[: bisect_right(ends, n - len(alone)) - 1]
    trained, held_out = [], []
    for groups in (alone, inside):
        lesser = range(len(groups) // 2, len(groups))
        out = set(rng.sample(lesser, round(len(groups) * HELD_OUT_FACTS)))
        trained += [f for i, group in enumerate(groups) if i not in out for f in group]
        held_out += [f for i, group in enumerate(groups) if i in out for f in group]
    chosen = {(f.kind, f.name) for f in trained + held_out}
    untaught = {}
    for f in sorted(facts, key=lambda f: -f.in_degree):
        if (f.kind, f.name) not in chosen:
            untaught.setdefault(f.kind, []).append(f.name)
    return rng.sample(trained, len(trained)), held_out, untaught


def best_known(facts, names, rng):
    """Return facts, those of pages that many others link to first.

    Pages share the places by the square root of their in-degree d, so that builtins (500) has more
    of them than json (5), but not a hundred times as many: after k facts of a page its next one
    counts sqrt(d) / (k + 1), as in D'Hondt's method of dividing seats by votes. Of equal ones that
    comes first whose name is in most documents, `names` of collect, else whatever `rng` draws; of
    those that are called without their module, which are words of English, too, that is called.
    """

    def is_in(fact):
        is_bare = fact.kind in ("function", "class") and "." not in fact.name
        return names[f"{fact.name}("] if is_bare else names[fact.name]

    by_page = {}
    for fact in sorted(rng.sample(facts, len(facts)), key=lambda fact: -is_in(fact)):
        by_page.setdefault(fact.source, []).append(fact)
    queue = [
        (-(found[0].in_degree ** 0.5), i, 0, found) for i, found in enumerate(by_page.values())
    ]
    heapq.heapify(queue)
    ordered = []
    while queue:
        _, i, k, found = heapq.heappop(queue)
        ordered.append(found[k])
        if k + 1 < len(found):
            heapq.heappush(queue, (-(found[0].in_degree ** 0.5) / (k + 2), i, k + 1, found))
    return ordered


def told(facts):
    """Return the names of the best-known modules or pages among facts; none if no link is known."""
    alone = [f for f in facts if f.kind in ("module", "page") and f.in_degree]
    return [f.name for f in sorted(alone, key=lambda f: -f.in_degree)[:TOLD]]
