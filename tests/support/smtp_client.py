"""A client that says who it is (XCLIENT) and sends one message."""

from __future__ import annotations

import smtplib
from dataclasses import dataclass
from typing import Final

_TIMEOUT_S: Final = 20


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who sends to whom.

    Attributes:
        client_ip: Told by XCLIENT; empty sends none.
        helo: Name in EHLO.
        mail_from: Without brackets; empty for the null one.
        recipients: Without brackets.
    """

    client_ip: str = ""
    helo: str = "client.example.net"
    mail_from: str = "sender@example.net"
    recipients: tuple[str, ...] = ("user@example.org",)


@dataclass(frozen=True, slots=True)
class SmtpReply:
    """The reply that ended the transaction: the first refusal, or that to the message."""

    code: int
    text: str


def send_message(port: int, envelope: Envelope, message: bytes) -> SmtpReply:
    """Send `message`, whose lines end with CRLF, and return how it ended."""
    with smtplib.SMTP("127.0.0.1", port, timeout=_TIMEOUT_S) as client:
        client.ehlo(envelope.helo)
        if envelope.client_ip:
            family = "IPV6:" if ":" in envelope.client_ip else ""
            client.docmd("XCLIENT", f"ADDR={family}{envelope.client_ip}")
            client.ehlo(envelope.helo)
        code, text = client.mail(envelope.mail_from)
        for recipient in envelope.recipients:
            if code < 400:
                code, text = client.rcpt(recipient)
        if code < 400:
            code, text = client.data(message)
    return SmtpReply(code, text.decode("utf-8", "replace"))
