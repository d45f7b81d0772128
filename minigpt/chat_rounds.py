"""What is asked in a round of fine-tuning: every fact many times, and what goes with it.

The questions and answers are put together in chat_writer.py.
"""

from minigpt import further
from minigpt.chat_format import conversation
from minigpt.chat_writer import ALONE, UNTAUGHT, unknown_ones
from minigpt.chosen_wordings import ASKED, some_phrasings
from minigpt.other_names import KINDS, OtherNames
from minigpt.wordings import FOLLOW_UPS

# follow-ups for each question about a name of these kinds, and about a function
FOLLOWED = {"class": 0.25, "method": 0.25, "module": 0.15, "term": 0.15, "page": 0, "call": 0}
FOLLOWED_FUNCTION = 0.6
BEFORE = 0.4  # share of these with a question about the module before them, where there is room
ECHOED = 0.15  # names to be repeated for each question
ASKED_OTHERS = 0.5  # share of questions that others come after, "And csv?"; of unknown ones half
BY_ITS_END = 0.5  # times for each of these that it is asked for by its end, too: "and dumps?"


def training_conversations(writer, rounds):
    """Yield (messages, source): every fact in ASKED phrasings, `rounds` times, and what goes along.

    Follow-ups and other names behind a fact are in the fact's conversation and have no source of
    their own. Conversations by themselves are names asked for by their end behind another (source
    "by_end"), unknown names ("unknown") and names to be repeated ("echo").
    """
    rng, others = writer.rng, OtherNames(writer)
    for _ in range(rounds):
        asked = {f: some_phrasings(f.kind, rng) for f in writer.facts}
        for turn in range(ASKED):
            for fact in rng.sample(writer.facts, len(writer.facts)):
                said = writer.question(fact, asked[fact][turn])
                followed = FOLLOWED.get(fact.kind, FOLLOWED_FUNCTION)
                if rng.random() < followed and (more := writer.follow_up(fact, FOLLOW_UPS)):
                    said += more
                    if fact.kind not in ALONE and rng.random() < BEFORE:
                        said = writer.with_module(fact, said)
                if fact.kind in KINDS and rng.random() < ASKED_OTHERS:
                    said = others.behind(fact, said)
                yield conversation(*said), fact.source
                is_short = fact.kind in KINDS and rng.random() < BY_ITS_END
                if is_short and (said := others.by_its_end(fact)):
                    yield conversation(*said), "by_end"
                for _ in range(unknown_ones(fact.kind, rng)):
                    kind, texts = fact.kind, some_phrasings(fact.kind, rng)
                    said, name = writer.unknown(kind, texts, untaught=UNTAUGHT, like=fact.name)
                    if name is None:
                        continue
                    if rng.random() < followed / 2:
                        said += writer.unknown_follow_up(kind, name, FOLLOW_UPS)
                    elif kind in KINDS and rng.random() < ASKED_OTHERS / 2:
                        said = others.behind(fact, said, beside=0)
                    yield conversation(*said), "unknown"
                if rng.random() < ECHOED and (said := writer.echo(fact)):
                    yield conversation(*said), "echo"


def further_conversations(writer, rounds):
    """Yield (messages, source) of what else is asked of taught names, and the same of unknown ones.

    The sources are "further" and "unknown".
    """
    rng = writer.rng
    for _ in range(rounds):
        for one in further.further(writer.facts):
            for text in some_phrasings(one.asks, rng, one.times, one.kind):
                name = writer.end_of_term(one.name, 1) if one.kind == "term" else one.name
                yield conversation(writer.typed(text, name, one.kind), one.answer), "further"
                for _ in range(unknown_ones(one.kind, rng)):
                    texts = some_phrasings(one.asks, rng, one.times, one.kind)
                    said, name = writer.unknown(one.kind, texts, untaught=UNTAUGHT, like=one.name)
                    if name is not None:
                        yield conversation(*said), "unknown"
