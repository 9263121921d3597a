from __future__ import annotations

import pytest

from milter.message.addresses import Address, parse_addresses
from milter.message.guard import Notes


def boxes(*values: bytes) -> tuple[list[tuple[str, str, str]], bool]:
    parsed = parse_addresses(list(values), Notes())
    shown = [(a.display_name, a.local_part, a.domain) for a in parsed.addresses]
    return shown, parsed.guessed


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(b"a@Example.ORG", [("", "a", "example.org")], id="bare"),
        pytest.param(b"Ann <a@b.example>", [("Ann", "a", "b.example")], id="named"),
        pytest.param(
            b'"Doe, Ann" <a@b.example>', [("Doe, Ann", "a", "b.example")], id="comma-in-quotes"
        ),
        pytest.param(
            b"a@b.example (Ann, of B)", [("Ann, of B", "a", "b.example")], id="name-in-comment"
        ),
        pytest.param(b"a(x)@(y(z))b.example", [("", "a", "b.example")], id="nested-comments"),
        pytest.param(
            b'"x@paypal.example" <a@b.example>',
            [("x@paypal.example", "a", "b.example")],
            id="name-that-looks-like-an-address",
        ),
        pytest.param(
            b"x@paypal.example <a@b.example>",
            [("x@paypal.example", "a", "b.example")],
            id="unquoted-name-that-looks-like-an-address",
        ),
        pytest.param(
            b"a@b.example, C <c@d.example>",
            [("", "a", "b.example"), ("C", "c", "d.example")],
            id="two",
        ),
        pytest.param(
            b"team: a@b.example, c@d.example;",
            [("", "a", "b.example"), ("", "c", "d.example")],
            id="group",
        ),
        pytest.param(
            b"<@x.example,@y.example:a@b.example>", [("", "a", "b.example")], id="source-route"
        ),
        pytest.param(b'"a b"@c.example', [("", '"a b"', "c.example")], id="quoted-local-part"),
        pytest.param(b"a @ b . example", [("", "a", "b.example")], id="space-around-signs"),
        pytest.param(
            b"=?utf-8?Q?J=C3=BCrgen=2C_B=2E?= <a@b.example>",
            [("Jürgen, B.", "a", "b.example")],
            id="encoded-comma-is-no-separator",
        ),
        pytest.param(b"a@[192.0.2.1]", [("", "a", "[192.0.2.1]")], id="literal"),
        pytest.param(
            "a@bücher.example".encode(), [("", "a", "xn--bcher-kva.example")], id="u-label"
        ),
        pytest.param(b"Ann :( <a@b.example>", [("", "a", "b.example")], id="sad-face"),
        pytest.param(b"undisclosed-recipients:;", [], id="empty-group"),
        pytest.param(
            rb'"A \"B\" C" <a@b.example>', [('A "B" C', "a", "b.example")], id="quotes-in-quotes"
        ),
        pytest.param(
            rb'"Pay\Pal" <a@b.example>', [("PayPal", "a", "b.example")], id="needless-quoted-pair"
        ),
        pytest.param(
            b"<a@b.example> (Ann), c@d.example",
            [("Ann", "a", "b.example"), ("", "c", "d.example")],
            id="comment-is-the-name-of-one",
        ),
    ],
)
def test_parse_addresses_sees_the_mailboxes_of_good_lists(
    value: bytes, expected: list[tuple[str, str, str]]
) -> None:
    assert boxes(value) == (expected, False)


@pytest.mark.parametrize(
    ("value", "domains"),
    [
        pytest.param(b"nobody", [], id="no-address"),
        pytest.param(b"<>", [], id="empty-brackets"),
        pytest.param(b"<a@b.example", ["b.example"], id="bracket-never-closed"),
        pytest.param(b"<a@b.example, c@d.example", ["b.example", "d.example"], id="open-and-comma"),
        pytest.param(b"a@b@c.example", ["b", "c.example"], id="two-at-signs"),
        pytest.param(
            b"=?utf-8?q?a=40bank.example?=@b.example",
            ["bank.example", "b.example"],
            id="encoded-local-part",
        ),
        pytest.param(b"=?utf-8?q?a=40b.example?=", ["b.example"], id="encoded-address"),
        pytest.param(
            b"=?utf-8?q?A_=3Ca=40b.example=3E?=", ["b.example"], id="encoded-name-and-address"
        ),
        pytest.param(b"A <=?utf-8?q?a=40b.example?=>", ["b.example"], id="encoded-in-brackets"),
        pytest.param(b"a@=?utf-8?q?b.example?=", ["b.example"], id="encoded-domain"),
        pytest.param(b'"A <a@b.example>', ["b.example"], id="quote-never-closed"),
        pytest.param(
            b"a@b.example: c@d.example;", ["b.example", "d.example"], id="address-as-group"
        ),
        pytest.param(b"a@b.example c@d.example", ["b.example", "d.example"], id="two-words"),
        pytest.param(b"<a@b.example> c@d.example", ["b.example", "d.example"], id="one-behind"),
        pytest.param(b"<a@b.example> tail", ["b.example"], id="words-behind"),
        pytest.param(b"<a@b.example><c@d.example>", ["b.example", "d.example"], id="two-brackets"),
        pytest.param(b"a@b..example", ["b..example"], id="empty-label"),
        pytest.param(b"@b.example", ["b.example"], id="no-local-part"),
        pytest.param(b"a@.b.example", [".b.example", "b.example"], id="dot-before"),
        pytest.param(b"a@[b.example]", ["[b.example]", "b.example"], id="name-in-brackets"),
        pytest.param(b"a@b\0.example", ["b\0.example", "b.example"], id="nul"),
        pytest.param(b"a@.", [], id="root-alone"),
        pytest.param(b"some words a@b.example", ["b.example"], id="words-before"),
    ],
)
def test_parse_addresses_broken_lists_are_guessed_at(value: bytes, domains: list[str]) -> None:
    shown, guessed = boxes(value)
    assert [box[2] for box in shown] == domains
    assert guessed


@pytest.mark.parametrize(
    "unseen",
    ["\u200e", "\u061c", "\u200d", "\u202c", "\u2066", "\x81"],
    ids=["lrm", "alm", "joiner", "pop", "isolate", "control"],
)
@pytest.mark.parametrize("shown", ["a@{}b.example", "a@b{}.example", "<a@b.example{}>"])
def test_parse_addresses_names_also_the_domain_that_a_reader_sees(shown: str, unseen: str) -> None:
    value = shown.format(unseen).encode()

    addresses, guessed = boxes(value)

    assert [domain.replace(unseen, "") for _, _, domain in addresses] == ["b.example"] * 2
    assert addresses[-1][2] == "b.example"
    assert guessed


def test_parse_addresses_joiner_that_its_script_needs_is_part_of_the_name() -> None:
    addresses, guessed = boxes("a@\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.example".encode())

    assert [domain for _, _, domain in addresses] == ["xn--mgba3gch31f060k.example"]
    assert not guessed


def test_parse_addresses_takes_several_fields_together() -> None:
    parsed = parse_addresses([b"a@b.example", b"c@d.example"], Notes())
    assert parsed.addresses == (Address("", "a", "b.example"), Address("", "c", "d.example"))
