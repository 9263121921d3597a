"""What happened to a message and why, in a sentence; and what people write to look for one."""

from __future__ import annotations

import json

import pytest

from reputation.history.record import Counted, Found, Record, Share
from reputation.history.told import plain, sentence, summary
from reputation.history.wanted import parse_time, readings

AT = 1_800_021_727.0
HEAD = "mail from a@example.org to b@ours.example by 192.0.2.1 (mx.example.org)"


def a_record(**said: object) -> Record:
    usual: dict[str, object] = {
        "client": {"ip": "192.0.2.1", "helo": "mx.example.org"},
        "mail_from": "a@example.org",
        "author": "A@example.org",
        "recipients": ["b@ours.example"],
        "rcpt_count": 1,
        "action": "pass",
        "policy": "site",
        "reply": "250 2.0.0 Ok: queued as 4XyZ",
        "delivered": True,
    }
    return Record("7Q2M0000AAAA", AT, **{**usual, **said})  # type: ignore[arg-type]  # of a test


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        pytest.param(
            a_record(),
            f"Delivered at 2027-01-15 14:02:07 UTC: {HEAD}. The next mail server said 250 2.0.0 "
            "Ok: queued as 4XyZ. Try: gatepost policy explain 7Q2M0000AAAA",
            id="delivered",
        ),
        pytest.param(
            a_record(
                action="reject",
                delivered=False,
                rule="SPF_FAIL",
                reason="the domain example.org does not authorise 192.0.2.1 (SPF)",
                reply="550 5.7.23 Message refused (7Q2M0000AAAA)",
            ),
            f"Refused at 2027-01-15 14:02:07 UTC: {HEAD}: the domain example.org does not "
            "authorise 192.0.2.1 (SPF). The client was told 550 5.7.23 Message refused "
            "(7Q2M0000AAAA). Try: gatepost diagnose example.org --ip 192.0.2.1",
            id="refused-by-spf",
        ),
        pytest.param(
            a_record(
                action="reject",
                delivered=False,
                rule="BL",
                reason="192.0.2.1 is listed by bl.example",
                reply="550 5.7.1 x",
                found=[Found("BL", "127.0.0.2", {"zone": "bl.example", "asked": "client_ip"})],
            ),
            f"Refused at 2027-01-15 14:02:07 UTC: {HEAD}: 192.0.2.1 is listed by bl.example. "
            "The client was told 550 5.7.1 x. Try: gatepost lists status",
            id="refused-by-a-list",
        ),
        pytest.param(
            a_record(delivered=False, reply="451 4.4.1 The next mail server cannot be reached"),
            f"Not delivered yet at 2027-01-15 14:02:07 UTC: {HEAD}: our verdict was to take it, "
            "and the next mail server did not. The client was told 451 4.4.1 The next mail server "
            "cannot be reached. Try: gatepost policy explain 7Q2M0000AAAA",
            id="next-hop-down",
        ),
        pytest.param(
            a_record(
                action="defer", delivered=False, rule="GREYLIST_NEW", reply="451 4.7.1 Try again"
            ),
            f"Deferred at 2027-01-15 14:02:07 UTC: {HEAD}: GREYLIST_NEW decided. The client was "
            "told 451 4.7.1 Try again. Try: gatepost policy explain 7Q2M0000AAAA",
            id="deferred-without-words",
        ),
        pytest.param(
            a_record(
                mail_from="",
                author="c@other.example",
                recipients=["b@ours.example"] * 5,
                rcpt_count=5,
                client={},
                action="tag",
            ),
            "Delivered with a mark as spam at 2027-01-15 14:02:07 UTC: mail from <> (author "
            "c@other.example) to b@ours.example, b@ours.example, b@ours.example and 2 more by a "
            "local client. The next mail server said 250 2.0.0 Ok: queued as 4XyZ. Try: gatepost "
            "policy explain 7Q2M0000AAAA",
            id="bounce-to-many",
        ),
        pytest.param(
            a_record(action="quarantine", asked=True, reply="250 2.0.0 Ok"),
            f"Let through marked as quarantined at 2027-01-15 14:02:07 UTC: {HEAD}. It was for the "
            "mail server that asked to deliver it. Try: gatepost policy explain 7Q2M0000AAAA",
            id="asked-by-a-mail-server",
        ),
        pytest.param(
            a_record(
                action="quarantine",
                redirected={"held@ours.example": ["b@ours.example"]},
                reply="250 2.0.0 Ok",
            ),
            f"Redirected as quarantined at 2027-01-15 14:02:07 UTC: {HEAD}. held@ours.example got "
            "it in place of b@ours.example. The next mail server said 250 2.0.0 Ok. Try: gatepost "
            "policy explain 7Q2M0000AAAA",
            id="redirected",
        ),
        pytest.param(
            a_record(
                action="quarantine",
                asked=True,
                recipients=["b@ours.example", "c@ours.example"],
                rcpt_count=2,
                client={},
                redirected={"held@ours.example": ["c@ours.example"]},
            ),
            "Let through marked as quarantined at 2027-01-15 14:02:07 UTC: mail from a@example.org "
            "to b@ours.example, c@ours.example by a local client. held@ours.example is to get it "
            "in place of c@ours.example. It was for the mail server that asked to deliver it. Try: "
            "gatepost policy explain 7Q2M0000AAAA",
            id="redirected-for-one",
        ),
        pytest.param(
            a_record(
                action="quarantine",
                delivered=False,
                redirected={"held@ours.example": ["b@ours.example"]},
                reply="451 4.3.0 Please try again later",
            ),
            f"Not delivered yet at 2027-01-15 14:02:07 UTC: {HEAD}: our verdict was to take it "
            "(quarantine: ), and the next mail server did not. The client was told 451 4.3.0 "
            "Please try again later. Try: gatepost policy explain 7Q2M0000AAAA",
            id="redirected-and-not-taken",
        ),
        pytest.param(
            a_record(
                delivered=False,
                recipients=["b@ours.example", "c@ours.example", "d@ours.example"],
                rcpt_count=3,
                client={},
                redirected={"held@ours.example": ["b@ours.example"]},
                served=["b@ours.example", "c@ours.example"],
                reply="451 4.3.0 Some recipients were not served, try again for them",
            ),
            "Not delivered to all yet at 2027-01-15 14:02:07 UTC: mail from a@example.org to "
            "b@ours.example, c@ours.example, d@ours.example by a local client: our verdict was to "
            "take it, and the next mail server did not for all. held@ours.example got it in place "
            "of b@ours.example. c@ours.example got it. The client was told 451 4.3.0 Some "
            "recipients were not served, try again for them. Try: gatepost policy explain "
            "7Q2M0000AAAA",
            id="served-in-part",
        ),
        pytest.param(
            a_record(action="reject", asked=True, delivered=False, reason="spam", reply="550 no"),
            f"Refused at 2027-01-15 14:02:07 UTC: {HEAD}: spam. The client was told 550 no. "
            "Try: gatepost policy explain 7Q2M0000AAAA",
            id="asked-and-refused",
        ),
    ],
)
def test_sentence_says_what_happened_and_why(record: Record, expected: str) -> None:
    assert sentence(record) == expected


