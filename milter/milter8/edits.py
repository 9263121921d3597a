"""Header edits as packets: the same edits that the SMTP door makes in the bytes of a message.

Fields are taken away before others are put in front, and the last of a name first: so the numbers
that the mail server counts by stay those of the message as it came.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from milter.core.errors import GatepostError
from milter.milter8 import wire

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from milter.core.edits import HeaderEdits
    from milter.milter8.incoming import Placed

_FIELD: Final = re.compile(rb"([!-9;-~]+):([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)\r\n")


class InexpressibleEditError(GatepostError):
    """The mail server has no words for an edit: what it calls fields are none; the mail waits."""


def edit_packets(
    edits: HeaderEdits,
    places: Mapping[int, Placed],
    *,
    leading_space: bool,
    left_out: frozenset[bytes] = frozenset(),
) -> list[bytes]:
    """Return the packets that make `edits`, in the order in which they have to be sent.

    Args:
        edits: Counted in the message that was put together from the mail server's fields.
        places: Where its fields begin, of those that may be changed.
        leading_space: Whether a value is written with the space before it.
        left_out: Names of fields that are not added after all.

    Raises:
        InexpressibleEditError: An edit is of something that is no field of the mail server's.
    """
    packets = [_removal(places, start) for start, _ in reversed(edits.remove)]
    if edits.subject is not None:
        start, _, instead = edits.subject
        ((_, value),) = _fields(instead)
        place = _place(places, start)
        packets.append(
            wire.change_header(place.number, place.name, _value(value, leading_space=leading_space))
        )
    # Each goes to the top, so the last one goes first.
    # An empty line at its end parts what is added from a body without header, in bytes only.
    added = edits.add[:-2] if edits.add.endswith(b"\r\n\r\n") else edits.add
    for name, value in reversed(list(_fields(added))):
        if name not in left_out:
            packets.append(wire.insert_header(0, name, _value(value, leading_space=leading_space)))
    return packets


def _removal(places: Mapping[int, Placed], start: int) -> bytes:
    place = _place(places, start)
    return wire.change_header(place.number, place.name, b"")


def _place(places: Mapping[int, Placed], start: int) -> Placed:
    place = places.get(start)
    if place is None:
        raise InexpressibleEditError(f"no field of the mail server's begins at {start}")
    return place


def _fields(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 0
    while position < len(block):
        match = _FIELD.match(block, position)
        if match is None:
            raise InexpressibleEditError(f"no header field at {position}")
        yield match[1], match[2]
        position = match.end()


def _value(value: bytes, *, leading_space: bool) -> bytes:
    # Mail servers fold with LF inside and make CRLF of it themselves; one that was told nothing of
    # leading space puts it in.
    plain = value.replace(b"\r\n", b"\n")
    return plain if leading_space else plain.removeprefix(b" ")
