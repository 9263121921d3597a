"""What is said to a client: status, score, symbols, a report, the message with its marks. Pure.

Clients take a message for spam when the score is not below the threshold. Where a rule decided and
not the score, they are told the threshold as the score, so that they do what was decided.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from milter.core.edits import HeaderEdits, edited_pieces
from milter.pipeline.outcome import Marker, format_score, softened
from policies.verdict import Action

if TYPE_CHECKING:
    from collections.abc import Iterable

    from milter.pipeline.offline import Judged
    from milter.pipeline.outcome import Identity, Outcome
    from milter.spamd.request import Head
    from policies.verdict import Verdict

PONG: Final = b"SPAMD/1.5 0 PONG\r\n"
# sysexits.h, as both sides use it.
EX_DATAERR: Final = 65
EX_UNAVAILABLE: Final = 69
EX_SOFTWARE: Final = 70
EX_TEMPFAIL: Final = 75
EX_PROTOCOL: Final = 76
EX_TIMEOUT: Final = 79

_OK: Final = b"SPAMD/1.1 0 EX_OK\r\n"
# From here on an answer tells its length; to what is older (Exim) the score is the only header.
_TELLS_LENGTH: Final = (1, 3)
_BLANK_LINE: Final = re.compile(rb"\n\r?\n")
_WITH_MESSAGE: Final = frozenset({"PROCESS", "HEADERS"})
_RSPAMD_ACTIONS: Final = {
    Action.PASS: "no action",
    Action.TAG: "add header",
    Action.QUARANTINE: "add header",
    Action.DEFER: "soft reject",
    Action.REJECT: "reject",
    Action.DISCARD: "reject",
}


def failed(code: int, words: str) -> bytes:
    """Return the answer to a request that is not done; `words` are ours."""
    return f"SPAMD/1.0 {code} {words}\r\n".encode("ascii", "replace")


def judged_reply(head: Head, data: bytes, judged: Judged, identity: Identity) -> bytes:
    """Return the answer to a request that asked for a verdict.

    Args:
        head: The request.
        data: The message as it came.
        judged: The verdict.
        identity: Who we are in what is written.
    """
    if head.from_rspamd:
        return _rspamd(judged)
    verdict = judged.outcome.verdict
    spam = b"Spam: %b ; %b / %b\r\n" % (
        b"True" if is_spam(verdict) else b"False",
        told_score(verdict),
        format_score(verdict.required).encode(),
    )
    body = _body(head, data, judged, identity)
    length = b"Content-length: %d\r\n" % len(body)
    if head.command in _WITH_MESSAGE or head.version >= _TELLS_LENGTH:
        spam = length + spam
    return _OK + spam + b"\r\n" + body


def taught_reply(*, learned: bool) -> bytes:
    """Return the answer to a lesson; one that was known before set nothing."""
    did = b"DidSet: local\r\n" if learned else b""
    return _OK + did + b"Content-length: 2\r\n\r\n\r\n"


def is_spam(verdict: Verdict) -> bool:
    """Return whether a client that knows only yes and no is told yes."""
    return verdict.action >= Action.TAG


def told_score(verdict: Verdict) -> bytes:
    """Return the score that is told."""
    score = max(verdict.score, verdict.required) if is_spam(verdict) else verdict.score
    return format_score(score).encode()


def marked(judged: Judged, identity: Identity) -> Outcome:
    """Return what is done to the message where it can only be marked: what is refused as well."""
    if not judged.outcome.verdict.action.refuses:
        return judged.outcome
    judgement = judged.judgement
    marker = Marker(judgement.txn, judgement.message, judgement.evidence, identity)
    return marker.outcome(softened(judged.outcome.verdict))


def _body(head: Head, data: bytes, judged: Judged, identity: Identity) -> bytes:
    verdict = judged.outcome.verdict
    if head.command == "SYMBOLS":
        return ",".join(_symbols(verdict)).encode()
    if head.command == "REPORT" or (head.command == "REPORT_IFSPAM" and is_spam(verdict)):
        return _report(verdict)
    if head.command not in _WITH_MESSAGE:
        return b""
    edits = marked(judged, identity).edits
    if data != judged.message:
        edits = _as_it_came(edits, judged.message, data)
    message = b"".join(edited_pieces(data, edits))
    if head.command == "HEADERS":
        end = _BLANK_LINE.search(message)
        message = message[: end.end()] if end else message
    return message


def _as_it_came(edits: HeaderEdits, message: bytes, data: bytes) -> HeaderEdits:
    """Return `edits` of `message` for `data`, which is the same with other line ends.

    Who writes the message into a file wants the line ends of files, and a body that nobody touched.
    """
    crlf = data.partition(b"\n")[0].endswith(b"\r")

    def ended(field: bytes) -> bytes:
        return field if crlf else field.replace(b"\r\n", b"\n")

    subject = edits.subject
    cuts = [*edits.remove, *([] if subject is None else [subject[:2]])]
    place = _places(message, data, sorted({offset for cut in cuts for offset in cut}))
    return HeaderEdits(
        ended(edits.add),
        tuple([(place[start], place[end]) for start, end in edits.remove]),
        subject and (place[subject[0]], place[subject[1]], ended(subject[2])),
    )


def _places(message: bytes, data: bytes, offsets: Iterable[int]) -> dict[int, int]:
    """Return where in `data` the `offsets` of `message`, ascending, are: in one pass over both.

    The sender chooses how many there are.
    """
    places: dict[int, int] = {}
    # Where the line of the last one begins, there and here.
    line = begin = 0
    for offset in offsets:
        next_line = message.rfind(b"\n", line, offset) + 1 or line
        for _ in range(message.count(b"\n", line, next_line)):
            begin = data.find(b"\n", begin) + 1
        line = next_line
        places[offset] = begin + offset - line
    return places


def _symbols(verdict: Verdict) -> list[str]:
    return [contribution.symbol for contribution in verdict.contributions]


def _report(verdict: Verdict) -> bytes:
    """Return the verdict for a person, in lines that fit into a header field."""
    score, required = format_score(verdict.score), format_score(verdict.required)
    lines = [
        f"Gatepost says: {verdict.action.word}, score {score}, {required} is required",
        verdict.reason or "nothing spoke against this message",
    ]
    lines += [
        f"{one.counted:6.2f} {one.symbol}: {one.description}" for one in verdict.contributions
    ]
    return "".join(f"{line}\r\n" for line in lines).encode("ascii", "replace")


def _rspamd(judged: Judged) -> bytes:
    verdict = judged.outcome.verdict
    score, required = told_score(verdict), format_score(verdict.required).encode()
    reject = format_score(judged.policy.thresholds.get(Action.REJECT, 0.0)).encode()
    spam = b"True" if is_spam(verdict) else b"False"
    lines = [
        b"RSPAMD/1.3 0 EX_OK",
        b"Metric: default; %b; %b / %b / %b" % (spam, score, required, reject),
        b"Action: " + _RSPAMD_ACTIONS[verdict.action].encode(),
    ]
    lines += [f"Symbol: {one.symbol}({one.counted:.2f})".encode() for one in verdict.contributions]
    if judged.outcome.reply is not None:
        lines.append(b"Message: " + judged.outcome.reply.text.encode("ascii", "replace"))
    return b"\r\n".join(lines) + b"\r\n\r\n"
