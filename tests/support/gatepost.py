"""The real daemon as a process of its own, started with a configuration of the test's making.

Readiness is what the daemon says itself on a notification socket (sd_notify), so nobody polls or
sleeps; its end is seen through a pidfd.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from tests.support.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# A busy machine is slow to start it; who waits sees at once that it ended.
_READY_S: Final = 180
_STOP_S: Final = 60
Configuration = dict[str, Any]


@dataclass(slots=True)
class Gatepost:
    """A running daemon.

    Attributes:
        folder: Holds the configuration, and the log in `log.jsonl`.
        process: The supervisor.
        port: Of the first listener.
        http_port: Of metrics, health and page.
        notifications: The socket on which it says READY=1, RELOADING=1 and STOPPING=1.
    """

    folder: Path
    process: subprocess.Popen[bytes]
    port: int
    http_port: int
    notifications: socket.socket

    @property
    def config_path(self) -> Path:
        """The configuration file; a test may write it anew before `reload`."""
        return self.folder / "gatepost.yaml"

    @property
    def log(self) -> str:
        """What it wrote to standard error and output."""
        return (self.folder / "log.jsonl").read_text("utf-8", "replace")

    @property
    def transactions(self) -> list[dict[str, Any]]:
        """The lines of its log about messages, so far."""
        lines = (json.loads(line) for line in self.log.splitlines() if line[:1] == "{")
        return [line for line in lines if line["event"] == "transaction"]

    @property
    def worker_pids(self) -> list[int]:
        """The workers: the supervisor's children."""
        return child_pids(self.process.pid)

    def wait_for(self, state: str, timeout_s: float = _READY_S) -> None:
        """Return once the daemon has said `state`, such as `READY=1`.

        Raises:
            RuntimeError: It ended, or said nothing in time; its log is in the message.
        """
        with contextlib.closing(selectors.DefaultSelector()) as selector:
            pidfd = os.pidfd_open(self.process.pid)
            try:
                selector.register(self.notifications, selectors.EVENT_READ)
                selector.register(pidfd, selectors.EVENT_READ)
                self._wait_for(state, selector, timeout_s)
            finally:
                os.close(pidfd)

    def _wait_for(self, state: str, selector: selectors.BaseSelector, timeout_s: float) -> None:
        while ready := selector.select(timeout_s):
            files = [key.fileobj for key, _ in ready]
            if self.notifications in files:
                said = self.notifications.recv(4096).decode("utf-8", "replace").split("\n")
                if state in said:
                    return
            elif self.process.poll() is not None or files:
                self.process.wait(_STOP_S)
                raise RuntimeError(f"the daemon ended ({self.process.returncode}):\n{self.log}")
        raise RuntimeError(f"the daemon did not say {state}:\n{self.log}")

    def reload(self) -> None:
        """Ask for a reload and return once the daemon serves again."""
        self.process.send_signal(signal.SIGHUP)
        self.wait_for("READY=1")

    def stop(self) -> int:
        """Ask it to drain and end; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(_STOP_S)
            raise RuntimeError(f"the daemon did not end:\n{self.log}") from None


def child_pids(pid: int) -> list[int]:
    """Return the direct children of a process, in the order of their start."""
    children: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        children += map(int, (task / "children").read_text("ascii").split())
    return sorted(children)


def configuration(next_hop: str, **changes: Any) -> Configuration:
    """Return a configuration on loopback ports of its own: one worker, one inbound listener.

    Args:
        next_hop: host:port.
        changes: Top-level keys that are set instead of, or beside, those here.
    """
    port, http_port = free_ports(2)
    return {
        "hostname": "mx.example.org",
        "listeners": [
            {
                "name": "inbound",
                "bind": f"127.0.0.1:{port}",
                "clients": ["127.0.0.0/8"],
                "trusted_clients": ["127.0.0.0/8"],
            }
        ],
        "next_hop": {"hosts": [next_hop]},
        "http": {"bind": f"127.0.0.1:{http_port}"},
        "workers": 1,
        **changes,
    }


@contextlib.contextmanager
def running_gatepost(
    config: Configuration, files: Mapping[str, str] | None = None
) -> Iterator[Gatepost]:
    """Start the daemon with `config` and `files` beside it; stop it at the end.

    Raises:
        RuntimeError: It does not become ready; its log is in the message.
    """
    folder = Path(tempfile.mkdtemp(prefix="gatepost-daemon-"))
    try:
        (folder / "gatepost.yaml").write_text(yaml.safe_dump(config, sort_keys=False), "utf-8")
        for name, text in (files or {}).items():
            (folder / name).write_text(text, "utf-8")
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as notifications:
            notifications.bind(str(folder / "notify"))
            daemon = _start(folder, config, notifications)
            try:
                daemon.wait_for("READY=1")
                yield daemon
            finally:
                daemon.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(folder: Path, config: Configuration, notifications: socket.socket) -> Gatepost:
    with (folder / "log.jsonl").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "milter", "serve", "-c", folder / "gatepost.yaml"],
            env={**os.environ, "NOTIFY_SOCKET": str(folder / "notify")},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    return Gatepost(
        folder,
        process,
        _port(config["listeners"][0]["bind"]),
        _port(config["http"]["bind"]) if config.get("http") else 0,
        notifications,
    )


def _port(bind: str) -> int:
    """Return the port of an address; 0 for a unix socket, which has none."""
    return 0 if bind.startswith("unix:") else int(bind.rpartition(":")[2])
