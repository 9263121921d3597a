"""The keeper of a worker's lists, with a clock of the test's, real metrics and real files."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING

import pytest
from prometheus_client import generate_latest

from milter.app.lists import ListKeeper, never_asked
from milter.checks.dnslists.health import FIRST_RETRY_S, PROBE_EVERY_S, PROBE_QUESTIONS
from milter.daemon.list_board import ListBoard, read_boards
from milter.dns.fake import FakeResolver
from milter.dns.resolver import Answer, Outcome
from milter.settings import Settings
from milter.telemetry.metrics import Metrics
from policies.dnslists import Asks, DnsList
from tests.support.scarcity import no_descriptors

if TYPE_CHECKING:
    from pathlib import Path

    from milter.dns.resolver import Rrtype

LIST = DnsList(
    "bl.example",
    (Asks.CLIENT_IP,),
    "block",
    codes={IPv4Address("127.0.0.2"): "BL"},
    key="s3cret",
    a_day=10_000,
)
WELL = FakeResolver({"2.0.0.127.s3cret.bl.example": {"A": ["127.0.0.2"]}})
WORLD = FakeResolver({"*.bl.example": {"A": ["127.0.0.2"]}})


class Silent:
    """A resolver that never answers."""

    async def resolve(self, name: str, rrtype: Rrtype) -> Answer:
        await asyncio.get_running_loop().create_future()
        return Answer(Outcome.TIMEOUT)


@dataclass(slots=True)
class Changing:
    """A resolver that a test changes."""

    inner: FakeResolver = WELL

    async def resolve(self, name: str, rrtype: Rrtype) -> Answer:
        return await self.inner.resolve(name, rrtype)


@dataclass(slots=True)
class Life:
    """A keeper, its lists' name server and its clock."""

    board: ListBoard | None = None
    now: float = 0.0
    dns: Changing = field(default_factory=Changing)
    metrics: Metrics = field(default_factory=Metrics)
    keeper: ListKeeper = field(init=False)

    def __post_init__(self) -> None:
        clocks = (lambda: self.now, lambda: 1_790_000_000.0 + self.now)
        self.keeper = ListKeeper(
            [LIST], self.dns, self.metrics, self.board, probing=True, clocks=clocks
        )

    def after(self, seconds: float) -> str:
        """Turn after `seconds` and return what /metrics shows of lists."""
        self.now += seconds
        asyncio.run(self.keeper.turn())
        self.metrics.flush()
        shown = generate_latest(self.metrics.registry).decode()
        return next(li for li in shown.splitlines() if li.startswith("gatepost_dns_list_up{"))


def test_list_set_aside_and_taken_back_is_seen_in_the_metrics_as_it_happens() -> None:
    life = Life()
    assert life.after(0) == 'gatepost_dns_list_up{zone="bl.example"} 1.0'
    life.dns.inner = WORLD
    assert life.after(PROBE_EVERY_S) == 'gatepost_dns_list_up{zone="bl.example"} 0.0'
    life.dns.inner = WELL
    assert life.after(FIRST_RETRY_S / 2) == 'gatepost_dns_list_up{zone="bl.example"} 0.0'
    assert life.after(FIRST_RETRY_S / 2) == 'gatepost_dns_list_up{zone="bl.example"} 1.0'


def test_list_set_aside_between_two_turns_is_seen_at_once() -> None:
    life = Life()
    life.after(0)
    for number in range(3):
        life.keeper.health.told(LIST, Asks.CLIENT_IP, f"192.0.2.{number}", "error")
    shown = generate_latest(life.metrics.registry).decode()
    assert 'gatepost_dns_list_up{zone="bl.example"} 0.0' in shown


def test_list_set_aside_is_logged_without_its_key(caplog: pytest.LogCaptureFixture) -> None:
    life = Life()
    with caplog.at_level("INFO", "gatepost.lists"):
        life.after(0)
        life.dns.inner = WORLD
        life.after(PROBE_EVERY_S)
    said = [
        (r.getMessage(), r.__dict__.get("zone"), r.__dict__.get("error")) for r in caplog.records
    ]
    assert said == [
        ("dns list taken", "bl.example", None),
        (
            "dns list set aside",
            "bl.example",
            "it lists 127.0.0.1, which no list may list: it lists the world",
        ),
    ]
    assert "s3cret" not in caplog.text


