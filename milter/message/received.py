"""Received fields: who gave a message to whom, as the host wrote it that took it (RFC 5321 §4.4).

Hosts write the clause in several ways, and part of each is chosen by the client: the name that it
gave in HELO, and often its reverse name. The address is taken only from where the writer puts what
it saw itself. Reading never raises and is linear; what cannot be told is absent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from milter.core.connection import Addresses, Connection, IpAddress

# No clause of a real field reaches that far, and a client chooses part of what comes before.
_READ: Final = 4096
# RFC 5321 §6.3: more hops than a hundred are a loop.
_MAX_HOPS: Final = 100
_MAX_NAME: Final = 255

_PIECE: Final = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<open>\()"
    r'|(?P<quoted>"(?:[^"\\]|\\.)*+")'
    r"|(?P<end>;)"
    r'|(?P<word>[^\s(;"]+|")',
    re.DOTALL,
)
_COMMENT_MARK: Final = re.compile(r"\\.|[()]", re.DOTALL)
_CLAUSES: Final = frozenset({"by", "via", "with", "id", "for"})

_ADDRESS: Final = r"(?:IPv6:)?([0-9a-f.:]{2,45})(?:%[\w.-]{1,20})?"
# `[192.0.2.1] helo=name`, `[192.0.2.1]:25`: Exim, Sendmail without a reverse name, RFC 5321.
_AT_START: Final = re.compile(rf"\[{_ADDRESS}\](?::\d{{1,5}})?(?=\s|\Z)", re.IGNORECASE)
# `name [192.0.2.1]`: Postfix, Sendmail, Google; the client may have chosen what stands before it.
_AT_END: Final = re.compile(
    rf"(?:\A|[\s@])\[{_ADDRESS}\](?::\d{{1,5}})?(?:\s*\(may be forged\))?\s*\Z", re.IGNORECASE
)
# `192.0.2.1`, `ident@192.0.2.1`: Exchange, qmail.
_ALONE: Final = re.compile(rf"(?:[^@\s]{{0,64}}@)?{_ADDRESS}", re.IGNORECASE)
_LITERAL: Final = re.compile(rf"\[{_ADDRESS}\](?::\d{{1,5}})?", re.IGNORECASE)
_HELO: Final = re.compile(r"(?:helo|ehlo|lhlo)[= ]\s*(\S+)", re.IGNORECASE)
_HELO_INSIDE: Final = re.compile(r"\shelo=(\S+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Received:
    """One hop, as its writer tells it.

    Attributes:
        helo_name: What the client called itself; empty when not told.
        client_ip: The address that the writer saw; None when it does not tell one that can be
            believed, or took the message from no network.
        by: The name of the writer; empty when it gives none.
        protocol: Behind `with`: ESMTPS, LMTP and such.
    """

    helo_name: str = ""
    client_ip: IpAddress | None = None
    by: str = ""
    protocol: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """The hops whose writers are trusted.

    Attributes:
        hops: From the latest to the earliest.
        client: The hop that a client outside came in by, always the last of `hops`; None when the
            message began inside, or when the last hop does not tell from whom it came.
    """

    hops: tuple[Received, ...] = ()
    client: Received | None = None


def trusted_route(values: Iterable[bytes], trusted: Addresses) -> Route:
    """Return how a message came to us, as far as hosts in `trusted` tell.

    The first field must have been written by a host in `trusted`: whoever calls knows that, from
    the address of the client. Each further field was written by the client of the one above it. So
    it counts when that client is trusted, or is the writer itself (a loopback address). Whatever
    stands below the first client that is neither may be forged, and is not read.

    Args:
        values: Of the Received fields, from the top.
        trusted: Addresses of our own relays; unmapped ones are asked for.
    """
    hops: list[Received] = []
    for _, value in zip(range(_MAX_HOPS), values, strict=False):
        hop = parse_received(value)
        hops.append(hop)
        if hop.client_ip is None:
            return Route(tuple(hops))
        if not (hop.client_ip.is_loopback or hop.client_ip in trusted):
            return Route(tuple(hops), hop)
    return Route(tuple(hops))


def hops_outside(values: Sequence[bytes], connection: Connection) -> Sequence[bytes]:
    """Return the Received fields without those that servers of ours put on top.

    A mail server in front of us writes one before it hands a message to a proxy, and none that a
    milter is shown. What our servers write says nothing of the message, and must not make its
    verdict depend on the door: they are known by whom they took it from, the client that is judged
    or a relay of ours. A client that writes its own address there has that field passed over.

    Args:
        values: Of the Received fields, from the top.
        connection: Of the client that is judged.
    """
    ours = {connection.client_ip, *connection.relays} - {None}
    for place, value in enumerate(values[:_MAX_HOPS] if ours else ()):
        if parse_received(value).client_ip not in ours:
            return values[place:]
    return () if ours else values


def parse_received(value: bytes) -> Received:
    """Return what the value of a Received field tells, folded or not."""
    words, comments = _clauses(value[:_READ].decode("utf-8", "replace"))
    taken_from = words.get("from", "")
    seen = comments.get("from", [])
    helo = next((found[1] for text in seen if (found := _HELO.match(text.strip()))), "")
    address = next((ip for text in seen if (ip := _address(text.strip())) is not None), None)
    if address is None and (helo or _by_exim(comments.get("by", []))):
        # These put the address outside where there is no reverse name, and HELO into a comment.
        address = _matched(_LITERAL.fullmatch(taken_from))
    inside = next((found[1] for text in seen if (found := _HELO_INSIDE.search(text))), "")
    name = helo or inside or taken_from
    return Received(
        name[:_MAX_NAME], address, words.get("by", "")[:_MAX_NAME], words.get("with", "")
    )


def _clauses(text: str) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return the word behind each of from, by, with ..., and the comments up to the next one."""
    words: dict[str, str] = {}
    comments: dict[str, list[str]] = {}
    clause, filled, position = "", True, 0
    while (piece := _PIECE.match(text, position)) and piece["end"] is None:
        position = piece.end()
        if piece["open"] is not None:
            position, inside = _comment(text, position)
            comments.setdefault(clause, []).append(inside)
        elif piece["space"] is None:
            word = piece[0]
            # The word right behind `from` is the client's: it may be called `by`.
            if filled and _begins_clause(word, words):
                clause, filled = word.lower(), False
                words[clause] = ""
            elif not filled:
                words[clause], filled = word, True
    return words, comments


def _begins_clause(word: str, known: dict[str, str]) -> bool:
    lower = word.lower()
    return lower not in known and (lower in _CLAUSES or (lower == "from" and not known))


def _comment(text: str, start: int) -> tuple[int, str]:
    """Return where the comment opened before `start` ends, and what is in it."""
    depth = 1
    for mark in _COMMENT_MARK.finditer(text, start):
        if mark[0] == "(":
            depth += 1
        elif mark[0] == ")":
            depth -= 1
            if depth == 0:
                return mark.end(), text[start : mark.start()]
    # One that does not end could hide what the writer saw: nothing in it or behind it counts.
    return len(text), ""


def _address(comment: str) -> IpAddress | None:
    found = _AT_START.match(comment)
    if found is None and _HELO.search(comment) is None:
        found = _AT_END.search(comment) or _ALONE.fullmatch(comment)
    return _matched(found)


def _matched(found: re.Match[str] | None) -> IpAddress | None:
    if found is None:
        return None
    try:
        address = ip_address(found[1])
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    return address.ipv4_mapped or IPv6Address(int(address))


def _by_exim(comments: list[str]) -> bool:
    return any(comment.startswith("Exim ") for comment in comments)
