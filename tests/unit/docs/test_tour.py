"""The pages that lead through something: every command of theirs prints what they show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.mailbox_sink import running_sink
from tests.support.page_reader import Reader, mistakes, steps
from tests.support.ports import free_ports

if TYPE_CHECKING:
    from pathlib import Path

_INBOUND, _NEXT_HOP, _HTTP = "10025", "10026", "11380"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_tour_every_command_prints_what_the_page_shows(checkout: Path, tmp_path: Path) -> None:
    page = (checkout / "docs" / "tour.md").read_text("utf-8")
    with running_sink() as sink:
        inbound, http = free_ports(2)
        ports = {_INBOUND: str(inbound), _NEXT_HOP: str(sink.port), _HTTP: str(http)}
        wrong = mistakes(page, Reader(tmp_path, ports))
        marked = [m for m in sink.messages if b"X-Gatepost-Action: quarantine" in m.content]

    assert wrong == []
    assert len(marked) == 1


def test_tour_has_all_that_a_policy_goes_through(checkout: Path) -> None:
    commands = [step.text for step in steps((checkout / "docs" / "tour.md").read_text("utf-8"))]

    for word in ("scan", "lint", "policy test", "show", "explain", "diff", "serve", "kill -HUP"):
        assert any(word in command for command in commands), word


@pytest.mark.slow
def test_memory_is_taught_as_the_page_shows(checkout: Path, tmp_path: Path) -> None:
    page = (checkout / "docs" / "memory.md").read_text("utf-8")

    assert len([step for step in steps(page) if not step.file]) == 10
    assert mistakes(page, Reader(tmp_path, {})) == []
