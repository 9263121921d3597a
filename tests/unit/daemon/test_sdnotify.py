from __future__ import annotations

import socket
import uuid
from typing import TYPE_CHECKING

import pytest

from milter.daemon.sdnotify import notifier, reloading, watchdog_interval_s
from tests.support.scarcity import no_descriptors

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_notifier_sends_the_state_to_the_manager(tmp_path: Path, abstract: bool) -> None:
    name = f"@gatepost-{uuid.uuid4().hex}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name[1:]}" if abstract else name)
        manager.settimeout(5)
        notifier({"NOTIFY_SOCKET": name})("READY=1\nSTATUS=taking mail")
        assert manager.recv(1000) == b"READY=1\nSTATUS=taking mail"


@pytest.mark.parametrize("name", ["", "relative", "/nonexistent/socket"])
def test_notifier_without_a_manager_does_nothing(name: str) -> None:
    notifier({"NOTIFY_SOCKET": name})("READY=1")


def test_notifier_without_a_descriptor_left_does_nothing(tmp_path: Path) -> None:
    notify = notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    with no_descriptors():
        notify("WATCHDOG=1")


def test_watchdog_interval_is_half_of_what_is_allowed() -> None:
    assert watchdog_interval_s({"WATCHDOG_USEC": "3000000"}, 7) == 1.5
    assert watchdog_interval_s({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "7"}, 7) == 1.5


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({}, id="none"),
        pytest.param({"WATCHDOG_USEC": "soon"}, id="no-number"),
        pytest.param({"WATCHDOG_USEC": "0"}, id="zero"),
        pytest.param({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "8"}, id="another-process"),
    ],
)
def test_watchdog_interval_without_a_watchdog_is_none(environment: dict[str, str]) -> None:
    assert watchdog_interval_s(environment, 7) is None


def test_reloading_carries_microseconds() -> None:
    assert reloading(5_000_900) == "RELOADING=1\nMONOTONIC_USEC=5000"
