"""What a diagnosis says: items with a grade, what was found and a sentence of advice."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Grade(StrEnum):
    """How things stand."""

    GOOD = "good"
    NOTE = "note"
    PROBLEM = "problem"
    # Nothing was learned now.
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that was looked at.

    Attributes:
        topic: Its name: SPF, DMARC, DKIM of a selector ...
        grade: How it stands.
        found: What is published, and what it comes to, a line each; may hold what others chose.
        advice: What to do about it, or that nothing is to be done; one or two sentences.
    """

    topic: str
    grade: Grade
    found: tuple[str, ...]
    advice: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All items of one domain.

    Attributes:
        domain: In lower case and A-labels.
        items: In the order in which they should be read.
        questions: How many questions were asked of the DNS.
    """

    domain: str
    items: tuple[Item, ...]
    questions: int

    def has(self, grade: Grade) -> bool:
        """Return whether any item has `grade`."""
        return any(item.grade is grade for item in self.items)

    def as_json(self) -> Mapping[str, object]:
        """Return the diagnosis as plain values."""
        return {
            "domain": self.domain,
            "items": [
                {
                    "topic": item.topic,
                    "grade": item.grade.value,
                    "found": list(item.found),
                    "advice": item.advice,
                }
                for item in self.items
            ],
            "questions": self.questions,
        }


def unanswered(topic: str, what: str) -> Item:
    """Return the item of something that the DNS did not tell."""
    advice = "The name servers gave no answer. Ask again; if it stays so, mend them first."
    return Item(topic, Grade.UNANSWERED, (what,), advice)
