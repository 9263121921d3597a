"""Who keeps what he read of the past tells the same figures as who reads all of it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reputation.statistics.deposit import Deposits
from reputation.statistics.figures import TOP, read_window
from reputation.statistics.observation import Observation, Profile
from reputation.statistics.past import Past
from reputation.statistics.tally import Tally, sum_adds
from reputation.statistics.windows import DAY, MINUTE, WINDOWS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reputation.store import Store

NOW = 1_800_013_530.0
MONTH = WINDOWS["30d"]
TEXT = "The quarterly report {0} is attached; {0} look at it before the {0} meeting on Thursday."


def seen(at: float, number: int = 0) -> Observation:
    return Observation(
        at=at,
        size=1000 + number,
        unwanted=number % 2 == 0,
        saved=0,
        profile=Profile(action="pass", symbols=(f"S{number}",)),
        sources=(("block", f"{number}.0.0.0/24"), ("network", "AS1 One")),
        text=TEXT.format("abcdefghij"[number % 10] * 30),
    )


def keep(store: Store, *observations: Observation) -> None:
    tally, deposits = Tally(), Deposits()
    for one in observations:
        tally.count(one)
        tally.spent(one.at, 1000)
    store.write(sum_adds([tally.take_sums()]))
    deposits.add(tally.take_sketches())
    deposits.settle(store, NOW)


class Counting:
    """A store that tells of how many slots it was asked for sums."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.slots: list[int] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def totals(self, series: str, first: int, last: int) -> Mapping[bytes, tuple[int, ...]]:
        self.slots.append(last - first + 1)
        return self._store.totals(series, first, last)


@pytest.mark.parametrize("word", WINDOWS)
def test_figures_with_and_without_a_past_are_the_same(store: Store, word: str) -> None:
    window, past = WINDOWS[word], Past(TOP)
    step = window.width.seconds
    keep(store, *(seen(NOW - n % 5 * step, n) for n in range(40)))
    for later in (
        [seen(NOW, 3), seen(NOW, 50)],
        # Too late: of a slot that is over, and was read.
        [seen(NOW - 2 * step, 4), seen(NOW - 3 * step, 60)],
        [],
    ):
        read_window(store, window, NOW, past)
        keep(store, *later)

        again = read_window(store, window, NOW, past)

        assert again == read_window(store, window, NOW)
        assert again.total.messages == sum(
            count.messages for count in again.counts["symbol"].values()
        )


def test_slots_that_are_over_are_read_once(store: Store) -> None:
    counting, past = Counting(store), Past(TOP)
    keep(store, seen(NOW), seen(NOW - 3 * DAY.seconds))

    for _ in range(3):
        read_window(counting, MONTH, NOW, past)  # type: ignore[arg-type]

    assert counting.slots == [30, 1, 1, 1]


def test_cpu_time_that_comes_late_is_told_too(store: Store) -> None:
    past, tally = Past(TOP), Tally()
    keep(store, seen(NOW), seen(NOW - DAY.seconds))
    before = read_window(store, MONTH, NOW, past)
    tally.spent(NOW - DAY.seconds, 5_000_000)
    store.write(sum_adds([tally.take_sums()]))

    after = read_window(store, MONTH, NOW, past)

    assert round(after.cpu_s - before.cpu_s, 6) == 5.0


def test_next_slot_begins_with_the_running_one_among_the_past(store: Store) -> None:
    past, window = Past(TOP), WINDOWS["5m"]
    keep(store, seen(NOW), seen(NOW - MINUTE.seconds, 1))
    read_window(store, window, NOW, past)
    later = NOW + MINUTE.seconds
    keep(store, seen(later, 2))

    figures = read_window(store, window, later, past)

    assert figures.total.messages == 3
    assert figures == read_window(store, window, later)


def test_campaign_of_the_running_day_is_that_of_the_days_before(store: Store) -> None:
    past = Past(TOP)
    keep(store, *(seen(NOW - n * DAY.seconds) for n in range(1, 6)))
    read_window(store, MONTH, NOW, past)
    keep(store, seen(NOW), seen(NOW))

    top = read_window(store, MONTH, NOW, past).tops["campaign"]

    assert [one.messages for one in top.entries] == [7]
