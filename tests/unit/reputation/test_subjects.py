from __future__ import annotations

from ipaddress import ip_address

import pytest

from reputation.subjects import Kind, Subject, network_of, pair, parse_subjects


@pytest.mark.parametrize(
    ("text", "subjects"),
    [
        pytest.param("192.0.2.7", ["address:192.0.2.7", "network:192.0.2.0/24"], id="address"),
        pytest.param(
            "2001:DB8::7", ["address:2001:db8::7", "network:2001:db8::/64"], id="address-of-six"
        ),
        pytest.param("192.0.2.0/24", ["network:192.0.2.0/24"], id="network"),
        pytest.param("2001:DB8::7/64", ["network:2001:db8::/64"], id="network-of-six"),
        pytest.param("helo:MX.example", ["helo:mx.example"], id="kind-and-name"),
        pytest.param("A@b.example c@d.example", ["pair:a@b.example c@d.example"], id="pair"),
        pytest.param(
            "Example.org.",
            [
                f"{kind}:example.org"
                for kind in (
                    *("author_domain", "claimed_domain", "mail_from_domain", "dkim_domain"),
                    *("url_domain", "helo"),
                )
            ],
            id="domain",
        ),
    ],
)
def test_parse_subjects_takes_what_a_person_writes(text: str, subjects: list[str]) -> None:
    assert [str(one) for one in parse_subjects(text)] == subjects


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "a@b.example",
        "two words",
        "thing:name",
        "helo:",
        "192.0.2.0/16",
        "a/b",
        "192.0.2.7/32",
    ],
)
def test_parse_subjects_refuses_what_means_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse_subjects(text)


def test_key_with_a_secret_tells_nothing_and_differs_by_kind() -> None:
    one, other = Subject(Kind.HELO, "example.org"), Subject(Kind.DKIM_DOMAIN, "example.org")

    assert one.key(None) == b"helo:example.org"
    assert b"example" not in one.key(b"secret")
    assert len({one.key(b"secret"), other.key(b"secret"), one.key(b"another")}) == 3


def test_key_of_a_name_without_end_is_bounded() -> None:
    assert len(Subject(Kind.HELO, "x" * 100_000).key(None)) < 400


def test_network_and_pair_are_one_for_all_spellings() -> None:
    assert network_of(ip_address("2001:db8::1")) == network_of(ip_address("2001:DB8:0:0:ff::1"))
    assert pair("A@B", "c@d") == pair("a@b", "C@d")
