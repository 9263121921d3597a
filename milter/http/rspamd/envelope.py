"""What rspamd's clients can say in headers, beside the envelope (`doors.told_envelope`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.http.endpoint import Parameter

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

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


def is_remembered(headers: CIMultiDictProxy[str]) -> bool:
    """Return whether the message is mail that arrives, and not only looked at."""
    flags = {flag.strip().lower() for flag in headers.get("Flags", "").split(",")}
    return headers.get("Log", "").strip().lower() not in {"no", "false"} and "no_log" not in flags
