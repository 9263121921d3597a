"""A verdict becomes the header fields, the reply and the address that it stands for."""

from __future__ import annotations

from email import message_from_bytes
from typing import TYPE_CHECKING

import pytest

from milter.auth.results import AuthResult, Result
from milter.checks.base import Evidence
from milter.core.address import Mailbox
from milter.core.connection import Direction
from milter.core.edits import HeaderEdits, edited_pieces
from milter.core.ids import TxnId
from milter.core.transaction import Transaction
from milter.message.document import Message
from milter.pipeline.outcome import Marker, Outcome, format_score, refusal_reply, softened
from policies.verdict import Action, Contribution, Refusal, Verdict
from tests.support.pipeline import IDENTITY, a_connection

if TYPE_CHECKING:
    from collections.abc import Sequence

TXN = TxnId("TXN000000001")
MESSAGE = b"From: a@example.net\r\nSubject: hello\r\n\r\nhello\r\n"
OURS = [
    "Authentication-Results",
    "X-Spam-Flag",
    "X-Spam-Score",
    "X-Spam-Level",
    "X-Spam-Status",
    "X-Gatepost-Action",
    "X-Gatepost-Id",
    "X-Gatepost-Reason",
]
SIGNED = AuthResult("dkim", Result.PASS, (("header.d", "example.net"), ("header.s", "s1")))


def edited(message: bytes, edits: HeaderEdits) -> bytes:
    return b"".join(edited_pieces(message, edits))


def a_verdict(action: Action = Action.TAG, **changes: object) -> Verdict:
    values: dict[str, object] = {
        "score": 7.3,
        "required": 5.0,
        "policy": "test",
        "reason": "the client is listed",
        "contributions": (
            Contribution("A_LISTED", 5.0, 5.0),
            Contribution("B_MISSING", 2.3, 2.3),
        ),
    }
    return Verdict(action=action, **(values | changes))  # type: ignore[arg-type] # made from names


def marked(
    verdict: Verdict,
    message: bytes = MESSAGE,
    direction: Direction = Direction.INBOUND,
    auth: Sequence[AuthResult] = (),
) -> Outcome:
    txn = Transaction(
        TXN,
        a_connection(direction=direction),
        recipients=(Mailbox("b", "example.org"), Mailbox("c", "example.org")),
        message=message,
    )
    marker = Marker(txn, Message(message), Evidence(auth=tuple(auth)), IDENTITY)
    return marker.outcome(verdict)


def fields_of(outcome: Outcome, message: bytes = MESSAGE) -> list[tuple[str, str]]:
    return message_from_bytes(edited(message, outcome.edits)).items()


def test_outcome_of_a_tag_puts_every_field_in_front() -> None:
    fields = fields_of(marked(a_verdict()))
    assert [name for name, _ in fields] == [*OURS, "From", "Subject"]
    assert dict(fields) == {
        "Authentication-Results": "mx.example.org;\r\n\tnone",
        "X-Spam-Flag": "YES",
        "X-Spam-Score": "7.3",
        "X-Spam-Level": "*******",
        "X-Spam-Status": "Yes, score=7.3 required=5.0 tests=A_LISTED,B_MISSING",
        "X-Gatepost-Action": "tag",
        "X-Gatepost-Id": TXN,
        "X-Gatepost-Reason": "the client is listed",
        "From": "a@example.net",
        "Subject": "hello",
    }


def test_outcome_of_a_pass_says_so() -> None:
    verdict = a_verdict(Action.PASS, score=-1.25, reason="", contributions=())
    fields = dict(fields_of(marked(verdict)))
    assert fields["X-Spam-Flag"] == "NO"
    assert fields["X-Spam-Level"] == ""
    assert fields["X-Spam-Status"] == "No, score=-1.25 required=5.0 tests=none"
    assert fields["X-Gatepost-Reason"] == "nothing spoke against this message"


