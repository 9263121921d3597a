"""A real Sendmail of the test's own, unpacked and never installed: Postfix has the machine.

Its configuration is made with Sendmail's own m4 files, so that lines of a `sendmail.mc` are tried
as a site writes them. It listens on loopback, asks no name server and hands all mail to one next
hop.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.debian import need_program, need_root
from tests.support.gatepost import child_pids
from tests.support.patience import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.debian import Program

_DOCS: Final = Path(__file__).resolve().parents[2] / "docs" / "milter.md"
_DOCUMENTED_PORT: Final = "11332"
_HOST: Final = "mail.example.org"
_STOP_S: Final = 30
# `linux` only says where programs lie. A busy machine is no reason to refuse mail here.
_HEAD: Final = """\
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `{host}')dnl
define(`confDONT_PROBE_INTERFACES', `True')dnl
define(`QUEUE_DIR', `{folder}/queue')dnl
define(`confPID_FILE', `{folder}/pid')dnl
define(`STATUS_FILE', `{folder}/statistics')dnl
define(`confSERVICE_SWITCH_FILE', `{folder}/switch')dnl
define(`confHOSTS_FILE', `{folder}/hosts')dnl
define(`ALIAS_FILE', `')dnl
define(`confTO_IDENT', `0')dnl
define(`confDELIVERY_MODE', `background')dnl
define(`confQUEUE_LA', `1000')dnl
define(`confREFUSE_LA', `1000')dnl
define(`SMART_HOST', `relay:[127.0.0.1]')dnl
define(`RELAY_MAILER_ARGS', `TCP $h {next_hop}')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`no_default_msa')dnl
RELAY_DOMAIN(`example.org')dnl
"""
_TAIL: Final = "MAILER(`local')dnl\nMAILER(`smtp')dnl\n"


@dataclass(frozen=True, slots=True)
class Sendmail:
    """A running instance.

    Attributes:
        folder: Holds configuration, queue and a trace of what was said.
        command: Starts the program with this configuration; arguments follow.
        environment: What it needs.
    """

    folder: Path
    command: tuple[str, ...]
    environment: dict[str, str]

    @property
    def session_pids(self) -> list[int]:
        """The processes that speak with its clients."""
        return child_pids(int((self.folder / "pid").read_text("ascii").split()[0]))

    @property
    def trace(self) -> str:
        """What was said on all its connections so far."""
        path = self.folder / "trace"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def queued(self, prefix: str) -> list[str]:
        """Return the control files in its queue that begin so: `qf` waiting, `hf` held."""
        files = (self.folder / "queue").glob(f"{prefix}*")
        return [path.read_text("utf-8", "replace") for path in files]


def daemon_line(port: int, filters: str = "gatepost", name: str = "MTA") -> str:
    """Return the line of a `sendmail.mc` that has it listen, and ask these filters."""
    options = f"Name={name}, Address=127.0.0.1, Port={port}, InputMailFilters={filters}"
    return f"DAEMON_OPTIONS(`{options}')dnl"


def filter_line(port: int) -> str:
    """Return the line of a `sendmail.mc` that names the filter, as docs/milter.md has it."""
    (line,) = re.findall(r"^INPUT_MAIL_FILTER\(.*$", _DOCS.read_text("utf-8"), re.MULTILINE)
    assert line.count(_DOCUMENTED_PORT) == 1
    return str(line.replace(_DOCUMENTED_PORT, str(port)))


@contextlib.contextmanager
def running_sendmail(
    next_hop: int, ports: Sequence[int], lines: Sequence[str]
) -> Iterator[Sendmail]:
    """Start Sendmail; stop it at the end.

    Skips the test where it is not unpacked or we are not root.

    Args:
        next_hop: Port on loopback that all mail goes to.
        ports: That `lines` have it listen on.
        lines: Of a `sendmail.mc`: what the test is about.
    """
    need_root()
    folder = Path(tempfile.mkdtemp(prefix="gatepost-sendmail-"))
    # It trusts no folder that others may write to.
    folder.chmod(0o755)
    try:
        instance = _prepared(folder, next_hop, lines)
        with (folder / "errors").open("wb") as errors:
            process = subprocess.Popen(
                [*instance.command, "-bD", "-X", folder / "trace"],
                env=instance.environment,
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
            )
        try:
            wait_until(
                lambda: process.poll() is not None or all(map(_listens, ports)),
                (folder / "errors").read_text,
            )
            assert process.poll() is None, (folder / "errors").read_text()
            yield instance
        finally:
            process.terminate()
            process.wait(_STOP_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _prepared(folder: Path, next_hop: int, lines: Sequence[str]) -> Sendmail:
    # Only this program of the package has a name that no other mail server has.
    package = need_program("praliases")
    program = folder / "sendmail"
    # A copy without its set-group-id bit: with it the loader would pass over LD_LIBRARY_PATH.
    shutil.copyfile(package.root / "usr/libexec/sendmail/sendmail", program)
    program.chmod(0o755)
    (folder / "queue").mkdir(mode=0o700)
    (folder / "switch").write_text("hosts files\naliases files\n")
    (folder / "hosts").write_text("127.0.0.1 localhost\n")
    _configure(package, folder, next_hop, lines)
    # Before it reads any configuration it wants a host name with a dot, or it sleeps for a minute.
    named = f'hostname {_HOST} && exec "$@"'
    command = ("unshare", "--uts", "sh", "-c", named, "sh", str(program), "-C", f"{folder}/cf")
    _need_host_name_of_its_own()
    return Sendmail(folder, command, package.environment)


def _configure(package: Program, folder: Path, next_hop: int, lines: Sequence[str]) -> None:
    m4 = need_program("m4")
    sources = package.root / "usr/share/sendmail/cf"
    values = {"host": _HOST, "folder": folder, "next_hop": next_hop}
    text = _HEAD.format(**values) + "".join(f"{line}\n" for line in lines) + _TAIL
    (folder / "mc").write_text(text)
    done = subprocess.run(
        [m4.path, f"-D_CF_DIR_={sources}/", sources / "m4/cf.m4", folder / "mc"],
        env=m4.environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # m4 tells of a word that it does not know and goes on.
    assert done.stderr == b""
    (folder / "cf").write_bytes(done.stdout)


def _need_host_name_of_its_own() -> None:
    done = subprocess.run(
        ["unshare", "--uts", "hostname", _HOST], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"needs a host name of its own: {done.stderr.strip()}")


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True
