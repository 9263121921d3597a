"""The client goes away in the middle of its message, or before it hears what became of it.

Before the final dot nothing may be delivered. Behind it lies RFC 1047's window: the message is
delivered once or not at all, and what the next hop says of it is still taken note of.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.fault_hops import FIRST, SECOND, kept_copies
from tests.support.fault_ledger import Kind, Ledger, check
from tests.support.fault_run import (
    COUNT,
    FILES,
    LEAST,
    ROUNDS,
    faults_configuration,
    numbered,
    send_all,
)
from tests.support.gatepost import running_gatepost
from tests.support.mailbox_sink import Act, MailboxSink, Step, friendly, running_sink
from tests.support.serial_client import HangUp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.gatepost import Configuration, Gatepost
    from tests.support.serial_client import Order, SerialClient

pytestmark = pytest.mark.slow

_CONNECTIONS: Final = 30
_BOTH: Final = frozenset({FIRST, SECOND})


@dataclass(frozen=True, slots=True)
class Fault:
    """Where the client goes away.

    Attributes:
        name: In the table.
        hang_up: Where and how.
    """

    name: str
    hang_up: HangUp

    @property
    def kind(self) -> Kind:
        window = _BOTH if self.hang_up.stage == "final" else frozenset[str]()
        return Kind(self.name, lambda attempt: attempt.lost == self.hang_up.stage, window)


FAULTS: Final = (
    Fault("client: closes behind DATA", HangUp("data")),
    Fault("client: resets behind DATA", HangUp("data", reset=True)),
    Fault("client: closes in the message", HangUp("body")),
    Fault("client: resets in the message", HangUp("body", reset=True)),
    Fault("client: closes behind the dot", HangUp("final")),
    Fault("client: resets behind the dot", HangUp("final", reset=True)),
)


@dataclass(frozen=True, slots=True)
class Unheard:
    """What the next hop says after the client has gone; at the final dot it refuses one group.

    Attributes:
        verb: DATA, or BODY for the final dot.
        once: Copies of both groups of a message that is sent once.
        again: Of one that comes again when all is well.
    """

    verb: str
    once: tuple[int, int]
    again: tuple[int, int]

    @property
    def kind(self) -> Kind:
        words = "the dot" if self.verb == "BODY" else self.verb
        return Kind(
            f"client: gone when the next hop answers {words}",
            lambda attempt: attempt.lost == "final",
            _BOTH if self.verb == "BODY" else frozenset(),
        )


UNHEARD: Final = (
    # Nobody has the dot yet, so that all can be taken back.
    Unheard("DATA", (0, 0), (1, 1)),
    # The first group has its copy and is not served again; the second was refused.
    Unheard("BODY", (1, 0), (1, 1)),
)
KINDS: Final = (*(fault.name for fault in FAULTS), *(fault.kind.name for fault in UNHEARD))


@pytest.fixture
def sink() -> Iterator[MailboxSink]:
    with running_sink() as running:
        yield running


@contextmanager
def _running(config: Configuration, sink: MailboxSink) -> Iterator[Gatepost]:
    """Run a daemon; when it has ended, all that it sent has reached the sink."""
    with running_gatepost(config, FILES) as daemon:
        yield daemon
        assert daemon.stop() == 0
        assert '"level":"error"' not in daemon.log
    sink.wait_until_idle()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_client_that_hangs_up_gets_its_message_delivered_once_or_not_at_all(
    fault: Fault, sink: MailboxSink, ledger: Ledger
) -> None:
    messages = numbered(f"client{FAULTS.index(fault)}", COUNT)

    async def send_round(number: int, client: SerialClient, orders: list[Order]) -> None:
        client.hang_up = fault.hang_up if number < ROUNDS - 1 else None
        await client.send(orders, _CONNECTIONS)

    with _running(faults_configuration(sink.host), sink) as daemon:
        attempts = send_all(daemon.port, messages, send_round)
    row = check(fault.kind, attempts, kept_copies(sink.messages, messages))
    ledger.rows.append(row)

    assert row.broken == []
    assert row.met >= LEAST
    assert row.told >= sum(message.retries for message in messages)


@pytest.mark.parametrize("fault", UNHEARD, ids=lambda fault: fault.kind.name)
def test_client_gone_when_the_next_hop_answers_costs_no_recipient_a_second_copy(
    fault: Unheard, sink: MailboxSink, ledger: Ledger, tmp_path: Path
) -> None:
    messages = numbered(f"unheard{UNHEARD.index(fault)}", COUNT, pairs=1)
    config = faults_configuration(sink.host)
    config["next_hop"]["connections"] = 2 * COUNT
    # Who got a message in part must be known to the daemon of the next round.
    config["store"] = f"sqlite:{tmp_path}/gatepost.db"

    async def send_round(number: int, client: SerialClient, orders: list[Order]) -> None:
        with _running(config, sink):
            if number == 0:
                await _hang_up_unheard(fault, sink, client, orders)
            else:
                await client.send(orders, _CONNECTIONS)

    port = int(config["listeners"][0]["bind"].rpartition(":")[2])
    attempts = send_all(port, messages, send_round)
    copies = kept_copies(sink.messages, messages)
    row = check(fault.kind, attempts, copies)
    ledger.rows.append(row)

    assert row.broken == []
    assert row.met == COUNT
    found = {
        (each.retries, (copies[each.serial, FIRST], copies[each.serial, SECOND]))
        for each in messages
    }
    assert found == {(False, fault.once), (True, fault.again)}


async def _hang_up_unheard(
    fault: Unheard, sink: MailboxSink, client: SerialClient, orders: list[Order]
) -> None:
    """Send all at once, hang up when the next hop has been asked, and let it answer then."""

    def hold_and_refuse_second(step: Step) -> Act:
        refuses = step.verb == "BODY" and SECOND.encode() in step.argument
        reply = b"450 4.3.0 Not now" if refuses else None
        return Act(hold=step.verb == fault.verb, reply=reply)

    asked = asyncio.Event()
    client.hang_up = HangUp("final", until=asked.wait)
    sink.decide_by(hold_and_refuse_second)
    async with asyncio.TaskGroup() as group:
        group.create_task(client.send(orders, len(orders)))
        steps = sum(len(recipients) for _, recipients in orders)
        await asyncio.to_thread(sink.wait_for_step, fault.verb, steps)
        asked.set()
    sink.release()
    client.hang_up = None
    sink.decide_by(friendly)
