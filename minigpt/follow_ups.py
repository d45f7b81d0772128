"""What is asked on after a question about a name: it, that, its arguments, the module it is in.

Only what was said before makes clear what is meant: the last answer, or the one before that, as in

    What is heapq?                Module heapq: Heap queue algorithm (a.k.a. priority queue).
    What does heapq.merge do?     Function heapq.merge: Merge multiple sorted inputs into a ...
    And the other functions?      Module heapq: of it I know heappop, heappush and merge.

What is answered is in chat_writer.py; see phrasings.py for how wordings are held out.
"""

from minigpt import wordings
from minigpt.phrasings import composed
from minigpt.wordings import FOLLOW_UP_CLAUSES, FOLLOW_UPS

# Longer ones: the clauses in which a name is asked for, with MEANT in its place, but for those
# where none can stand; and some more.
MEANT = {"module": ("that module", "its module"), "functions": ("it", "that module")}
UNFIT = ("why there is a module {}", "what kind of module {} is", "what has {} in it",
         "what all is in the class {}")  # fmt: skip
CLAUSES = {
    sort: [
        clause.format(meant)
        for clause in wordings.CLAUSES[sort] + FOLLOW_UP_CLAUSES[sort]
        if clause not in UNFIT
        for meant in MEANT.get(sort, ("it", "that"))
    ]
    for sort in FOLLOW_UPS
}
COMPOSED_FOLLOW_UPS = composed(CLAUSES)
# of three of those that are trained on, one is a long one
TRAINED_FOLLOW_UPS = (FOLLOW_UPS, FOLLOW_UPS, COMPOSED_FOLLOW_UPS)

# What may be asked on after which kind of fact; what stands there thrice is asked thrice as often.
OF_FUNCTION = ("signature", "function", "home", "return")
OF_MODULE = ("module", "functions")
ASKED_ON = {
    "function": (*OF_FUNCTION, *OF_FUNCTION, *OF_FUNCTION, *OF_MODULE, *OF_MODULE),
    "method": ("signature", "return", "home"),
    "class": ("signature", "methods", "home", "module"),
    "module": ("functions",),
    "page": (),
    "term": ("signature", "return"),
    "call": (),
}
