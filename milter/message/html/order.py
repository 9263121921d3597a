"""Text that elements force to run from right to left, put into the order that it is read in.

What one of them holds in several elements is turned as a whole: the last word comes first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Turned(str):
    """A piece of text whose letters were turned round already."""

    __slots__ = ()


def in_order(pieces: Sequence[str]) -> str:
    """Return `pieces` as one text; of those in a row that were turned the last one is first."""
    if not any(type(piece) is Turned for piece in pieces):
        return "".join(pieces)
    ordered: list[str] = []
    run: list[str] = []
    for piece in pieces:
        if type(piece) is Turned or (run and piece == " "):
            run.append(piece)
        else:
            ordered += (*reversed(run), piece)
            run.clear()
    return "".join([*ordered, *reversed(run)])
