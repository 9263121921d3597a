"""What is done with a transaction after its reply: remembered and counted, never waited for.

Consumers are called one after the other when the session is done with the message. They neither
block nor raise: what they write goes to the store's client, which gathers it. A consumer of another
part of Gatepost (history, statistics) is one more in the list.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milter.checks.base import Evidence
    from milter.core.address import Mailbox
    from milter.core.connection import Connection
    from milter.core.reply import Reply
    from milter.core.transaction import Transaction
    from milter.message.document import Message
    from milter.pipeline.scan import Judgement
    from policies.compare import Change
    from policies.verdict import Verdict

_log: Final = logging.getLogger("gatepost.pipeline")

# The session writes its reply first.
_AFTER_S: Final = 0.02
# So many of the waiting ones at once; then the loop is given back.
_AT_ONCE: Final = 20
_MOST_WAITING: Final = 500
# Stage of a refusal in place of the greeting.
GREETING: Final = "greeting"
_MOST_BYTES: Final = 64 * 2**20


class Share(NamedTuple):
    """Recipients of a message who were treated alike.

    Attributes:
        policy: Name of theirs.
        postmaster: Whether they are postmasters of ours.
        verdict: What was done for them.
        recipients: Who.
    """

    policy: str
    postmaster: bool
    verdict: Verdict
    recipients: tuple[Mailbox, ...]


class Dealt(NamedTuple):
    """How a door dealt with a message whose recipients may differ.

    Attributes:
        differing: What it does where they differ, `differing_recipients` of the listener.
        shares: All recipients.
        queue_id: What the mail server that asks calls the message; empty where there is none.
        asked: Whether a mail server or a program asked, and passes the message on itself.
        served: Who has the message though the client is told to come again, for others have not.
    """

    differing: str = "separate"
    shares: tuple[Share, ...] = ()
    queue_id: str = ""
    asked: bool = False
    served: tuple[Mailbox, ...] = ()


_ALIKE: Final = Dealt()


class Otherwise(NamedTuple):
    """What a shadow policy would have done instead.

    Attributes:
        shadow: Its name.
        change: From what was done to what it would have done.
    """

    shadow: str
    change: Change


@dataclass(frozen=True, slots=True)
class Seen:
    """A transaction that had its reply.

    Attributes:
        at: When, in seconds since the epoch.
        txn: The transaction, whole.
        message: The message, as checks saw it.
        evidence: All that was found.
        verdict: The decisive one.
        reply: What the client was told at the end of data.
        duration_s: From the end of data to the verdict.
        dealt: How recipients were dealt with; as a rule all alike.
        otherwise: What shadow policies would have done instead; those that agree are not there.
    """

    at: float
    txn: Transaction
    message: Message
    evidence: Evidence
    verdict: Verdict
    reply: Reply
    duration_s: float
    dealt: Dealt = _ALIKE
    otherwise: tuple[Otherwise, ...] = ()

    @property
    def delivered(self) -> bool:
        """Whether the next hop took it, or it was thrown away in silence."""
        return self.reply.accepted


class TurnedAway(NamedTuple):
    """A transaction that ended before its message was judged, or a client refused a greeting.

    Attributes:
        at: When, in seconds since the epoch.
        reference: The id that the client was told: of the transaction, or of the session.
        connection: The client.
        stage: Where it was decided: greeting, mail, rcpt; data: a message that could not be taken.
        verdict: What was decided; None: no policy did, but what `why` says.
        reply: What the client was told.
        mail_from: The reverse path; None for the null one, and where none was said.
        recipients: Who were refused.
        announced: Bytes that the client had announced; 0: it did not say.
        came: Whether the message came nevertheless, for other recipients.
        decisive: Whether it stands for the transaction, of several verdicts the last one.
        why: What ended it, in words, where no policy did: the next hop, a fault of the message.
        size: Bytes of the message that could not be taken.
    """

    at: float
    reference: str
    connection: Connection
    stage: str
    verdict: Verdict | None
    reply: Reply
    mail_from: Mailbox | None = None
    recipients: tuple[Mailbox, ...] = ()
    announced: int = 0
    came: bool = False
    decisive: bool = True
    why: str = ""
    size: int = 0


class Watcher(Protocol):
    """Somebody who wants to know of those, too, who were turned away before their data."""

    def see_turned_away(self, turned: TurnedAway) -> None:
        """Take one: pure CPU, a fraction of a millisecond."""
        ...


class Consumer(Protocol):
    """Somebody who wants to know of every message."""

    def see(self, seen: Seen) -> None:
        """Take one transaction: pure CPU, a fraction of a millisecond."""
        ...


# What shadow policies would have done with a message instead.
Differing = Callable[[Seen], tuple[Otherwise, ...]]
_T = TypeVar("_T")


class Aftermath:
    """Hands transactions to consumers after their reply; belongs to one event loop.

    Args:
        consumers: Called in this order.
        clock: Seconds since the epoch.
        dropped: Told of each transaction that there was no room for.
    """

    def __init__(
        self,
        consumers: Sequence[Consumer],
        clock: Callable[[], float],
        dropped: Callable[[], None] = lambda: None,
    ) -> None:
        self._consumers = tuple(consumers)
        self.clock = clock
        self._dropped = dropped
        self._watchers: tuple[Watcher, ...] = ()
        self._differing: Differing | None = None
        self._waiting: deque[Seen | TurnedAway] = deque()
        self._bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, consumer: Consumer) -> None:
        """Call one more consumer, behind the others."""
        self._consumers = (*self._consumers, consumer)

    def compare(self, differing: Differing) -> None:
        """Ask `differing` about each message before the consumers, who get its answer as well."""
        self._differing = differing

    def watch(self, watcher: Watcher) -> None:
        """Tell `watcher` of transactions that ended before their data."""
        self._watchers = (*self._watchers, watcher)

    @property
    def wanted(self) -> bool:
        """Whether anybody wants to know."""
        return bool(self._consumers) or self._differing is not None

    def tell(
        self, judgement: Judgement, decisive: Verdict, reply: Reply, dealt: Dealt = _ALIKE
    ) -> None:
        """Take a message that was judged; `decisive` decided, and `reply` is what was said."""
        self.take(
            Seen(
                self.clock(),
                judgement.txn,
                judgement.message,
                judgement.evidence,
                decisive,
                reply,
                judgement.duration_s,
                dealt,
            )
        )

    def take(self, seen: Seen) -> None:
        """Take a transaction; returns at once."""
        self._queue(seen, len(seen.txn.message))

    def turn_away(self, turned: TurnedAway) -> None:
        """Take a refusal before the data; returns at once."""
        if self._watchers:
            self._queue(turned, 0)

    def finish(self) -> None:
        """Hand over all that waits; at the end of a worker."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting:
            self._next()

    def _queue(self, one: Seen | TurnedAway, size: int) -> None:
        if len(self._waiting) >= _MOST_WAITING or self._bytes + size > _MOST_BYTES:
            self._dropped()
            return
        self._waiting.append(one)
        self._bytes += size
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_AFTER_S, self._some)

    def _some(self) -> None:
        self._timer = None
        for _ in range(min(_AT_ONCE, len(self._waiting))):
            self._next()
        if self._waiting:
            self._timer = asyncio.get_running_loop().call_later(0, self._some)

    def _next(self) -> None:
        one = self._waiting.popleft()
        if isinstance(one, TurnedAway):
            for watcher in self._watchers:
                self._tell(partial(watcher.see_turned_away, one), one.connection.session_id)
            return
        self._bytes -= len(one.txn.message)
        if self._differing is not None:
            otherwise = self._tell(partial(self._differing, one), one.txn.txn_id)
            one = replace(one, otherwise=otherwise) if otherwise else one
        for consumer in self._consumers:
            self._tell(partial(consumer.see, one), one.txn.txn_id)

    def _tell(self, tell: Callable[[], _T], reference: str) -> _T | None:
        """Return what was answered; None where it failed."""
        try:
            return tell()
        except Exception as error:  # noqa: BLE001 - the message has its verdict; the others go on
            _log.error(
                "aftermath failed",
                exc_info=error,
                extra={"txn_id": reference, "error": type(error).__name__},
            )
            return None
