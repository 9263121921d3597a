"""A page of the documentation, as a reader goes through it: files written, commands run.

A block whose fence names a file is that file; `$ ` begins a command, and what follows is what it
prints. `…` stands for any text within a line. Ports are exchanged for free ones, and dates of
messages for the day of the test. A command that only looks is run again until it shows what the
page has, for a daemon does its work in its own time.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.debian import need_program
from tests.support.patience import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_BLOCK: Final = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LOOKS: Final = ("grep ", "curl -s http", "gatepost policy shadow")
_VARIES: Final = "…"
_PATIENCE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Step:
    """A file that is written, or a command that is run.

    Attributes:
        file: Name of the file; empty where it is a command.
        text: Content of the file, or the command.
        shown: What the page shows of the output of the command.
    """

    file: str
    text: str
    shown: str = ""


def steps(page: str) -> Iterator[Step]:
    """Yield the steps of a page."""
    for kind, file, text in _BLOCK.findall(page):
        if file:
            yield Step(file, text)
        elif kind == "console":
            for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                command, _, shown = part.partition("\n")
                yield Step("", command, shown.rstrip("\n"))


class Reader:
    """Somebody who does what the page says, in a folder of their own."""

    def __init__(self, folder: Path, ports: Mapping[str, str]) -> None:
        self._folder = folder
        self._ports = ports
        programs = f"{Path(sys.executable).parent}:{need_program('curl').path.parent}"
        self._environment = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "NO_COLOR": "1",
        }

    def write(self, step: Step) -> None:
        """Write a file."""
        text = re.sub(r"^Date: .*$", f"Date: {formatdate()}", step.text, flags=re.MULTILINE)
        (self._folder / step.file).write_text(self._moved(text), "utf-8")

    def run(self, step: Step) -> str:
        """Return what the command prints, with the ports of the page."""
        if step.text.startswith(_LOOKS):
            wait_until(lambda: fits(step.shown, self._output(step)), lambda: self._output(step))
        return self._output(step)

    def _output(self, step: Step) -> str:
        # A daemon that goes on has its output in files; one that kept ours would be waited for.
        with (self._folder / "output").open("w+b") as output:
            subprocess.run(
                ["/bin/bash", "-c", self._moved(step.text)],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=_PATIENCE_S,
                check=False,
            )
            output.seek(0)
            said = output.read().decode()
        for page, own in self._ports.items():
            said = said.replace(own, page)
        return said.rstrip("\n")

    def _moved(self, text: str) -> str:
        for page, own in self._ports.items():
            text = text.replace(page, own)
        return text

    def leave(self) -> None:
        """End the daemon, where one runs."""
        pid = self._folder / "gatepost.pid"
        if pid.exists():
            try:
                os.kill(int(pid.read_text()), signal.SIGTERM)
            except ProcessLookupError:
                return


def fits(shown: str, said: str) -> bool:
    """Whether `said` is what the page shows."""
    pattern = "[^\n]*".join(map(re.escape, shown.split(_VARIES)))
    return re.fullmatch(pattern, said) is not None


def mistakes(page: str, reader: Reader) -> list[tuple[str, str, str]]:
    """Return the commands of a page that print something else than it shows, and both."""
    wrong: list[tuple[str, str, str]] = []
    try:
        for step in steps(page):
            if step.file:
                reader.write(step)
            elif not fits(step.shown, said := reader.run(step)):
                wrong.append((step.text, step.shown, said))
    finally:
        reader.leave()
    return wrong
