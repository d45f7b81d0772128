"""Follow-ups to a question about a name: it, that, its arguments, the module it is in.

Only what was said before makes clear what is meant: the last answer, or the one before that, as in

    What is heapq?                Module heapq: Heap queue algorithm (a.k.a. priority queue).
    What does heapq.merge do?     Function heapq.merge: Merge multiple sorted inputs into a ...
    And the other functions?      Module heapq: of it I know heappop, heappush and merge.

What is answered is in chat_writer.py; see phrasings.py for how wordings are held out.
"""

# What may be asked after each kind of fact; what is listed three times is asked thrice as often.
OF_FUNCTION = ("signature", "function", "home", "return")
OF_MODULE = ("module", "functions")
ASKED_ON = {
    "function": (*OF_FUNCTION, *OF_FUNCTION, *OF_FUNCTION, *OF_MODULE, *OF_MODULE, "other"),
    "method": ("signature", "return", "home", "other"),
    "class": ("signature", "methods", "home", "module", "other"),
    "module": ("functions", "functions", "other"),
    "page": (),
    "term": ("signature", "return", "elsewhere"),
    "call": (),
}
