"""A mail server that asks us by milter is killed in a message, or stands still in one.

What it told us of the message is forgotten and counted, and the next message is judged as if
nothing had been.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import smtplib
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.gatepost import Gatepost, configuration, running_gatepost
from tests.support.mailbox_sink import MailboxSink, running_sink
from tests.support.patience import wait_until
from tests.support.ports import free_ports
from tests.support.postfix import Postfix, running_postfix
from tests.support.sendmail import Sendmail, daemon_line, filter_line, running_sendmail
from tests.support.smtp_client import Envelope, send_message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.debian, pytest.mark.slow, pytest.mark.timeout(300)]

_ENVELOPE: Final = Envelope(mail_from="a@example.net", recipients=("b@example.org",))
_MESSAGE: Final = (
    b"From: a@example.net\r\nTo: b@example.org\r\nSubject: x\r\n"
    b"Date: Thu, 01 Jan 2026 10:00:00 +0000\r\n\r\nhello\r\n"
)


class Site:
    """A mail server that asks a Gatepost and passes mail on to a sink."""

    def __init__(
        self, server: Postfix | Sendmail, port: int, daemon: Gatepost, sink: MailboxSink
    ) -> None:
        self.server = server
        self.port = port
        self.sink = sink
        self._daemon = daemon

    def metric(self, sample: str) -> float:
        """Return the value of one sample; 0 where it was never counted."""
        with contextlib.closing(HTTPConnection("127.0.0.1", self._daemon.http_port)) as asking:
            asking.request("GET", "/metrics")
            page = asking.getresponse().read().decode()
        found = re.search(rf"^{re.escape(sample)} (\S+)$", page, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def is_idle(self) -> bool:
        """Whether Gatepost holds nothing of any message and no mail server's session."""
        return self.metric("gatepost_bytes_in_flight") == self.metric("gatepost_sessions") == 0

    def take(self) -> None:
        """Have one message go all the way, with its fields."""
        already = len(self.sink.messages)
        assert send_message(self.port, _ENVELOPE, _MESSAGE).code == 250
        assert b"X-Gatepost-Action:" in self.sink.wait_for(already + 1)[-1].content


@pytest.fixture(params=["postfix", "sendmail"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    port, milter = free_ports(2)
    config: dict[str, Any] = configuration("127.0.0.1:1", dns={"zone_file": "zone.yaml"})
    bind = f"127.0.0.1:{milter}"
    config["listeners"] = [{"name": "inbound", "protocol": "milter", "bind": bind}]
    with (
        running_sink() as sink,
        running_gatepost(config, {"zone.yaml": "names: {}\n"}) as daemon,
        _MAIL_SERVERS[request.param](port, milter, sink.port) as server,
    ):
        yield Site(server, port, daemon, sink)


def _postfix(port: int, milter: int, sink: int) -> contextlib.AbstractContextManager[Postfix]:
    main = {
        "relayhost": f"[127.0.0.1]:{sink}",
        "relay_domains": "example.org",
        "smtpd_milters": f"inet:127.0.0.1:{milter}",
        "milter_default_action": "tempfail",
        # How long it starts no other process where one was killed; a minute by default.
        "service_throttle_time": "1s",
    }
    return running_postfix(main, [f"127.0.0.1:{port} inet n - n - - smtpd"])


def _sendmail(port: int, milter: int, sink: int) -> contextlib.AbstractContextManager[Sendmail]:
    return running_sendmail(sink, [port], [filter_line(milter), daemon_line(port)])


_MAIL_SERVERS: Final[
    dict[str, Callable[[int, int, int], contextlib.AbstractContextManager[Postfix | Sendmail]]]
] = {"postfix": _postfix, "sendmail": _sendmail}


@contextlib.contextmanager
def _in_the_middle(port: int) -> Iterator[smtplib.SMTP]:
    """Give a client that has sent the beginning of a message."""
    client = smtplib.SMTP("127.0.0.1", port, timeout=60)
    try:
        client.ehlo(_ENVELOPE.helo)
        client.mail(_ENVELOPE.mail_from)
        client.rcpt(_ENVELOPE.recipients[0])
        assert client.docmd("DATA")[0] == 354
        client.send(_MESSAGE)
        yield client
    finally:
        client.close()


def test_mail_server_that_is_killed_in_a_message_leaves_nothing_behind(site: Site) -> None:
    with _in_the_middle(site.port):
        wait_until(lambda: site.metric("gatepost_sessions") == 1)
        for pid in site.server.session_pids:
            os.kill(pid, signal.SIGKILL)
        wait_until(site.is_idle)
    assert site.metric('gatepost_milter_broken_total{reason="gone"}') == 1
    assert site.sink.messages == []
    site.take()


def test_mail_server_that_stands_still_in_a_message_holds_up_no_other(site: Site) -> None:
    with _in_the_middle(site.port) as client:
        wait_until(lambda: site.metric("gatepost_sessions") == 1)
        stopped = site.server.session_pids
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            site.take()
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
        assert client.docmd(".")[0] == 250
        assert b"X-Gatepost-Action:" in site.sink.wait_for(2)[-1].content
    assert site.metric('gatepost_milter_broken_total{reason="timeout"}') == 0
