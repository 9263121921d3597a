"""Questions and answers as bytes (RFC 1035 §4): what a stub resolver needs of them, and no more.

A packet is read only after `fit` has said that it belongs to the question: the same name in the
same mix of capitals, the same type and class. Nothing but ParseError leaves here; the work is
bounded by the number of records that are looked at and by the jumps of a name. No socket, no clock,
no chance: the random bits of a question are given.
"""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from struct import Struct
from typing import TYPE_CHECKING, Final

from milter.core.errors import ParseError
from milter.dns.records import dotted, read_name, read_target, reader
from milter.dns.resolver import Answer, Outcome

if TYPE_CHECKING:
    from milter.dns.resolver import Rdata, Rrtype

# The size that passes any path unfragmented; fragments are lost, and can be forged (RFC 9715 §3.2).
_EDNS_PAYLOAD: Final = 1232
# An answer over TCP could hold thousands of records; nobody who means well needs that many.
MAX_RECORDS: Final = 500
# As many aliases one after the other as usual resolvers follow.
_MAX_ALIASES: Final = 16
_MAX_TTL: Final = 0xFFFFFFFF
# Two root names and five numbers.
_LEAST_SOA: Final = 22

_HEADER: Final = Struct("!HHHHHH")
_FIXED: Final = Struct("!HHIH")
# A jump to the question, type A, class IN; TTL, length and the octets of the address.
_ADDRESS: Final = Struct("!6sIH4s")
_ADDRESS_HEAD: Final = b"\xc0\x0c\0\1\0\1"
# How many answers, and authorities; and the octet that begins a jump.
_ONE_ANSWER: Final = b"\0\1"
_ONE_AUTHORITY: Final = b"\0\0\0\1"
_JUMP: Final = 0xC0
_RECURSION_DESIRED: Final = 0x0100
_IN: Final = 1
_NS: Final = 2
_CNAME: Final = 5
_SOA: Final = 6
_TYPES: Final[dict[str, int]] = {
    "A": 1,
    "NS": _NS,
    "CNAME": _CNAME,
    "SOA": _SOA,
    "PTR": 12,
    "MX": 15,
    "TXT": 16,
    "AAAA": 28,
}
# The root name, type and class IN.
_ENDS: Final = {name: b"\0" + code.to_bytes(2) + b"\0\1" for name, code in _TYPES.items()}
# What makes a capital of a small letter; nothing for all other octets.
_CASE_BIT: Final = bytes([octet ^ bytes((octet,)).upper()[0] for octet in range(256)])
_LABELS_KEPT: Final = 4096
_NOERROR: Final = 0
_NXDOMAIN: Final = 3
_REFUSED: Final = 5
# FORMERR, SERVFAIL, NOTIMP, REFUSED: who could not read the question does not repeat it.
_BARE_ERRORS: Final = frozenset({1, 2, 4, 5})
# RFC 6891 §6.1.2: root name, type OPT, the payload that we take, version 0, no options.
_OPT: Final = b"\0\0\x29" + _EDNS_PAYLOAD.to_bytes(2) + bytes(6)


class Fit(Enum):
    """How a packet stands to a question (RFC 5452 §9.1)."""

    OURS = "ours"
    CASE_LOST = "case lost"
    FOREIGN = "foreign"


# Python 3.11 takes longer to find a member of an enum than to compare a whole packet.
OURS: Final = Fit.OURS
CASE_LOST: Final = Fit.CASE_LOST
FOREIGN: Final = Fit.FOREIGN
_ANSWER: Final = Outcome.ANSWER
_NODATA: Final = Outcome.NODATA
_NO_NAME: Final = Outcome.NXDOMAIN


def question_section(name: str, rrtype: Rrtype) -> bytes:
    """Return the question for `name`, a `canonical_name`, as it stands in a packet."""
    return b"".join(map(_label, name.encode("ascii").split(b"."))) + _ENDS[rrtype]


# Zones, and the numbers of addresses, come again and again.
@lru_cache(maxsize=_LABELS_KEPT)
def _label(label: bytes) -> bytes:
    return bytes((len(label),)) + label


