from __future__ import annotations

from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.errors import ConfigErrors
from policies.lists import Kind, ListBuilder, LocalList, kind_of, read_list

_BEGIN = int(IPv4Address("11.0.0.0"))
FILE = b"""\
# partners, asked for on 2 March
192.0.2.0/24
2001:db8::/32     # their new network
198.51.100.7
example.net
.example
B\xc3\xbccher.example.org
Anna@Example.COM
d41d8cd98f00b204e9800998ecf8427e
"""


@pytest.fixture(scope="module", name="partners")
def _partners() -> LocalList:
    return read_list(FILE, "partners.txt")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("192.0.2.200", True, id="inside-a-network"),
        pytest.param("::ffff:192.0.2.200", True, id="mapped-address-inside-a-network"),
        pytest.param("192.0.3.0", False, id="behind-a-network"),
        pytest.param("2001:db8:ffff::1", True, id="ipv6-inside-a-network"),
        pytest.param("198.51.100.7", True, id="an-address"),
        pytest.param("example.net", True, id="a-domain"),
        pytest.param("Mail.EXAMPLE.net.", True, id="below-a-domain-in-capitals"),
        pytest.param("badexample.net", False, id="ends-like-a-domain"),
        pytest.param("net", False, id="above-a-domain"),
        pytest.param("any.name.example", True, id="below-a-top-level-domain"),
        pytest.param("xn--bcher-kva.example.org", True, id="international-domain-in-a-labels"),
        pytest.param("bücher.example.org", True, id="international-domain"),
        pytest.param("anna@example.com", True, id="a-mail-address"),
        pytest.param("bert@example.com", False, id="another-address-of-its-domain"),
        pytest.param("example.com", False, id="the-domain-of-an-address"),
        pytest.param("bert@mail.example.net", True, id="an-address-of-a-domain"),
        pytest.param("D41D8CD98F00B204E9800998ECF8427E", True, id="a-hash-in-capitals"),
        pytest.param("", False, id="nothing"),
        pytest.param("." * 5000, False, id="dots"),
        pytest.param("@", False, id="an-at-sign"),
    ],
)
def test_list_has_what_stands_in_its_file(partners: LocalList, text: str, expected: bool) -> None:
    assert partners.has(text) is expected


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        ("192.0.2.0/33", "no address or network"),
        ("192.0.2.7/24", "begins inside its network: write 192.0.2.0/24"),
        ("192.0.2", "no address or network"),
        ("192.0.2.256", "no address or network"),
        ("*.example.net", "write example.net, which stands for all below it too"),
        ("example", "no domain such as example.org; a top-level one is written .example"),
        ("exam ple.net", "no domain"),
        ("-a.example", "no domain"),
        ("@example.net", "no mail address"),
        ("a@b", "no domain"),
        ("http://example.net/", "no address or network"),
    ],
)
def test_list_file_mistake_is_told_at_its_line(line: str, mistake: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        read_list(f"example.org\n  {line}\n".encode(), "bad.txt")

    (told,) = caught.value.errors
    assert (told.path, told.line, told.column) == ("bad.txt", 2, 3)
    assert mistake in told.what


def test_list_file_tells_all_its_mistakes() -> None:
    with pytest.raises(ConfigErrors) as caught:
        read_list(b"one\nexample.org\ntwo\n", "bad.txt")
    assert [err.line for err in caught.value.errors] == [1, 3]


def test_list_file_that_is_not_utf8_is_told_at_its_line() -> None:
    with pytest.raises(ConfigErrors) as caught:
        read_list(b"example.org\n\xff\n", "bad.txt")
    assert caught.value.errors[0].line == 2


@given(st.binary(max_size=200))
def test_list_of_any_bytes_is_a_list_or_mistakes(data: bytes) -> None:
    with suppress(ConfigErrors):
        assert read_list(data, "any.txt").has("") is False


@given(st.text(max_size=100))
def test_list_answers_whatever_is_asked(text: str) -> None:
    assert read_list(FILE, "partners.txt").has(text) in {True, False}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("a@example.org", Kind.MAILBOX),
        ("192.0.2.1", Kind.NETWORK),
        ("2001:db8::", Kind.NETWORK),
        ("example.org", Kind.DOMAIN),
        ("a" * 40, Kind.HASH),
        ("a" * 39, Kind.DOMAIN),
    ],
)
def test_kind_shows_in_the_form(text: str, kind: Kind) -> None:
    assert kind_of(text) is kind


def test_builder_takes_an_entry_of_the_named_kind_alone() -> None:
    builder = ListBuilder()
    with pytest.raises(ValueError, match="no mail address"):
        builder.add("example.org", Kind.MAILBOX)


def test_builder_gathers_entries_and_files() -> None:
    builder = ListBuilder()
    builder.add("192.0.2.1", Kind.NETWORK)
    builder.add_file(b"example.org\n", "more.txt")
    built = builder.build()
    assert len(built) == 2
    assert built.has_address(IPv4Address("192.0.2.1"))
    assert built.has_domain("www.example.org")
    assert not built.has_address(IPv6Address("2001:db8::1"))


@pytest.mark.slow
def test_file_of_a_million_networks_is_read_and_asked() -> None:
    # Every other /30 of two million, each its own range, with some of IPv6 between.
    networks = [f"{IPv4Address(_BEGIN + 8 * i)}/30\n" for i in range(900_000)]
    networks += [f"2001:{i:x}:{j:x}::/48\n" for i in range(100) for j in range(0, 2000, 2)]

    found = read_list("".join(networks).encode(), "networks.txt")

    assert len(found) == 1_000_000
    for i in (0, 1, 449_999, 899_999):
        asked = [found.has_address(IPv4Address(_BEGIN + 8 * i + at)) for at in (-1, 0, 3, 4)]
        assert asked == [False, True, True, False]
    assert found.has("2001:63:7ce:ffff::1")
    assert not found.has("2001:63:7cf::1")
