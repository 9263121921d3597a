"""Received fields as hosts write them, and as those write them who want to be believed."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milter.core.connection import Connection, Direction
from milter.core.ids import SessionId
from milter.message.received import Received, Route, hops_outside, parse_received, trusted_route

DATE = "; Tue, 24 Nov 2026 10:00:00 +0000"
RELAY, BACKUP = IPv4Address("192.0.2.10"), IPv4Address("192.0.2.11")
TRUSTED = frozenset({RELAY, BACKUP})


def read(clauses: str) -> Received:
    return parse_received((clauses + DATE).encode())


@pytest.mark.parametrize(
    ("clauses", "helo", "address"),
    [
        pytest.param(
            "from mail.example (rdns.example [198.51.100.7])\r\n\tby mx.example.org (Postfix)"
            " with ESMTPS id 4X\r\n\tfor <a@example.org>",
            *("mail.example", "198.51.100.7"),
            id="postfix",
        ),
        pytest.param(
            "from mail.example (unknown [IPv6:2001:db8::7]) by mx (Postfix) with ESMTP id 4X",
            *("mail.example", "2001:db8::7"),
            id="postfix-ipv6",
        ),
        pytest.param(
            "from rdns.example ([198.51.100.7] helo=mail.example) by mx with esmtps (Exim 4.98)",
            *("mail.example", "198.51.100.7"),
            id="exim",
        ),
        pytest.param(
            "from [198.51.100.7] (helo=mail.example) by mx with esmtp (Exim 4.98) id 1A",
            *("mail.example", "198.51.100.7"),
            id="exim-without-a-reverse-name",
        ),
        pytest.param(
            "from [198.51.100.7] by mx with esmtp (Exim 4.98) (envelope-from <a@x>) id 1A",
            *("[198.51.100.7]", None),
            id="exim-comment-is-not-behind-by",
        ),
        pytest.param(
            "from [198.51.100.7] by mx (Exim 4.98) with esmtp id 1A",
            *("[198.51.100.7]", "198.51.100.7"),
            id="exim-with-a-literal",
        ),
        pytest.param(
            "from mail.example (rdns.example [198.51.100.7] (may be forged)) by mx (8.18.1/8.18.1)",
            *("mail.example", "198.51.100.7"),
            id="sendmail-may-be-forged",
        ),
        pytest.param(
            "from mail.example (IDENT:me@[198.51.100.7]) by mx (8.18.1/8.18.1) with SMTP id x",
            *("mail.example", "198.51.100.7"),
            id="sendmail-ident",
        ),
        pytest.param(
            "from unknown (HELO mail.example) (198.51.100.7) by mx with SMTP",
            *("mail.example", "198.51.100.7"),
            id="qmail",
        ),
        pytest.param(
            "from unknown (HELO mail.example) (me@198.51.100.7) by mx with SMTP",
            *("mail.example", "198.51.100.7"),
            id="qmail-ident",
        ),
        pytest.param(
            "from A.example (198.51.100.7) by B.example (10.1.1.1) with Microsoft SMTP id 1",
            *("A.example", "198.51.100.7"),
            id="exchange",
        ),
        pytest.param(
            "from A.example (2001:db8:0:1::7) by B.example (2001:db8::1) with SMTP id 15",
            *("A.example", "2001:db8:0:1::7"),
            id="exchange-ipv6",
        ),
        pytest.param(
            "from mail-x.example (mail-x.example. [198.51.100.7]) by mx.example with ESMTPS id a",
            *("mail-x.example", "198.51.100.7"),
            id="final-dot",
        ),
        pytest.param(
            "from mail.example ([198.51.100.7]:40122) by mx (OpenSMTPD) with ESMTP id a",
            *("mail.example", "198.51.100.7"),
            id="with-a-port",
        ),
        pytest.param(
            "from mail.example (unknown [::ffff:198.51.100.7]) by mx with ESMTP",
            *("mail.example", "198.51.100.7"),
            id="mapped",
        ),
        pytest.param(
            "from [198.51.100.7] (account a@example HELO [10.1.1.1]) by mx (CommuniGate)",
            *("[198.51.100.7]", None),
            id="unknown-comment-is-not-guessed-at",
        ),
        pytest.param("by mx.example (Postfix, from userid 0) id 4X", "", None, id="no-network"),
        pytest.param("(qmail 1234 invoked by uid 89)", "", None, id="no-clauses"),
        pytest.param("from mail.example by mx with SMTP", "mail.example", None, id="no-address"),
    ],
)
def test_parse_received_as_hosts_write_it(clauses: str, helo: str, address: str | None) -> None:
    said = read(clauses)
    assert said.helo_name == helo
    assert said.client_ip == (ip_address(address) if address else None)


def test_parse_received_tells_the_writer_and_the_protocol() -> None:
    said = read("from a (b [198.51.100.7]) by mx.example.org (Postfix) with ESMTPSA id 1 for <x@y>")
    assert (said.by, said.protocol) == ("mx.example.org", "ESMTPSA")


@pytest.mark.parametrize(
    "clauses",
    [
        pytest.param("from [10.9.9.9] (rdns [198.51.100.7]) by mx (Postfix)", id="literal-as-helo"),
        pytest.param("from by (rdns [198.51.100.7]) by mx (Postfix)", id="helo-is-a-keyword"),
        pytest.param("from from (rdns [198.51.100.7]) by mx (Postfix)", id="helo-is-from"),
        pytest.param("from id (rdns [198.51.100.7]) by mx (Postfix)", id="helo-is-id"),
        pytest.param("from x ([198.51.100.7] helo=[10.9.9.9]) by mx (Exim 4.98)", id="exim-helo"),
        pytest.param("from [198.51.100.7] (helo=[10.9.9.9]) by mx (Exim 4.98)", id="exim-no-rdns"),
        pytest.param("from x ([198.51.100.7] helo=x ident=[10.9.9.9]) by mx", id="exim-ident"),
        pytest.param("from x (IDENT:[10.9.9.9] [198.51.100.7]) by mx", id="sendmail-ident"),
        pytest.param("from x (HELO [10.9.9.9]) (198.51.100.7) by mx", id="qmail-helo"),
        pytest.param("from x (HELO 10.9.9.9) ([10.9.9.9]@198.51.100.7) by mx", id="qmail-ident"),
        pytest.param("from (x [198.51.100.7]) by mx (y [10.9.9.9])", id="no-helo"),
    ],
)
def test_parse_received_is_not_led_astray_by_what_the_client_chose(clauses: str) -> None:
    assert read(clauses).client_ip in (ip_address("198.51.100.7"), None)


@pytest.mark.parametrize(
    "clauses",
    [
        pytest.param("from x(rdns [198.51.100.7] by mx", id="comment-without-an-end"),
        pytest.param("from x (rdns [198.51.100.777]) by mx", id="no-address"),
        pytest.param("from [10.9.9.9] by mx (Postfix)", id="only-what-the-client-said"),
        pytest.param("from x (10.9.9.9 or so) by mx", id="words-around-it"),
        pytest.param("from 10.9.9.9 by mx (Exim 4.98)", id="a-name-of-digits"),
    ],
)
def test_parse_received_says_nothing_where_it_is_not_sure(clauses: str) -> None:
    assert read(clauses).client_ip is None


def field(helo: str, address: str) -> bytes:
    return f"from {helo} (unknown [{address}]) by mx (Postfix) with ESMTP id 1{DATE}".encode()


FORGED = field("bank.example", "203.0.113.5")


def test_trusted_route_ends_at_the_first_client_that_is_not_ours() -> None:
    values = [field("mail.example", "198.51.100.7"), FORGED]
    route = trusted_route(values, TRUSTED)
    assert route.client == read("from mail.example (unknown [198.51.100.7]) by mx with ESMTP")
    assert route.hops == (route.client,)


def test_trusted_route_goes_on_through_our_own_hosts_and_through_their_filters() -> None:
    values = [
        field("backup", str(BACKUP)),
        field("localhost", "127.0.0.1"),
        field("mail.example", "198.51.100.7"),
        FORGED,
    ]
    route = trusted_route(values, TRUSTED)
    assert route.client is not None
    assert route.client.helo_name == "mail.example"
    assert [str(hop.client_ip) for hop in route.hops] == [
        *("192.0.2.11", "127.0.0.1", "198.51.100.7"),
    ]


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([], id="none"),
        pytest.param([f"by relay (Postfix, userid 0){DATE}".encode(), FORGED], id="no-network"),
        pytest.param([f"from x by relay{DATE}".encode(), FORGED], id="not-told"),
        pytest.param([field("backup", str(BACKUP))], id="began-inside"),
        pytest.param([field("backup", str(BACKUP))] * 200 + [FORGED], id="loop"),
    ],
)
def test_trusted_route_without_a_client_does_not_take_the_next_best(values: list[bytes]) -> None:
    route = trusted_route(values, TRUSTED)
    assert route.client is None
    assert len(route.hops) <= 100


_WORDS = (
    *("from", "by", "with", "(", ")", "[192.0.2.10]", "[198.51.100.7]", "(a [203.0.113.5])"),
    *("helo=", "HELO ", ";", '"', "\\", "%eth0", "[IPv6:::1]", "((((", "))))", "\r\n\t"),
    *("127.0.0.1", "\xff", "(Exim 4)"),
)
WORDS = st.sampled_from(_WORDS)


@given(st.lists(WORDS, max_size=30).map("".join), st.binary(max_size=40))
def test_parse_received_of_anything_returns(text: str, octets: bytes) -> None:
    said = parse_received(text.encode("latin-1") + octets)
    assert said.client_ip is None or said.client_ip.version in (4, 6)


@given(st.lists(st.lists(WORDS, max_size=12).map(" ".join), max_size=6))
def test_trusted_route_never_looks_below_the_line_of_trust(below: list[str]) -> None:
    top = field("mail.example", "198.51.100.7")
    route = trusted_route([top, *(text.encode("latin-1") for text in below)], TRUSTED)
    assert route == Route((parse_received(top),), parse_received(top))


CLIENT, ELSE = b"from x (x [203.0.113.7]) by y; z", b"from x (x [198.51.100.9]) by y; z"
FROM_RELAY = b"from x (x [192.0.2.10]) by y; z"


@pytest.mark.parametrize(
    ("values", "outside"),
    [
        pytest.param([], [], id="none"),
        pytest.param([ELSE, CLIENT], [ELSE, CLIENT], id="none-of-ours"),
        pytest.param([CLIENT, ELSE], [ELSE], id="a-server-in-front"),
        pytest.param([FROM_RELAY, CLIENT, ELSE], [ELSE], id="a-server-in-front-and-a-relay"),
        pytest.param([CLIENT] * 200, [], id="a-client-that-writes-its-own-address"),
    ],
)
def test_hops_outside_are_those_that_no_server_of_ours_wrote(
    values: list[bytes], outside: list[bytes]
) -> None:
    client = ip_address("203.0.113.7")
    connection = Connection(
        SessionId("S"), "inbound", Direction.INBOUND, client_ip=client, relays=(RELAY,)
    )
    assert list(hops_outside(values, connection)) == outside


def test_hops_outside_of_a_client_without_address_are_all() -> None:
    connection = Connection(SessionId("S"), "inbound", Direction.INBOUND)
    assert hops_outside([b"from x by y; z"], connection) == [b"from x by y; z"]