def test_outcome_level_ends_at_fifty_stars() -> None:
    fields = dict(fields_of(marked(a_verdict(Action.QUARANTINE, score=1000.0))))
    assert fields["X-Spam-Level"] == "*" * 50
    assert fields["X-Gatepost-Action"] == "quarantine"


def test_outcome_without_headers_changes_nothing() -> None:
    message = b"X-Spam-Flag: YES\r\n" + MESSAGE
    assert marked(a_verdict(Action.PASS, headers=False), message).edits == HeaderEdits()


def test_outcome_is_explained_in_a_field_on_request() -> None:
    seen = Contribution("A_LISTED", 7.3, 7.3, evidence="192.0.2.7 by bl.example: 127.0.0.2")
    trace = ("7.3 points reach tag (5)",)
    verdict = a_verdict(contributions=(seen,), explained=True, rule="A_LISTED", trace=trace)

    fields = dict(fields_of(marked(verdict)))

    assert "".join(fields["X-Gatepost-Explanation"].split("\r\n")) == (
        "tag, 7.3 points of 5.0, by policy test; decided by A_LISTED;"
        " +7.3 A_LISTED (192.0.2.7 by bl.example: 127.0.0.2); 7.3 points reach tag (5)"
    )
    assert "X-Gatepost-Explanation" not in dict(fields_of(marked(a_verdict())))
    assert b"Explanation" not in edited(
        MESSAGE, marked(verdict, direction=Direction.OUTBOUND).edits
    )


def test_explanation_is_folded_escaped_and_bounded_whatever_a_peer_sent() -> None:
    hostile = "x\r\nSubject: forged\r\n\r\n=?utf-8?Q?=0D=0A?= \u2028\u5468" * 50
    every = tuple(Contribution(f"S{n}", 1.0, 1.0, evidence=hostile) for n in range(500))
    verdict = a_verdict(contributions=every, explained=True, trace=(hostile,) * 500)

    whole = edited(MESSAGE, marked(verdict).edits)
    parsed = message_from_bytes(whole)

    assert [name for name, _ in parsed.items()] == [
        *OURS,
        "X-Gatepost-Explanation",
        "From",
        "Subject",
    ]
    assert parsed["Subject"] == "hello"
    value = " ".join(parsed["X-Gatepost-Explanation"].split())
    assert len(value) < 9000
    assert "470 more" in value
    assert "=?" not in value
    assert value.isascii()
    assert max(map(len, whole.split(b"\r\n"))) <= 78


def test_explanation_from_outside_is_removed_in_every_direction() -> None:
    forged = b"X-Gatepost-Explanation: pass, trust me\r\n" + MESSAGE
    for direction in Direction:
        edits = marked(a_verdict(), forged, direction).edits
        assert b"trust me" not in edited(forged, edits)


def test_outcome_outbound_writes_the_id_alone() -> None:
    message = b"X-Spam-Flag: NO\r\nX-Gatepost-Recipients: x@example.org\r\n" + MESSAGE
    fields = fields_of(marked(a_verdict(), message, Direction.OUTBOUND), message)
    assert [name for name, _ in fields] == ["X-Gatepost-Id", "X-Spam-Flag", "From", "Subject"]


def test_outcome_internal_is_like_inbound() -> None:
    fields = fields_of(marked(a_verdict(), MESSAGE, Direction.INTERNAL))
    assert [name for name, _ in fields][:8] == OURS


def test_outcome_incoming_fields_of_our_names_are_removed() -> None:
    message = (
        b"X-Spam-Flag: NO\r\nX-SPAM-Status: No,\r\n tests=none\r\n"
        b"Authentication-Results: mx.example.org; dkim=pass\r\n"
        b"Authentication-Results: (c) MX.example.org 1; spf=pass\r\n"
        b"Authentication-Results: other.example; spf=pass\r\n"
        b"X-Gatepost-Reason: none\r\nX-Gatepost-Recipients: a@b\r\n" + MESSAGE
    )
    whole = edited(message, marked(a_verdict(), message).edits)
    rest = whole.partition(b"X-Gatepost-Reason: the client is listed\r\n")[2]
    assert rest == b"Authentication-Results: other.example; spf=pass\r\n" + MESSAGE


