"""Changes to a message: headers put in front, headers of our own names removed, nothing else.

Body and foreign headers stay byte for byte, so that DKIM survives. Edits are computed whole before
the first is applied.
"""

from __future__ import annotations

from typing import NamedTuple


class HeaderEdits(NamedTuple):
    """Edits to one message.

    Attributes:
        add: Header fields to put in front, in the order in which they shall stand, each folded and
            ended by CRLF.
        remove: Half-open byte ranges of header fields to leave out, ascending, not overlapping,
            counted in the message as received (dots unstuffed).
        subject: Byte range of the Subject field and what stands there instead; None keeps it.
    """

    add: bytes = b""
    remove: tuple[tuple[int, int], ...] = ()
    subject: tuple[int, int, bytes] | None = None


def edited_pieces(message: bytes, edits: HeaderEdits) -> tuple[bytes, ...]:
    """Return `message` with `edits`, in pieces: without a copy where nothing is taken out.

    What the edits do not name stays byte for byte.
    """
    if not edits.remove and edits.subject is None:
        return tuple(filter(None, (edits.add, message)))
    cuts = [(start, end, b"") for start, end in edits.remove]
    if edits.subject is not None:
        cuts.append(edits.subject)
    pieces, position = [edits.add], 0
    for start, end, instead in sorted(cuts):
        pieces += (message[position:start], instead)
        position = end
    pieces.append(message[position:] if position else message)
    return tuple(piece for piece in pieces if piece)
