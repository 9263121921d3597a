"""An SMTP client that sends exactly what it is told and reads replies: no manners of its own."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_TIMEOUT_S: Final = 30
MESSAGE = b"From: <a@example.net>\r\nSubject: hello\r\n\r\nbody\r\n"


class LineClient:
    """One connection.

    Args:
        sock: Connected; the greeting is not read yet.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = b""

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._sock.sendall(data)

    def reply(self) -> bytes:
        """Return the next reply with all its lines; empty when the server has closed."""
        reply = b""
        while True:
            line = self._line()
            reply += line
            if not line or line[3:4] != b"-":
                return reply

    def code(self) -> int:
        """Return the code of the next reply; 0 when the server has closed."""
        return int(self.reply()[:3] or 0)

    def ask(self, line: bytes) -> bytes:
        """Send a command line and return its reply."""
        self.send(line + b"\r\n")
        return self.reply()

    def readable(self, timeout_s: float) -> bool:
        """Return whether something is there to read within `timeout_s`."""
        return bool(self._buffer) or bool(select.select([self._sock], [], [], timeout_s)[0])

    def closed(self) -> bool:
        """Return whether the server closes, reading whatever it still says."""
        while True:
            try:
                data = self._sock.recv(65536)
            except ConnectionError:
                return True
            except TimeoutError:
                return False
            if not data:
                return True

    def start_tls(self) -> None:
        """Encrypt, believing any certificate."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._sock = context.wrap_socket(self._sock)

    def half_close(self) -> None:
        """Say that nothing more will come."""
        self._sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close."""
        self._sock.close()

    def _line(self) -> bytes:
        while b"\n" not in self._buffer:
            try:
                data = self._sock.recv(65536)
            except ConnectionError:
                data = b""
            if not data:
                rest, self._buffer = self._buffer, b""
                return rest
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line + b"\n"


@contextlib.contextmanager
def connected(port: int, *, host: str = "127.0.0.1", greeted: bool = True) -> Iterator[LineClient]:
    """Connect to a server on loopback; `greeted` reads its 220."""
    with socket.create_connection((host, port), _TIMEOUT_S) as sock:
        client = LineClient(sock)
        if greeted:
            assert client.code() == 220
        try:
            yield client
        finally:
            client.close()


def open_transaction(client: LineClient, rcpt: bytes = b"b@example.org") -> None:
    """Say EHLO, MAIL and RCPT, all of which must be accepted."""
    client.ask(b"EHLO client.example")
    assert client.ask(b"MAIL FROM:<a@example.net>")[:3] == b"250"
    assert client.ask(b"RCPT TO:<" + rcpt + b">")[:3] == b"250"


def send_message(client: LineClient, message: bytes = MESSAGE) -> bytes:
    """Send a message that needs no stuffing; return the reply to its end."""
    assert client.ask(b"DATA")[:3] == b"354"
    client.send(message + b".\r\n")
    return client.reply()
