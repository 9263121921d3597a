"""Sends the messages of one kind of fault, in rounds, and counts what became of them.

In the first round every message is sent; in the second and third only those of clients that retry,
which were told 4xx or lost their connection. What happens in a round is said by the test.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from tests.support.fault_hops import FIRST, SECOND
from tests.support.fault_ledger import to_try_again
from tests.support.gatepost import Configuration, configuration
from tests.support.serial_client import SerialClient, SerialMessage, orders

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tests.support.serial_client import Attempt, Order

LEAST: Final = 200
# Of which a fifth is sent again: enough that those which are not are LEAST too.
COUNT: Final = 260
ROUNDS: Final = 3
# Two groups that differ in marks alone; names come from a zone that knows none.
FILES: Final = {
    "zone.yaml": "names: {}\n",
    "policy.yaml": (
        "version: 1\nname: faults\nextends: balanced\n"
        "overrides:\n"
        "  - match: {recipient_domain: second.example.org}\n"
        "    actions: {tag: {subject_prefix: '[second] '}}\n"
    ),
}


def faults_configuration(next_hop: str, **limits: Any) -> Configuration:
    """Return the configuration of a daemon that is tried: several workers, a store, two groups.

    Args:
        next_hop: host:port.
        limits: Set in `limits`.
    """
    config = configuration(
        next_hop,
        workers=2,
        policies="policy.yaml",
        store="sqlite:gatepost.db",
        # Whoever was served is known in time, however busy the machine is.
        memory={"timeout_s": 10},
        dns={"zone_file": "zone.yaml"},
        # A session of the test meets one refusal after the other, and none of its own making.
        limits={"errors": 100_000, "commands": 100_000, **limits},
    )
    config["next_hop"]["connections"] = 400
    return config


def numbered(name: str, count: int, *, pairs: int = 4) -> list[SerialMessage]:
    """Return messages with serial numbers that begin with `name`; every fifth is sent again.

    Args:
        name: Small letters, digits and hyphens.
        count: How many.
        pairs: Every so many goes to two groups, every other one to the first.
    """
    return [
        SerialMessage(
            f"{name}-{number}",
            (FIRST, SECOND) if number % pairs == 0 else (FIRST,),
            number % 5 == 0,
        )
        for number in range(count)
    ]


async def send_in_rounds(
    port: int,
    messages: Sequence[SerialMessage],
    send_round: Callable[[int, SerialClient, list[Order]], Awaitable[None]],
) -> list[Attempt]:
    """Send the messages; return every try.

    Args:
        port: Of the daemon.
        messages: What is sent.
        send_round: Given the number of the round from 0, sends its messages and does what is to
            happen meanwhile.
    """
    client = SerialClient(port)
    waiting = orders(messages)
    for number in range(ROUNDS):
        before = len(client.attempts)
        await send_round(number, client, waiting)
        sent = [message for message, _ in waiting]
        waiting = list(to_try_again(sent, client.attempts[before:]))
        if not waiting:
            break
    return client.attempts


def send_all(
    port: int,
    messages: Sequence[SerialMessage],
    send_round: Callable[[int, SerialClient, list[Order]], Awaitable[None]],
) -> list[Attempt]:
    """Run `send_in_rounds` to its end."""
    return asyncio.run(send_in_rounds(port, messages, send_round))
