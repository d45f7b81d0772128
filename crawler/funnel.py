"""Count what goes into and comes out of each step of the cleaning, and show it.

The report, `clean.json`, is one object: `stage`, `seconds`, `profile`, `documents`, `characters`
(of the result), `personal_data` (how many of each kind were masked), `problems` (pages and archives
that could not be read), and `steps`, in order, each with `step`, `documents_in`, `documents_out`,
`characters_in`, `characters_out`, `seconds` (of work; two processes do two seconds in one),
`reasons` (how many documents each reason removed) and up to five `examples` of what was removed.
Until a page's text is extracted, its characters are the bytes of the page.
"""

from collections import Counter
from dataclasses import dataclass, field

from crawler.steps import Document, Verdict

MAX_EXAMPLES = 5
EXAMPLE_CHARACTERS = 200
BAR = 20  # columns


@dataclass
class Step:
    """The counts of one step."""

    name: str
    documents_in: int = 0
    documents_out: int = 0
    characters_in: int = 0
    characters_out: int = 0
    seconds: float = 0.0
    reasons: Counter[str] = field(default_factory=Counter)
    examples: list[dict[str, str]] = field(default_factory=list)

    def passed(self, characters_in: int, characters_out: int) -> None:
        """Count a document that went on, perhaps shorter."""
        self.documents_in += 1
        self.documents_out += 1
        self.characters_in += characters_in
        self.characters_out += characters_out

    def removed(self, url: str, text: str, characters: int, reason: str) -> None:
        """Count a document that was dropped; the first of each reason become examples."""
        self.documents_in += 1
        self.characters_in += characters
        if reason not in self.reasons and len(self.examples) < MAX_EXAMPLES:
            start = text[:EXAMPLE_CHARACTERS]
            self.examples.append({"url": url, "reason": reason, "text": start})
        self.reasons[reason] += 1

    def as_json(self) -> dict:
        """Return the step as it stands in the report."""
        return {
            "step": self.name,
            "documents_in": self.documents_in,
            "documents_out": self.documents_out,
            "characters_in": self.characters_in,
            "characters_out": self.characters_out,
            "seconds": round(self.seconds, 3),
            "reasons": dict(self.reasons.most_common()),
            "examples": self.examples,
        }


@dataclass
class Funnel:
    """The steps in order, and what became of the page at the address `explain`."""

    explain: str | None = None
    steps: list[Step] = field(default_factory=list)
    story: list[str] = field(default_factory=list)

    def add(self, name: str) -> Step:
        """Begin the next step."""
        self.steps.append(Step(name))
        return self.steps[-1]

    def record(
        self, step: Step, document: Document, size: int, verdict: Verdict, left: int | None = None
    ) -> bool:
        """Count a verdict on a document of so many characters and say whether it stays.

        `left` is how many characters it has after the step, if they are not the verdict's text.
        """
        left = len(verdict.text) if left is None else left
        if verdict.reason:
            step.removed(document.url, document.text, size, verdict.reason)
        else:
            step.passed(size, left)
        if document.url == self.explain:
            kept = f"kept, {size:,} → {left:,} characters"
            self.story.append(f"{step.name:<15} {verdict.reason or kept}")
            if verdict.reason:
                self.story.append(f"\nremoved; the text it had then:\n\n{document.text[:2000]}")
        return not verdict.reason


def table(steps: list[Step]) -> str:
    """Draw the funnel: what each step kept of the documents and characters it was given."""
    lines = [f"{'step':<15}{'documents':>17}{'characters':>21}   {'kept':<{BAR}}"]
    for step in steps:
        share = step.characters_out / step.characters_in if step.characters_in else 1.0
        documents = f"{step.documents_in:,} → {step.documents_out:,}"
        characters = f"{_short(step.characters_in)} → {_short(step.characters_out)}"
        bar = ("█" * round(share * BAR)).ljust(BAR, "░")
        lines.append(f"{step.name:<15}{documents:>17}{characters:>21}   {bar} {share:6.1%}")
        for reason, count in step.reasons.most_common(3):
            lines.append(f"{'':<15}{-count:>17,}  {reason}")
    return "\n".join(lines)


def _short(number: int) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.2f} {unit}"
    return str(number)
