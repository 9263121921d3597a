"""The rule that no message is lost and none doubled, checked over what a client and a sink saw.

Got 250: the next hop has it exactly once. Did not: it has none. Two things are allowed beside that,
each only where the kind of fault makes it possible: RFC 1047's window (the hop kept the message and
the client was not told), once for each try that fell into it; and a message that only some of its
recipients got, of which the client was told 451, once in all, however often it is sent.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.support.serial_client import Attempt, SerialMessage

UNKNOWN: Final = b"451 4.3.0 It is not known whether"
IN_PART: Final = b"451 4.3.0 Some recipients were not served"

# Serial number and recipient, to how often the next hop has it.
Copies = Counter[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault.

    Attributes:
        name: In the table.
        met: Whether a try met it, by what its client saw.
        window: Recipients for whom the hop may keep a message without our client being told.
        in_part: Whether some recipients can be served and others not.
    """

    name: str
    met: Callable[[Attempt], bool]
    window: frozenset[str] = frozenset()
    in_part: bool = False


@dataclass(slots=True)
class Row:
    """What a kind came to.

    Attributes:
        kind: Its name.
        messages: How many were sent.
        tries: How often.
        met: Messages that met the fault.
        told: Recipients for whom the client got its 250.
        kept: Copies of messages of which the client was not told at that try.
        doubled: Recipients who have more than one copy.
        broken: The rules that were broken, in words.
    """

    kind: str
    messages: int
    tries: int
    met: int
    told: int = 0
    kept: int = 0
    doubled: int = 0
    broken: list[str] = field(default_factory=list)


def check(kind: Kind, attempts: Sequence[Attempt], copies: Copies) -> Row:
    """Return what became of the messages of one kind, with every rule that was broken.

    Args:
        kind: The kind of fault.
        attempts: Every try of every message.
        copies: What the next hop has.
    """
    tries: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        tries.setdefault(attempt.message.serial, []).append(attempt)
    met = sum(any(map(kind.met, each)) for each in tries.values())
    row = Row(kind.name, len(tries), len(attempts), met)
    for serial, each in tries.items():
        for recipient in each[0].message.recipients:
            _count(kind, row, (serial, recipient), each, copies)
    row.broken += _strangers(tries, copies)
    return row


def _count(
    kind: Kind, row: Row, key: tuple[str, str], tries: Sequence[Attempt], copies: Copies
) -> None:
    recipient, found = key[1], copies[key]
    told = sum(recipient in attempt.told for attempt in tries)
    windows = sum(_in_window(kind, attempt, recipient) for attempt in tries)
    in_part = kind.in_part and any(_in_part(attempt, recipient) for attempt in tries)
    most = max(told, int(in_part)) + windows
    if not told <= found <= most:
        row.broken.append(f"{key}: {found} copies, {told} to {most} allowed")
    row.told += told
    row.kept += found - told
    row.doubled += found > 1


def _in_window(kind: Kind, attempt: Attempt, recipient: str) -> bool:
    """Whether the hop may have taken the message at this try and could not say so."""
    if recipient not in kind.window or recipient not in attempt.accepted or attempt.told:
        return False
    return attempt.lost == "final" or attempt.answered("final", UNKNOWN)


def _in_part(attempt: Attempt, recipient: str) -> bool:
    return recipient in attempt.accepted and (
        attempt.answered("final", IN_PART) or attempt.answered("final", UNKNOWN)
    )


def _strangers(tries: dict[str, list[Attempt]], copies: Copies) -> Iterator[str]:
    """Tell of recipients who got a message that was not for them."""
    for serial, recipient in copies:
        if serial not in tries or recipient not in tries[serial][0].message.recipients:
            yield f"({serial}, {recipient}): nobody sent that"


@dataclass(slots=True)
class Ledger:
    """The rows of a whole run."""

    rows: list[Row] = field(default_factory=list)

    @property
    def messages(self) -> int:
        """How many messages were sent over all kinds."""
        return sum(row.messages for row in self.rows)

    @property
    def table(self) -> str:
        """The counts, a line for each kind."""
        heads = ("messages", "tries", "met", "told", "kept untold", "doubled")
        width = max((len(row.kind) for row in self.rows), default=0)
        lines = [" ".join((" " * width, *(f"{head:>11}" for head in heads)))]
        for row in self.rows:
            counts = (row.messages, row.tries, row.met, row.told, row.kept, row.doubled)
            lines.append(" ".join((row.kind.ljust(width), *(f"{count:>11}" for count in counts))))
        return "\n".join((*lines, f"{self.messages} messages in {len(self.rows)} kinds", ""))


def to_try_again(
    messages: Sequence[SerialMessage], attempts: Sequence[Attempt]
) -> Iterator[tuple[SerialMessage, tuple[str, ...]]]:
    """Yield what a client that retries sends next, and to whom.

    Args:
        messages: Those of the last round.
        attempts: The tries of that round.
    """
    last = {attempt.message.serial: attempt for attempt in attempts}
    for message in messages:
        attempt = last.get(message.serial)
        if attempt is None or not message.retries:
            continue
        left = tuple(each for each in attempt.recipients if attempt.fate(each) == "again")
        if left:
            yield message, left
