from __future__ import annotations

import pytest

from milter.checks.identities import IdentitiesCheck
from milter.core.address import parse_mailbox
from tests.support.checks import a_transaction, looked, symbols_of


@pytest.mark.parametrize(
    ("header", "mail_from", "symbols"),
    [
        pytest.param("From: a@example.org", "b@mail.example.org", [], id="all-agree"),
        pytest.param("From: a@example.org", "b@other.example", ["MAIL_FROM_ELSEWHERE"], id="path"),
        pytest.param("From: a@example.org", None, [], id="null-path"),
        pytest.param(
            "From: a@example.org\r\nReply-To: a@other.example",
            None,
            ["REPLY_TO_ELSEWHERE"],
            id="reply",
        ),
        pytest.param(
            "From: a@example.org\r\nReply-To: a@gmail.com", None, ["REPLY_TO_FREE_MAIL"], id="free"
        ),
        pytest.param(
            "From: a@yahoo.com\r\nReply-To: a@gmail.com",
            None,
            ["REPLY_TO_ELSEWHERE"],
            id="both-free",
        ),
        pytest.param(
            "From: a@example.org\r\nReply-To: a@yahoo.co.uk",
            None,
            ["REPLY_TO_FREE_MAIL"],
            id="free-in-a-country",
        ),
        pytest.param(
            "From: a@example.org\r\nReply-To: a@yahoo.example",
            None,
            ["REPLY_TO_ELSEWHERE"],
            id="same-name-and-another-ending",
        ),
        pytest.param(
            "From: a@gmx.at\r\nReply-To: a@gmail.com",
            None,
            ["REPLY_TO_ELSEWHERE"],
            id="both-free-in-a-country",
        ),
        pytest.param(
            "From: Ann via Users <users@lists.example>\r\nReply-To: a@gmail.com\r\n"
            "List-Post: <mailto:Users@Lists.example>",
            None,
            ["REPLY_TO_ELSEWHERE"],
            id="list-in-the-place-of-the-author",
        ),
        pytest.param(
            "From: a@example.org\r\nReply-To: a@gmail.com\r\nList-Post: <mailto:u@lists.example>",
            None,
            ["REPLY_TO_FREE_MAIL"],
            id="of-no-list",
        ),
        pytest.param(
            "From: a@example.org\r\nReply-To: A <a@www.example.org>", None, [], id="reply-below"
        ),
        pytest.param(
            "From: a@example.org\r\nSender: a@other.example",
            None,
            ["SENDER_ELSEWHERE"],
            id="sender",
        ),
        pytest.param("From: boss@mine.example", None, ["FROM_OWN_DOMAIN"], id="own-domain"),
        pytest.param("From: a@bank", None, ["FROM_UNQUALIFIED"], id="bare-word"),
        pytest.param("From: a@[192.0.2.1]", None, [], id="address-literal"),
        pytest.param("From: a@x.firebaseapp.com", None, ["FROM_FREE_HOST"], id="app"),
        pytest.param("From: a@mail.x.onmicrosoft.com", None, ["FROM_FREE_HOST"], id="tenant"),
        pytest.param("From: a@onmicrosoft.com", None, [], id="whose-tenants-they-are"),
        pytest.param("Reply-To: a@gmail.com", None, [], id="no-author"),
    ],
)
def test_identities_at_odds_are_told(
    header: str, mail_from: str | None, symbols: list[str]
) -> None:
    txn = a_transaction(mail_from)._replace(recipients=(parse_mailbox("joe@mine.example"),))
    assert symbols_of(looked(IdentitiesCheck(), f"{header}\r\n\r\nx".encode(), txn)) == symbols
