"""One mail transaction of a session: MAIL to the reply to the end of data (RFC 5321 §3.3).

MAIL and RCPT go to the next hop as the client sends them, so that its refusals reach the client
word for word. DATA goes there only after our own verdict, and the client's 250 comes only after
the next hop's: there is no moment at which we alone hold the message.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from milter.core.edits import edited_pieces
from milter.core.errors import RelayError
from milter.core.ids import TxnId
from milter.core.reply import Reply
from milter.doors.decision import dealt, decide
from milter.doors.groups import Group, group_of, must_be_apart
from milter.doors.record import TransactionRecord
from milter.relay.outcome import Sent
from milter.smtp.data import Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milter.core.address import Mailbox
    from milter.core.connection import Connection
    from milter.pipeline.outcome import Outcome
    from milter.pipeline.scan import ConnectionScan, Scan
    from milter.relay.delivery import Relaying
    from milter.smtp.commands import PathCommand
    from milter.smtp.data import Received
    from milter.smtp.door import Door

_log: Final = logging.getLogger("gatepost.smtp")

_RELAYING_DENIED: Final = Reply.of(550, "5.7.1 Relaying denied: the recipient is not of this site")
# Deviation: RFC 5321 §4.5.3.1.8 asks for 100 recipients; those that may be refused by another
# policy come again in a transaction of their own.
COME_ALONE: Final = Reply.of(452, "4.5.3 Send this recipient in a transaction of its own")
_FAULT_REPLIES: Final = {
    Fault.TOO_BIG: (552, "5.3.4 Message is larger than this server takes"),
    Fault.NO_ROOM: (452, "4.3.1 Too many messages at once, try again later"),
    Fault.LONG_LINE: (550, "5.6.0 A line of the message is too long"),
    # RFC 5321 §2.3.8: CR and LF appear only together.
    Fault.BARE_NEWLINE: (550, "5.5.2 The message has a bare CR or LF"),
}


def too_large(
    door: Door, connection: Connection, client: Mapping[str, object], command: PathCommand
) -> Reply:
    """Return the reply to MAIL whose SIZE= is too large (RFC 1870 §6.1), which is taken note of."""
    record = TransactionRecord(
        door,
        client,
        TxnId(door.new_id()),
        command.mailbox,
        announced_bytes=command.size,
        connection=connection,
    )
    code, text = _FAULT_REPLIES[Fault.TOO_BIG]
    reply = Reply.of(code, text)
    record.too_large(reply)
    record.write()
    return reply


class MailTransaction:
    """The life of one transaction. Made at MAIL; `close` it, whatever happened.

    Args:
        door: The listener.
        connection_scan: Evidence about the client.
        client: What every log line says of the client.
        txn_id: Of this transaction.
        command: MAIL as the client sent it.
        upstream: Whether the peer is a mail server of ours, which puts a Received of its own on top
            each time it tries.
    """

    def __init__(
        self,
        door: Door,
        connection_scan: ConnectionScan,
        client: Mapping[str, object],
        txn_id: TxnId,
        command: PathCommand,
        *,
        upstream: bool = False,
    ) -> None:
        self._upstream = upstream
        self.txn_id = txn_id
        self._door = door
        self._command = command
        self._connection_scan = connection_scan
        self._scan: Scan = connection_scan.begin(txn_id)
        self._relaying: Relaying = door.next_hop.open(connection_scan.connection, txn_id)
        self._groups: dict[tuple[str, str, bool], Group] = {}
        self._recipients: list[tuple[Mailbox, Group]] = []
        self._served: tuple[Mailbox, ...] = ()
        self.record = TransactionRecord(
            door,
            client,
            txn_id,
            command.mailbox,
            announced_bytes=command.size,
            connection=connection_scan.connection,
        )

    @property
    def recipients(self) -> int:
        """How many recipients were accepted."""
        return len(self._recipients)

    @property
    def utf8(self) -> bool:
        """Whether MAIL said SMTPUTF8."""
        return "SMTPUTF8" in self._command.parameters

    @property
    def committed(self) -> bool:
        """Whether the final dot has gone to the next hop: from here on nothing can be undone."""
        return self._relaying.final_dot_sent

    def close(self) -> None:
        """Give back what the transaction holds; the next hop forgets it."""
        self._scan.close()
        self._relaying.abort()

    async def open(self) -> Reply:
        """Return the reply to MAIL."""
        self._scan.mail(self._command.mailbox, self._command.size)
        refused = await self._connection_scan.refuse_connect(self.txn_id)
        if refused is None:
            refused = await self._scan.refuse_early((), None)
        if refused is not None:
            return self._refused_early("mail", refused)
        if wait_s := await self._connection_scan.slowed_s():
            # A bot gives up or goes elsewhere; a mail server waits five minutes for this reply
            # (RFC 5321 §4.5.3.2.2).
            await asyncio.sleep(wait_s)
        try:
            reply = await self._relaying.mail(self._command.argument)
        except RelayError as error:
            return self._next_hop_failed(error, "mail")
        if not reply.accepted:
            self.record.next_hop_refused("mail", reply)
        return reply

    async def rcpt(self, command: PathCommand) -> Reply:
        """Return the reply to RCPT."""
        assert command.mailbox is not None  # noqa: S101 - parse_rcpt refuses `<>`
        mailbox = command.mailbox
        if not self._door.recipient_domains.accept(mailbox):
            self.record.relaying_denied(_RELAYING_DENIED, mailbox)
            return _RELAYING_DENIED
        group = group_of(
            self._scan.policy_for(mailbox),
            postmaster=self._door.recipient_domains.is_our_postmaster(mailbox),
        )
        if self._must_come_alone(group):
            return COME_ALONE
        refused = await self._scan.refuse_early((group.policy,), mailbox)
        if refused is not None:
            return self._refused_early("rcpt", refused, mailbox)
        try:
            reply = await self._relaying.rcpt(command.argument, mailbox.text, group.key)
        except RelayError as error:
            return self._next_hop_failed(error, "rcpt", mailbox)
        if reply.accepted:
            self._groups.setdefault(group.key, group)
            self._recipients.append((mailbox, group))
            self._scan.rcpt(mailbox)
        else:
            self.record.next_hop_refused("rcpt", reply, mailbox)
        return reply

    async def message(self, received: Received) -> Reply:
        """Return the reply to the end of data."""
        dot_at = asyncio.get_running_loop().time()
        self.record.recipients = tuple([mailbox for mailbox, _ in self._recipients])
        if received.fault is not Fault.NONE:
            code, text = _FAULT_REPLIES[received.fault]
            reply = Reply.of(code, text)
            self.record.faulty(received.fault.value, received.size, reply)
            return reply
        groups = list(self._groups.values())
        judgement = await self._scan.judge(
            received.message, [(group.policy, group.postmaster) for group in groups]
        )
        mode = self._door.listener.differing_recipients
        decision = decide(judgement.outcomes, mode, self._scan.soften)
        self.record.judged(judgement, decision.decisive, received.size)
        if decision.refusal is not None:
            reply = decision.refusal.reply or Reply.of(451, f"4.3.0 Try again ({self.txn_id})")
            self.record.replied(reply)
        else:
            reply = await self._deliver(received, groups, decision.deliveries, dot_at)
        if self._door.aftermath is not None:
            told = dealt(decision, mode, groups, self._recipients)
            if self._served:
                told = told._replace(served=self._served)
            self._door.aftermath.tell(judgement, decision.decisive.verdict, reply, told)
        return reply

    async def _deliver(
        self,
        received: Received,
        groups: list[Group],
        outcomes: tuple[Outcome, ...],
        dot_at: float,
    ) -> Reply:
        messages, redirects = {}, {}
        for group, outcome in zip(groups, outcomes, strict=True):
            edits = outcome.edits
            if outcome.redirect_to is not None:
                redirects[group.key] = outcome.redirect_to
                members = [mailbox for mailbox, its in self._recipients if its.key == group.key]
                edits = self._scan.redirected(outcome, members).edits
            messages[group.key] = edited_pieces(received.message, edits)
        try:
            sent = Sent(received.message, self._upstream, received.dotted, dot_at)
            delivered = await self._relaying.deliver(messages, redirects, sent)
        except RelayError as error:
            return self._next_hop_failed(error)
        self.record.delivered(delivered)
        if not delivered.reply.accepted:
            served = frozenset(delivered.accepted)
            self._served = tuple([one for one, _ in self._recipients if one.text in served])
        return delivered.reply

    def _must_come_alone(self, group: Group) -> bool:
        if not self._groups:
            return False
        if self._door.next_hop.single_recipient:
            return True
        first = next(iter(self._groups.values()))
        if self._door.next_hop.single_group and group.key != first.key:
            # Nobody would remember who got the message already when it comes again for the others.
            return True
        return must_be_apart(group, first, self._door.listener.differing_recipients)

    def _refused_early(self, stage: str, outcome: Outcome, mailbox: Mailbox | None = None) -> Reply:
        reply = outcome.reply or Reply.of(451, f"4.3.0 Try again later ({self.txn_id})")
        self.record.refused_early(stage, outcome, reply, mailbox)
        return reply

    def _next_hop_failed(
        self, error: RelayError, stage: str = "", mailbox: Mailbox | None = None
    ) -> Reply:
        if error.refuses_client and error.reply is not None:
            reply = error.reply
        else:
            words = f"4.4.1 The next mail server cannot be reached now ({self.txn_id})"
            reply = Reply.of(451, words)
        self.record.relay_failed(error, reply, stage=stage, mailbox=mailbox)
        return reply
