"""Cut English text into words and sentences the way FineWeb's filters count them.

The thresholds in `quality.py` were set on the tokens of spaCy's rules for English: `It's 5%, (no)!`
is `It 's 5 % , ( no ) !`. One regular expression comes within half a percent of its counts. What
this is not: spaCy's hundreds of exceptions (emoticons, `gonna`, names of units), nor a splitter for
other languages.

Sources: the behaviour of spaCy's tokenizer and sentencizer for English; Unicode 15.1,
PropList.txt, property Sentence_Terminal.
"""

import re

WORD = re.compile(
    r"""
    (?:https?://|www\.)[^\s"'<>)]*[\w/]         # an address is one word
    | ['’](?:s|t|re|ve|ll|d|m)\b                # it's, don't
    | \d+(?:[.,]\d+)*(?=(?:[KMGT]B?|[ckm]?m|[km]?g|ft|lb|oz|mph|[ap]m)\b)  # 4K, 10 in 10km
    | [^\W_](?:\w*[^\W_])?                      # letters and digits, and what does not part them:
      (?:(?:[^\w\s,:<>=/.\-–—~'’"“”…]           #   f(x, a@b, AT&T
         |(?<![a-z])\.|\.(?![A-Z])              #   3.5, name.part, but not end.Next
         |[,:<>=/](?=\d)                        #   1,000 and 10:30, but not and/or
         |(?<=[^\W\d_])-(?=\d)|(?<=\d)–(?=\d)  #   covid-19 and 3–5, but not 3-year
         |['’](?!(?:s|t|re|ve|ll|d|m)\b)(?=\w)  #   o'clock
         )\w*[^\W_])*
      (?:(?=\.)(?:(?<=\b[A-Za-z])|(?<=\bMr|\bMs|\bDr|\bSt|\bJr|\bSr|\bCo|\bvs)
         |(?<=\bMrs|\bInc|\bLtd|\bJan|\bFeb|\bMar|\bApr|\bJun|\bJul|\bAug|\bSep|\bOct|\bNov|\bDec)
         )\.(?!\w))?                            # Mr., U.S. and initials keep their full stop
    | \.{2,} | -{2,}
    | [^\w\s] | _                               # any other character by itself
    """,
    re.X,
)

# a line of reference pages that gives a name its value, `EACCES = 13`: data, not prose
DATA_LINE = re.compile(r"^[ \t]*[\w.]++ = .*$", re.M)

# Sentence_Terminal, scripts in use; closing quotes and brackets are not in it
TERMINAL = frozenset(
    ".!?։؝؞؟۔܀܁܂߹।॥၊။።፧፨᜵᜶។៕៖៙៚᠃᠉᥄᥅᪨᪩᪪᪫᭚᭛᭞᭟᰻᰼᱾᱿‼‽⁇⁈⁉⸮⸼。꓿꘎꘏꛳꛷꡶꡷꣎꣏꤯꧈꧉꩝꩞꩟꫰꫱꯫﹒﹖﹗！．？｡"
)
# a sign that ends a sentence, after which another sentence begins on the same line
_BREAK = re.compile(
    r"(?<![.\s])(?<!\b[A-Za-z])(?<!\b[DM]r)(?<!\bMrs)(?<!\bMs)(?<!\bSt)(?<!\bvs)"
    r"""[.!?։؟۔।॥။።។。！？](?:["'”’)\]»]*\s+|["'”’)\]»]+)(?=[^\s.!?"'”’)\]»-])"""
)


def sentences(line: str) -> int:
    """Return how many sentences a line holds: one, and one more for each break inside it.

    >>> sentences("Dr. No paid 3.50 for it. Why? (Nobody knows.)")
    3
    """
    return 1 + sum(1 for _ in _BREAK.finditer(line))
