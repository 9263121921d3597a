from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milter.core.connection import Connection, Direction
from milter.core.ids import SessionId
from milter.smtp.client_identity import (
    XCLIENT_ATTRIBUTES,
    XFORWARD_ATTRIBUTES,
    apply_attributes,
    parse_attributes,
)
from milter.smtp.commands import CommandError

CONNECTION = Connection(SessionId("S"), "inbound", Direction.INBOUND, ip_address("127.0.0.1"))


def test_xclient_names_the_client() -> None:
    attributes = parse_attributes(
        b"NAME=mx.example.org ADDR=192.0.2.7 port=2525 LOGIN=al+2Bice HELO=mx PROTO=ESMTP",
        XCLIENT_ATTRIBUTES,
    )
    client = apply_attributes(CONNECTION, attributes)
    assert client.client_ip == ip_address("192.0.2.7")
    assert client.client_port == 2525
    assert client.told_name == "mx.example.org"
    assert client.account == "al+ice"
    assert client.helo_name == "mx"
    assert client.esmtp


def test_xforward_tells_local_mail() -> None:
    attributes = parse_attributes(b"SOURCE=LOCAL IDENT=4bX1", XFORWARD_ATTRIBUTES)
    client = apply_attributes(CONNECTION, attributes)
    assert (client.local_source, client.ident) == (True, "4bX1")


@pytest.mark.parametrize(
    ("value", "address"),
    [
        (b"IPV6:2001:db8::1", ip_address("2001:db8::1")),
        (b"IPv6:fe80::1%25eth0", ip_address("fe80::1")),
        (b"::ffff:192.0.2.1", ip_address("192.0.2.1")),
        (b"[UNAVAILABLE]", None),
    ],
)
def test_address_is_read_in_every_form(value: bytes, address: object) -> None:
    attributes = parse_attributes(b"ADDR=" + value, XCLIENT_ATTRIBUTES)
    assert apply_attributes(CONNECTION, attributes).client_ip == address


@pytest.mark.parametrize(
    "argument",
    [b"", b"ADDR", b"ADDR=", b"COLOUR=red", b"NAME=a+0Ab", b"IDENT=x", b"ADDR=1 2"],
)
def test_malformed_attributes_are_refused(argument: bytes) -> None:
    with pytest.raises(CommandError):
        parse_attributes(argument, XCLIENT_ATTRIBUTES)


@pytest.mark.parametrize("pair", [("ADDR", "192.0.2.300"), ("PORT", "65536"), ("PORT", "-1")])
def test_impossible_values_are_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(CommandError):
        apply_attributes(CONNECTION, dict([pair]))


@given(st.binary(max_size=120))
def test_any_argument_is_applied_or_refused(argument: bytes) -> None:
    try:
        attributes = parse_attributes(argument, XFORWARD_ATTRIBUTES)
        client = apply_attributes(CONNECTION, attributes)
    except CommandError:
        return
    assert "\n" not in client.helo_name
