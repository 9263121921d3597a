"""How the answers of the next hop for many recipients become one answer for the client.

Pure: replies in, one reply out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from milter.core.reply import Reply
from milter.relay.protocol import least_lasting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milter.core.errors import RelayError


class Sent(NamedTuple):
    """What the client sent, beside the message as it shall be delivered.

    Attributes:
        original: The message as it came, the same when it comes again; None where nothing shall be
            remembered.
        retraced: Whether the peer puts a Received of its own on top at each try, as a mail server
            of ours in front does; `original` is then the same but for that.
        dotted: Whether a line of the message may begin with a dot.
        dot_at: Loop time at which its final dot came. No final dot of ours goes out later than
            `Timers.dot_by_s` after it, and no answer is waited for longer than
            `Timers.answer_by_s` after it. None: only the deadlines of each stage hold.
    """

    original: bytes | None = None
    retraced: bool = False
    dotted: bool = True
    dot_at: float | None = None


class Delivered(NamedTuple):
    """What became of a message after DATA.

    Attributes:
        reply: For the client.
        accepted: Recipients whose message the hop took, now or at an earlier attempt.
        refused: Recipients whose message it did not take, each with the reason.
        unknown: Recipients for whom the final dot was sent and no answer came: they may have the
            message (RFC 1047).
        next_hop: The hosts that were spoken to.
    """

    reply: Reply
    accepted: tuple[str, ...]
    refused: tuple[tuple[str, Reply], ...]
    unknown: tuple[str, ...]
    next_hop: str


@dataclass(slots=True)
class Tally:
    """Collects the outcome for each recipient while a message is delivered.

    Attributes:
        reply_each: Whether the hop answers the final dot once for each RCPT (LMTP).
        known: Recipients that an earlier attempt served; left out of this one.
        accepted: Recipients with the hop's 2xx.
        refused: Recipients with the hop's refusal.
        unknown: Recipients without an answer.
        hosts: The hosts spoken to.
        failures: What happened after a final dot, and to whom.
    """

    reply_each: bool = False
    known: list[str] = field(default_factory=list)
    accepted: list[tuple[str, Reply]] = field(default_factory=list)
    refused: list[tuple[str, Reply]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    failures: list[tuple[RelayError, list[str]]] = field(default_factory=list)

    @property
    def partial(self) -> bool:
        """Whether some of those asked now were served and others not."""
        return bool(self.accepted) and bool(self.refused or self.unknown)

    @property
    def next_hop(self) -> str:
        """The hosts spoken to, for the log."""
        return ", ".join(sorted(self.hosts))

    def accept(self, recipients: Sequence[str], reply: Reply) -> None:
        """Note that `recipients` were served with `reply`."""
        self.accepted += [(recipient, reply) for recipient in recipients]

    def refuse(self, recipients: Sequence[str], reply: Reply) -> None:
        """Note that `recipients` were refused with `reply`."""
        self.refused += [(recipient, reply) for recipient in recipients]

    def delivered(self) -> Delivered:
        """Return the outcome."""
        return Delivered(
            reply=self._reply(),
            accepted=(*self.known, *(recipient for recipient, _ in self.accepted)),
            refused=tuple(self.refused),
            unknown=tuple(self.unknown),
            next_hop=self.next_hop,
        )

    def _reply(self) -> Reply:
        if self.unknown:
            return Reply.of(451, "4.3.0 It is not known whether the message was delivered")
        if self.partial:
            return Reply.of(451, "4.3.0 Some recipients were not served, try again for them")
        if self.refused:
            # Whoever was served at an earlier attempt does not count: repeating 451 until the
            # client gives up would end in the same report to the sender, days later.
            return least_lasting([reply for _, reply in self.refused])
        answers = {reply for _, reply in self.accepted}
        if len(answers) == 1 and not self.known:
            return next(iter(answers))
        count = len(self.known) + len(self.accepted)
        return Reply.of(250, f"2.0.0 Ok: {count} recipients")
