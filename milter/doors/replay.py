"""A message of the history judged again, by the policies of today or by others.

Nothing is asked: neither DNS nor memory would answer what they answered then. What checks found and
lists said was recorded, and is weighed anew. Checks that did not run then and only look, and
patterns that are new, run now, on the message where it was kept and on the envelope where that is
enough. What can be known in neither way is told with the verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, cast

from milter.checks.base import Evidence, ListAnswer
from milter.checks.dnslists.answers import findings_anew, is_of_a_list
from milter.checks.patterns import PatternsCheck, view_of
from milter.core.address import Mailbox
from milter.core.connection import Connection, Direction, Tls
from milter.core.ids import SessionId, TxnId
from milter.core.transaction import Stage, Transaction
from milter.dns.fake import FakeResolver
from milter.doors.decision import decide
from milter.doors.groups import Group, group_of
from milter.message.document import Message
from milter.pipeline.facts import merge
from milter.pipeline.history import pattern_digest
from milter.pipeline.outcome import Outcome, softened
from milter.pipeline.selection import context_of
from policies.evaluate import evaluate
from policies.facts import FACTS_BY_NAME
from policies.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from milter.checks.base import Check, Combine, Look
    from milter.core.connection import IpAddress
    from policies.dnslists import DnsList
    from policies.facts import FactValue
    from policies.patterns import PatternSet
    from policies.select import PolicySet
    from policies.verdict import Verdict
    from reputation.history.known import Known
    from reputation.history.record import Record

Differing = Literal["separate", "quarantine", "strictest"]
_MODES: Final = frozenset({"separate", "quarantine", "strictest"})
# What an envelope has without the message.
_ENVELOPE_VIEWS: Final = frozenset({"mail_from", "helo", "client_name"})
# Lists are asked about these before the message comes, whatever is decided.
_ASKED_BEFORE: Final = frozenset({"client_ip", "reverse_name", "helo", "mail_from_domain"})
# The text learned since then would say something else.
_LEARNING: Final = frozenset({"classifier"})
# Without these no verdict is certain.
_ALWAYS_READ: Final = frozenset({"found", "answers", "client", "shares", "recipients"})


@dataclass(frozen=True, slots=True)
class Past:
    """A message as the history has it.

    Attributes:
        record: Of it.
        known: What was looked at then; None: that was not written down, and what is not in the
            record counts as not there.
        message: Its bytes, where they were kept.
    """

    record: Record
    known: Known | None = None
    message: bytes | None = None


@dataclass(frozen=True, slots=True)
class Replayed:
    """What policies make of a message of the history.

    Attributes:
        verdict: The decisive one.
        group: The recipients whose verdict that is.
        evidence: What was recorded, and what was found now.
        unknown: Symbols that these policies count and that cannot be known, and facts that their
            rules read and that were not kept; with none of them the verdict is certain.
    """

    verdict: Verdict
    group: Group
    evidence: Evidence
    unknown: tuple[str, ...]


class Replay:
    """Judges messages of the history by one set of policies.

    Args:
        policies: Those.
        checks: All that they need, as `build_checks` returns them; only those that ask nobody run.
    """

    def __init__(self, policies: PolicySet, checks: Sequence[Check]) -> None:
        self._policies = policies
        self._plan = policies.plan
        self._checks = tuple(checks)
        self._rules = frozenset(self._plan.rules.by_id) if self._plan.rules else frozenset()

    async def judge(self, past: Past) -> Replayed:
        """Return what the policies make of `past`."""
        record = past.record
        txn = transaction_of(record, past.message or b"")
        message = Message(past.message) if past.message is not None else None
        patterns = _Patterns.of(self._plan.patterns, past)
        missing = [check for check in self._checks if _is_missing(check, past)]
        now = [check for check in missing if _can_run(check, past)]
        outdated = patterns.changed.union(*(check.symbols for check in now))
        pieces = [_recorded(record, outdated)]
        pieces.append(Evidence((*patterns.found(txn, message), *self._listed(record))))
        for check in now:
            pieces.append(await _run(check, txn, message, pieces))
        unknown = self._unknown(past, patterns, missing, now)
        return self._decide(record, txn, merge(txn, pieces), unknown)

    def _listed(self, record: Record) -> Iterator[Finding]:
        """Return what the lists of these policies make of what was answered then."""
        answers = [ListAnswer(*e[:3], tuple(e.records), e.trouble) for e in record.answers]
        return findings_anew(self._plan.dns_lists, answers)

    def _unknown(
        self, past: Past, patterns: _Patterns, missing: Sequence[Check], now: Sequence[Check]
    ) -> tuple[str, ...]:
        record, known = past.record, past.known
        lost = _ALWAYS_READ.intersection(record.cut)
        restored = {check.name for check in now}
        never = {check.name for check in missing if not _ran(check, past)}
        for name in self._plan.facts:
            check = FACTS_BY_NAME[name].check
            if check not in restored and (name in record.cut or check in never):
                lost |= {name}
        if known is None or known.version == self._policies.version:
            return tuple(sorted(lost))
        unseen = patterns.unseen.union(
            *(c.symbols for c in missing if c.name in never - restored and not _is_list(c)),
            *(each.symbols for each in self._plan.dns_lists if not _answered(each, record, known)),
        )
        unseen |= {rate.symbol for rate in self._plan.rates} - set(known.symbols)
        return tuple(sorted(lost | ((unseen & self._plan.symbols) - self._rules)))

    def _decide(
        self, record: Record, txn: Transaction, evidence: Evidence, unknown: tuple[str, ...]
    ) -> Replayed:
        groups = self._groups(record, txn)
        verdicts = [
            evaluate(group.policy, evidence.findings, evidence.facts, postmaster=group.postmaster)
            for group in groups
        ]
        mode = cast("Differing", record.differing if record.differing in _MODES else "separate")
        # Recipients who may be refused differently came in transactions of their own.
        apart = {group.refusal if mode == "separate" else None for group in groups}
        decisive = []
        for refusal in sorted(apart, key=repr):
            outcomes = [
                Outcome(verdict)
                for group, verdict in zip(groups, verdicts, strict=True)
                if refusal in {None, group.refusal}
            ]
            decisive.append(decide(outcomes, mode, _soften).decisive.verdict)
        verdict = max(decisive, key=lambda each: each.action)
        of = next((g for g in groups if g.policy.name == verdict.policy), groups[0])
        return Replayed(verdict, of, evidence, unknown)

    def _groups(self, record: Record, txn: Transaction) -> list[Group]:
        """Return the groups of the recipients, each once, in the order in which they came."""
        context = context_of(txn.connection, txn.mail_from)
        members = [(each, share.postmaster) for share in record.shares for each in share.recipients]
        members = members or [(each, False) for each in record.recipients]
        groups = [
            group_of(self._policies.select(context, recipient), postmaster=postmaster)
            for recipient, postmaster in members
        ]
        groups = groups or [group_of(self._policies.select(context, None), postmaster=False)]
        return list({group.key: group for group in reversed(groups)}.values())[::-1]


class _Patterns(NamedTuple):
    """The patterns of policies, held against those of the time.

    Attributes:
        changed: Symbols of those that were not there then, or found something else.
        runs: Those of them that can be matched now.
    """

    changed: frozenset[str]
    runs: PatternSet

    @property
    def unseen(self) -> frozenset[str]:
        """Symbols of those that cannot be matched now."""
        return self.changed - {spec.id for spec in self.runs.patterns}

    @classmethod
    def of(cls, patterns: PatternSet, past: Past) -> _Patterns:
        """Return how `patterns` differ from those that were matched against `past`."""
        then = past.known.patterns if past.known else None
        changed = [
            spec
            for spec in patterns.patterns
            if then is not None and then.get(spec.id) != pattern_digest(spec)
        ]
        at_hand = _ENVELOPE_VIEWS if not past.record.private else frozenset()
        runs = [spec.id for spec in changed if past.message is not None or spec.view in at_hand]
        ids = frozenset(spec.id for spec in changed)
        return cls(ids, patterns.only(frozenset(runs)))

    def found(self, txn: Transaction, message: Message | None) -> Iterator[Finding]:
        """Yield a finding for each pattern that matches now."""
        hits = self.runs.match(partial(view_of, txn, message or Message(b"")))
        return (Finding(hit.id, f"{hit.view}: {hit.excerpt}") for hit in hits)


def _is_missing(check: Check, past: Past) -> bool:
    """Whether what `check` would have seen is not in the record, or no longer."""
    if isinstance(check, PatternsCheck) or past.known is None:
        return False
    if Direction(past.record.direction) not in check.directions:
        return False
    cut = {FACTS_BY_NAME[name].check for name in past.record.cut if name in FACTS_BY_NAME}
    return check.name in cut or not _ran(check, past)


def _ran(check: Check, past: Past) -> bool:
    """Whether `check` was run then."""
    return past.known is None or check.name in past.known.checks


def _can_run(check: Check, past: Past) -> bool:
    """Whether `check` can be run now: it asks nobody, and what it looks at is there."""
    if hasattr(check, "ask") or getattr(check, "asks", False) or check.name in _LEARNING:
        return False
    if past.record.private:
        return False
    return past.message is not None or check.stage < Stage.MESSAGE


def _is_list(check: Check) -> bool:
    return check.name.startswith("dnslists")


async def _run(
    check: Check, txn: Transaction, message: Message | None, known: Sequence[Evidence]
) -> Evidence:
    if hasattr(check, "combine"):
        assert message is not None  # noqa: S101 - who combines does so at the end of data
        return await cast("Combine", check).combine(txn, message, FakeResolver({}), known)
    return cast("Look", check).look(txn, message)


def _recorded(record: Record, outdated: frozenset[str]) -> Evidence:
    """Return what was found then, but for what lists said and what is looked at anew."""
    found = [Finding(each.symbol, each.evidence, each.details) for each in record.found]
    findings = [each for each in found if each.symbol not in outdated and not is_of_a_list(each)]
    facts = cast("dict[str, FactValue]", record.facts)
    return Evidence(tuple(findings), {**facts, "size_bytes": record.size_bytes})


def _answered(dns_list: DnsList, record: Record, known: Known) -> bool:
    """Whether all is known that `dns_list` would have said."""
    answered = {(each.zone, each.asks) for each in record.answers}
    listed = set(known.lists)
    return all(
        (dns_list.zone, ask.value) in answered
        or (
            (dns_list.zone, ask.value) in listed
            and (ask.value in _ASKED_BEFORE or not record.spared)
        )
        for ask in dns_list.asks
    )


def _soften(outcome: Outcome) -> Outcome:
    return Outcome(softened(outcome.verdict))


def transaction_of(record: Record, message: bytes = b"") -> Transaction:
    """Return the transaction that `record` tells of."""
    return Transaction(
        TxnId(record.txn_id),
        _connection(record),
        _mailbox(record.mail_from) if record.mail_from else None,
        tuple([_mailbox(each) for each in record.recipients]),
        message,
        stage=Stage.MESSAGE,
    )


def _mailbox(text: str) -> Mailbox:
    local, at, domain = text.rpartition("@")
    return Mailbox(local, domain) if at else Mailbox(text, "")


def _connection(record: Record) -> Connection:
    client: dict[str, Any] = dict(record.client)
    tls = client.get("tls")
    return Connection(
        session_id=SessionId(record.session_id),
        listener=record.listener,
        direction=Direction(record.direction),
        client_ip=_ip(client.get("ip")),
        client_port=client.get("port", 0),
        told_name=client.get("name"),
        helo_name=client.get("helo", ""),
        esmtp=client.get("esmtp", False),
        protocol=client.get("protocol", ""),
        tls=Tls(*tls) if tls else None,
        account=client.get("account", ""),
        ident=client.get("ident", ""),
        local_source=client.get("local", False),
        destination_ip=_ip(client.get("to_ip")),
        destination_port=client.get("to_port", 0),
        early_talker=client.get("early", False),
        relays=tuple([ip_address(each) for each in client.get("relays", ())]),
        told_reverse_name=client.get("reverse_name"),
    )


def _ip(text: str | None) -> IpAddress | None:
    return ip_address(text) if text else None
