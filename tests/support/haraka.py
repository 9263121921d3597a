"""A real Haraka with its plugin for rspamd, installed from npm below `build/haraka`."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.patience import wait_until
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FOLDER: Final = Path(__file__).resolve().parents[2] / "build" / "haraka"
# One that runs on the Node that Debian has, and on later ones.
_PACKAGES: Final = ("Haraka@3.3.4", "haraka-plugin-rspamd@1.6.1")
_PLUGINS: Final = ("rcpt_to.in_host_list", "rspamd", "queue/smtp_forward")
_INSTALL_S: Final = 100


def need_haraka() -> Path:
    """Return the program, installed at the first call; skip the test where that cannot be."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("needs `npm` and `node`, to install Haraka and run it")
    _FOLDER.mkdir(parents=True, exist_ok=True)
    program = _FOLDER / "node_modules" / "Haraka" / "bin" / "haraka"
    # Tests run in several processes.
    with (_FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            _install(npm)
    return program


def _install(npm: str) -> None:
    command = [npm, "install", "--no-audit", "--no-fund", "--omit=dev", "--omit=optional"]
    try:
        subprocess.run(
            [*command, "--prefix", _FOLDER, *_PACKAGES],
            cwd=_FOLDER,
            check=True,
            capture_output=True,
            timeout=_INSTALL_S,
        )
    except (subprocess.SubprocessError, OSError) as err:
        pytest.skip(f"Haraka could not be installed from npm: {err}")


def _files(port: int, next_hop: int, domain: str, rspamd_ini: Mapping[str, str]) -> dict[str, str]:
    """Return what stands in Haraka's files, by their names."""
    sections = "".join(f"[{name}]\n{lines}\n" for name, lines in rspamd_ini.items())
    return {
        "plugins": "\n".join(_PLUGINS),
        "smtp.ini": f"listen=127.0.0.1:{port}\nnodes=0\n",
        "host_list": domain,
        "me": "haraka.example.org",
        "smtp_forward.ini": f"host=127.0.0.1\nport={next_hop}\n",
        "rspamd.ini": sections,
        "log.ini": "level=info\n",
    }


@contextlib.contextmanager
def running_haraka(
    folder: Path, next_hop: int, domain: str, rspamd_ini: Mapping[str, str]
) -> Iterator[int]:
    """Run Haraka and give its port; it takes mail for `domain` and passes it on.

    Args:
        folder: For its configuration and log.
        next_hop: Port on 127.0.0.1.
        domain: Of the recipients.
        rspamd_ini: Lines of the plugin's configuration, by section.
    """
    program, port = need_haraka(), free_port()
    config = folder / "config"
    config.mkdir(parents=True)
    # Without its sections Haraka fails at the first connection.
    shutil.copy(program.parents[1] / "config" / "connection.ini", config)
    for name, text in _files(port, next_hop, domain, rspamd_ini).items():
        (config / name).write_text(text + "\n")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["node", program, "-c", folder],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "NODE_PATH": str(_FOLDER / "node_modules")},
        )
    try:
        wait_until(lambda: _listens(port), (folder / "log").read_text)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True
