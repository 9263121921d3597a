"""XFORWARD, XCLIENT and PROXY as bytes."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milter.relay.identity import helo_name, proxy_header, xclient, xforward, xtext
from tests.support.relay import a_client

if TYPE_CHECKING:
    from milter.core.connection import Connection

ALL_FORWARD = {"NAME", "ADDR", "PORT", "PROTO", "HELO", "IDENT", "SOURCE"}
ALL_CLIENT = {"NAME", "ADDR", "PORT", "PROTO", "HELO", "LOGIN", "DESTADDR", "DESTPORT"}


def test_xforward_names_every_offered_attribute() -> None:
    client = a_client(told_name="mail.client.example", ident="4ABC")

    (line,) = xforward(client, ALL_FORWARD)
    assert line == (
        b"XFORWARD NAME=mail.client.example ADDR=192.0.2.7 PORT=40000 PROTO=ESMTP"
        b" HELO=client.example IDENT=4ABC SOURCE=REMOTE\r\n"
    )


def test_xforward_only_offered_attributes_are_named() -> None:
    assert xforward(a_client(), {"ADDR", "HELO"}) == (
        b"XFORWARD ADDR=192.0.2.7 HELO=client.example\r\n",
    )


def test_xforward_nothing_offered_is_nothing_said() -> None:
    assert xforward(a_client(), set()) == ()


def test_xforward_unknown_values_are_unavailable() -> None:
    client = a_client(client_ip="2001:db8::1", client_port=0, helo_name="", local_source=True)

    (line,) = xforward(client, ALL_FORWARD)
    assert line == (
        b"XFORWARD NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::1 PORT=[UNAVAILABLE] PROTO=ESMTP"
        b" HELO=[UNAVAILABLE] IDENT=[UNAVAILABLE] SOURCE=LOCAL\r\n"
    )


def test_xclient_names_login_and_destination() -> None:
    client = a_client(
        account="user+tag@example.org",
        destination_ip=ip_address("198.51.100.1"),
        destination_port=25,
    )

    (line,) = xclient(client, ALL_CLIENT)
    assert line == (
        b"XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.7 PORT=40000 PROTO=ESMTP HELO=client.example"
        b" LOGIN=user+2Btag@example.org DESTADDR=198.51.100.1 DESTPORT=25\r\n"
    )


def test_xclient_login_too_long_is_not_somebody_elses() -> None:
    (line,) = xclient(a_client(account="u" * 300), {"LOGIN"})

    assert line == b"XCLIENT LOGIN=[UNAVAILABLE]\r\n"


def test_xforward_long_values_go_over_several_lines_of_512_octets() -> None:
    client = a_client(told_name="n" * 255, helo_name="h" * 255)

    lines = xforward(client, ALL_FORWARD)

    assert len(lines) > 1
    assert all(len(line) <= 512 for line in lines)
    assert b"".join(lines).count(b"h") == 255


hostile = st.text(max_size=400) | st.text(alphabet="+= \r\n\0é", max_size=400)


@given(hostile, hostile, hostile)
def test_identity_whatever_the_client_said_stays_inside_its_attribute(
    helo: str, name: str, account: str
) -> None:
    client = a_client(helo_name=helo, told_name=name, account=account, ident=helo)

    for line in (*xforward(client, ALL_FORWARD), *xclient(client, ALL_CLIENT)):
        assert len(line) <= 512
        assert line.endswith(b"\r\n")
        words = line[:-2].split(b" ")
        assert all(33 <= byte <= 126 for word in words for byte in word)
        assert all(word.count(b"=") == 1 for word in words[1:])


def test_xtext_plus_equals_and_blanks_are_escaped() -> None:
    assert xtext(b"a+b=c d\xff") == b"a+2Bb+3Dc+20d+FF"


@pytest.mark.parametrize("name", ["", "two words", "h\r\nMAIL", "ü.example", "x" * 256])
def test_helo_name_unfit_for_a_line_is_replaced_by_ours(name: str) -> None:
    assert helo_name(a_client(helo_name=name), "gate.example") == "gate.example"


def test_helo_name_of_the_client_is_kept() -> None:
    assert helo_name(a_client(helo_name="[192.0.2.7]"), "gate.example") == "[192.0.2.7]"


@pytest.mark.parametrize(
    ("client", "server", "header"),
    [
        pytest.param(
            None, None, b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", id="a-probe-of-our-own-is-local"
        ),
        pytest.param(
            a_client(client_ip="192.0.2.7"),
            ("198.51.100.1", 25),
            b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 25\r\n",
            id="ipv4-to-the-server-when-the-destination-is-unknown",
        ),
        pytest.param(
            a_client(destination_ip=ip_address("203.0.113.5"), destination_port=587),
            ("198.51.100.1", 25),
            b"PROXY TCP4 192.0.2.7 203.0.113.5 40000 587\r\n",
            id="ipv4-to-the-destination-that-the-client-reached",
        ),
        pytest.param(
            a_client(client_ip="2001:db8::1"),
            ("2001:db8::2", 25),
            b"PROXY TCP6 2001:db8::1 2001:db8::2 40000 25\r\n",
            id="ipv6",
        ),
        pytest.param(
            a_client(client_ip="2001:db8::1"),
            None,
            b"PROXY TCP6 2001:db8::1 :: 40000 0\r\n",
            id="a-unix-socket-has-no-address",
        ),
    ],
)
def test_proxy_header_says_what_it_can_in_version_1(
    client: Connection | None, server: tuple[str, int] | None, header: bytes
) -> None:
    address = (ip_address(server[0]), server[1]) if server else None

    assert proxy_header(client, address) == header


def test_proxy_header_version_2_where_the_families_differ() -> None:
    header = proxy_header(a_client(client_ip="2001:db8::1"), (ip_address("127.0.0.1"), 25))

    assert header[:12] == b"\r\n\r\n\0\r\nQUIT\n"
    assert header[12:16] == b"\x21\x21\x00\x24"
    assert header[16:32] == ip_address("2001:db8::1").packed
    assert header[32:48] == ip_address("::ffff:127.0.0.1").packed
    assert header[48:] == (40000).to_bytes(2) + (25).to_bytes(2)