def test_plain_values_are_json_with_names_in_rows() -> None:
    record = a_record(
        symbols=[Counted("SPF_FAIL", 3.0, 2.5)],
        shares=[Share("test", False, "pass", 0.0, "", ["b@ours.example"])],
    )

    told = json.loads(json.dumps(plain(record)))

    assert told["symbols"] == [{"symbol": "SPF_FAIL", "weight": 3.0, "counted": 2.5}]
    assert told["shares"][0]["recipients"] == ["b@ours.example"]
    assert told["sentence"] == sentence(record)
    assert summary(record)["symbols"] == ["SPF_FAIL"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90m", AT - 5400),
        ("7d", AT - 604_800),
        ("2027-01-15", 1_799_971_200.0),
        ("2027-01-15T14:02:07", AT),
        ("2027-01-15T14:02:07+01:00", AT - 3600),
        ("1800021727", AT),
    ],
)
def test_times_are_read_as_people_write_them(text: str, expected: float) -> None:
    assert parse_time(text, AT) == expected


@pytest.mark.parametrize("text", ["7", "24", "0", "90.5"])
def test_number_without_a_unit_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=f"a unit is missing, as in {text}d for days"):
        parse_time(text, AT)


@pytest.mark.parametrize("text", ["", "yesterday", "nan", "1e999", "9" * 400, "0000-01-01"])
def test_other_words_are_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="is needed"):
        parse_time(text, AT)


def test_word_may_mean_several_things() -> None:
    means = {
        name
        for wanted in readings("192.0.2.1")
        for name in ("txn_id", "message_id", "queue_id", "client_ip", "sender", "recipient")
        if getattr(wanted, name)
    }
    assert means == {"txn_id", "message_id", "queue_id", "client_ip", "sender", "recipient"}
    assert list(readings(" ")) == []
