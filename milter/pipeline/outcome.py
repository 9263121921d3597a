"""From a verdict to what the door does: header edits, the reply, another address.

The policy chose the words; here they get the id of the transaction and become bytes: the header
fields that tell a mail server and a person what was decided, and the reply. None is applied here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from milter.auth.header import bears_authserv_id, format_authentication_results
from milter.auth.results import Result
from milter.core.address import Mailbox, parse_mailbox
from milter.core.connection import Direction
from milter.core.edits import HeaderEdits
from milter.core.reply import Reply
from milter.message.headers import MAX_BEYOND
from milter.pipeline import headers
from policies.evaluate import evaluate
from policies.verdict import Action, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from milter.checks.base import Evidence
    from milter.core.connection import Addresses
    from milter.core.ids import SessionId, TxnId
    from milter.core.transaction import Transaction
    from milter.message.document import Message
    from milter.message.headers import HeaderField
    from policies.compile import Policy
    from policies.verdict import Refusal

Ranges = tuple[tuple[int, int], ...]

NO_EDITS: Final = HeaderEdits()
# What the explanation in the header may hold.
_MAX_EXPLAINED: Final = 30
_MAX_STEPS: Final = 20
_MAX_SEEN: Final = 120

# Mail that passed through many hosts has a dozen. What comes behind them is removed unread, for
# there is room for ten thousand.
_MAX_RESULTS_READ: Final = 50
_MAX_STARS: Final = 50
_TXN_ID: Final = "{txn_id}"
# What `Reply.of` lets through, less the room for an enhanced code.
_MAX_REPLY: Final = 460
_NOTHING_SAID: Final = "nothing spoke against this message"
# RFC 6376 §3.5: tags of a signature, with folding white space around them.
_TAG: Final = re.compile(rb"\s*([a-zA-Z][a-zA-Z0-9_]*)\s*=([^;]*)(?:;|$)")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are to others.

    Attributes:
        hostname: Our name in the greeting and towards the next hop.
        authserv_id: Our name in `Authentication-Results` (RFC 8601 §2.5).
        relays: Our own hosts that pass mail on to us, for which the client before them is judged.
        version: Of the policy files that judge, a hash; empty: it is not told.
    """

    hostname: str
    authserv_id: str
    relays: Addresses = ()
    version: str = ""


class Outcome(NamedTuple):
    """What the door does about one message under one policy.

    Attributes:
        verdict: The decision.
        edits: To the message, should it be relayed; counted in the message as judged.
        reply: For defer and reject; None otherwise.
        redirect_to: The message goes to this address instead; None as a rule.
    """

    verdict: Verdict
    edits: HeaderEdits = NO_EDITS
    reply: Reply | None = None
    redirect_to: Mailbox | None = None


def refusal_reply(refusal: Refusal | None, reference: TxnId | SessionId) -> Reply | None:
    """Return the reply of a refusal, `reference` filled in; a long reason never pushes it out."""
    if refusal is None:
        return None
    head, found, tail = refusal.text.rpartition(_TXN_ID)
    if found:
        tail = f"{reference}{tail}"
        if len(head) > (room := _MAX_REPLY - len(tail)):
            # The bracket before the id stays.
            head = head[: room - 2] + head[-2:]
    text = f"{head}{tail}".replace(_TXN_ID, reference)
    return Reply.of(refusal.code, f"{refusal.enhanced} {text}".lstrip())


def softened(verdict: Verdict) -> Verdict:
    """Return a refusing verdict as the quarantine of a recipient who must not be refused."""
    step = "other recipients of this message are not refused, so it is quarantined"
    return replace(verdict, action=Action.QUARANTINE, refusal=None, trace=(*verdict.trace, step))


