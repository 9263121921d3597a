"""What rspamd's clients say of a message in headers.

A mail server has accepted these values and would only come again with the same ones, so what cannot
be read is not known, and nothing is refused for it.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from milter.doors.paths import accepted_mailbox
from milter.http.endpoint import Parameter
from milter.http.envelope import MAX_RECIPIENTS, direction_of
from milter.pipeline.offline import Envelope

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

    from milter.core.address import Mailbox
    from milter.core.connection import IpAddress
    from milter.settings import Listener

_MAX_TEXT: Final = 255
# What Postfix, Haraka and Exim say of an address whose name they did not find.
_NO_NAME: Final = frozenset({"unknown", "nxdomain", "dnserror", "undef"})

PARAMETERS: Final = (
    Parameter("IP", "header", "Address of the client"),
    Parameter("Helo", "header", "What it said in HELO or EHLO"),
    Parameter("Hostname", "header", "Its name"),
    Parameter("From", "header", "Envelope sender; absent beside Rcpt: the null one"),
    Parameter("Rcpt", "header", "Envelope recipient; one header for each", repeated=True),
    Parameter("Deliver-To", "header", "The recipient, where there is no Rcpt"),
    Parameter("User", "header", "Login of the client; the mail then is outbound"),
    Parameter("Queue-Id", "header", "The mail server's name for the message"),
    Parameter("Log", "header", "no: somebody only wants to know; nothing is remembered"),
    Parameter("Flags", "header", "Words between commas; no_log is the same as `Log: no`"),
    Parameter("Compression", "header", "zstd: so the message is compressed"),
)


def read_envelope(headers: CIMultiDictProxy[str], listener: Listener, hostname: str) -> Envelope:
    """Return the envelope that the headers tell of.

    Args:
        headers: Of the request.
        listener: The door.
        hostname: The domain of addresses that have none.
    """
    mail_from = headers.get("From")
    paths = headers.getall("Rcpt", []) or headers.getall("Deliver-To", [])
    recipients = [accepted_mailbox(path, hostname) for path in paths[:MAX_RECIPIENTS]]
    account = words_of(headers, "User")
    return Envelope(
        client_ip=_ip(headers.get("IP", "")),
        client_name=_name(words_of(headers, "Hostname")),
        helo_name=words_of(headers, "Helo"),
        mail_from=_sender(mail_from, hostname),
        mail_from_known=mail_from is not None or bool(recipients),
        recipients=tuple(filter(None, recipients)),
        direction=direction_of(listener, account),
        listener=listener.name,
        account=account,
    )


def is_remembered(headers: CIMultiDictProxy[str]) -> bool:
    """Return whether the message is mail that arrives, and not only looked at."""
    flags = {flag.strip().lower() for flag in headers.get("Flags", "").split(",")}
    return headers.get("Log", "").strip().lower() not in {"no", "false"} and "no_log" not in flags


def words_of(headers: CIMultiDictProxy[str], name: str) -> str:
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


def _sender(words: str | None, hostname: str) -> Mailbox | None:
    return accepted_mailbox(words, hostname) if words else None
