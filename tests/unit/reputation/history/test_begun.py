"""A shadow policy has one beginning for each version of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reputation.history.begun import Begun, begin, since

if TYPE_CHECKING:
    from reputation.store import Store


def test_beginning_is_written_once_and_each_version_has_its_own(store: Store) -> None:
    old, new = Begun("next", "v1"), Begun("next", "v2")
    store.write(begin(store, [old], 10.0))

    writes = begin(store, [old, new], 20.0)
    store.write(writes)

    assert len(writes) == 1
    assert (since(store, old), since(store, new)) == (10.0, 20.0)
    assert since(store, Begun("other", "v1")) is None


def test_of_workers_that_write_it_at_once_the_first_counts(store: Store) -> None:
    shadow = Begun("next", "v1")
    first, second = begin(store, [shadow], 10.0), begin(store, [shadow], 11.0)

    store.write([*second, *first])

    assert since(store, shadow) == 10.0
