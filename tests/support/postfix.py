"""A real Postfix of the test's own: own folders, loopback ports, no chroot, its own log file.

Only what a test names is started beside the queue: the caller gives the smtpd lines of master.cf
and what it wants in main.cf. Mail that it takes goes where `relayhost` says, at once.
"""

from __future__ import annotations

import contextlib
import grp
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.debian import Program, need_program, need_root
from tests.support.gatepost import child_pids

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# Everything that a queue needs, none of it chrooted; columns as in master(5).
_QUEUE_SERVICES = """\
cleanup   unix  n  -  n  -  0  cleanup
qmgr      unix  n  -  n  1  1  qmgr
rewrite   unix  -  -  n  -  -  trivial-rewrite
bounce    unix  -  -  n  -  0  bounce
defer     unix  -  -  n  -  0  bounce
trace     unix  -  -  n  -  0  bounce
verify    unix  -  -  n  -  1  verify
proxymap  unix  -  -  n  -  -  proxymap
smtp      unix  -  -  n  -  -  smtp
lmtp      unix  -  -  n  -  -  lmtp
relay     unix  -  -  n  -  -  smtp
error     unix  -  -  n  -  -  error
retry     unix  -  -  n  -  -  error
discard   unix  -  -  n  -  -  discard
anvil     unix  -  -  n  -  1  anvil
scache    unix  -  -  n  -  1  scache
postlog   unix-dgram n - n  -  1  postlogd
"""
_START_S = 60


def assert_known_to_postfix(folder: Path, *options: str) -> None:
    """Have `postconf` read main.cf and master.cf of `folder`, or skip where it is missing."""
    program = need_program("postconf")
    for option in options:
        done = subprocess.run(
            [program.path, "-c", folder, option],
            env=program.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0
        # Postfix warns of parameters that it does not know.
        assert done.stderr == ""


@dataclass(frozen=True, slots=True)
class Postfix:
    """A running instance.

    Attributes:
        folder: Holds configuration, queue and log.
    """

    folder: Path

    @property
    def log(self) -> str:
        """What it has logged so far."""
        path = self.folder / "maillog"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    @property
    def session_pids(self) -> list[int]:
        """The processes that speak with its clients, or wait for one."""
        master = int((self.folder / "queue" / "pid" / "master.pid").read_text("ascii"))
        names = {pid: Path(f"/proc/{pid}/comm").read_text("ascii") for pid in child_pids(master)}
        return [pid for pid, name in names.items() if name.strip() == "smtpd"]


@contextlib.contextmanager
def running_postfix(main: Mapping[str, str], services: Sequence[str]) -> Iterator[Postfix]:
    """Start Postfix with these settings of main.cf and lines of master.cf; stop it at the end.

    Skips the test where Postfix is missing or we are not root.
    """
    need_root()
    program = need_program("postfix")
    # Not pytest's own folder: that is closed to all but root, and Postfix's user must get in.
    folder = Path(tempfile.mkdtemp(prefix="gatepost-postfix-"))
    folder.chmod(0o755)
    instance = Postfix(folder)
    try:
        _write_configuration(folder, program, main, services)
        _command(program, folder, "start", instance)
        try:
            yield instance
        finally:
            _command(program, folder, "stop", instance)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write_configuration(
    folder: Path, program: Program, main: Mapping[str, str], services: Sequence[str]
) -> None:
    owner, group = _owner_and_group()
    (folder / "queue").mkdir()
    (folder / "data").mkdir()
    shutil.chown(folder / "data", owner)
    settings = {
        "compatibility_level": "3.6",
        "queue_directory": f"{folder}/queue",
        "data_directory": f"{folder}/data",
        "mail_owner": owner,
        "setgid_group": group,
        **_package_folders(program.root),
        "import_environment": "MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C POSTLOG_SERVICE "
        "POSTLOG_HOSTNAME LD_LIBRARY_PATH",
        "maillog_file": f"{folder}/maillog",
        "maillog_file_prefixes": str(folder),
        "myhostname": "mail.example.org",
        "mydestination": "",
        "mynetworks": "127.0.0.0/8",
        "inet_interfaces": "127.0.0.1",
        "inet_protocols": "ipv4",
        "alias_maps": "",
        "alias_database": "",
        "local_recipient_maps": "",
        "local_transport": "error:nobody lives here",
        "smtp_dns_support_level": "disabled",
        "smtp_host_lookup": "native",
        "smtpd_peername_lookup": "no",
        "smtpd_relay_restrictions": "permit_mynetworks, reject",
        # A test that waits for a retry would have to sleep; what fails is seen in the log.
        "minimal_backoff_time": "1000s",
        **main,
    }
    text = "".join(f"{name} = {value}\n" for name, value in settings.items())
    (folder / "main.cf").write_text(text, "utf-8")
    lines = _QUEUE_SERVICES + "".join(f"{line}\n" for line in services)
    (folder / "master.cf").write_text(lines, "utf-8")


def _package_folders(root: Path) -> dict[str, str]:
    return {
        "command_directory": str(root / "usr/sbin"),
        "daemon_directory": str(root / "usr/lib/postfix/sbin"),
        "shlib_directory": str(root / "usr/lib/postfix"),
        # Lists the files whose owners are checked at start.
        "meta_directory": str(root / "etc/postfix"),
    }


def _owner_and_group() -> tuple[str, str]:
    """Return who owns the queue: Postfix's own user, or two names that every Debian has.

    Where Postfix is unpacked and not installed, nobody made its user. Neither of the stand-ins
    owns a process or a file that matters, and both are different from root, as Postfix asks.
    """
    try:
        pwd.getpwnam("postfix")
        grp.getgrnam("postdrop")
    except KeyError:
        return "uucp", "operator"
    return "postfix", "postdrop"


def _command(program: Program, folder: Path, verb: str, instance: Postfix) -> None:
    # `start` returns once the master listens on every port, so nobody has to wait for it.
    done = subprocess.run(
        [program.path, "-c", folder, verb],
        env=program.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_START_S,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(
            f"postfix {verb} failed ({done.returncode}):\n"
            f"{done.stdout.decode('utf-8', 'replace')}{done.stderr.decode('utf-8', 'replace')}"
            f"{instance.log}"
        )
