"""Texts that are nearly the same are one campaign, and others are not."""

from __future__ import annotations

from random import Random

import pytest

from reputation.statistics.campaigns import Campaigns
from reputation.statistics.heavy import Summary
from reputation.statistics.near import SIGNATURE_BYTES, alike, signatures

_OFFER = (
    "Dear {name}, your parcel {number} could not be delivered. Pay the fee of 1.99 within two days"
    " under http://{link}.example/pay or it goes back to the sender. Your parcel service team,"
    " who wish you a pleasant week and ask you not to answer this message."
)
_NEWS = (
    "The council decided on Tuesday to build a second bridge over the river; work is to begin in"
    " spring. Whoever lives near it may look at the plans in the town hall until the end of the"
    " month and object in writing. The old bridge stays open to cyclists meanwhile."
)
_CHINESE = "季度报告已附上，请在周四会议之前看一下这些数字，并告诉我您的看法。" * 3


def offer(number: int) -> str:
    random = Random(number)  # noqa: S311
    name = "".join(random.choices("abcdefghij", k=random.randint(3, 9)))
    link = "".join(random.choices("klmnopqrst", k=8))
    return _OFFER.format(name=name, number=random.randint(10**6, 10**9), link=link)


def signature(text: str) -> bytes:
    return signatures([text])[0]


def campaigns(kept: int = 200) -> Campaigns:
    return Campaigns(Summary(kept))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(offer(2), id="other-name-number-and-link"),
        pytest.param(offer(1).upper(), id="capitals"),
        pytest.param(offer(1).replace(" ", "\r\n   "), id="other-blanks"),
    ],
)
def test_text_with_small_changes_is_alike(text: str) -> None:
    assert alike(signature(offer(1)), signature(text))


@pytest.mark.parametrize(
    "text", [pytest.param(_NEWS, id="same-language"), pytest.param(_CHINESE, id="other-script")]
)
def test_other_text_is_not_alike(text: str) -> None:
    assert not alike(signature(offer(1)), signature(text))


@pytest.mark.parametrize(
    "text",
    [pytest.param("", id="nothing"), pytest.param("Thanks, see you then!", id="a-few-words")],
)
def test_text_too_short_to_compare_has_no_signature(text: str) -> None:
    assert signature(text) == b""


def test_signature_is_the_same_in_every_process_and_reads_only_the_beginning() -> None:
    assert signature(_NEWS * 100) == signature(_NEWS * 50)
    assert len(signature("\udc80" * 100)) == SIGNATURE_BYTES


def test_signatures_of_many_texts_are_those_of_each() -> None:
    texts = ["", offer(1), "short", _NEWS * 9, _CHINESE, "\udc80" * 100, offer(2), "end"]

    assert signatures(texts) == [signature(text) for text in texts]
    assert signatures([]) == []


def test_near_duplicates_are_counted_as_one_campaign() -> None:
    seen = campaigns()

    for number in range(300):
        seen.add(signature(offer(number)), 1, 500)
    seen.add(signature(_NEWS), 0, 700)

    first, *_ = seen.summary.top(5)
    assert first.messages >= 0.95 * 300
    assert (first.unwanted, first.bytes) == (first.messages, 500 * first.messages)
    assert signature(_NEWS).hex() in seen.summary.rows


def test_campaigns_of_several_workers_become_one() -> None:
    one, other = campaigns(), campaigns()
    for number in range(50):
        one.add(signature(offer(number)), 1, 500)
        other.add(signature(offer(1000 + number)), 1, 500)

    one.merge(other.summary)

    assert one.summary.total == 100
    assert one.summary.top(1)[0].messages >= 95


def test_ever_new_texts_are_bounded_and_a_campaign_among_them_is_found() -> None:
    random, seen = Random(3), campaigns(50)  # noqa: S311

    for number in range(2000):
        text = "".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=200))
        seen.add(signature(offer(number) if number % 4 == 0 else text), 1, 1)

    (top,) = seen.summary.top(1)
    assert len(seen.summary.rows) <= 100
    assert len(seen._index) <= 4 * 101
    assert 0.95 * 500 - seen.summary.error <= top.messages <= 500


def test_name_that_is_no_signature_harms_nobody() -> None:
    odd = Summary(10)
    odd.add("no signature", 0, 1)
    seen = campaigns()

    seen.merge(odd)

    assert seen.summary.total == 1
