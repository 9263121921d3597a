"""How well the classifier does on labelled mail, in order of delivery; nothing live is touched."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from reputation.classifier.model import State, calibrated, learn, margin, new_state

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reputation.classifier.features import Features


def online(
    messages: Iterable[tuple[bool, Features]], delay: int = 0, learned: int | None = None
) -> Iterator[float]:
    """Yield the probability of each message, which is then learned.

    Args:
        messages: Whether it is spam, and what it has; in order of delivery.
        delay: After how many further messages its label is known.
        learned: How many labels are ever known, those of the first messages; None: all of them.
    """
    state = new_state()
    unheard: deque[tuple[bool, Features | None]] = deque()
    for number, (spam, features) in enumerate(messages):
        yield calibrated(state, margin(state, features))
        unheard.append((spam, features if learned is None or number < learned else None))
        if len(unheard) > delay:
            known, heard = unheard.popleft()
            if heard is not None:
                learn(state, heard, spam=known)


def trained(messages: Iterable[tuple[bool, Features]]) -> State:
    """Return what a classifier knows that learned `messages` in their order."""
    state = new_state()
    for spam, features in messages:
        learn(state, features, spam=spam)
    return state


def offline(state: State, messages: Iterable[tuple[bool, Features]]) -> Iterator[float]:
    """Yield the probability of each message; nothing is learned."""
    for _, features in messages:
        yield calibrated(state, margin(state, features))