def test_workers_count_the_questions_of_a_day_together(tmp_path: Path) -> None:
    day = 1_790_000_000 // 86_400
    lives = [Life(ListBoard(tmp_path, slot, day)) for slot in range(2)]
    for life in lives:
        life.after(0)
    asked = [lives[0].keeper.health.may_ask(LIST) for _ in range(6_000)]
    for life in lives:
        life.after(1)
    asked += [lives[1].keeper.health.may_ask(LIST) for _ in range(6_000)]
    assert asked.count(True) == LIST.a_day - 2 * PROBE_QUESTIONS


def test_worker_that_takes_over_a_slot_goes_on_counting(tmp_path: Path) -> None:
    day = 1_790_000_000 // 86_400
    first = Life(ListBoard(tmp_path, 0, day))
    first.after(0)
    for _ in range(7_000):
        first.keeper.health.may_ask(LIST)
    first.after(1)
    second = Life(ListBoard(tmp_path, 0, day))
    second.after(0)
    asked = [second.keeper.health.may_ask(LIST) for _ in range(6_000)]
    assert asked.count(True) == 3_000 - 2 * PROBE_QUESTIONS


def test_questions_of_yesterday_do_not_spend_a_list_for_today(tmp_path: Path) -> None:
    day = 1_790_000_000 // 86_400
    midnight = (day + 1) * 86_400 - 1_790_000_000
    first = Life(ListBoard(tmp_path, 0, day))
    first.after(0)
    while first.keeper.health.may_ask(LIST):
        pass
    first.after(1)
    second = Life(ListBoard(tmp_path, 0, day))
    second.after(midnight - 0.5)
    assert not second.keeper.health.may_ask(LIST)
    second.now = midnight + 0.1
    assert second.keeper.health.may_ask(LIST)
    second.after(0.4)
    assert second.keeper.health.may_ask(LIST)


def test_worker_without_mail_begins_the_day_with_no_question(tmp_path: Path) -> None:
    day = 1_790_000_000 // 86_400
    lives = [Life(ListBoard(tmp_path, slot, day)) for slot in range(2)]
    for life in lives:
        life.after(0)
    asked = [lives[0].keeper.health.may_ask(LIST) for _ in range(9_000)]
    assert all(asked)
    for life in lives:
        life.after(86_400)
    (status,) = read_boards(tmp_path, dict.fromkeys(range(2), os.getpid()))
    assert status.asked == 2 * PROBE_QUESTIONS


def test_worker_without_a_descriptor_left_counts_itself_alone(tmp_path: Path) -> None:
    day = 1_790_000_000 // 86_400
    boards = [ListBoard(tmp_path, slot, day) for slot in range(2)]
    for board in boards:
        Life(board).after(0)

    assert boards[0].asked_by_others(day)
    with no_descriptors():
        assert boards[0].asked_by_others(day) == {}


def test_board_shows_what_all_workers_see_and_no_key(tmp_path: Path) -> None:
    lives = [Life(ListBoard(tmp_path, slot, 20_000)) for slot in range(3)]
    for life in lives:
        life.after(0)
    lives[1].dns.inner = WORLD
    lives[1].after(PROBE_EVERY_S)
    (status,) = read_boards(tmp_path, {slot: os.getpid() for slot in range(3)})
    assert (status.zone, status.state) == ("bl.example", "aside")
    assert (status.workers, status.workers_up) == (3, 2)
    assert "lists the world" in status.reason
    assert not any("s3cret" in file.read_text() for file in tmp_path.iterdir())


def test_board_of_a_worker_that_is_gone_is_not_shown(tmp_path: Path) -> None:
    Life(ListBoard(tmp_path, 0, 20_000)).after(0)
    assert read_boards(tmp_path, {0: 1}) == []


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"pid": 1}', b"\xff"])
def test_board_that_cannot_be_read_is_no_board(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "0.json").write_bytes(data)
    assert read_boards(tmp_path, {0: 1}) == []
    assert ListBoard(tmp_path, 1, 20_000).asked_by_others(20_000) == {}


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.0.0.1", True),
        ("192.0.2.1", True),
        ("2001:db8::1", True),
        ("203.0.113.200", True),
        ("11.0.0.5", True),
        ("11.0.0.6", True),
        ("11.0.0.7", False),
        ("12.0.0.9", True),
    ],
)
def test_never_asked_are_local_example_and_own_addresses(address: str, expected: bool) -> None:
    settings = Settings.model_validate(
        {
            "listeners": [{"name": "inbound", "bind": "11.0.0.5:25"}],
            "next_hop": {"hosts": ["11.0.0.6:25", "unix:/run/x"]},
            "trusted_relays": ["12.0.0.0/24"],
        }
    )
    assert (ip_address(address) in never_asked(settings)) is expected
