"""The client against a resolver as sites run it."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import uvloop

from milter.dns.client import DnsClient
from milter.dns.resolver import Answer, Outcome, Rrtype
from tests.support.unbound import running_unbound

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.slow, pytest.mark.debian]

_LONG = "x" * 250
_ZONE = f"""\
$ORIGIN example.
@ 900 IN SOA ns root 1 7200 900 86400 120
@ 900 IN NS ns
ns 300 IN A 127.0.0.1
mail 300 IN A 192.0.2.1
mail 300 IN A 192.0.2.2
mail 300 IN AAAA 2001:db8::1
@ 300 IN MX 10 Mail
@ 300 IN TXT "v=spf1 " "mx -all"
long 300 IN TXT {" ".join([f'"{_LONG}"'] * 12)}
www 60 IN CNAME web
web 300 IN CNAME mail
gone 60 IN CNAME nowhere
1.2.0.192.rev 300 IN PTR MAIL
many 300 IN A 198.51.100.1
"""
# For a busy machine: nothing here is about a resolver that is slow.
_TIMEOUT_S = 60
# As many short packets as the kernel keeps, by its own default, for a resolver that is not running
# just then; what comes beyond them is lost, and asked again only after the whole time.
_IN_FLIGHT = 128
# Between two tests that ask for one name.
_PASSED_S = 30
_MANY = "".join(f"many 300 IN A 198.51.{100 + i // 250}.{i % 250}\n" for i in range(2, 400))


@pytest.fixture(scope="module")
def unbound() -> Iterator[int]:
    with running_unbound(_ZONE + _MANY) as port:
        yield port


def ask(port: int, name: str, rrtype: Rrtype) -> Answer:
    async def run() -> Answer:
        with closing(DnsClient([("127.0.0.1", port)], _TIMEOUT_S, 2)) as client:
            return await client.resolve(name, rrtype)

    return asyncio.run(run())


def counted_down(ttl_s: int, published_s: int) -> bool:
    """Whether it is the published one, less what passed since unbound was asked before."""
    return max(published_s - _PASSED_S, 0) <= ttl_s <= published_s


@pytest.mark.parametrize(
    ("name", "rrtype", "records", "ttl_s"),
    [
        ("mail.example", "A", {"192.0.2.1", "192.0.2.2"}, 300),
        ("MAIL.example.", "AAAA", {"2001:db8::1"}, 300),
        ("example", "MX", {(10, "mail.example")}, 300),
        ("example", "TXT", {(b"v=spf1 ", b"mx -all")}, 300),
        ("www.example", "A", {"192.0.2.1", "192.0.2.2"}, 60),
        ("www.example", "CNAME", {"web.example"}, 60),
        ("1.2.0.192.rev.example", "PTR", {"mail.example"}, 300),
        ("example", "NS", {"ns.example"}, 900),
    ],
)
def test_resolve_record_of_a_real_resolver_is_read(
    unbound: int, name: str, rrtype: Rrtype, records: set[object], ttl_s: int
) -> None:
    answer = ask(unbound, name, rrtype)
    assert answer.outcome is Outcome.ANSWER
    assert set(answer.records) == records
    assert counted_down(answer.ttl_s, ttl_s)


def test_resolve_answer_too_long_for_udp_comes_over_tcp(unbound: int) -> None:
    assert ask(unbound, "long.example", "TXT").records == ((_LONG.encode(),) * 12,)
    assert len(ask(unbound, "many.example", "A").records) == 399


@pytest.mark.parametrize(
    ("name", "rrtype", "outcome", "ttl_s"),
    [
        ("nowhere.example", "A", Outcome.NXDOMAIN, 120),
        ("mail.example", "TXT", Outcome.NODATA, 120),
        ("gone.example", "A", Outcome.NXDOMAIN, 60),
        ("name.closed.test", "A", Outcome.REFUSED, 0),
    ],
)
def test_resolve_without_records_says_how_it_ended(
    unbound: int, name: str, rrtype: Rrtype, outcome: Outcome, ttl_s: int
) -> None:
    answer = ask(unbound, name, rrtype)
    assert answer == Answer(outcome, (), answer.ttl_s)
    assert counted_down(answer.ttl_s, ttl_s)


def test_resolve_many_questions_at_once_all_are_answered(unbound: int) -> None:
    async def run() -> list[Outcome]:
        server = ("127.0.0.1", unbound)
        with closing(DnsClient([server], _TIMEOUT_S, 2, in_flight=_IN_FLIGHT)) as client:
            asked = [client.resolve(f"n{i}.example", "A") for i in range(3000)]
            return [answer.outcome for answer in await asyncio.gather(*asked)]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(run()) == [Outcome.NXDOMAIN] * 3000
