"""Oddities of a header: each is found, and what differs from it in that point alone is not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from milter.checks.oddities import OdditiesCheck
from milter.core.address import parse_mailbox
from tests.support.checks import a_transaction, looked, symbols_of

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
GOOD = {
    "Received": "from a by b; Fri, 20 Nov 2026 11:59:00 +0000",
    "From": "Ann <ann@a.example>",
    "To": "Bob <bob@b.example>",
    "Subject": "Lunch on Friday",
    "Date": "Fri, 20 Nov 2026 12:58:00 +0100",
    "Message-ID": "<1@a.example>",
}


def symbols(**changed: str | None) -> list[str]:
    fields = {**GOOD, **{name.replace("_", "-"): value for name, value in changed.items()}}
    header = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value is not None)
    return symbols_of(looked(OdditiesCheck(NOW.timestamp), f"{header}\r\nx\r\n".encode()))


def test_oddities_of_an_ordinary_message_there_are_none() -> None:
    assert symbols() == []


@pytest.mark.parametrize(
    ("date", "found"),
    [
        pytest.param("Thu, 20 Nov 2026 12:58:00 +0100", ["DATE_IMPOSSIBLE"], id="another-weekday"),
        pytest.param("20 Nov 2026 12:58:00 +0100", [], id="no-weekday"),
        pytest.param("Fri, 20 Nov 2026 12:58:00 +0107", ["DATE_IMPOSSIBLE"], id="minutes-of-zone"),
        pytest.param("Fri, 20 Nov 2026 17:43:00 +0545", [], id="nepal"),
        pytest.param("Sat, 21 Nov 2026 03:58:00 +1600", ["DATE_IMPOSSIBLE"], id="zone-far-east"),
        pytest.param("Sat, 21 Nov 2026 01:58:00 +1400", [], id="kiribati"),
        pytest.param("Thu, 19 Nov 2026 23:28:00 -1230", ["DATE_IMPOSSIBLE"], id="zone-far-west"),
        pytest.param("Fri, 20 Nov 2026 15:30:00 +0000", ["DATE_FUTURE"], id="hours-ahead"),
        pytest.param("Fri, 20 Nov 2026 14:30:00 +0000", [], id="a-clock-set-wrongly"),
        pytest.param("Sun, 15 Nov 2026 12:00:00 +0000", ["DATE_PAST"], id="five-days-old"),
        pytest.param("Tue, 17 Nov 2026 12:00:00 +0000", [], id="three-days-in-a-queue"),
        pytest.param("soon", [], id="no-date-at-all-is-not-ours-to-tell"),
        pytest.param("Fri, 20 Nov 2026 11:58 GMT", [], id="zone-in-letters"),
    ],
)
def test_oddities_of_dates(date: str, found: list[str]) -> None:
    assert symbols(Date=date) == found


def test_oddities_without_received_only_the_future_is_told() -> None:
    assert symbols(Received=None) == []
    assert symbols(Received=None, Date="Sat, 21 Nov 2026 12:00:00 +0000") == ["DATE_FUTURE"]
    assert symbols(Received=None, Date="Wed, 20 Nov 2002 12:00:00 +0000") == []


def test_oddities_mail_that_was_kept_for_years_is_not_late() -> None:
    old = "Wed, 20 Nov 2002 12:00:00 +0000"
    assert symbols(Received=f"from a by b; {old}", Date=old) == []


def test_oddities_what_our_own_server_wrote_on_top_is_not_looked_at() -> None:
    old = "Wed, 20 Nov 2002 12:00:00 +0000"
    ours = "from mx (mx [192.0.2.7]) by ours; Fri, 20 Nov 2026 11:59:30 +0000"
    below = f"{ours}\r\nReceived: from a by b; {old}"
    assert symbols(Received=below, Date=old) == symbols(Received=f"from a by b; {old}", Date=old)
    assert symbols(Received=ours.partition(";")[0]) == []


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        pytest.param({"Message_ID": "<1@192.0.2.1>"}, ["MESSAGE_ID_RAW_ADDRESS"], id="address"),
        pytest.param({"Message_ID": "<1@[192.0.2.1]>"}, ["MESSAGE_ID_RAW_ADDRESS"], id="literal"),
        pytest.param({"Message_ID": "<1@b.example>"}, ["MESSAGE_ID_RECIPIENT"], id="recipients-id"),
        pytest.param({"Message_ID": "<1@b>"}, [], id="host-that-begins-like-the-recipients-domain"),
        pytest.param(
            {"Message_ID": "<1@b.example>", "From": "c@b.example"}, [], id="of-one-domain"
        ),
        pytest.param(
            {"Message_ID": "<000001c2a3b4$12345678$0a0a0a0a@pc>"},
            ["MESSAGE_ID_MIMEOLE"],
            id="mimeole-without-a-program",
        ),
        pytest.param(
            {"Message_ID": "<000001c2a3b4$12345678$0a0a0a0a@pc>", "X_Mailer": "Microsoft"},
            [],
            id="mimeole-with-one",
        ),
        pytest.param({"Received": "from a by b"}, ["RECEIVED_UNDATED"], id="received-without-date"),
        pytest.param({"Subject": None}, ["SUBJECT_MISSING"], id="no-subject"),
        pytest.param({"Subject": " "}, ["SUBJECT_EMPTY"], id="empty-subject"),
        pytest.param({"Subject": "Cheap            qx7"}, ["SUBJECT_TAIL"], id="tail"),
        pytest.param({"Subject": "Cheap    qx7"}, [], id="four-spaces"),
        pytest.param(
            {"Subject": "=?utf-8?B?SGVsbG8gdGhlcmU=?="},
            ["SUBJECT_ENCODED_NEEDLESSLY"],
            id="ascii-encoded",
        ),
        pytest.param({"Subject": "=?utf-8?Q?Gr=C3=BC=C3=9Fe?="}, [], id="umlauts-encoded"),
        pytest.param(
            {"To": "robert.b@b.example", "Subject": "Dear Robert.B, look"},
            ["SUBJECT_NAMES_MAILBOX"],
            id="called-by-mailbox",
        ),
        pytest.param(
            {"To": "robert.b@b.example", "Subject": "robert.b@b.example won"},
            ["SUBJECT_NAMES_MAILBOX"],
            id="called-by-address",
        ),
        pytest.param(
            {"To": "Robert <robert@b.example>", "Subject": "Robert, lunch?"}, [], id="name-known"
        ),
        pytest.param({"To": "robert@b.example", "Subject": "robertson"}, [], id="within-a-word"),
        pytest.param({"To": "bob@b.example", "Subject": "bob, look"}, [], id="three-letters"),
        pytest.param({"To": "sales@b.example", "Subject": "Our sales"}, [], id="a-role"),
        pytest.param(
            {"To": "tulips@b.example", "Subject": "[tulips] red", "List-Id": "<tulips.example>"},
            [],
            id="name-of-a-list",
        ),
        pytest.param({"To": None}, ["TO_UNDISCLOSED"], id="no-to"),
        pytest.param({"To": None, "Cc": "c@d.example"}, [], id="cc-alone"),
        pytest.param({"To": "undisclosed-recipients:;"}, ["TO_UNDISCLOSED"], id="undisclosed"),
        pytest.param({"To": "Ann <ann@a.example>"}, ["FROM_IS_TO"], id="from-is-to"),
        pytest.param({"To": "ann@A.example"}, ["FROM_IS_TO"], id="from-is-to-by-address"),
        pytest.param({"To": "ann@a.example", "List-Id": "<a.example>"}, [], id="a-list"),
        pytest.param({"To": "ann@a.example, bob@b.example"}, [], id="to-others-too"),
        pytest.param({"X_Priority": "1 (Highest)"}, ["PRIORITY_HIGH"], id="urgent"),
        pytest.param({"X_Priority": "3"}, [], id="usual-priority"),
        pytest.param(
            {"X_MSMail_Priority": "Normal"}, ["PRIORITY_WITHOUT_MAILER"], id="nobody-of-microsoft"
        ),
        pytest.param(
            {"X_MSMail_Priority": "Normal", "X_Mailer": "Microsoft Outlook 16.0"},
            [],
            id="outlook-says-so",
        ),
    ],
)
def test_oddities_of_other_fields(changed: dict[str, str | None], found: list[str]) -> None:
    assert symbols(**changed) == found


def test_oddities_know_the_mailboxes_of_the_envelope() -> None:
    txn = a_transaction()._replace(recipients=(parse_mailbox("robert.b@b.example"),))
    mail = b"From: ann@a.example\r\nTo: all@a.example\r\nSubject: robert.b, look\r\n\r\nx\r\n"

    found = looked(OdditiesCheck(NOW.timestamp), mail, txn)

    assert symbols_of(found) == ["SUBJECT_NAMES_MAILBOX"]
