"""A name server process that answers every question at once: for measuring what asking costs.

It knows nothing: every A is 127.0.0.2 for an hour, but below `nobody.example` there are no names,
as its SOA says; or no name exists at all. The question is repeated as it came. Usage: python -m
tests.support.dns_stub [nxdomain]; it prints its port, and ends when its standard input ends.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_FLAGS: Final = b"\x81\x80\0\1\0\1\0\0\0\0"
_RECORD: Final = b"\xc0\x0c\0\1\0\1\0\0\x0e\x10\0\4\x7f\0\0\2"
# There is no name below it.
NOBODY: Final = "nobody.example"
_END_OF_NOBODY: Final = b"\x06nobody\x07example\0"
_NXDOMAIN: Final = b"\x81\x83\0\1\0\0\0\1\0\0"
# Owner, type, class, TTL; the data: two names that point back at it, and five numbers.
_SOA: Final = b"\0\6\0\1\0\0\0\x3c\0\x18"
_NUMBERS: Final = b"\0\0\0\1\0\0\x1c\x20\0\0\x03\x84\0\1\x51\x80\0\0\0\x3c"
_NO_NAME: Final = b"\x81\x83\0\1\0\0\0\0\0\0"
_STOP_S: Final = 10


def serve(*, nxdomain: bool = False) -> None:
    """Answer until standard input ends."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        sock.bind(("127.0.0.1", 0))
        sys.stdout.write(f"{sock.getsockname()[1]}\n")
        sys.stdout.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(sock, selectors.EVENT_READ)
            selector.register(sys.stdin, selectors.EVENT_READ)
            while all(key.fileobj is sock for key, _ in selector.select()):
                query, peer = sock.recvfrom(512)
                end = query.index(b"\0", 12) + 5
                answer = query[:2] + _NO_NAME + query[12:end] if nxdomain else _answer(query, end)
                sock.sendto(answer, peer)


def _answer(query: bytes, end: int) -> bytes:
    """Return the answer to the question that ends at `end`."""
    if not query[:end].lower().endswith(_END_OF_NOBODY, 0, end - 4):
        return query[:2] + _FLAGS + query[12:end] + _RECORD
    zone = (0xC000 | end - 4 - len(_END_OF_NOBODY)).to_bytes(2)
    return query[:2] + _NXDOMAIN + query[12:end] + zone + _SOA + zone + zone + _NUMBERS


@contextlib.contextmanager
def running_dns_stub(*, nxdomain: bool = False) -> Iterator[int]:
    """Run the stub as a process of its own; give its port."""
    command = [sys.executable, "-m", "tests.support.dns_stub", *(["nxdomain"] * nxdomain)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(_STOP_S)


if __name__ == "__main__":
    serve(nxdomain=sys.argv[1:] == ["nxdomain"])
