"""What happens before the 220: who talks out of turn shows it, and who looks bad waits or goes.

RFC 5321 §4.5.3.2.1: a mail server waits five minutes for its greeting; a bot goes elsewhere.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from milter.core.reply import Reply
from milter.doors.record import client_fields
from milter.pipeline.aftermath import GREETING, TurnedAway
from milter.telemetry.log import log_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from milter.core.connection import Connection
    from milter.pipeline.arrival import Arrival
    from milter.pipeline.outcome import Outcome
    from milter.smtp.door import Door

_log: Final = logging.getLogger("gatepost.smtp")


async def before_greeting(
    door: Door, connection: Connection, *, trusted: bool, talks: Callable[[], bool]
) -> tuple[Connection, Arrival | None] | Reply:
    """Return the client to be greeted and what was asked of it, or what turns it away.

    Args:
        door: The listener.
        connection: The client.
        trusted: Whether it may speak for others; then nothing is asked of it.
        talks: Tells whether it has said anything yet.
    """
    arrival = None if trusted else door.pipeline.arrive(connection)
    if arrival is not None:
        arrival.start()
    try:
        if door.listener.greeting_delay_s:
            await asyncio.sleep(door.listener.greeting_delay_s)
        connection = connection._replace(early_talker=talks())
        if arrival is None:
            return connection, None
        outcome = await arrival.refused(connection)
        if outcome is not None:
            return _turned_away(door, connection, outcome)
        await asyncio.sleep(await arrival.slowed_s(connection))
        return connection._replace(early_talker=talks()), arrival
    finally:
        if arrival is not None:
            arrival.close()


def _turned_away(door: Door, connection: Connection, outcome: Outcome) -> Reply:
    """Return what the client hears instead, and take note of it.

    RFC 5321 §3.1: it is 554, or 421 for now, whatever the policy's code is.
    """
    said, verdict = outcome.reply, outcome.verdict
    text = said.text if said else f"4.3.0 Try again later ({connection.session_id})"
    reply = Reply.of(421 if said is None or said.temporary else 554, text)
    door.metrics.session_refused("policy")
    fields = {
        **client_fields(connection),
        "symbols": [item.symbol for item in verdict.contributions],
        "score": verdict.score,
        "action": verdict.action.word,
        "policy": verdict.policy,
        "rule": verdict.rule,
        "reply": str(reply),
    }
    log_event(_log, "connection refused", fields)
    if (told := door.aftermath) is not None:
        reference = str(connection.session_id)
        told.turn_away(TurnedAway(told.clock(), reference, connection, GREETING, verdict, reply))
    return reply
