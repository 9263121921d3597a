"""What becomes of mail when the filter breaks or is restarted: Postfix and Sendmail with tempfail.

No message is lost, none is doubled, and none gets through that Gatepost did not see.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import smtplib
import socket
import struct
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support import milter_packets as mta
from tests.support.gatepost import configuration, running_gatepost
from tests.support.mailbox_sink import running_sink
from tests.support.ports import free_ports
from tests.support.postfix import running_postfix
from tests.support.sendmail import daemon_line, filter_line, running_sendmail
from tests.support.smtp_client import Envelope, SmtpReply, send_message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    MailServer = Callable[[int, int], contextlib.AbstractContextManager[int]]

pytestmark = [pytest.mark.debian, pytest.mark.slow, pytest.mark.timeout(600)]

_ENVELOPE: Final = Envelope(mail_from="a@example.net", recipients=("b@example.org",))
_CLIENTS: Final = 4
_EACH: Final = 40
# While nothing listens, a client that comes again at once uses up its tries.
_MOST_TRIES: Final = 2000


@contextlib.contextmanager
def a_postfix(milter: int, sink: int, **main: str) -> Iterator[int]:
    """Give the port of a Postfix that asks a milter and passes mail on to the sink."""
    (port,) = free_ports(1)
    settings = {
        "relayhost": f"[127.0.0.1]:{sink}",
        "relay_domains": "example.org",
        "smtpd_milters": f"inet:127.0.0.1:{milter}",
        "milter_default_action": "tempfail",
        **main,
    }
    with running_postfix(settings, [f"127.0.0.1:{port} inet n - n - - smtpd"]):
        yield port


@contextlib.contextmanager
def a_sendmail(milter: int, sink: int) -> Iterator[int]:
    """Give the port of a Sendmail that asks a milter and passes mail on to the sink."""
    (port,) = free_ports(1)
    with running_sendmail(sink, [port], [filter_line(milter), daemon_line(port)]):
        yield port


_MAIL_SERVERS: Final = [
    pytest.param(a_postfix, id="postfix"),
    pytest.param(a_sendmail, id="sendmail"),
]


def a_message(number: int) -> bytes:
    head = "From: a@example.net\r\nTo: b@example.org\r\nSubject: x\r\nDate: Thu, 01 Jan 2026"
    return f"X-Number: {number}\r\n{head} 10:00:00 +0000\r\n\r\nhello\r\n".encode()


def sent(port: int, number: int) -> SmtpReply:
    """Return the reply to one try; a connection that broke counts as one to come again."""
    try:
        return send_message(port, _ENVELOPE, a_message(number))
    except (smtplib.SMTPException, OSError) as error:
        return SmtpReply(421, str(error))


def insist(port: int, numbers: range, taken: threading.Semaphore) -> int:
    """Send each message until it is taken, as a mail server would; return the tries."""
    tries = 0
    for number in numbers:
        for _ in range(_MOST_TRIES):
            tries += 1
            code = sent(port, number).code
            assert code < 500, code
            if code < 300:
                taken.release()
                break
        else:
            pytest.fail("the filter did not come back")
    return tries


@pytest.mark.parametrize("a_mail_server", _MAIL_SERVERS)
def test_restarts_under_load_lose_no_message_and_let_none_through_unseen(
    a_mail_server: MailServer,
) -> None:
    (milter,) = free_ports(1)
    listener = {"name": "inbound", "protocol": "milter", "bind": f"127.0.0.1:{milter}"}
    config: dict[str, Any] = configuration("127.0.0.1:1", dns={"zone_file": "zone.yaml"})
    config |= {"listeners": [listener], "workers": 2}
    files = {"zone.yaml": "names: {}\n"}
    taken = threading.Semaphore(0)
    with (
        running_sink() as sink,
        a_mail_server(milter, sink.port) as port,
        ThreadPoolExecutor(_CLIENTS) as pool,
    ):
        first = contextlib.ExitStack()
        daemon = first.enter_context(running_gatepost(config, files))
        with first:
            ranges = [range(i * _EACH, (i + 1) * _EACH) for i in range(_CLIENTS)]
            clients = [pool.submit(insist, port, numbers, taken) for numbers in ranges]
            _wait_for(taken, _EACH // 2)
            for pid in daemon.worker_pids:
                os.kill(pid, signal.SIGKILL)
            _wait_for(taken, _EACH // 2)
            daemon.reload()
            _wait_for(taken, _EACH // 2)
        # It is stopped in the middle, and started again.
        with running_gatepost(config, files):
            for client in clients:
                client.result(300)
            arrived = sink.wait_for(_CLIENTS * _EACH, timeout_s=120)
    numbers = Counter(int(re.findall(rb"X-Number: (\d+)", one.content)[0]) for one in arrived)
    assert numbers == Counter(range(_CLIENTS * _EACH))
    assert all(b"\r\nX-Gatepost-Id: " in b"\r\n" + one.content for one in arrived)


def _wait_for(taken: threading.Semaphore, count: int) -> None:
    for _ in range(count):
        assert taken.acquire(timeout=120)


class _BreaksInEdits(threading.Thread):
    """A milter that says half of its edits and is gone."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.ends = 0

    def run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                with connection, contextlib.suppress(OSError, EOFError):
                    self._converse(connection)

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _converse(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as said:
            while head := said.read(4):
                letter = said.read(int.from_bytes(head, "big"))[:1].decode()
                if letter == "O":
                    # Version 6; may add headers and change them; asked about every step.
                    connection.sendall(mta.packet("O", struct.pack(">III", 6, 0x11, 0)))
                elif letter == "E":
                    self.ends += 1
                    edit = struct.pack(">I", 0) + mta.strings("X-Half", "edited")
                    connection.sendall(mta.packet("i", edit))
                    return
                elif letter not in "DAQK":
                    connection.sendall(mta.packet("c"))


@pytest.mark.parametrize("a_mail_server", _MAIL_SERVERS)
def test_connection_that_breaks_in_the_edits_has_the_client_come_again(
    a_mail_server: MailServer,
) -> None:
    broken = _BreaksInEdits()
    broken.start()
    try:
        with running_sink() as sink, a_mail_server(broken.port, sink.port) as port:
            reply = send_message(port, _ENVELOPE, a_message(1))
            assert (reply.code, broken.ends) == (451, 1)
            assert sink.messages == []
    finally:
        broken.close()
