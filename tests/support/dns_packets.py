"""Packets to read: true ones, written by dnspython, and what mistakes make of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import dns.message
import dns.rcode
import dns.rrset

from milter.dns.wire import fit, query_packet, question_section, read_answer

if TYPE_CHECKING:
    from random import Random

    from milter.dns.resolver import Answer, Rrtype

NAME: Final = "mail.example.org"
# Data as in a zone file, of each type that can be asked for.
DATA: Final[dict[Rrtype, tuple[str, ...]]] = {
    "A": ("192.0.2.1", "255.0.0.1"),
    "AAAA": ("2001:db8::1", "::ffff:192.0.2.1", "::"),
    "TXT": ('"v=spf1 " "-all"', '""', '"' + "x" * 255 + '" "y"'),
    "MX": ("10 mx.example.org.", "0 .", "65535 mail.example.org."),
    "PTR": ("mail.example.org.", "a\\.b.example.org.", "\\000\\255.example."),
    "NS": ("ns.example.org.",),
    "CNAME": ("www.example.net.",),
    "SOA": ("ns.example.org. root.example.org. 1 7200 900 86400 120",),
}
_SOA: Final = dns.rrset.from_text("example.org.", 900, "IN", "SOA", *DATA["SOA"])


def true_packets() -> list[tuple[Rrtype, bytes, bytes]]:
    """Return type, question and packet of answers of every shape."""
    packets: list[tuple[Rrtype, bytes, bytes]] = []
    for rrtype, data in DATA.items():
        question = question_section(NAME, rrtype)
        query = dns.message.from_wire(query_packet(4711, question))
        records = dns.rrset.from_text(f"{NAME}.", 300, "IN", rrtype, *data)
        alias = dns.rrset.from_text(f"{NAME}.", 60, "IN", "CNAME", "real.example.org.")
        target = dns.rrset.from_text("real.example.org.", 90, "IN", rrtype, *data)
        aliased = [([alias, target], dns.rcode.NOERROR), ([alias], dns.rcode.NXDOMAIN)]
        for answer, rcode in (
            ([records], dns.rcode.NOERROR),
            # Who is asked for an alias does not follow it.
            *([] if rrtype == "CNAME" else aliased),
            ([], dns.rcode.NXDOMAIN),
            ([], dns.rcode.NOERROR),
            ([], dns.rcode.SERVFAIL),
        ):
            response = dns.message.make_response(query)
            response.set_rcode(rcode)
            response.answer += answer
            response.authority.append(_SOA)
            packets.append((rrtype, question, response.to_wire()))
    return packets


def mutated(packet: bytes, random: Random) -> bytes:
    """Return `packet` with a few mistakes, most of them behind the question."""
    data = bytearray(packet)
    for _ in range(random.randint(1, 6)):
        if not data:
            break
        place = random.randrange(len(data))
        match random.randrange(6):
            case 0:
                data[place] = random.randrange(256)
            case 1:
                data[place] ^= 1 << random.randrange(8)
            case 2:
                # A jump to anywhere.
                data[place : place + 2] = (0xC000 | random.randrange(len(data))).to_bytes(2)
            case 3:
                del data[place:]
            case 4:
                data[place:place] = data[random.randrange(len(data)) :][: random.randrange(40)]
            case _:
                # A count of records, or the length of data.
                place = random.choice((4, 6, 8, 10, place))
                data[place : place + 2] = random.choice((0, 1, 2, 255, 65535)).to_bytes(2)
    return bytes(data)


def read_as_the_client_does(rrtype: Rrtype, question: bytes, packet: bytes) -> Answer:
    """Read a packet whether it fits or not: both readers must stand everything.

    Raises:
        ParseError: It is malformed.
    """
    fit(packet, question)
    # The client never reads what is shorter than a header.
    return read_answer(packet.ljust(12, b"\0"), question, rrtype)
