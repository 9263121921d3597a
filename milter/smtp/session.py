"""One SMTP session: the order of commands and the reply to each (RFC 5321 §4.1, §4.3).

Knows no socket: `protocol` reads lines and message bytes, hands them in and writes the replies.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar, Final

from milter.core.errors import GatepostError
from milter.core.ids import TxnId
from milter.core.reply import Reply
from milter.doors.record import client_fields
from milter.smtp.client_identity import (
    XCLIENT_ATTRIBUTES,
    XFORWARD_ATTRIBUTES,
    parse_attributes,
)
from milter.smtp.commands import (
    CommandError,
    parse_bdat,
    parse_helo,
    parse_mail,
    parse_rcpt,
    split_line,
)
from milter.smtp.data import ChunkReader, DataReader, Fault
from milter.smtp.extensions import ehlo_reply
from milter.smtp.mail_transaction import COME_ALONE, MailTransaction, too_large
from milter.smtp.patience import Patience
from milter.smtp.spoken_for import SpokenFor
from milter.smtp.step import Next, Step

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from milter.core.connection import Connection, Tls
    from milter.pipeline.arrival import Arrival
    from milter.pipeline.scan import ConnectionScan
    from milter.smtp.data import Received
    from milter.smtp.door import Door

_log: Final = logging.getLogger("gatepost.smtp")

_OK: Final = Reply.of(250, "2.0.0 Ok")
_NO_TRANSACTION: Final = Reply.of(503, "5.5.1 MAIL first")
_NO_RECIPIENTS: Final = Reply.of(554, "5.5.1 No valid recipients")
# RFC 5321 §4.5.3.1.10
_TOO_MANY_RECIPIENTS: Final = Reply.of(452, "4.5.3 Too many recipients")
_COME_AGAIN: Final = frozenset({_TOO_MANY_RECIPIENTS, COME_ALONE})
_START_DATA: Final = Step(Reply.of(354, "End data with <CR><LF>.<CR><LF>"), Next.DATA)
_BARE_NEWLINE: Final = Reply.of(500, "5.5.2 Lines end with CRLF")
# RFC 5321 §4.5.3.1.4, with room for the longest path and several parameters (RFC 3461 §5).
MAX_COMMAND: Final = 4096

# A client that sends its message in crumbs makes more work than its message is.
_SMALL_CHUNK: Final = 1024
_BETWEEN_CHUNKS: Final = frozenset({b"BDAT", b"RSET", b"QUIT", b"NOOP"})
# A browser or a scanner that found our port; what follows are its headers, a line each.
_FOREIGN_VERBS: Final = (b"GET", b"POST", b"PUT", b"HEAD", b"CONNECT", b"OPTIONS", b"DELETE")
_FOREIGN: Final = Step(Reply.of(502, "5.5.1 This is a mail server"), Next.CLOSE)


class Session:
    """The state of one session.

    Args:
        door: The listener.
        connection: The client, as far as it is known at the greeting.
        trusted: Whether the peer may say whom it speaks for.
        arrival: What was asked of the client before its greeting; None: nothing.
    """

    def __init__(
        self, door: Door, connection: Connection, *, trusted: bool, arrival: Arrival | None
    ) -> None:
        self._arrival = arrival
        self._door = door
        self._bounds = door.session_bounds
        self._trusted = trusted
        self._who = SpokenFor(connection)
        self._scan: ConnectionScan | None = None
        self._client: dict[str, object] = {}
        self._transaction: MailTransaction | None = None
        self._reader: DataReader | ChunkReader | None = None
        self._patience = Patience(door.session_bounds)
        self.transactions = 0

    @property
    def connection(self) -> Connection:
        """The client as it is known now."""
        return self._who.client

    @property
    def in_transaction(self) -> bool:
        """Whether MAIL was accepted and the transaction has not ended."""
        return self._transaction is not None

    def data_reader(self) -> DataReader:
        """Return the reader for the message that DATA begins."""
        reader = DataReader(self._door.message_bounds, self._door.limits)
        self._reader = reader
        return reader

    def chunk_reader(self) -> ChunkReader | None:
        """Return the reader of the message whose chunks come; None when there is no transaction."""
        return self._reader if isinstance(self._reader, ChunkReader) else None

    @property
    def committed(self) -> bool:
        """Whether the next hop may already have taken the message."""
        return self._transaction is not None and self._transaction.committed

    def greeting(self) -> Reply:
        """Return the 220 (RFC 5321 §4.3.1)."""
        return Reply.of(220, f"{self._door.hostname} ESMTP Gatepost")

    def close(self) -> None:
        """End whatever still runs."""
        self._end_transaction()
        self._forget_scan()

    async def command(self, line: bytes) -> Step:
        """Return the answer to one command line."""
        if not line.endswith(b"\r\n"):
            return self.malformed(_BARE_NEWLINE, line)
        try:
            verb, argument = split_line(line)
            if self._reader is not None and verb not in _BETWEEN_CHUNKS:
                # RFC 3030 §2: between chunks only BDAT and RSET have a place.
                step = Step(Reply.of(503, "5.5.1 BDAT or RSET is needed"))
            else:
                answer = self._VERBS.get(verb, Session._unknown)(self, argument)
                step = answer if isinstance(answer, Step) else await answer
        except CommandError as error:
            step = Step(Reply.of(error.code, f"{error.enhanced} {error.what}"))
        except Exception as error:  # noqa: BLE001 - the top of a session
            step = Step(self.crashed(error))
        return self.bounded(step)

    def malformed(self, reply: Reply, line: bytes) -> Step:
        """Return the answer to a line that is no command.

        Args:
            reply: Says why.
            line: Its beginning.
        """
        if reply.code == 421 or line[:4].upper() == b"BDAT":
            # A chunk comes behind BDAT that would be taken for commands.
            return Step(reply, Next.CLOSE)
        return self.bounded(Step(reply))

    async def message(self, received: Received) -> Step:
        """Return the answer to the end of a message."""
        transaction = self._transaction
        assert transaction is not None  # noqa: S101 - DATA and BDAT need one
        try:
            reply = await transaction.message(received)
        except Exception as error:  # noqa: BLE001 - the top of a session
            reply = self.crashed(error)
        self._end_transaction()
        if received.fault is Fault.BARE_NEWLINE:
            # What follows on this connection may be the attacker's second message.
            return Step(reply, Next.CLOSE)
        if reply.accepted:
            self._patience.begin_anew()
        return Step(reply)

    def encrypted(self, tls: Tls) -> None:
        """Start over after STARTTLS."""
        self.close()
        self._who.encrypt(tls)

    def bounded(self, step: Step) -> Step:
        """Return `step`, or the end of a session that leads nowhere."""
        return self._patience.bounded(step)

    def _unknown(self, _argument: bytes) -> Step:
        return Step(Reply.of(500, "5.5.2 Command not recognised"))

    def _foreign(self, _argument: bytes) -> Step:
        return _FOREIGN

    def _helo(self, argument: bytes) -> Step:
        self._greeted(parse_helo(argument), esmtp=False)
        return Step(Reply.of(250, self._door.hostname))

    def _ehlo(self, argument: bytes) -> Step:
        self._greeted(parse_helo(argument), esmtp=True)
        tls = self._who.peer.tls is not None
        return Step(ehlo_reply(self._door, tls=tls, trusted=self._trusted))

    async def _mail(self, argument: bytes) -> Step:
        if not (self._who.peer.helo_name or self._who.client.helo_name):
            return Step(Reply.of(503, "5.5.1 EHLO first"))
        if self._transaction is not None:
            return Step(Reply.of(503, "5.5.1 There is a transaction already"))
        command = parse_mail(argument, extended=self._who.peer.esmtp)
        if command.size > self._bounds.message_bytes:
            client = self._who.client
            return Step(too_large(self._door, client, client_fields(client), command))
        if not self._door.limits.reserve(1):
            return Step(Reply.of(452, "4.3.1 Too many messages at once, try again later"))
        self._door.limits.give_back(1)
        scan, txn_id = self._connection_scan(), TxnId(self._door.new_id())
        self._transaction = MailTransaction(
            self._door, scan, self._client, txn_id, command, upstream=self._trusted
        )
        self.transactions += 1
        reply = await self._transaction.open()
        if not reply.accepted:
            self._end_transaction()
        return Step(reply)

    async def _rcpt(self, argument: bytes) -> Step:
        transaction = self._transaction
        if transaction is None:
            return Step(_NO_TRANSACTION)
        command = parse_rcpt(argument, extended=self._who.peer.esmtp, utf8=transaction.utf8)
        if transaction.recipients >= self._bounds.recipients:
            reply = _TOO_MANY_RECIPIENTS
        else:
            reply = await transaction.rcpt(command)
        if reply in _COME_AGAIN:
            self._patience.note_postponed()
        return Step(reply)

    def _data(self, argument: bytes) -> Step:
        if argument:
            return Step(Reply.of(501, "5.5.4 DATA takes no argument"))
        if self._transaction is None:
            return Step(_NO_TRANSACTION)
        if not self._transaction.recipients:
            return Step(_NO_RECIPIENTS)
        return _START_DATA

    def _bdat(self, argument: bytes) -> Step:
        try:
            size, last = parse_bdat(argument)
        except CommandError as error:
            # How much of what follows is no command cannot be known.
            return Step(Reply.of(error.code, f"{error.enhanced} {error.what}"), Next.CLOSE)
        if size < _SMALL_CHUNK:
            self._patience.note_idle()
        refused = None
        if self._transaction is None:
            refused = _NO_TRANSACTION
        elif not self._transaction.recipients:
            refused = _NO_RECIPIENTS
        elif size > self._bounds.message_bytes:
            refused = Reply.of(552, "5.3.4 Message is larger than this server takes")
        if refused is not None:
            # The chunk comes in any case: it is read as long as that is cheaper than a new start.
            after = Next.CHUNK if size <= self._bounds.message_bytes else Next.CLOSE
            return Step(refused, after, size, last)
        if self._reader is None:
            self._reader = ChunkReader(self._door.message_bounds, self._door.limits)
        return Step(None, Next.CHUNK, size, last)

    def _rset(self, argument: bytes) -> Step:
        if argument:
            return Step(Reply.of(501, "5.5.4 RSET takes no argument"))
        self._patience.note_idle()
        self._end_transaction()
        return Step(_OK)

    def _noop(self, _argument: bytes) -> Step:
        self._patience.note_idle()
        return Step(_OK)

    def _vrfy(self, argument: bytes) -> Step:
        self._patience.note_idle()
        if not argument:
            return Step(Reply.of(501, "5.5.4 Syntax: VRFY address"))
        if b"@" in argument:
            parse_rcpt(b"TO:" + argument, extended=False, utf8=True)
        # RFC 5321 §3.5.3: 252 is the answer of a server that will not verify.
        return Step(Reply.of(252, "2.1.5 Send some mail and see"))

    def _expn(self, _argument: bytes) -> Step:
        return Step(Reply.of(502, "5.5.1 EXPN is not available"))

    def _help(self, _argument: bytes) -> Step:
        self._patience.note_idle()
        return Step(Reply.of(214, "2.0.0 See RFC 5321"))

    def _quit(self, argument: bytes) -> Step:
        if argument:
            return Step(Reply.of(501, "5.5.4 QUIT takes no argument"))
        return Step(Reply.of(221, "2.0.0 Bye"), Next.CLOSE)

    def _starttls(self, argument: bytes) -> Step:
        if argument:
            return Step(Reply.of(501, "5.5.4 STARTTLS takes no argument"))
        if self._door.tls is None:
            return Step(Reply.of(454, "4.7.0 TLS is not available"))
        if self._who.peer.tls is not None:
            return Step(Reply.of(503, "5.5.1 TLS is on already"))
        return Step(None, Next.STARTTLS)

    def _xclient(self, argument: bytes) -> Step:
        if (refused := self._refuse_identity("xclient")) is not None:
            return Step(refused)
        attributes = parse_attributes(argument, XCLIENT_ATTRIBUTES)
        self._who.tell(attributes)
        self.close()
        return Step(self.greeting())

    def _xforward(self, argument: bytes) -> Step:
        if (refused := self._refuse_identity("xforward")) is not None:
            return Step(refused)
        self._who.forward(parse_attributes(argument, XFORWARD_ATTRIBUTES))
        return Step(_OK)

    def _proxy(self, _argument: bytes) -> Step:
        # A PROXY header where none is configured: a mistake in a set-up, or somebody's try.
        self._forged("proxy")
        return Step(Reply.of(500, "5.5.2 Command not recognised"))

    def _refuse_identity(self, kind: str) -> Reply | None:
        if not self._trusted:
            self._forged(kind)
            return Reply.of(550, "5.7.0 You may not speak for others")
        if self._transaction is not None:
            return Reply.of(503, "5.5.1 There is a transaction already")
        return None

    def _forged(self, kind: str) -> None:
        self._door.metrics.forged_identity(kind)
        fields = {"session_id": self.connection.session_id, "error": f"{kind} not trusted"}
        _log.warning("forged identity", extra=fields)

    def _greeted(self, name: str, *, esmtp: bool) -> None:
        self._patience.note_idle()
        self._end_transaction()
        self._who.hello(name, esmtp=esmtp)

    def _connection_scan(self) -> ConnectionScan:
        client = self._who.client
        if self._scan is None or self._scan.connection is not client:
            self._forget_scan()
            self._scan = self._door.pipeline.connect(client, self._arrival)
            self._client = client_fields(client)
        return self._scan

    def _forget_scan(self) -> None:
        if self._scan is not None:
            self._scan.close()
            self._door.next_hop.leave(self._scan.connection)
            self._scan = None

    def _end_transaction(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self._who.end_message()
        if self._transaction is not None:
            self._transaction.close()
            self._transaction.record.write()
            self._transaction = None

    def crashed(self, error: Exception) -> Reply:
        """Return what is said of an error of ours: the id, and nothing of the inside."""
        txn_id = self._transaction.txn_id if self._transaction else self.connection.session_id
        level = logging.WARNING if isinstance(error, GatepostError) else logging.ERROR
        _log.log(level, "session error", exc_info=error, extra={"txn_id": txn_id})
        reply = Reply.of(451, f"4.3.0 Internal error, try again later ({txn_id})")
        if self._transaction is not None:
            self._transaction.record.failed(reply)
            self._end_transaction()
        return reply

    # Inside the class their first parameter is `Self`, which pyright takes no `Session` for.
    # Most are answered at once, two when checks or the next hop have spoken.
    _VERBS: ClassVar[Mapping[bytes, Callable[[Any, bytes], Step | Awaitable[Step]]]] = {
        b"HELO": _helo,
        b"EHLO": _ehlo,
        b"MAIL": _mail,
        b"RCPT": _rcpt,
        b"DATA": _data,
        b"BDAT": _bdat,
        b"RSET": _rset,
        b"NOOP": _noop,
        b"VRFY": _vrfy,
        b"EXPN": _expn,
        b"HELP": _help,
        b"QUIT": _quit,
        b"STARTTLS": _starttls,
        b"XCLIENT": _xclient,
        b"XFORWARD": _xforward,
        b"PROXY": _proxy,
        **dict.fromkeys(_FOREIGN_VERBS, _foreign),
    }
