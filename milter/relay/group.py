"""Recipients that get the same message, and the connection that holds their RCPTs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from milter.core.reply import Reply
from milter.relay import identity
from milter.relay.protocol import line

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from milter.core.connection import Connection
    from milter.relay.client import HopConnection
    from milter.relay.handshake import Manner

# The hop's own words could tell the client where its message went, and a refusal of that address is
# a fault of this site, not the sender's.
_REDIRECTED: Final = Reply.of(250, "2.0.0 Ok")
_NOT_REDIRECTED: Final = Reply.of(451, "4.3.0 Please try again later")


class Rcpt(NamedTuple):
    """One RCPT that the hop accepted.

    Attributes:
        argument: What follows "RCPT ".
        recipients: Whom it serves: one, but all of a group where they are redirected.
    """

    argument: bytes
    recipients: tuple[str, ...]


@dataclass(slots=True)
class Group:
    """A group while its transaction lasts.

    Attributes:
        connection: Holds the transaction at the hop.
        rcpts: The accepted RCPTs, in their order.
        redirected: Whether somebody else gets the message instead.
        refused: Whether the hop refused a recipient of it.
    """

    connection: HopConnection
    rcpts: list[Rcpt] = field(default_factory=list)
    redirected: bool = False
    refused: bool = False

    @property
    def recipients(self) -> list[str]:
        """The recipients of all accepted RCPTs."""
        return [recipient for rcpt in self.rcpts for recipient in rcpt.recipients]

    def argument_of(self, rcpt: Rcpt) -> bytes:
        """Return what follows "RCPT " when `rcpt` is said on the connection of now."""
        # RFC 3461 §4.1: a report about the other address would name it to the sender, who may be
        # forged besides, and RET=FULL would bring the message along.
        if self.redirected and self.connection.capabilities.offers("DSN"):
            return rcpt.argument + b" NOTIFY=NEVER"
        return rcpt.argument

    def words(self, reply: Reply) -> Reply:
        """Return what the client may hear of `reply`: all of it, but where it is redirected."""
        if not self.redirected:
            return reply
        return _REDIRECTED if reply.accepted else _NOT_REDIRECTED


def send_mail(
    connection: HopConnection, manner: Manner, client: Connection, argument: bytes
) -> Awaitable[Reply]:
    """Send MAIL when awaited, XFORWARD in front where asked for and offered; return its reply.

    Postfix forgets XFORWARD at the end of each transaction and at RSET, so it is said each time.

    Raises:
        RelayError: The hop closed or talked nonsense.
    """
    lines: tuple[bytes, ...] = ()
    if manner.told_by == "xforward":
        lines = _forwarding(connection, client)
    return connection.mail(lines, line(b"MAIL", argument))


def _forwarding(connection: HopConnection, client: Connection) -> tuple[bytes, ...]:
    """Return the XFORWARD lines, made once for the messages that a client sends in a row."""
    if connection.forwarded is None or connection.forwarded[0] is not client:
        offered = connection.capabilities.parameters("XFORWARD")
        connection.forwarded = (client, identity.xforward(client, offered))
    return connection.forwarded[1]


def send_rcpt(connection: HopConnection, argument: bytes) -> Awaitable[Reply]:
    """Send RCPT when awaited; return its reply. Raises as `send_mail`."""
    return connection.command("rcpt", line(b"RCPT", argument), connection.timers.rcpt_s)
