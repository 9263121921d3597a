"""What is kept of one message, and its bytes in the store.

A record holds all that a verdict was made of, so that the same message can be judged again by
another policy: findings, facts, and what DNS lists answered. As bytes it is JSON, packed together;
most of it are words that every record has, and these are in the dictionary of the packer.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any, Final, NamedTuple

from reputation.errors import StoreError

# Larger ones lose facts, the largest first; a record of a common message has some 6 KiB before it
# is packed.
MAX_BYTES: Final = 262_144
MAX_RECIPIENTS: Final = 200
# Of a difference, what decided first.
MAX_CAUSES: Final = 20
_MAX_TEXT: Final = 500
_MAX_ITEMS: Final = 500
# For the names of what was cut.
_ROOM: Final = 2048
_FORMAT: Final = b"\x01"
# Level 1 packs as well as 6 here, for the dictionary has most of what repeats.
_LEVEL: Final = 1
_UNREADABLE: Final = "a record of the history that cannot be read"

Plain = str | int | float | bool | None | list["Plain"] | dict[str, "Plain"]


class Found(NamedTuple):
    """A symbol that was found, with what was seen and the values for its words."""

    symbol: str
    evidence: str
    details: dict[str, str]


class Counted(NamedTuple):
    """A symbol that counted: its weight under the policy, and the points that reached the score."""

    symbol: str
    weight: float
    counted: float


class Answer(NamedTuple):
    """What a DNS list answered.

    Attributes:
        zone: The list.
        asks: What kind of thing it was asked about.
        subject: What exactly.
        records: Its answers; none: not listed.
        trouble: Why there is no answer; empty as a rule.
    """

    zone: str
    asks: str
    subject: str
    records: list[str]
    trouble: str


class Share(NamedTuple):
    """Recipients who were treated alike.

    Attributes:
        policy: Name of theirs, overrides included.
        postmaster: Whether they are postmasters, who are never refused for content.
        action: What was done for them.
        score: Their points.
        rule: What decided.
        recipients: Who; at most `MAX_RECIPIENTS`.
    """

    policy: str
    postmaster: bool
    action: str
    score: float
    rule: str
    recipients: list[str]


class Shadowed(NamedTuple):
    """What a shadow policy would have done instead.

    Attributes:
        shadow: Its name.
        action: What it would have done.
        score: The points under it.
        rule: What would have decided.
        by: Rules and symbols that count otherwise under it, what decides first; at most
            `MAX_CAUSES`. None of them: thresholds differ.
    """

    shadow: str
    action: str
    score: float
    rule: str
    by: list[str]


@dataclass(frozen=True, slots=True)
class Record:
    """One message.

    Attributes:
        txn_id: Its id of ours.
        at: When its reply was sent, seconds since the epoch.
        session_id: Of the connection.
        gatepost: Version of the program.
        version: Of the policy files: a hash.
        listener: Name of the listener.
        direction: inbound, outbound or internal.
        client: Who sent it, as facts have it: ip, name, helo, account and more.
        mail_from: The reverse path; empty for the null one.
        recipients: At most `MAX_RECIPIENTS`.
        rcpt_count: How many there were.
        author: The author's address, as the header has it.
        message_id: As the header has it.
        subject: Decoded; empty where it is not to be kept.
        queue_ids: What mail servers call it: the one that sent it to us, the one that took it.
        size_bytes: Of the message.
        action: What was done, the severest where recipients differ.
        score: Its points.
        required: The lowest threshold of its policy.
        policy: Name of the policy that decided, overrides included.
        rule: What decided.
        kind: Kind of spam.
        reason: Why, in words.
        reply: What the client was told.
        stage: Where it ended before it was judged whole: greeting, mail, rcpt, or data for a
            message that could not be taken; empty: it was judged. Without `policy` none decided it.
        delivered: Whether the next hop took it, or it was thrown away in silence.
        asked: Whether a mail server or a program asked, which passes it on itself: `reply` is ours
            then, and what became of it there is not known.
        differing: How recipients who differ are dealt with: `differing_recipients`.
        shares: Recipients by how they were treated.
        redirected: Recipients in whose place another address gets it, by that address.
        served: Recipients who have it though it was not taken for the others.
        symbols: What counted, the heaviest first.
        found: All that checks found.
        ruled: What rules found.
        facts: What was known beside, by name.
        answers: What DNS lists answered.
        spared: Checks that were not run, for the message was decided.
        trace: The steps that led to the action.
        duration_ms: From the end of data to the verdict.
        message_kept: Whether the message itself is kept as well.
        shadows: Shadow policies that would have done something else.
        cut: Names of facts that had no room, and were left out or shortened.
        private: Whether addresses are hashed and what quotes the message is left out.
    """

    txn_id: str
    at: float
    session_id: str = ""
    gatepost: str = ""
    version: str = ""
    listener: str = ""
    direction: str = ""
    client: dict[str, Plain] = field(default_factory=dict)
    mail_from: str = ""
    recipients: list[str] = field(default_factory=list)
    rcpt_count: int = 0
    author: str = ""
    message_id: str = ""
    subject: str = ""
    queue_ids: list[str] = field(default_factory=list)
    size_bytes: int = 0
    action: str = ""
    score: float = 0.0
    required: float = 0.0
    policy: str = ""
    rule: str = ""
    kind: str = ""
    reason: str = ""
    reply: str = ""
    stage: str = ""
    delivered: bool = False
    asked: bool = False
    differing: str = "separate"
    shares: list[Share] = field(default_factory=list)
    redirected: dict[str, list[str]] = field(default_factory=dict)
    served: list[str] = field(default_factory=list)
    symbols: list[Counted] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    ruled: list[Found] = field(default_factory=list)
    facts: dict[str, Plain] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    spared: list[str] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)
    duration_ms: float = 0.0
    message_kept: bool = False
    shadows: list[Shadowed] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    private: bool = False


def _empty(name: str, default: Any, factory: Any) -> Any:
    if default is not MISSING:
        return default
    return factory() if factory is not MISSING else {"txn_id": "", "at": 0.0}[name]


_EMPTY: Final[dict[str, Any]] = {
    each.name: _empty(each.name, each.default, each.default_factory) for each in fields(Record)
}
_ROWS: Final[dict[str, type[Any]]] = {
    "shares": Share,
    "symbols": Counted,
    "found": Found,
    "ruled": Found,
    "answers": Answer,
    "shadows": Shadowed,
}
# What stands at the end is found at the least cost.
_DICTIONARY: Final = (
    b'"helo_result":"none","mechanism":"explanation":"vouched":[{"sealer":"trusted":false'
    b'"real_type":"size_bytes":"encrypted":false,"dangers":["names":["traits":["hidden"'
    b'"scheme":"https","host":"www.","source":"link","text":"image","extension":"pdf"'
    b'"language":"en","script":"Latin","confidence":"probability":"unsure":false'
    b'"subject":"author_domain","mail_from_domain","network","address","helo","dkim_domain"'
    b'"method":"spf","dkim","identifiers":[{"aligned":true,"domain":"record_domain":"org_domain":'
    b'"published":"testing":false,"forwarded":false,"policy":"reject","quarantine","none"'
    b'"SPF_PASS","DKIM_PASS","DMARC_PASS","IPREV_PASS","REPUTATION_UNKNOWN","DNS_LIST_UNKNOWN"'
    b'"listed":"zone":"asked":"client_ip"," for "," (client_ip)","url_domain","author_domain",[],'
    b'"version":"TLSv1.3","cipher":"TLS_AES_256_GCM_SHA384","protocol":"ESMTPS","port":"local":false'
    b'"reply":"250 2.0.0 Ok: queued as ","550 5.7.1 Message refused: ","delivered":true'
    b'"action":"pass","tag","quarantine","defer","reject","policy":"balanced","required":5.0'
    b'"trace":[" points: stays below tag (5)"],"duration_ms":"rcpt_count":1,"shares":[["balanced"'
    b'"listener":"inbound","direction":"inbound","outbound","client":{"ip":"name":"helo":"esmtp":true'
    b'"mail_from":"recipients":["message_id":"<","subject":"author":"queue_ids":["size_bytes":'
    b'"score":0.0,"symbols":[["found":[["facts":{"connection":{"iprev":{"result":"pass","name":'
    b'"spf":{"result":"pass","domain":"identity":"mailfrom","dkim":[{"selector":"dmarc":{'
    b'"headers":{"received":,"from":1,"to":1,"date":1,"subject":1,"message-id":1,"mime-version":1,'
    b'"content-type":1,"dkim-signature":1,"content-transfer-encoding":1,"urls":[{"url":"https://'
    b'"attachments":[],"languages":[{"truncated":[],"reputation":[{"classifier":{"answers":[["'
    b'{"txn_id":"at":"session_id":"gatepost":"0.1.0","version":"'
)  # fmt: skip


def packed(record: Record) -> bytes:
    """Return `record` as bytes; where it is too large, without some of its facts."""
    text = _text(record)
    if len(text) > MAX_BYTES:
        record = _shortened(record)
        text = _text(record)
    packer = zlib.compressobj(_LEVEL, zdict=_DICTIONARY)
    return b"%b%b%b" % (_FORMAT, packer.compress(text), packer.flush())


def unpacked(data: bytes) -> Record:
    """Return the record that `packed` made bytes of.

    Raises:
        StoreError: It is none, or one of a newer version that cannot be read.
    """
    if data[:1] != _FORMAT:
        raise StoreError(_UNREADABLE, temporary=False)
    try:
        unpacker = zlib.decompressobj(zdict=_DICTIONARY)
        said = json.loads(unpacker.decompress(data[1:], 2 * MAX_BYTES))
        return Record(
            **{name: _read(name, value) for name, value in said.items() if name in _EMPTY}
        )
    except (zlib.error, ValueError, TypeError, AttributeError, RecursionError) as err:
        raise StoreError(_UNREADABLE, temporary=False) from err


def _text(record: Record) -> bytes:
    said = {}
    for name, empty in _EMPTY.items():
        value = getattr(record, name)
        if value != empty:
            said[name] = value
    return _as_json(said).encode("ascii")


# Made once: `json.dumps` would make an encoder for each record.
_as_json: Final = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


def _read(name: str, value: Any) -> Any:
    kind = type(_EMPTY[name])
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise TypeError(name)
    row = _ROWS.get(name)
    return value if row is None else [row(*each) for each in value]


def _shortened(record: Record) -> Record:
    """Return `record` within `MAX_BYTES`.

    Facts leave, the largest first, and then whatever else a sender can make large; what left is
    named in `cut`. What remains is short whatever came.
    """
    facts = dict(record.facts)
    too_much = len(_text(record)) - MAX_BYTES + _ROOM
    cut = list(record.cut)
    for size, name in sorted([(len(_as_json(v)), n) for n, v in facts.items()], reverse=True):
        if too_much <= 0:
            break
        del facts[name]
        cut.append(name)
        too_much -= size
    record = replace(record, facts=facts, cut=cut)
    for name in (
        *("answers", "shares", "redirected", "served", "found", "ruled", "trace", "recipients"),
        *("shadows", "client"),
    ):
        if too_much > 0 and (value := getattr(record, name)):
            too_much -= len(_as_json(value))
            record = replace(record, **{name: type(value)(), "cut": [*record.cut, name]})
    return record


def short(text: str) -> str:
    """Return `text` as far as a record keeps one."""
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}..."


def few(items: list[Any]) -> list[Any]:
    """Return `items` as far as a record keeps them."""
    return items if len(items) <= _MAX_ITEMS else items[:_MAX_ITEMS]
