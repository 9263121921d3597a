"""One mail transaction: MAIL to the end of data (RFC 5321 §3.3), frozen stage by stage."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from milter.core.address import Mailbox
    from milter.core.connection import Connection
    from milter.core.ids import TxnId


class Stage(IntEnum):
    """The stages of a session in their order; evidence belongs to the stage that yields it."""

    CONNECT = 0
    HELO = 1
    MAIL = 2
    RCPT = 3
    DATA = 4
    MESSAGE = 5


class Transaction(NamedTuple):
    """What is known of one transaction; replaced whole as it grows, never changed.

    Attributes:
        txn_id: Ours; stands in replies, headers and logs.
        connection: The client.
        mail_from: The reverse path; None for the null reverse path `<>` and before MAIL
            (`stage` tells the two apart).
        recipients: The forward paths accepted so far, in the order of their RCPT.
        message: The message as sent, dots unstuffed, lines ended by CRLF; empty before the end of
            data.
        announced_bytes: SIZE= of MAIL; 0 when the client did not say.
        stage: How far the transaction is.
    """

    txn_id: TxnId
    connection: Connection
    mail_from: Mailbox | None = None
    recipients: tuple[Mailbox, ...] = ()
    message: bytes = b""
    announced_bytes: int = 0
    stage: Stage = Stage.CONNECT
