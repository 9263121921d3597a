"""Made-up mail to learn from: two kinds that share most of their words."""

from __future__ import annotations

import random
from hashlib import blake2b
from typing import Final

from reputation.classifier.features import Features, extract
from reputation.classifier.lessons import DIGEST_BYTES, Lesson

_COMMON: Final = (
    *("the", "of", "and", "to", "a", "in", "is", "you", "that", "it"),
    *("he", "was", "for", "on", "are", "with", "as", "his", "they", "at"),
)
WANTED: Final = (
    *(
        "meeting",
        "minutes",
        "draft",
        "review",
        "budget",
        "lunch",
        "patch",
        "release",
        "thanks",
        "tomorrow",
    ),
)
UNWANTED: Final = (
    *(
        "winner",
        "prize",
        "claim",
        "pills",
        "cheap",
        "urgent",
        "transfer",
        "lottery",
        "viagra",
        "bonus",
    ),
)


def fields_of(*, spam: bool, seed: int) -> dict[str, bytes]:
    """Return the fields of a message, the same for each seed."""
    chosen = random.Random(seed)  # noqa: S311 - an order, no secret
    words = chosen.choices(_COMMON, k=60) + chosen.choices(UNWANTED if spam else WANTED, k=8)
    chosen.shuffle(words)
    subject = " ".join(chosen.choices(UNWANTED if spam else WANTED, k=2))
    return {"subject": subject.encode(), "(text)": " ".join(words).encode()}


def features_of(*, spam: bool, seed: int) -> Features:
    """Return what such a message has."""
    fields = fields_of(spam=spam, seed=seed)
    return extract(fields, {"subject": fields["subject"]})


def lesson(number: int, *, spam: bool, called_spam: bool | None = None) -> Lesson:
    """Return the lesson of a message; `called_spam` where the label is not what it is."""
    digest = blake2b(str(number).encode(), digest_size=DIGEST_BYTES).digest()
    label = spam if called_spam is None else called_spam
    return Lesson(digest, label, changed=False, features=features_of(spam=spam, seed=number))
