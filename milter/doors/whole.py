"""Messages that are handed over whole, with what is known of their envelope: HTTP and spamd.

They are judged, logged, counted and remembered as those of the other doors. Nobody waits for a
decision per recipient, so there is one verdict for all: the severest.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from milter.core.errors import GatepostError
from milter.core.ids import SessionId, TxnId
from milter.core.reply import Reply
from milter.doors.record import TransactionRecord, client_fields
from milter.message.lines import with_crlf
from milter.pipeline.aftermath import Dealt
from milter.pipeline.offline import judge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milter.doors.door import Door
    from milter.pipeline.offline import Envelope, Judged

_ACCEPTED: Final = Reply.of(250, "2.0.0 Ok")
_ASKED: Final = Dealt(asked=True)


class NoRoomError(GatepostError):
    """There is no place for one more message now; a little later there is."""


class TooLargeError(GatepostError):
    """The message is larger than messages may be."""


class Hold:
    """The bytes of one message, counted as held while it is read and judged."""

    def __init__(self, door: Door) -> None:
        self._limits = door.limits
        self._max_bytes = door.bounds.message_bytes
        self.size = 0

    def take(self, size: int) -> None:
        """Count `size` bytes more.

        Raises:
            TooLargeError: One message may not have as many.
            NoRoomError: All messages together may not.
        """
        if self.size + size > self._max_bytes:
            raise TooLargeError(f"the message is larger than {self._max_bytes} bytes")
        if not self._limits.reserve(size):
            raise NoRoomError("too many messages at once, try again")
        self.size += size


@contextmanager
def place_for_one(door: Door) -> Iterator[Hold]:
    """Keep a place for one message; it is given back whatever happens.

    Raises:
        NoRoomError: There is none.
    """
    if not door.limits.admit(None):
        door.metrics.session_refused("full")
        raise NoRoomError("too many at once, try again")
    hold = Hold(door)
    try:
        yield hold
    finally:
        door.limits.give_back(hold.size)
        door.limits.release(None)


async def judge_whole(
    door: Door,
    data: bytes,
    envelope: Envelope,
    *,
    queue_id: str = "",
    remembered: bool = True,
) -> Judged:
    """Return what is decided about a message, logged and counted.

    Args:
        door: Where it came in.
        data: The message; lines may end in LF.
        envelope: What is known beside it.
        queue_id: The mail server's own name for it; empty where it said none.
        remembered: Whether it is mail that arrives, which memory and statistics are told of, or
            somebody only wants to know.
    """
    txn_id, session_id = TxnId(door.new_id()), SessionId(door.new_id())
    client = client_fields(envelope.connection(session_id))
    record = TransactionRecord(door, client, txn_id, envelope.mail_from, announced_bytes=0)
    record.queued(queue_id)
    record.recipients = envelope.recipients
    try:
        judged = await judge(door.pipeline, with_crlf(data), envelope, txn_id, session_id)
        reply = judged.outcome.reply or _ACCEPTED
        record.judged(judged.judgement, judged.outcome, len(judged.message))
        record.replied(reply)
    except BaseException:
        record.failed(Reply.of(451, "4.3.0 Try again"))
        raise
    finally:
        record.write()
    if remembered and door.aftermath is not None:
        door.aftermath.tell(judged.judgement, judged.outcome.verdict, reply, _ASKED)
    return judged
