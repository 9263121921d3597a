"""Who works with the store, noted in it: so that it is known when somebody went without good-bye.

A process that is killed takes with it what it had gathered and not yet written. The next one that
opens the store finds its note, sees that it is gone, and says so.
"""

from __future__ import annotations

import logging
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from reputation.store import Store

_log: Final = logging.getLogger("gatepost.memory")
_SPACE: Final = "at-work"
# A note that nobody of the same host ever reads goes by itself.
_KEPT_S: Final = 30 * 86_400
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
# Field 22 of the line, the start in clock ticks since boot; the name in field 2 may hold blanks
# (proc(5)).
_AFTER_NAME: Final = 19


class Presence:
    """The note of this process."""

    def __init__(self) -> None:
        pid = os.getpid()
        self._name = _name(socket.gethostname(), _boot(), pid, _start_of(pid))

    def arrive(self, store: Store, now: float) -> int:
        """Note that we are here; return how many processes of this host left without good-bye."""
        host, boot, _, _ = self._name.split(b"\t")
        gone = [
            name
            for name in store.keys(_SPACE)
            if name.startswith(host + b"\t") and _is_gone(name, boot)
        ]
        # Several processes may arrive at once; each note is removed by one of them.
        lost = [name for name in gone if store.forget(_SPACE, [name])]
        for name in lost:
            _log.warning(
                "a process ended without closing the store",
                extra={
                    "pid": int(name.split(b"\t")[2]),
                    "error": "what it counted in its last moments was not written",
                },
            )
        store.put(_SPACE, [self._name], now + _KEPT_S)
        return len(lost)

    def leave(self, store: Store) -> None:
        """Note that we left in order."""
        store.forget(_SPACE, [self._name])


def _name(host: str, boot: str, pid: int, start: str) -> bytes:
    return f"{host}\t{boot}\t{pid}\t{start}".encode()


def _is_gone(name: bytes, boot: bytes) -> bool:
    _, its_boot, pid, start = name.split(b"\t")
    return its_boot != boot or _start_of(int(pid)) != start.decode()


def _boot() -> str:
    with suppress(OSError):
        return _BOOT.read_text().strip()
    return ""


def _start_of(pid: int) -> str:
    """Return when a process began, which tells it from a later one of the same number."""
    with suppress(OSError):
        line = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        return line.rpartition(")")[2].split()[_AFTER_NAME]
    return ""
