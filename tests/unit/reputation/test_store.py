"""What every store does, over the one in memory, the one in a file and the one on a server."""

from __future__ import annotations

import threading
from math import inf
from typing import TYPE_CHECKING

import pytest

from reputation.errors import StoreError
from reputation.memory import MemoryStore
from reputation.redis import RedisStore
from reputation.store import (
    Add,
    Append,
    Drop,
    Entry,
    Fade,
    Faded,
    Put,
    Retention,
    Row,
    Search,
)
from tests.support.stores import random_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from reputation.store import Store

ROOMY = Retention(entries=1000, total_bytes=10**6, age_s=10**6)


def test_present_returns_only_what_was_put(store: Store) -> None:
    store.put("space", [b"a", b"b"], expires_at=100)

    assert store.present("space", [b"a", b"c"], now=1) == {b"a"}
    assert store.present("other", [b"a"], now=1) == frozenset()
    assert store.present("space", [], now=1) == frozenset()


def test_present_ends_at_the_time_given(store: Store) -> None:
    store.put("space", [b"a"], expires_at=100)

    assert store.present("space", [b"a"], now=99.5) == {b"a"}
    assert store.present("space", [b"a"], now=100) == frozenset()


def test_put_again_keeps_the_later_end(store: Store) -> None:
    store.put("space", [b"a"], expires_at=100)
    store.put("space", [b"a"], expires_at=50)
    assert store.present("space", [b"a"], now=99) == {b"a"}

    store.put("space", [b"a"], expires_at=200)
    assert store.present("space", [b"a"], now=150) == {b"a"}


def test_put_many_keys_and_ask_for_them_all(store: Store) -> None:
    keys = [index.to_bytes(4) for index in range(1500)]
    store.put("space", keys, expires_at=10)

    assert store.present("space", keys, now=1) == frozenset(keys)


def test_expire_removes_what_is_old_and_no_more_than_asked(store: Store) -> None:
    if isinstance(store, RedisStore):
        assert store.expire(now=10, limit=2) == 0
        return
    store.put("space", [b"a", b"b", b"c"], expires_at=10)
    store.put("space", [b"d"], expires_at=20)

    assert store.expire(now=10, limit=2) == 2
    assert store.expire(now=10, limit=2) == 1
    assert store.expire(now=10, limit=2) == 0
    assert store.present("space", [b"d"], now=10) == {b"d"}


def test_secret_is_made_once_and_differs_by_name(store: Store) -> None:
    first = store.secret("one")

    assert len(first) == 32
    assert store.secret("one") == first
    assert store.secret("two") != first


def test_closed_store_fails_and_close_again_is_harmless(store: Store) -> None:
    store.close()
    store.close()

    for call in (
        lambda: store.put("space", [b"a"], 1),
        lambda: store.present("space", [b"a"], 1),
        lambda: store.secret("one"),
        lambda: store.expire(1, 1),
    ):
        with pytest.raises(StoreError):
            call()


def test_store_is_used_from_several_threads(store: Store) -> None:
    def work(number: int) -> None:
        for index in range(20):
            store.put("space", [bytes([number, index])], expires_at=10)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    keys = [bytes([number, index]) for number in range(4) for index in range(20)]
    assert store.present("space", keys, now=1) == frozenset(keys)


def test_memory_full_forgets_what_would_expire_first() -> None:
    store = MemoryStore(random_bytes(), max_keys=2)
    store.put("space", [b"late"], expires_at=30)
    store.put("space", [b"early"], expires_at=10)
    store.put("space", [b"middle"], expires_at=20)

    assert store.present("space", [b"late", b"early", b"middle"], now=1) == {b"late", b"middle"}


# Batches.


def test_write_does_all_kinds_at_once(store: Store) -> None:
    store.write(
        [
            Put("space", (b"a", b"b"), expires_at=10),
            Fade("space", b"a", (1.0,), at=1, half_life_s=10, keep_s=100),
            Append("stream", 1.0, b"payload", (b"word",), ROOMY),
            Add("series", 7, b"key", (1, 2), expires_at=100),
        ]
    )

    assert store.present("space", [b"a", b"b"], now=1) == {b"a", b"b"}
    assert store.faded("space", [b"a"], now=1) == {b"a": Faded((1.0,), 1, 1)}
    assert store.follow("stream", 0, 10) == [Entry(1, 1.0, b"payload")]
    assert store.sums("series", 0, 10) == [Row(7, b"key", (1, 2))]


def test_write_of_nothing_does_nothing(store: Store) -> None:
    store.write([])


