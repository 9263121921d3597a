"""The envelope of a message, from the headers of the request that brings it.

IP, Helo, From, Rcpt (one a recipient), Hostname and User. What is not said is not known. A value
that is not what its header needs is told to the caller, who can put it right.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from milter.core.address import parse_mailbox
from milter.core.errors import ParseError
from milter.doors.told_envelope import MAX_RECIPIENTS, direction_of
from milter.http.endpoint import Parameter
from milter.http.refusal import RefusedError
from milter.pipeline.offline import Envelope

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

    from milter.core.address import Mailbox
    from milter.core.connection import IpAddress
    from milter.settings import Listener

_MAX_TEXT: Final = 1000

PARAMETERS: Final = (
    Parameter("IP", "header", "Address of the client that the message came from"),
    Parameter("Helo", "header", "What the client said in HELO or EHLO"),
    Parameter("From", "header", "Envelope sender; <> is the null one"),
    Parameter("Rcpt", "header", "Envelope recipient; one header for each", repeated=True),
    Parameter("Hostname", "header", "Name of the client, looked up and confirmed by the caller"),
    Parameter("User", "header", "Login of the client; the mail then is outbound"),
    Parameter("Queue-Id", "header", "The mail server's name for the message, for the log"),
)


def read_envelope(headers: CIMultiDictProxy[str], listener: Listener) -> Envelope:
    """Return the envelope that the headers of a request tell of.

    Raises:
        RefusedError: A value is not what its header needs.
    """
    mail_from = headers.get("From")
    recipients = headers.getall("Rcpt", [])
    if len(recipients) > MAX_RECIPIENTS:
        raise RefusedError(400, f"header Rcpt: more than {MAX_RECIPIENTS} recipients")
    account = text_of(headers, "User")
    return Envelope(
        client_ip=_ip(headers.get("IP")),
        client_name=text_of(headers, "Hostname") or None,
        helo_name=text_of(headers, "Helo"),
        mail_from=_reverse_path(mail_from),
        mail_from_known=mail_from is not None,
        recipients=tuple(_mailbox("Rcpt", words) for words in recipients),
        direction=direction_of(listener, account),
        listener=listener.name,
        account=account,
    )


def text_of(headers: CIMultiDictProxy[str], name: str) -> str:
    """Return the words of a header; empty when it is not there.

    Raises:
        RefusedError: They are too many, or cannot be shown.
    """
    words = headers.get(name, "").strip()
    if not words.isprintable() or len(words) > _MAX_TEXT:
        raise RefusedError(400, f"header {name}: up to {_MAX_TEXT} printable characters are needed")
    return words


def _ip(words: str | None) -> IpAddress | None:
    if not words:
        return None
    try:
        return ip_address(words.strip())
    except ValueError as err:
        raise RefusedError(400, f"header IP: {words!r} is no IP address") from err


def _reverse_path(words: str | None) -> Mailbox | None:
    return None if not words or words.strip() == "<>" else _mailbox("From", words)


def _mailbox(name: str, words: str) -> Mailbox:
    plain = words.strip()
    if plain.startswith("<") and plain.endswith(">"):
        plain = plain[1:-1]
    try:
        # The null path and nothing at all are no mailbox.
        return parse_mailbox(plain)
    except (ParseError, UnicodeError) as err:
        raise RefusedError(400, f"header {name}: {words!r} is no address") from err
