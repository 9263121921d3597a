"""Finds programs of Debian packages, or skips the test with the reason.

Nothing is installed here: `.ci/packages` does that, and where it may not install it unpacks below
`build/debian`, which is searched too. An unpacked program needs its own library path.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

_CHECKOUT = Path(__file__).resolve().parents[2]
_UNPACKED = _CHECKOUT / "build" / "debian"
_SYSTEM_FOLDERS = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")


@dataclass(frozen=True, slots=True)
class Program:
    """A program and the environment that it needs.

    Attributes:
        path: The file to start.
        root: Folder under which its package lies; `/` when it is installed.
        environment: Variables to start it with.
    """

    path: Path
    root: Path = Path("/")
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))


def find_program(name: str) -> Program | None:
    """Return the program, installed or unpacked, or None."""
    folders = os.pathsep.join((os.environ.get("PATH", ""), *_SYSTEM_FOLDERS))
    if found := shutil.which(name, path=folders):
        return Program(Path(found))
    for folder in ("usr/sbin", "usr/bin"):
        candidate = _UNPACKED / folder / name
        if os.access(candidate, os.X_OK):
            return Program(candidate, _UNPACKED, _unpacked_environment())
    return None


def need_program(name: str) -> Program:
    """Return the program, or skip the test."""
    program = find_program(name)
    if program is None:
        pytest.skip(f"needs `{name}` from its Debian package; run .ci/packages")
    return program


def need_root() -> None:
    """Skip the test unless it runs as root: Postfix starts its daemons under its own user."""
    if os.geteuid() != 0:
        pytest.skip("needs root: a mail server of the test's own drops its privileges itself")


def _unpacked_environment() -> dict[str, str]:
    folders = [_UNPACKED / "usr/lib/postfix", _UNPACKED / "usr/lib"]
    libraries = [*folders, *sorted((_UNPACKED / "usr/lib").glob("*-linux-*"))]
    perl = _UNPACKED / "usr/share/perl5"
    return {
        **os.environ,
        "LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries)),
        "PERL5LIB": str(perl),
    }
