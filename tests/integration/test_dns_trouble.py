"""Mail flows whatever name servers do: dead, slow or lying; the verdict says that they failed."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from tests.support.dns_server import LIES, DnsServer, running_aside
from tests.support.gatepost import Gatepost, configuration, running_gatepost
from tests.support.line_client import connected
from tests.support.mailbox_sink import MailboxSink, running_sink
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

_TIMEOUT_S = 0.5
_RECORDS = {"TXT": '"v=spf1 ip4:192.0.2.0/24 -all"', "PTR": "mail.example.com."}


def _truth(query: dns.message.Message) -> dns.message.Message:
    """Authorise the client by SPF, whichever domain is asked for."""
    response = dns.message.make_response(query)
    question = query.question[0]
    rrtype = dns.rdatatype.to_text(question.rdtype)
    if rrtype in _RECORDS:
        response.answer.append(
            dns.rrset.from_text(question.name, 60, "IN", rrtype, _RECORDS[rrtype])
        )
    else:
        response.set_rcode(dns.rcode.NXDOMAIN)
    return response


@contextlib.contextmanager
def _daemon(port: int) -> Iterator[tuple[Gatepost, MailboxSink]]:
    dns_settings = {
        "nameservers": [f"127.0.0.1:{port}"],
        "timeout_s": _TIMEOUT_S,
        "attempts": 1,
    }
    with running_sink() as sink:
        config = configuration(f"127.0.0.1:{sink.port}", dns=dns_settings)
        with running_gatepost(config) as daemon:
            yield daemon, sink


def _send(daemon: Gatepost, sink: MailboxSink, number: int) -> bytes:
    """Send a message from a client and a domain that were not asked for; return what arrived."""
    domain = f"domain-{number}.example".encode()
    with connected(daemon.port) as client:
        for line in (
            b"EHLO localhost",
            b"XCLIENT ADDR=192.0.2.%d NAME=mail.example.com" % number,
            b"EHLO mail.example.com",
            b"MAIL FROM:<alice@" + domain + b">",
            b"RCPT TO:<bob@example.org>",
        ):
            assert client.ask(line)[:1] == b"2"
        assert client.ask(b"DATA").startswith(b"354")
        client.send(
            b"From: alice@" + domain + b"\r\nSubject: hello\r\n"
            b"Date: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
            b"Message-ID: <1@example.com>\r\n\r\nx\r\n.\r\n"
        )
        assert client.reply().startswith(b"250")
        client.ask(b"QUIT")
    return sink.messages[-1].content


def _descriptors(pid: int) -> int:
    return len([*Path(f"/proc/{pid}/fd").iterdir()])


def _expect(server: DnsServer, daemon: Gatepost, sink: MailboxSink, number: int, how: str) -> None:
    if how in LIES:
        server.respond = LIES[how]
    server.delay_s = {"just-under": 0.5, "just-over": 1.5}.get(how, 0.0) * _TIMEOUT_S
    content = _send(daemon, sink, number)
    server.respond, server.delay_s = _truth, 0.0
    assert (b"spf=pass" if how == "just-under" else b"spf=temperror") in content, how


def test_mail_flows_whatever_name_servers_say() -> None:
    with running_aside(_truth) as server, _daemon(server.port) as (daemon, sink):
        assert b"spf=pass" in _send(daemon, sink, 1)
        (worker,) = daemon.worker_pids
        before = _descriptors(worker)
        for number, how in enumerate(["silence", "just-under", "just-over", *LIES], start=2):
            if how == "silence":
                server.respond = lambda _: None
            _expect(server, daemon, sink, number, how)
        assert b"spf=pass" in _send(daemon, sink, 200)
        # Eight sockets to the name server, of which some may not have been there before.
        assert _descriptors(worker) - before <= 8
        assert "Traceback" not in daemon.log
        assert "check failed" not in daemon.log


def test_mail_flows_where_no_name_server_is() -> None:
    with _daemon(free_port()) as (daemon, sink):
        content = _send(daemon, sink, 1)
        assert b"spf=temperror" in content
        assert b"iprev=temperror" in content
        assert "Traceback" not in daemon.log
