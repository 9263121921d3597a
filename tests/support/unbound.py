"""A real unbound of the test's own: one zone, on a loopback port, without root and chroot."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.debian import need_program
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_READY_S: Final = 20
_STOP_S: Final = 20
_CONFIGURATION: Final = """\
server:
  interface: 127.0.0.1
  port: {port}
  do-daemonize: no
  chroot: ""
  username: ""
  directory: "{folder}"
  pidfile: ""
  logfile: "{folder}/log"
  use-syslog: no
  module-config: "iterator"
  access-control: 127.0.0.0/8 allow
  num-threads: 1
  do-not-query-localhost: no
  local-zone: "closed.test." refuse
auth-zone:
  name: "example."
  zonefile: "{folder}/zone"
  for-downstream: no
  for-upstream: yes
remote-control:
  control-enable: no
"""


# unbound says of itself that there is no `test.` (RFC 6761 §6.2).
_FORWARD: Final = """\
server:
  local-zone: "test." nodefault
forward-zone:
  name: "{zone}."
  forward-addr: 127.0.0.1@{port}
"""


@contextlib.contextmanager
def running_unbound(zone: str, others: Mapping[str, int] | None = None) -> Iterator[int]:
    """Run unbound with `zone`, the master file of `example.`; give its port.

    It refuses to answer for names below `closed.test.`.

    Args:
        zone: Below the origin `example.`
        others: Zones below `test.` that another name server has, with its port on loopback.
    """
    program = need_program("unbound")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="gatepost-unbound-") as path:
        folder = Path(path)
        (folder / "zone").write_text(zone, "ascii")
        text = _CONFIGURATION.format(port=port, folder=folder)
        text += "".join(_FORWARD.format(zone=at, port=its) for at, its in (others or {}).items())
        (folder / "conf").write_text(text, "ascii")
        command = [str(program.path), "-d", "-c", str(folder / "conf")]
        with subprocess.Popen(command, env=program.environment) as process:
            try:
                _wait(process, port, folder)
                yield port
            finally:
                process.terminate()
                process.wait(_STOP_S)


def _wait(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    """Return once a TCP connection is taken: unbound opens both ports together."""
    until = time.monotonic() + _READY_S
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
    log = folder / "log"
    raise RuntimeError(f"unbound does not start: {log.read_text() if log.exists() else ''}")
