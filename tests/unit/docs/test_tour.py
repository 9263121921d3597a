"""The tour, as a reader goes through it: every file is written and every command run, in order.

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

import pytest

from tests.support.debian import need_program
from tests.support.mailbox_sink import running_sink
from tests.support.patience import wait_until
from tests.support.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_BLOCK: Final = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LOOKS: Final = ("grep ", "curl -s http", "gatepost policy shadow")
_VARIES: Final = "…"
_PATIENCE_S: Final = 60.0
_INBOUND, _NEXT_HOP, _HTTP = "10025", "10026", "11380"


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


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_tour_every_command_prints_what_the_page_shows(checkout: Path, tmp_path: Path) -> None:
    page = (checkout / "docs" / "tour.md").read_text("utf-8")
    with running_sink() as sink:
        inbound, http = free_ports(2)
        ports = {_INBOUND: str(inbound), _NEXT_HOP: str(sink.port), _HTTP: str(http)}
        reader = Reader(tmp_path, ports)
        wrong: list[tuple[str, str, str]] = []
        try:
            for step in steps(page):
                if step.file:
                    reader.write(step)
                elif not fits(step.shown, said := reader.run(step)):
                    wrong.append((step.text, step.shown, said))
        finally:
            reader.leave()
        marked = [m for m in sink.messages if b"X-Gatepost-Action: quarantine" in m.content]

    assert wrong == []
    assert len(marked) == 1


def test_tour_has_all_that_a_policy_goes_through(checkout: Path) -> None:
    commands = [step.text for step in steps((checkout / "docs" / "tour.md").read_text("utf-8"))]

    for word in ("scan", "lint", "policy test", "show", "explain", "diff", "serve", "kill -HUP"):
        assert any(word in command for command in commands), word
