"""A judgement as plain values: the JSON object of `POST /v1/scan` and of `gatepost scan --json`.

Keys are never missing; an empty value stands for what is not known. The object holds addresses and
the subject, so it goes to whoever handed in the message and to nobody else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.auth.results import AuthResult, Result

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milter.checks.base import Evidence
    from milter.core.edits import HeaderEdits
    from milter.core.ids import TxnId
    from milter.pipeline.outcome import Outcome
    from milter.pipeline.scan import Judgement
    from policies.facts import FactValue
    from policies.verdict import Verdict

# A mailbox's first line is taken away and put back above our fields; it is no field itself.
_FROM_LINE: Final = b"From "

# What is told of one header field: name, value, offset in the message.
Named = dict[str, str | int]
Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]


def scan_report(
    judgement: Judgement, outcome: Outcome, txn_id: TxnId, message: bytes
) -> dict[str, Json]:
    """Return what is told of one message.

    Args:
        judgement: What was seen.
        outcome: The one of `judgement` that is told of: of several, the severest.
        txn_id: Stands in the reply.
        message: As judged; names the fields to remove.
    """
    verdict, evidence = outcome.verdict, judgement.evidence
    return {
        "action": verdict.action.word,
        "score": verdict.score,
        "required": verdict.required,
        "reply": str(outcome.reply) if outcome.reply else "",
        "reason": verdict.reason,
        "kind": verdict.kind,
        "symbols": _symbols(verdict),
        "auth": _auth(evidence),
        "facts": {name: _json(value) for name, value in evidence.facts.items()},
        "trace": list(verdict.trace),
        "headers": _as_json(header_edits(outcome.edits, message)),
        "redirect_to": str(outcome.redirect_to) if outcome.redirect_to else "",
        "txn_id": txn_id,
        "policy": verdict.policy,
        "duration_ms": round(judgement.duration_s * 1000, 2),
    }


def severest(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the outcome with the severest action; of equals the first."""
    return max(outcomes, key=lambda outcome: outcome.verdict.action)


def unanswered(evidence: Evidence) -> bool:
    """Return whether some check failed or got no answer, so that asking again may tell."""
    return any(result.result is Result.TEMPERROR for result in evidence.auth) or any(
        finding.symbol == "CHECK_ERROR" or finding.symbol.endswith("_TEMPERROR")
        for finding in evidence.findings
    )


def _symbols(verdict: Verdict) -> dict[str, Json]:
    return {
        contribution.symbol: {
            "weight": contribution.weight,
            "counted": contribution.counted,
            "evidence": contribution.told,
            "description": contribution.description,
            "group": contribution.group,
            "kind": contribution.kind,
        }
        for contribution in verdict.contributions
    }


def _auth(evidence: Evidence) -> dict[str, Json]:
    results, dmarc = evidence.auth, evidence.facts.get("dmarc")
    return {
        "spf": _first(results, "spf", "smtp.mailfrom"),
        "dkim": [_result(result) for result in results if result.method == "dkim"],
        "dmarc": _json(dmarc) if dmarc else {},
        "arc": _first(results, "arc", ""),
        "iprev": _first(results, "iprev", "policy.iprev"),
    }


def _first(results: Sequence[AuthResult], method: str, identity: str) -> Json:
    """Return the result of `method`, that about `identity` before others."""
    of_method = [result for result in results if result.method == method]
    about = [result for result in of_method if identity in dict(result.properties)]
    best = (about or of_method)[:1]
    return _result(best[0]) if best else {}


def _result(result: AuthResult) -> Json:
    properties = dict(result.properties)
    told: dict[str, Json] = {"result": result.result.value}
    if domain := properties.get("header.d"):
        told |= {"domain": domain, "selector": properties.get("header.s", "")}
    if result.reason:
        told["reason"] = result.reason
    told["properties"] = dict(properties)
    return told


def header_edits(edits: HeaderEdits, message: bytes) -> dict[str, list[Named]]:
    """Return the fields to `add` in their order, to `remove` and to `change`.

    Args:
        edits: Of one outcome.
        message: As judged; tells the names of what is removed.
    """
    removed = _names(message, [start for start, _ in edits.remove])
    changed: list[Named] = []
    if edits.subject is not None:
        start, _, instead = edits.subject
        value = _text(instead).partition(":")[2].strip()
        changed = [{"name": "Subject", "value": value, "offset": start}]
    return {
        "add": [_field(line) for line in _fields(edits.add)],
        "remove": removed,
        "change": changed,
    }


def _as_json(edits: Mapping[str, Sequence[Named]]) -> dict[str, Json]:
    return {what: [dict(field) for field in fields] for what, fields in edits.items()}


def _fields(block: bytes) -> list[bytes]:
    """Return the fields of a header block of ours; a line that begins with a space goes on."""
    fields: list[bytes] = []
    for line in block.split(b"\r\n"):
        if line[:1] in (b" ", b"\t") and fields:
            fields[-1] += b"\r\n" + line
        elif line:
            fields.append(line)
    return [field for field in fields if not field.startswith(_FROM_LINE)]


def _field(field: bytes) -> Named:
    name, _, value = _text(field).partition(":")
    return {"name": name, "value": value.strip()}


def _names(message: bytes, starts: Sequence[int]) -> list[Named]:
    """Return the names of the fields that begin at `starts`; which of several, the offset says."""
    return [
        {"name": _text(message[start : start + 100].partition(b":")[0]).strip(), "offset": start}
        for start in starts
        if not message.startswith(_FROM_LINE, start)
    ]


def _json(value: FactValue) -> Json:
    if isinstance(value, list):
        return [_json(item) for item in value]
    if isinstance(value, dict):
        return {key: _json(item) for key, item in value.items()}
    return value


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
