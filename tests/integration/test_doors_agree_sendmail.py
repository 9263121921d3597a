"""The same corpus behind Sendmail: verdicts as `gatepost scan` gives them, mail as without us.

Sendmail has no XCLIENT, so the client of all mail is the one that it is: 127.0.0.1. It writes
header fields anew when it sends a message on, so what arrives is compared with what the same
Sendmail delivers where it asks nobody.
"""

from __future__ import annotations

import contextlib
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.comparison import (
    Verdict,
    comparison_files,
    comparison_mail,
    number_of,
    verdicts_logged,
    verdicts_scanned,
)
from tests.support.gatepost import configuration, running_gatepost
from tests.support.mailbox_sink import MailboxSink, running_sink
from tests.support.ports import free_ports
from tests.support.sendmail import daemon_line, filter_line, running_sendmail
from tests.support.smtp_client import Envelope, send_message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.gatepost import Gatepost

# Three times 500 messages on a busy machine.
pytestmark = [pytest.mark.debian, pytest.mark.slow, pytest.mark.timeout(1200)]

_ENVELOPE: Final = Envelope("", "mail.example.net", "a@example.net", ("b@example.org",))
_OURS_AND_TRANSPORT: Final = re.compile(
    rb"^(?:Received|Message-Id|Authentication-Results|X-Spam-\w+|X-Gatepost-\w+):[^\n]*\n"
    rb"(?:[ \t][^\n]*\n)*",
    re.MULTILINE | re.IGNORECASE,
)
_DATE: Final = re.compile(rb"^Date:[^\n]*\n(?:[ \t][^\n]*\n)*", re.MULTILINE | re.IGNORECASE)


@dataclass
class Judged:
    """What was said of all messages, in their order, and what arrived.

    Attributes:
        verdicts: Of each.
        asked: What arrived of those that Gatepost let through, by number.
        plain: What arrived of all of them where nobody was asked.
    """

    verdicts: list[Verdict]
    asked: dict[int, bytes]
    plain: dict[int, bytes]


@pytest.fixture(scope="module")
def messages() -> list[bytes]:
    return comparison_mail()


@pytest.fixture(scope="module")
def judged(messages: list[bytes]) -> Iterator[Judged]:
    with contextlib.ExitStack() as stack:
        asked, plain = (stack.enter_context(running_sink()) for _ in range(2))
        ports = free_ports(2)
        (milter,) = free_ports(1)
        daemon = stack.enter_context(_gatepost(milter))
        lines = [filter_line(milter), daemon_line(ports[0])]
        stack.enter_context(running_sendmail(asked.port, ports[:1], lines))
        lines = [daemon_line(ports[1], filters="")]
        stack.enter_context(running_sendmail(plain.port, ports[1:], lines))
        with ThreadPoolExecutor(2) as pool:
            decided = pool.map(lambda port: [_sent(port, one) for one in messages], ports)
            assert all(map(all, decided))
        daemon.stop()
        verdicts = verdicts_logged(daemon, "milter")
        through = sum(action in {"pass", "tag", "quarantine"} for action, _, _ in verdicts)
        yield Judged(
            verdicts, _arrived(asked, through, messages), _arrived(plain, len(messages), messages)
        )


def _gatepost(milter: int) -> contextlib.AbstractContextManager[Gatepost]:
    config = configuration("127.0.0.1:1", policies="policy.yaml", dns={"zone_file": "zone.yaml"})
    bind = f"127.0.0.1:{milter}"
    config["listeners"] = [{"name": "milter", "protocol": "milter", "bind": bind}]
    return running_gatepost(config, comparison_files())


def _sent(port: int, message: bytes) -> bool:
    return send_message(port, _ENVELOPE, message).code in {250, 550, 554}


def _arrived(sink: MailboxSink, count: int, messages: list[bytes]) -> dict[int, bytes]:
    arrived = {number_of(one.content): one.content for one in sink.wait_for(count, timeout_s=300)}
    return {number: _compared(one, messages[number]) for number, one in arrived.items()}


def _compared(arrived: bytes, sent: bytes) -> bytes:
    plain = _OURS_AND_TRANSPORT.sub(b"", arrived)
    # Where a client said no date, Sendmail says when it sends the message on.
    return plain if _DATE.search(sent[: sent.index(b"\r\n\r\n") + 2]) else _DATE.sub(b"", plain, 1)


def test_sendmail_every_message_has_the_verdict_that_scan_gives(
    judged: Judged, messages: list[bytes], tmp_path: Path
) -> None:
    assert len(judged.verdicts) == len(messages)
    known = replace(_ENVELOPE, client_ip="127.0.0.1")
    assert judged.verdicts == verdicts_scanned(tmp_path, messages, known)


def test_sendmail_what_is_delivered_is_the_same_but_for_our_fields(judged: Judged) -> None:
    passed = [i for i, verdict in enumerate(judged.verdicts)
              if verdict[0] in {"pass", "tag", "quarantine"}]  # fmt: skip
    assert passed
    assert sorted(judged.asked) == passed
    assert judged.asked == {number: judged.plain[number] for number in passed}
