"""Next hops that fail, and what they hold at the end: smtp-sink, and a sink that fails groups.

smtp-sink writes a message to its dump as soon as it has read the final dot, whatever it says then.
So a dump stands for a message that was taken where it answered 250 or closed without a word, and
for one that was refused where it said so.
"""

from __future__ import annotations

import contextlib
import re
import socket
from collections import Counter
from typing import TYPE_CHECKING, Final, Literal

from tests.support.mailbox_sink import FRIENDLY, Act, Received, Step
from tests.support.smtp_sink import SmtpSink, running_smtp_sink

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.support.fault_ledger import Copies
    from tests.support.serial_client import SerialMessage

FIRST: Final = "bob@first.example.org"
SECOND: Final = "bob@second.example.org"

_SERIAL: Final = re.compile(rb"^X-Serial: ([a-z0-9-]+)\r?\n", re.MULTILINE)
_RCPT: Final = re.compile(rb"^X-Rcpt-Args: <([^>\n]+)>", re.MULTILINE)
_PATH: Final = re.compile(rb"<([^>]+)>")
_EXCHANGES: Final = 1000


class SinkSeries:
    """smtp-sinks that follow one another on one port.

    Args:
        port: Where each of them listens.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self._dumps: list[bytes] = []
        self._refused: list[bytes] = []

    @contextlib.contextmanager
    def running(self, *options: str, takes: bool = True) -> Iterator[None]:
        """Run one with `options`.

        Args:
            options: As in smtp-sink(1).
            takes: Whether what it dumps counts as taken.
        """
        with running_smtp_sink("-m", "1000", *options, port=self.port) as sink:
            yield
            (self._dumps if takes else self._refused).extend(_whole_dumps(sink))

    def copies(self, messages: Iterable[SerialMessage]) -> Copies:
        """Return what was taken of `messages`, and forget it."""
        dumps, self._dumps = self._dumps, []
        return _copies(((_RCPT.findall(dump), dump) for dump in dumps), messages)

    def refusals(self, messages: Iterable[SerialMessage]) -> Copies:
        """Return what was sent whole and refused at the final dot, and forget it."""
        dumps, self._refused = self._refused, []
        return _copies(((_RCPT.findall(dump), dump) for dump in dumps), messages)


def kept_copies(received: Iterable[Received], messages: Iterable[SerialMessage]) -> Copies:
    """Return what a `MailboxSink` keeps of `messages`."""
    taken = (([_path(rcpt) for rcpt in one.rcpt_to], one.content) for one in received)
    return _copies(taken, messages)


def _path(argument: bytes) -> bytes:
    match = _PATH.search(argument)
    assert match is not None
    return match[1]


def _copies(
    taken: Iterable[tuple[list[bytes], bytes]], messages: Iterable[SerialMessage]
) -> Copies:
    """Count what was taken; a message that did not arrive whole is counted under `torn`."""
    marked = {message.serial: message.marked for message in messages}
    copies: Copies = Counter()
    for recipients, content in taken:
        match = _SERIAL.search(content)
        serial = match[1].decode() if match is not None else "torn"
        if serial not in marked or not _ends_with(content, marked[serial]):
            serial = "torn"
        copies.update((serial, recipient.decode()) for recipient in recipients)
    return copies


def _ends_with(content: bytes, marked: bytes) -> bool:
    whole = content.replace(b"\r\n", b"\n").rstrip(b"\n")
    return whole.endswith(b"\n" + marked.replace(b"\r\n", b"\n").rstrip(b"\n"))


def _whole_dumps(sink: SmtpSink) -> list[bytes]:
    """Return the dumps once none belongs to a transaction that was broken off.

    smtp-sink opens the file at MAIL and removes it when the connection ends before the final dot.
    Each exchange with it is a turn of its loop, in which it notices such ends.
    """
    for _ in range(_EXCHANGES):
        with contextlib.suppress(FileNotFoundError):
            dumps = sink.dumps
            # What is written is written at the dot; before it the file is empty.
            if all(dump.endswith(b"\n\n") for dump in dumps):
                return dumps
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", sink.port)) as s:
            s.recv(512)
    raise AssertionError("smtp-sink keeps a transaction open")


Failure = Literal["hard", "soft", "421", "drop", "keep and drop", "keep and talk nonsense"]
_ACTS: Final[dict[Failure, Act]] = {
    "hard": Act(reply=b"554 5.3.0 Not here"),
    "soft": Act(reply=b"450 4.3.0 Not now"),
    "421": Act(reply=b"421 4.3.2 Closing"),
    "drop": Act(drop=True),
    "keep and drop": Act(drop=True, keep=True),
    "keep and talk nonsense": Act(reply=b"Two hundred and fifty", keep=True),
}


class GroupsFail:
    """Decides for a `MailboxSink`: everything goes well but one step of some groups.

    Each transaction with two groups says MAIL twice, on two connections, with the same reverse
    path; which connection is the second group's is told by its recipient after that.

    Args:
        verb: MAIL (of the second group only), RCPT, DATA, or BODY for the final dot.
        failure: What happens there.
        recipients: Of the groups that fail.
    """

    def __init__(self, verb: str, failure: Failure, recipients: frozenset[str]) -> None:
        self._verb = verb
        self._act = _ACTS[failure]
        self._recipients = recipients
        self._mails: Counter[bytes] = Counter()
        self._failing: set[int] = set()

    def new_round(self) -> None:
        """Note that from here on each message is tried anew."""
        self._mails.clear()

    def __call__(self, step: Step) -> Act:
        """Return what the sink does at `step`."""
        return self._act if self._fails(step) else FRIENDLY

    def _fails(self, step: Step) -> bool:
        if step.verb == "MAIL":
            path = _path(step.argument)
            self._mails[path] += 1
            self._failing.discard(step.session)
            # More than two where a kept connection was lost and MAIL is said again.
            return self._verb == "MAIL" and self._mails[path] >= 2
        if step.verb == "RCPT" and _path(step.argument).decode() in self._recipients:
            self._failing.add(step.session)
        return step.verb == self._verb and step.session in self._failing
