from __future__ import annotations

import pytest

from milter.checks.lookalike import LookalikeCheck
from milter.core.address import parse_mailbox
from tests.support.checks import a_transaction, looked, symbols_of

CHECK = LookalikeCheck(["bank.example"])


@pytest.mark.parametrize(
    ("message", "symbols"),
    [
        pytest.param("From: a@b.example\r\n\r\nx", [], id="nobody"),
        pytest.param("From: PayPal <service@paypal.com>\r\n\r\nx", [], id="the-real-one"),
        pytest.param("From: a@paypa1.com\r\n\r\nx", ["LOOKALIKE_HIGH"], id="author"),
        pytest.param(
            "From: a@b.example\r\nReply-To: a@paypal-help.net\r\n\r\nx",
            ["LOOKALIKE_MEDIUM"],
            id="reply-to",
        ),
        pytest.param(
            "From: a@b.example\r\n\r\nhttps://www.bank.example.evil.net/",
            ["LOOKALIKE_HIGH"],
            id="link-to-the-site's-own-brand",
        ),
        pytest.param(
            "From: a@amazon.de.evil.net\r\n\r\nx", ["LOOKALIKE_HIGH"], id="brand-of-a-country"
        ),
        pytest.param(
            "From: a@tax.gov.uk.evil.net\r\n\r\nx", ["FROM_DOMAIN_IN_HOST"], id="domain-in-author"
        ),
        pytest.param(
            "From: a@b.example\r\nReply-To: a@stall.com-x.net\r\n\r\nx",
            ["FROM_DOMAIN_IN_HOST"],
            id="domain-in-reply-to",
        ),
        pytest.param("From: a@yahoo.com.invalid\r\n\r\nx", [], id="as-lists-write-authors"),
        pytest.param("From: a@recreation.example\r\n\r\nx", [], id="recipient"),
        pytest.param("From: a@recipiemt.example\r\n\r\nx", ["LOOKALIKE_HIGH"], id="own-domain"),
        pytest.param(
            "From: PayPaI Service <a@b.example>\r\n\r\nx", ["FROM_NAME_BRAND"], id="capital-i-for-l"
        ),
        pytest.param("From: P a y P a l <a@b.example>\r\n\r\nx", ["FROM_NAME_BRAND"], id="spaced"),
        pytest.param("From: РayРal <a@b.example>\r\n\r\nx", ["FROM_NAME_BRAND"], id="cyrillic"),
        pytest.param(
            'From: "service@paypal.com" <a@b.example>\r\n\r\nx',
            ["FROM_NAME_ADDRESS", "FROM_NAME_BRAND"],
            id="address-as-a-name",
        ),
        pytest.param(
            "From: Bank of America <a@b.example>\r\n\r\nx", ["FROM_NAME_BRAND"], id="three-words"
        ),
        pytest.param("From: PayPal\u2122 <a@b.example>\r\n\r\nx", ["FROM_NAME_BRAND"], id="mark"),
        pytest.param("From: DHL Express <a@b.example>\r\n\r\nx", ["FROM_NAME_BRAND"], id="short"),
        pytest.param("From: PayPa1 <a@b.example>\r\n\r\nx", ["FROM_NAME_BRAND"], id="digit"),
        pytest.param("From: Arnazon <a@b.example>\r\n\r\nx", ["FROM_NAME_BRAND"], id="two-for-one"),
        pytest.param("From: PayPalService <a@b.example>\r\n\r\nx", ["FROM_NAME_BRAND"], id="hump"),
        pytest.param("From: DHLExpress <a@b.example>\r\n\r\nx", ["FROM_NAME_BRAND"], id="humps"),
        pytest.param("From: Ledger <a@b.example>\r\n\r\nx", ["FROM_NAME_BRAND"], id="word-alone"),
        pytest.param(
            "From: Apple Support <a@b.example>\r\n\r\nx", ["FROM_NAME_BRAND"], id="word-of-service"
        ),
        pytest.param("From: Apple Lee <a@b.example>\r\n\r\nx", [], id="person-of-that-name"),
        pytest.param("From: Apple <a@b.example>\r\n\r\nx", [], id="first-name"),
        pytest.param("From: General Ledger <a@b.example>\r\n\r\nx", [], id="a-word-of-theirs"),
        pytest.param("From: Office Team <a@b.example>\r\n\r\nx", [], id="an-office"),
        pytest.param("From: Adobe Sign <a@adobesign.com>\r\n\r\nx", [], id="word-in-the-domain"),
        pytest.param("From: iCloud <a@email.apple.com>\r\n\r\nx", [], id="of-one-company"),
        pytest.param("From: M. <a@sharepointonline.com>\r\n\r\nx", [], id="another-of-its-domains"),
        pytest.param(
            "From: Microsoft 365 <a@outlook.com>\r\n\r\nx", ["FROM_NAME_BRAND"], id="anybody's"
        ),
        pytest.param(
            'From: "ann@gmail.com" <users@lists.example>\r\n\r\nx',
            ["FROM_NAME_ADDRESS"],
            id="free-address-as-a-name",
        ),
        pytest.param("From: Recipient IT <a@b.example>\r\n\r\nx", ["FROM_NAME_OWN"], id="own-name"),
        pytest.param("From: Recipient <a@recipient.example>\r\n\r\nx", [], id="our-own-domain"),
        pytest.param("From: Bank <a@b.example>\r\n\r\nx", ["FROM_NAME_BRAND"], id="site's-brand"),
        pytest.param(
            'From: "a@b.example" <a@mail.b.example>\r\n\r\nx', [], id="own-address-as-name"
        ),
    ],
)
def test_lookalikes_are_found(message: str, symbols: list[str]) -> None:
    txn = a_transaction()._replace(recipients=(parse_mailbox("joe@recipient.example"),))
    assert symbols_of(looked(CHECK, message.encode(), txn)) == symbols
