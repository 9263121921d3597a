"""The client of the measurements: sends one message many times and counts the replies.

One recipient a message, commands not pipelined, each reply awaited. It is a process of its own, so
that its CPU time is not counted. See `python bench/load.py --help`; prints one JSON object.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Load:
    """What one session sends.

    Attributes:
        port: On loopback.
        message: What stands between DATA and the end: stuffed, the end mark included.
        count: Messages.
        kept: Whether one connection carries them all, or each has its own.
        xclient: Attributes told by XCLIENT at the start of a connection; empty tells none.
    """

    port: int
    message: bytes
    count: int
    kept: bool
    xclient: str


class Session:
    """One connection, from the greeting to QUIT."""

    def __init__(self, load: Load) -> None:
        self._sock = socket.create_connection(("127.0.0.1", load.port), 60)
        # Without it a message in two segments waits for a delayed acknowledgement.
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._replies = self._sock.makefile("rb")
        self._expect(220)
        self._command(b"EHLO client.example.net\r\n", 250)
        if load.xclient:
            self._command(b"XCLIENT " + load.xclient.encode() + b"\r\n", 220)
            self._command(b"EHLO client.example.net\r\n", 250)

    def send(self, message: bytes) -> int:
        """Send one message; return the code of the reply to it."""
        self._command(b"MAIL FROM:<sender@example.net>\r\n", 250)
        self._command(b"RCPT TO:<user@example.org>\r\n", 250)
        self._command(b"DATA\r\n", 354)
        self._sock.sendall(message)
        return self._reply()

    def close(self) -> None:
        """End the session politely."""
        self._command(b"QUIT\r\n", 221)
        self._replies.close()
        self._sock.close()

    def _command(self, line: bytes, code: int) -> None:
        self._sock.sendall(line)
        self._expect(code)

    def _expect(self, code: int) -> None:
        if (got := self._reply()) != code:
            raise RuntimeError(f"{code} was expected, {got} came")

    def _reply(self) -> int:
        # The last line of a reply has no hyphen after its code (RFC 5321 §4.2.1).
        while (line := self._replies.readline())[3:4] == b"-":
            pass
        return int(line[:3])


def run(load: Load) -> Counter[int]:
    """Send everything; return how often each code came for a message."""
    codes: Counter[int] = Counter()
    left = load.count
    while left:
        with contextlib.closing(Session(load)) as session:
            batch = left if load.kept else 1
            for _ in range(batch):
                codes[session.send(load.message)] += 1
            left -= batch
    return codes


def wire_form(message: bytes) -> bytes:
    """Return a message of CRLF lines as it is sent: dots doubled, the end mark added."""
    stuffed = message.replace(b"\r\n.", b"\r\n..")
    return (b"." if stuffed.startswith(b".") else b"") + stuffed + b".\r\n"


def main() -> None:
    """Read the arguments, send, print the count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("message", type=Path, help="file with CRLF lines")
    parser.add_argument("count", type=int, help="messages over all sessions")
    parser.add_argument("--new", action="store_true", help="a new connection for each message")
    parser.add_argument("--sessions", type=int, default=1, help="connections at once")
    parser.add_argument("--xclient", default="", help="attributes, such as ADDR=192.0.2.1")
    options = parser.parse_args()
    message = wire_form(options.message.read_bytes())
    share = options.count // options.sessions
    load = Load(options.port, message, share, not options.new, options.xclient)
    begin = time.monotonic()
    with ThreadPoolExecutor(options.sessions) as threads:
        codes = sum(threads.map(run, [load] * options.sessions), Counter[int]())
    seconds = time.monotonic() - begin
    json.dump({"codes": codes, "messages": codes.total(), "seconds": seconds}, sys.stdout)


if __name__ == "__main__":
    main()