# Records.


def test_replace_takes_the_first_of_two_and_refuses_the_other(store: Store) -> None:
    assert store.replace("space", b"k", old=None, new=b"one", now=1, expires_at=10)
    assert not store.replace("space", b"k", old=None, new=b"two", now=1, expires_at=10)
    assert store.records("space", [b"k", b"other"], now=1) == {b"k": b"one"}


def test_replace_wants_to_know_what_is_there(store: Store) -> None:
    store.replace("space", b"k", old=None, new=b"one\nline", now=1, expires_at=10)

    assert not store.replace("space", b"k", old=b"two", new=b"three", now=1, expires_at=10)
    assert store.replace("space", b"k", old=b"one\nline", new=b"\x00\xff", now=1, expires_at=10)
    assert store.records("space", [b"k"], now=1) == {b"k": b"\x00\xff"}
    assert store.records("elsewhere", [b"k"], now=1) == {}


def test_replace_by_none_removes(store: Store) -> None:
    store.replace("space", b"k", old=None, new=b"", now=1, expires_at=10)

    assert not store.replace("space", b"k", old=None, new=None, now=1, expires_at=10)
    assert store.replace("space", b"k", old=b"", new=None, now=1, expires_at=10)
    assert store.records("space", [b"k"], now=1) == {}


def test_record_that_expired_is_none(store: Store) -> None:
    store.replace("space", b"k", old=None, new=b"one", now=1, expires_at=10)

    assert store.records("space", [b"k"], now=10) == {}
    assert store.replace("space", b"k", old=None, new=b"two", now=10, expires_at=inf)
    assert store.records("space", [b"k"], now=10**9) == {b"k": b"two"}


def test_entry_is_appended_where_the_record_is_replaced_and_only_there(store: Store) -> None:
    keep = Retention(entries=2, total_bytes=10**6, age_s=10**6)
    for number, (old, replaced) in enumerate([(None, True), (None, False), (b"0", True)]):
        entry = Append("stream", 5.0, b"%d" % number, (b"word",), keep)
        new = b"%d" % number
        did = store.replace("s", b"k", old=old, new=new, now=1, expires_at=10, also=entry)
        assert did == replaced

    assert store.records("s", [b"k"], now=1) == {b"k": b"2"}
    assert store.follow("stream", 0, 10) == [Entry(1, 5.0, b"0"), Entry(2, 5.0, b"2")]
    assert [entry.payload for entry in store.search("stream", Search((b"word",)), 10)] == [
        b"2",
        b"0",
    ]
    store.replace(
        "s",
        b"k",
        old=b"2",
        new=None,
        now=1,
        expires_at=10,
        also=Append("stream", 6.0, b"3", (), keep),
    )
    assert [entry.payload for entry in store.follow("stream", 0, 10)] == [b"2", b"3"]


# Buckets.


def test_take_fills_until_there_is_no_room_and_says_how_long_to_wait(store: Store) -> None:
    drop = Drop("rate", b"k", amount=2, capacity=5, leak_per_s=0.5)

    assert store.take([drop], now=100).levels == (2.0,)
    assert store.take([drop], now=100).levels == (4.0,)
    refused = store.take([drop], now=100)

    assert (refused.levels, refused.full, refused.wait_s) == ((4.0,), (0,), 2.0)
    assert store.take([drop], now=102).levels == (5.0,)


def test_take_leaks_and_never_below_empty(store: Store) -> None:
    store.take([Drop("rate", b"k", 4, 10, 1)], now=100)

    assert store.take([Drop("rate", b"k", 0, 10, 1)], now=101).levels == (3.0,)
    assert store.take([Drop("rate", b"k", 0, 10, 1)], now=1000).levels == (0.0,)


def test_take_all_or_none(store: Store) -> None:
    roomy, tight = Drop("rate", b"roomy", 1, 10, 1), Drop("rate", b"tight", 1, 1, 0.5)
    assert store.take([roomy, tight], now=100).full == ()

    refused = store.take([roomy, tight], now=101)

    assert refused.full == (1,)
    assert refused.wait_s == pytest.approx(1.0)
    # A second has leaked from the first bucket, and nothing was poured into it.
    assert store.take([Drop("rate", b"roomy", 0, 10, 1)], now=101).levels == (0.0,)


def test_take_more_than_a_bucket_holds_fits_into_an_empty_one(store: Store) -> None:
    drop = Drop("rate", b"k", amount=50, capacity=10, leak_per_s=1)

    assert store.take([drop], now=100).levels == (10.0,)
    assert store.take([drop], now=105).wait_s == pytest.approx(5.0)
    assert store.take([drop], now=110).full == ()


