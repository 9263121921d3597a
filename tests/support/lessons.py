"""Made-up mail to learn from: two kinds that share most of their words."""

from __future__ import annotations

import random
from dataclasses import fields
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import numpy as np

from reputation.classifier.features import Features, extract
from reputation.classifier.learner import WEIGHTS_NAME, Learner
from reputation.classifier.lessons import DIGEST_BYTES, Heard, Lesson, report
from reputation.classifier.model import State
from reputation.classifier.weights import Weights

if TYPE_CHECKING:
    from pathlib import Path

    from reputation.store import Store

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


def teach(store: Store, numbers: range, wrong: int = -1) -> None:
    """Hand over lessons of both labels in turn; `wrong` is the one with the other label."""
    for number in numbers:
        spam = number % 2 == 1
        called = not spam if number == wrong else spam
        heard = report(store, lesson(number, spam=spam, called_spam=called), now=float(number))
        assert heard is Heard.LEARNED


def caught_up(folder: Path, store: Store, at_once: int = 500) -> State:
    """Return what a learner knows that took all lessons of `store`."""
    one = Learner(folder)
    while one.catch_up(store, at_once).behind:
        pass
    one.close()
    # A copy: the file changes.
    kept = Weights(folder / WEIGHTS_NAME).state
    return State(*(np.array(getattr(kept, each.name)) for each in fields(State)))
