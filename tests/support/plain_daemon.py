"""The real supervisor with workers that know nothing of mail (`plain_worker`)."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from tests.support.gatepost import Gatepost
from tests.support.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_ROOT: Final = Path(__file__).resolve().parents[2]
_SERVE: Final = """
import sys
from milter.daemon.run import run
from policies.errors import PolicyError
try:
    sys.exit(run(sys.argv[1], command=[sys.executable, sys.argv[2]]))
except PolicyError as err:
    print(err)
    sys.exit(78)
"""


class PlainClient:
    """A client of a plain worker; its greeting is read at once."""

    def __init__(self, address: tuple[str, int] | str) -> None:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self._socket = socket.socket(family)
        self._socket.settimeout(30)
        self._socket.connect(address)
        self._file = self._socket.makefile("rb")
        words = self._file.readline().split()
        self.name, self.generation, self.pid = words[0].decode(), int(words[1]), int(words[2])

    def say(self, word: str) -> str:
        """Return the answer; empty when the connection was closed."""
        self._socket.sendall(word.encode() + b"\n")
        return self._file.readline().decode().strip()

    def ended(self) -> bool:
        """Wait for the connection to be closed from the other side."""
        with contextlib.suppress(ConnectionResetError):
            return self._file.read() == b""
        return True

    def close(self) -> None:
        """Close it."""
        self._file.close()
        self._socket.close()


@contextlib.contextmanager
def plain_client(address: tuple[str, int] | str) -> Iterator[PlainClient]:
    """Connect, and close at the end."""
    client = PlainClient(address)
    try:
        yield client
    finally:
        client.close()


def plain_configuration(**changes: Any) -> dict[str, Any]:
    """Return a configuration with one listener and one worker, on ports of its own."""
    port, http_port = free_ports(2)
    return {
        "hostname": "first.example",
        "listeners": [{"name": "inbound", "bind": f"127.0.0.1:{port}"}],
        "http": {"bind": f"127.0.0.1:{http_port}"},
        "workers": 1,
        **changes,
    }


def write_configuration(folder: Path, config: Mapping[str, Any]) -> None:
    """Write the configuration file."""
    text = yaml.safe_dump(dict(config), sort_keys=False)
    (folder / "gatepost.yaml").write_text(text, "utf-8")


@contextlib.contextmanager
def plain_daemon(
    config: Mapping[str, Any],
    environment: Mapping[str, str] | None = None,
    *,
    ready: bool = True,
    prefix: Sequence[str] = (),
) -> Iterator[Gatepost]:
    """Start a supervisor; stop it at the end. Without `ready` its end is the test's to await.

    `prefix` is a command that becomes the one behind it.
    """
    folder = Path(tempfile.mkdtemp(prefix="gatepost-plain-"))
    write_configuration(folder, config)
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as notifications:
        notifications.bind(str(folder / "notify"))
        daemon = _start(folder, config, notifications, environment or {}, prefix)
        try:
            if ready:
                daemon.wait_for("READY=1")
            yield daemon
        finally:
            daemon.stop()
            shutil.rmtree(folder, ignore_errors=True)


def _start(
    folder: Path,
    config: Mapping[str, Any],
    notifications: socket.socket,
    environment: Mapping[str, str],
    prefix: Sequence[str],
) -> Gatepost:
    worker = str(_ROOT / "tests" / "support" / "plain_worker.py")
    with (folder / "log.jsonl").open("wb") as log:
        process = subprocess.Popen(
            [*prefix, sys.executable, "-c", _SERVE, str(folder / "gatepost.yaml"), worker],
            env={
                **os.environ,
                "PYTHONPATH": str(_ROOT),
                "NOTIFY_SOCKET": str(folder / "notify"),
                "TMPDIR": str(folder),
                **environment,
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    ports = [
        int(bind.rpartition(":")[2]) if not bind.startswith("unix:") else 0
        for bind in (config["listeners"][0]["bind"], config["http"]["bind"])
    ]
    return Gatepost(folder, process, ports[0], ports[1], notifications)


def get(port: int, path: str) -> tuple[int, bytes]:
    """Return status and body of a request to the daemon's HTTP port."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as asking:
        asking.request("GET", path)
        answer = asking.getresponse()
        return answer.status, answer.read()


def readiness(daemon: Gatepost) -> tuple[int, dict[str, Any]]:
    """Return status and details of `/readyz`."""
    status, body = get(daemon.http_port, "/readyz")
    details = json.loads(body)
    assert isinstance(details, dict)
    return status, details
