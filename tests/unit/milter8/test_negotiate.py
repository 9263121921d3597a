from __future__ import annotations

import pytest

from milter.milter8 import wire
from milter.milter8.negotiate import MACROS, Agreement, agree
from milter.milter8.wire import Negotiation
from tests.support.milter_packets import OFFER_2, OFFER_6, answers


def _agreed(
    offer: tuple[int, int, int], *, answers_mail: bool = False, reads_bodies: bool = True
) -> Agreement:
    offered = Negotiation._make(offer)
    return agree(offered, answers_mail=answers_mail, reads_bodies=reads_bodies)


def _answered(offer: tuple[int, int, int], *, reads_bodies: bool = True) -> Negotiation:
    (answer,) = answers(_agreed(offer, reads_bodies=reads_bodies).answer)
    return wire.read_negotiation(answer.data)


def test_agree_version_6_asks_for_what_is_used_and_nothing_else() -> None:
    answered = _answered(OFFER_6)
    assert answered.version == 6
    assert answered.actions == 0x01 | 0x04 | 0x08 | 0x10 | 0x20 | 0x80 | 0x100
    assert answered.steps == 0x100 | 0x200 | 0x80 | 0x1000 | 0x2000 | 0x4000 | 0x140000


def test_agree_body_is_cut_short_where_nobody_reads_it_and_the_mail_server_can() -> None:
    assert _answered(OFFER_6, reads_bodies=False).steps == _answered(OFFER_6).steps | 0x400
    assert _agreed(OFFER_6, reads_bodies=False).skips
    assert not _agreed(OFFER_6).skips
    assert not _agreed(OFFER_2, reads_bodies=False).skips


def test_agree_version_2_gets_no_bit_that_it_did_not_offer() -> None:
    answered = _answered(OFFER_2)
    assert answered == Negotiation(2, 0x3D, 0)


def test_agree_later_version_is_spoken_as_6() -> None:
    assert _answered((7, 0x1FF, 0x1FFFFF)).version == 6


def test_agree_early_decision_keeps_the_answer_to_mail() -> None:
    agreement = _agreed(OFFER_6, answers_mail=True)
    assert wire.MAIL not in agreement.silent
    assert wire.HEADER in agreement.silent


def test_agree_wanted_macros_stand_behind_the_numbers() -> None:
    (answer,) = answers(_agreed(OFFER_6).answer)
    named = b"".join(stage.to_bytes(4, "big") + words.encode() + b"\0" for stage, words in MACROS)
    assert answer.data[12:] == named


def test_agree_mail_server_that_takes_no_macro_list_gets_none() -> None:
    (answer,) = answers(_agreed(OFFER_2).answer)
    assert len(answer.data) == 12


@pytest.mark.parametrize(
    "offer",
    [
        pytest.param((1, 0x1FF, 0), id="version-1"),
        pytest.param((6, 0x1FF & ~0x10, 0x1FFFFF), id="headers-cannot-be-changed"),
        pytest.param((6, 0, 0x1FFFFF), id="nothing-can-be-changed"),
    ],
)
def test_agree_mail_server_that_cannot_do_what_is_needed_is_refused(
    offer: tuple[int, int, int],
) -> None:
    with pytest.raises(wire.PacketError):
        _agreed(offer)