def mix_case(question: bytes, bits: int) -> bytes:
    """Return `question` with the case of each letter as a bit of `bits` says; 0 leaves it lower.

    Whoever forges an answer without seeing the question has to guess them all. Lengths of labels,
    types and the class are no letters, so every octet is treated alike.
    """
    letters = int.from_bytes(question.translate(_CASE_BIT))
    return (int.from_bytes(question) ^ (letters & bits)).to_bytes(len(question))


def query_packet(ident: int, question: bytes) -> bytes:
    """Return the query with this id: recursion desired, EDNS with a payload of 1232 octets."""
    return _HEADER.pack(ident, _RECURSION_DESIRED, 1, 0, 0, 1) + question + _OPT


def fit(packet: bytes, question: bytes) -> Fit:
    """Return whether `packet`, which has the right id, answers `question` as it was sent."""
    # QR set, and the opcode of a query (RFC 1035 §4.1.1).
    if len(packet) < _HEADER.size or packet[2] & 0xF8 != 0x80:
        return FOREIGN
    if packet[4:6] == b"\0\1":
        if packet.startswith(question, _HEADER.size):
            return OURS
        echo = packet[_HEADER.size : _HEADER.size + len(question)]
        return CASE_LOST if echo.lower() == question.lower() else FOREIGN
    bare = packet[4:6] == b"\0\0" and packet[3] & 15 in _BARE_ERRORS
    return OURS if bare else FOREIGN


def is_cut(packet: bytes) -> bool:
    """Return whether the answer was too long and is to be asked for over TCP (TC)."""
    return bool(packet[2] & 2)


def read_answer(packet: bytes, question: bytes, rrtype: Rrtype) -> Answer:
    """Return what `packet`, which fits `question`, answers.

    Raises:
        ParseError: It is malformed, has too many records, or contradicts itself.
    """
    rcode = packet[3] & 15
    if rcode and rcode != _NXDOMAIN:
        return Answer(Outcome.REFUSED if rcode == _REFUSED else Outcome.SERVFAIL)
    usual = None
    if packet.startswith(_ONE_AUTHORITY, 6):
        usual = _nothing(packet, _HEADER.size + len(question), _NO_NAME if rcode else _NODATA)
    elif packet.startswith(_ONE_ANSWER, 6) and rrtype == "A" and not rcode:
        usual = _address(packet, _HEADER.size + len(question))
    if usual is not None:
        return usual
    try:
        return _Reader(packet, question, rrtype).answer(exists=rcode == _NOERROR)
    except IndexError as err:
        raise ParseError("the packet ends too early", len(packet)) from err


def _address(packet: bytes, pos: int) -> Answer | None:
    """Return what an answer says that holds one address of the name asked for.

    Most answers of lists with a listing do. None leaves it to who reads all others, whose faults
    are then the same for both.
    """
    if len(packet) < pos + _ADDRESS.size:
        return None
    head, ttl_s, length, octets = _ADDRESS.unpack_from(packet, pos)
    if head != _ADDRESS_HEAD or length != 4:
        return None
    return Answer(_ANSWER, (dotted(octets),), ttl_s)


def _nothing(packet: bytes, pos: int, outcome: Outcome) -> Answer | None:
    """Return `outcome` as an answer says it that holds an SOA and nothing else, or None as above.

    What most lists say of most mail. The last number of the SOA bounds the time (RFC 2308 §4).
    """
    start = pos + 2 + _FIXED.size
    if len(packet) < start + _LEAST_SOA or packet[pos] < _JUMP:
        return None
    code, rdclass, ttl_s, length = _FIXED.unpack_from(packet, pos + 2)
    end = start + length
    if code != _SOA or rdclass != _IN or length < _LEAST_SOA or len(packet) < end:
        return None
    minimum_s = int.from_bytes(packet[end - 4 : end])
    return Answer(outcome, ttl_s=min(ttl_s, minimum_s))


