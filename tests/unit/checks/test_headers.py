from __future__ import annotations

import pytest

from milter.checks.headers import HeadersCheck
from tests.support.checks import looked, symbols_of

GOOD = (
    b"From: Ann <a@example.org>\r\nTo: b@example.net\r\nSubject: Hello\r\n"
    b"Date: Fri, 21 Nov 1997 09:55:06 -0600\r\nMessage-ID: <1@example.org>\r\n"
)
BODY = b"\r\nwords\r\n"


def symbols(header: bytes, body: bytes = BODY) -> list[str]:
    return symbols_of(looked(HeadersCheck(), header + body))


def without(name: bytes) -> bytes:
    return b"".join(line for line in GOOD.splitlines(keepends=True) if not line.startswith(name))


def test_headers_good_message_yields_facts_alone() -> None:
    evidence = looked(HeadersCheck(), GOOD + BODY)
    assert symbols_of(evidence) == []
    assert evidence.facts == {
        "subject": "Hello",
        "author_domain": "example.org",
        "headers": {"from": 1, "to": 1, "subject": 1, "date": 1, "message-id": 1},
    }


@pytest.mark.parametrize(
    ("header", "symbol"),
    [
        pytest.param(without(b"From"), "FROM_MISSING", id="no-from"),
        pytest.param(GOOD + b"From: c@example.org\r\n", "FROM_SEVERAL", id="two-froms"),
        pytest.param(without(b"From") + b"From: nobody\r\n", "FROM_INVALID", id="from-a-word"),
        pytest.param(without(b"From") + b'From: "x" <>\r\n', "FROM_INVALID", id="from-nobody"),
        pytest.param(
            without(b"From") + b"From: Doe, Ann <a@example.org>\r\n",
            "FROM_INVALID",
            id="from-with-a-comma-in-the-name",
        ),
        pytest.param(without(b"Date"), "DATE_MISSING", id="no-date"),
        pytest.param(without(b"Date") + b"Date: soon\r\n", "DATE_INVALID", id="no-moment"),
        pytest.param(without(b"Message-ID"), "MESSAGE_ID_MISSING", id="no-message-id"),
        pytest.param(
            without(b"Message-ID") + b"Message-ID: <1>\r\n", "MESSAGE_ID_INVALID", id="no-at-sign"
        ),
        pytest.param(GOOD + b"Subject: Again\r\n", "SUBJECT_SEVERAL", id="two-subjects"),
        pytest.param(
            GOOD + b"Message-ID: <2@gateway.example>\r\n", "MESSAGE_ID_SEVERAL", id="gateway"
        ),
        pytest.param(GOOD + b"Cc: c@x.example\r\nCC: d@x.example\r\n", "HEADER_DOUBLED", id="cc"),
        pytest.param(GOOD + b"X-A: h\xe9\r\n", "HEADER_8BIT", id="latin-1-in-the-header"),
    ],
)
def test_headers_each_fault_has_its_symbol(header: bytes, symbol: str) -> None:
    assert symbols(header) == [symbol]


def test_headers_utf_8_in_the_header_is_no_fault() -> None:
    assert symbols(GOOD + "X-A: hé\r\n".encode()) == []


def test_headers_several_mailboxes_in_one_from_are_no_fault() -> None:
    evidence = looked(
        HeadersCheck(), without(b"From") + b"From: a@x.example, b@y.example\r\n" + BODY
    )
    assert symbols_of(evidence) == []
    assert evidence.facts["author_domain"] == "x.example"


def test_headers_doubled_names_the_header() -> None:
    evidence = looked(
        HeadersCheck(), GOOD + b"Date: Tue, 17 Nov 2026 10:00:00 +0000\r\n" * 2 + BODY
    )
    assert [finding.details for finding in evidence.findings] == [{"header": "Date"}]


def test_headers_symbols_are_all_that_it_yields() -> None:
    raw = GOOD + b"From: x\r\nDate: x\r\nSubject: x\r\nTo: x\r\n\r\n"
    assert set(symbols(raw)) <= HeadersCheck().symbols


def test_fields_behind_a_broken_line_are_not_called_missing() -> None:
    broken = b"From: a@x.example\r\nSubject: =?gb2312?B?xMs=\r\nxMs=?=\r\n"
    behind = b"Date: Tue, 17 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@x.example>\r\n"
    assert symbols_of(looked(HeadersCheck(), broken + behind + BODY)) == []
    assert symbols_of(looked(HeadersCheck(), broken + BODY)) == [
        *("DATE_MISSING", "MESSAGE_ID_MISSING"),
    ]


@pytest.mark.parametrize("top", [b"\r\n", b"\n"])
def test_fields_behind_an_empty_line_at_the_top_are_missing(top: bytes) -> None:
    behind = b"Date: Tue, 17 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@x.example>\r\n"
    missing = ["DATE_MISSING", "FROM_MISSING", "MESSAGE_ID_MISSING"]
    assert sorted(symbols_of(looked(HeadersCheck(), top + b"A: b\r\n" + behind + BODY))) == missing


def test_author_behind_a_broken_line_is_missing() -> None:
    evidence = looked(HeadersCheck(), b"broken\r\n" + GOOD + BODY)
    assert "FROM_MISSING" in symbols_of(evidence)
