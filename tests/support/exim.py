"""A real Exim of the test's own, which asks a filter with its `spam` condition."""

from __future__ import annotations

import contextlib
import pwd
import shutil
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.debian import need_program, need_root
from tests.support.patience import wait_until
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

# The user that Debian's package was made for.
_USER: Final = "Debian-exim"
_CONFIGURATION: Final = """\
primary_hostname = exim.example.org
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/pid
exim_user = {user}
exim_group = {user}
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
tls_advertise_hosts =
spamd_address = {spamd}
queue_only = true
acl_smtp_rcpt = accept
acl_smtp_data = acl_data
begin acl
acl_data:
{acl}
  accept
"""


@dataclass(frozen=True, slots=True)
class Exim:
    """A running instance.

    Attributes:
        port: On loopback.
        folder: Holds configuration, queue and logs.
    """

    port: int
    folder: Path

    @property
    def queued(self) -> list[str]:
        """Envelope and header of each message that it took, the oldest first."""
        files = sorted((self.folder / "spool" / "input").rglob("*-H"))
        return [file.read_text("utf-8", "replace") for file in files]


@contextlib.contextmanager
def running_exim(spamd: str, acl: str) -> Iterator[Exim]:
    """Run Exim; what it takes stays in its queue.

    Args:
        spamd: `spamd_address`.
        acl: Statements of the ACL at the end of data, before its `accept`.
    """
    need_root()
    exim, port = need_program("exim4"), free_port()
    try:
        user = pwd.getpwnam(_USER)
    except KeyError:
        pytest.skip(f"needs the user {_USER}, which the package makes; run .ci/packages")
    folder = Path(tempfile.mkdtemp(prefix="gatepost-exim-"))
    try:
        for name in ("", "spool", "log"):
            (folder / name).mkdir(exist_ok=True)
            shutil.chown(folder / name, user.pw_uid, user.pw_gid)
        config = folder / "exim.conf"
        values = {"folder": folder, "user": _USER, "port": port, "spamd": spamd, "acl": acl}
        config.write_text(_CONFIGURATION.format(**values))
        process = subprocess.Popen(
            [exim.path, "-C", config, "-bdf"],
            env=exim.environment,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until(lambda: _listens(port) or process.poll() is not None)
            yield Exim(port, folder)
        finally:
            process.terminate()
            process.wait(20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True
