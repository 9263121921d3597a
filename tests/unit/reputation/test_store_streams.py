"""What every store does with streams and sums, on which history and statistics stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reputation.store import Add, Append, Entry, Retention, Row, Search

if TYPE_CHECKING:
    from reputation.store import Store

ROOMY = Retention(entries=1000, total_bytes=10**6, age_s=10**6)

# Streams.


def appended(store: Store, *entries: tuple[float, bytes, tuple[bytes, ...]]) -> None:
    store.write([Append("s", at, payload, words, ROOMY) for at, payload, words in entries])


def numbers(entries: object) -> list[int]:
    assert isinstance(entries, list)
    return [entry.number for entry in entries]


def test_follow_goes_on_where_it_ended(store: Store) -> None:
    appended(store, *[(1.5, b"%d" % i, ()) for i in range(5)])

    assert store.follow("s", 0, 2) == [Entry(1, 1.5, b"0"), Entry(2, 1.5, b"1")]
    assert numbers(store.follow("s", 2, 10)) == [3, 4, 5]
    assert store.follow("s", 5, 10) == []
    assert store.follow("another", 0, 10) == []
    assert (store.newest("s"), store.newest("another")) == (5, 0)


def test_search_by_words_finds_those_that_have_all_youngest_first(store: Store) -> None:
    appended(
        store,
        (1.0, b"a", (b"x", b"y")),
        (2.0, b"b", (b"x",)),
        (3.0, b"c", (b"y", b"x", b"z", b"x")),
    )

    assert numbers(store.search("s", Search((b"x", b"y")), 10)) == [3, 1]
    assert numbers(store.search("s", Search((b"x",)), 2)) == [3, 2]
    assert store.search("s", Search((b"x", b"unknown")), 10) == []
    assert store.search("another", Search((b"x",)), 10) == []


def test_search_by_time_and_page_by_page(store: Store) -> None:
    # They did not come in the order in which they happened.
    appended(store, *[(at, b"", (b"w",)) for at in (5.0, 3.0, 3.0, 4.0, 1.0)])

    for words in ((), (b"w",)):
        assert numbers(store.search("s", Search(words), 10)) == [1, 4, 3, 2, 5]
        assert numbers(store.search("s", Search(words, since=3.0, until=4.0), 10)) == [4, 3, 2]
        first = store.search("s", Search(words), 3)
        rest = Search(words, until=first[-1].at, before=first[-1].number)
        assert numbers(store.search("s", rest, 10)) == [2, 5]


def test_search_among_many_of_the_same_time_gives_each_once(store: Store) -> None:
    ats = [1.0] * 3 + [2.0] * 450 + [3.5] * 250 + [4.0]
    entries = [(at, b"", (b"w", b"odd" if i % 2 else b"even")) for i, at in enumerate(ats, 1)]
    appended(store, *entries)

    everything = [*range(len(ats), 0, -1)]
    assert numbers(store.search("s", Search((b"w",)), 1000)) == everything
    assert numbers(store.search("s", Search((b"w", b"odd")), 1000)) == everything[1::2]
    behind = Search((b"w",), until=3.5, before=600)
    assert numbers(store.search("s", behind, 1000)) == everything[704 - 599 :]


@pytest.mark.parametrize(
    ("keep", "kept"),
    [
        pytest.param(Retention(3, 10**6, 10**6), [8, 9, 10], id="entries"),
        pytest.param(Retention(1000, 25, 10**6), [9, 10], id="bytes"),
        pytest.param(Retention(1000, 10**6, 4.0), [6, 7, 8, 9, 10], id="age"),
    ],
)
def test_stream_keeps_what_it_was_told_to(store: Store, keep: Retention, kept: list[int]) -> None:
    for at in range(10):
        store.write([Append("s", float(at), b"x" * 10, (b"w", b"%d" % at), keep)])

    assert numbers(store.follow("s", 0, 100)) == kept
    assert numbers(store.search("s", Search((b"w",)), 100)) == kept[::-1]
    assert numbers(store.search("s", Search(), 100)) == kept[::-1]
    assert store.search("s", Search((b"0",)), 100) == []
    assert store.newest("s") == 10


def test_trim_removes_the_first_ones_as_appending_does(store: Store) -> None:
    appended(store, *[(float(at), b"x" * 10, (b"w", b"%d" % at)) for at in range(30)])

    removed = [store.trim("s", Retention(20, 150, 10**6), 30.0, 10) for _ in range(3)]
    assert (sum(removed), removed[-1]) == (15, 0)
    assert numbers(store.follow("s", 0, 100)) == [*range(16, 31)]
    assert numbers(store.search("s", Search((b"w",)), 100)) == [*range(30, 15, -1)]
    assert store.search("s", Search((b"0",)), 100) == []
    assert store.trim("s", Retention(100, 10**6, 5.0), 30.0, 100) == 10
    assert store.trim("unknown", Retention(1, 1, 1.0), 30.0, 10) == 0
    appended(store, (31.0, b"y", ()))
    assert numbers(store.follow("s", 0, 100)) == [*range(26, 32)]


def test_stream_emptied_by_its_bound_goes_on_counting(store: Store) -> None:
    store.write([Append("s", 1.0, b"too large", (), Retention(10, 5, 100))])

    assert store.follow("s", 0, 10) == []
    store.write([Append("s", 2.0, b"small", (), Retention(10, 5, 100))])
    assert store.follow("s", 0, 10) == [Entry(2, 2.0, b"small")]


# Sums.


def test_sums_add_up_by_slot_and_key(store: Store) -> None:
    store.write([Add("hour", 1, b"a", (1, 100), 50), Add("hour", 1, b"a", (2, 50), 50)])
    store.write([Add("hour", 2, b"a", (1, 10), 50), Add("hour", 2, b"\x01b", (-5,), 50)])
    store.write([Add("day", 1, b"a", (2**40, 0, 0, 7), 50)])

    assert store.sums("hour", 1, 2) == [
        Row(1, b"a", (3, 150)),
        Row(2, b"\x01b", (-5,)),
        Row(2, b"a", (1, 10)),
    ]
    assert store.sums("hour", 2, 9) == [Row(2, b"\x01b", (-5,)), Row(2, b"a", (1, 10))]
    assert store.sums("day", 1, 1) == [Row(1, b"a", (2**40, 0, 0, 7))]
    assert store.sums("hour", 3, 9) == []
