"""The user's own conversations, those of CHAT=: how often each is trained on, and what is asked.

Each is trained on as it is written, and again with its questions as somebody else may type them
(as_typed.py), as often as a fact is asked for: what comes once among tens of thousands is not
learned. Where there are many, each comes less often, or the rest would be forgotten for them.

Where all of them have the same system message, every second copy goes without it. Otherwise it
would have to be given ever after, since without it the model would have learned nothing.

The examination asks them as they are written: that tells what was learned by heart, and nothing
about other words, of which there are none. Only where they are very many are some held out, for the
validation loss.
"""

from minigpt.as_typed import vary
from minigpt.chat_format import read_conversations

TIMES = 20  # copies of each, where there is room ...
SHARE = 0.15  # ... for so many, for each conversation about a fact or an unknown name
LEAST = 4000  # ... or for so many in all, where those are few
ASKED = 150  # conversations that the examination has, at most
MANY, HELD_OUT = 1000, 20  # if there are so many or more, one in so many is held out
LONGEST = 200  # characters of what is typed in other ways


def read_own_talks(paths):
    """Return the (messages, name of the file) of files of conversations."""
    return [(messages, path.name) for path in paths for _, messages in read_conversations(path)]


def split(talks, rng):
    """Return those that are trained on, and those held out, chosen at random."""
    n_held = len(talks) // HELD_OUT if len(talks) >= MANY else 0
    held = set(rng.sample(range(len(talks)), n_held))
    kept = [talk for i, talk in enumerate(talks) if i not in held]
    return kept, [talk for i, talk in enumerate(talks) if i in held]


def copies(talks, n_asked, rng, of_python=True):
    """Return the conversations to train on, and how often each is among them.

    There are `n_asked` others, about facts and unknown names.
    """
    room = max(round(SHARE * n_asked), LEAST)
    times = max(1, min(TIMES, room // max(1, len(talks))))
    drops = same_system(talks) is not None
    made = []
    for messages, source in talks:
        for i in range(times):
            kept = messages[1:] if drops and i % 2 and messages[0]["role"] == "system" else messages
            made.append(([typed(m, rng, of_python) for m in kept] if i else kept, source))
    return made, times


def same_system(talks):
    """Return what the system says in all talks in which it says something, None if that differs."""
    said = {m[0]["content"] for m, _ in talks if m[0]["role"] == "system"}
    return said.pop() if len(said) == 1 else None


def typed(message, rng, of_python=True):
    """Return a user's message as another user may type it; other and long ones stay unchanged."""
    text = message["content"]
    if message["role"] != "user" or len(text) > LONGEST or "\n" in text:
        return message
    return message | {"content": vary(text, rng, of_python)}


def questions(talks, rng):
    """Return the lines of the examination, see chat_data.py."""
    return [
        {"messages": messages, "asks": "own", "kind": "own", "name": "", "source": source}
        for messages, source in rng.sample(talks, min(ASKED, len(talks)))
    ]
