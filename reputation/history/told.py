"""A record in words and as plain values: for people, for programs, the same everywhere.

A sentence says what happened and why. It goes to the admin of the site, who may know everything;
peers chose parts of it, so whoever prints it to a terminal takes out what does not print.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from reputation.history.record import Plain, Record

_SHOWN: Final = 3
_DONE: Final = {
    "pass": "Delivered",
    "tag": "Delivered with a mark as spam",
    "quarantine": "Delivered marked as quarantined",
    "defer": "Deferred",
    "reject": "Refused",
    "discard": "Thrown away in silence",
}
# All of its recipients.
_REDIRECTED: Final = "Redirected as quarantined"
# What a mail server was told that asked about it.
_LET_THROUGH: Final = {
    "pass": "Let through",
    "tag": "Let through with a mark as spam",
    "quarantine": "Let through marked as quarantined",
}
# Where mail ended without having been judged whole.
_BEFORE: Final = {
    "greeting": "in place of a greeting",
    "mail": "before recipient and message",
    "rcpt": "before its message",
    "data": "unjudged",
}
_SENDER: Final = ("SPF_", "DKIM_", "DMARC_", "ARC_", "IPREV_", "HELO_")


def plain(record: Record) -> dict[str, Plain]:
    """Return all of `record` as values of JSON, rows as objects."""
    said = {each.name: _plain(getattr(record, each.name)) for each in fields(record)}
    return {**said, "sentence": sentence(record)}


def summary(record: Record) -> dict[str, Plain]:
    """Return what a list of messages shows of each."""
    return {
        "txn_id": record.txn_id,
        "at": record.at,
        "action": record.action,
        "score": record.score,
        "delivered": record.delivered,
        "listener": record.listener,
        "direction": record.direction,
        "client_ip": record.client.get("ip", ""),
        "mail_from": record.mail_from,
        "author": record.author,
        "recipients": [*record.recipients],
        "subject": record.subject,
        "message_id": record.message_id,
        "queue_ids": [*record.queue_ids],
        "size_bytes": record.size_bytes,
        "policy": record.policy,
        "version": record.version,
        "rule": record.rule,
        "kind": record.kind,
        "reason": record.reason,
        "reply": record.reply,
        "stage": record.stage,
        "symbols": [one.symbol for one in record.symbols],
        "message_kept": record.message_kept,
        "sentence": sentence(record),
    }


def sentence(record: Record) -> str:
    """Return what happened to a message and why, in a sentence or two."""
    told = [f"{_what(record)} at {_when(record)}: {_mail(record)}"]
    why = _why(record)
    if why:
        told[0] += f": {why}"
    told[0] += "."
    told += _got(record)
    if record.action in {"defer", "reject"} or not record.delivered:
        told.append(f"The client was told {record.reply}.")
    elif record.asked:
        told.append("It was for the mail server that asked to deliver it.")
    elif record.action != "discard":
        told.append(f"The next mail server said {record.reply}.")
    if record.policy:
        told.append(f"Try: {advice(record)}")
    return " ".join(told)


def advice(record: Record) -> str:
    """Return the command that tells more about what decided."""
    decisive = record.rule or next((one.symbol for one in record.symbols if one.counted > 0), "")
    domain = record.author.rpartition("@")[2] or record.mail_from.rpartition("@")[2]
    listed = {each.symbol for each in record.found if "zone" in each.details}
    if decisive in listed:
        return "gatepost lists status"
    if decisive.startswith(_SENDER) and domain:
        ip = str(record.client.get("ip", ""))
        return f"gatepost diagnose {domain}{f' --ip {ip}' if ip else ''}"
    return f"gatepost policy explain {record.txn_id}"


def moment(at: float) -> str:
    """Return a time as people read it, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _what(record: Record) -> str:
    done = _DONE.get(record.action, record.action.capitalize())
    if record.asked:
        done = _LET_THROUGH.get(record.action, done)
    if record.stage:
        return f"{done} {_BEFORE.get(record.stage, record.stage)}"
    if not not_taken(record):
        left = set(record.recipients).difference(*record.redirected.values())
        return done if left or not record.redirected else _REDIRECTED
    again = record.reply.startswith("4")
    missing = "Not delivered to all" if record.served else "Not delivered"
    return f"{missing} yet" if again else missing


def _got(record: Record) -> list[str]:
    """Return who got the message in place of whom, and who of some alone, a sentence each."""
    served = set(record.recipients if record.delivered else record.served)
    gets = "is to get it" if record.asked else "got it"
    told = []
    for to, some in record.redirected.items():
        if instead := [each for each in some if each in served]:
            told.append(f"{to} {gets} in place of {_some(instead, len(instead))}.")
            served.difference_update(instead)
    if not record.delivered and (own := [each for each in record.served if each in served]):
        told.append(f"{_some(own, len(own))} got it.")
    return told


def not_taken(record: Record) -> bool:
    """Return whether a message that we would have let through did not come through."""
    return not record.delivered and record.action in {"pass", "tag", "quarantine"}


def _why(record: Record) -> str:
    if not_taken(record):
        said = "" if record.action == "pass" else f" ({record.action}: {record.reason})"
        whom = " for all" if record.served else ""
        return f"our verdict was to take it{said}, and the next mail server did not{whom}"
    if record.reason or record.action == "pass":
        return record.reason
    return f"{record.rule} decided" if record.rule else ""


def _when(record: Record) -> str:
    return f"{moment(record.at)} UTC"


def _mail(record: Record) -> str:
    if record.stage == "greeting":
        return f"a connection{_client(record)}"
    sender = record.mail_from or "<>"
    author = record.author
    of = f" (author {author})" if author and author.lower() != sender.lower() else ""
    return f"mail from {sender}{of} to {_recipients(record)}{_client(record)}"


def _client(record: Record) -> str:
    ip, name = record.client.get("ip", ""), record.client.get("helo", "")
    return f" by {ip or 'a local client'}" + (f" ({name})" if name else "")


def _recipients(record: Record) -> str:
    return _some(record.recipients, record.rcpt_count) or "nobody yet"


def _some(addresses: list[str], count: int) -> str:
    more = count - _SHOWN
    shown = ", ".join(addresses[:_SHOWN])
    return f"{shown} and {more} more" if shown and more > 0 else shown


def _plain(value: Any) -> Plain:
    if isinstance(value, tuple):
        return {name: _plain(each) for name, each in value._asdict().items()}  # type: ignore[attr-defined]  # rows are named tuples
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    plain_value: Plain = value
    return plain_value