class Marker:
    """Turns verdicts on one judged message into outcomes; what they share is worked out once."""

    __slots__ = ("_auth", "_evidence", "_identity", "_message", "_remove", "_txn")

    def __init__(
        self, txn: Transaction, message: Message, evidence: Evidence, identity: Identity
    ) -> None:
        self._txn = txn
        self._message = message
        self._evidence = evidence
        self._identity = identity
        self._remove: Ranges | None = None
        self._auth: bytes | None = None

    def outcome(self, verdict: Verdict, recipients: Sequence[Mailbox] | None = None) -> Outcome:
        """Return what is done about the message under `verdict`.

        Args:
            verdict: The decision.
            recipients: Whom it is about; None: all of the transaction.
        """
        if verdict.action.refuses:
            reply = refusal_reply(verdict.refusal, self._txn.txn_id)
            return Outcome(verdict, reply=reply)
        redirect_to = parse_mailbox(verdict.redirect_to) if verdict.redirect_to else None
        named = self._txn.recipients if recipients is None else recipients
        return Outcome(verdict, self._edits(verdict, named), None, redirect_to)

    def _edits(self, verdict: Verdict, named: Sequence[Mailbox]) -> HeaderEdits:
        add = self._fields(verdict, named)
        remove = self._removed() if add else ()
        subject, added_subject = None, b""
        if verdict.subject_prefix and (verdict.force_subject or not self._subject_is_signed()):
            subject, added_subject = self._prefixed(verdict.subject_prefix)
        if add or added_subject:
            add, remove = self._on_top(add + added_subject, remove)
        return HeaderEdits(add, remove, subject)

    def _on_top(self, add: bytes, remove: Ranges) -> tuple[bytes, Ranges]:
        """Fit `add` before the header without changing where the header ends."""
        fields, raw = self._message.fields, self._txn.message
        if fields and fields[0].start:
            # A mailbox's From line above the header stays above it: below, it would end the header.
            top = fields[0].start
            return raw[:top] + add, ((0, top), *remove)
        if not fields and not raw.startswith(b"\r\n"):
            # Without a header all is body. Were it to follow ours directly, a first line that
            # begins with a space would continue our last field, and what comes after it would
            # become header that nobody looked at.
            return add + b"\r\n", remove
        return add, remove

    def _fields(self, verdict: Verdict, named: Sequence[Mailbox]) -> bytes:
        fields = self._results(verdict) if verdict.headers else []
        if verdict.redirect_to:
            # For whom it was is no result, and is written nowhere else.
            fields.append(headers.format_list("X-Gatepost-Recipients", map(str, named)))
        return b"".join(fields)

    def _results(self, verdict: Verdict) -> list[bytes]:
        if self._txn.connection.direction is Direction.OUTBOUND:
            return [headers.format_field(headers.X_GATEPOST_ID, self._txn.txn_id)]
        fields = [self._authentication_results()]
        fields += result_fields(verdict, self._txn.txn_id, self._identity.version)
        if verdict.explained:
            fields.append(explanation(verdict))
        return fields

    def _authentication_results(self) -> bytes:
        if self._auth is None:
            self._auth = format_authentication_results(
                self._identity.authserv_id, self._evidence.auth
            )
        return self._auth

    def _removed(self) -> Ranges:
        if self._remove is None:
            names = headers.own_names(self._txn.connection.direction)
            named = headers.named_fields(self._message, names)
            results = [field for field in named if field.name == headers.AUTHENTICATION_RESULTS]
            others = {
                field.start
                for field in results[:_MAX_RESULTS_READ]
                if not self._bears_our_name(field)
            }
            remove = [(field.start, field.end) for field in named if field.start not in others]
            if len(named) >= MAX_BEYOND and named[-1].end < self._message.header_end:
                # There may be more than are looked for, so nothing behind them stays.
                remove.append((named[-1].end, self._message.header_end))
            self._remove = tuple(remove)
        return self._remove

    def _bears_our_name(self, field: HeaderField) -> bool:
        # RFC 8601 §5: who is inside must be able to trust every field that bears our name.
        value = self._txn.message[field.value_start : field.end]
        return bears_authserv_id(value, self._identity.authserv_id)

    def _prefixed(self, prefix: str) -> tuple[tuple[int, int, bytes] | None, bytes]:
        """Return the edit of Subject, or a Subject to add where there is none."""
        words = headers.encode_words(prefix.strip())
        for field in self._message.fields:
            if field.name == "subject":
                value = self._txn.message[field.value_start : field.end]
                if value.lstrip().startswith(words):
                    return None, b""
                name = self._txn.message[field.start : field.value_start]
                instead = name.rstrip() + b" " + words + b" " + value.lstrip(b" \t")
                return (field.start, field.end, instead), b""
        return None, b"Subject: " + words + b"\r\n"

    def _subject_is_signed(self) -> bool:
        passing = {
            _signer(dict(result.properties))
            for result in self._evidence.auth
            if result.method == "dkim" and result.result is Result.PASS
        }
        return bool(passing) and any(
            _covers_subject(self._txn.message[field.value_start : field.end], passing)
            for field in self._message.fields
            if field.name == "dkim-signature"
        )


