"""Listening sockets: addresses as configuration writes them, and opening them before workers start.

A port that is taken or a path that may not be written is a mistake in the configuration: it is told
before anything starts or changes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from milter.core.errors import GatepostError

if TYPE_CHECKING:
    from collections.abc import Iterable

# Many sessions begin at once when a peer empties its queue; a full backlog costs it a SYN retry.
BACKLOG: Final = 1024
_UNIX: Final = "unix:"
_HOST_PORT: Final = re.compile(r"(?:\[(?P<v6>[^\]]+)\]|(?P<host>[^:\[\]]*)):(?P<port>[0-9]{1,5})")
# sun_path of Linux, the final zero octet left out.
_MAX_PATH: Final = 107


class ListenError(GatepostError):
    """An address that cannot be listened on.

    Attributes:
        bind: As configuration wrote it.
        what: Why, and what to do about it.
    """

    def __init__(self, bind: str, what: str) -> None:
        super().__init__(f"{bind}: {what}")
        self.bind = bind
        self.what = what


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen: a path of a unix socket, or host and port."""

    host: str = ""
    port: int = 0
    path: str = ""


def parse_bind(bind: str) -> Address:
    """Parse `host:port`, `[v6]:port` or `unix:/path`.

    Raises:
        ListenError: It is none of them.
    """
    if bind.startswith(_UNIX):
        path = bind.removeprefix(_UNIX)
        if not path or "\0" in path or len(os.fsencode(path)) > _MAX_PATH:
            raise ListenError(bind, f"a path of 1 to {_MAX_PATH} bytes is needed after unix:")
        return Address(path=path)
    match = _HOST_PORT.fullmatch(bind)
    if match is None or int(match["port"]) > 65535:
        raise ListenError(bind, "host:port, [v6]:port or unix:/path is needed")
    return Address(match["v6"] or match["host"], int(match["port"]))


def open_listener(bind: str) -> socket.socket:
    """Return a socket that listens on `bind`, for workers to inherit.

    Raises:
        ListenError: It cannot be opened; nothing is left behind.
    """
    address = parse_bind(bind)
    sock = None
    try:
        if address.path:
            _remove_stale(bind, address.path)
        family, where = _resolve(address)
        sock = socket.socket(family, socket.SOCK_STREAM)
        _prepare(sock, family)
        sock.bind(where)
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except OSError as err:
        if sock is not None:
            sock.close()
        raise ListenError(bind, _words(err)) from err
    return sock


def _resolve(address: Address) -> tuple[int, str | tuple[str, int]]:
    if address.path:
        return socket.AF_UNIX, address.path
    found = socket.getaddrinfo(
        address.host or "0.0.0.0",  # noqa: S104 - `:25` asks for all IPv4 addresses
        address.port,
        type=socket.SOCK_STREAM,
        flags=socket.AI_PASSIVE,
    )
    family, _, _, _, where = found[0]
    return family, (str(where[0]), int(where[1]))


def _prepare(sock: socket.socket, family: int) -> None:
    if family == socket.AF_UNIX:
        return
    # A daemon that starts again must not wait for connections of the one before to time out.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        # `[::]:25` and `0.0.0.0:25` can then stand beside each other.
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)


def _remove_stale(bind: str, path: str) -> None:
    """Remove a socket that nobody listens on any more; anything else stays where it is."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ListenError(bind, "there is a file of this name that is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)  # noqa: PTH108 - paths of sockets stay text here
            return
    raise ListenError(bind, "another process listens on it; stop it or choose another path")


def _words(err: OSError) -> str:
    if err.errno == errno.EADDRINUSE:
        return "the port is taken; stop what listens there or choose another (`ss -ltnp` shows it)"
    if err.errno == errno.EACCES:
        return "not permitted; ports below 1024 and folders of others need a right to them"
    if err.errno == errno.EADDRNOTAVAIL:
        return "this machine does not have this address"
    return err.strerror or str(err)


class Listeners:
    """The open listening sockets by the address that configuration gave them."""

    def __init__(self) -> None:
        self._sockets: dict[str, socket.socket] = {}

    def open_all(self, binds: Iterable[str]) -> dict[str, socket.socket]:
        """Return a socket for each of `binds`; what is open already is used again.

        Raises:
            ListenError: One cannot be opened; those that were opened for this call are closed.
        """
        wanted: dict[str, socket.socket] = {}
        opened: list[str] = []
        try:
            for bind in binds:
                if bind not in self._sockets:
                    self._sockets[bind] = open_listener(bind)
                    opened.append(bind)
                wanted[bind] = self._sockets[bind]
        except ListenError:
            for bind in opened:
                self._close(bind)
            raise
        return wanted

    def keep_only(self, binds: Iterable[str]) -> None:
        """Close every socket that is not among `binds`."""
        for bind in self._sockets.keys() - set(binds):
            self._close(bind)

    def _close(self, bind: str) -> None:
        self._sockets.pop(bind).close()
        path = parse_bind(bind).path
        if path:
            # The name would stay behind and look like a daemon that does not answer.
            with contextlib.suppress(OSError):
                os.unlink(path)  # noqa: PTH108 - paths of sockets stay text here
