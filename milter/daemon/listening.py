"""Listening sockets, opened before workers start and handed to them.

A port that is taken or a path that may not be written is a mistake in the configuration: it is told
before anything starts or changes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
import stat
from typing import TYPE_CHECKING, Final

from milter.core.errors import GatepostError
from milter.doors.listening import BACKLOG
from milter.settings.places import Place, parse_place

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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


def open_listener(bind: str) -> socket.socket:
    """Return a socket that listens on `bind`, for workers to inherit.

    Raises:
        ListenError: It cannot be opened; nothing is left behind.
    """
    place = parse_place(bind)
    sock = None
    try:
        if place.path:
            _clear_path(bind, place.path)
        family, where = _resolve(place)
        sock = socket.socket(family, socket.SOCK_STREAM)
        _prepare(sock, place)
        sock.bind(where)
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except (OSError, UnicodeError) as err:
        if sock is not None:
            sock.close()
        raise ListenError(bind, _words(err)) from err
    return sock


def hand_over(bind: str, mode: str | None, owner: str | None) -> None:
    """Give the unix socket at `bind` its mode, in octal, and its owner; other binds have none.

    Raises:
        ListenError: Nobody is called so, or it is not ours to give.
    """
    path = parse_place(bind).path
    if not path:
        return
    user, _, group = (owner or "").partition(":")
    try:
        if user:
            shutil.chown(path, user=user)
        if group:
            shutil.chown(path, group=group)
        if mode:
            os.chmod(path, int(mode, 8))  # noqa: PTH101 - paths of sockets stay text here
    except LookupError as err:
        raise ListenError(bind, f"there is no user or group '{owner}' on this machine") from err
    except OSError as err:
        raise ListenError(bind, f"its mode or owner cannot be set: {_words(err)}") from err


def _resolve(place: Place) -> tuple[int, str | tuple[str, int]]:
    if place.path:
        return socket.AF_UNIX, place.path
    if not place.host:
        # One socket for both families where the machine has both.
        return (
            (socket.AF_INET6, ("::", place.port))
            if socket.has_dualstack_ipv6()
            else (socket.AF_INET, ("0.0.0.0", place.port))  # noqa: S104 - asked for
        )
    found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    family, _, _, _, where = found[0]
    return family, (str(where[0]), int(where[1]))


def _prepare(sock: socket.socket, place: Place) -> None:
    if place.path:
        return
    # A daemon that starts again must not wait for connections of the one before to time out.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if sock.family == socket.AF_INET6:
        # `[::]:25` and `0.0.0.0:25` can then stand beside each other.
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(bool(place.host)))


def _clear_path(bind: str, path: str) -> None:
    """Remove a socket that nobody listens on any more; anything else stays where it is."""
    if len(os.fsencode(path)) > _MAX_PATH:
        raise ListenError(bind, f"the path is longer than {_MAX_PATH} bytes; choose a shorter one")
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        # What is not there, or may not be looked at, is told by bind itself.
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
        except (BlockingIOError, TimeoutError):
            # It listens, and many wait already.
            pass
    raise ListenError(bind, "another process listens on it; stop it or choose another path")


def _words(err: OSError | UnicodeError) -> str:
    if isinstance(err, UnicodeError):
        return "this is no name of a host: its parts have 1 to 63 letters"
    if err.errno == errno.EPROTOTYPE:
        return "another process has a socket of another kind there; choose another path"
    if err.errno == errno.EPERM:
        return "a socket of another user is in the way; remove it or choose another path"
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

    def open_all(self, binds: Mapping[str, str]) -> dict[str, socket.socket]:
        """Return a socket for each address by the key of it; what is open already is used again.

        Raises:
            ListenError: One cannot be opened; those that were opened for this call are closed.
        """
        opened: list[str] = []
        try:
            for key, bind in binds.items():
                if key not in self._sockets:
                    self._sockets[key] = open_listener(bind)
                    opened.append(key)
        except BaseException:
            for key in opened:
                self._close(key)
            raise
        return {key: self._sockets[key] for key in binds}

    def keep_only(self, keys: Iterable[str]) -> None:
        """Close every socket whose key is not among `keys`."""
        for key in self._sockets.keys() - set(keys):
            self._close(key)

    def _close(self, key: str) -> None:
        sock = self._sockets.pop(key)
        path = sock.getsockname() if sock.family == socket.AF_UNIX else ""
        sock.close()
        if path:
            # The name would stay behind and look like a daemon that does not answer.
            with contextlib.suppress(OSError):
                os.unlink(path)  # noqa: PTH108 - paths of sockets stay text here
