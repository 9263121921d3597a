"""Listening sockets, opened before workers start and handed to them.

A port that is taken or a path that may not be written is a mistake in the configuration: it is told
before anything starts or changes.
"""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import socket
import stat
from typing import TYPE_CHECKING, Final, NamedTuple

from milter.core.errors import GatepostError
from milter.doors.listening import BACKLOG
from milter.settings.places import Place, parse_place

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

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


class Access(NamedTuple):
    """Who may connect to a unix socket, and which file it is."""

    mode: int
    user: int
    group: int
    inode: tuple[int, int]


def access_of(path: str) -> Access | None:
    """Return how the socket at `path` is now; None where there is nothing."""
    try:
        found = os.stat(path)  # noqa: PTH116 - paths of sockets stay text here
    except OSError:
        return None
    inode = (found.st_dev, found.st_ino)
    return Access(stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid, inode)


def hand_over(
    bind: str, mode: str | None, owner: str | None, made: Access | None = None
) -> Callable[[], None]:
    """Give the unix socket at `bind` its mode, in octal, and its owner; other binds have none.

    Args:
        bind: As configuration wrote it.
        mode: None: as it was made.
        owner: user, user:group or :group; None: as it was made.
        made: How it was made; None: as it is now.

    Returns:
        What takes it back.

    Raises:
        ListenError: Nobody is called so, or it is not ours to give; nothing has changed.
    """
    path = parse_place(bind).path
    before = access_of(path) if path else None
    if before is None:
        return lambda: None
    wanted = _wanted(bind, mode, owner, made or before)
    try:
        _give(path, before, wanted)
    except OSError as err:
        _take_back(path, before)
        raise ListenError(bind, f"its mode or owner cannot be set: {_words(err)}") from err
    return lambda: _take_back(path, before)


def _wanted(bind: str, mode: str | None, owner: str | None, made: Access) -> Access:
    user, _, group = (owner or "").partition(":")
    try:
        return Access(
            int(mode, 8) if mode else made.mode,
            pwd.getpwnam(user).pw_uid if user else made.user,
            grp.getgrnam(group).gr_gid if group else made.group,
            made.inode,
        )
    except LookupError as err:
        raise ListenError(bind, f"there is no user or group '{owner}' on this machine") from err


def _give(path: str, before: Access, wanted: Access) -> None:
    if (before.user, before.group) != (wanted.user, wanted.group):
        os.chown(path, wanted.user, wanted.group)
    os.chmod(path, wanted.mode)  # noqa: PTH101 - paths of sockets stay text here


def _take_back(path: str, before: Access) -> None:
    with contextlib.suppress(OSError):
        now = access_of(path)
        if now is not None and now.inode == before.inode:
            _give(path, now, before)


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


class _Open(NamedTuple):
    sock: socket.socket
    made: Access | None

    @property
    def is_there(self) -> bool:
        """Whether who connects to its path still meets it."""
        if self.made is None:
            return True
        now = access_of(self.sock.getsockname())
        return now is not None and now.inode == self.made.inode

    @property
    def port(self) -> int:
        return 0 if self.sock.family == socket.AF_UNIX else int(self.sock.getsockname()[1])


class Listeners:
    """The open listening sockets by the address that configuration gave them."""

    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}
        self._replaced: list[_Open] = []
        self._handed: set[str] = set()

    def open_all(
        self, binds: Mapping[str, str], undo: contextlib.ExitStack
    ) -> dict[str, socket.socket]:
        """Return a socket for each address by the key of it; what is open already is used again.

        A unix socket whose path somebody removed is opened anew.

        Args:
            binds: Addresses by their keys.
            undo: Takes back what was opened, unless it is told to forget it.

        Raises:
            ListenError: One cannot be opened.
        """
        for key, bind in binds.items():
            before = self._open.get(key)
            if before is None or not before.is_there:
                sock = self._opened(bind, binds)
                path = parse_place(bind).path
                self._open[key] = _Open(sock, access_of(path) if path else None)
                undo.callback(self._put_back, key, before)
                if before is not None:
                    self._replaced.append(before)
        return {key: self._open[key].sock for key in binds}

    def hand_over(
        self, key: str, bind: str, mode: str | None, owner: str | None
    ) -> Callable[[], None]:
        """Do what `hand_over` does; a mode or owner that is no longer wanted is taken back.

        Raises:
            ListenError: As there.
        """
        # What we never gave is somebody else's, and stays.
        made = self._open[key].made if key in self._handed else None
        undo = hand_over(bind, mode, owner, made)
        if mode or owner:
            self._handed.add(key)
        return undo

    def keep_only(self, keys: Iterable[str]) -> None:
        """Close every socket whose key is not among `keys`, and those that were replaced."""
        for one in self._replaced:
            one.sock.close()
        self._replaced.clear()
        for key in self._open.keys() - set(keys):
            _close(self._open.pop(key))

    def _opened(self, bind: str, wanted: Collection[str]) -> socket.socket:
        try:
            return open_listener(bind)
        except ListenError as err:
            port = parse_place(bind).port
            cause = err.__cause__
            taken = isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE
            ours = {key for key, one in self._open.items() if one.port == port}
            if not taken or not ours:
                raise
            if ours.isdisjoint(wanted):
                what = f"Gatepost itself has port {port} open at another address or for another use"
                raise ListenError(bind, f"{what}; restart it for this change") from err
            what = f"another address of this configuration takes it in: name one for port {port}"
            raise ListenError(bind, what) from err

    def _put_back(self, key: str, before: _Open | None) -> None:
        _close(self._open.pop(key))
        if before is not None:
            self._replaced.remove(before)
            self._open[key] = before


def _close(one: _Open) -> None:
    path = one.sock.getsockname() if one.is_there and one.made else ""
    one.sock.close()
    if path:
        # The name would stay behind and look like a daemon that does not answer.
        with contextlib.suppress(OSError):
            os.unlink(path)  # noqa: PTH108 - paths of sockets stay text here
