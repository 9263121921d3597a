"""The classifier learns from sure messages: what becomes a lesson, and what never does."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING

import pytest

from milter.checks.classifier_fields import lesson_of
from milter.message.document import Message
from milter.pipeline.sure_lessons import QUOTA, Agreement, SureLessons, _Offer
from policies.loader import load_policies
from reputation.classifier.lessons import STREAM, Heard, Lesson, report, unpacked
from reputation.classifier.model import learn, new_state
from reputation.sqlite import SqliteStore
from tests.support.pipeline import Texts
from tests.support.site import Clock, Sent, a_site

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from milter.memory.client import StoreClient
    from milter.pipeline.aftermath import Seen
    from reputation.classifier.model import State
    from reputation.store import Store
    from tests.support.site import Site

ZONE: dict[str, object] = {
    "198.51.100.7": {"PTR": ["mx.sender.example"]},
    "mx.sender.example": {"A": ["198.51.100.7"]},
    "sender.example": {
        "TXT": ["v=spf1 ip4:198.51.100.0/24 -all"],
        "MX": [[10, "mx.sender.example"]],
    },
    "_dmarc.sender.example": {"TXT": ["v=DMARC1; p=reject"]},
    "plain.example": {"A": ["192.0.2.50"], "MX": [[10, "plain.example"]]},
}
# Two kinds of evidence apart from all others, by words of the subject.
POLICY = """\
version: 1
name: test
extends: balanced
dns_lists: []
patterns:
  - {id: FIRST, in: subject, match: first, describe: one, weight: 6, group: text}
  - {id: SECOND, in: subject, match: second, describe: two, weight: 6, group: links}
