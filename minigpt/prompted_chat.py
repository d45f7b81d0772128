"""An assistant by prompt alone: a base model continues a conversation that it is shown.

The prompt is the beginning of a document in which a human asks and an assistant answers; what a
base model does with it is to write on. It plays the assistant, and then the human too: so what it
writes is cut where it begins to speak for the human. No weight is changed; for a model that was
trained on conversations see fine-tuning.

Source: Askell et al. 2021, "A General Language Assistant as a Laboratory for Alignment" (a prompt
as the plainest assistant).
"""

from minigpt.tables import sample, table, words

HUMAN, ASSISTANT = "Human:", "Assistant:"
INTRODUCTION = "A human asks, and a helpful assistant answers in one sentence."
EXAMPLES = (
    ("What is a list?", "A list holds values in order."),
    ("Thank you!", "You are welcome."),
)
QUESTIONS = ("What is a string?", "Where is Paris?", "What can you do?")
ANSWER_TOKENS = 60
TEMPERATURE = 0.7
ENDS = {
    "human": "began to speak for the human",
    "document": "ended the document",
    "limit": "was cut at the limit",
}


def turn(question, answer=""):
    """Return one exchange as text."""
    return f"{HUMAN} {question}\n{ASSISTANT}{' ' + answer if answer else ''}"


def prompt(subject, turns, question, n_new):
    """Return the ids to continue: introduction, as many last turns as fit, and the question."""
    for first in range(len(turns) + 1):
        shown = [turn(*t) for t in turns[first:]]
        text = "\n\n".join([INTRODUCTION, *shown, turn(question)])
        ids = [subject.separator, *subject.encode(text)]
        if len(ids) + n_new <= subject.window:
            break
    return ids  # where not even the question fits, its beginning is forgotten


def cut(text, whole):
    """Return (what the assistant said, how it ended); `whole` if it ended by itself."""
    answer, human, _ = text.partition(HUMAN)
    if not human and not whole:  # the limit may cut the name itself
        return answer.strip(), "limit"
    return answer.strip(), "human" if human else "document"


def converse(subject, questions=QUESTIONS, seed=0):
    """Return [(question, answer, how it ended, what it wrote for the human)] of one talk."""
    turns, found = list(EXAMPLES), []
    n_new = min(ANSWER_TOKENS, subject.window // 2)
    for i, question in enumerate(questions):
        ids = prompt(subject, turns, question, n_new)
        (written,) = subject.write("conversing", [ids], n_new, TEMPERATURE, seed + i, top_p=0.9)
        text = subject.decode(written)
        answer, end = cut(text, len(written) < n_new)
        found.append((question, answer, end, text.partition(HUMAN)[2].strip()))
        turns.append((question, answer or "..."))
    return found


def section(subject, rng, questions=QUESTIONS):
    """Return the section of a report with a conversation."""
    found = converse(subject, questions, int(rng.integers(1 << 30)))
    transcript = "\n\n".join(turn(question, answer) for question, answer, *_ in found)
    rows = [
        [question, ENDS[end], rest.partition("\n")[0] or None] for question, _, end, rest in found
    ]
    return {
        "title": "An assistant by prompt alone",
        "headline": None,
        "parts": [
            words(
                "The base model was never trained to answer. Its prompt begins a document "
                "in which a human and an assistant talk, with two exchanges as examples; it "
                "continues the document. Left alone it plays the human as well, so it is stopped "
                "there; the table says what it would have asked."
            ),
            sample("The prompt", "\n\n".join([INTRODUCTION, *(turn(*t) for t in EXAMPLES)])),
            sample("The conversation", transcript),
            table(
                "How each answer ended",
                [("question", ""), ("the model", ""), ("and wrote for the human", "")],
                rows,
            ),
        ],
    }
