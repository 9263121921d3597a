"""What the history keeps of a message after its reply: all that its verdict was made of.

Only the record's values are gathered in the event loop; packing, hashing and writing are done in
the thread that writes.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from milter import __version__
from milter.pipeline.facts import envelope_facts
from policies.verdict import Action
from reputation.history import journal
from reputation.history.begun import Begun, begin
from reputation.history.known import Known, tell
from reputation.history.record import (
    MAX_CAUSES,
    MAX_RECIPIENTS,
    Answer,
    Counted,
    Found,
    Record,
    Shadowed,
    Share,
    few,
    short,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from milter.checks.base import ListAnswer
    from milter.core.connection import Connection
    from milter.memory.client import StoreClient
    from milter.message.document import Message
    from milter.pipeline.aftermath import Otherwise, Seen
    from milter.pipeline.aftermath import Share as Dealt
    from milter.pipeline.runner import Pipeline
    from policies.engine import PatternSpec
    from policies.findings import Finding
    from policies.verdict import Verdict
    from reputation.history.journal import Keep
    from reputation.store import Append, Store

Kept = Literal["none", "refused", "all"]

# Replies that tell what the mail server behind us calls the message: Postfix, Exim, Sendmail.
_QUEUED: Final = re.compile(
    r"\bqueued as (\S{1,100})|\bid=(\S{1,100})|\b(\S{1,100}) Message accepted"
)
# What a record takes in memory until it is written, about: a constant, and each item of a list.
_HELD_BYTES: Final = 16_384
# What is written once is looked for again: a store that was lost, or was away, does not have it.
_TELL_EVERY_S: Final = 600.0
_ITEM_BYTES: Final = 1024


@dataclass(frozen=True, slots=True)
class Keeping:
    """What is kept.

    Attributes:
        keep: How much of it, and whether addresses are hashed.
        messages: Whether the messages themselves are kept, and which.
        message_bytes: Larger ones are not.
    """

    keep: Keep
    messages: Kept
    message_bytes: int

    def keeps(self, seen: Seen) -> bool:
        """Return whether the message of `seen` itself is kept."""
        if self.messages == "none" or len(seen.txn.message) > self.message_bytes:
            return False
        return self.messages == "all" or seen.verdict.action >= Action.QUARANTINE


class HistoryKeeper:
    """Writes a record of each message; one of the consumers of the aftermath.

    Args:
        store: Written to.
        keeping: What is kept.
        known: What the policies that judge here want to know; written before all records, once.
        begun: Shadow policies that run here; written likewise.
    """

    def __init__(
        self, store: StoreClient, keeping: Keeping, known: Known, begun: Sequence[Begun] = ()
    ) -> None:
        self._store = store
        self._keeping = keeping
        self._known = known
        self._begun = tuple(begun)
        self._told_at = float("-inf")

    def see(self, seen: Seen) -> None:
        """Take one message."""
        if not self._told_at <= seen.at < self._told_at + _TELL_EVERY_S:
            self._told_at = seen.at
            known, begun, at = self._known, self._begun, seen.at
            self._store.write(lambda store: [*tell(store, known, at), *begin(store, begun, at)])
        kept = self._keeping.keeps(seen)
        record = record_of(seen, self._known.version, message_kept=kept)
        self._store.write(RecordWrite(record, self._keeping.keep))
        if kept:
            txn = seen.txn
            write = _MessageWrite(txn.txn_id, seen.at, txn.message, self._keeping.keep)
            self._store.write(write)


def known_of(pipeline: Pipeline) -> Known:
    """Return what `pipeline` looks at: what is not among it was not seen, rather than not there."""
    plan = pipeline.policies.plan
    checks = {
        check.name: check
        for by_stage in pipeline.stages.values()
        for stage in by_stage.values()
        for check in (*stage.checks, *stage.combines)
    }
    symbols = frozenset().union(*(check.symbols for check in checks.values()))
    return Known(
        pipeline.version,
        __version__,
        sorted(checks),
        sorted(symbols),
        {spec.id: pattern_digest(spec) for spec in plan.patterns.patterns},
        sorted({(each.zone, ask.value) for each in plan.dns_lists for ask in each.asks}),
    )


def begun_of(pipeline: Pipeline) -> list[Begun]:
    """Return the shadow policies that run beside those of `pipeline`."""
    shadows = pipeline.policies.plan.shadows
    return [Begun(each.name, each.policies.version) for each in shadows]


def pattern_digest(spec: PatternSpec) -> str:
    """Return a word that is the same for patterns that find the same."""
    told = f"{spec.view}\n{spec.text}".encode()
    return hashlib.blake2b(told, digest_size=6).hexdigest()


@dataclass(frozen=True, slots=True)
class RecordWrite:
    """Makes the write of a record, in the thread that writes.

    Attributes:
        record: The record.
        keep: How much is kept, and of what.
    """

    record: Record
    keep: Keep

    @property
    def size_bytes(self) -> int:
        """What it holds until then, about."""
        items = sum(len(value) for value in self.record.facts.values() if isinstance(value, list))
        return _HELD_BYTES + _ITEM_BYTES * items

    def __call__(self, store: Store) -> list[Append]:
        """Return the write."""
        return [journal.append(self.record, self.keep, journal.secret_of(store))]


@dataclass(frozen=True, slots=True)
class _MessageWrite:
    """Makes the write of a message, in the thread that writes."""

    txn_id: str
    at: float
    message: bytes
    keep: Keep

    @property
    def size_bytes(self) -> int:
        """What it holds until then."""
        return len(self.message)

    def __call__(self, store: Store) -> list[Append]:
        secret = journal.secret_of(store)
        return [journal.append_message(self.txn_id, self.at, self.message, self.keep, secret)]


def record_of(seen: Seen, version: str, *, message_kept: bool = False) -> Record:
    """Return the record of a message that was judged by the policies of `version`."""
    txn, verdict, evidence, message = seen.txn, seen.verdict, seen.evidence, seen.message
    return Record(
        txn_id=txn.txn_id,
        at=seen.at,
        session_id=txn.connection.session_id,
        gatepost=__version__,
        version=version,
        listener=txn.connection.listener,
        direction=txn.connection.direction.value,
        client=client_of(txn.connection),
        mail_from=txn.mail_from.plain if txn.mail_from else "",
        recipients=[each.plain for each in txn.recipients[:MAX_RECIPIENTS]],
        rcpt_count=len(txn.recipients),
        author=_author(message),
        message_id=_message_id(message),
        subject=short(message.subject),
        queue_ids=_queue_ids(seen),
        size_bytes=len(txn.message),
        reply=short(str(seen.reply)),
        delivered=seen.delivered,
        asked=seen.dealt.asked,
        differing=seen.dealt.differing,
        shares=list(map(_share, seen.dealt.shares)),
        redirected=_redirected(seen.dealt.shares),
        served=[each.plain for each in seen.dealt.served[:MAX_RECIPIENTS]],
        symbols=counted_of(verdict),
        found=found_of(evidence.findings),
        ruled=found_of(verdict.found),
        facts=_facts(seen),
        answers=_answers(seen),
        spared=list(evidence.spared),
        trace=[short(step) for step in few(list(verdict.trace))],
        duration_ms=round(seen.duration_s * 1000, 2),
        message_kept=message_kept,
        shadows=list(map(_shadowed, seen.otherwise)),
        cut=["recipients"] if len(txn.recipients) > MAX_RECIPIENTS else [],
        **_decided(verdict),
    )


def _decided(verdict: Verdict) -> dict[str, Any]:
    """Return the fields of a record that say what was decided, and by what."""
    return {
        "action": verdict.action.word,
        "score": verdict.score,
        "required": verdict.required,
        "policy": verdict.policy,
        "rule": verdict.rule,
        "kind": verdict.kind,
        "reason": verdict.reason,
    }


def _facts(seen: Seen) -> dict[str, Any]:
    """Return the facts but for those that the envelope, which is recorded, yields again."""
    envelope = envelope_facts(seen.txn)
    known = seen.evidence.facts.items()
    return {name: value for name, value in known if name == "connection" or name not in envelope}


def _answers(seen: Seen) -> list[Answer]:
    answers = seen.evidence.answers
    return few([Answer(*each[:3], list(each.records), each.trouble) for each in answers])


def client_of(connection: Connection) -> dict[str, Any]:
    """Return what is known of a client, without what is empty."""
    tls, destination = connection.tls, connection.destination_ip
    known = {
        "ip": str(connection.client_ip or ""),
        "port": connection.client_port,
        "name": connection.told_name or "",
        "reverse_name": connection.told_reverse_name or "",
        "helo": connection.helo_name,
        "esmtp": connection.esmtp,
        "protocol": connection.protocol,
        "tls": [tls.version, tls.cipher] if tls else [],
        "account": connection.account,
        "ident": connection.ident,
        "local": connection.local_source,
        "early": connection.early_talker,
        "relays": [str(relay) for relay in connection.relays],
        "to_ip": str(destination or ""),
        "to_port": connection.destination_port,
    }
    return {name: value for name, value in known.items() if value}


def _author(message: Message) -> str:
    for address in message.authors.addresses:
        return short(f"{address.local_part}@{address.domain}")
    return ""


def _message_id(message: Message) -> str:
    for value in message.values("message-id"):
        return short(value.decode("utf-8", "replace").strip())
    return ""


def _queue_ids(seen: Seen) -> list[str]:
    told = [seen.dealt.queue_id, seen.txn.connection.ident]
    match = _QUEUED.search(seen.reply.text) if seen.delivered else None
    if match is not None:
        told += [each for each in match.groups() if each]
    return list(dict.fromkeys(short(each) for each in told if each))


def _share(share: Dealt) -> Share:
    verdict = share.verdict
    return Share(
        share.policy,
        share.postmaster,
        verdict.action.word,
        verdict.score,
        verdict.rule,
        [each.plain for each in share.recipients[:MAX_RECIPIENTS]],
    )


def _redirected(shares: Iterable[Dealt]) -> dict[str, list[str]]:
    redirected: dict[str, list[str]] = {}
    for share in shares:
        verdict = share.verdict
        if verdict.action is Action.QUARANTINE and verdict.redirect_to:
            members = [each.plain for each in share.recipients[:MAX_RECIPIENTS]]
            redirected.setdefault(verdict.redirect_to, []).extend(members)
    return redirected


def _shadowed(otherwise: Otherwise) -> Shadowed:
    change = otherwise.change
    new = change.new
    return Shadowed(otherwise.shadow, new.action, new.score, new.rule, list(change.by[:MAX_CAUSES]))


def _answer(said: ListAnswer) -> Answer:
    return Answer(said.zone, said.asks, said.subject, list(said.records), said.trouble)


def counted_of(verdict: Verdict) -> list[Counted]:
    """Return what counted, as a record has it."""
    return few([Counted(one.symbol, one.weight, one.counted) for one in verdict.contributions])


def found_of(findings: Iterable[Finding]) -> list[Found]:
    """Return what was found, as a record has it."""
    found: Sequence[Finding] = tuple(findings)
    return [Found(one.symbol, short(one.told), dict(one.details)) for one in few(list(found))]
