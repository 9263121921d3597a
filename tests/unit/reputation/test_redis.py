"""The store on a server: what its failures are called, and that it is used again afterwards."""

from __future__ import annotations

import itertools
import os

import pytest
import redis

from reputation.errors import StoreError
from reputation.redis import RedisStore
from reputation.redis.server import Server
from reputation.store import Add, Append, Drop, Put, Retention, Row, Search
from tests.support.redis_server import a_redis
from tests.support.stores import random_bytes

# Less than an empty server has.
MEGABYTE = 2**20
ONE = Add("series", 1, b"key", (1,), 100)
ENTRY = Append("stream", 1.0, b"payload", (b"word",), Retention(10, 10**6, 10**6))


def test_server_that_is_full_takes_no_writes_and_answers_questions() -> None:
    with a_redis("--maxmemory-policy", "noeviction") as server:
        store = server.store(random_bytes())
        store.write([ONE])
        server.limit(MEGABYTE)

        with pytest.raises(StoreError) as caught:
            store.write([ONE, Put("space", (b"a",), 100)])
        with pytest.raises(StoreError) as not_taken:
            store.take([Drop("rate", b"k", 1, 10, 1)], now=1)

        with pytest.raises(StoreError) as not_replaced:
            store.replace("s", b"k", old=None, new=b"1", now=1, expires_at=10, also=ENTRY)

        for err in (caught.value, not_taken.value, not_replaced.value):
            assert (err.reason, err.temporary) == ("full", True)
        # Of a batch that was refused nothing was done.
        assert store.sums("series", 1, 1) == [Row(1, b"key", (1,))]
        assert store.present("space", [b"a"], 1) == frozenset()
        assert store.records("s", [b"k"], 1) == {}
        assert store.newest("stream") == 0
        server.limit(0)
        store.write([ONE])
        assert store.sums("series", 1, 1) == [Row(1, b"key", (2,))]
        store.close()


def test_server_that_hangs_costs_its_deadline_and_is_used_again() -> None:
    with a_redis() as server:
        store = server.store(random_bytes(), timeout_s=0.1)
        store.write([ONE])
        server.hang()

        with pytest.raises(StoreError) as caught:
            store.sums("series", 1, 1)

        assert (caught.value.reason, caught.value.temporary) == ("slow", True)
        server.go_on()
        assert store.sums("series", 1, 1) == [Row(1, b"key", (1,))]
        store.close()


def test_server_that_was_restarted_learns_the_scripts_again() -> None:
    with a_redis() as server:
        store = server.store(random_bytes())
        store.write([ONE])
        server.stop()
        with pytest.raises(StoreError) as caught:
            store.write([ONE])
        server.start()

        store.write([ONE])
        assert store.replace("s", b"k", old=None, new=b"1", now=1, expires_at=10, also=ENTRY)

        assert (caught.value.reason, caught.value.temporary) == ("gone", True)
        assert store.sums("series", 1, 1) == [Row(1, b"key", (1,))]
        assert store.newest("stream") == 1
        store.close()


def test_server_that_came_back_empty_has_secrets_that_all_share() -> None:
    with a_redis() as server:
        store, other = server.store(os.urandom), server.store(os.urandom)
        before = [store.secret("a"), store.secret("b")]
        server.stop()
        server.start()
        after = [other.secret("a"), other.secret("b")]

        # The first command of the new connection.
        store.write([ONE])

        assert [store.secret("a"), store.secret("b")] == after
        assert before[0] != after[0]
        for one in (store, other):
            one.close()


def test_server_that_was_emptied_has_secrets_that_all_share_a_minute_later() -> None:
    now = [1000.0]
    with a_redis() as server:
        store, other = (server.store(os.urandom, lambda: now[0]) for _ in range(2))
        before = [store.secret("a"), store.secret("b")]
        server.flush()
        after = [other.secret("a"), other.secret("b")]
        still = store.secret("a")
        now[0] += 60

        assert [store.secret("a"), store.secret("b")] == after
        assert still == before[0] != after[0]
        for one in (store, other):
            one.close()


def test_server_that_became_a_replica_is_left_for_the_one_behind_its_address() -> None:
    with a_redis() as old, a_redis() as new:
        store = old.store(random_bytes())
        store.write([ONE])
        with redis.Redis(unix_socket_path=str(old.socket)) as client:
            client.replicaof("127.0.0.1", 1)
        # As a name or a floating address: connections that are open stay where they are.
        new.socket.replace(old.socket)

        with pytest.raises(StoreError) as caught:
            store.write([ONE, ONE])
        store.write([ONE, ONE])

        assert (caught.value.reason, caught.value.temporary) == ("gone", True)
        assert store.sums("series", 1, 1) == [Row(1, b"key", (2,))]
        store.close()


def test_search_for_what_is_rare_leaves_nothing_out_by_counting_it() -> None:
    keep = Retention(10**6, 10**9, 10**6)
    with a_redis() as server, redis.Redis(unix_socket_path=str(server.socket)) as client:
        store = server.store(random_bytes())
        words = ((b"one",), (b"other",))
        store.write([Append("s", float(at), b"", words[at % 2], keep) for at in range(2000)])
        with client.monitor() as monitor:
            assert store.search("s", Search((b"one", b"other")), 200) == []
            client.echo("end")
            said = itertools.takewhile(
                lambda command: not command.startswith("ECHO"),
                (each["command"] for each in monitor.listen() if each is not None),
            )
            asked = [each.split() for each in said if each.startswith("ZREVRANGEBYSCORE")]
        store.close()

    assert len(asked) >= 5
    assert max(int(each[-2]) for each in asked) == 1


@pytest.mark.parametrize("password", ["", "guessed"], ids=["none", "wrong"])
def test_server_that_wants_another_password_says_so(password: str) -> None:
    with a_redis("--requirepass", "right") as server:
        store = RedisStore(Server(server.url, password, "", 5.0), random_bytes(), lambda: 0.0)

        with pytest.raises(StoreError) as caught:
            store.write([ONE])

        assert (caught.value.reason, caught.value.temporary) == ("refused", False)
        store.close()
