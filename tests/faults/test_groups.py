"""The second group of recipients fails after the first was accepted; or both, at the final dot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.fault_hops import FIRST, SECOND, Failure, GroupsFail, kept_copies
from tests.support.fault_ledger import IN_PART, UNKNOWN, Kind, Ledger, check
from tests.support.fault_run import (
    COUNT,
    FILES,
    LEAST,
    ROUNDS,
    faults_configuration,
    numbered,
    send_all,
)
from tests.support.gatepost import Gatepost, running_gatepost
from tests.support.mailbox_sink import MailboxSink, friendly, running_sink

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.serial_client import Attempt, Order, SerialClient, SerialMessage, Stage

pytestmark = pytest.mark.slow

_UNREACHABLE: Final = b"451 4.4.1 The next mail server cannot be reached now"
_CONNECTIONS: Final = 30
_SECOND: Final = frozenset({SECOND})
_BOTH: Final = frozenset({FIRST, SECOND})
# What the client hears of a failure before the final dot: of a refusal the next hop's own words.
_WORDS: Final[dict[Failure, bytes]] = {
    "hard": b"554 5.3.0 Not here",
    "soft": b"450 4.3.0 Not now",
    "421": _UNREACHABLE,
    "drop": _UNREACHABLE,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What fails for which groups, and what then becomes of a message that is sent once.

    Attributes:
        verb: The step at the next hop.
        failure: What happens there.
        stage: Where the client hears of it.
        reply: What it hears.
        copies: How many the recipients of the first and the second group have.
        groups: Those that fail.
    """

    verb: str
    failure: Failure
    stage: Stage
    reply: bytes
    copies: tuple[int, int]
    groups: frozenset[str] = _SECOND

    @property
    def kind(self) -> Kind:
        verb = "." if self.verb == "BODY" else self.verb
        groups = "second group" if self.groups == _SECOND else "both groups"
        window = self.groups if self.failure.startswith("keep") else frozenset[str]()
        return Kind(
            f"{groups}, {verb}: {self.failure}",
            lambda attempt: attempt.answered(self.stage, self.reply),
            window,
            in_part=self.reply in (IN_PART, UNKNOWN) and self.groups == _SECOND,
        )


def _faults() -> Iterator[Fault]:
    for failure, words in _WORDS.items():
        for verb in ("MAIL", "RCPT"):
            yield Fault(verb, failure, "rcpt", words, (1, 0))
        if failure == "hard":
            yield Fault("DATA", failure, "final", IN_PART, (1, 0))
        else:
            # Nobody gets a final dot, so the first group, though all is well with it, comes again.
            yield Fault("DATA", failure, "final", words, (0, 0))
        yield Fault("BODY", failure, "final", UNKNOWN if failure == "drop" else IN_PART, (1, 0))
    yield Fault("BODY", "keep and drop", "final", UNKNOWN, (1, 1))
    yield Fault("BODY", "drop", "final", UNKNOWN, (0, 0), _BOTH)
    yield Fault("BODY", "keep and drop", "final", UNKNOWN, (1, 1), _BOTH)
    yield Fault("BODY", "keep and talk nonsense", "final", UNKNOWN, (1, 1), _BOTH)


FAULTS: Final = tuple(_faults())


@dataclass(frozen=True, slots=True)
class Site:
    """A daemon and its next hop."""

    daemon: Gatepost
    sink: MailboxSink


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with (
        running_sink() as sink,
        running_gatepost(faults_configuration(sink.host), FILES) as daemon,
    ):
        yield Site(daemon, sink)


def _send(site: Site, fault: Fault, messages: list[SerialMessage]) -> list[Attempt]:
    """Send while the second group fails; in the last round all is well."""
    failing = GroupsFail(fault.verb, fault.failure, fault.groups)

    async def send_round(number: int, client: SerialClient, orders: list[Order]) -> None:
        failing.new_round()
        site.sink.decide_by(failing if number < ROUNDS - 1 else friendly)
        await client.send(orders, _CONNECTIONS)

    return send_all(site.daemon.port, messages, send_round)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.kind.name)
def test_group_that_fails_costs_no_recipient_the_message(
    fault: Fault, site: Site, ledger: Ledger
) -> None:
    messages = numbered(f"group{FAULTS.index(fault)}", COUNT, pairs=1)
    before = len(site.sink.messages)
    attempts = _send(site, fault, messages)
    copies = kept_copies(site.sink.messages[before:], messages)
    row = check(fault.kind, attempts, copies)
    ledger.rows.append(row)

    assert row.broken == []
    assert row.met >= LEAST
    once = {
        (copies[each.serial, FIRST], copies[each.serial, SECOND])
        for each in messages
        if not each.retries
    }
    assert once == {fault.copies}
