"""Asks name servers over UDP, and over TCP what was cut (RFC 1035 §4.2, RFC 7766 §5).

dnspython reads and writes the packets and checks that an answer belongs to its question; here are
the order of servers, the tries, and what each way of ending means. No cache (see `cache`), no
DNSSEC: the servers are the site's own resolvers, which validate.
"""

from __future__ import annotations

import asyncio
import contextlib
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

import dns.asyncquery
import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.resolver
from dns.rdtypes.ANY.CNAME import CNAME
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.NS import NS
from dns.rdtypes.ANY.PTR import PTR
from dns.rdtypes.ANY.TXT import TXT

from milter.core.errors import ParseError
from milter.dns.names import canonical_name
from milter.dns.resolver import Answer, Outcome, Rdata, Rrtype
from milter.settings.places import parse_place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dns.rdata import Rdata as WireRdata

    from milter.settings import Dns

# The size that passes any path unfragmented; fragments are lost, and can be forged (RFC 9715 §3.2).
_EDNS_PAYLOAD: Final = 1232
# Each query is a socket: a flood of mail must not use up the process's descriptors.
_MAX_IN_FLIGHT: Final = 256
# A TCP answer holds thousands of records; nobody who means well needs that many.
_MAX_RECORDS: Final = 500
_PORT: Final = 53
_RETRY: Final = frozenset({Outcome.SERVFAIL, Outcome.REFUSED, Outcome.TIMEOUT})


class DnsClient:
    """A stub resolver over given name servers; implements `Resolver`.

    Args:
        servers: Address and port of each, tried in this order.
        timeout_s: Seconds for one try at one server; again as many where TCP is needed.
        attempts: Rounds over all servers.
    """

    def __init__(self, servers: Sequence[tuple[str, int]], timeout_s: float, attempts: int) -> None:
        self._tries = [*servers] * attempts
        self._timeout_s = timeout_s
        self._slots = asyncio.Semaphore(_MAX_IN_FLIGHT)

    @classmethod
    def from_settings(cls, settings: Dns) -> DnsClient:
        """Return a client for the configured servers, or for those of the system.

        Raises:
            ParseError: A name server of `settings` is no address.
        """
        servers = [parse_nameserver(text) for text in settings.nameservers]
        return cls(servers or system_nameservers(), settings.timeout_s, settings.attempts)

    async def resolve(self, name: str, rrtype: Rrtype) -> Answer:
        """Return the answer of the first server that has one; see `Resolver`."""
        canonical = canonical_name(name)
        if canonical is None:
            return Answer(Outcome.NXDOMAIN)
        answer = Answer(Outcome.TIMEOUT)
        async with self._slots:
            for address, port in self._tries:
                answer = await self._try(_query(canonical, rrtype), address, port)
                if answer.outcome not in _RETRY:
                    break
        return answer

    async def _try(self, query: dns.message.Message, address: str, port: int) -> Answer:
        try:
            response, _ = await dns.asyncquery.udp_with_fallback(
                query,
                address,
                timeout=self._timeout_s,
                port=port,
                # Forged and broken packets are waited past: answering them with an error would let
                # anybody who guesses the port end our question.
                ignore_unexpected=True,
                ignore_errors=True,
            )
            return _read(response)
        except dns.exception.Timeout:
            return Answer(Outcome.TIMEOUT)
        except Exception:  # noqa: BLE001 - whatever a server sends, the next one is asked
            return Answer(Outcome.SERVFAIL)


def parse_nameserver(text: str) -> tuple[str, int]:
    """Return address and port of `host:port`, `[v6]:port` or an address alone (port 53).

    Raises:
        ParseError: `text` is none of these, or the host is no IP address.
    """
    alone = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    with contextlib.suppress(ValueError):
        return str(ip_address(alone)), _PORT
    try:
        place = parse_place(text)
        address = str(ip_address(place.host))
    except (ParseError, ValueError) as err:
        raise ParseError(f"a name server is an IP address with a port, not {text!r}") from err
    if not place.port:
        raise ParseError(f"{text!r} has no port between 1 and 65535")
    return address, place.port


def system_nameservers() -> list[tuple[str, int]]:
    """Return the servers of resolv.conf; the local host where there are none (resolv.conf(5))."""
    try:
        servers = dns.resolver.Resolver(configure=True).nameservers
    except dns.resolver.NoResolverConfiguration:
        servers = []
    return [(str(server), _PORT) for server in servers] or [("127.0.0.1", _PORT)]


def _query(name: str, rrtype: Rrtype) -> dns.message.Message:
    # Labels are taken as they are: a backslash in a peer's name is no escape.
    labels = [label.encode("ascii") for label in name.split(".")]
    wire_name = dns.name.Name([*labels, b""])
    return dns.message.make_query(wire_name, rrtype, use_edns=0, payload=_EDNS_PAYLOAD)


def _read(response: dns.message.Message) -> Answer:
    rcode = response.rcode()
    if rcode == dns.rcode.REFUSED:
        return Answer(Outcome.REFUSED)
    if rcode not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return Answer(Outcome.SERVFAIL)
    if not isinstance(response, dns.message.QueryMessage):
        return Answer(Outcome.SERVFAIL)
    chain = response.resolve_chaining()
    if chain.answer is None:
        outcome = Outcome.NXDOMAIN if rcode == dns.rcode.NXDOMAIN else Outcome.NODATA
        return Answer(outcome, ttl_s=chain.minimum_ttl)
    records = [_record(rdata) for rdata in list(chain.answer)[:_MAX_RECORDS]]
    return Answer(Outcome.ANSWER, tuple(records), chain.minimum_ttl)


def _record(rdata: WireRdata) -> Rdata:
    match rdata:
        case TXT():
            return rdata.strings
        case MX():
            return rdata.preference, _text(rdata.exchange)
        case PTR() | CNAME() | NS():
            return _text(rdata.target)
    return rdata.to_text()


def _text(name: dns.name.Name) -> str:
    return name.to_text().removesuffix(".")
