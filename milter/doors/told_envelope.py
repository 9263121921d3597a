"""The envelope that rspamd's clients tell of, over HTTP or in the older protocol of theirs.

A mail server has accepted these values and would only come again with the same ones, so what cannot
be read is not known, and nothing is refused for it.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, Protocol

from milter.core.connection import Direction
from milter.doors.paths import accepted_mailbox
from milter.pipeline.offline import Envelope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milter.core.address import Mailbox
    from milter.core.connection import IpAddress
    from milter.settings import Listener

MAX_RECIPIENTS: Final = 1000
_MAX_TEXT: Final = 255
# What Postfix, Haraka and Exim say of an address whose name they did not find.
_NO_NAME: Final = frozenset({"unknown", "nxdomain", "dnserror", "undef"})


class Headers(Protocol):
    """Headers of a request, by name in any case."""

    def get(self, name: str, default: str, /) -> str:
        """Return the first value."""
        ...

    def getall(self, name: str, default: Sequence[str], /) -> Sequence[str]:
        """Return all values."""
        ...


def told_envelope(headers: Headers, listener: Listener, hostname: str) -> Envelope:
    """Return the envelope that the headers tell of.

    Args:
        headers: Of the request.
        listener: The door.
        hostname: The domain of addresses that have none.
    """
    senders = headers.getall("From", ())
    paths = headers.getall("Rcpt", ()) or headers.getall("Deliver-To", ())
    recipients = [accepted_mailbox(path, hostname) for path in paths[:MAX_RECIPIENTS]]
    account = words_of(headers, "User")
    return Envelope(
        client_ip=_ip(headers.get("IP", "")),
        client_name=_name(words_of(headers, "Hostname")),
        helo_name=words_of(headers, "Helo"),
        mail_from=_sender(senders, hostname),
        mail_from_known=bool(senders or recipients),
        recipients=tuple(filter(None, recipients)),
        direction=direction_of(listener, account),
        listener=listener.name,
        account=account,
    )


def direction_of(listener: Listener, account: str) -> Direction:
    """Return which way a message goes: who logged in is a user of ours, as at the milter door."""
    if account and listener.direction is Direction.INBOUND:
        return Direction.OUTBOUND
    return listener.direction


def words_of(headers: Headers, name: str) -> str:
    """Return what a header says, as far as it can be shown."""
    words = headers.get(name, "").strip()[:_MAX_TEXT]
    return "".join(character if character.isprintable() else "?" for character in words)


def _ip(words: str) -> IpAddress | None:
    try:
        return ip_address(words.strip().strip("[]"))
    except ValueError:
        return None


def _name(words: str) -> str | None:
    return words if words and words.lower() not in _NO_NAME else None


def _sender(senders: Sequence[str], hostname: str) -> Mailbox | None:
    return accepted_mailbox(senders[0], hostname) if senders and senders[0].strip() else None
