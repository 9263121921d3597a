from __future__ import annotations

import pytest

from milter.checks.bulk import BulkCheck
from tests.support.checks import looked, symbols_of

_HTTPS = "List-Unsubscribe: <https://example.org/u?1>, <mailto:u@example.org>"
_POST = "List-Unsubscribe-Post: List-Unsubscribe=One-Click"


@pytest.mark.parametrize(
    ("header", "symbols"),
    [
        pytest.param("From: a@example.org", [], id="from-one-to-one"),
        pytest.param(
            "List-Id: Users <users.example.org>\r\nList-Post: <mailto:users@example.org>\r\n"
            "Precedence: list",
            ["BULK_LIST"],
            id="list",
        ),
        pytest.param("Precedence: bulk", ["BULK_MAIL", "BULK_NO_UNSUBSCRIBE"], id="bulk"),
        pytest.param("Precedence: bulk\r\nAuto-Submitted: auto-replied", [], id="who-is-away"),
        pytest.param("Precedence: bulk\r\nAuto-Submitted: auto-generated", [], id="a-notice"),
        pytest.param(
            "Precedence: bulk\r\nAuto-Submitted: no",
            ["BULK_MAIL", "BULK_NO_UNSUBSCRIBE"],
            id="by-a-person",
        ),
        pytest.param("Feedback-ID: 1.eu-west-1.x:AmazonSES", [], id="receipt-by-ses"),
        pytest.param("X-SG-EID: u001.x", [], id="receipt-by-sendgrid"),
        pytest.param("X-Campaign: 1", ["BULK_MAIL", "BULK_NO_UNSUBSCRIBE"], id="campaign"),
        pytest.param(f"{_HTTPS}\r\n{_POST}", ["BULK_MAIL", "BULK_ONE_CLICK"], id="one-click"),
        pytest.param(_HTTPS, ["BULK_MAIL"], id="unsubscribe-without-one-click"),
        pytest.param(
            f"List-Unsubscribe: <mailto:u@example.org>\r\n{_POST}",
            ["BULK_MAIL"],
            id="by-mail-alone",
        ),
        pytest.param(
            "List-Unsubscribe: https://example.org/u",
            ["BULK_MAIL", "BULK_UNSUBSCRIBE_INVALID"],
            id="without-brackets",
        ),
    ],
)
def test_mail_to_many_is_told(header: str, symbols: list[str]) -> None:
    assert symbols_of(looked(BulkCheck(), f"{header}\r\n\r\nx".encode())) == symbols