class _Reader:
    """Goes through one packet once; names are as on the wire, in lower case."""

    __slots__ = ("_aliases", "_code", "_found", "_packet", "_pos", "_question", "_read")

    def __init__(self, packet: bytes, question: bytes, rrtype: Rrtype) -> None:
        self._packet = packet
        self._pos = _HEADER.size + len(question)
        self._question = question[:-4].lower()
        self._code = _TYPES[rrtype]
        self._read = reader(rrtype)
        self._aliases: dict[bytes, tuple[bytes, int]] = {}
        self._found: dict[bytes, tuple[list[Rdata], int]] = {}

    def answer(self, *, exists: bool) -> Answer:
        """Return the answer; `exists` is what the response code says of the name."""
        _, _, _, answers, authorities, _ = _HEADER.unpack_from(self._packet)
        self._read_answers(min(answers, MAX_RECORDS))
        name, alias_ttl_s = self._end_of_aliases()
        if name in self._found:
            if not exists:
                raise ParseError("records of a name that does not exist", 3)
            records, ttl_s = self._found[name]
            return Answer(_ANSWER, tuple(records), min(ttl_s, alias_ttl_s))
        if answers > MAX_RECORDS:
            raise ParseError("too many records", 6)
        return self._nothing(min(authorities, MAX_RECORDS), alias_ttl_s, exists=exists)

    def _read_answers(self, count: int) -> None:
        for _ in range(count):
            owner, code, ttl_s, start, end = self._record()
            if code == self._code:
                record = self._read(self._packet, start, end)
                records, least_s = self._found.get(owner, ([], ttl_s))
                records.append(record)
                self._found[owner] = records, min(least_s, ttl_s)
            elif code == _CNAME:
                self._aliases[owner] = read_target(self._packet, start, end).lower(), ttl_s

    def _end_of_aliases(self) -> tuple[bytes, int]:
        """Return the name to which the aliases lead, and the least TTL on the way."""
        name, least_s = self._question, _MAX_TTL
        for _ in range(_MAX_ALIASES):
            if name in self._found or name not in self._aliases:
                return name, least_s
            name, ttl_s = self._aliases[name]
            least_s = min(least_s, ttl_s)
        raise ParseError("too many aliases, or a loop of them")

    def _nothing(self, count: int, alias_ttl_s: int, *, exists: bool) -> Answer:
        """Return NODATA or NXDOMAIN; without an SOA it is not to be kept (RFC 2308 §5)."""
        outcome = Outcome.NODATA if exists else Outcome.NXDOMAIN
        referred = False
        for _ in range(count):
            _, code, ttl_s, start, end = self._record()
            if code == _SOA:
                if end - start < _LEAST_SOA:
                    raise ParseError("a short SOA record", start)
                # The last of its numbers (RFC 2308 §4).
                minimum_s = int.from_bytes(self._packet[end - 4 : end])
                return Answer(outcome, ttl_s=min(ttl_s, minimum_s, alias_ttl_s))
            referred = referred or code == _NS
        if referred and exists and not self._aliases:
            # Name servers without an SOA are a referral (RFC 2308 §2.2): who only refers us to
            # others does not recurse, and does not know whether there is nothing.
            return Answer(Outcome.SERVFAIL)
        return Answer(outcome)

    def _record(self) -> tuple[bytes, int, int, int, int]:
        """Return owner, type, TTL, and where the data begins and ends; type 0 in other classes.

        A TTL with its highest bit set is a large one (RFC 8767 §4); whoever keeps it has a bound.
        """
        packet, pos = self._packet, self._pos
        # Most owners are the name that was asked for, written as a jump to the question.
        if packet[pos : pos + 2] == b"\xc0\x0c":
            owner, pos = self._question, pos + 2
        else:
            owner, pos = read_name(packet, pos)
            owner = owner.lower()
        start = pos + _FIXED.size
        if start > len(packet):
            raise ParseError("a record ends too early", pos)
        code, rdclass, ttl_s, length = _FIXED.unpack_from(packet, pos)
        end = self._pos = start + length
        if end > len(packet):
            raise ParseError("data ends too early", start)
        return owner, code if rdclass == _IN else 0, ttl_s, start, end