def test_take_after_the_wait_that_was_told_finds_room(store: Store) -> None:
    drop = Drop("rate", b"k", amount=1, capacity=3, leak_per_s=1 / 7)
    now = 1_700_000_000.123
    for _ in range(3):
        store.take([drop], now)
    for _ in range(20):
        now += store.take([drop], now).wait_s
        assert store.take([drop], now).full == ()


def test_take_by_a_clock_that_went_back_leaks_nothing(store: Store) -> None:
    store.take([Drop("rate", b"k", 4, 10, 1)], now=100)

    assert store.take([Drop("rate", b"k", 1, 10, 1)], now=90).levels == (5.0,)


def test_take_of_nothing_is_taken(store: Store) -> None:
    assert store.take([], now=1).levels == ()


# Fading values.


def test_fade_halves_and_adds(store: Store) -> None:
    for at in (0, 100):
        store.write([Fade("s", b"k", (8.0, 2.0), at=at, half_life_s=100, keep_s=1000)])

    assert store.faded("s", [b"k", b"unknown"], now=100) == {b"k": Faded((12.0, 3.0), 0, 100)}
    assert store.faded("s", [b"k"], now=200)[b"k"].values == (6.0, 1.5)
    # A clock that went back makes nothing larger.
    assert store.faded("s", [b"k"], now=50)[b"k"].values == (12.0, 3.0)


def test_fade_that_comes_late_counts_as_if_it_had_come_in_time(store: Store) -> None:
    store.write([Fade("s", b"k", (1.0,), at=100, half_life_s=100, keep_s=1000)])
    store.write([Fade("s", b"k", (4.0,), at=0, half_life_s=100, keep_s=1000)])

    assert store.faded("s", [b"k"], now=100) == {b"k": Faded((3.0,), 0, 100)}


def test_fade_with_more_places_than_before_begins_them(store: Store) -> None:
    store.write([Fade("s", b"k", (1.0,), at=0, half_life_s=100, keep_s=1000)])
    store.write([Fade("s", b"k", (1.0, 5.0), at=0, half_life_s=100, keep_s=1000)])

    assert store.faded("s", [b"k"], now=0)[b"k"].values == (2.0, 5.0)


def test_faded_ends_when_it_is_not_kept_any_more(store: Store) -> None:
    store.write([Fade("s", b"k", (1.0,), at=10, half_life_s=100, keep_s=50)])

    assert store.faded("s", [b"k"], now=59.5)
    assert store.faded("s", [b"k"], now=60) == {}


# What a person asks for.


def test_keys_and_forget_know_every_kind(store: Store) -> None:
    store.put("s", [b"put", b"all*"], expires_at=10)
    store.replace("s", b"record", old=None, new=b"1", now=1, expires_at=10)
    store.replace("s", b"all*", old=None, new=b"1", now=1, expires_at=10)
    store.take([Drop("s", b"bucket", 1, 2, 1)], now=1)
    store.write([Fade("s", b"fading", (1.0,), 1, 10, 10)])
    store.put("s*", [b"elsewhere"], expires_at=10)

    assert sorted(store.keys("s")) == [b"all*", b"bucket", b"fading", b"put", b"record"]
    assert list(store.keys("s*")) == [b"elsewhere"]
    assert store.forget("s", [b"all*", b"bucket", b"unknown"]) == 2
    assert sorted(store.keys("s")) == [b"fading", b"put", b"record"]
    assert store.present("s", [b"all*"], now=1) == frozenset()


# Several at once.


def test_counts_of_several_threads_are_all_there(store: Store) -> None:
    def work(number: int) -> None:
        for _ in range(10):
            store.write(
                [
                    Add("series", 1, b"k", (1,), 100),
                    Fade("s", b"k", (1.0,), 1, 1000, 1000),
                    Append("s", 1.0, b"%d" % number, (), ROOMY),
                ]
            )
            store.take([Drop("s", b"k", 1, 1000, 0.001)], now=1)

    in_threads(work)

    assert store.sums("series", 1, 1) == [Row(1, b"k", (40,))]
    assert store.faded("s", [b"k"], now=1)[b"k"].values == (40.0,)
    assert store.take([Drop("s", b"k", 0, 1000, 1)], now=1).levels == (40.0,)
    assert [entry.number for entry in store.follow("s", 0, 100)] == list(range(1, 41))


def in_threads(work: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
