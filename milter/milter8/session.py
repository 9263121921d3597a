"""One milter session: packets in, packets out, in the order that mail servers keep.

Knows no socket: `protocol` reads packets, hands them in and writes what is returned. A packet that
comes out of its order ends the session, for nobody knows any more what the mail server means; it
then does what its configuration says (tempfail).
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final

from milter.core.errors import GatepostError
from milter.core.ids import SessionId, TxnId
from milter.core.reply import Reply
from milter.doors.paths import accepted_mailbox
from milter.doors.record import client_fields
from milter.milter8 import wire
from milter.milter8.client import authenticated, connection_of, greeted
from milter.milter8.negotiate import agree
from milter.milter8.transaction import MilterTransaction
from milter.pipeline.early import AT_CONNECT, AT_RCPT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from milter.core.connection import Connection
    from milter.doors.door import Door
    from milter.milter8.negotiate import Agreement
    from milter.milter8.transaction import Recipient
    from milter.pipeline.scan import ConnectionScan

_log: Final = logging.getLogger("gatepost.milter")

NOTHING: Final = b""
_OVERLOADED: Final = Reply.of(452, "4.3.1 Too many messages at once, try again later")
_MAX_SIZE_DIGITS: Final = 20
_NO_MACROS: Final[Mapping[str, str]] = {}


class SessionEndedError(GatepostError):
    """The mail server has no more to say on this connection."""


class Session:
    """The state of one connection of a mail server.

    Args:
        door: The listener.
        session_id: Of the first SMTP session that it tells of.

    Attributes:
        waits: Letters of the packets that are for `decide`; all others are for `hear`.
        transactions: How many began.
    """

    def __init__(self, door: Door, session_id: SessionId) -> None:
        self._door = door
        self._session_id = session_id
        self._agreement: Agreement | None = None
        self._silent: frozenset[int] = frozenset()
        self._connection: Connection | None = None
        self._scan: ConnectionScan | None = None
        self._client: dict[str, object] = {}
        self._macros: dict[int, dict[str, str]] = {}
        self._transaction: MilterTransaction | None = None
        self.waits = _waits(door.pipeline.policies.early)
        self.transactions = 0

    @property
    def session_id(self) -> SessionId:
        """The id of the SMTP session that is told of now."""
        return self._session_id

    @property
    def idle(self) -> bool:
        """Whether no SMTP session is told of: the connection may end without harm."""
        return self._connection is None

    def close(self) -> None:
        """End whatever still runs."""
        self._end_transaction()
        self._forget_client()

    def hear(self, letter: int, data: bytes) -> bytes:
        """Return the answer to a packet that waits for no check, which may be none.

        Raises:
            PacketError: It is malformed or out of its order.
            SessionEndedError: The connection is to be closed.
        """
        if letter == wire.HEADER:
            # Half of all packets.
            self._opened().incoming.field(data)
            answer = wire.CONTINUE
        else:
            handler = self._HEARD.get(letter)
            if handler is None:
                raise wire.PacketError(f"a packet of an unknown kind ({letter:#x})")
            if self._agreement is None and letter not in _WITHOUT_AGREEMENT:
                raise wire.PacketError("a packet before the negotiation")
            answer = handler(self, data)
        return NOTHING if answer is wire.CONTINUE and letter in self._silent else answer

    async def decide(self, letter: int, data: bytes) -> bytes:
        """Return the answer to a packet that `waits` names, once checks have theirs.

        Raises:
            PacketError: It is malformed or out of its order.
        """
        if self._agreement is None:
            raise wire.PacketError("a packet before the negotiation")
        answer = await self._DECIDED[letter](self, data)
        return NOTHING if answer is wire.CONTINUE and letter in self._silent else answer

    def crashed(self, error: Exception) -> bytes:
        """Return what is said of an error of ours: the id, and nothing of the inside."""
        txn_id = self._transaction.txn_id if self._transaction else self._session_id
        level = logging.WARNING if isinstance(error, GatepostError) else logging.ERROR
        _log.log(level, "session error", exc_info=error, extra={"txn_id": txn_id})
        reply = Reply.of(451, f"4.3.0 Internal error, try again later ({txn_id})")
        if self._transaction is not None:
            self._transaction.record.failed(reply)
            self._end_transaction()
        return wire.reply_code(reply)

    def _negotiate(self, data: bytes) -> bytes:
        if self._agreement is not None:
            raise wire.PacketError("a second negotiation")
        decides = wire.MAIL in self.waits
        reads = self._door.reads_bodies
        offer = wire.read_negotiation(data)
        self._agreement = agree(offer, answers_mail=decides, reads_bodies=reads)
        self._silent = self._agreement.silent
        return self._agreement.answer

    def _take_macros(self, data: bytes) -> bytes:
        letter, macros = wire.read_macros(data)
        if letter not in _MAY_FOLLOW_MACROS:
            raise wire.PacketError("macros of an unknown stage")
        self._macros[letter] = macros
        return NOTHING

    def _connect(self, data: bytes) -> bytes:
        if self._connection is not None:
            raise wire.PacketError("a second client")
        self._connection = connection_of(
            wire.read_connect(data),
            self._macros.get(wire.CONNECT, _NO_MACROS),
            self._door.listener,
            self._session_id,
        )
        if self._agreement is not None and not self._is_postfix():
            # Sendmail that allows no DSN (PrivacyOptions: noreceipts, goaway) drops a recipient who
            # is added with a parameter of it, and with its last recipient the message.
            self._agreement = replace(self._agreement, declines_reports=False)
        return wire.CONTINUE

    def _helo(self, data: bytes) -> bytes:
        self._end_transaction()
        name = wire.text(wire.read_strings(data)[0])
        macros = self._macros.get(wire.HELO, _NO_MACROS)
        self._connection = greeted(self._connected(), name, macros)
        return wire.CONTINUE

    def _mail(self, data: bytes) -> bytes:
        self._begin(data)
        return wire.CONTINUE

    async def _decided_mail(self, data: bytes) -> bytes:
        reply = await self._begin(data).refused_at_mail()
        if reply is not None:
            self._end_transaction()
        return _said(reply)

    def _begin(self, data: bytes) -> MilterTransaction:
        self._end_transaction()
        assert self._agreement is not None  # noqa: S101 - whoever calls has seen to it
        path, *parameters = wire.read_strings(data)
        account = self._macros.get(wire.MAIL, _NO_MACROS).get("auth_authen", "")
        connection = authenticated(self._connected(), account, self._door.listener)
        scan = self._connection_scan(connection)
        transaction = self._transaction = MilterTransaction(
            self._door,
            self._agreement,
            scan,
            client=self._client,
            txn_id=TxnId(self._door.new_id()),
            mail_from=accepted_mailbox(wire.text(path), self._hostname()),
            announced_bytes=_announced(parameters),
        )
        self.transactions += 1
        return transaction

    def _rcpt(self, data: bytes) -> bytes:
        transaction, recipient = self._opened(), self._recipient(data)
        reply = self._overloaded() or transaction.kept_out(recipient)
        if reply is None:
            transaction.add(recipient)
        return _said(reply)

    async def _decided_rcpt(self, data: bytes) -> bytes:
        transaction, recipient = self._opened(), self._recipient(data)
        reply = self._overloaded() or transaction.kept_out(recipient)
        if reply is None:
            reply = await transaction.refused_at_rcpt(recipient)
        if reply is None:
            transaction.add(recipient)
        return _said(reply)

    def _recipient(self, data: bytes) -> Recipient:
        """Return the recipient of a RCPT, whom the mail server would take."""
        path = wire.read_strings(data)[0]
        mailbox = accepted_mailbox(wire.text(path), self._hostname())
        if mailbox is None:
            raise wire.PacketError("a null recipient")
        return self._opened().recipient(mailbox, path)

    def _overloaded(self) -> Reply | None:
        """Return the reply to one more recipient where there is no room for a message."""
        if not self._door.limits.reserve(1):
            return _OVERLOADED
        self._door.limits.give_back(1)
        return None

    def _skipped(self, _data: bytes) -> bytes:
        # A mail server too old to leave the step out.
        return wire.CONTINUE

    def _end_of_header(self, _data: bytes) -> bytes:
        self._opened()
        return wire.CONTINUE

    def _body(self, data: bytes) -> bytes:
        transaction = self._opened()
        answer = transaction.piece(data)
        reply = transaction.fault()
        if reply is None:
            return answer
        # The rest of it need not come.
        self._end_transaction()
        return wire.reply_code(reply)

    async def _end_of_message(self, data: bytes) -> bytes:
        transaction = self._opened()
        if data:
            transaction.piece(data)
        transaction.record.queued(self._queue_id())
        answer = await transaction.end()
        self._end_transaction()
        return answer

    def _abort(self, _data: bytes) -> bytes:
        self._end_transaction()
        return NOTHING

    def _quit(self, _data: bytes) -> bytes:
        raise SessionEndedError

    def _quit_session(self, _data: bytes) -> bytes:
        """Be ready for the next SMTP session on the same connection."""
        self.close()
        self._connection = None
        self._macros.clear()
        self._session_id = SessionId(self._door.new_id())
        return NOTHING

    def _connected(self) -> Connection:
        if self._connection is None:
            raise wire.PacketError("a command before its client")
        return self._connection

    def _opened(self) -> MilterTransaction:
        if self._transaction is None:
            raise wire.PacketError("a part of a message before MAIL")
        return self._transaction

    def _connection_scan(self, connection: Connection) -> ConnectionScan:
        if self._scan is None or self._scan.connection != connection:
            self._forget_client()
            self._scan = self._door.pipeline.connect(connection)
            self._client = client_fields(connection)
        return self._scan

    def _hostname(self) -> str:
        return self._macros.get(wire.CONNECT, _NO_MACROS).get("j", "") or self._door.hostname

    def _is_postfix(self) -> bool:
        return self._macros.get(wire.CONNECT, _NO_MACROS).get("v", "").startswith("Postfix")

    def _queue_id(self) -> str:
        # Postfix has none before the end of the header, Sendmail has it from MAIL on.
        for letter in (wire.END_OF_MESSAGE, wire.MAIL):
            if queue_id := self._macros.get(letter, _NO_MACROS).get("i"):
                return queue_id
        return ""

    def _forget_client(self) -> None:
        if self._scan is not None:
            self._scan.close()
            self._scan = None

    def _end_transaction(self) -> None:
        if self._transaction is not None:
            transaction, self._transaction = self._transaction, None
            transaction.close()

    # Inside the class their first parameter is `Self`, which pyright takes no `Session` for.
    _HEARD: ClassVar[Mapping[int, Callable[[Any, bytes], bytes]]] = {
        wire.NEGOTIATE: _negotiate,
        wire.MACROS: _take_macros,
        wire.CONNECT: _connect,
        wire.HELO: _helo,
        wire.MAIL: _mail,
        wire.RCPT: _rcpt,
        wire.DATA: _skipped,
        wire.UNKNOWN: _skipped,
        wire.END_OF_HEADER: _end_of_header,
        wire.BODY: _body,
        wire.ABORT: _abort,
        wire.QUIT: _quit,
        wire.QUIT_SESSION: _quit_session,
    }
    _DECIDED: ClassVar[Mapping[int, Callable[[Any, bytes], Awaitable[bytes]]]] = {
        wire.MAIL: _decided_mail,
        wire.RCPT: _decided_rcpt,
        wire.END_OF_MESSAGE: _end_of_message,
    }


_WITHOUT_AGREEMENT: Final = frozenset({wire.NEGOTIATE, wire.MACROS, wire.QUIT})
_MAY_FOLLOW_MACROS: Final = frozenset(b"OCHMRTUNLBEAQK")


@cache
def _waits(early: frozenset[str]) -> frozenset[int]:
    """Return what has to wait for checks, by the stages at which a policy may refuse."""
    letters = {wire.MAIL: AT_CONNECT, wire.RCPT: AT_RCPT}
    return frozenset({wire.END_OF_MESSAGE, *[one for one in letters if letters[one] in early]})


def _said(reply: Reply | None) -> bytes:
    return wire.CONTINUE if reply is None else wire.reply_code(reply)


def _announced(parameters: list[bytes]) -> int:
    """Return SIZE= of MAIL (RFC 1870 §6); 0 when not said."""
    for parameter in parameters:
        keyword, _, value = parameter.partition(b"=")
        if keyword.upper() == b"SIZE" and value.isdigit() and len(value) <= _MAX_SIZE_DIGITS:
            return int(value)
    return 0
