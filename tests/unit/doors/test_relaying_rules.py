from __future__ import annotations

import pytest

from milter.core.address import Mailbox, parse_path
from milter.core.connection import Direction
from milter.doors.relaying_rules import RecipientDomains

OURS = RecipientDomains(["example.org", "*.example.net", "bücher.example"], Direction.INBOUND)


@pytest.mark.parametrize(
    "path",
    [
        "<a@example.org>",
        "<a@EXAMPLE.org.>",
        "<a@mail.example.net>",
        "<postmaster>",
        "<POSTMASTER@example.org>",
        "<a@xn--bcher-kva.example>",
        "<@relay.example:a@example.org>",
    ],
)
def test_recipient_of_ours_is_accepted(path: str) -> None:
    mailbox, _ = parse_path(path)
    assert mailbox is not None
    assert OURS.accept(mailbox)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("<a@other.example>", id="another domain"),
        pytest.param("<a@example.net>", id="a wildcard does not name its own domain"),
        pytest.param("<a@notexample.net>", id="a name that only ends alike"),
        pytest.param("<a%other.example@example.org>", id="percent hack"),
        pytest.param("<other.example!a@example.org>", id="bang path"),
        pytest.param('<"a@other.example"@example.org>', id="quoted at"),
        pytest.param("<@example.org:a@other.example>", id="source route through us"),
        pytest.param("<a@[192.0.2.1]>", id="address literal"),
    ],
)
def test_recipient_of_others_is_refused(path: str) -> None:
    mailbox, _ = parse_path(path)
    assert mailbox is not None
    assert not OURS.accept(mailbox)


def test_listener_without_domains_takes_everybody() -> None:
    assert RecipientDomains([], Direction.INBOUND).accept(Mailbox("a", "anywhere.example"))


@pytest.mark.parametrize(
    ("domains", "direction", "path", "ours"),
    [
        pytest.param([], "inbound", "<postmaster@any.example>", True, id="nobody said which"),
        pytest.param([], "outbound", "<postmaster@any.example>", False, id="somebody else's"),
        pytest.param([], "outbound", "<postmaster>", True, id="without a domain"),
        pytest.param(["a.example"], "inbound", "<Postmaster@A.example>", True, id="of our domain"),
        pytest.param(["a.example"], "inbound", "<postmaster@b.example>", False, id="of another"),
        pytest.param([], "inbound", "<user@any.example>", False, id="a user"),
    ],
)
def test_postmaster_is_ours_only_where_mail_is_ours(
    domains: list[str], direction: str, path: str, ours: bool
) -> None:
    mailbox, _ = parse_path(path)
    assert mailbox is not None
    assert RecipientDomains(domains, Direction(direction)).is_our_postmaster(mailbox) is ours
