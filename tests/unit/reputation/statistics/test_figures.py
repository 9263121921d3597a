"""What was counted is read back: by window, exactly or within the error, from every home."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from reputation.errors import StoreError
from reputation.statistics.deposit import Deposits, decode, deposit, encode
from reputation.statistics.figures import Count, read_days, read_window
from reputation.statistics.observation import Observation, Profile
from reputation.statistics.tally import Tally, sum_adds
from reputation.statistics.windows import DAY, HOUR, MINUTE, WINDOWS, pieces

if TYPE_CHECKING:
    from reputation.store import Store

# In the middle of a minute, an hour and a day.
NOW = 1_800_013_530.0
TEXT = "The quarterly report is attached; have a look at it before the meeting on Thursday."


def seen(at: float = NOW, action: str = "pass", block: str = "192.0.2.0/24") -> Observation:
    return Observation(
        at=at,
        size=1000,
        unwanted=action != "pass",
        saved=0,
        profile=Profile(action=action, symbols=("A",)),
        sources=(("block", block),),
        text=TEXT,
    )


def keep(store: Store, *observations: Observation, now: float = NOW) -> None:
    tally, deposits = Tally(), Deposits()
    for one in observations:
        tally.count(one)
    store.write(sum_adds([tally.take_sums()]))
    deposits.add(tally.take_sketches())
    deposits.settle(store, now)
    assert not deposits.waiting


@pytest.mark.parametrize("word", WINDOWS)
def test_window_has_all_that_happened_in_it(store: Store, word: str) -> None:
    window = WINDOWS[word]
    inside = NOW - window.slots * window.width.seconds
    before = inside - window.width.seconds
    keep(store, seen(), seen(inside, "reject"), seen(before, "defer"), now=before)

    figures = read_window(store, window, NOW)

    assert figures.total == Count(2, 2000, 1, 0)
    assert figures.of("action", "reject") == Count(1, 1000, 1, 0)
    assert figures.of("action", "defer") == Count()
    assert figures.since <= inside
    assert figures.until == int(NOW)
    assert len(figures.timeline) == window.slots + 1
    assert figures.timeline[0].counts["action"] == {"reject": Count(1, 1000, 1, 0)}


@pytest.mark.parametrize("word", WINDOWS)
def test_sketches_of_a_window_are_those_of_its_slots(store: Store, word: str) -> None:
    window = WINDOWS[word]
    inside = NOW - window.slots * window.width.seconds
    before = inside - window.width.seconds
    times = [NOW, inside, before]
    keep(store, *(seen(at, block=f"{n}.0.0.0/24") for n, at in enumerate(times)), now=before)

    top = read_window(store, window, NOW).tops["block"]

    assert sorted(entry.value for entry in top.entries) == ["0.0.0.0/24", "1.0.0.0/24"]
    assert (top.error, top.total) == (0, 2)


def test_what_several_wrote_adds_up(store: Store) -> None:
    for _ in range(3):
        keep(store, seen(), seen(action="reject"))

    figures = read_window(store, WINDOWS["1h"], NOW)

    assert figures.total.messages == 6
    assert figures.tops["block"].entries[0].messages == 6
    assert [one.messages for one in figures.tops["campaign"].entries] == [6]


def test_sketches_of_many_writers_at_once_lose_nothing(store: Store) -> None:
    tally = Tally()
    tally.count(seen())
    (sketches,) = tally.take_sketches().values()

    def write() -> None:
        for _ in range(5):
            deposit(store, DAY, DAY.slot(NOW), sketches, NOW)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert read_window(store, WINDOWS["30d"], NOW).tops["block"].entries[0].messages == 20


def test_days_of_a_report_are_those_asked_for(store: Store) -> None:
    day = DAY.slot(NOW)
    keep(store, *(seen(NOW - n * DAY.seconds) for n in range(4)), now=NOW - 4 * DAY.seconds)

    figures = read_days(store, day - 2, day - 1, NOW)

    assert figures.total.messages == 2
    assert (figures.since, figures.until) == ((day - 2) * DAY.seconds, day * DAY.seconds)


def test_days_that_have_not_come_are_not_told(store: Store) -> None:
    day = DAY.slot(NOW)
    keep(store, seen(NOW), now=NOW)

    figures = read_days(store, day - 1, day + 40, NOW)

    assert [one.at // DAY.seconds for one in figures.timeline] == [day - 1, day]
    assert figures.until == int(NOW)


def test_empty_store_has_figures_of_nothing(store: Store) -> None:
    figures = read_window(store, WINDOWS["24h"], NOW)

    assert figures.total == Count()
    assert figures.counts == {}
    assert {top.total for top in figures.tops.values()} == {0}


def test_cpu_time_is_told_apart(store: Store) -> None:
    tally = Tally()
    tally.spent(NOW, 1_500_000)
    store.write(sum_adds([tally.take_sums()]))

    figures = read_window(store, WINDOWS["1h"], NOW)

    assert figures.cpu_s == 1.5
    assert figures.counts == {}


def test_rows_of_a_process_are_bounded() -> None:
    tally = Tally()

    for number in range(10_000):
        tally.count(seen()._replace(profile=Profile(symbols=(f"S{number}",))))

    adds = [add for add in sum_adds([tally.take_sums()]) if add.series == DAY.series]
    assert len(adds) <= 4002
    assert sum(add.amounts[0] for add in adds if add.key.startswith(b"symbol=")) == 10_000


def test_store_that_fails_keeps_sketches_waiting(store: Store) -> None:
    deposits, tally = Deposits(), Tally()
    tally.count(seen())
    deposits.add(tally.take_sketches())
    store.close()

    with pytest.raises(StoreError):
        deposits.settle(store, NOW)

    assert deposits.waiting


def test_waiting_for_a_store_is_bounded() -> None:
    deposits = Deposits()

    for minute in range(2000):
        tally = Tally()
        tally.count(seen(NOW + 60 * minute))
        deposits.add(tally.take_sketches())

    assert len(deposits._waiting) <= 500


def test_record_is_read_as_it_was_written() -> None:
    tally = Tally()
    tally.count(seen(block='odd "value" \U0001f600'))
    (sketches,) = tally.take_sketches().values()

    assert decode(encode(sketches)) == {n: one for n, one in sketches.items() if one.total}


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff", id="no-text"),
        pytest.param(b"[]", id="no-object"),
        pytest.param(b'[1, [["block", 5, 0, 1, 1]]]\na', id="cut"),
        pytest.param(b'[1, [["block", 5, 0, -1, 1]]]\na', id="less-than-nothing"),
        pytest.param(b'[1, [["block", 5, 0, 2, 1]]]\na' + bytes(40), id="too-few-values"),
        pytest.param(b'[1, [["block", "x", 0, 1, 1]]]\na' + bytes(20), id="no-number"),
        pytest.param(b'[2, [["block", 5, 0, 1, 1]]]\na' + bytes(20), id="of-a-later-version"),
        pytest.param(b'[1, [["other", 5, 0, 1, 1]]]\na' + bytes(20), id="no-sketch-of-ours"),
    ],
)
def test_record_that_is_none_counts_nothing(record: bytes) -> None:
    assert decode(record) == {}


def test_slots_that_make_a_whole_one_are_read_as_it() -> None:
    assert pieces(HOUR, 22, 73) == ((HOUR, 22, 23), (DAY, 1, 3))
    assert pieces(MINUTE, 61, 100) == ((MINUTE, 61, 100),)
    assert pieces(DAY, 5, 35) == ((DAY, 5, 35),)
