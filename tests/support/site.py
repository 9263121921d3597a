"""A site of a test: real pipeline, real checks, real memory, and a clock that the test moves.

A message goes through everything but sockets: its verdict, and what is remembered of it afterwards.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING

from milter.checks.catalogue import Means, build_checks
from milter.core.address import Mailbox
from milter.core.connection import Direction
from milter.core.ids import SessionId, TxnId
from milter.core.reply import Reply
from milter.dns.fake import FakeResolver
from milter.memory.client import StoreClient
from milter.memory.recollection import Recollection
from milter.pipeline.aftermath import Aftermath, Seen
from milter.pipeline.history import HistoryKeeper, begun_of, known_of
from milter.pipeline.outcome import Identity
from milter.pipeline.remember import keepers
from milter.pipeline.runner import Pipeline
from milter.pipeline.shadows import Shadows
from tests.support.pipeline import a_connection, policies
from tests.support.stores import Counted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from milter.checks.classifier import Weights
    from milter.core.connection import Connection, IpAddress
    from milter.pipeline.history import Keeping
    from milter.pipeline.outcome import Outcome
    from policies.select import PolicySet
    from reputation.store import Store
    from reputation.subjects import Subject

US = "alice@ours.example"


@dataclass
class Clock:
    """Seconds since the epoch, as the test has them."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self, *, hours: float = 0, minutes: float = 0, seconds: float = 0) -> None:
        """Let time pass."""
        self.now += hours * 3600 + minutes * 60 + seconds


@dataclass(frozen=True)
class Sent:
    """A message on its way to the site.

    Attributes:
        domain: Of the reverse path and, where nothing else is said, of the author.
    """

    client_ip: str = "198.51.100.7"
    helo_name: str = "mx.sender.example"
    domain: str = "sender.example"
    local: str = "someone"
    author: str = ""
    recipients: tuple[str, ...] = (US,)
    subject: str = "Hello"
    text: str = "Nothing in particular."
    more: str = ""
    direction: Direction = Direction.INBOUND
    account: str = ""

    @property
    def mail_from(self) -> Mailbox | None:
        """The reverse path."""
        return Mailbox(self.local, self.domain) if self.domain else None

    def message(self, number: int, now: float) -> bytes:
        """Return the message, written at `now`; `number` makes it differ from others."""
        author = self.author or f"{self.local}@{self.domain}"
        return (
            f"From: <{author}>\r\nTo: <{self.recipients[0]}>\r\nSubject: {self.subject}\r\n"
            f"Date: {formatdate(now)}\r\nMessage-ID: <m{number}@{self.domain}>\r\n"
            f"{self.more}\r\n{self.text}\r\n"
        ).encode()

    def connection(self) -> Connection:
        """Return the connection that it comes over."""
        made = a_connection(self.client_ip, self.direction, self.helo_name)
        return made._replace(account=self.account, session_id=SessionId("S"))


@dataclass(frozen=True)
class Taken:
    """What became of a message."""

    outcome: Outcome
    symbols: frozenset[str]

    @property
    def word(self) -> str:
        """The action."""
        return self.outcome.verdict.action.word

    @property
    def score(self) -> float:
        """The points."""
        return self.outcome.verdict.score

    @property
    def reply(self) -> str:
        """The reply, where it was not taken; else nothing."""
        return str(self.outcome.reply or "")


@dataclass
class Site:
    """Takes messages; `take` one at a time."""

    pipeline: Pipeline
    memory: Recollection
    aftermath: Aftermath
    clock: Clock
    counts: Counted
    taken: int = 0

    async def take(self, sent: Sent) -> Taken:
        """Return what becomes of a message, when it was remembered already."""
        taken = await self.judge(sent)
        self.aftermath.finish()
        await self.memory.store.flush(5.0)
        return taken

    async def judge(self, sent: Sent) -> Taken:
        """Return what becomes of a message; it is remembered soon."""
        self.taken += 1
        scans = self.pipeline.connect(sent.connection())
        scan = scans.begin(TxnId(f"T{self.taken}"))
        try:
            scan.mail(sent.mail_from, 0)
            recipients = [Mailbox(*one.rsplit("@", 1)) for one in sent.recipients]
            for recipient in recipients:
                scan.rcpt(recipient)
            policy = scan.policy_for(recipients[0])
            judgement = await scan.judge(sent.message(self.taken, self.clock()), [(policy, False)])
        finally:
            scan.close()
            scans.close()
        (outcome,) = judgement.outcomes
        reply = outcome.reply or Reply.of(250, "2.0.0 Ok")
        self.aftermath.take(
            Seen(
                *(self.clock(), judgement.txn, judgement.message, judgement.evidence),
                *(outcome.verdict, reply, judgement.duration_s),
            )
        )
        found = [finding.symbol for finding in judgement.evidence.findings]
        return Taken(outcome, frozenset(found))

    async def words(self, sent: Sent, times: int = 1, *, every_s: float = 0) -> list[str]:
        """Return the action of each of `times` messages, `every_s` apart."""
        said = []
        for _ in range(times):
            said.append((await self.take(sent)).word)
            self.clock.pass_by(seconds=every_s)
        return said


@asynccontextmanager
async def a_site(
    open_store: Callable[[], Store],
    clock: Clock,
    policy: PolicySet | str,
    zone: Mapping[str, object] | None = None,
    traps: Sequence[str] = (),
    *,
    hashed: bool = False,
    keeping: Keeping | None = None,
    weights: Weights | None = None,
    places: Callable[[IpAddress | None], tuple[Subject, ...]] = lambda client: (),
) -> AsyncIterator[Site]:
    """Give a site; another one over the same store is the same site after a restart."""
    chosen = policies(policy) if isinstance(policy, str) else policy
    counts = Counted()
    store = StoreClient(
        open_store,
        counts=counts,
        clock=clock,
        monotonic=asyncio.get_running_loop().time,
        timeout_s=5.0,
        gather_s=0.0,
    )
    memory = Recollection(store, hashed=hashed, traps=frozenset(traps), places=places)
    means = Means("mx.ours.example", clock, memory=memory, weights=weights)
    pipeline = Pipeline(
        checks=build_checks(chosen.plan, means),
        policies=chosen,
        resolver=FakeResolver(zone or {}),
        identity=Identity("mx.ours.example", "mx.ours.example"),
        budget_s=20.0,
    )
    aftermath = Aftermath(keepers(memory), clock)
    if keeping is not None:
        aftermath.add(HistoryKeeper(store, keeping, known_of(pipeline), begun_of(pipeline)))
    if chosen.plan.shadows:
        aftermath.compare(Shadows(chosen.plan.shadows).differing)
    yield Site(pipeline, memory, aftermath, clock, counts)
    await store.close()


def run(main: Callable[[], Awaitable[None]]) -> None:
    """Run what a test does in a loop of its own."""
    asyncio.run(main())  # type: ignore[arg-type]
