"""What a named mail program never writes. The genuine forms are those of the programs' own mail."""

from __future__ import annotations

import pytest

from milter.checks.mailers import MailersCheck
from tests.support.checks import looked, symbols_of

OE = "Microsoft Outlook Express 6.00.2900.5512"
OLE_ID = "<000601c9a1b2$3c4d5e60$0200a8c0@desk>"
UUID_ID = "<9F3C1B5A-7D2E-4C11-8E0F-2A6B7C8D9E0F@a.example>"


def message(mailer: str, message_id: str, boundary: str = "", more: str = "") -> bytes:
    content_type = f'multipart/mixed;\r\n boundary="{boundary}"' if boundary else "text/plain"
    return (
        f"Message-ID: {message_id}\r\nFrom: a@a.example\r\nContent-Type: {content_type}\r\n"
        f"X-Mailer: {mailer}\r\n{more}\r\nx\r\n"
    ).encode()


MIMEOLE = "X-MimeOLE: Produced By Microsoft MimeOLE V6.00.2900.5512\r\n"


@pytest.mark.parametrize(
    ("mailer", "message_id", "boundary", "more"),
    [
        pytest.param(OE, OLE_ID, "----=_NextPart_000_0007_01C9A1B2.3C4D5E60", MIMEOLE, id="oe"),
        pytest.param(OE, "<3C4D5E600200A8C03C4D5E600200A8C0@desk>", "", MIMEOLE, id="windows-mail"),
        pytest.param(
            "Microsoft Outlook IMO, Build 9.0.2416 (9.0.2911.0)",
            "<NDBBJGDBMDHBLKMAGDIJAENGCAAA.ann@a.example>",
            "----=_NextPart_000_0007_01C9A1B2.3C4D5E60",
            "",
            id="outlook-2000",
        ),
        pytest.param(
            "Microsoft Outlook 16.0", "<any@host>", "_000_AM0PR01MB0001eurprd01_", "", id="exchange"
        ),
        pytest.param(
            "Mozilla Thunderbird", UUID_ID, "------------aBcDeFgHiJkLmNoPqRsTuVwX", "", id="tb"
        ),
        pytest.param(
            "Apple Mail (2.3654.120.0.1.13)",
            UUID_ID,
            "Apple-Mail=_9F3C1B5A-7D2E-4C11-8E0F-2A6B7C8D9E0F",
            "",
            id="apple-mail",
        ),
        pytest.param(
            "The Bat! (v3.0) Pro", "<1234567890.20260102030405@a.example>", "", "", id="bat"
        ),
        pytest.param(
            "Mozilla Thunderbird", UUID_ID, "===============1234567890123456789==", "", id="mailman"
        ),
        pytest.param(
            "Mozilla Thunderbird",
            "<DU0PR02MB78990A1B2C3D4E5F@DU0PR02MB7899.EURPRD02.PROD.OUTLOOK.COM>",
            "",
            "Received: from [192.0.2.7] by DU0PR02MB7899.EURPRD02.PROD.OUTLOOK.COM; now\r\n",
            id="tb-through-outlook-com",
        ),
        pytest.param(
            "iPhone Mail (22B91)",
            UUID_ID,
            "_000_9F3C1B5A7D2E4C118E0F2A6B7C8D9E0Faexample_",
            "",
            id="iphone-through-exchange",
        ),
        pytest.param(
            "Mozilla Thunderbird",
            "<0102018f0a1b2c3d-9f3c1b5a-7d2e-4c11-8e0f-2a6b7c8d9e0f-000000@eu-west-1.amazonses.com>",
            "",
            "",
            id="tb-through-ses",
        ),
        pytest.param("Foxmail 6", "<1@a>", "b", "", id="a-program-that-is-not-known"),
    ],
)
def test_genuine_mail_says_nothing(mailer: str, message_id: str, boundary: str, more: str) -> None:
    raw = message(mailer, message_id, boundary, more)

    assert symbols_of(looked(MailersCheck(), raw)) == []


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        pytest.param(message(OE, "<42@a.example>", "", MIMEOLE), ["MAILER_FORGED_ID"], id="id"),
        pytest.param(
            message(OE, OLE_ID, "----=_NextPart_7FAB", MIMEOLE),
            ["MAILER_FORGED_BOUNDARY"],
            id="bnd",
        ),
        pytest.param(message(OE, OLE_ID), ["MAILER_FORGED_FIELDS"], id="no-mimeole"),
        pytest.param(
            message(OE, OLE_ID, "", f"{MIMEOLE}X-Priority: 3\r\n"),
            ["MAILER_FORGED_ORDER"],
            id="order",
        ),
        pytest.param(
            message("iPhone Mail (20A362)", "<1@a.example>"), ["MAILER_FORGED_ID"], id="iphone"
        ),
        pytest.param(
            message("Mozilla Thunderbird", UUID_ID, "b1_0123456789"),
            ["MAILER_FORGED_BOUNDARY"],
            id="thunderbird-with-the-boundary-of-a-script",
        ),
    ],
)
def test_forged_mail_betrays_itself(raw: bytes, found: list[str]) -> None:
    assert symbols_of(looked(MailersCheck(), raw)) == found


def test_an_id_that_a_server_on_the_way_wrote_is_told_apart() -> None:
    hop = b"Received: from x by mail.relay.example; Fri, 20 Nov 2026 12:00:00 +0000\r\n"
    raw = hop + message(OE, "<200211201200.gAKC00@mx.relay.example>", "", MIMEOLE)

    evidence = looked(MailersCheck(), raw)

    assert symbols_of(evidence) == ["MAILER_SERVER_ID"]
    assert evidence.findings[0].details == {"mailer": "Outlook Express"}


def test_an_id_with_the_name_of_our_own_server_is_forged() -> None:
    ours = b"Received: from x (x [192.0.2.7]) by mx.relay.example; Fri, 20 Nov 2026 12:00:00 +0000"
    raw = ours + b"\r\n" + message(OE, "<200211201200.gAKC00@mx.relay.example>", "", MIMEOLE)
    assert symbols_of(looked(MailersCheck(), raw)) == ["MAILER_FORGED_ID"]
