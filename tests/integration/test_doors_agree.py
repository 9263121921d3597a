"""One corpus at every door: Postfix by milter and by proxy, HTTP, spamd, `gatepost scan`.

Action, score and symbols of a message are the same whichever way it came, and what Postfix delivers
through the one door is what it delivers through the other, but for what tells of the transport.
"""

from __future__ import annotations

import contextlib
import re
import socket
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection
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
from tests.support.gatepost import Gatepost, configuration, running_gatepost
from tests.support.mailbox_sink import MailboxSink, running_sink
from tests.support.ports import free_ports
from tests.support.postfix import running_postfix
from tests.support.smtp_client import Envelope, send_message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# Five times 500 messages on a busy machine.
pytestmark = [pytest.mark.debian, pytest.mark.slow, pytest.mark.timeout(1200)]

_ENVELOPE: Final = Envelope("192.0.2.9", "mail.example.net", "a@example.net", ("b@example.org",))
_DOORS: Final = ("milter", "proxy", "http", "spamd")
_TRANSPORT: Final = re.compile(
    rb"^(?:Received|X-Gatepost-Id|Return-Path):[^\n]*\n(?:[ \t][^\n]*\n)*", re.MULTILINE
)


@dataclass
class Judged:
    """What was said of all messages, in their order, and what arrived.

    Attributes:
        verdicts: By door.
        arrived: By number of the message: every copy of it.
    """

    verdicts: dict[str, list[Verdict]]
    arrived: dict[int, list[bytes]] = field(default_factory=lambda: defaultdict(list))


@pytest.fixture(scope="module")
def messages() -> list[bytes]:
    return comparison_mail()


@pytest.fixture(scope="module")
def judged(messages: list[bytes]) -> Iterator[Judged]:
    """The verdicts of a daemon with all doors, behind a Postfix with two ways in."""
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(running_sink())
        front, before, behind, milter, spamd = free_ports(5)
        daemon = stack.enter_context(_gatepost(behind, milter, spamd))
        services = [
            _smtpd(front, f"smtpd_milters=inet:127.0.0.1:{milter}"),
            _smtpd(before, f"smtpd_proxy_filter=127.0.0.1:{daemon.port}"),
            _smtpd(behind, "smtpd_authorized_xforward_hosts=127.0.0.0/8"),
        ]
        main = {
            "relayhost": f"[127.0.0.1]:{sink.port}",
            "relay_domains": "example.org",
            # The proxy door sees a message before Postfix touches it, the milter door afterwards.
            "local_header_rewrite_clients": "",
            "message_drop_headers": "",
        }
        stack.enter_context(running_postfix(main, services))
        ways: dict[str, Callable[[bytes], object]] = {
            "milter": lambda message: send_message(front, _ENVELOPE, message),
            "proxy": lambda message: send_message(before, _ENVELOPE, message),
            "http": lambda message: _over_http(daemon.http_port, message),
            "spamd": lambda message: _over_spamd(spamd, message),
        }
        with ThreadPoolExecutor(len(ways)) as pool:
            for _ in pool.map(lambda way: [way(message) for message in messages], ways.values()):
                pass
        arrived = _arrived(sink, daemon)
        yield Judged({door: verdicts_logged(daemon, door) for door in _DOORS}, arrived)


def _gatepost(behind: int, milter: int, spamd: int) -> contextlib.AbstractContextManager[Gatepost]:
    config = configuration(
        f"127.0.0.1:{behind}", policies="policy.yaml", dns={"zone_file": "zone.yaml"}
    )
    config["listeners"][0]["name"] = "proxy"
    config["listeners"] += [
        {"name": "milter", "protocol": "milter", "bind": f"127.0.0.1:{milter}"},
        {"name": "spamd", "protocol": "spamd", "bind": f"127.0.0.1:{spamd}"},
    ]
    return running_gatepost(config, comparison_files())


def _smtpd(port: int, option: str) -> str:
    lines = (
        f"127.0.0.1:{port} inet n - n - - smtpd",
        "-o smtpd_authorized_xclient_hosts=127.0.0.0/8",
        "-o smtpd_relay_restrictions=permit_mynetworks,reject_unauth_destination",
        f"-o {option}",
    )
    return "\n  ".join(lines)


def _over_http(port: int, message: bytes) -> None:
    headers = {
        "IP": _ENVELOPE.client_ip,
        "Helo": _ENVELOPE.helo,
        "From": _ENVELOPE.mail_from,
        "Rcpt": _ENVELOPE.recipients[0],
    }
    with contextlib.closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("POST", "/v1/scan", message, headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()


def _over_spamd(port: int, message: bytes) -> None:
    """Ask as Exim does with `variant=rspamd`."""
    head = (
        f"CHECK RSPAMC/1.3\r\nContent-length: {len(message)}\r\nFrom: <{_ENVELOPE.mail_from}>\r\n"
        f"Rcpt: <{_ENVELOPE.recipients[0]}>\r\nHelo: {_ENVELOPE.helo}\r\n"
        f"IP: {_ENVELOPE.client_ip}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(head.encode() + message)
        with connection.makefile("rb") as answer:
            assert answer.readline() == b"RSPAMD/1.3 0 EX_OK\r\n"
            answer.read()


def _arrived(sink: MailboxSink, daemon: Gatepost) -> dict[int, list[bytes]]:
    # The log is whole once the daemon has ended; what it let through is then in Postfix's hands.
    daemon.stop()
    through = [
        line
        for line in daemon.transactions
        if line["listener"] in {"milter", "proxy"} and line["reply"].startswith("2")
    ]
    arrived: dict[int, list[bytes]] = defaultdict(list)
    for one in sink.wait_for(len(through), timeout_s=300):
        arrived[number_of(one.content)].append(_TRANSPORT.sub(b"", one.content))
    return arrived


@pytest.mark.parametrize("door", [door for door in _DOORS if door != "milter"])
def test_every_message_has_the_same_verdict_at_every_door(
    judged: Judged, messages: list[bytes], door: str
) -> None:
    assert len(judged.verdicts["milter"]) == len(messages)
    assert judged.verdicts[door] == judged.verdicts["milter"]


def test_every_message_has_the_same_verdict_when_it_is_scanned(
    judged: Judged, messages: list[bytes], tmp_path: Path
) -> None:
    assert verdicts_scanned(tmp_path, messages, _ENVELOPE) == judged.verdicts["milter"]


def test_what_is_delivered_is_the_same_but_for_the_transport(judged: Judged) -> None:
    passed = [i for i, verdict in enumerate(judged.verdicts["milter"])
              if verdict[0] in {"pass", "tag", "quarantine"}]  # fmt: skip
    assert sorted(judged.arrived) == passed
    assert passed
    for copies in judged.arrived.values():
        by_milter, by_proxy = copies
        assert by_milter == by_proxy
