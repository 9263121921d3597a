"""The next hop refuses, delays or drops at every stage."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.fault_hops import FIRST, SECOND, SinkSeries
from tests.support.fault_ledger import UNKNOWN, Copies, Kind, Ledger, check
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
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.serial_client import Attempt, Order, SerialClient, SerialMessage, Stage

pytestmark = [pytest.mark.slow, pytest.mark.debian]

_UNREACHABLE: Final = b"451 4.4.1 The next mail server cannot be reached now"
_CLOSED: Final = b"451 4.3.0 The next mail server closed the connection"
_HARD: Final = b"500 5.3.0 Error: command failed"
_SOFT: Final = b"450 4.3.0 Error: command failed"
_BOTH: Final = frozenset({FIRST, SECOND})
# smtp-sink counts whole seconds, so that a delay may be shorter by almost one.
_DELAY_S: Final = 2
_AT_LEAST_S: Final = 1
# Where our client hears of what happens at a stage of the next hop.
_HEARD: Final[dict[str, Stage]] = {
    "CONNECT": "mail",
    "EHLO": "mail",
    "MAIL": "mail",
    "RCPT": "rcpt",
    "DATA": "final",
    ".": "final",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of smtp-sink.

    Attributes:
        name: In the table.
        options: That make smtp-sink do it; None: there is no next hop.
        stage: Where the client hears of it.
        reply: What it hears.
        delayed: Whether it hears nothing but a good word that comes late.
        refused: Whether the sink says no after the final dot; its dumps are not taken then.
        kept: Whether the sink keeps the message and does not say so.
    """

    name: str
    options: tuple[str, ...] | None
    stage: Stage
    reply: bytes | tuple[bytes, ...] = _UNREACHABLE
    delayed: bool = False
    refused: bool = False
    kept: bool = False

    @property
    def kind(self) -> Kind:
        return Kind(self.name, self._met, _BOTH if self.kept else frozenset())

    @property
    def connections(self) -> int:
        """A delay is met on a connection of the message's own."""
        return 300 if self.delayed else 40

    def _met(self, attempt: Attempt) -> bool:
        if self.delayed:
            return bool(attempt.told) and attempt.ended - attempt.began >= _AT_LEAST_S
        return attempt.answered(self.stage, self.reply)


def _refusals() -> Iterator[Fault]:
    for stage, heard in _HEARD.items():
        # Whoever refuses EHLO for good is spoken to with HELO (RFC 5321 §3.2).
        verbs = "EHLO,HELO" if stage == "EHLO" else stage
        said = stage not in ("CONNECT", "EHLO")
        dot = stage == "."
        for word, option, reply in (("hard", "-f", _HARD), ("soft", "-r", _SOFT)):
            words = reply if said else _UNREACHABLE
            yield Fault(f"{stage}: refused, {word}", (option, verbs), heard, words, refused=dot)
        words = _CLOSED if dot else _UNREACHABLE
        yield Fault(f"{stage}: refused with 421", ("-Q", verbs), heard, words, refused=dot)


def _drops() -> Iterator[Fault]:
    for stage, heard in _HEARD.items():
        dot = stage == "."
        words = UNKNOWN if dot else _UNREACHABLE
        name = f"{stage}: dropped, and kept" if dot else f"{stage}: dropped"
        yield Fault(name, ("-q", stage), heard, words, kept=dot)


def _delays() -> Iterator[Fault]:
    for stage in _HEARD:
        options = ("-W", f"{stage}:{_DELAY_S}")
        yield Fault(f"{stage}: delayed", options, "final", delayed=True)
    yield Fault("message: read late", ("-H", str(_DELAY_S)), "final", delayed=True)


def _others() -> Iterator[Fault]:
    yield Fault("next hop: not there", None, "mail")
    # The 550 comes where no reply is due, or just when the final dot was sent; or it is lost with
    # the connection, which the sink closes before it has read what was sent.
    words = (_UNREACHABLE, b"550 This violates SMTP", UNKNOWN)
    yield Fault("message: refused before its end", ("-A", "0"), "final", words)


FAULTS: Final = (*_refusals(), *_drops(), *_delays(), *_others())


@dataclass(frozen=True, slots=True)
class Site:
    """A daemon, and the port of its next hop."""

    daemon: Gatepost
    hops: SinkSeries


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    port = free_port()
    with running_gatepost(faults_configuration(f"127.0.0.1:{port}"), FILES) as daemon:
        yield Site(daemon, SinkSeries(port))


def _send(site: Site, fault: Fault, messages: list[SerialMessage]) -> list[Attempt]:
    """Send while the next hop fails; in the last round it is well again."""

    async def send_round(number: int, client: SerialClient, orders: list[Order]) -> None:
        failing = number < ROUNDS - 1
        with _running(site.hops, fault) if failing else site.hops.running():
            await client.send(orders, fault.connections)

    return send_all(site.daemon.port, messages, send_round)


def _running(hops: SinkSeries, fault: Fault) -> contextlib.AbstractContextManager[None]:
    if fault.options is None:
        return contextlib.nullcontext()
    return hops.running(*fault.options, takes=not fault.refused)


def _refused_at_dot(attempts: list[Attempt]) -> Copies:
    """Return how often each message was refused after its final dot."""
    return Counter(
        (attempt.message.serial, recipient)
        for attempt in attempts
        for recipient in attempt.accepted
        if attempt.dot_sent and not attempt.told
    )


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_next_hop_that_fails_loses_and_doubles_nothing(
    fault: Fault, site: Site, ledger: Ledger
) -> None:
    messages = numbered(f"hop{FAULTS.index(fault)}", COUNT)
    attempts = _send(site, fault, messages)
    row = check(fault.kind, attempts, site.hops.copies(messages))
    ledger.rows.append(row)

    assert row.broken == []
    assert not fault.refused or site.hops.refusals(messages) == _refused_at_dot(attempts)
    assert row.met >= LEAST
