"""What holds for every way in which a mail server's bytes may come, and for bytes of anybody."""

from __future__ import annotations

import asyncio
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from milter.milter8.edits import InexpressibleEditError
from milter.milter8.session import SessionEndedError
from milter.milter8.wire import PacketError
from tests.support import milter_packets as mta
from tests.support.milter_fuzz import SESSIONS, mutated
from tests.support.milter_session import Dialog, a_door

octets = st.integers(0, 2**32)


def _said(pieces: list[bytes]) -> tuple[list[bytes], str]:
    """Return what is answered, packet by packet, and how it ended."""
    dialog = Dialog(a_door())
    said: list[bytes] = []

    async def talk() -> str:
        try:
            for piece in pieces:
                async for answer in dialog.each(piece):
                    said.append(answer)
        except (PacketError, SessionEndedError, InexpressibleEditError) as error:
            return type(error).__name__
        return "open"

    end = asyncio.run(talk())
    dialog.session.close()
    return [answer for answer in said if answer], end


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(SESSIONS), st.lists(octets, max_size=30))
def test_every_split_of_a_session_gets_the_same_answers(session: bytes, cuts: list[int]) -> None:
    places = sorted({cut % len(session) for cut in cuts})
    ends = [*places, len(session)]
    pieces = [session[start:end] for start, end in zip([0, *places], ends, strict=True)]
    assert _said(pieces) == _said([session])


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SESSIONS), octets)
def test_mutated_session_is_answered_or_ended(session: bytes, number: int) -> None:
    said, _ = _said([mutated(session, Random(number))])  # noqa: S311 - a seed
    mta.answers(b"".join(said))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_octets_behind_a_negotiation_are_answered_or_ended(tail: bytes) -> None:
    said, _ = _said([mta.offer() + tail])
    mta.answers(b"".join(said))