def test_outcome_of_a_refusal_has_a_reply_and_no_edits() -> None:
    refusal = Refusal(550, "5.7.23", "Message refused: no (SPF) ({txn_id})")
    outcome = marked(a_verdict(Action.REJECT, refusal=refusal))
    assert str(outcome.reply) == f"550 5.7.23 Message refused: no (SPF) ({TXN})"
    assert outcome.edits == HeaderEdits()


def test_outcome_of_a_redirect_names_the_recipients() -> None:
    outcome = marked(a_verdict(Action.QUARANTINE, redirect_to="held@example.org"))
    assert outcome.redirect_to == Mailbox("held", "example.org")
    assert dict(fields_of(outcome))["X-Gatepost-Recipients"] == "b@example.org, c@example.org"


def test_outcome_of_a_redirect_names_the_recipients_where_no_results_are_written() -> None:
    message = b"X-Gatepost-Recipients: forged@example.org\r\n" + MESSAGE
    verdict = a_verdict(Action.QUARANTINE, redirect_to="held@example.org", headers=False)
    whole = edited(message, marked(verdict, message).edits)
    assert whole == b"X-Gatepost-Recipients: b@example.org, c@example.org\r\n" + MESSAGE


def test_outcome_of_a_redirect_names_a_thousand_recipients() -> None:
    recipients = tuple(Mailbox(f"a-person-of-the-house-{i}", "example.org") for i in range(1000))
    txn = Transaction(TXN, a_connection(), recipients=recipients, message=MESSAGE)
    marker = Marker(txn, Message(MESSAGE), Evidence(), IDENTITY)
    outcome = marker.outcome(a_verdict(Action.QUARANTINE, redirect_to="held@example.org"))
    fields = [value for name, value in fields_of(outcome) if name == "X-Gatepost-Recipients"]
    named = [one.strip() for value in fields for one in value.split(",")]
    assert named == [str(recipient) for recipient in recipients]
    assert max(len(line) for line in outcome.edits.add.split(b"\r\n")) <= 78


def test_refusal_reply_keeps_the_id_behind_a_long_reason() -> None:
    refusal = Refusal(550, "5.7.1", "Message refused: " + "x" * 2000 + " ({txn_id})")
    reply = refusal_reply(refusal, TXN)
    assert reply is not None
    assert str(reply).endswith(f"({TXN})")
    assert len(reply.wire()) <= 512


def test_refusal_reply_with_line_breaks_from_a_peer_is_one_line() -> None:
    reply = refusal_reply(Refusal(550, "5.7.1", "no: a\r\n250 Ok ({txn_id})"), TXN)
    assert reply is not None
    assert reply.wire() == b"550 5.7.1 no: a?250 Ok (%s)\r\n" % TXN.encode()


def test_softened_says_why_in_its_trace() -> None:
    verdict = softened(a_verdict(Action.DEFER, refusal=Refusal(451, "4.7.1", "later")))
    assert (verdict.action, verdict.refusal) == (Action.QUARANTINE, None)
    assert "it is quarantined" in verdict.trace[-1]


def test_prefix_is_put_before_the_subject_once() -> None:
    outcome = marked(a_verdict(subject_prefix="[SPAM]"))
    once = edited(MESSAGE, outcome.edits)
    assert b"\r\nSubject: [SPAM] hello\r\n" in once
    twice = edited(once, marked(a_verdict(subject_prefix="[SPAM]"), once).edits)
    assert twice == once


def test_prefix_makes_a_subject_where_there_is_none() -> None:
    message = b"From: a@example.net\r\n\r\nhello\r\n"
    outcome = marked(a_verdict(subject_prefix="[SPAM]"), message)
    assert dict(fields_of(outcome, message))["Subject"] == "[SPAM]"


