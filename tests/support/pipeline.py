"""Pipelines of a test: policies from text, checks that say what the test wants them to see."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING

from milter.checks.base import NOTHING, Evidence
from milter.core.connection import Connection, Direction
from milter.core.ids import SessionId
from milter.core.transaction import Stage
from milter.dns.fake import FakeResolver
from milter.pipeline.outcome import Identity
from milter.pipeline.runner import Pipeline
from policies.errors import ConfigError
from policies.findings import Finding
from policies.loader import load_policies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milter.checks.base import Check
    from milter.core.transaction import Transaction
    from milter.dns.resolver import Resolver
    from milter.message.document import Message
    from milter.pipeline.stage_run import Observe
    from policies.select import PolicySet

EVERY_DIRECTION = frozenset(Direction)
IDENTITY = Identity("mx.example.org", "mx.example.org")
POLICY = """\
version: 1
name: test
default_weights: true
thresholds: {tag: 5, quarantine: 8, reject: 12}
weights: {GTUBE: 100, SPF_FAIL: 5, FROM_MISSING: 2, CHECK_ERROR: 0.5}
"""


@dataclass
class Texts:
    """Files of a test, by path."""

    files: dict[str, str]

    def read(self, path: str) -> bytes:
        """Return the bytes of the file."""
        if path not in self.files:
            raise ConfigError(path, 0, 0, "cannot be read: No such file or directory")
        return self.files[path].encode()


@dataclass
class Sees:
    """A check that looks and sees what it was told to see, or raises it."""

    evidence: Evidence | Exception = NOTHING
    stage: Stage = Stage.MESSAGE
    name: str = "sees"
    directions: frozenset[Direction] = EVERY_DIRECTION
    symbols: frozenset[str] = frozenset()
    seen: list[Transaction] = field(default_factory=list)

    def look(self, txn: Transaction, message: Message | None) -> Evidence:
        """Return the evidence."""
        self.seen.append(txn)
        if isinstance(self.evidence, Exception):
            raise self.evidence
        return self.evidence


@dataclass
class Asks:
    """A check that waits until `answer` is set, then says what it was told to say, or raises it."""

    evidence: Evidence | Exception = NOTHING
    stage: Stage = Stage.MAIL
    name: str = "asks"
    answered: bool = True
    directions: frozenset[Direction] = EVERY_DIRECTION
    symbols: frozenset[str] = frozenset()
    asked: int = 0
    cancelled: int = 0

    async def ask(self, txn: Transaction, message: Message | None, resolver: Resolver) -> Evidence:
        """Return the evidence, or wait for ever."""
        self.asked += 1
        try:
            if not self.answered:
                await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(self.evidence, Exception):
            raise self.evidence
        return self.evidence


@dataclass
class Combines:
    """A check that sees what it was told to see in what others saw, and remembers what that was."""

    evidence: Evidence | Exception = NOTHING
    name: str = "combines"
    stage: Stage = Stage.MESSAGE
    directions: frozenset[Direction] = EVERY_DIRECTION
    symbols: frozenset[str] = frozenset()
    asks: bool = False
    reads: frozenset[str] = frozenset()
    answered: bool = True
    known: list[Sequence[Evidence]] = field(default_factory=list)

    async def combine(
        self, txn: Transaction, message: Message, resolver: Resolver, known: Sequence[Evidence]
    ) -> Evidence:
        """Return the evidence, or wait for ever."""
        self.known.append(known)
        # As one that asks a store does.
        await asyncio.sleep(0)
        if not self.answered:
            await asyncio.get_running_loop().create_future()
        if isinstance(self.evidence, Exception):
            raise self.evidence
        return self.evidence


def found(*symbols: str) -> Evidence:
    """Return evidence of `symbols`."""
    return Evidence(tuple(Finding(symbol) for symbol in symbols))


def policies(text: str = POLICY) -> PolicySet:
    """Return the policies of a file with `text`."""
    return load_policies(Texts({"policy.yaml": text}), "policy.yaml")


def a_connection(
    client_ip: str | None = "192.0.2.7",
    direction: Direction = Direction.INBOUND,
    helo_name: str = "client.example",
) -> Connection:
    """Return a connection of a client."""
    return Connection(
        session_id=SessionId("SESSION00001"),
        listener="inbound",
        direction=direction,
        client_ip=ip_address(client_ip) if client_ip else None,
        client_port=40000,
        helo_name=helo_name,
        esmtp=True,
        protocol="ESMTP",
    )


def a_pipeline(
    *checks: Check,
    policy: str = POLICY,
    budget_s: float = 20.0,
    observe: Observe | None = None,
    names: dict[str, object] | None = None,
) -> Pipeline:
    """Return a pipeline with `checks`."""
    return Pipeline(
        checks=checks,
        policies=policies(policy),
        resolver=FakeResolver(names or {}),
        identity=IDENTITY,
        budget_s=budget_s,
        observe=observe,
    )


def symbols(evidence: Evidence) -> Sequence[str]:
    """Return the symbols of `evidence` in order."""
    return [finding.symbol for finding in evidence.findings]
