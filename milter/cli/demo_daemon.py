"""The two processes of a demonstration: the real daemon, and a next hop that takes everything.

The next hop is aiosmtpd in a thread; the daemon is `gatepost serve` as anybody would start it, with
a configuration in a temporary folder. That it serves is what it says itself (sd_notify); its log is
read from its standard error, and the line about each transaction kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Final

import yaml
from aiosmtpd.smtp import SMTP

from milter.core.errors import GatepostError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from aiosmtpd.smtp import Envelope, Session

PAGE_PORT: Final = 11380
_READY_S: Final = 60
_STOP_S: Final = 40
_LOG_S: Final = 20
_LAST_LINES: Final = 20


class DemoError(GatepostError):
    """The daemon did not start, or fell silent; the message holds its last words."""


class NextHop:
    """Takes every message and keeps the last."""

    def __init__(self) -> None:
        self.port = 0
        self._last = b""

    async def handle_DATA(  # noqa: N802 -- aiosmtpd finds its hooks by name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Keep a message."""
        self._last = envelope.original_content or b""
        return "250 2.0.0 Kept"

    def taken(self) -> bytes:
        """Return the message that was taken last."""
        return self._last


class Daemon:
    """A running daemon.

    Attributes:
        port: Where it takes mail.
        page: Address of its page.
        process: The supervisor.
    """

    def __init__(self, process: subprocess.Popen[bytes], port: int, page: str) -> None:
        self.process = process
        self.port = port
        self.page = page
        self._transactions: dict[str, Mapping[str, object]] = {}
        self._words: deque[str] = deque(maxlen=_LAST_LINES)
        self._changed = threading.Condition()

    def read_log(self) -> None:
        """Keep what the daemon logs, until it ends."""
        if self.process.stderr is None:
            return
        with self.process.stderr as stream:
            for line in stream:
                with self._changed:
                    self._words.append(line.decode("utf-8", "replace"))
                    self._keep(line)
                    self._changed.notify_all()

    def _keep(self, line: bytes) -> None:
        with contextlib.suppress(ValueError):
            entry = json.loads(line)
            if isinstance(entry, dict) and entry.get("event") == "transaction":
                self._transactions[str(entry.get("txn_id"))] = entry

    def logged(self, txn_id: str) -> Mapping[str, object]:
        """Return the log line of a transaction; an empty one when none comes in time."""
        with self._changed:
            self._changed.wait_for(lambda: txn_id in self._transactions, _LOG_S)
            return self._transactions.get(txn_id, {})

    def last_words(self) -> str:
        """Return the end of the log."""
        with self._changed:
            return "".join(self._words)


@contextlib.contextmanager
def running_next_hop() -> Iterator[NextHop]:
    """Run a next hop on a free loopback port."""
    hop = NextHop()
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        server = await loop.create_server(
            lambda: SMTP(hop, enable_SMTPUTF8=True, loop=loop), "127.0.0.1", 0
        )
        hop.port = server.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        server.close()
        await _end_sessions()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), name="next-hop")
    thread.start()
    try:
        ready.wait(_READY_S)
        yield hop
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(_STOP_S)
        loop.close()


async def _end_sessions() -> None:
    """Cancel what aiosmtpd still runs for connections that the daemon kept."""
    sessions = asyncio.all_tasks() - {asyncio.current_task()}
    for session in sessions:
        session.cancel()
    await asyncio.gather(*sessions, return_exceptions=True)


def free_port(wanted: int = 0) -> int:
    """Return `wanted` if nobody listens there, else any port that is free."""
    for port in (wanted, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                sock.bind(("127.0.0.1", port))
                return int(sock.getsockname()[1])
    raise DemoError("no loopback port is free")


def demo_configuration(samples: Path, port: int, page_port: int, next_hop: int) -> str:
    """Return the configuration of the daemon: the defaults, the samples' policy and names."""
    listener = {
        "name": "inbound",
        "bind": f"127.0.0.1:{port}",
        "clients": ["127.0.0.0/8"],
        "trusted_clients": ["127.0.0.0/8"],
        "recipient_domains": ["example.org"],
    }
    return yaml.safe_dump(
        {
            "hostname": "mx.example.org",
            "listeners": [listener],
            "next_hop": {"hosts": [f"127.0.0.1:{next_hop}"]},
            "policies": str(samples / "policy.yaml"),
            "dns": {"zone_file": str(samples / "zone.yaml")},
            "http": {"bind": f"127.0.0.1:{page_port}"},
            "workers": 1,
        },
        sort_keys=False,
    )


@contextlib.contextmanager
def running_daemon(samples: Path, next_hop: int, folder: Path) -> Iterator[Daemon]:
    """Run the daemon from a configuration in `folder`; stop it at the end.

    Raises:
        DemoError: It does not become ready.
    """
    port, page_port = free_port(), free_port(PAGE_PORT)
    config = folder / "gatepost.yaml"
    config.write_text(demo_configuration(samples, port, page_port, next_hop), "utf-8")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifications:
        notifications.bind(str(folder / "notify"))
        notifications.settimeout(_READY_S)
        process = _start(config, folder / "notify")
        daemon = Daemon(process, port, f"http://127.0.0.1:{page_port}/")
        # When it ends before it is ready, somebody has to say so to who waits for the notification.
        end = threading.Thread(target=_tell_the_end, args=(process, folder / "notify"), name="end")
        reader = threading.Thread(target=daemon.read_log, name="log")
        reader.start()
        end.start()
        try:
            _wait_until_ready(notifications, daemon)
            yield daemon
        finally:
            _stop(process)
            end.join()
            reader.join()


def _start(config: Path, notify: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 -- this interpreter, and a path that we wrote
        [sys.executable, "-m", "milter", "serve", "-c", str(config)],
        env={**os.environ, "NOTIFY_SOCKET": str(notify)},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def _tell_the_end(process: subprocess.Popen[bytes], notify: Path) -> None:
    process.wait()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
        sock.connect(str(notify))
        sock.setblocking(False)
        sock.send(b"ENDED=1")


def _wait_until_ready(notifications: socket.socket, daemon: Daemon) -> None:
    try:
        while "READY=1" not in (said := notifications.recv(4096).decode().split("\n")):
            if "ENDED=1" in said:
                raise DemoError(f"the daemon ended instead of serving:\n{daemon.last_words()}")
    except TimeoutError as err:
        words = daemon.last_words()
        raise DemoError(f"the daemon was not ready within {_READY_S} s:\n{words}") from err


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
