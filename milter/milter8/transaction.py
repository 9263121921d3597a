"""One message of a milter session: MAIL to the answer to its end.

What the SMTP door says to a client and does to the bytes of a message, this one has the mail server
say and do. There is one message for all recipients: one that may be refused differently from the
first is told to come again by itself, and what marks the message marks it for everybody.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from milter.core.reply import Reply
from milter.doors.decision import dealt, decide
from milter.doors.groups import Group, group_of, must_be_apart
from milter.doors.paths import is_ambiguous
from milter.doors.record import TransactionRecord
from milter.doors.redirection import redirection
from milter.milter8 import wire
from milter.milter8.edits import edit_packets
from milter.milter8.incoming import Fault, Incoming
from milter.pipeline.headers import own_names
from policies.verdict import Action

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milter.core.address import Mailbox
    from milter.core.connection import Direction
    from milter.core.ids import TxnId
    from milter.doors.decision import Decision
    from milter.doors.door import Door
    from milter.milter8.negotiate import Agreement
    from milter.pipeline.outcome import Outcome
    from milter.pipeline.scan import ConnectionScan, Scan

_log: Final = logging.getLogger("gatepost.milter")

_ACCEPTED: Final = Reply.of(250, "2.0.0 Ok")
_APART: Final = Reply.of(452, "4.5.3 Send this recipient in a transaction of its own")
_TOO_MANY: Final = Reply.of(452, "4.5.3 Too many recipients")
_AMBIGUOUS: Final = Reply.of(553, "5.1.3 Syntax error in the address of this recipient")
_FAULTS: Final = {
    Fault.TOO_BIG: Reply.of(552, "5.3.4 Message is larger than this server takes"),
    Fault.NO_ROOM: Reply.of(452, "4.3.1 Too many messages at once, try again later"),
    Fault.TOO_MANY_OURS: Reply.of(550, "5.6.0 Too many header fields that mail filters write"),
}
# Only a message that goes to somebody else alone may tell for whom it was.
_FOR_REDIRECTED: Final = frozenset({b"X-Gatepost-Recipients"})


@cache
def _changeable(direction: Direction) -> frozenset[bytes]:
    """Return the names, in lower case, of the fields that an edit may be about."""
    return frozenset(name.encode("ascii") for name in own_names(direction)) | {b"subject"}


class Recipient(NamedTuple):
    """One recipient.

    Attributes:
        mailbox: Who.
        path: As it came.
        group: Theirs.
    """

    mailbox: Mailbox
    path: bytes
    group: Group


class MilterTransaction:
    """The life of one message. Made at MAIL; `close` it, whatever happened.

    Args:
        door: The listener.
        agreement: How the connection is spoken on.
        connection_scan: Evidence about the client.
        client: What every log line says of the client.
        txn_id: Of this message.
        mail_from: The reverse path; None for the null one.
        announced_bytes: SIZE= of MAIL; 0 when the client did not say.
    """

    def __init__(
        self,
        door: Door,
        agreement: Agreement,
        connection_scan: ConnectionScan,
        *,
        client: Mapping[str, object],
        txn_id: TxnId,
        mail_from: Mailbox | None,
        announced_bytes: int,
    ) -> None:
        self.txn_id = txn_id
        self._door = door
        self._agreement = agreement
        self._connection_scan = connection_scan
        self._scan: Scan = connection_scan.begin(txn_id)
        self._scan.mail(mail_from, announced_bytes)
        self._local = connection_scan.connection.local_source
        self._announced = announced_bytes
        self._left_out = 0
        self._groups: dict[tuple[str, str, bool], Group] = {}
        self._recipients: list[Recipient] = []
        self.incoming = Incoming(
            door.bounds.message_bytes,
            door.limits,
            _changeable(connection_scan.connection.direction),
            leading_space=agreement.leading_space,
        )
        self.record = TransactionRecord(
            door,
            client,
            txn_id,
            mail_from,
            announced_bytes=announced_bytes,
            connection=connection_scan.connection,
        )

    def close(self) -> None:
        """Give back what it holds, and log and count it."""
        self._scan.close()
        self.incoming.close()
        self.record.write()

    async def refused_at_mail(self) -> Reply | None:
        """Return the reply to a client whose mail is not taken, whoever it is for, or None."""
        refused = await self._connection_scan.refuse_connect(self.txn_id)
        if refused is None:
            refused = await self._scan.refuse_early((), None)
        return None if refused is None else self._refused_early("mail", refused)

    def recipient(self, mailbox: Mailbox, path: bytes) -> Recipient:
        """Return the recipient of a RCPT, not yet taken."""
        ours = self._door.recipient_domains.is_our_postmaster(mailbox)
        return Recipient(mailbox, path, group_of(self._scan.policy_for(mailbox), postmaster=ours))

    def kept_out(self, recipient: Recipient) -> Reply | None:
        """Return the reply to a recipient who cannot be in this transaction, or None."""
        # Postfix takes a refused recipient of local mail for a mistake in its configuration, and
        # sendmail(1) could not send it again by itself: that message is judged as a whole.
        if self._local:
            return None
        if is_ambiguous(wire.text(recipient.path)):
            # Postfix makes a mailbox of nearly anything, to which no policy would belong, and does
            # not delete it where the message is redirected. The SMTP door refuses it, too.
            # Deviation: RFC 5321 §3.6.1, for it deletes none with a source route either.
            return _AMBIGUOUS
        if len(self._recipients) >= self._door.bounds.recipients:
            # RFC 5321 §4.5.3.1.10
            return _TOO_MANY
        if not self._groups:
            return None
        # Deviation: RFC 5321 §4.5.3.1.8, as at the SMTP door.
        return _APART if must_be_apart(recipient.group, self._first, self._mode) else None

    async def refused_at_rcpt(self, recipient: Recipient) -> Reply | None:
        """Return the reply to a recipient who is refused whatever may follow, or None."""
        if self._local:
            return None
        mailbox = recipient.mailbox
        refused = await self._scan.refuse_early((recipient.group.policy,), mailbox)
        return None if refused is None else self._refused_early("rcpt", refused, mailbox)

    def add(self, recipient: Recipient) -> None:
        """Take a recipient."""
        self._groups.setdefault(recipient.group.key, recipient.group)
        self._recipients.append(recipient)
        self._scan.rcpt(recipient.mailbox)

    def piece(self, data: bytes) -> bytes:
        """Take a piece of the body; return what is answered to it as long as there is no fault."""
        if self._agreement.skips:
            self._left_out += len(data)
            return wire.SKIP
        self.incoming.piece(data)
        return wire.CONTINUE

    def fault(self) -> Reply | None:
        """Return the reply to a message that will not be taken, as soon as that is known."""
        fault = self.incoming.fault
        if fault is Fault.NONE:
            return None
        reply = _FAULTS[fault]
        self.record.recipients = self._mailboxes()
        self.record.faulty(fault.value, self.incoming.size, reply)
        return reply

    async def end(self) -> bytes:
        """Return all that is answered to the end of the message: edits first, the verdict last."""
        self.record.recipients = self._mailboxes()
        message = b"" if self.incoming.fault is not Fault.NONE else self.incoming.whole()
        reply = self.fault()
        if reply is not None:
            return wire.reply_code(reply)
        groups = [(group.policy, group.postmaster) for group in self._groups.values()]
        judgement = await self._scan.judge(
            message, groups or [(self._scan.policy_of_others(), False)]
        )
        decision = decide(judgement.outcomes, self._mode, self._scan.soften)
        self.record.judged(judgement, decision.decisive, self._size_of(message))
        if decision.refusal is not None:
            answer, reply = self._refusal(decision.refusal)
        else:
            answer, reply = self._passed_on(decision), _ACCEPTED
        self.record.replied(reply)
        if self._door.aftermath is not None:
            recipients = [(mailbox, group) for mailbox, _, group in self._recipients]
            told = dealt(
                decision, self._mode, self._groups.values(), recipients, self.record.queue_id
            )
            told = told._replace(asked=True)
            self._door.aftermath.tell(judgement, decision.decisive.verdict, reply, told)
        return answer

    def _size_of(self, message: bytes) -> int:
        """Return the size of the message; of one that was not sent to its end, what is known."""
        if not self._left_out:
            return len(message)
        return max(len(message) + self._left_out, self._announced)

    @property
    def _first(self) -> Group:
        return next(iter(self._groups.values()))

    @property
    def _mode(self) -> Literal["separate", "quarantine", "strictest"]:
        mode = self._door.listener.differing_recipients
        return "quarantine" if self._local and mode == "separate" else mode

    def _mailboxes(self) -> tuple[Mailbox, ...]:
        return tuple([mailbox for mailbox, _, _ in self._recipients])

    def _refusal(self, outcome: Outcome) -> tuple[bytes, Reply]:
        if outcome.verdict.action is Action.DISCARD:
            return wire.DISCARD, outcome.reply or _ACCEPTED
        reply = outcome.reply or Reply.of(451, f"4.3.0 Try again ({self.txn_id})")
        return wire.reply_code(reply), reply

    def _passed_on(self, decision: Decision) -> bytes:
        """Return the packets for a message that somebody gets: all edits, then the verdict."""
        outcomes = decision.deliveries
        redirected = [outcome.redirect_to is not None for outcome in outcomes]
        packets = edit_packets(
            decision.decisive.edits,
            self.incoming.places,
            leading_space=self._agreement.leading_space,
            left_out=frozenset() if all(redirected) else _FOR_REDIRECTED,
        )
        if any(redirected):
            packets += self._redirections(outcomes)
        elif self._is_held(outcomes):
            reason = f"{decision.decisive.verdict.reason} ({self.txn_id})"
            packets.append(wire.quarantine(reason.encode("ascii", "replace")))
        packets.append(wire.CONTINUE)
        return b"".join(packets)

    def _is_held(self, outcomes: tuple[Outcome, ...]) -> bool:
        """Whether the mail server holds the message: it does for all recipients or for none."""
        return (
            self._door.listener.hold_quarantined
            and self._agreement.may_hold
            and all(outcome.verdict.action is Action.QUARANTINE for outcome in outcomes)
        )

    def _redirections(self, outcomes: tuple[Outcome, ...]) -> list[bytes]:
        """Return the packets that have other addresses get the message instead of recipients."""
        targets = {
            group.key: outcome.redirect_to
            for group, outcome in zip(self._groups.values(), outcomes, strict=False)
        }
        change = redirection([(one.mailbox, targets[one.group.key]) for one in self._recipients])
        # RFC 3461 §4.1: a report about the other address would name it to the sender, who may be
        # forged besides, and bring the message along.
        parameters = b"NOTIFY=NEVER" if self._agreement.declines_reports else b""
        # The new ones first: a message that loses its last recipient may be thrown away.
        added = [wire.add_recipient(f"<{to.text}>".encode(), parameters) for to in change.added]
        paths = [self._recipients[place].path for place in change.deleted]
        return [*added, *map(wire.delete_recipient, paths)]

    def _refused_early(self, stage: str, outcome: Outcome, mailbox: Mailbox | None = None) -> Reply:
        reply = outcome.reply or Reply.of(451, f"4.3.0 Try again later ({self.txn_id})")
        self.record.refused_early(stage, outcome, reply, mailbox)
        return reply