@pytest.mark.parametrize(
    ("signature", "auth", "force", "prefixed"),
    [
        pytest.param("h=From:Subject", [SIGNED], False, False, id="covered"),
        pytest.param("h=from : SUBJECT\r\n :date", [SIGNED], False, False, id="covered-folded"),
        pytest.param("h=From:To", [SIGNED], False, True, id="not-covered"),
        pytest.param("h=From:Subject", [], False, True, id="covered-but-not-passing"),
        pytest.param("h=From:Subject", [SIGNED], True, True, id="covered-but-forced"),
    ],
)
def test_prefix_spares_a_subject_that_a_passing_signature_covers(
    signature: str, auth: list[AuthResult], *, force: bool, prefixed: bool
) -> None:
    header = f"DKIM-Signature: v=1; d=Example.net; s=s1; {signature}; b=AA==\r\n"
    message = header.encode() + MESSAGE
    verdict = a_verdict(subject_prefix="[SPAM]", force_subject=force)
    whole = edited(message, marked(verdict, message, auth=auth).edits)
    assert (b"Subject: [SPAM] hello" in whole) is prefixed


def test_edits_on_a_message_without_a_header_keep_its_text_out_of_the_header() -> None:
    message = b" X-Evil: a continuation\r\nAuthentication-Results: mx.example.org; spf=pass\r\n"
    whole = edited(message, marked(a_verdict(), message).edits)
    parsed = message_from_bytes(whole)
    assert parsed.get_all("Authentication-Results") == ["mx.example.org;\r\n\tnone"]
    assert whole.endswith(b"\r\n\r\n" + message)


def test_edits_leave_a_from_line_of_a_mailbox_on_top() -> None:
    message = b"From a@example.net Tue Nov 24 10:00:00 2026\r\n" + MESSAGE
    whole = edited(message, marked(a_verdict(), message).edits)
    assert whole.startswith(b"From a@example.net Tue Nov 24 10:00:00 2026\r\nAuthentication-R")
    assert whole.endswith(b"\r\n" + MESSAGE)
    assert whole.count(b"From a@") == 1


@pytest.mark.parametrize(
    ("score", "text"),
    [(7.3, "7.3"), (5.0, "5.0"), (4.96, "4.96"), (-0.5, "-0.5"), (12.25, "12.25")],
)
def test_format_score_never_crosses_a_threshold_by_rounding(score: float, text: str) -> None:
    assert format_score(score) == text


def test_forged_results_are_found_by_name_and_id_however_they_are_written() -> None:
    kept = b"Received: from mx.example.org; none\r\nAuthentication-Results: other.example; none\r\n"
    forged = (
        b"authentication-RESULTS: mx.example.org; none\r\n"
        b"Authentication-Results : mx.example.org; none\r\n"
    )
    rest = b"Subject: x\r\n\r\nbody\r\n"
    message = kept + forged + rest
    whole = edited(message, marked(a_verdict(), message).edits)
    assert whole.endswith(kept + rest)


def test_results_behind_more_than_anybody_has_are_removed_unread() -> None:
    others = b"Authentication-Results: other.example; none\r\n"
    forged = b"Authentication-Results: mx.example.org; none\r\n"
    rest = b"Subject: x\r\n\r\nbody\r\n"
    message = forged + others * 60 + rest
    whole = edited(message, marked(a_verdict(), message).edits)
    assert whole.endswith(b"\r\n" + others * 49 + rest)
    assert whole.count(b"other.example") == 49


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_nothing_stays_behind_more_fields_of_our_names_than_are_looked_for(end: bytes) -> None:
    many = b"X-Spam-Flag: NO" + end
    forged = b"Authentication-Results: mx.example.org; dmarc=pass" + end
    message = b"Subject: x" + end + many * 20_000 + forged + b"B: 1" + end + end + b"body" + end
    whole = edited(message, marked(a_verdict(), message).edits)
    assert whole.endswith(b"Subject: x" + end + end + b"body" + end)
