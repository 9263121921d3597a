"""Sample messages: their index, how one is sent, and what became of it.

What became of a message is read from what anybody could see: the SMTP reply, the headers of the
message that the next hop got, and for the score of a refused one the daemon's log line.
"""

from __future__ import annotations

import re
import smtplib
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from email.policy import compat32
from typing import TYPE_CHECKING, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from policies.loader import FileSource, load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_TIMEOUT_S: Final = 60
_TXN_ID: Final = re.compile(r" \(([0-9A-Z]{12})\)$")
_REFUSED_WORDS: Final = "Message refused: "


class Sample(BaseModel):
    """One row of the index."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str = Field(description="The message, beside the index; lines end with LF")
    words: str = Field(description="What is special about it")
    client_ip: str = Field(description="Address of the client, told by XCLIENT")
    helo: str = Field(description="Name that the client greets with")
    mail_from: str = Field(description="Envelope sender; empty for the null one")
    rcpt: tuple[str, ...] = Field(min_length=1, description="Recipients")
    expect: Literal["pass", "tag", "quarantine", "defer", "reject"] = Field(
        description="What is to become of it"
    )


class SampleIndex(BaseModel):
    """The file `index.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    samples: tuple[Sample, ...] = Field(min_length=1, description="In the order of sending")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one sample.

    Attributes:
        action: The word of the action that was seen.
        score: As it was logged or written on the message; empty when nobody said.
        reason: In words; empty when there was none to give.
    """

    action: str
    score: str
    reason: str


def read_samples(folder: Path) -> tuple[Sample, ...]:
    """Return the samples of a folder.

    Raises:
        ConfigErrors: The index cannot be read or has mistakes.
    """
    index, _ = load(FileSource(), str(folder / "index.yaml"), SampleIndex)
    return index.samples


def send(
    sample: Sample,
    folder: Path,
    port: int,
    taken: Callable[[], bytes],
    logged: Callable[[str], Mapping[str, object]],
) -> Outcome:
    """Send one sample to the daemon on `port` and return what became of it.

    Args:
        sample: The sample.
        folder: Where its file is.
        port: Of a listener that trusts us to send XCLIENT.
        taken: Returns the message that the next hop took last.
        logged: Returns the daemon's log line about a transaction.

    Raises:
        OSError: The daemon cannot be spoken to; smtplib's exceptions are among these.
    """
    message = (folder / sample.file).read_bytes().replace(b"\n", b"\r\n")
    with smtplib.SMTP("127.0.0.1", port, timeout=_TIMEOUT_S) as client:
        client.ehlo("demo.example")
        client.docmd("XCLIENT", f"ADDR={_xclient_address(sample.client_ip)}")
        client.ehlo(sample.helo)
        code, words = _transaction(client, sample, message)
    if code < 400:
        return _passed_on(taken())
    return _refused(code, words, logged)


def _transaction(client: smtplib.SMTP, sample: Sample, message: bytes) -> tuple[int, str]:
    """Run one transaction; return the first refusal, or the reply to the message."""
    options = [] if message.isascii() else ["BODY=8BITMIME"]
    replies = [client.mail(sample.mail_from, options)]
    replies += [client.rcpt(rcpt) for rcpt in sample.rcpt]
    refused = [reply for reply in replies if reply[0] >= 400]
    code, words = refused[0] if refused else client.data(message)
    return code, words.decode("utf-8", "replace")


def _xclient_address(address: str) -> str:
    return f"IPV6:{address}" if ":" in address else address


def _passed_on(message: bytes) -> Outcome:
    headers = BytesHeaderParser(policy=compat32).parsebytes(message)
    reason = " ".join(str(headers.get("X-Gatepost-Reason", "")).split())
    action = str(headers.get("X-Gatepost-Action", "no mark"))
    return Outcome(action, str(headers.get("X-Spam-Score", "")), reason)


def _refused(code: int, words: str, logged: Callable[[str], Mapping[str, object]]) -> Outcome:
    found = _TXN_ID.search(words)
    score = logged(found[1]).get("score", "") if found else ""
    # The enhanced code is for machines.
    reason = words.partition(" ")[2].removeprefix(_REFUSED_WORDS)
    return Outcome("reject" if code >= 500 else "defer", str(score), _TXN_ID.sub("", reason))
