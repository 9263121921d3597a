"""Postfix's smtp-sink as a next hop: each message in a file of its own, faults by its options."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.debian import need_program
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

_START_S: Final = 20


@dataclass(frozen=True, slots=True)
class SmtpSink:
    """A running smtp-sink.

    Attributes:
        port: Where it listens.
        folder: Where it writes messages, one file each.
    """

    port: int
    folder: Path

    @property
    def dumps(self) -> list[bytes]:
        """Every message so far: `X-` lines with the envelope, then the message in LF form."""
        return [path.read_bytes() for path in sorted(self.folder.iterdir())]


@contextlib.contextmanager
def running_smtp_sink(
    *options: str, dump: bool = True, port: int | None = None
) -> Iterator[SmtpSink]:
    """Start smtp-sink with these options; skip the test where it is missing.

    Args:
        options: As in smtp-sink(1).
        dump: Whether messages are written to files.
        port: Where it listens; None: on any free port.
    """
    program = need_program("smtp-sink")
    port = port or free_port()
    folder = Path(tempfile.mkdtemp(prefix="gatepost-sink-"))
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    if user:
        os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)
    command = [
        str(program.path),
        *user,
        "-d",
        f"{folder}/%M.",
        *options,
        f"127.0.0.1:{port}",
        "100",
    ]
    process = subprocess.Popen(command, env=program.environment, stdin=subprocess.DEVNULL)
    try:
        _wait_until_it_listens(port, process)
        yield SmtpSink(port, folder)
    finally:
        process.terminate()
        process.wait(_START_S)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_it_listens(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return once the port takes connections; smtp-sink has no way to say that it is ready."""
    while process.poll() is None:
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), _START_S).close()
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
    raise RuntimeError(f"smtp-sink ended with {process.returncode}")