def result_fields(verdict: Verdict, txn_id: TxnId, version: str = "") -> list[bytes]:
    """Return the fields that tell a mail server and a person what was decided, in their order."""
    flag = verdict.action >= Action.TAG
    counted = [contribution.symbol for contribution in verdict.contributions]
    by_rules = [finding.symbol for finding in verdict.found]
    tests = ",".join(dict.fromkeys([*counted, *by_rules])) or "none"
    score = format_score(verdict.score)
    status = (
        f"{'Yes' if flag else 'No'}, score={score} "
        f"required={format_score(verdict.required)} tests={tests}"
    )
    if version:
        status += f" policy={version}"
    rows = (
        ("X-Spam-Flag", "YES" if flag else "NO"),
        ("X-Spam-Score", score),
        ("X-Spam-Level", "*" * max(0, min(_MAX_STARS, int(verdict.score)))),
        ("X-Spam-Status", status),
        ("X-Gatepost-Action", verdict.action.word),
        (headers.X_GATEPOST_ID, txn_id),
        ("X-Gatepost-Reason", verdict.reason or _NOTHING_SAID),
    )
    return [headers.format_field(name, value) for name, value in rows]


def explanation(verdict: Verdict) -> bytes:
    """Return the field that tells how the verdict came about: what counted, and the steps.

    Bounded: 30 symbols, 120 characters of evidence each. Ways to another outcome are not in it, for
    each of them costs an evaluation while the client waits.
    """
    score, required = format_score(verdict.score), format_score(verdict.required)
    told = [f"{verdict.action.word}, {score} points of {required}, by policy {verdict.policy}"]
    if verdict.rule:
        told.append(f"decided by {verdict.rule}")
    for one in verdict.contributions[:_MAX_EXPLAINED]:
        seen = f" ({_short(one.told)})" if one.evidence else ""
        told.append(f"{one.counted:+g} {one.symbol}{seen}")
    if (left_out := len(verdict.contributions) - _MAX_EXPLAINED) > 0:
        told.append(f"{left_out} more")
    told += [_short(step) for step in verdict.trace[-_MAX_STEPS:]]
    return headers.format_field("X-Gatepost-Explanation", "; ".join(told))


def _short(text: str) -> str:
    return text if len(text) <= _MAX_SEEN else f"{text[:_MAX_SEEN]}..."


def format_score(score: float) -> str:
    """Return `score` with one digit, or two where rounding would move it across a threshold."""
    text = f"{score:.2f}"
    return text[:-1] if text.endswith("0") else text


def _signer(properties: Mapping[str, str]) -> tuple[str, str]:
    return properties.get("header.d", "").lower(), properties.get("header.s", "").lower()


def _covers_subject(signature: bytes, passing: Collection[tuple[str, str]]) -> bool:
    tags = {match[1].lower(): b"".join(match[2].split()) for match in _TAG.finditer(signature)}
    domain = tags.get(b"d", b"").decode("utf-8", "replace").lower()
    selector = tags.get(b"s", b"").decode("utf-8", "replace").lower()
    signed = tags.get(b"h", b"").lower().split(b":")
    return b"subject" in signed and ((domain, selector) in passing or (domain, "") in passing)


def outcomes_of(
    marker: Marker, evidence: Evidence, groups: Sequence[tuple[Policy, bool]]
) -> tuple[Outcome, ...]:
    """Return the outcome of each policy, for postmaster or for others."""
    return tuple(
        [
            marker.outcome(
                evaluate(policy, evidence.findings, evidence.facts, postmaster=postmaster)
            )
            for policy, postmaster in groups
        ]
    )
