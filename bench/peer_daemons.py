"""Other filters from Debian, started for a bench: rspamd and spamd, as they are delivered.

What differs from the delivered configuration: they listen on ports of the bench, ask its name
server alone, use one process, and greylisting and rate limits are off, for these make a message
cost less than a scan. rspamd asks no fuzzy storage: there is none without the Internet.
"""

from __future__ import annotations

import contextlib
import http.client
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.measure import cpu_seconds
from tests.support.gatepost import child_pids, configuration, running_gatepost
from tests.support.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENT_IP: Final = "81.2.69.142"
HELO: Final = "mail.sender.example"
MAIL_FROM: Final = "someone@sender.example"
RCPT: Final = "user@example.org"
_START_S: Final = 180.0
_ASK_S: Final = 60.0
_SETTLE_S: Final = 180
_IDLE_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Peer:
    """A filter that runs.

    Attributes:
        name: Its own.
        pid: Of its main process; the scanning ones are its children.
        port: Where it is asked.
        spamc: Whether it speaks the protocol of spamc; else that of rspamd.
        only: What the processes that scan are called, where others do work of their own, such as
            compiling patterns; empty: all count.
    """

    name: str
    pid: int
    port: int
    spamc: bool = False
    only: str = ""

    def cpu_s(self) -> float:
        """Return the CPU time of the processes that scan."""
        pids = [self.pid, *child_pids(self.pid)]
        return sum(cpu_seconds(pid) for pid in pids if self.only in _title(pid))

    def settle(self) -> None:
        """Wait until it is idle: patterns are compiled for a while after the start."""
        for _ in range(_SETTLE_S):
            begun = sum(map(cpu_seconds, [self.pid, *child_pids(self.pid)]))
            time.sleep(1.0)
            if sum(map(cpu_seconds, [self.pid, *child_pids(self.pid)])) - begun < _IDLE_S:
                return

    def scan(self, mail: bytes) -> None:
        """Have one message judged; the answer is read whole.

        Raises:
            RuntimeError: It does not judge it.
        """
        answer = self._spamc(mail) if self.spamc else self._rspamc(mail)
        if not answer:
            raise RuntimeError(f"{self.name} gave no answer")

    def _rspamc(self, mail: bytes) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_ASK_S)
        envelope = {"IP": CLIENT_IP, "Helo": HELO, "From": MAIL_FROM, "Rcpt": RCPT}
        with contextlib.closing(connection):
            connection.request("POST", "/checkv2", mail, envelope)
            response = connection.getresponse()
            answer = response.read()
        if response.status != http.HTTPStatus.OK:
            raise RuntimeError(f"{self.name}: {response.status} {answer[:200]!r}")
        return answer

    def _spamc(self, mail: bytes) -> bytes:
        head = f"CHECK SPAMC/1.5\r\nContent-length: {len(mail)}\r\n\r\n".encode()
        with socket.create_connection(("127.0.0.1", self.port), _ASK_S) as sock:
            sock.sendall(head + mail)
            sock.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: sock.recv(65_536), b""))
        if b" 0 EX_OK" not in answer:
            raise RuntimeError(f"{self.name}: {answer[:200]!r}")
        return answer


def _title(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace")


@contextlib.contextmanager
def gatepost(dns_port: int) -> Iterator[Peer]:
    """Run Gatepost with the preset `balanced` and a store."""
    config = configuration(
        "127.0.0.1:1",
        dns={"nameservers": [f"127.0.0.1:{dns_port}"]},
        store="sqlite:state/gatepost.db",
    )
    config["listeners"][0]["recipient_domains"] = ["example.org"]
    with running_gatepost(config) as daemon:
        yield Peer("gatepost", daemon.process.pid, daemon.http_port)


def rspamd(dns_port: int) -> contextlib.AbstractContextManager[Peer | None]:
    """Run rspamd, asked over HTTP; None where it is not installed."""
    port, controller = free_ports(2)
    files = {
        "worker-normal.inc": f'bind_socket = "127.0.0.1:{port}"; count = 1;\n',
        "worker-proxy.inc": "enabled = false;\n",
    }
    return _rspamd(port, "normal process", files | _rspamd_files(controller, dns_port))


def rspamd_milter(dns_port: int) -> contextlib.AbstractContextManager[Peer | None]:
    """Run rspamd, asked over the milter protocol, in the process that scans; None without it."""
    port, controller = free_ports(2)
    files = {
        "worker-normal.inc": "enabled = false;\n",
        "worker-proxy.inc": f'bind_socket = "127.0.0.1:{port}"; milter = yes; count = 1;\n'
        'timeout = 120s; upstream "local" { default = yes; self_scan = yes; }\n',
    }
    return _rspamd(port, "rspamd_proxy", files | _rspamd_files(controller, dns_port))


@contextlib.contextmanager
def _rspamd(port: int, only: str, files: dict[str, str]) -> Iterator[Peer | None]:
    program = shutil.which("rspamd")
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="rspamd-") as folder:
        local = Path(folder) / "local.d"
        local.mkdir()
        for name, text in files.items():
            (local / name).write_text(text, "ascii")
        places = [f"--var={name}={folder}" for name in ("DBDIR", "RUNDIR", "LOGDIR")]
        command = [program, "-f", "-i", *places, f"--var=LOCAL_CONFDIR={folder}"]
        with _running(command, folder, port) as pid:
            yield Peer("rspamd", pid, port, only=only)


def _rspamd_files(controller: int, dns_port: int) -> dict[str, str]:
    return {
        "options.inc": f'dns {{ nameserver = ["127.0.0.1:{dns_port}"]; }}\nneighbours {{}}\n',
        "logging.inc": 'type = "console"; level = "error";\n',
        "worker-controller.inc": f'bind_socket = "127.0.0.1:{controller}"; count = 1;\n',
        "worker-fuzzy.inc": "enabled = false;\n",
        "fuzzy_check.conf": "enabled = false;\n",
        "greylist.conf": "enabled = false;\n",
        "ratelimit.conf": "enabled = false;\n",
    }


@contextlib.contextmanager
def spamd(dns_port: int) -> Iterator[Peer | None]:
    """Run spamd; None where it is not installed."""
    program = shutil.which("spamd")
    if program is None:
        yield None
        return
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="spamd-") as folder:
        command = [
            *(program, "--listen", f"127.0.0.1:{port}", "--max-children", "1"),
            *("--min-children", "1", "--max-spare", "1", "--max-conn-per-child", "100000"),
            *("--nouser-config", "--helper-home-dir", folder, "--syslog", "stderr"),
            *("--cf", f"dns_server 127.0.0.1:{dns_port}"),
        ]
        with _running(command, folder, port) as pid:
            yield Peer("spamd", pid, port, spamc=True)


@contextlib.contextmanager
def _running(command: list[str], folder: str, port: int) -> Iterator[int]:
    """Run a daemon in the foreground until the block ends; give its pid when it listens."""
    log = Path(folder) / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            _wait_for(port, process, log)
            yield process.pid
        finally:
            process.terminate()
            process.wait(_START_S)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise RuntimeError(f"{process.args!r} does not listen:\n{log.read_text('utf-8', 'replace')}")
