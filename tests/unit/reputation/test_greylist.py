"""Greylisting: what one attempt to deliver may cost."""

from __future__ import annotations

import os

from reputation.greylist import Greylist, State, Try, secret_of
from reputation.memory import MemoryStore


def test_message_to_many_costs_few_keys_and_comes_back_in_time() -> None:
    store, times = MemoryStore(os.urandom), Greylist()
    many = tuple(f"user{number}@example.org" for number in range(1000))
    attempt = Try("net:192.0.2.0/24", "a@b.example", many)

    known = times.state(store, attempt, 0.0)
    store.write([*times.deferred(attempt, secret_of(store), known, 0.0)])

    assert (known, times.state(store, attempt, 100.0)) == (State.NEW, State.RETURNED)
    assert len([*store.keys("greylist-waiting")]) == 50


def test_clock_that_was_ahead_keeps_nobody_waiting() -> None:
    store, times = MemoryStore(os.urandom), Greylist()
    attempt = Try("net:192.0.2.0/24", "a@b.example", ("user@example.org",))

    ahead = 1e6
    store.write([*times.deferred(attempt, secret_of(store), State.NEW, now=ahead)])

    assert times.state(store, attempt, ahead + 10.0) is State.EARLY
    assert times.state(store, attempt, 0.0) is State.RETURNED