"""
SPAM = Sent(
    client_ip="192.0.2.50",
    helo_name="plain.example",
    domain="plain.example",
    subject="first and second",
    text="pills lottery winner",
)
HAM = Sent(subject="minutes", text="Please review the draft.")


@dataclass
class Weights:
    """What people taught; it does not change."""

    taught: State

    def state(self) -> State:
        return self.taught


@dataclass
class Told:
    """What is counted."""

    offered: list[bool] = field(default_factory=list)
    agreed: list[bool] = field(default_factory=list)

    def sure_lesson(self, *, spam: bool) -> None:
        self.offered.append(spam)

    def agreement(self, *, agrees: bool) -> None:
        self.agreed.append(agrees)


def taught(lessons: int = 60, *, sure: bool = False) -> Weights:
    """Return the weights of a classifier that leans the right way, or is sure."""
    state = new_state()
    for number in range(lessons):
        spam = number % 2 == 1
        message = Message((SPAM if spam else HAM).message(number, 0.0))
        learn(state, lesson_of(message, spam=spam).features, spam=spam)
    # The slope of the calibration.
    state.numbers[2] = 5.0 if sure else 0.3
    return Weights(state)


def lessons_in(folder: Path) -> list[bool]:
    store = opened(folder)
    found = [unpacked(entry.payload).spam for entry in store.follow(STREAM, 0, 1000)]
    store.close()
    return found


def opened(folder: Path) -> Store:
    return SqliteStore(folder / "s.db", os.urandom, busy_timeout_s=5.0)


def at_a_site(
    folder: Path,
    weights: Weights,
    main: Callable[[Site], Awaitable[None]],
    traps: tuple[str, ...] = (),
) -> Told:
    """Run `main` at a site that learns by itself; return what was counted."""
    told = Told()

    async def run() -> None:
        chosen = load_policies(Texts({"policy.yaml": POLICY}), "policy.yaml")
        made = a_site(lambda: opened(folder), Clock(), chosen, ZONE, traps=traps, weights=weights)
        async with made as site:
            site.aftermath.add(Agreement(told))
            site.aftermath.add(SureLessons(site.memory, told))
            await main(site)

    asyncio.run(run())
    return told


async def make_trusted(site: Site) -> None:
    """Let the sender of ham earn its standing with mail that teaches nothing."""
    for _ in range(20):
        await site.take(replace(HAM, subject="first draft"))
        site.clock.pass_by(hours=1)


def test_sure_spam_of_two_kinds_is_learned_up_to_the_quota_of_its_sender(tmp_path: Path) -> None:
    async def main(site: Site) -> None:
        for _ in range(QUOTA.per_identity + 4):
            await site.take(SPAM)

    told = at_a_site(tmp_path, taught(), main)

    assert lessons_in(tmp_path) == [True] * QUOTA.per_identity
    assert told.offered == [True] * (QUOTA.per_identity + 4)


@pytest.mark.parametrize(
    ("sent", "weights"),
    [
        pytest.param(replace(SPAM, subject="first"), taught(), id="one-kind-of-evidence"),
        pytest.param(SPAM, taught(lessons=20), id="people-taught-too-little"),
        pytest.param(SPAM, taught(sure=True), id="classifier-is-sure-already"),
        pytest.param(HAM, taught(), id="ham-of-a-sender-whom-nobody-knows"),
    ],
)
def test_what_is_not_sure_enough_is_no_lesson(tmp_path: Path, sent: Sent, weights: Weights) -> None:
    async def main(site: Site) -> None:
        await site.take(sent)

    at_a_site(tmp_path, weights, main)

    assert lessons_in(tmp_path) == []


def test_what_the_classifier_takes_for_the_opposite_is_left_to_people(tmp_path: Path) -> None:
    async def main(site: Site) -> None:
        reads_well = replace(SPAM, text=HAM.text, subject="first second minutes")
        found = await site.take(
            replace(
                reads_well,
                local="someone",
                domain="sender.example",
                client_ip=HAM.client_ip,
                helo_name=HAM.helo_name,
            )
        )
        assert found.score > 10

    told = at_a_site(tmp_path, taught(), main)

    assert told.offered == []


def test_ham_of_a_proven_sender_of_good_standing_is_learned(tmp_path: Path) -> None:
    async def main(site: Site) -> None:
        await make_trusted(site)
        assert "REPUTATION_GOOD" in (await site.take(HAM)).symbols

    told = at_a_site(tmp_path, taught(), main)

    assert False in told.offered
    assert lessons_in(tmp_path)
    assert not any(lessons_in(tmp_path))


def test_ham_to_a_trap_is_no_lesson(tmp_path: Path) -> None:
    async def main(site: Site) -> None:
        await make_trusted(site)
        told_before = len(lessons_in(tmp_path))
        await site.take(replace(HAM, recipients=("trap@ours.example",)))
        assert len(lessons_in(tmp_path)) == told_before

    at_a_site(tmp_path, taught(), main, traps=("trap@ours.example",))


def test_label_of_a_person_stays_and_takes_back_that_of_a_rule(tmp_path: Path) -> None:
    clock = Clock()
    store = opened(tmp_path)
    by_person = lesson_of(Message(SPAM.message(1, clock())), spam=False)
    assert report(store, by_person, now=clock()) is Heard.LEARNED
    store.close()

    async def main(site: Site) -> None:
        await site.take(SPAM)
        await site.take(SPAM)

    at_a_site(tmp_path, taught(), main)

    assert lessons_in(tmp_path) == [False, True]
    by_rule = lesson_of(Message(SPAM.message(2, clock())), spam=False)
    store = opened(tmp_path)
    assert report(store, by_rule, now=clock()) is Heard.CHANGED
    store.close()


def test_lesson_that_waits_for_the_store_says_what_it_holds_and_holds_no_message(
    tmp_path: Path,
) -> None:
    store: StoreClient
    waiting: list[object] = []

    class Watching:
        def see(self, seen: Seen) -> None:
            waiting.extend(one for one in store._waiting if isinstance(one, _Offer))

    async def main(site: Site) -> None:
        nonlocal store
        store = site.memory.store
        site.aftermath.add(Watching())
        await site.take(SPAM)

    at_a_site(tmp_path, taught(), main)

    (offered,) = waiting
    assert isinstance(offered, _Offer)
    assert offered.size_bytes > 100
    assert {type(getattr(offered, each.name)) for each in fields(offered)} == {Lesson, float, str}


def test_agreement_of_a_sure_classifier_with_the_rest_is_counted(tmp_path: Path) -> None:
    async def main(site: Site) -> None:
        await site.take(SPAM)
        await site.take(replace(SPAM, subject="nothing"))
        await site.take(HAM)

    told = at_a_site(tmp_path, taught(sure=True), main)

    assert told.agreed == [True, False, True]
