"""Words for the service manager: the protocol of sd_notify(3), without its library."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def notifier(environment: Mapping[str, str]) -> Callable[[str], None]:
    """Return a function that tells the service manager a state such as `READY=1`.

    Without one, or when it does not listen, the function does nothing: how we are started is no
    reason to stop filtering mail.
    """
    address = environment.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return lambda _state: None
    # A leading @ is the way to write an abstract socket, whose name begins with a zero octet.
    target = f"\0{address[1:]}" if address.startswith("@") else address

    def notify(state: str) -> None:
        # No descriptor may be left for it: then nothing is told, and mail goes on.
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender,
        ):
            sender.setblocking(False)
            sender.sendto(state.encode(), target)

    return notify


def watchdog_interval_s(environment: Mapping[str, str], pid: int) -> float | None:
    """Return how often WATCHDOG=1 shall be said: half of what is allowed; None when never."""
    allowed = environment.get("WATCHDOG_USEC", "")
    if environment.get("WATCHDOG_PID", str(pid)) != str(pid) or not allowed.isdecimal():
        return None
    return int(allowed) / 2_000_000 or None


def reloading(monotonic_ns: int) -> str:
    """Return the state at the beginning of a reload; Type=notify-reload wants the time with it."""
    return f"RELOADING=1\nMONOTONIC_USEC={monotonic_ns // 1000}"
