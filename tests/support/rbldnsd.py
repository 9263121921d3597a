"""A real rbldnsd of the test's own, on a loopback port."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import dns.exception
import dns.message
import dns.query

from tests.support.debian import need_program
from tests.support.patience import wait_until
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_STOP_S: Final = 20
_ASK_AGAIN_S: Final = 0.5


def _answers(port: int, zone: str) -> bool:
    question = dns.message.make_query(f"2.0.0.127.{zone}", "A")
    try:
        dns.query.udp(question, "127.0.0.1", _ASK_AGAIN_S, port)
    except (dns.exception.Timeout, OSError):
        return False
    return True


@contextlib.contextmanager
def running_rbldnsd(zones: Mapping[str, tuple[str, str]]) -> Iterator[int]:
    """Run rbldnsd; give its port once it answers.

    Args:
        zones: By name: its type (ip4trie, dnset, ...) and what stands in its file.
    """
    program = need_program("rbldnsd")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="gatepost-rbldnsd-") as path:
        folder = Path(path)
        folder.chmod(0o755)
        specs = []
        for number, (zone, (kind, text)) in enumerate(zones.items()):
            (folder / f"zone{number}").write_text(text)
            specs.append(f"{zone}:{kind}:{folder}/zone{number}")
        command = [str(program.path), "-n", "-b", f"127.0.0.1/{port}", "-u", "nobody", *specs]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=folder, env=program.environment
            )
        try:
            wait_until(lambda: _answers(port, next(iter(zones))), (folder / "log").read_text)
            yield port
        finally:
            process.terminate()
            process.wait(_STOP_S)
