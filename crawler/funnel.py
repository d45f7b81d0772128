"""Count what goes into and comes out of each step of the cleaning, and show it.

The report, `clean.json`, is one object: `stage`, `seconds`, `goes_on` (with what an earlier run had
done: its seconds are not in this number), `profile`, `documents`, `characters` (of the result),
`personal_data` (how many of each kind were masked), `problems` (how many of each kind were met in
reading archives, see `records.py`), `problem_examples`, and `steps`, in order, each with `step`,
`documents_in`, `documents_out`, `characters_in`, `characters_out`, `seconds` (of work; two
processes do two seconds in one), `reasons` (how many documents each reason removed) and up to three
`examples` of what was removed: `url`, `reason`, the first characters of the `text`. Until a page's
text is extracted, its characters are the bytes of the page.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from crawler.steps import Document, Verdict

MAX_EXAMPLES = 3
EXAMPLE_CHARACTERS = 200
BAR = 8  # columns
WIDTH = 80


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
    examples: list[dict[str, str]] = field(default_factory=list)  # the first few of each reason

    @property
    def n_removed(self) -> int:
        """Return how many documents were dropped."""
        return self.documents_in - self.documents_out

    def passed(self, characters_in: int, characters_out: int) -> None:
        """Count a document that went on, perhaps shorter."""
        self.documents_in += 1
        self.documents_out += 1
        self.characters_in += characters_in
        self.characters_out += characters_out

    def removed(self, url: str, text: str, characters: int, reason: str) -> None:
        """Count a document that was dropped."""
        self.documents_in += 1
        self.characters_in += characters
        if self.reasons[reason] < MAX_EXAMPLES:
            start = text[:EXAMPLE_CHARACTERS]
            self.examples.append({"url": url, "reason": reason, "text": start})
        self.reasons[reason] += 1

    def add(self, counts: dict[str, Any]) -> None:
        """Add the counts of the same step elsewhere, as `as_json` gives them."""
        for name in ("documents_in", "documents_out", "characters_in", "characters_out", "seconds"):
            setattr(self, name, getattr(self, name) + counts[name])
        for example in counts["examples"]:
            if sum(e["reason"] == example["reason"] for e in self.examples) < MAX_EXAMPLES:
                self.examples.append(example)
        self.reasons.update(counts["reasons"])

    def chosen_examples(self) -> list[dict[str, str]]:
        """Return up to MAX_EXAMPLES, of as many reasons as can be, the most frequent first."""
        ranks = {reason: rank for rank, (reason, _) in enumerate(self.reasons.most_common())}
        seen: Counter[str] = Counter()
        ordered = []
        for example in self.examples:
            ordered.append((seen[example["reason"]], ranks[example["reason"]], example))
            seen[example["reason"]] += 1
        ordered.sort(key=lambda entry: entry[:2])
        return [example for _, _, example in ordered[:MAX_EXAMPLES]]

    def as_json(self) -> dict[str, Any]:
        """Return the step, with all examples that it has."""
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
    """The steps in order, what was masked, and what became of the page at the address `explain`."""

    explain: str | None = None
    steps: dict[str, Step] = field(default_factory=dict)
    masked: Counter[str] = field(default_factory=Counter)
    story: list[str] = field(default_factory=list)

    def add(self, name: str) -> Step:
        """Return the step of this name; it is the next if there is none yet."""
        return self.steps.setdefault(name, Step(name))

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

    def as_json(self) -> dict[str, Any]:
        """Return all counts, for `merge`."""
        steps = [step.as_json() for step in self.steps.values()]
        return {"steps": steps, "masked": self.masked, "story": self.story}

    def merge(self, counts: dict[str, Any]) -> None:
        """Add the counts of another, whose steps are the same or come later."""
        for step in counts["steps"]:
            self.add(step["step"]).add(step)
        self.masked.update(counts["masked"])
        self.story += counts["story"]


# ---- the table ----------------------------------------------------------------------------------


def table(steps: list[Step]) -> str:
    """Draw what each step kept of the documents and characters it was given, 80 columns wide."""
    lines = [f"{'step':<15}{'documents':>19}{'characters':>19}{'seconds':>9}   kept"]
    for step in steps:
        share = step.characters_out / step.characters_in if step.characters_in else 1.0
        documents = f"{_short(step.documents_in)} → {_short(step.documents_out)}"
        characters = f"{_short(step.characters_in)} → {_short(step.characters_out)}"
        bar = ("█" * round(share * BAR)).ljust(BAR, "░")
        kept = f"{step.seconds:>9.1f}  {bar} {share:4.0%}"
        lines.append(f"{step.name:<15}{documents:>19}{characters:>19}{kept}")
        often = step.reasons.most_common(3)
        if rest := sum(step.reasons.values()) - sum(count for _, count in often):
            n = len(step.reasons) - len(often)
            often.append((f"{n} other reason{'s' * (n > 1)}", rest))
        for reason, count in often:
            lines.append(f"{'':<15}{-count:>19,}  {reason}"[:WIDTH])
    return "\n".join(lines)


def examples(steps: list[Step]) -> str:
    """Show three documents that each step removed, a line each: their address and first words."""
    lines = []
    for step in steps:
        for number, example in enumerate(step.chosen_examples()):
            name = step.name if number == 0 else ""
            lines.append(f"{name:<15} {example['url']}"[:WIDTH])
            start = " ".join(example["text"].split())
            shown = f"; it began: {start}" if start else ""
            lines.append(f"{'':<15}   {example['reason']}{shown}"[:WIDTH])
    return "\n".join(lines)


def _short(number: int) -> str:
    """Return a count in at most eight characters."""
    if number < 100_000:
        return f"{number:,}"
    for size, unit in ((1e9, "G"), (1e6, "M")):
        if number >= size:
            return f"{number / size:.2f} {unit}"
    return f"{number / 1e3:.1f} k"
